"""Owns what a conversion is: a model ready to be written, the tensors planned for it, and why one is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_contracts.artifact import Artifact, Tensor
from model_contracts.containers import Format
from model_contracts.dtypes import DTYPES
from model_contracts.outcome import Place

Progress = Callable[[int, int], None]


class ConversionRefused(Exception):
    """What was asked for cannot be written; one line that names the tensor, key or file and the way out."""


class NotWritten(ConversionRefused):
    """The disk did not take it (full, read-only, no permission): nothing is said of the model or the converter."""


class ConverterUnavailable(ConversionRefused):
    """A command converter cannot answer here: its program is not installed, or says that it has no answer."""


class ConverterFailed(ConversionRefused):
    """A command converter was run and left no model: what happened, its exit code, and the last lines it printed."""

    def __init__(self, reason: str, *, exit_code: int | None, timeout: bool = False, tail: str = "") -> None:
        super().__init__(reason)
        #: None where it was ended at its time limit; negative: the number of the signal that ended it.
        self.exit_code, self.timeout, self.tail = exit_code, timeout, tail


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    """One tensor of the target. `source` may be made of several; `data` stands for what the converter makes itself."""

    name: str
    #: The GGUF name, whatever the target calls it; None where nothing knows the tensor.
    canonical: str | None
    dtype: str
    shape: tuple[int, ...]
    source: Tensor | None = None
    #: Bytes of one row where rows are padded to whole blocks one by one (.apr).
    row_bytes: int | None = None
    data: bytes | None = None
    #: An entry without bytes: the output head of a tied model in .apr.
    placeholder: bool = False

    @property
    def elements(self) -> int:
        """How many values the shape declares."""
        count = 1
        for axis in self.shape:
            count *= axis
        return count

    @property
    def nbytes(self) -> int:
        """Bytes that it takes in the target."""
        if self.placeholder:
            return 0
        if self.row_bytes is not None:
            return self.row_bytes * (self.elements // self.shape[-1] if self.shape else 1)
        return DTYPES[self.dtype].nbytes(self.elements)


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a SentencePiece model, or the container that the tokenizer came from, says of each id."""

    tokens: Sequence[str | None] = ()
    scores: Sequence[float] | None = None
    types: Sequence[int] | None = None
    #: Ids that tokenizer_config.json lists as added: llama.cpp's converter lets it decide their type.
    listed: frozenset[int] = frozenset()


@dataclass(slots=True)
class Documents:
    """What a model says of itself, as the files of a Hugging Face directory hold it."""

    config: dict[str, Any]
    tokenizer: dict[str, Any]
    tokenizer_config: dict[str, Any] = field(default_factory=dict)
    generation_config: dict[str, Any] | None = None
    chat_template: str | None = None
    #: Chat templates that have names of their own.
    chat_templates: Mapping[str, str] = field(default_factory=dict)
    #: Which kind of tokenizer it is (contracts/tokenizers.yaml); None: one of no known kind.
    kind: str | None = None
    #: What a SentencePiece model beside tokenizer.json, or the container of the source, says of each id.
    pieces: Pieces = field(default_factory=Pieces)
    #: How text is treated before it is cut, in the words of `Tokenizer.options`; only what is owed by the kind.
    options: Mapping[str, Any] = field(default_factory=dict)
    #: llama.cpp's name of the pre-tokenizer, where the source declares it.
    pre: str | None = None
    add_bos: bool | None = None
    add_eos: bool | None = None
    #: Role (bos, eos, pad, unk …) to token id.
    special_ids: dict[str, int] = field(default_factory=dict)
    #: Element types that tensors had before a container widened them, by Hugging Face name.
    types: dict[str, str] = field(default_factory=dict)
    #: Whether config.json is the one that the model was published with.
    published: bool = False
    #: Where the tokenizer came from, for people.
    tokenizer_origin: str = ""


@dataclass(frozen=True, slots=True)
class TargetModel:
    """A model in the terms of its target: everything a writer needs but the values."""

    name: str
    #: GGUF `general.architecture`.
    architecture: str
    documents: Documents
    #: Hyper-parameters, as declared or as readers assume them.
    numbers: Mapping[str, Any]
    #: Those that the source declares and that are in force.
    declared: Mapping[str, Place | None]
    #: Hyper-parameter to the keys that .apr keeps it under.
    keys: Mapping[str, tuple[str, ...]]
    tensors: tuple[PlannedTensor, ...]
    #: The recipe whose label the target carries, None where no label fits its types.
    label: str | None
    file_type: int | None
    tied: bool
    #: `__metadata__` of a safetensors source.
    metadata: Mapping[str, Any] = field(default_factory=dict)
    #: Keys and values of the hyper-parameters, where the target is a GGUF; of an .apr what its families leave unsaid.
    stated: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileLayout:
    """A file before its values: the bytes of its head, where each tensor begins, how long it is."""

    head: bytes
    offsets: Mapping[str, int]
    size: int
    #: Whether the last four bytes are a CRC-32 of all before them (.apr).
    checksum: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """What a converter left in its folder."""

    #: The weights first.
    files: tuple[Path, ...]
    format: Format
    tensors: int
    #: Element type to the number of tensors that have it.
    types: Mapping[str, int]
    tokenizer: str
    #: The tokenizer.json that was taken in place of the source's own, where one was.
    tokenizer_file: Path | None = None
    notes: tuple[str, ...] = ()
    converter: str = "builtin"
    #: The source as it was read, with the tokenizer that was taken; None where the converter read it itself.
    source: Artifact | None = field(default=None, repr=False)
