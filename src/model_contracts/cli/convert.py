"""Owns `contracts convert`: parses the request, has it run, and says what was written and what its check concluded."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from model_contracts.cli.check import keep, refuse_output
from model_contracts.cli.output import colour, width
from model_contracts.cli.progress import progress
from model_contracts.outcome import FALSIFIED, NOT_PROVEN
from model_contracts.terminal import plural, safe, wrap

if TYPE_CHECKING:  # the engine is imported once the words of the command are understood
    from model_contracts.engine.convert import Conversion, ConvertRequest


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("source", metavar="SOURCE", type=Path, help="a model file, a shard index or a folder")
    parser.add_argument(
        "target", metavar="TARGET", type=Path, help="NAME.gguf, NAME.apr, NAME.safetensors, or a folder to make"
    )
    parser.add_argument("--dtype", metavar="RECIPE", help="element types of the target (BF16, Q8_0, Q4_K_M, ...)")
    parser.add_argument("--tokenizer", metavar="PATH", type=Path, help="the tokenizer.json to use")
    parser.add_argument("--converter", metavar="ID|FILE", help="a command converter (contracts list converters)")
    parser.add_argument(
        "--allow-overflow", action="store_true", help="write values beyond 65504 as infinity where the target is F16"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace what exists: files of the target, evidence in DIR"
    )
    parser.add_argument("--no-check", action="store_true", help="do not hold the output against its source")
    parser.add_argument("--keep", action="store_true", help="keep a falsified output, as TARGET.falsified")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="keep the check's evidence there")
    parser.add_argument("-q", "--quiet", action="store_true", help="print one line, with the verdict")
    parser.add_argument("--no-color", action="store_true", help="no colours")


def run(arguments: argparse.Namespace) -> int:
    """0 written and kept, 1 falsified, 2 refused, 3 written and not proven, 4 the checker itself could not work."""
    from model_contracts.converters.interface import ConverterFailed, ConverterUnavailable
    from model_contracts.engine import convert

    if arguments.output is not None:
        refuse_output(arguments.output, force=arguments.force)
    # A polite end from outside must take the unfinished output with it, as Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        with progress("converting") as callback:
            conversion = convert.run(_request(arguments, callback))
    except ConverterUnavailable as unavailable:
        print(f"contracts: skipped: {safe(str(unavailable))}", file=sys.stderr)
        return int(NOT_PROVEN)
    except ConverterFailed as failed:
        print(f"contracts: {safe(str(failed))}", file=sys.stderr)
        for line in failed.tail.splitlines():
            print(f"  | {safe(line)}", file=sys.stderr)
        return int(FALSIFIED)
    return _said(conversion, arguments)


def _request(arguments: argparse.Namespace, callback: Callable[[int, int], None] | None) -> ConvertRequest:
    from model_contracts.engine.convert import ConvertRequest

    return ConvertRequest(
        source=arguments.source,
        target=arguments.target,
        dtype=arguments.dtype,
        tokenizer=arguments.tokenizer,
        converter=arguments.converter,
        allow_overflow=arguments.allow_overflow,
        force=arguments.force,
        check=not arguments.no_check,
        keep=arguments.keep,
        command=("contracts", *arguments.words),
        progress=callback,
    )


def _interrupted(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _said(conversion: Conversion, arguments: argparse.Namespace) -> int:
    code = conversion.exit_code
    if arguments.output is not None and conversion.run is not None:
        code = keep(arguments.output, conversion.evidence, conversion.run, code, force=arguments.force)
    if conversion.run is not None and code != 0 and not arguments.quiet:
        from model_contracts.reporters import REPORTERS

        report = REPORTERS["text"](conversion.evidence, conversion.run, width=width(), color=colour(arguments.no_color))
        sys.stdout.write(report)
    for line in _lines(conversion)[: 1 if arguments.quiet else None]:
        print(line)
    return code


def _lines(conversion: Conversion) -> list[str]:
    written = conversion.written
    types = ", ".join(f"{count} {dtype}" for dtype, count in written.types.items())
    said = [f"converter: {written.converter}"] if written.converter != "builtin" else []
    said += [f"tokenizer: {written.tokenizer}", *written.notes]
    where = _outcome(conversion)
    size = sum(conversion.files.values())
    what = f"{plural(written.tensors, 'tensor')} ({types}), {size:,} bytes in {conversion.seconds:.1f} s"
    return [f"{where}: {safe(what)}", *(line for text in said for line in wrap(safe(text), width(), "  "))]


def _outcome(conversion: Conversion) -> str:
    if conversion.target is None:
        return "falsified, and taken away (--keep keeps it)"
    target = safe(str(conversion.target))
    if conversion.run is None:
        return f"wrote {target}, not checked"
    decision = conversion.run.decision
    if decision.exit_code == 0:
        return f"wrote {target}, kept: {plural(len(decision.decided_by), 'gate')} held against its source"
    if decision.exit_code == 1:
        return f"falsified: kept as {target}"
    return f"wrote {target}, {decision.word}: {', '.join(decision.decided_by)}"
