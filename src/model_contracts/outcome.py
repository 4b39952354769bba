"""Owns what a run saw: comparisons, the outcome of one clause on one subject, and the decision over all of them."""

from __future__ import annotations

from enum import StrEnum
from math import inf, isfinite
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

#: Text that is not empty, by the schema that evidence is held to: a type with a length would take no half of a
#: surrogate pair, which the name of a file may hold.
_SAID: dict[str, JsonValue] = {"minLength": 1}


class Record(BaseModel):
    """A frozen record that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings", defer_build=True)


class Place(Record):
    """Where in an artifact a comparison looked; only the parts that apply are set."""

    file: str | None = Field(None, description="File name, relative to the artifact.")
    tensor: str | None = Field(None, description="Tensor name as the container spells it.")
    row: int | None = Field(None, description="Row (first axis, row-major) of the tensor.")
    key: str | None = Field(None, description="Metadata key, config.json key or JSON pointer.")
    offset: int | None = Field(None, description="Byte offset in the file.")
    token: int | None = Field(None, description="Token id.")

    def __str__(self) -> str:
        parts = [self.file, self.tensor, self.key]
        if self.row is not None:
            parts.append(f"row {self.row}")
        if self.token is not None:
            parts.append(f"token {self.token}")
        if self.offset is not None:
            parts.append(f"byte {self.offset:,}")
        return " · ".join(part for part in parts if part)


class Comparison(Record):
    """One expected-against-observed at one place; `count` values stood behind it."""

    measure: str = Field(description="What was compared, one snake_case word of the field.")
    place: Place = Place()
    expected: JsonValue = None
    observed: JsonValue = None
    holds: bool
    tolerance: float | None = Field(None, description="The bound that was applied, in the unit of the measure.")
    smallest_passing_tolerance: float | None = Field(None, description="The smallest tolerance that would have passed.")
    count: int = Field(
        1, ge=0, description="How many values were compared; 0: those of a record before it, under another measure."
    )
    bound_from: str | None = Field(None, description="Where the bound came from: definition file and line, or source.")
    note: str | None = Field(None, description="One sentence that a reader needs to act on it.")


class Uncompared(Record):
    """What a check owed at one place and could not compare: `count` values stay unknown, for the reason given."""

    place: Place = Place()
    count: int = Field(1, ge=1, description="How many values were owed here and not compared.")
    reason: str = Field(json_schema_extra=_SAID, description="Why, in a few words; equal reasons are told together.")


class Verdict(StrEnum):
    """What happened to one clause on one subject."""

    CORROBORATED = "Corroborated"
    FALSIFIED = "Falsified"
    TIMEOUT = "Timeout"
    CRASHED = "Crashed"
    SKIPPED = "Skipped"
    ERROR = "Error"


#: Why a clause was skipped. Only `not_owed` leaves the decision alone: artifacts of this kind owe nothing here.
#: `incomplete`: what was compared holds, and something that was owed was not compared.
#: `plugin_failed`: a kind or a runtime of a third party, which a person named, failed.
SkipCause = Literal[
    "not_owed", "nothing_compared", "incomplete", "missing_input", "unreadable", "unsatisfiable", "plugin_failed"
]
Force = Literal["must", "should"]
#: What kind of fault it is, as far as the invariant and the comparisons tell: what a script acts on.
FaultClass = Literal[
    "corrupt", "incomplete", "mislabelled", "wrong transform", "configuration", "tokenizer", "environment", "unknown"
]


class Subject(Record):
    """What a clause was held against: one artifact, or a target and its source."""

    name: str
    path: str
    format: str
    digest: str | None = Field(None, description="`blake3:<hex>` over the artifact's weight files, in order.")
    against: Subject | None = None


class Counterexample(Record):
    """The smallest generated input that falsified an invariant, stored so that it replays without Hypothesis."""

    kind: str = Field(description="Which strategy made it.")
    description: str
    input_base64: str | None = Field(None, description="The bytes of the input.")
    input: JsonValue = None
    seed: int | None = None
    files: dict[str, str] = Field(
        default_factory=dict, description="Digest of each file beside the weights, by its path, as it was then."
    )


class Host(Record):
    """The machine a run took place on."""

    hostname: str
    os: str
    cpu: str
    python: str


#: What a cause is suspected to lie in.
Component = Literal["source", "converter", "runtime", "checker", "environment"]


class Cause(Record):
    """What an outcome followed from: outcomes that share a key have one cause, however many gates it closed."""

    key: str = Field(description="Stable over runs, e.g. `converter/tokenizer`.")
    component: Component
    statement: str = Field(description="What is wrong, in one sentence with its numbers.")
    reproduction: str | None = Field(None, description="The smallest command that shows it.")


class Scenario(Record):
    """The circumstances of a gate of a qualification."""

    format: str | None = None
    modality: Literal["run", "chat", "serve"] | None = None
    backend: Literal["cpu", "gpu"] | None = None
    chain: tuple[str, ...] = Field((), description="Formats that the artifact went through, the source's first.")


class Excuse(Record):
    """Why an outcome that does not hold leaves the decision alone: a person answers for it, or it was there before."""

    by: Literal["waiver", "baseline"]
    source: str = Field(description="File and line of the waiver, or the folder of the baseline.")
    reason: str
    owner: str | None = Field(None, description="Who answers for it.")
    expires: str | None = Field(None, description="The last day on which it holds, YYYY-MM-DD.")


class Outcome(Record):
    """What happened to one clause on one subject: one record of evidence.json."""

    model_config = ConfigDict(populate_by_name=True)

    id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    gate_id: str
    title: str = Field(description="What holds when the gate is green, in one line.")
    outcome: Verdict
    reason: str = Field(json_schema_extra=_SAID)
    invariant: str
    contract: str
    force: Force
    skip_cause: SkipCause | None = None
    subject: Subject
    owed: int = Field(ge=0, description="Values that the gate is about: compared, and not compared.")
    compared: int = Field(ge=0, description="Values compared, over all comparisons.")
    violated: int = Field(ge=0, description="Comparisons that did not hold.")
    comparisons: tuple[Comparison, ...] = Field(
        description="Violated ones first, then the closest; the rest is counted."
    )
    uncompared: tuple[Uncompared, ...] = Field((), description="The first places that were owed and not compared.")
    counterexample: Counterexample | None = None
    scenario: Scenario | None = Field(None, description="Of a gate of a qualification.")
    metrics: dict[str, float] = Field(default_factory=dict, description="Measured on the way; decide nothing.")
    causes: tuple[Cause, ...] = Field((), description="Why it does not hold, as far as that is known.")
    fault: FaultClass | None = Field(
        None, alias="class", description="What kind of fault it is; null where it holds or nothing is owed."
    )
    excused: Excuse | None = Field(None, description="Why it leaves the decision alone though it does not hold.")
    duration: float = Field(ge=0, description="Seconds.")
    timestamp: str = Field(description="RFC 3339, UTC.")
    host: Host


class ExitCode(int):
    """0 kept, 1 falsified, 2 usage, 3 not proven, 4 the checker itself could not work."""


KEPT, FALSIFIED, USAGE, NOT_PROVEN, BROKEN = (ExitCode(code) for code in range(5))


FailOn = Literal["must", "should", "not-proven", "never"]


class Terms(Record):
    """What a person asked to be failed on. The words of a decision stay what they are: the terms change the exit."""

    fail_on: FailOn = Field(
        "must",
        description="must: a gate that must. should: those that should, too. not-proven: also what is not proven of "
        "those that should. never: exit 0, unless the checker failed.",
    )
    not_proven: Literal["fail", "pass"] = Field("fail", description="pass: what is not proven does not close the gate.")

    @property
    def said(self) -> str:
        """As options of the command; empty where they are its own."""
        words = [f"--fail-on {self.fail_on}"] if self.fail_on != "must" else []
        return " ".join([*words, *(["--not-proven=pass"] if self.not_proven == "pass" else [])])


class Decision(Record):
    """The exit code and the gates that decided it."""

    exit_code: Literal[0, 1, 2, 3, 4]
    word: Literal["kept", "falsified", "usage", "not proven", "checker broken"]
    decided_by: tuple[str, ...] = Field(description="Gate ids, in the order of the run.")
    excused: tuple[str, ...] = Field((), description="Gate ids that do not hold and leave the decision alone.")
    terms: Terms = Field(Terms(), description="What it was decided by.")


class Figures(Record):
    """How far the weights of an artifact are from their source's, under what a conversion declares."""

    tensors: int = Field(ge=0, description="Tensors that were compared, value by value.")
    mean_relative_rmse: float = Field(description="Mean over tensors of RMSE divided by the RMS of the source.")
    worst_relative_rmse: float
    worst_tensor: str


class ArtifactRecord(Record):
    """An artifact as run.json names it: its files, their sizes and digests, and what was taken from beside it."""

    name: str
    path: str
    format: str
    layout: str
    files: tuple[FileRecord, ...]
    elements: int = Field(0, ge=0, description="Values of its tensors, as their headers say.")
    tensor_bytes: int = Field(0, ge=0, description="Bytes of those tensors: of each weight, over `elements`.")
    fingerprint: str | None = Field(
        None, description="`blake3:<hex>` over weights and the small files beside them, by role: no name is in it."
    )
    label: str | None = Field(None, description="The recipe that its name, else its header, claims.")
    release: str = Field("", description="Its name without that recipe.")
    figures: Figures | None = Field(None, description="Where its values were compared with a source's.")
    facts: dict[str, str] = Field(default_factory=dict, description="What files of one release share, as short text.")
    sidecars: dict[str, str] = Field(default_factory=dict, description="Role to file name: config, tokenizer, …")
    notes: tuple[str, ...] = Field((), description="Facts that are said and are no failures.")


class FileRecord(Record):
    """One file of an artifact."""

    name: str
    size: int
    digest: str | None = None


class PlaybookRecord(Record):
    """The playbook of a qualification, and whether it is the one that was locked."""

    id: str
    digest: str
    lock: Literal["locked", "changed", "unlocked"] = Field(
        description="Against the lock file: contracts qualify --lock."
    )
    system: str = Field(description="The system under test.")
    failure: str = Field(description="What a gate that fails ends: stop-on-first, stop-on-must, collect-all.")


class FolderRecord(Record):
    """A user's folder of definitions that was open; its definitions stand among the others, by id."""

    prefix: str = Field(description="What the ids of its definitions begin with.")
    path: str
    files: int = Field(ge=1, description="Definitions in it.")


class PluginRecord(Record):
    """A package of a third party that was named, with its version and what it offers."""

    name: str
    version: str
    kinds: tuple[str, ...] = ()
    reporters: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()


class WaiverRecord(Record):
    """One waiver of the file that was used, and what became of it; one that is not used counts as absent."""

    gate: str
    subject: str = Field(description="The fingerprint that it names.")
    reason: str
    owner: str
    expires: str
    source: str = Field(description="File and line.")
    state: Literal["used", "unused", "expired"]
    why: str = Field("", description="Why it is not used.")


class BaselineRecord(Record):
    """The earlier run whose falsified outcomes were taken as known."""

    path: str
    digest: str = Field(description="`blake3:<hex>` of its baseline.json.")
    known: int = Field(ge=0, description="Outcomes of this run that were in it.")
    gone: tuple[str, ...] = Field((), description="Gates that it holds and that no outcome of this run answers to.")


class Judgement(Record):
    """What the outcomes were judged by, besides the terms: the day, the waivers, the baseline."""

    on: str = Field(description="The day that waivers were judged by, YYYY-MM-DD, UTC.")
    waivers_file: str | None = None
    waivers_digest: str | None = Field(None, description="`blake3:<hex>` of the file.")
    waivers: tuple[WaiverRecord, ...] = ()
    baseline: BaselineRecord | None = None
    notes: tuple[str, ...] = Field(
        (), description="What was found and not believed, and what is new beside a baseline."
    )


class Run(Record):
    """run.json: what was run, on what, with which definitions, and what was decided."""

    tool: str
    version: str
    command: tuple[str, ...]
    seed: int | None = Field(description="As asked for; null: each property's own, from its invariant and version.")
    started: str
    duration: float
    definitions: dict[str, str] = Field(description="Definition id to the digest of its file.")
    definitions_digest: str
    folders: tuple[FolderRecord, ...] = Field((), description="Folders of definitions that were open.")
    plugins: tuple[PluginRecord, ...] = Field((), description="Packages of third parties that were named.")
    artifacts: tuple[ArtifactRecord, ...]
    environment: dict[str, str]
    host: Host
    not_evaluated: dict[str, str] = Field(description="Gate id to why it was left out of the plan.")
    playbook: PlaybookRecord | None = Field(None, description="Of a qualification.")
    group_by: Literal["release"] | None = Field(None, description="How the table of files is grouped.")
    judged: Judgement | None = Field(None, description="What the outcomes were judged by, where that was asked for.")
    decision: Decision


Evidence = tuple[Outcome, ...]


def written(evidence: Evidence, run: Run) -> tuple[list[Any], dict[str, Any]]:
    """Evidence and run as JSON values, as they are written to disk: of a place only the parts that are set."""
    outcomes = [as_json(outcome.model_dump(by_alias=True)) for outcome in evidence]
    for comparison in (c for outcome in outcomes for c in (*outcome["comparisons"], *outcome["uncompared"])):
        comparison["place"] = {key: part for key, part in comparison["place"].items() if part is not None}
    return outcomes, as_json(run.model_dump())


def as_json(value: Any) -> Any:
    """What JSON cannot hold as text: `Infinity`, `NaN`, and half a surrogate pair (in a file name) as its escape."""
    if isinstance(value, str):
        return str(value) if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if isfinite(value) else {inf: "Infinity", -inf: "-Infinity"}.get(value, "NaN")
    if isinstance(value, dict):
        return {as_json(key): as_json(item) for key, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list | tuple) else value


def jsonable(value: Any) -> JsonValue:
    """A value from an artifact as JSON: bytes as hex, long text and lists cut, so that evidence stays small."""
    if isinstance(value, str):
        return value if len(value) <= 200 else f"{value[:200]}… ({len(value):,} characters)"
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes):
        return value[:64].hex()
    if isinstance(value, dict):
        return {str(key)[:200]: jsonable(item) for key, item in list(value.items())[:32]}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in list(value)[:32]]
    return str(value)[:200]
