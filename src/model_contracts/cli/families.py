"""Owns `contracts families`: what each family covers, and a first draft of one that is not shipped."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_contracts import placing
from model_contracts.cli.output import width
from model_contracts.terminal import safe, safe_json, wrap

#: A config.json is read up to this many bytes.
_MOST_BYTES = 16 << 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how the list is written")
    commands = parser.add_subparsers(dest="families_command", metavar="COMMAND")
    drafts = commands.add_parser(
        "draft",
        help="write a first draft of a family that is not shipped",
        description="Builds the class of the installed transformers that config.json names, without weights, and "
        "writes what it has as the YAML of a family. No code of the folder is run.",
    )
    drafts.add_argument("model", type=Path, metavar="MODEL", help="a Hugging Face folder, or its config.json")
    drafts.add_argument("-o", "--output", type=Path, metavar="FILE", help="where the draft goes (none: to stdout)")
    drafts.add_argument("--force", action="store_true", help="replace a file that exists")


def run(arguments: argparse.Namespace) -> int:
    """0; 2 where there is nothing to draft."""
    if arguments.families_command == "draft":
        return _draft(arguments.model, arguments.output, force=arguments.force)
    from model_contracts.anatomy.families.covered import covered
    from model_contracts.definitions import load_families

    found = [covered(family) for family in load_families() if not family.abstract]
    if arguments.format == "json":
        print(safe_json(json.dumps(found, indent=2, ensure_ascii=False)))
        return 0
    print("\n".join(line for one in found for line in _told(one, width())))
    return 0


def _told(family: dict[str, Any], columns: int) -> Iterator[str]:
    """A heading, and what is covered below it."""
    yield from wrap(f"{family['id']}  {family['title']}", columns)
    without = "without a config.json" if family["runs_without_config"] else "with a config.json"
    covers = {key: family[key] for key in ("architectures", "gguf", "conventions", "transforms", "layers")}
    for key, words in covers.items():
        if words:
            yield from wrap(" ".join(words), columns, f"  {key:<14}")
    yield from wrap(without, columns, f"  {'runs':<14}")


def _draft(model: Path, output: Path | None, *, force: bool) -> int:
    from model_contracts.definitions import load_families
    from model_contracts.drafting.classes import NotDrafted
    from model_contracts.drafting.draft import draft
    from model_contracts.drafting.written import written

    try:
        import transformers
    except ImportError:
        print("contracts: a draft needs transformers: pip install 'model-contracts[transformers]'", file=sys.stderr)
        return 2
    try:
        text = written(draft(_config(model), load_families()), f"transformers {transformers.__version__}")
    except NotDrafted as error:
        print(f"contracts: {safe(str(error))}", file=sys.stderr)
        return 2
    if output is None:
        print(text, end="")
        return 0
    try:
        placing.write(output, text.encode(), replace=force)
    except FileExistsError:
        print(f"contracts: {safe(placing.taken([output]))}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"contracts: {safe(str(output))}: {(error.strerror or 'cannot be written').lower()}", file=sys.stderr)
        return 2
    return 0


def _config(model: Path) -> dict[str, Any]:
    from model_contracts import bounds, door
    from model_contracts.drafting.classes import NotDrafted

    file = model if model.name == "config.json" else model / "config.json"
    try:
        config = json.loads(door.read(file, _MOST_BYTES))
        bounds.refuse_beyond(config)
    except (ValueError, RecursionError) as error:
        raise NotDrafted(f"{file} is no configuration: {error}") from error
    if not isinstance(config, dict):
        raise NotDrafted(f"{file} is no configuration: no object")
    return config
