"""Owns `contracts check --changed-since REF` and `--touched`: the words, and the requests that they come to."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Git is asked, and definitions are loaded, where the words are there
    from model_contracts.engine.plan import CheckRequest


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    group = parser.add_argument_group("in a Git repository")
    group.add_argument(
        "--changed-since",
        metavar="REF",
        help="check the models that differ from where HEAD and REF parted (below PATH, where one is given)",
    )
    group.add_argument(
        "--touched", action="store_true", help="PATHs are files that changed: check the models that they belong to"
    )


def asked(arguments: argparse.Namespace) -> bool:
    """Whether Git says which models are meant: a PATH is then a place or a file, and no pattern of models."""
    return arguments.changed_since is not None or bool(arguments.touched)


def requests(arguments: argparse.Namespace, request: CheckRequest) -> tuple[CheckRequest, ...]:
    """The requests of the command, one a model where Git says which. Raises UsageError."""
    from model_contracts.engine.plan import UsageError

    if arguments.changed_since is None and not request.paths:
        raise UsageError("the following arguments are required: PATH (or --changed-since REF)")
    if arguments.changed_since is not None and arguments.touched:
        raise UsageError("--changed-since and --touched both say which models: give one of them")
    if not asked(arguments):
        return (request,)
    from model_contracts.changes.requests import of_files, since

    return of_files(request) if arguments.touched else since(arguments.changed_since, request)


def nothing(arguments: argparse.Namespace) -> str:
    """What is said where no model was touched."""
    whose = "by the files" if arguments.touched else f"since {arguments.changed_since}"
    return f"no model was touched {whose}: nothing was to be checked"
