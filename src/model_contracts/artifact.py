"""Owns the nouns of a model on disk: tensor, container (one file), artifact. Typed, frozen, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, Literal

from model_contracts.containers import FORMS, ContainerForm, Format
from model_contracts.dtypes import DTYPES, Dtype, Kind
from model_contracts.layout import Expr
from model_contracts.ledger import Ledger
from model_contracts.vocabulary import SentencePiece, Tokenizer


@dataclass(frozen=True, slots=True)
class Packed:
    """How a weight of several stored tensors is packed: the layout in words, its parts, and what decodes them."""

    layout: str
    parts: tuple[Tensor, ...]
    shape_known: bool = True
    #: The decoder of `sweep/schemes` (None: its values are not decoded, and `refused` may say why).
    decoder: str | None = None
    refused: str | None = None
    #: Parts by what they are to the decoder (the values, the scale …), and the settings.
    roles: tuple[tuple[str, Tensor], ...] = ()
    settings: tuple[tuple[str, str | int | float | bool | None], ...] = ()
    #: The kind of number that values are kept in, and how many share a scale (0: a row, -1: the tensor).
    grain: tuple[str, int] | None = None
    #: Whether the plain tensor, which a convention tells of, has the last two axes of this weight exchanged.
    turned: bool = False

    @property
    def unread(self) -> str | None:
        """Why its values are not evaluated; None where they are."""
        if self.decoder is not None:
            return None
        why = f" ({self.refused})" if self.refused is not None else ""
        return f"not evaluated: values of layout {self.layout}{why}"


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """How a tensor is made of stored ones: the layout, and the stored tensors by the names it has for them.

    `grain` is the element type that a number computed of a whole tensor is rounded to, as what it is compared with
    stores it (None: F32).
    """

    layout: Expr
    parts: Mapping[str, Tensor]
    grain: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """What a low-rank adapter adds: `scale` x left [rows, rank] x right [rank, columns], either half stored turned.

    Of a bias there is a left alone. With `experts` there is a product for each: halves of three axes, or PEFT's right
    [experts x rank, columns] and left [rows, rank x experts].
    """

    left: Tensor
    right: Tensor | None
    scale: float
    left_turned: bool = False
    right_turned: bool = False
    experts: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """`base + added`; with magnitudes (DoRA) each row, or each column of a turned one, brought to its length."""

    base: Tensor
    added: Tensor
    magnitude: Tensor | None = None
    turned: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Less:
    """`of - less`."""

    of: Tensor
    less: Tensor


Computed = LowRank | Merged | Less | Literal["zeros"]


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor as its container declares it.

    `shape` is row-major, outermost axis first (as PyTorch prints it), whatever order the container uses;
    `offset` counts bytes from the start of `file`.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    offset: int
    nbytes: int
    #: Bytes of one row where each row is padded to whole blocks by itself (.apr K-quants); None: blocks run on.
    row_bytes: int | None = None
    #: An entry without bytes that stands for the tied embedding (.apr output head).
    placeholder: bool = False
    #: False where the file ends before the tensor does, or its extent is otherwise not to be read.
    readable: bool = True
    #: Of a weight that is several stored tensors: how it is packed. Its shape is that of the weight.
    packed: Packed | None = None
    #: Of a tensor that no container holds: what it is made of. File and offset are those of the first part.
    made: Made | None = None
    #: Of a tensor that an adapter gives: what its values are computed from. The rest is as its base has it.
    computed: Computed | None = None

    @property
    def elements(self) -> int:
        """How many values the shape declares."""
        return prod(self.shape)

    @property
    def type(self) -> Dtype:
        """The element type."""
        return DTYPES[self.dtype]

    @property
    def kind(self) -> Kind:
        """What its numbers are: those of a packed weight that is decoded are quantised weights, whatever holds them."""
        return "quantised" if self.packed is not None and self.packed.unread is None else self.type.kind

    @property
    def rows(self) -> int:
        """All axes but the last, multiplied (1 for a vector or a scalar)."""
        return prod(self.shape[:-1]) if len(self.shape) > 1 else 1

    @property
    def columns(self) -> int:
        """The last axis (1 for a scalar)."""
        return self.shape[-1] if self.shape else 1


@dataclass(frozen=True, slots=True)
class Container:
    """One file, parsed: its header facts, its tensors, and the ledger of what its reader compared.

    A file that cannot be parsed still is a Container: `readable` is False, the ledger says why, and `tensors`
    holds what was read before.
    """

    path: Path
    format: Format
    size: int
    data_offset: int
    version: str
    metadata: Mapping[str, Any]
    tensors: tuple[Tensor, ...]
    ledger: Ledger
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A file beside the weights that the artifact took, and how it was found."""

    role: Literal[
        "config", "generation_config", "tokenizer", "tokenizer_config", "chat_template", "index", "quantization"
    ]
    path: Path
    how: str


@dataclass(frozen=True, slots=True)
class Lost:
    """Files that a set should have and that are not there, and the tensors that its index says they hold."""

    files: tuple[str, ...]
    #: None where no index says what the files hold: any tensor may stand in one of them.
    tensors: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Module:
    """One part of a sentence-transformers folder: the class that reads it, its folder, its config and weights."""

    kind: str
    path: str
    config: Mapping[str, Any] | None
    container: Container | None


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a repository that says of which it is made: its folder, the class that reads it, what lies there."""

    name: str
    library: str | None
    #: The class; None where the repository says that it has none.
    kind: str | None
    there: bool = False
    #: What of it is opened: its folder, or each of several models in it.
    paths: tuple[Path, ...] = ()
    config: Mapping[str, Any] | None = None
    #: Why nothing of it is opened.
    reason: str | None = None


@dataclass(frozen=True)
class Artifact:
    """One model as one set of files in one format, with what lies beside it."""

    path: Path
    name: str
    format: Format
    layout: Literal["file", "sharded", "directory"]
    containers: tuple[Container, ...]
    ledger: Ledger
    sidecars: Mapping[str, Sidecar] = field(default_factory=dict)
    config: Mapping[str, Any] | None = None
    generation_config: Mapping[str, Any] | None = None
    tokenizer_config: Mapping[str, Any] | None = None
    #: How the weights are packed, where a file of its own says so (hf_quant_config.json, quantize_config.json).
    quantization: Mapping[str, Any] | None = None
    chat_template: str | None = None
    #: What follows the transformer, as modules.json lists it.
    modules: tuple[Module, ...] = ()
    #: Of a repository of several models: those, and files of weights that belong to none of them.
    components: tuple[Component, ...] = ()
    strays: tuple[str, ...] = ()
    #: Reads the tokenizer when it is first asked for: a large vocabulary is read while the weights are.
    read_tokenizer: Callable[[], Tokenizer | None] = lambda: None

    #: The SentencePiece model beside a tokenizer.json, which has the scores that the other lacks, and what reads it.
    pieces_file: Path | None = None
    read_sentencepiece: Callable[[], SentencePiece | None] = lambda: None
    #: Tokenizer files that lie there and that nothing here reads (tekken.json), each with its reason.
    unread_tokenizers: Mapping[str, str] = field(default_factory=dict)
    #: Files of the set that are not there (None: all are).
    lost: Lost | None = None
    #: Every chat template by its home (a file name) and its own name; the unnamed one is called "default".
    chat_templates: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @cached_property
    def sentencepiece(self) -> SentencePiece | None:
        """The SentencePiece model whose ids are those of tokenizer.json, None where there is none that can be read."""
        return self.pieces if self.pieces is not None and not self.pieces.shifted else None

    @cached_property
    def pieces(self) -> SentencePiece | None:
        """The SentencePiece model beside tokenizer.json, whichever ids its class gives the pieces."""
        return self.read_sentencepiece()

    @cached_property
    def tokenizer(self) -> Tokenizer | None:
        """The tokenizer that the container carries or that lies beside it; the ledger says what failed."""
        return self.read_tokenizer()

    @cached_property
    def tensors(self) -> Mapping[str, Tensor]:
        """Every tensor by its name (the first of two equal names; the ledger knows of the second)."""
        tensors: dict[str, Tensor] = {}
        for container in self.containers:
            for tensor in container.tensors:
                tensors.setdefault(tensor.name, tensor)
        return tensors

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """GGUF keys, .apr metadata or safetensors `__metadata__`, of the first container."""
        return self.containers[0].metadata if self.containers else {}

    @property
    def readable(self) -> bool:
        """Whether every container could be parsed (a folder with a tokenizer alone has none)."""
        there = bool(self.containers) or self.layout == "directory"
        return there and all(container.readable for container in self.containers)

    @property
    def refused(self) -> frozenset[str]:
        """Tensors declared with a type nobody knows: not read, and not missing either (at most 20 a file)."""
        violations = (violation for file in self.containers for violation in file.ledger.violations)
        return frozenset(c.place.tensor for topic, c in violations if topic == "dtypes" and c.place.tensor is not None)

    @property
    def form(self) -> ContainerForm:
        """What is known of its format."""
        return FORMS[self.format]

    @property
    def kind(self) -> str:
        """The format's name, or "no model" where the bytes are none of them."""
        foreign = any(c.measure == "recognised_format" for file in self.containers for _, c in file.ledger.violations)
        return "no model" if foreign else self.format

    @property
    def files(self) -> tuple[Path, ...]:
        """The weight files, in order."""
        return tuple(container.path for container in self.containers)

    @property
    def notes(self) -> tuple[str, ...]:
        """Facts that are said and are no failures."""
        return (*self.ledger.notes, *(note for container in self.containers for note in container.ledger.notes))
