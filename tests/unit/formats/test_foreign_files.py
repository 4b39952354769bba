"""A file that is no model is named for what it is; a model is known by its content whatever it is called."""

from __future__ import annotations

import gzip
import io
import lzma
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from model_contracts.artifact import Artifact
from model_contracts.formats.foreign import detect, recognise
from model_contracts.formats.opening import open_artifact
from model_contracts.formats.source import MemoryBytes
from support.safetensors_files import file_of, raw_file

SAFETENSORS = file_of({"a": np.ones(4, np.float32)})
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 988097824\n"


def checkpoint() -> bytes:
    """The shape of what torch.save writes: a zip archive that begins with a pickle."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("archive/data.pkl", pickle.dumps({"a": 1}, protocol=2))
        zipped.writestr("archive/data/0", bytes(16))
    return archive.getvalue()


def arrays(compressed: bool) -> bytes:
    buffer = io.BytesIO()
    if compressed:
        np.savez(buffer, a=np.ones(3))
    else:
        np.save(buffer, np.ones(3))
    return buffer.getvalue()


def archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("model.safetensors"))
    return buffer.getvalue()


FOREIGN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "an empty file"),
    "pointer": (POINTER, "a Git LFS pointer, not the file it points to (sha256:" + "ab" * 32 + ", 988,097,824 bytes)"),
    "pickle 2": (pickle.dumps([1, 2], protocol=2), "a pickle (protocol 2)"),
    "pickle 4": (pickle.dumps(list(range(99)), protocol=4), "a pickle (protocol 4)"),
    "checkpoint": (checkpoint(), "a PyTorch checkpoint (a zip archive with a pickle)"),
    "npz": (arrays(compressed=True), "NumPy arrays (.npz)"),
    "npy": (arrays(compressed=False), "a NumPy array (.npy)"),
    "page": (b"\n<!DOCTYPE html><html><body>404</body></html>", "an HTML page"),
    "page, mark first": (b"\xef\xbb\xbf<HTML>", "an HTML page"),
    "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an XML document"),
    "index": (b'{"metadata": {}, "weight_map": {}}', "the JSON index of a sharded model"),
    "config": (b'{\n "architectures": ["Qwen2ForCausalLM"]}', "config.json of a model, not its weights"),
    "json": (b"[1, 2]", "JSON text"),
    "text": (b"Entry not found", "a text file that begins 'Entry not found'"),
    "gzip": (gzip.compress(SAFETENSORS), "gzip-compressed data"),
    "xz": (lzma.compress(SAFETENSORS), "an xz archive"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(60), "zstd-compressed data"),
    "tar": (archive(), "a tar archive"),
    "zip": (b"PK\x05\x06" + bytes(18), "a zip archive"),
    "ggml": (b"lmgg" + bytes(60), "an old GGML model (magic ggml"),
    "ggjt": (b"tjgg" + b"\x03" + bytes(60), "an old GGML model (magic ggjt"),
    "ggla": (b"algg" + bytes(60), "an old GGML adapter (magic ggla"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(60), "an HDF5 file"),
    "zeros": (bytes(4096), "zeros, as a download leaves them"),
    "noise": (bytes(range(255, 0, -1)) * 9, "bytes of no format that this program knows"),
}


def opened(folder: Path, name: str, data: bytes) -> Artifact:
    (folder / name).write_bytes(data)
    return open_artifact(folder / name)


@pytest.mark.parametrize("case", FOREIGN)
def test_a_file_that_is_no_model_is_falsified_under_its_own_name(case: str, tmp_path: Path) -> None:
    data, named = FOREIGN[case]
    artifact = opened(tmp_path, "model.bin", data)
    assert not artifact.readable
    ((topic, comparison),) = artifact.containers[0].ledger.violations
    assert (topic, comparison.measure) == ("format", "recognised_format")
    assert named in str(comparison.observed)


@pytest.mark.parametrize("case", [case for case in FOREIGN if case != "noise"])
@pytest.mark.parametrize("suffix", ["safetensors", "gguf", "apr"])
def test_a_suffix_does_not_hide_what_a_file_is(case: str, suffix: str, tmp_path: Path) -> None:
    data, named = FOREIGN[case]
    artifact = opened(tmp_path, f"model.{suffix}", data)
    ((_, comparison),) = artifact.containers[0].ledger.violations
    assert named in str(comparison.observed)


def test_a_file_damaged_at_its_beginning_is_read_by_the_reader_of_its_suffix(tmp_path: Path) -> None:
    artifact = opened(tmp_path, "model.safetensors", b"\xff" * 8 + SAFETENSORS[8:])
    ((topic, comparison),) = artifact.containers[0].ledger.violations
    assert (topic, comparison.measure, comparison.observed) == ("format", "header_length", (1 << 64) - 1)


@pytest.mark.parametrize("name", ["model.gguf", "model.apr"])
def test_a_suffix_that_disagrees_with_the_content_is_an_outcome_and_the_file_is_read(name: str, tmp_path: Path) -> None:
    artifact = opened(tmp_path, name, SAFETENSORS)
    assert (artifact.format, list(artifact.tensors)) == ("safetensors", ["a"])
    ((topic, comparison),) = artifact.containers[0].ledger.violations
    assert (topic, comparison.measure, comparison.observed) == ("format", "suffix_matches_content", "safetensors")


@pytest.mark.parametrize("name", ["model.safetensors", "MODEL.SafeTensors", "d41d8cd98f00b204", "weights.bin"])
def test_a_suffix_that_agrees_or_says_nothing_is_no_failure(name: str, tmp_path: Path) -> None:
    artifact = opened(tmp_path, name, SAFETENSORS)
    assert artifact.containers[0].ledger.violations == []
    assert artifact.readable


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (SAFETENSORS, "safetensors"),
        (raw_file(" \n{}"), "safetensors"),
        (SAFETENSORS[:12], "safetensors"),
        (b"GGUF\x03\x00\x00\x00", "gguf"),
        (b"GGUF\x00\x00\x00\x03", "gguf"),
        (b"APR\x00\x02\x00", "apr"),
        (b"APRN", "apr"),
        (b"APRICOT", None),
        (b'{"a": {"b": 1}}', None),
        (b"GGU", None),
        (b"", None),
    ],
)
def test_the_format_is_told_by_the_first_bytes(data: bytes, format: str | None) -> None:
    assert detect(MemoryBytes(data)) == format


def test_text_is_recognised_where_a_character_is_cut_at_the_end_of_what_was_looked_at() -> None:
    text = ("a" * 4095 + "ä").encode()
    assert "a text file" in str(recognise(text[:4096], len(text)))
