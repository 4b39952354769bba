"""Owns the SARIF 2.1.0 report: a result for each kind of fault, and gates with help from their definitions."""

from __future__ import annotations

import json
from urllib.parse import quote

from sarif_pydantic import (
    ArtifactLocation,
    Invocation,
    Level,
    Location,
    LogicalLocation,
    Message,
    PhysicalLocation,
    Region,
    ReportingConfiguration,
    ReportingDescriptor,
    Result,
    Sarif,
    Tool,
    ToolDriver,
)
from sarif_pydantic import (
    Run as SarifRun,
)

from model_contracts.definitions import DefinitionError, known_ids, load_invariant
from model_contracts.invariant import Invariant
from model_contracts.outcome import Evidence, Outcome, Place, Run
from model_contracts.reporters.faults import Fault, faults
from model_contracts.reporters.lines import excuse
from model_contracts.reporters.markdown import prose
from model_contracts.terminal import safe, safe_json

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
#: Results of one run: GitHub takes 25,000 and shows 5,000.
_MOST = 5_000


def report(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """One run of the tool; width and color do not apply.

    What was not evaluated is a result of kind `open`, never one that passes; what is excused is suppressed.
    """
    found = faults(outcomes, run)[:_MOST]
    gates = list(dict.fromkeys(outcome.gate_id for outcome in outcomes))
    driver = ToolDriver(
        name=run.tool,
        version=run.version,
        semantic_version=run.version if run.version.count(".") == 2 else None,
        rules=[_descriptor(next(o for o in outcomes if o.gate_id == gate)) for gate in gates],
    )
    told = SarifRun(
        tool=Tool(driver=driver),
        invocations=[_invocation(run)],
        results=[_result(fault, gates.index(fault.outcome.gate_id)) for fault in found],
        properties={"decision": run.decision.model_dump(mode="json"), "definitions": run.definitions_digest},
    )
    log = Sarif.model_validate({"$schema": SCHEMA, "version": "2.1.0", "runs": [told]})
    value = log.model_dump(mode="json", by_alias=True, exclude_none=True)
    return safe_json(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"


def _invocation(run: Run) -> Invocation:
    # By its own names: the models have no field for the exit code.
    return Invocation.model_validate(
        {
            "executionSuccessful": run.decision.exit_code != 4,
            "exitCode": run.decision.exit_code,
            "arguments": [safe(word) for word in run.command[1:]],
        }
    )


def _descriptor(outcome: Outcome) -> ReportingDescriptor:
    """A gate: what it holds, and of its invariant the statement and what it is there to see."""
    invariant = _invariant(outcome.invariant)
    statement = invariant.statement if invariant is not None else outcome.title
    catches = [f"- {prose(fault)}" for fault in invariant.catches] if invariant is not None else []
    seen = ["", "Faults that shipped and that it sees:", "", *catches] if catches else []
    more = ["", f"More: `contracts explain {outcome.gate_id}`"]
    return ReportingDescriptor(
        id=outcome.gate_id,
        name=safe(outcome.invariant),
        short_description=Message(text=safe(outcome.title)),
        full_description=Message(text=safe(statement)),
        help=Message(
            text=safe(f"{statement} (contracts explain {outcome.gate_id})"),
            markdown="\n".join([f"Holds: {prose(statement)}", *seen, *more]),
        ),
        default_configuration=ReportingConfiguration(level="error" if outcome.force == "must" else "warning"),
        properties={"tags": ["model", safe(outcome.invariant.partition("/")[0])]},
    )


def _invariant(name: str) -> Invariant | None:
    """The invariant, where its definition is still there: evidence may be older, or of somebody's own folder."""
    try:
        return load_invariant(name) if name in known_ids("invariant") else None
    except DefinitionError:
        return None


def _result(fault: Fault, at: int) -> Result:
    level, kind = _level(fault)
    fingerprints = {
        # The one that GitHub compares: it has the name of a line, and nothing of a line in it.
        "primaryLocationLineHash": fault.place,
        "contractsPlace/v1": fault.place,
        "contractsContent/v1": fault.content,
    }
    suppressed = {}
    if fault.outcome.excused is not None:
        suppressed["suppressions"] = [{"kind": "external", "justification": safe(excuse(fault.outcome))}]
    return Result(
        rule_id=fault.outcome.gate_id,
        rule_index=at,
        kind=kind,
        level=level,
        message=Message(text="\n".join([fault.said, *fault.lines])),
        locations=[_location(fault)],
        partial_fingerprints=fingerprints,
        properties={"class": fault.klass, "closes": fault.closes, "subject": fault.outcome.subject.digest or ""},
        **suppressed,
    )


def _level(fault: Fault) -> tuple[Level, str]:
    """SARIF has no level for what was not evaluated: its kind says so, and its level is none."""
    if fault.state == "unproven":
        return Level.NONE, "open"
    if fault.state == "excused" and fault.worst is None:
        return Level.NONE, "open"
    return (Level.ERROR if fault.closes or fault.outcome.force == "must" else Level.WARNING), "fail"


def _location(fault: Fault) -> Location:
    place = fault.worst.place if fault.worst is not None else Place()
    names = [("member", place.tensor), ("property", place.key)]
    logical = [
        LogicalLocation(name=safe(name), fully_qualified_name=safe(name), kind=kind) for kind, name in names if name
    ]
    return Location(
        physical_location=PhysicalLocation(
            artifact_location=ArtifactLocation(uri=_uri(fault.outcome.subject.path)),
            region=Region(start_line=1),
        ),
        logical_locations=logical or None,
    )


def _uri(path: str) -> str:
    """A relative path as a relative reference, an absolute one as a file URI; every byte that is not plain escaped."""
    plain = path.replace("\\", "/").removeprefix("./")
    name = quote(plain.encode("utf-8", "surrogatepass"), safe="/")
    return f"file://{name}" if plain.startswith("/") else name or "."
