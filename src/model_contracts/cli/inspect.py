"""Owns `contracts inspect`: what an artifact is, without reading its weights."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_contracts.anatomy.towers import view_of
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact, Tensor
from model_contracts.cli.components import component_lines, components
from model_contracts.cli.output import colour, width
from model_contracts.definitions import load_families
from model_contracts.formats.beside import listing
from model_contracts.formats.repository import open_repository
from model_contracts.terminal import Pen, columns, number, plural, safe, wrap
from model_contracts.vocabulary import Tokenizer

#: Names that are listed of what lies beside an artifact.
_BESIDE = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("path", metavar="PATH", type=Path, help="a model file, a shard index or a folder")
    parser.add_argument("--tensors", action="store_true", help="list every tensor")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how it is written")
    parser.add_argument("--no-color", action="store_true", help="no colours")


def run(arguments: argparse.Namespace) -> int:
    """0, whatever the artifact is: it is told, and not judged."""
    artifact = open_repository(arguments.path)[0]
    told = describe(artifact, view_of(artifact, load_families()))
    if arguments.format == "json":
        print(json.dumps(told, indent=2, ensure_ascii=True))
        return 0
    if not arguments.tensors:
        told.pop("tensors")
    print("\n".join(_text(told, Pen(colour(arguments.no_color)), width())))
    return 0


def describe(artifact: Artifact, view: View) -> dict[str, Any]:
    """Everything that is told, as JSON values."""
    tensors = [tensor for container in artifact.containers for tensor in container.tensors]
    architecture = view.architecture
    return {
        "name": artifact.name,
        "path": str(artifact.path),
        "format": artifact.format,
        "layout": artifact.layout,
        "readable": artifact.readable,
        "files": [
            {"name": c.path.name, "format": c.format, "version": c.version, "size": c.size, "tensors": len(c.tensors)}
            for c in artifact.containers
        ],
        "sidecars": {role: {"file": taken.path.name, "how": taken.how} for role, taken in artifact.sidecars.items()},
        "architecture": architecture.name if architecture else None,
        "family": view.family.id if view.family else None,
        "types": _types(tensors),
        "hyperparameters": _hyperparameters(view),
        "tokenizer": _tokenizer(artifact.tokenizer) if artifact.tokenizer else None,
        "chat_template": len(artifact.chat_template) if artifact.chat_template is not None else None,
        "components": components(artifact, view),
        "beside": _beside(artifact),
        "notes": list(artifact.notes),
        "violations": list(_violations(artifact)),
        "tensors": [
            {"name": t.name, "dtype": t.dtype, "shape": list(t.shape), "bytes": t.nbytes, "file": t.file.name}
            for t in tensors
        ],
    }


def _beside(artifact: Artifact) -> dict[str, Any]:
    """What lies in the folder and was not looked at; empty for a file on its own."""
    found = listing(artifact)
    if found is None:
        return {}
    return {"folder": str(found.folder), "files": list(found.untouched), "left_out": found.left_out}


def _types(tensors: list[Tensor]) -> dict[str, dict[str, int]]:
    count, values, size = Counter[str](), Counter[str](), Counter[str]()
    for tensor in tensors:
        count[tensor.dtype] += 1
        values[tensor.dtype] += tensor.elements
        size[tensor.dtype] += tensor.nbytes
    return {name: {"tensors": count[name], "values": values[name], "bytes": size[name]} for name in count}


def _hyperparameters(view: View) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    # An artifact that declares nothing is not told by what readers would assume.
    for name, value in view.numbers.items() if view.declared else ():
        declared = view.declared.get(name)
        found[name] = {"value": value, "from": str(declared.place) if declared is not None else "default"}
    return found


def _tokenizer(tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "from": tokenizer.origin.name,
        "algorithm": tokenizer.algorithm,
        "tokens": tokenizer.used,
        "padding": tokenizer.size - tokenizer.used,
        "merges": len(tokenizer.merges) if tokenizer.merges is not None else None,
        "added": len(tokenizer.added),
        "pre": tokenizer.pre,
        "special": {role: {"id": at, "from": key} for role, (at, key) in tokenizer.special_ids.items()},
        "add_bos": tokenizer.add_bos,
        "add_eos": tokenizer.add_eos,
    }


def _violations(artifact: Artifact) -> Iterator[dict[str, Any]]:
    for ledger in (artifact.ledger, *(container.ledger for container in artifact.containers)):
        for topic, comparison in ledger.violations:
            yield {"topic": topic, **json.loads(comparison.model_dump_json(exclude_none=True, exclude={"holds"}))}


def _text(told: dict[str, Any], pen: Pen, columns_wide: int) -> Iterator[str]:
    state = "" if told["readable"] else "  (not readable)"
    yield f"{pen('bold', safe(told['name']))}  {told['format']} · {told['layout']}{state}"
    for file in told["files"]:
        version = f" version {safe(str(file['version']))}" if file["version"] else ""
        yield (
            f"  {safe(file['name'])}  {file['size']:,} bytes · {file['format']}{version}"
            f" · {plural(file['tensors'], 'tensor')}"
        )
    for role, taken in told["sidecars"].items():
        yield f"  {role} from {safe(taken['file'])} ({safe(taken['how'])})"
    yield from _weights(told, pen)
    if told["hyperparameters"]:
        yield from _heading("Hyper-parameters", pen)
        rows = [[k, number(v["value"]), safe(v["from"])] for k, v in told["hyperparameters"].items()]
        yield from (f"  {line}" for line in columns(rows))
    yield from _tokens(told, pen)
    violations = [_violation(found) for found in told["violations"]]
    if told["components"]:
        yield from _heading("Components", pen)
        yield from (f"  {line}" for line in component_lines(told["components"]))
    sections = (("Beside it, not looked at", list(_untouched(told["beside"]))), ("Notes", told["notes"]))
    for title, texts in (*sections, ("Violations", violations)):
        if texts:
            yield from _heading(title, pen)
            for text in texts:
                yield from wrap(safe(text), columns_wide, "  · ")


def _untouched(beside: dict[str, Any]) -> Iterator[str]:
    files = beside.get("files", [])
    yield from files[:_BESIDE]
    if len(files) > _BESIDE:
        yield f"{plural(len(files) - _BESIDE, 'file')} more (--format json lists them)"
    if beside.get("left_out"):
        yield beside["left_out"]


def _heading(title: str, pen: Pen) -> Iterator[str]:
    yield ""
    yield pen("bold", title)


def _weights(told: dict[str, Any], pen: Pen) -> Iterator[str]:
    family = f"family {told['family']}" if told["family"] else "no family that is known"
    yield from _heading("Weights", pen)
    yield f"  architecture {safe(told['architecture'] or 'not declared')} · {family}"
    rows = [["type", "tensors", "values", "bytes"]]
    rows += [[name, *(f"{part:,}" for part in found.values())] for name, found in sorted(told["types"].items())]
    if len(rows) > 1:
        rows.append(["all", *(f"{sum(f[key] for f in told['types'].values()):,}" for key in rows[0][1:])])
        yield from (f"  {line}" for line in columns(rows, (False, True, True, True)))
    if "tensors" in told:
        listed = [[safe(t["name"]), t["dtype"], _shape(t["shape"]), f"{t['bytes']:,}"] for t in told["tensors"]]
        yield ""
        yield from (f"  {line}" for line in columns([["tensor", "type", "shape", "bytes"], *listed]))


def _shape(shape: list[int]) -> str:
    return " x ".join(map(str, shape)) or "scalar"


def _tokens(told: dict[str, Any], pen: Pen) -> Iterator[str]:
    yield from _heading("Tokenizer", pen)
    tokenizer = told["tokenizer"]
    if tokenizer is None:
        yield "  none"
    else:
        parts = [tokenizer["algorithm"], plural(tokenizer["tokens"], "token")]
        if tokenizer["padding"]:
            parts.append(f"{plural(tokenizer['padding'], 'id')} of padding")
        parts += [plural(tokenizer["merges"], "merge")] if tokenizer["merges"] is not None else []
        parts += [f"{tokenizer['added']:,} added"]
        parts += [f"pre-tokenizer {safe(tokenizer['pre'])}"] if tokenizer["pre"] else []
        yield f"  {' · '.join(parts)} · from {safe(tokenizer['from'])}"
        special = ", ".join(f"{role} {found['id']:,}" for role, found in tokenizer["special"].items())
        if special:
            yield f"  special ids: {safe(special)}"
    if told["chat_template"] is not None:
        yield f"  chat template of {told['chat_template']:,} characters"


def _violation(found: dict[str, Any]) -> str:
    place = " · ".join(str(part) for part in found.get("place", {}).values())
    text = f"{found['topic']}: {found['measure']}{f' at {place}' if place else ''}: "
    text += f"expected {number(found.get('expected'))}, observed {number(found.get('observed'))}"
    return text + (f" ({found['note']})" if found.get("note") else "")
