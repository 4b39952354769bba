"""Owns the command: which sub-commands there are, what stops them, and what a failure of ours looks like."""

from __future__ import annotations

import argparse
import errno
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

#: Sub-command to the module that carries it (`configure(parser)`, `run(arguments) -> exit code`) and its help.
#: Only the module that was asked for is imported.
COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("model_contracts.cli.check", "hold model files to a contract"),
    "qualify": ("model_contracts.cli.qualify", "run a playbook: formats, modalities, conversions, gate by gate"),
    "convert": ("model_contracts.cli.convert", "convert a model to another format and check the result"),
    "init": ("model_contracts.cli.init", "write the contract that the next version of a model is held to"),
    "golden": ("model_contracts.cli.golden", "record what a model answers, to hold others to it"),
    "inspect": ("model_contracts.cli.inspect", "say what a model file is"),
    "stats": ("model_contracts.cli.stats", "print the statistics of every tensor"),
    "report": ("model_contracts.cli.report", "render the evidence of an earlier check again"),
    "baseline": ("model_contracts.cli.baseline", "record what does not hold, so that only what is new closes the gate"),
    "replay": ("model_contracts.cli.replay", "run the counterexamples of an earlier check again"),
    "evidence": ("model_contracts.cli.evidence", "validate evidence and run files"),
    "list": ("model_contracts.cli.list", "list invariants, contracts, families, gates and kinds of checks"),
    "families": ("model_contracts.cli.families", "say what each family covers, or draft one that is not shipped"),
    "lint": ("model_contracts.cli.lint", "say what is wrong with contracts and other definitions"),
    "explain": ("model_contracts.cli.explain", "explain a gate, an invariant or a contract"),
    "runtimes": ("model_contracts.cli.runtimes", "say which runtimes are here, and how to get the others"),
    "diff": (
        "model_contracts.cli.diff",
        "say in what two artifacts differ: header, config, tokenizer, tensors, values",
    ),
    "doctor": ("model_contracts.cli.doctor", "say what is installed, what is missing, and what would be slow"),
    "completion": ("model_contracts.cli.completion", "print what makes a shell complete commands, gates and names"),
    "schema": ("model_contracts.cli.schema", "print or write the JSON Schemas"),
}

#: Commands that definitions and plugins of others are opened for.
WORLD = (
    "check",
    "qualify",
    "convert",
    "golden",
    "inspect",
    "stats",
    "report",
    "replay",
    "list",
    "lint",
    "explain",
    "runtimes",
)

EXIT_CODES = "exit codes: 0 kept, 1 falsified, 2 usage, 3 not proven, 4 the checker itself could not work"

#: Exceptions that say in one line what the caller can put right. By name: their modules may not be loaded.
#: What a disk answers that takes nothing: full, over its quota, read-only, failing.
_OF_THE_DISK = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EROFS, errno.EIO)
_TOLD: tuple[tuple[str, str], ...] = (
    ("model_contracts.converters.interface", "ConversionRefused"),
    ("model_contracts.definitions.errors", "DefinitionError"),
    ("model_contracts.engine.evidence", "Unusable"),
    ("model_contracts.engine.golden_files", "GoldenRefused"),
    ("model_contracts.engine.plan", "UsageError"),
    ("model_contracts.formats.interface", "Unreadable"),
    ("model_contracts.plugins", "PluginRefused"),
    ("model_contracts.plugins", "PluginFailed"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command and return its exit code; nothing escapes as a traceback unless `--traceback` asks for it."""
    if argv is None:
        # A command is short: walking what half a thousand modules and a vocabulary are made of, none of it in a cycle
        # that ends before the command does, takes a twentieth of its time.
        gc.set_threshold(500_000, 20, 20)
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without our marks still gets the report
    try:
        code = _run(words)
        sys.stdout.flush()
        if argv is None:
            gc.freeze()  # the interpreter walks everything once more as it ends
        return code
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _quiet()
        return 141
    except Exception as error:
        return _failed(error, words)


def _quiet() -> None:
    """Whoever read the report has gone: what is still buffered must not raise again at exit."""
    from contextlib import suppress

    with suppress(OSError, ValueError):  # a stream without a descriptor, or one that is closed, raises nothing later
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, sys.stdout.fileno())
        finally:
            os.close(nowhere)


def _run(words: list[str]) -> int:
    typed = os.environ["COMP_LINE"].split() if "_ARGCOMPLETE" in os.environ and "COMP_LINE" in os.environ else words
    command = next((word for word in typed if word in COMMANDS), None)
    parser, subparsers = _parser(command)
    module = None
    if command is not None:
        module = import_module(COMMANDS[command][0])
        module.configure(subparsers[command])
        if command in WORLD:
            from model_contracts.cli import world

            world.configure(subparsers[command])
    if "_ARGCOMPLETE" in os.environ:
        from model_contracts.cli.completion import complete

        complete(parser, subparsers[command] if command is not None else None)
    arguments = parser.parse_args(words)
    if module is None or arguments.command != command:
        parser.print_help()
        return 2
    if arguments.command in ("check", "qualify", "convert", "inspect", "stats"):
        from model_contracts import log

        log.configure("debug" if arguments.verbose else "warning", arguments.log_format)
    arguments.words = tuple(words)
    if arguments.command in WORLD:
        from model_contracts.cli import world

        world.enter(arguments)
    return int(module.run(arguments))


def _parser(chosen: str | None) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    shared = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    _global(shared)
    parser = argparse.ArgumentParser(
        prog="contracts",
        description="Says, with evidence, whether a language-model file is what it claims to be.",
        epilog=EXIT_CODES,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and stop")
    _global(parser)
    parser.set_defaults(verbose=False, log_format="console", traceback=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    made = {}
    for name, (_, text) in COMMANDS.items():
        # What is not asked for is a name with its help: options cost more than all that --help prints.
        made[name] = commands.add_parser(name, help=text, allow_abbrev=False, **_told(name, text, shared, chosen))
    return parser, made


def _told(name: str, text: str, shared: argparse.ArgumentParser, chosen: str | None) -> dict[str, Any]:
    if name != chosen:
        return {"add_help": False}
    from model_contracts.cli.examples import shown

    laid_out = argparse.RawDescriptionHelpFormatter
    return {"description": text, "parents": [shared], "epilog": shown(name), "formatter_class": laid_out}


def _global(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("log")
    group.add_argument("-v", "--verbose", action="store_true", help="say on stderr what is being done")
    group.add_argument("--log-format", choices=("console", "json"), help="how the log is written")
    group.add_argument("--traceback", action="store_true", help="show where an internal error comes from")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from model_contracts.version import version

        print(f"contracts {version()}")
        parser.exit()


def _failed(error: Exception, words: list[str]) -> int:
    from model_contracts.terminal import safe

    for module, name in _TOLD:
        known = getattr(sys.modules.get(module), name, None)
        if known is not None and isinstance(error, known):
            print(f"contracts: {safe(str(error))}", file=sys.stderr)
            return 2
    if isinstance(error, OSError) and (error.filename is not None or error.errno in _OF_THE_DISK):
        where = f"{error.filename}: " if error.filename is not None else ""
        print(f"contracts: {safe(where + (error.strerror or str(error)).lower())}", file=sys.stderr)
        return 2
    if "--traceback" in words:
        import traceback

        traceback.print_exception(error)
    text = safe(f"{type(error).__name__}: {error}")
    hint = "" if "--traceback" in words else " (run with --traceback)"
    print(f"contracts: internal error: {text}{hint}", file=sys.stderr)
    return 4


if __name__ == "__main__":
    sys.exit(main())
