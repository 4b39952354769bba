"""Owns what the first bytes of a file say: which of our formats it is, or what else it is that was saved as a model."""

from __future__ import annotations

import codecs
import re

from model_contracts.containers import Format
from model_contracts.formats.interface import Bytes
from model_contracts.formats.safetensors_header import HEADER_LIMIT

#: How many bytes the two functions look at.
LOOKED_AT = 4096

_LFS = re.compile(
    rb"^version https://git-lfs\.github\.com/spec/v1\r?\n(?:[^\n]*\n)*?oid (?P<oid>[a-z0-9]+:[0-9a-f]+)\r?\n"
)
_LFS_SIZE = re.compile(rb"^size (\d{1,20})", re.MULTILINE)

#: What a file is called by the bytes it begins with; longer beginnings stand before shorter ones.
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras weights)"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x7fELF", "an executable (ELF)"),
    (b"%PDF-", "a PDF document"),
    (b"PAR1", "a Parquet table"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data"),
    (b"\x04\x22\x4d\x18", "lz4-compressed data"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"BZh", "bzip2-compressed data"),
    (b"lmgg", "an old GGML model (magic ggml, before GGUF)"),
    (b"fmgg", "an old GGML model (magic ggmf, before GGUF)"),
    (b"tjgg", "an old GGML model (magic ggjt, before GGUF)"),
    (b"algg", "an old GGML adapter (magic ggla, before GGUF)"),
    (b"nsgg", "a llama.cpp session (magic ggsn), not a model"),
)


def detect(source: Bytes) -> Format | None:
    """The format by content: GGUF's magic, an `.apr` magic, or a safetensors header length before a JSON object."""
    first = source.read(0, 9)
    if first[:4] == b"GGUF":
        return "gguf"
    if first[:3] == b"APR" and first[3:4] in (b"\x00", b"\x02", b"1", b"2", b"N", b"T"):
        return "apr"
    length, mark = int.from_bytes(first[:8], "little"), first[8:9]
    fits = length <= source.size - 8
    # A header that is cut off, or longer than the format allows, still is one: its reader says so by name.
    if (mark == b"{" and (fits or length <= HEADER_LIMIT)) or (mark and mark in b" \t\r\n" and length >= 2 and fits):
        return "safetensors"
    return None


def recognise(first: bytes, size: int) -> str | None:
    """What a file is that is none of our formats, from its first bytes (4096 are enough); None: it cannot be told."""
    if size == 0:
        return "an empty file"
    if (pointer := _LFS.match(first)) is not None:
        wanted = _LFS_SIZE.search(first)
        owed = f", {int(wanted[1]):,} bytes" if wanted else ""
        return f"a Git LFS pointer, not the file it points to ({pointer['oid'].decode()}{owed})"
    if first[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip(first)
    if len(first) > 1 and first[0] == 0x80 and 2 <= first[1] <= 5:
        return f"a pickle (protocol {first[1]}), which can run code when it is loaded and is never read"
    for beginning, name in _BEGINNINGS:
        if first.startswith(beginning):
            return name
    if first[257:262] == b"ustar":
        return "a tar archive"
    if _imatrix(first):
        return "an importance matrix in llama.cpp's old form (.dat), not a model"
    if first[4:8] == b"TFL3":
        return "a TensorFlow Lite model"
    if not first.strip(b"\x00"):
        return "zeros, as a download leaves them that reserved its space and did not finish"
    return _text(first, size)


def _imatrix(first: bytes) -> bool:
    """A count of entries, then the length of a tensor's name and the name (all numbers of 4 bytes)."""
    count, length = (int.from_bytes(first[at : at + 4], "little") for at in (0, 4))
    name = first[8 : 8 + length] if length <= 512 else b""
    return 0 < count < 1_000_000 and len(name) == length and name.isascii() and name.endswith(b".weight")


def _zip(first: bytes) -> str:
    if b"data.pkl" in first:
        return "a PyTorch checkpoint (a zip archive with a pickle), which can run code and is never read"
    name = first[30 : 30 + int.from_bytes(first[26:28], "little")]
    return "NumPy arrays (.npz)" if name.endswith(b".npy") else "a zip archive"


def _text(first: bytes, size: int) -> str | None:
    start = first.removeprefix(b"\xef\xbb\xbf").lstrip()
    lowered = start[:64].lower()
    if lowered.startswith((b"<!doctype html", b"<html", b"<head", b"<!--")):
        return "an HTML page, as a server sends in place of a file"
    if lowered.startswith(b"<?xml"):
        return "an XML document, as a server sends in place of a file"
    if start[:1] in (b"{", b"["):
        if b'"weight_map"' in first:
            return "the JSON index of a sharded model"
        kind = "config.json of a model" if b'"architectures"' in first or b'"model_type"' in first else "JSON text"
        return f"{kind}, not its weights"
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(first, final=size <= len(first))
    except UnicodeDecodeError:
        return None
    if text and all(character.isprintable() or character in "\t\r\n" for character in text):
        line = text.strip().splitlines()[0][:60] if text.strip() else ""
        return f"a text file that begins {line!r}"
    return None
