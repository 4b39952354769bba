"""Owns `contracts check`: parses the request, has it run, keeps the evidence, and prints the report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model_contracts.cli import changed, judged
from model_contracts.cli.numbers import SEEDS, Between
from model_contracts.cli.progress import progress
from model_contracts.cli.reports import formats, refuse_format, tell, wants_tables
from model_contracts.outcome import BROKEN, FALSIFIED, USAGE, Evidence, Run
from model_contracts.terminal import safe

if TYPE_CHECKING:  # the engine is imported once the words of the command are understood
    from model_contracts.engine.plan import CheckRequest
    from model_contracts.tables import TensorTable


#: The longest time budget, in seconds: a week.
_LONGEST = 604_800


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        type=Path,
        help="a model: a file, a shard index or a folder; several: a folder or pattern",
    )
    _held_to(parser)
    parser.add_argument("--group-by", choices=("release",), help="of several files: a table for each release")
    formats(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="print the verdict lines only")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="keep evidence.json and run.json there")
    parser.add_argument("--force", action="store_true", help="replace evidence in DIR, whoever wrote it")
    parser.add_argument(
        "--resume", action="store_true", help="go on where a run that was ended left its outcomes in DIR"
    )
    _tried(parser)
    parser.add_argument("--plan", action="store_true", help="print which gates would be evaluated, and stop")
    parser.add_argument("--no-color", action="store_true", help="no colours")
    judged.configure(parser)
    changed.configure(parser)


def _held_to(parser: argparse.ArgumentParser) -> None:
    """What the model is held to."""
    parser.add_argument("--against", metavar="SOURCE", type=Path, help="the model that PATH was made from")
    parser.add_argument(
        "--adapter", metavar="DIR", type=Path, help="the adapter that PATH is to have, merged into SOURCE"
    )
    parser.add_argument("--golden", metavar="FILE", type=Path, help="hold it to a golden file (contracts golden)")
    parser.add_argument("--contract", metavar="ID|FILE", help="the contract to hold it to (contracts list contracts)")
    parser.add_argument("--dtype", metavar="RECIPE", help="the element types that were asked for (BF16, Q4_K_M, ...)")
    parser.add_argument(
        "--tokenizer", metavar="PATH", type=Path, help="the tokenizer.json that stands for SOURCE's own"
    )
    parser.add_argument(
        "--only", metavar="GATE", action="append", default=[], help="only this gate (repeat; * matches)"
    )
    parser.add_argument("--skip", metavar="GATE", action="append", default=[], help="not this gate (repeat; * matches)")


def _tried(parser: argparse.ArgumentParser) -> None:
    """What is generated and what is run."""
    parser.add_argument("--seed", type=Between(0, SEEDS), metavar="N", help="seed of generated inputs")
    parser.add_argument(
        "--max-examples", type=Between(1, 1_000_000), metavar="N", help="generated inputs a property tries"
    )
    parser.add_argument(
        "--time-budget",
        type=_seconds,
        metavar="SECONDS",
        help="after which a property that is still trying is not proven",
    )
    parser.add_argument(
        "--bisect", action="store_true", help="where distributions differ, name the first module that departs"
    )
    parser.add_argument(
        "--runtime", metavar="NAME|FILE", help="continue prompts with this runtime (contracts runtimes)"
    )


def run(arguments: argparse.Namespace) -> int:
    """0 kept, 1 falsified, 3 not proven, 4 the checker itself could not work."""
    from model_contracts.engine.plan import CheckRequest, UsageError
    from model_contracts.formats.several import left_below, models_at

    refuse_format(arguments)
    request = CheckRequest(
        paths=tuple(arguments.paths) if changed.asked(arguments) else models_at(arguments.paths),
        against=arguments.against,
        adapter=arguments.adapter,
        golden=arguments.golden,
        contract=arguments.contract,
        dtype=arguments.dtype,
        tokenizer=arguments.tokenizer,
        only=split(arguments.only),
        skip=split(arguments.skip),
        seed=arguments.seed,
        max_examples=arguments.max_examples,
        time_budget=arguments.time_budget,
        bisect=arguments.bisect,
        runtime=arguments.runtime,
        group_by=arguments.group_by,
        command=("contracts", *arguments.words),
    )
    for said in () if changed.asked(arguments) else left_below(arguments.paths):
        print(f"contracts: {safe(said)}", file=sys.stderr)
    requests = changed.requests(arguments, request)
    if not requests:
        print(safe(changed.nothing(arguments)), file=sys.stdout if arguments.format in (None, "text") else sys.stderr)
        return 0
    if arguments.plan:
        print("\n".join(line for one in requests for path in one.paths for line in _planned(one, path)))
        return 0
    if arguments.output is not None:
        arguments.force = arguments.force or (arguments.resume and _was_ended(arguments.output))
        refuse_output(arguments.output, force=arguments.force)
        refuse_foreign(arguments)
    elif arguments.resume:
        raise UsageError("--resume goes on in the folder of -o DIR, and none is given")
    return _check(requests, arguments)


def _check(requests: tuple[CheckRequest, ...], arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from model_contracts.engine.run import Checking

    tables: list[TensorTable] = []
    kept = tables.append if arguments.output is not None or wants_tables(arguments) else None
    paths = [path for request in requests for path in request.paths]
    asked = judged.judging(arguments, paths, arguments.contract)
    with progress("reading") as callback:
        checking = Checking([replace(request, progress=callback, tables=kept) for request in requests])
        if arguments.output is not None and (said := checking.keep(arguments.output, resume=arguments.resume)):
            print(f"contracts: {safe(said)}", file=sys.stderr)
        outcomes, record = checking.finish()
    if asked is not None:
        from model_contracts.engine.judging import judge

        outcomes, record = judge(outcomes, record, asked)
    code = int(record.decision.exit_code)
    if arguments.output is not None:
        written = wrote(arguments.output, outcomes, record, force=arguments.force, tables=tables)
        code = tell(arguments, outcomes, record, code if written else unwritten(code), tables)
        if written:  # and so are the reports: what ended before them is gone on with
            checking.kept()
        return code
    return tell(arguments, outcomes, record, code, tables)


def _was_ended(directory: Path) -> bool:
    from model_contracts.engine.unfinished import was_ended

    return was_ended(directory)


def refuse_output(directory: Path, *, force: bool) -> None:
    """Raises UsageError and Unusable, before anything is read, for a place that evidence of a check cannot take."""
    from model_contracts.engine.evidence import refuse_existing
    from model_contracts.engine.plan import UsageError

    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory}: evidence needs a directory, and this is a file")
    refuse_existing(directory, None, force=force)


def refuse_foreign(arguments: argparse.Namespace) -> None:
    """Raises Unusable where a file of others lies in the place of the journal; to resume, and by force, it goes."""
    if arguments.force or arguments.resume:
        return
    from model_contracts.engine.unfinished import refuse_foreign as refuse

    refuse(arguments.output)


def keep(directory: Path, outcomes: Evidence, record: Run, code: int, *, force: bool = False) -> int:
    """Write the evidence; where it cannot be written the report is still printed, and a falsified file stays so."""
    return code if wrote(directory, outcomes, record, force=force) else unwritten(code)


def wrote(
    directory: Path, outcomes: Evidence, record: Run, *, force: bool = False, tables: Sequence[TensorTable] = ()
) -> bool:
    """Write the evidence; False, and told on stderr, where it cannot be."""
    from model_contracts.engine.evidence import Unusable, write

    try:
        write(directory, outcomes, record, force=force, tables=tables)
    except Unusable as error:
        print(f"contracts: {safe(str(error))}", file=sys.stderr)
        return False
    return True


def unwritten(code: int) -> int:
    """The exit code of a run whose evidence could not be written."""
    return code if code in (FALSIFIED, BROKEN) else int(USAGE)


def _planned(request: CheckRequest, path: Path) -> Iterable[str]:
    from model_contracts.engine.plan import plan

    planned = plan(request, path)
    yield f"{safe(str(path))}: {len(planned.steps)} gates"
    for step in planned.steps:
        yield f"  {step.force:<6}  {step.gate.id}  {step.gate.title}  [{step.invariant.id}]"
    for gate, reason in planned.not_evaluated.items():
        yield f"  –       {gate}  {reason}"
    for note in planned.notes:
        yield f"  note: {safe(note)}"


def split(values: list[str]) -> tuple[str, ...]:
    """Gates that were given one by one or with commas between them."""
    return tuple(gate for value in values for gate in value.split(",") if gate)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= _LONGEST:
        raise argparse.ArgumentTypeError(f"must be more than 0 and at most {_LONGEST:,}")
    return value
