"""Owns what a playbook asks once its tier has filled in what it leaves out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_contracts.containers import Format
from model_contracts.definitions import DefinitionError, known_ids, load
from model_contracts.definitions.known import own
from model_contracts.paths import stays_in
from model_contracts.playbook import (
    Backend,
    GateChoice,
    Measured,
    Modality,
    OnFailure,
    OracleChoice,
    Playbook,
    PlaybookModel,
    StepLimits,
    System,
    Tier,
)
from model_contracts.qualification import quantisations
from model_contracts.qualification.chains import Chain
from model_contracts.qualification.programs import beside, refuse_programs


@dataclass(frozen=True, slots=True)
class Settled:
    """A playbook with every key, and the system under test."""

    playbook: Playbook
    tier: Tier
    system: System
    #: Format of the source: every chain of artifacts begins with it.
    source: Format
    model: PlaybookModel
    dtype: str | None
    formats: tuple[Format, ...]
    quantisations: tuple[str, ...]
    modalities: tuple[Modality, ...]
    backends: tuple[Backend, ...]
    prompts: tuple[str, ...]
    tokens: int
    oracles: tuple[OracleChoice, ...]
    seed: int
    limits: StepLimits
    measured: Measured
    failure: OnFailure
    gates: tuple[GateChoice, ...]
    #: Quantisations of the playbook that are not made, and why.
    not_made: dict[str, str] = field(default_factory=dict)
    #: A GGUF without its tokenizer, where the playbook has one.
    weights_only: Path | None = None
    #: Whether the machine's GPU, if it has one, may be asked.
    gpu: bool = True

    @property
    def every_format(self) -> tuple[Format, ...]:
        """The playbook's formats, the source's own first."""
        return (self.source, *(format for format in self.formats if format != self.source))

    def base(self, format: Format) -> Chain:
        """The chain that makes a format of the source: the source itself, or one conversion."""
        return (self.source,) if format == self.source else (self.source, format)

    def chain(self, formats: tuple[Format, ...]) -> Chain:
        """A chain of conversions that begins with a format, as the chain of what it is made of."""
        return (*self.base(formats[0]), *formats[1:])


def settle(playbook: Playbook, source: Format, *, system: str | None, gpu: bool, folder: Path, **over: Any) -> Settled:
    """The playbook over its tier; `over` replaces keys (`failure`). Paths in it are relative to `folder`.

    Raises DefinitionError for an unknown system.
    """
    tier = load(Tier, f"qualification/tiers/{playbook.tier}")
    keys = ("formats", "quantisations", "modalities", "backends", "prompts", "tokens", "oracles", "seed", "limits")
    chosen: dict[str, Any] = {}
    for key in (*keys, "measured", "failure"):
        own = getattr(playbook, key)
        chosen[key] = getattr(tier, key) if own is None else own
    chosen |= {key: value for key, value in over.items() if value is not None}
    chosen["oracles"] = tuple(
        _held(oracle, folder, playbook.where("oracles", at, "golden")) for at, oracle in enumerate(chosen["oracles"])
    )
    under_test = _system(system) if system is not None else _shipped_system(playbook)
    chosen["quantisations"], not_made = quantisations.sorted_out(chosen["quantisations"], under_test)
    return Settled(
        playbook=playbook,
        tier=tier,
        system=under_test,
        not_made=not_made,
        source=source,
        model=playbook.model,
        dtype=playbook.dtype,
        # A playbook's own choices come after its tier's: the last that names a gate decides.
        gates=(*(tier.gates or ()), *(playbook.gates or ())),
        gpu=gpu,
        weights_only=_below(playbook.weights_only, folder, playbook.where("weights_only")),
        **chosen,
    )


def _below(named: str | None, folder: Path, where: str) -> Path | None:
    """A file that a playbook names at `where`: one of its own folder, links followed. None where it names none."""
    if named is None:
        return None
    if "\0" in named or not stays_in(folder, folder / named):
        raise DefinitionError(where, None, None, "a file in the playbook's folder", repr(named))
    return folder / named


def _held(oracle: OracleChoice, folder: Path, where: str) -> OracleChoice:
    """An oracle whose golden file lies in the playbook's folder; a playbook of others names no other file to read."""
    golden = _below(oracle.golden, folder, where)
    return oracle if golden is None else oracle.model_copy(update={"golden": str(golden)})


def _shipped_system(playbook: Playbook) -> System:
    """The system that a playbook names: a known one. A system names programs, and only a person does that here."""
    name = _known(playbook.system)
    if name not in (known := known_ids("system")):
        expected = f"a shipped system ({', '.join(known)}); one of yours is given by --system FILE or --definitions DIR"
        raise DefinitionError(playbook.where("system"), None, None, expected, repr(playbook.system))
    return _by_id(name)


def _system(named: str) -> System:
    if not named.endswith((".yaml", ".yml")):
        return _by_id(_known(named))
    return beside(load(System, Path(named)), Path(named))


def _by_id(name: str) -> System:
    """A system by its id; one of a folder of definitions names no file that would name a program."""
    system = load(System, name)
    if own(name) is not None:
        refuse_programs(system)
    return system


def _known(name: str) -> str:
    """The id of a system that was named without its folder: `apr` is `qualification/systems/apr`."""
    return name if "/" in name else f"qualification/systems/{name}"
