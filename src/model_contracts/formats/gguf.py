"""Owns the GGUF reader: magic, version, counts, key-values, tensor entries, then the aligned data section."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from model_contracts.artifact import Container, Tensor
from model_contracts.dtypes import DTYPES
from model_contracts.formats.gguf_tensors import SMALLEST_ENTRY, Entries, Placement
from model_contracts.formats.gguf_values import TYPE_NAMES, UINT32, Window
from model_contracts.formats.interface import Bytes
from model_contracts.formats.tally import OURS, FormatTally, HeaderRefused
from model_contracts.formats.vocabulary import VocabularyKeys, tokenizer_of
from model_contracts.ledger import Ledger
from model_contracts.vocabulary import Tokenizer

SPECIFICATION = "ggml docs/gguf.md"
MAGIC = b"GGUF"
VERSIONS = (2, 3)
KEYS_LIMIT = 65_536
TENSORS_LIMIT = 131_072
KEY_LIMIT = 65_535
#: The fewest bytes of a key-value: key length, value type, one byte of value.
_SMALLEST_PAIR = 13
_DEFAULT_ALIGNMENT = 32
_SNAKE_CASE = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
_ARCHITECTURE = re.compile(r"[a-z0-9]+")
_HYPHENATED = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")
_TOKENIZER = VocabularyKeys(prefix="tokenizer.ggml.", tokens="tokens", algorithm=("model",), pre="pre")


def gguf_tokenizer(container: Container) -> Tokenizer | None:
    """The tokenizer under `tokenizer.ggml.*`, None without tokens; what is wrong with it is in the ledger."""
    return tokenizer_of(container, _TOKENIZER, SPECIFICATION)


def read_gguf(source: Bytes) -> Container:
    """Parse one file. Never raises for what the bytes hold; Unreadable where the disk fails."""
    reader = _GgufReader(source, FormatTally(Ledger(), SPECIFICATION))
    with reader.tally.refusals():
        reader.header()
        reader.pairs()
        reader.entries.read(reader.window, reader.n_tensors)
        reader.parsed = True
    return reader.container()


@dataclass(slots=True)
class _GgufReader:
    """One file while it is parsed."""

    source: Bytes
    tally: FormatTally
    window: Window = field(init=False)
    entries: Entries = field(init=False)
    version: str = ""
    n_tensors: int = 0
    n_pairs: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    parsed: bool = False

    def __post_init__(self) -> None:
        self.window = Window(self.source)
        self.entries = Entries(self.tally)

    def header(self) -> None:
        """Magic, version and counts."""
        window, hold = self.window, self.tally.hold
        window.need(8)
        if window.data[:4] != MAGIC:
            raise HeaderRefused("magic", "GGUF", window.data[:4], 0)
        window.pos = 4
        self._version(window.u32())
        self.n_tensors, self.n_pairs = window.u64(), window.u64()
        for count, limit, what, at in (
            (self.n_tensors, TENSORS_LIMIT, "tensors", 8),
            (self.n_pairs, KEYS_LIMIT, "key-values", 16),
        ):
            if count > limit:
                raise HeaderRefused("count_bounded", f"at most {limit:,} {what} {OURS}", count, at)
        window.room(1, self.n_pairs * _SMALLEST_PAIR + self.n_tensors * SMALLEST_ENTRY)
        hold("format", "magic", 1)
        hold("format", "version", 1)
        hold("format", "count_bounded", 2)

    def _version(self, version: int) -> None:
        expected = "version 2 or 3, little-endian"
        self.version = str(version)
        if version & 0xFFFF == 0 and version:
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
            note = "a big-endian file; ggml refuses it on a little-endian machine, gguf-py reads it"
            raise HeaderRefused("byte_order", expected, f"version {swapped}, big-endian", 4, note=note)
        if version == 1:
            note = "version 1 counts in 32 bits; ggml refuses it too, and converting the model again is the way out"
            raise HeaderRefused("version", expected, version, 4, note=note)
        if version not in VERSIONS:
            raise HeaderRefused("version", expected, version, 4)

    def pairs(self) -> None:
        """All key-values, in order; the first of two equal keys is kept."""
        window = self.window
        for _ in range(self.n_pairs):
            start, seen = window.at, (window.not_text, window.not_bool, window.nested)
            key, _ = window.text("key_length", KEY_LIMIT, "")
            code = window.u32()
            value = window.value(code)
            self._key(key, start, value, seen)
            if key not in self.metadata:
                self.metadata[key], self.types[key] = value, code

    def _key(self, key: str, at: int, value: Any, seen: tuple[int, int, int]) -> None:
        compare, window = self.tally.compare, self.window
        if key in self.metadata:
            note = "ggml and gguf-py refuse equal keys"
            compare("names", "key_unique", False, "one value of this key", "another one", key=key, offset=at, note=note)
        if not key:
            note = "ggml refuses an empty key; gguf-py's reader accepts it"
            compare("names", "key_named", False, "a key", "", offset=at, note=note)
        if window.not_text > seen[0]:
            note = "the specification asks for UTF-8; ggml accepts these bytes, gguf-py fails once it decodes them"
            observed = f"{window.not_text - seen[0]:,} strings that are not"
            compare("portability", "text_utf8", False, "UTF-8", observed, key=key, offset=at, note=note)
        if window.not_bool > seen[1]:
            note = "the specification allows 0 and 1; ggml and gguf-py accept any byte"
            observed = f"{window.not_bool - seen[1]:,} other bytes"
            compare("portability", "bool_byte", False, "0 or 1", observed, key=key, offset=at, note=note)
        if window.nested > seen[2]:
            note = "arrays in arrays are valid by the specification, and gguf-py reads them; ggml refuses them"
            compare("portability", "array_flat", False, "no array in an array", "one", key=key, offset=at, note=note)

    def container(self) -> Container:
        """Compare what only the whole header shows, and build the container."""
        self._tally()
        alignment = self._alignment() if self.parsed else None
        if alignment is None:
            return self._built(0, tuple(self._unplaced()), readable=False)
        self._declared()
        data_offset = -(-self.window.at // alignment) * alignment
        placement = Placement(self.tally, alignment, data_offset, self.source.size)
        tensors = placement.tensors(self.source.path, self.entries.entries)
        self.tally.hold_rest("format", "offset_consecutive", len(self.entries.entries))
        return self._built(data_offset, tensors, readable=True)

    def _built(self, data_offset: int, tensors: tuple[Tensor, ...], *, readable: bool) -> Container:
        return Container(
            self.source.path,
            "gguf",
            self.source.size,
            data_offset,
            self.version,
            self.metadata,
            tensors,
            self.tally.ledger,
            readable,
        )

    def _unplaced(self) -> list[Tensor]:
        """What was read of the entries where the data section cannot be found."""
        path = self.source.path
        return [
            Tensor(entry.name, entry.dtype, entry.shape, path, 0, entry.nbytes or 0, readable=False)
            for entry in self.entries.entries
            if entry.dtype is not None
        ]

    def _alignment(self) -> int | None:
        """The alignment of the data section in bytes; None where it is no alignment at all."""
        key, compare = "general.alignment", self.tally.compare
        if key not in self.metadata:
            return _DEFAULT_ALIGNMENT
        value, code = self.metadata[key], self.types[key]
        if not compare("format", "alignment", code == UINT32, "a UINT32", TYPE_NAMES[code], key=key):
            return None
        power, multiple = value > 0 and value & (value - 1) == 0, value > 0 and value % 8 == 0
        if not compare("format", "alignment", power or multiple, "a power of two, a multiple of 8", value, key=key):
            return None
        note = "valid by the specification (a multiple of 8); ggml and gguf-py want a power of two and refuse it"
        compare("portability", "alignment_power_of_two", power, "a power of two", value, key=key, note=note)
        note = "the specification asks for a multiple of 8; ggml and gguf-py accept a power of two below it"
        compare("portability", "alignment_multiple_of_8", multiple, "a multiple of 8", value, key=key, note=note)
        return int(value)

    def _declared(self) -> None:
        """Keys that are required of a file with tensors; later parts of a split set carry none, nor does an imatrix."""
        part, imatrix = self.metadata.get("split.no"), self.metadata.get("general.type") == "imatrix"
        if not self.entries.entries or (isinstance(part, int) and part > 0) or imatrix:
            return
        key, compare = "general.architecture", self.tally.compare
        architecture = self.metadata.get(key)
        declared = isinstance(architecture, str) and bool(architecture)
        compare("format", "architecture_declared", declared, "the name of an architecture", architecture, key=key)
        if isinstance(architecture, str) and declared:
            if _HYPHENATED.fullmatch(architecture) and not _ARCHITECTURE.fullmatch(architecture):
                self.tally.ledger.note(
                    f"{key} is {architecture!r}: the specification allows [a-z0-9]+, llama.cpp's own names have more"
                )
            holds = _HYPHENATED.fullmatch(architecture) is not None
            note = "the specification allows [a-z0-9]+; ggml and gguf-py accept any text"
            compare("portability", "architecture_name", holds, "[a-z0-9]+", architecture, key=key, note=note)
        if any(entry.dtype is not None and DTYPES[entry.dtype].kind == "quantised" for entry in self.entries.entries):
            key = "general.quantization_version"
            note = "the specification requires it where a tensor is quantised; ggml and gguf-py do without it"
            present = key in self.metadata
            compare("portability", "quantization_version_declared", present, "a version", None, key=key, note=note)

    def _tally(self) -> None:
        """Count what held, once a measure."""
        rest, keys, entries = self.tally.hold_rest, len(self.types), self.entries.entries
        self._snake_case()
        rest("format", "value_type", keys)
        for measure in ("key_unique", "key_named"):
            rest("names", measure, keys)
        for measure in ("text_utf8", "bool_byte", "array_flat", "key_snake_case"):
            rest("portability", measure, keys)
        for measure in ("axes", "shape_in_range", "row_is_whole_blocks"):
            rest("format", measure, len(entries))
        for measure in ("name_unique", "name_length"):
            rest("names", measure, len(entries))
        rest("dtypes", "dtype_known", len(entries))
        for measure in ("tensor_named", "name_legal"):
            rest("portability", measure, len(entries))

    def _snake_case(self) -> None:
        """Keys are lower_snake_case, behind the architecture's own name as it is."""
        prefix = f"{self.metadata.get('general.architecture')}."
        note = "the specification asks for lower_snake_case ASCII with dots; ggml and gguf-py accept any text"
        for key in self.metadata:
            if key and not _SNAKE_CASE.fullmatch(key.removeprefix(prefix)):
                self.tally.compare("portability", "key_snake_case", False, "lower_snake_case", key, key=key, note=note)
