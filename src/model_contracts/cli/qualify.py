"""Owns `contracts qualify`: parses the request, has it run, keeps the evidence, and prints the report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from model_contracts.cli import judged
from model_contracts.cli.check import keep, split
from model_contracts.cli.numbers import Between
from model_contracts.cli.reports import formats, refuse_format, tell
from model_contracts.terminal import safe

if TYPE_CHECKING:
    from model_contracts.qualification.request import QualifyRequest


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "playbook", metavar="PLAYBOOK", nargs="?", help="a playbook: a YAML file, or a shipped one's id"
    )
    parser.add_argument(
        "--model-path", metavar="PATH", type=Path, help="the source: a file, a folder or a cache snapshot"
    )
    parser.add_argument("--pull", action="store_true", help="download the playbook's model from the hub")
    parser.add_argument("--system", metavar="ID|FILE", help="the system under test, in place of the playbook's")
    parser.add_argument("--no-gpu", action="store_true", help="leave the GPU out: its gates are skipped")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="evidence and workspace (qualification/NAME)")
    parser.add_argument(
        "--workers", type=Between(1, 256), default=1, metavar="N", help="artifacts are made ahead by N - 1"
    )
    parser.add_argument(
        "--only", metavar="GATE", action="append", default=[], help="only this gate (repeat; * matches)"
    )
    parser.add_argument("--skip", metavar="GATE", action="append", default=[], help="not this gate (repeat; * matches)")
    parser.add_argument(
        "--failure-policy",
        choices=("stop-on-first", "stop-on-must", "collect-all"),
        help="what a gate that fails ends, in place of the playbook's",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run that DIR holds")
    parser.add_argument("--keep", action="store_true", help="leave every artifact in the workspace")
    parser.add_argument("--plan", action="store_true", help="print which gates would be evaluated, and stop")
    parser.add_argument(
        "--init", metavar="MODEL", type=Path, help="print a playbook made from a model's config, and stop"
    )
    parser.add_argument("--tier", choices=("smoke", "mvp", "full"), default="mvp", help="of the playbook of --init")
    parser.add_argument("--lock", action="store_true", help="record the playbook's digest beside it, and stop")
    formats(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="print the verdict lines only")
    parser.add_argument("--force", action="store_true", help="replace files of --report")
    parser.add_argument("--no-color", action="store_true", help="no colours")
    judged.configure(parser)


def run(arguments: argparse.Namespace) -> int:
    """0 kept, 1 falsified, 3 not proven, 4 the checker itself could not work."""
    from model_contracts.engine.plan import UsageError

    if arguments.init is not None:
        from model_contracts.qualification.starting import playbook_of

        sys.stdout.write(playbook_of(arguments.init, arguments.tier))
        return 0
    if arguments.playbook is None:
        raise UsageError("a playbook is needed: a YAML file, or one of contracts list playbooks")
    if arguments.lock:
        from model_contracts.qualification.locking import lock

        print(safe(lock(arguments.playbook)))
        return 0
    refuse_format(arguments)
    request = _request(arguments)
    if arguments.plan:
        print("\n".join(_planned(request)))
        return 0
    return _qualify(request, arguments)


def _request(arguments: argparse.Namespace) -> QualifyRequest:
    from model_contracts.paths import component, model_parts
    from model_contracts.qualification.playbooks import opened
    from model_contracts.qualification.request import QualifyRequest
    from model_contracts.qualification.sources import locate

    found = opened(arguments.playbook)
    source = locate(arguments.model_path, found.playbook.model.id, pull=arguments.pull)
    return QualifyRequest(
        playbook=found.playbook,
        named=arguments.playbook,
        model_path=source,
        output=arguments.output or Path("qualification") / component(model_parts(found.playbook.model.id)[1]),
        system=arguments.system,
        gpu=not arguments.no_gpu,
        workers=arguments.workers,
        only=split(arguments.only),
        skip=split(arguments.skip),
        failure=arguments.failure_policy,
        resume=arguments.resume,
        keep=arguments.keep,
        lock=found.lock,
        not_evaluated=found.not_evaluated,
        command=("contracts", *arguments.words),
    )


def _qualify(request: QualifyRequest, arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from model_contracts.qualification.run import qualify

    asked = judged.judging(arguments, (request.model_path, request.output))
    outcomes, record = qualify(replace(request, tell=_teller()))
    if asked is not None:
        from model_contracts.engine.judging import judge

        outcomes, record = judge(outcomes, record, asked)
    code = keep(request.output, outcomes, record, int(record.decision.exit_code))
    return tell(arguments, outcomes, record, code)


def _teller() -> Callable[[int, int, str], None] | None:
    """Says on a terminal which gate is being evaluated."""
    if not sys.stderr.isatty():
        return None

    def tell(at: int, count: int, key: str) -> None:
        print(f"\r\x1b[K{at + 1}/{count}  {safe(key)}", end="" if at + 1 < count else "\n", file=sys.stderr, flush=True)

    return tell


def _planned(request: QualifyRequest) -> Iterator[str]:
    from model_contracts.qualification.run import prepared

    source, settled, planned = prepared(request)
    yield f"{safe(settled.playbook.id)} on {safe(str(source.path))}: {len(planned.steps)} gates, {settled.system.title}"
    for step in planned.steps:
        yield f"  {step.force:<6}  {safe(step.key)}  {step.gate.title}"
    for gate, reason in (*planned.not_evaluated.items(), *request.not_evaluated):
        yield f"  –       {safe(gate)}  {safe(reason)}"
