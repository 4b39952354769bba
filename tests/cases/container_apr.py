"""Broken .apr files, and files that are no model at all under a model's name."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

from cases.byte_edits import Edit, cut, flipped, put
from cases.gates import FORMAT, PORTABLE, SIZES
from cases.interface import QWEN2, QWEN2_Q4_K_M, CheckArguments, Make, Variant, broken, seen
from cases.makers import apr, raw, unchanged
from support.apr_models import AprModel
from support.conversions import to_apr
from support.mutations import bytes_of

_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 988097824\n"
_PAGE = b"<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not found</body></html>\n"


def _bytes(edit: Edit) -> Make:
    def make(folder: Path) -> CheckArguments:
        path = to_apr(QWEN2).write(folder / "tiny.apr")
        with bytes_of(path) as data:
            edit(data)
        return CheckArguments(path)

    return make


def _file(name: str, data: Callable[[], bytes]) -> Make:
    def make(folder: Path) -> CheckArguments:
        (folder / name).write_bytes(data())
        return CheckArguments(folder / name)

    return make


def _backwards(model: AprModel) -> None:
    model.tensors = dict(reversed(model.tensors.items()))


def _zipped() -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": [1.0]}, protocol=2))
    return memory.getvalue()


def _foreign(name: str, file: str, data: Callable[[], bytes], observed: str) -> Variant:
    return broken(name, _file(file, data), seen(FORMAT, "recognised_format", file=file, observed=observed))


VARIANTS: tuple[Variant, ...] = (
    broken("apr-header-checksum", apr(QWEN2, unchanged, checksum=7), seen(FORMAT, "header_crc", observed="0x00000007")),
    broken(
        "apr-footer-checksum",
        apr(QWEN2, unchanged, footer=b"\0\0\0\0"),
        seen(FORMAT, "footer_crc", observed="00000000"),
    ),
    broken("apr-flipped-data-byte", _bytes(flipped(-100)), seen(FORMAT, "footer_crc")),
    broken(
        "apr-unsorted-index",
        apr(QWEN2, _backwards, sort=False),
        seen(FORMAT, "index_sorted", words="core reader refuses"),
    ),
    broken("apr-column-major", apr(QWEN2, unchanged, flags=0x0800), seen(FORMAT, "layout_row_major", offset=6)),
    broken("apr-truncated-by-30-percent", _bytes(cut(0.3)), seen(SIZES, "data_size", words="tensors are cut or gone")),
    broken(
        "apr-metadata-not-json",
        _bytes(put(64, "2s", b"[{")),
        seen(FORMAT, "metadata_json", words="serving reader goes on"),
    ),
    broken("apr-tensor-count-2-32", _bytes(put(8, "I", 2**32 - 1)), seen(FORMAT, "header_crc")),
    broken(
        "apr-key-and-its-alias",
        apr(QWEN2, lambda model: model.metadata.update(n_layers=4)),
        seen(PORTABLE, "alias_unique", key="num_layers", words="drops all metadata"),
        exit_code=0,
    ),
    _foreign("an-empty-file", "model.safetensors", lambda: b"", "an empty file"),
    _foreign(
        "an-lfs-pointer",
        "model.safetensors",
        lambda: _POINTER,
        f"a Git LFS pointer, not the file it points to (sha256:{'0' * 64}, 988,097,824 bytes)",
    ),
    _foreign("an-html-page", "tiny.gguf", lambda: _PAGE, "an HTML page, as a server sends in place of a file"),
    _foreign(
        "a-pickle",
        "pytorch_model.bin",
        lambda: pickle.dumps({"weight": [1.0]}, protocol=2),
        "a pickle (protocol 2), which can run code when it is loaded and is never read",
    ),
    _foreign(
        "a-zipped-pickle",
        "model.pt",
        _zipped,
        "a PyTorch checkpoint (a zip archive with a pickle), which can run code and is never read",
    ),
    broken(
        "a-suffix-that-lies",
        raw(QWEN2_Q4_K_M, lambda data: None, "tiny-qwen2-Q4_K_M.safetensors"),
        seen(FORMAT, "suffix_matches_content", expected="safetensors, as the suffix says", observed="gguf"),
    ),
)
