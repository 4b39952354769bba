"""Owns a record of the founding system's evidence: the fields its certification files have, and what they decide.

Source: 36 files with 1,268 records of apr-model-qa-playbook, as of 2026-02-14. Unlike ours, a record there does not
say what was compared; what its words are worth is `contracts evidence audit`'s to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue

from model_contracts.outcome import FALSIFIED, KEPT, NOT_PROVEN, ExitCode, Record

Word = Literal["Corroborated", "Falsified", "Skipped", "Crashed", "Timeout"]
#: What a record says when something went wrong there; the order in which a report shows outcomes.
RED: tuple[Word, ...] = ("Falsified", "Crashed", "Timeout")
WORDS: tuple[Word, ...] = (*RED, "Skipped", "Corroborated")
Number = float | None


class FoundingModel(Record):
    """The language model of a scenario."""

    org: str
    name: str
    variant: str | None


class FoundingScenario(Record):
    """What was asked of the tool under test."""

    id: str
    model: FoundingModel
    modality: Literal["run", "chat", "serve"]
    backend: Literal["cpu", "gpu"]
    format: Literal["safetensors", "apr", "gguf"]
    prompt: str
    temperature: float
    max_tokens: int
    seed: int
    trace_level: str
    oracle_type: str


class Metrics(Record):
    """What was measured; null where nothing was."""

    duration_ms: int
    tokens_per_second: Number
    time_to_first_token_ms: Number
    total_tokens: Number
    memory_peak_mb: Number


class FoundingHost(Record):
    """The machine; `gpu` is null in every file that is known."""

    hostname: str
    os: str
    cpu: str
    gpu: str | None
    apr_version: str


def _reasoned(schema: dict[str, Any]) -> None:
    """An outcome that is only a word leaves its reason to the record."""
    schema["if"] = {"properties": {"outcome": {"type": "string"}}}
    schema["then"] = {"required": ["reason"], "properties": {"reason": {"type": "string"}}}


class FoundingRecord(Record):
    """One record of the founding system's evidence.json."""

    model_config = ConfigDict(json_schema_extra=_reasoned)

    id: Annotated[str, Field(pattern=r"^([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$")]
    gate_id: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]*-[^\s\x00-\x1f\x7f]+$", max_length=200)]
    scenario: FoundingScenario
    outcome: Word | Annotated[dict[Word, JsonValue], Field(min_length=1, max_length=1)] = Field(
        description='A word, or a mapping of the one word to its reason: {"Falsified": {"reason": "…"}}.'
    )
    reason: str | None = Field(None, description="Absent only where the outcome holds it.")
    output: str | None
    stderr: str | None
    exit_code: int | None
    metrics: Metrics
    timestamp: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$")] = Field(
        description="RFC 3339, with nanoseconds in every file that is known."
    )
    host: FoundingHost
    metadata: dict[str, JsonValue]

    @property
    def word(self) -> Word:
        """The outcome, in either spelling."""
        return self.outcome if isinstance(self.outcome, str) else next(iter(self.outcome))

    @property
    def said(self) -> str:
        """The reason, from the record or from its outcome."""
        inner = {} if isinstance(self.outcome, str) else next(iter(self.outcome.values()))
        return self.reason or (str(inner.get("reason", "")) if isinstance(inner, dict) else "")


FoundingEvidence = tuple[FoundingRecord, ...]


def decided(records: Iterable[FoundingRecord]) -> ExitCode:
    """1 where a record is Falsified, Crashed or out of time; 3 where none is Corroborated; 0 otherwise."""
    words = {record.word for record in records}
    if words & set(RED):
        return FALSIFIED
    return KEPT if "Corroborated" in words else NOT_PROVEN
