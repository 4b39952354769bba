"""Owns what a playbook is: a model, what it is qualified for, the gates that decide; and the system under test."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue, model_validator

from model_contracts.containers import Format
from model_contracts.invariant import Definition, Name
from model_contracts.outcome import Force, Record

Modality = Literal["run", "chat", "serve"]
Backend = Literal["cpu", "gpu"]
TierName = Literal["smoke", "mvp", "full"]
OnFailure = Literal["stop-on-first", "stop-on-must", "collect-all"]
GatePattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9*?-]+$", max_length=60)]

#: Text without control characters that neither begins nor ends with a slash.
ModelId = Annotated[str, Field(pattern=r"^[^/\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^/\x00-\x1f\x7f])?$", max_length=500)]


class PlaybookModel(Record):
    """The model that a playbook is about."""

    id: ModelId = Field(description="`organisation/name`, or a name alone; dots, spaces and all.")
    family: str | None = Field(None, description="qwen2, llama, mistral …")
    size: str | None = Field(None, description="As people say it: 0.5b, 7b.")
    expected: dict[str, int] = Field(
        default_factory=dict, description="Hyper-parameters by their config.json names; the source is held to them."
    )


class StepLimits(Record):
    """What one step may take."""

    start_seconds: float = Field(300, gt=0, le=604_800, description="A runtime loads a model, a server becomes ready.")
    answer_seconds: float = Field(120, gt=0, le=604_800, description="One answer of a runtime.")
    memory_mb: int = Field(6000, gt=0, le=1 << 30, description="One runtime.")


class Measured(Record):
    """How performance is measured, and bounds where a playbook sets them."""

    warmup: int = Field(1, ge=0, le=20)
    runs: int = Field(3, ge=1, le=50)
    min_tokens_per_second: float | None = Field(None, gt=0)
    max_seconds_to_first_token: float | None = Field(None, gt=0)
    max_memory_mb: int | None = Field(None, gt=0)


class OracleChoice(Record):
    """One oracle that answers are held to."""

    oracle: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    prompts: tuple[str, ...] = Field((), description="Only answers to these prompts; empty: to all.")
    parameters: dict[str, JsonValue] = Field(default_factory=dict, description="Typed by the oracle.")
    golden: str | None = Field(
        None, description="A golden file in the playbook's folder, with the expected tokens (contracts golden record)."
    )


class GateChoice(Record):
    """Gates of a playbook. The last choice that names a gate decides its force."""

    gates: tuple[GatePattern, ...] = Field(min_length=1, description="Ids; * matches.")
    force: Force | Literal["left-out"] = "must"
    on: Literal["source", "every-format"] = Field(
        "source", description="Gates of one artifact: the source alone, or what each format was made to as well."
    )
    reason: str | None = Field(None, description="Why they are left out, or only a should.")


class Matrix(Definition):
    """What a playbook and a tier both say; a playbook that leaves a key out takes it from its tier."""

    title: str
    description: str = ""
    formats: tuple[Format, ...] | None = None
    quantisations: tuple[str, ...] | None = Field(None, description="Recipes that the source is also converted to.")
    modalities: tuple[Modality, ...] | None = None
    backends: tuple[Backend, ...] | None = None
    prompts: tuple[str, ...] | None = Field(None, min_length=1)
    tokens: int | None = Field(None, ge=1, le=4096, description="The most that an answer is made of.")
    oracles: tuple[OracleChoice, ...] | None = None
    seed: int | None = Field(None, ge=0, le=2**32 - 1)
    limits: StepLimits | None = None
    measured: Measured | None = None
    failure: OnFailure | None = None
    gates: tuple[GateChoice, ...] | None = None


class Tier(Matrix):
    """A template: what a qualification of this depth looks at. Every key is given."""

    @model_validator(mode="after")
    def _complete(self) -> Tier:
        for name in Matrix.model_fields:
            if getattr(self, name) is None:
                raise ValueError(f"a tier without {name}")
        return self


class Playbook(Matrix):
    """Which model is qualified, how deep, on which system."""

    NAMES: ClassVar[tuple[tuple[str, ...], ...]] = (
        *Matrix.NAMES,
        ("model", "id"),
        ("model", "size"),
        ("model", "family"),
        ("quantisations",),
        ("dtype",),
    )

    model: PlaybookModel
    tier: TierName = "mvp"
    system: Name = Field("qualification/systems/builtin", description="A shipped one, or see --system.")
    dtype: str | None = Field(None, description="Asked of the converter under test; none: types are kept.")
    weights_only: str | None = Field(
        None, description="A GGUF without its tokenizer, to be converted with the source's (a path from the playbook)."
    )


class System(Definition):
    """A system under test: the converter that makes the formats, and what runs each of them."""

    title: str
    converter: str = Field("builtin", description="`builtin`, a shipped command converter, or a YAML file.")
    runtimes: dict[Format, str] = Field(min_length=1, description="A runtime's name for each format.")
    inspects: tuple[str, ...] = Field(
        (), description="Arguments with which the converter's program looks at `{folder}`; none: it is not asked to."
    )
    documentation: tuple[str, ...] = ()
