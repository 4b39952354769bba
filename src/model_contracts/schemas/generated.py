"""Owns the JSON Schemas (2020-12) of every definition and of what a run writes, generated from the types."""

from __future__ import annotations

import errno
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from model_contracts import door, placing
from model_contracts.compat.apr_qa.record import FoundingEvidence
from model_contracts.contract import Contract
from model_contracts.converter import CommandConverter
from model_contracts.definitions.folders import DefinitionsFolder
from model_contracts.definitions.shipped import Kind
from model_contracts.family import Family
from model_contracts.golden import Golden
from model_contracts.invariant import Corpus, Invariant
from model_contracts.keys import Keys
from model_contracts.outcome import Evidence, Run
from model_contracts.playbook import Playbook, System, Tier
from model_contracts.recipes import Recipes
from model_contracts.reporters.brief import Brief
from model_contracts.runtime import CommandRuntime
from model_contracts.schemas.plain import plain
from model_contracts.scheme import Scheme
from model_contracts.serving import ServingEngine
from model_contracts.sign import Sign
from model_contracts.tables import Tables
from model_contracts.tokenization import PreTokenizers, Tokenizers
from model_contracts.waiver import Baseline, Waivers

Schema = dict[str, Any]
Name = Literal[
    Kind, "definitions", "golden", "waivers", "baseline", "evidence", "founding-evidence", "run", "tensors", "verdict"
]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

#: Definitions are described as people write them, evidence and runs as they are written to disk.
_TYPES: dict[Name, tuple[Any, JsonSchemaMode, str]] = {
    "invariant": (Invariant, "validation", "A statement that must hold, and the gates it is reported under"),
    "contract": (Contract, "validation", "A promise about a class of artifacts"),
    "family": (Family, "validation", "What is known of one architecture"),
    "recipes": (Recipes, "validation", "What the labels of quantised files promise"),
    "keys": (Keys, "validation", "Where each container declares a value, and which keys change nothing"),
    "tokenizers": (Tokenizers, "validation", "What a conversion does to each kind of tokenizer"),
    "pretokenizers": (PreTokenizers, "validation", "Ways of cutting text, by llama.cpp's names for them"),
    "converter": (CommandConverter, "validation", "A program that converts models, and how it is asked to"),
    "runtime": (CommandRuntime, "validation", "A program that runs models, how it is asked, and where it answers"),
    "corpus": (Corpus, "validation", "Inputs of an invariant's properties that run before anything is generated"),
    "playbook": (Playbook, "validation", "A model to be qualified, and the gates that decide"),
    "tier": (Tier, "validation", "What a qualification of some depth looks at"),
    "system": (System, "validation", "A converter and runtimes that are qualified together"),
    "audit": (Sign, "validation", "How a verdict looks that is worth nothing, and what a person is told of it"),
    "scheme": (Scheme, "validation", "How a weight is stored as several tensors"),
    "engine": (ServingEngine, "validation", "What a serving engine takes of packed weights"),
    "definitions": (DefinitionsFolder, "validation", "What makes a folder one of definitions: its prefix"),
    "waivers": (Waivers, "validation", "Exceptions: what is let through, why, who answers for it, until when"),
    "baseline": (Baseline, "validation", "baseline.json: what did not hold in an earlier run"),
    "golden": (Golden, "validation", "A golden file: what a model answered to stored prompts"),
    "evidence": (Evidence, "serialization", "evidence.json: the outcomes of a run"),
    "founding-evidence": (FoundingEvidence, "validation", "evidence.json of the founding system"),
    "run": (Run, "serialization", "run.json: what was run, on what, and what was decided"),
    "verdict": (Brief, "serialization", "The verdict of the JSON report: what a script or an agent acts on"),
    "tensors": (Tables, "serialization", "tensors.json: the tensors of a run, with their statistics and errors"),
}
NAMES: tuple[Name, ...] = tuple(_TYPES)

#: Those that know ids, and kinds with their parameters.
_WITH_IDS = ("contract", "invariant", "family", "corpus", "playbook", "tier", "system")

#: A bound; what JSON has no number for is written as text.
_BOUND: Schema = {"type": ["number", "string", "null"], "pattern": "^(-?Infinity|NaN)$", "default": None}

#: Nothing uncompared is green (law 1); a schema can say so, and then every reader of evidence can hold us to it.
_COHERENT: list[Schema] = [
    {
        "if": {"properties": {"outcome": {"const": "Corroborated"}}},
        "then": {
            "properties": {
                "compared": {"minimum": 1},
                "violated": {"const": 0},
                "uncompared": {"maxItems": 0},
                "class": {"const": None},
                "excused": {"const": None},
            }
        },
    },
    {
        "if": {"properties": {"outcome": {"const": "Falsified"}, "counterexample": {"const": None}}},
        "then": {"properties": {"violated": {"minimum": 1}}},
    },
    {
        "if": {"properties": {"outcome": {"const": "Skipped"}}},
        "then": {"properties": {"skip_cause": {"type": "string"}}, "required": ["skip_cause"]},
        "else": {"properties": {"skip_cause": {"const": None}}},
    },
    {
        "if": {"properties": {"skip_cause": {"const": "incomplete"}}},
        "then": {"properties": {"uncompared": {"minItems": 1}}},
    },
]
#: Another word at exit 0 is owed to terms that were asked for.
_KEPT: Schema = {
    "if": {
        "properties": {
            "exit_code": {"const": 0},
            "terms": {
                "properties": {"fail_on": {"enum": ["must", "should", "not-proven"]}, "not_proven": {"const": "fail"}}
            },
        }
    },
    "then": {"properties": {"word": {"const": "kept"}}},
}
_WORDS = ("kept", "falsified", "usage", "not proven", "checker broken")


def generate(names: Sequence[Name] = NAMES) -> dict[str, Schema]:
    """Every schema (or those of some names) by its name, the same on every machine."""
    return {name: _schema(name) for name in names}


def text(schema: Schema) -> str:
    """A schema as its file holds it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def file_name(name: str) -> str:
    """The file of a schema below `schemas/`."""
    return f"{name}.schema.json"


def write(directory: Path, *, force: bool = False) -> list[Path]:
    """Write every schema below a directory, which is made where it is absent; returns the files."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    texts = {directory / file_name(name): text(schema).encode() for name, schema in generate().items()}
    if not force and (there := [path for path in placing.standing(texts) if not _holds(path, texts[path])]):
        raise FileExistsError(errno.EEXIST, placing.taken(there))
    for path, data in texts.items():
        paths.append(path)
        if not _holds(path, data):
            placing.write(path, data, replace=force)
    return paths


def _holds(path: Path, data: bytes) -> bool:
    try:
        return door.read(path, len(data)) == data
    except OSError:
        return False


def _schema(name: Name) -> Schema:
    kind, mode, title = _TYPES[name]
    schema = TypeAdapter(kind).json_schema(mode=mode)
    schema = plain(schema)
    schema.get("$defs", {}).pop("JsonValue", None)
    if name in _WITH_IDS:  # kinds of checks need numpy
        from model_contracts.schemas.completed import complete

        schema = complete(name, schema)
    definitions = schema.get("$defs", {})
    if "Comparison" in definitions:
        for bound in ("tolerance", "smallest_passing_tolerance"):
            definitions["Comparison"]["properties"][bound].update(_BOUND)
    if "Outcome" in definitions:
        definitions["Outcome"]["allOf"] = _COHERENT
    if "Decision" in definitions:
        definitions["Decision"]["allOf"] = [
            {"if": {"properties": {"exit_code": {"const": code}}}, "then": {"properties": {"word": {"const": word}}}}
            for code, word in enumerate(_WORDS)
            if code
        ] + [_KEPT]
    body = {key: schema[key] for key in sorted(schema, key=lambda key: (key == "$defs", 0)) if key != "title"}
    return {"$schema": DIALECT, "$id": f"urn:model-contracts:schema:{name}", "title": title, **body}
