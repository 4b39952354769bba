"""Owns the .apr reader: a header of 64 bytes with its checksum, JSON metadata, a sorted index, data, a footer."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

from model_contracts.artifact import Container, Tensor
from model_contracts.formats.apr_index import ALIGNMENT, EXTENTS, SMALLEST_ENTRY, AprIndex
from model_contracts.formats.documents import DocumentBounds, NotJson, parse
from model_contracts.formats.interface import Bytes
from model_contracts.formats.tally import OURS, FormatTally, HeaderRefused
from model_contracts.formats.vocabulary import VocabularyKeys, tokenizer_of
from model_contracts.ledger import Ledger
from model_contracts.vocabulary import Tokenizer

SPECIFICATION = "aprender crates/apr-format v2"
MAGIC = b"APR\0"
#: Other files that begin with APR, and what they are (apr.md 1.1).
KIN = {
    b"APRN": "version 1 of the container, for classic machine-learning models; it holds no language model",
    b"APR1": "the first layout, with its index inside; no reader of today takes it",
    b"APR2": "a name that no writer gives: apr's serving reader accepts it, its core reader refuses it",
    b"APRT": "a dump of one tensor from a trace, no model",
    b"APR\2": "a layout that only the prose describes; no writer and no reader has it",
}
HEADER_SIZE = 64
#: The bound that apr's sources declare for the metadata and do not enforce; the index's is ours.
METADATA_LIMIT = 16 << 20
METADATA_BOUNDS = DocumentBounds(values=1_500_000, members=500_000)
INDEX_LIMIT = 64 << 20
TENSORS_LIMIT = 131_072
#: Up to this size the footer is verified while the file is opened: it takes a pass over all bytes.
FOOTER_LIMIT = 64 << 20
_CHUNK = 1 << 20
_HEADER = struct.Struct("<4sBBHIQIQQI")
_REFUSED_FLAGS = (
    (0x0001, "payload_plain", "an LZ4-compressed file"),
    (0x0002, "payload_plain", "a Zstandard-compressed file"),
    (0x0004, "payload_plain", "an encrypted file"),
    (0x0800, "layout_row_major", "a file that says its tensors are column-major"),
)
_SHARDED = 0x0010
#: Keys that apr's serving reader takes for one and the same (apr.md 2.4).
_ALIASES = {
    "hidden_size": ("hidden_dim", "d_model", "n_embd"),
    "num_layers": ("n_layers", "num_hidden_layers", "n_layer"),
    "num_heads": ("n_heads", "num_attention_heads", "n_head"),
    "num_kv_heads": ("n_kv_heads", "num_key_value_heads"),
    "vocab_size": ("n_vocab",),
    "intermediate_size": ("ffn_dim", "intermediate_dim", "n_inner"),
    "max_position_embeddings": ("max_seq_len", "context_length", "n_ctx"),
    "rms_norm_eps": ("layer_norm_eps", "norm_eps"),
}
_DROPPED = "apr's core reader takes the last of them; its serving reader drops all metadata in silence"
_TOKENIZER = VocabularyKeys(
    "tokenizer.", "vocabulary", ("model_type", "model"), "pre_type", hole="<unk>", default="BPE"
)


def apr_tokenizer(container: Container) -> Tokenizer | None:
    """The tokenizer under `tokenizer.*`, None where there is no vocabulary; what is wrong with it is in the ledger."""
    return tokenizer_of(container, _TOKENIZER, SPECIFICATION)


def read_apr(source: Bytes) -> Container:
    """Parse one file. Never raises for what the bytes hold; Unreadable where the disk fails."""
    reader = _AprReader(source, FormatTally(Ledger(), SPECIFICATION))
    with reader.tally.refusals():
        reader.header()
        reader.read_metadata()
        reader.read_index()
        reader.parsed = True
    container = Container(
        source.path,
        "apr",
        source.size,
        reader.data_offset,
        reader.version,
        reader.metadata,
        reader.tensors,
        reader.tally.ledger,
        reader.parsed,
    )
    if reader.footer:
        _footer(source, container, reader.tally)
    return container


def footer_crc(source: Bytes, container: Container) -> bool | None:
    """Whether the last 4 bytes are the CRC-32 of all before them; None where the file has no footer.

    Reads the whole file, a MiB at a time.
    """
    end = source.size - 4
    if end % ALIGNMENT or any(tensor.nbytes and tensor.offset + tensor.nbytes > end for tensor in container.tensors):
        return None
    checksum = 0
    for offset in range(0, end, _CHUNK):
        checksum = zlib.crc32(source.read(offset, min(_CHUNK, end - offset)), checksum)
    return source.read(end, 4) == checksum.to_bytes(4, "little")


def _footer(source: Bytes, container: Container, tally: FormatTally) -> None:
    if source.size > FOOTER_LIMIT:
        tally.ledger.note("the checksum in the footer was not verified: that takes a pass over the whole file")
        return
    holds = footer_crc(source, container)
    if holds is not None:
        expected, at = "the CRC-32 of all bytes before the footer", source.size - 4
        note = "no reader of apr verifies the footer"
        tally.compare("format", "footer_crc", holds, expected, source.read(at, 4).hex(), offset=at, note=note)


@dataclass(slots=True)
class _AprReader:
    """One file while it is parsed."""

    source: Bytes
    tally: FormatTally
    version: str = ""
    count: int = 0
    metadata_offset: int = 0
    metadata_size: int = 0
    index_offset: int = 0
    data_offset: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)
    tensors: tuple[Tensor, ...] = ()
    footer: bool = False
    parsed: bool = False

    def header(self) -> None:
        """The 64 bytes: magic, checksum, flags, and where the sections lie."""
        data = self.source.read(0, HEADER_SIZE)
        if data[:4] != MAGIC:
            raise HeaderRefused("magic", "APR and a 0 byte", data[:4], 0, note=KIN.get(data[:4]))
        if len(data) < HEADER_SIZE:
            raise HeaderRefused("header_complete", HEADER_SIZE, len(data), 0, topic="sizes")
        _, major, minor, flags, self.count, *sections, checksum = _HEADER.unpack_from(data)
        self.metadata_offset, self.metadata_size, self.index_offset, self.data_offset = sections
        self.tally.hold("format", "magic", 1)
        computed = zlib.crc32(data[44:], zlib.crc32(data[:40]))
        note = "apr's core reader refuses the file; its serving reader does not look"
        expected, observed = f"{computed:#010x}", f"{checksum:#010x}"
        self.tally.compare("format", "header_crc", computed == checksum, expected, observed, offset=40, note=note)
        self.version = f"{major}.{minor}"
        if self.version != "2.0":
            self.tally.ledger.note(f"the header says version {self.version}; apr's readers do not look, and write 2.0")
        self._flags(flags)
        self._sections()

    def _flags(self, flags: int) -> None:
        for flag, measure, what in _REFUSED_FLAGS:
            if flags & flag:
                raise HeaderRefused(measure, "plain row-major tensors", f"{what} (flags {flags:#06x})", 6)
            self.tally.hold("format", measure, 1)
        if flags & _SHARDED:
            self.tally.ledger.note("the header says that this is one part of a sharded set")

    def _sections(self) -> None:
        """The sections follow each other and lie in the file, on multiples of 64 bytes."""
        size = self.source.size
        if self.metadata_size > METADATA_LIMIT:
            expected = f"at most {METADATA_LIMIT:,} bytes of metadata"
            raise HeaderRefused("metadata_bounded", expected, self.metadata_size, 20)
        if self.count > TENSORS_LIMIT:
            raise HeaderRefused("count_bounded", f"at most {TENSORS_LIMIT:,} tensors {OURS}", self.count, 8)
        metadata_end = self.metadata_offset + self.metadata_size
        index_end = self.index_offset + self.count * SMALLEST_ENTRY
        ordered = self.metadata_offset >= HEADER_SIZE and metadata_end <= self.index_offset
        if not (ordered and index_end <= self.data_offset < 1 << 63):
            expected = "header, metadata, index and data one after another"
            observed = [self.metadata_offset, metadata_end, self.index_offset, index_end, self.data_offset]
            raise HeaderRefused("sections_ordered", expected, observed, 12)
        if index_end > size:
            note = "the file ends within its header"
            raise HeaderRefused("header_complete", index_end, size, self.index_offset, topic="sizes", note=note)
        if self.data_offset - self.index_offset > INDEX_LIMIT:
            expected = f"at most {INDEX_LIMIT:,} bytes of index {OURS}"
            raise HeaderRefused("index_bounded", expected, self.data_offset - self.index_offset, 32)
        self.tally.hold("format", "sections_ordered", 1)
        places = (("metadata", self.metadata_offset), ("index", self.index_offset), ("data", self.data_offset))
        for what, at in places:
            expected = f"{what} at a multiple of {ALIGNMENT}"
            self.tally.compare("format", "section_aligned", at % ALIGNMENT == 0, expected, at)

    def read_metadata(self) -> None:
        """The JSON object; the last of two equal keys is kept, as apr does."""
        at = self.metadata_offset
        try:
            value = parse(self.source.read(at, self.metadata_size), self._members, METADATA_BOUNDS)
        except NotJson as refused:
            note = "apr's core reader refuses the file; its serving reader goes on without any metadata"
            offset = at + (refused.offset or 0)
            raise HeaderRefused("metadata_json", refused.expected, refused.observed, offset, note=note) from None
        if not isinstance(value, dict):
            raise HeaderRefused("metadata_json", "a JSON object", type(value).__name__, at)
        self.metadata = value
        self.tally.hold("format", "metadata_json", 1)
        for key, aliases in _ALIASES.items():
            present = [name for name in (key, *aliases) if name in value]
            self.tally.compare(
                "portability", "alias_unique", len(present) < 2, f"one of {key} and its aliases", present, key=key,
                note=_DROPPED,
            )  # fmt: skip

    def _members(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    expected, observed = "one value of this key", "another one"
                    shown = key.encode("utf-8", "backslashreplace").decode()
                    self.tally.compare("portability", "key_unique", False, expected, observed, key=shown, note=_DROPPED)
                seen.add(key)
        else:
            self.tally.hold("portability", "key_unique", 1)
        return members

    def read_index(self) -> None:
        """The tensors, and what the file owes behind them."""
        source, end = self.source, min(self.data_offset, self.source.size)
        tied = self.metadata.get("tied_embeddings") is True
        index = AprIndex(self.tally, source.path, source.size, self.data_offset, tied)
        try:
            index.read(source.read(self.index_offset, end - self.index_offset), self.index_offset, self.count)
        finally:
            self.tensors = tuple(index.tensors)
            owed = max(index.finish(len(index.names)), self.data_offset)
        self._end(owed)

    def _end(self, owed: int) -> None:
        """The padded data, then a footer of 4 bytes or nothing."""
        size, compare = self.source.size, self.tally.compare
        cut = sum(tensor.offset + tensor.nbytes > size for tensor in self.tensors)
        note = f"{owed - size:,} bytes are missing, and {cut:,} tensors are cut or gone"
        if not compare("sizes", "data_size", size >= owed, owed, size, offset=size, note=note):
            return
        self.footer = size - owed == 4
        if size == owed:
            self.tally.ledger.note("the file has no footer, so that nothing in it vouches for its data")
        violated = self.tally.ledger.violated
        if any(violated[topic, measure] for topic, measure in EXTENTS):
            return
        note = "apr's readers do not look behind the data, where another file may hide"
        compare("portability", "trailing_bytes", size - owed in (0, 4), [owed, owed + 4], size, offset=owed, note=note)
