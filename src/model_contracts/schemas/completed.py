"""Owns what schemas of definitions say beside the types: ids that are shipped, kinds of checks and their parameters.

An editor completes from them. An id of a folder of yours and a kind of a plugin are valid all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import TypeAdapter

from model_contracts.checks import KINDS, OUR_KINDS
from model_contracts.definitions import load_invariant, shipped_ids
from model_contracts.definitions.shipped import Kind
from model_contracts.outcome import Record
from model_contracts.qualification.gates import GATES
from model_contracts.runtimes import our_names
from model_contracts.schemas.plain import plain

Schema = dict[str, Any]


def complete(name: str, schema: Schema) -> Schema:
    """The schema of a kind of definitions with what is known in it; others as they are."""
    if name in _COMPLETED:
        _COMPLETED[name](schema)
    return schema


def _or_other(known: Iterator[str] | tuple[str, ...], other: Schema) -> Schema:
    """One of those that are known, or what the type allows."""
    described: Schema = {key: other.pop(key) for key in ("description", "default", "title") if key in other}
    return {"anyOf": [{"enum": list(known)}, other], **described}


def _ids(kind: Kind) -> tuple[str, ...]:
    return shipped_ids(kind)


def _gate_ids() -> tuple[str, ...]:
    found = (gate.id for name in shipped_ids("invariant") for gate in load_invariant(name).gates)
    return tuple(sorted(found))


def _contract(schema: Schema) -> None:
    schema["properties"]["extends"]["items"] = _or_other(_ids("contract"), schema["properties"]["extends"]["items"])
    clause = schema["$defs"]["Clause"]
    clause["properties"]["invariant"] = _or_other(_ids("invariant"), clause["properties"]["invariant"])
    clause["allOf"] = list(_clauses(schema["$defs"]))


def _clauses(definitions: Schema) -> Iterator[Schema]:
    """What a clause may say of each shipped invariant: its gates, and the parameters that one of them takes."""
    for name in _ids("invariant"):
        invariant = load_invariant(name)
        if invariant.subject == "qualification":
            continue
        kinds = sorted({gate.check for gate in invariant.gates})
        for kind in kinds:
            _define(definitions, kind)
        properties: Schema = {
            field: {"$ref": f"#/$defs/{kind}/properties/{field}"}
            for kind in kinds
            for field in definitions[kind]["properties"]
        }
        then = {
            "gates": {"items": {"enum": [gate.id for gate in invariant.gates]}},
            "parameters": {"properties": properties, "additionalProperties": False},
        }
        yield {
            "if": {"properties": {"invariant": {"const": name}}, "required": ["invariant"]},
            "then": {"properties": then},
        }


def _invariant(schema: Schema) -> None:
    gate = schema["$defs"]["Gate"]
    kinds = tuple(sorted((*OUR_KINDS, *GATES)))
    gate["properties"]["check"] = _or_other(kinds, gate["properties"]["check"])
    for kind in kinds:
        _define(schema["$defs"], kind)
    gate["allOf"] = [
        {
            "if": {"properties": {"check": {"const": kind}}, "required": ["check"]},
            "then": {"properties": {"parameters": {"$ref": f"#/$defs/{kind}"}}},
        }
        for kind in kinds
    ]


def _define(definitions: Schema, kind: str) -> None:
    """The parameters of a kind among the definitions; none is required: all gates of an invariant may share it."""
    if kind in definitions:
        return
    parameters: type[Record] = KINDS[kind].parameters if kind in OUR_KINDS else GATES[kind].parameters
    found = plain(TypeAdapter(parameters).json_schema(mode="validation"))
    found.pop("required", None)
    found.pop("title", None)
    inner = found.pop("$defs", {})
    inner.pop("JsonValue", None)
    found.setdefault("properties", {})
    definitions |= inner
    definitions[kind] = found


def _extends(kind: Kind) -> Callable[[Schema], None]:
    def completed(schema: Schema) -> None:
        schema["properties"]["extends"] = _or_other(_ids(kind), schema["properties"]["extends"])

    return completed


def _corpus(schema: Schema) -> None:
    schema["properties"]["invariant"] = _or_other(_ids("invariant"), schema["properties"]["invariant"])
    pinned = schema["$defs"]["Pinned"]["properties"]
    pinned["check"] = _or_other(tuple(sorted(OUR_KINDS)), pinned["check"])


def _playbook(schema: Schema) -> None:
    if "system" in schema["properties"]:
        schema["properties"]["system"] = _or_other(_ids("system"), schema["properties"]["system"])
    gates = schema["$defs"]["GateChoice"]["properties"]["gates"]
    gates["items"] = _or_other(_gate_ids(), gates["items"])


def _system(schema: Schema) -> None:
    converters = ("builtin", *(name.removeprefix("converters/") for name in _ids("converter")))
    properties = schema["properties"]
    properties["converter"] = _or_other(converters, properties["converter"])
    runtimes = properties["runtimes"]
    runtimes["additionalProperties"] = _or_other(our_names(), runtimes["additionalProperties"])


_COMPLETED: dict[str, Callable[[Schema], None]] = {
    "contract": _contract,
    "invariant": _invariant,
    "family": _extends("family"),
    "corpus": _corpus,
    "playbook": _playbook,
    "tier": _playbook,
    "system": _system,
}
