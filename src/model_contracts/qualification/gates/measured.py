"""Kinds that measure a runtime: tokens a second, seconds to the first token, peak memory; after a warm-up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median, pstdev
from typing import TYPE_CHECKING

from model_contracts.checks.interface import NoParameters, missing_input
from model_contracts.outcome import Comparison, Scenario
from model_contracts.playbook import Measured
from model_contracts.qualification.answered import Timings
from model_contracts.qualification.chains import Chain
from model_contracts.qualification.interface import GateKind, QualificationStep, Seeing
from model_contracts.qualification.matrix import Settled
from model_contracts.qualification.workshop import Workshop
from model_contracts.system import processes

if TYPE_CHECKING:
    from model_contracts.runtimes.session.session import ChildSession


def _every(settled: Settled, parameters: object) -> Iterator[tuple[Scenario, tuple[Chain, ...]]]:
    for format in settled.every_format:
        chain = settled.base(format)
        yield Scenario(format=format, backend="cpu", chain=chain), (chain,)


def timings(workshop: Workshop, chain: Chain) -> Timings:
    """Measured once an artifact. Raises Skip where there is no artifact or runtime."""
    workshop.artifact(chain)
    workshop.available(chain)
    if chain not in workshop.timings:
        session, measured = workshop.session(chain), workshop.settled.measured
        ask = _question(workshop, session)
        for _ in range(measured.warmup):
            ask(1)
        first = [_timed(ask, 1)[0] for _ in range(measured.runs)]
        whole = [_timed(ask, workshop.settled.tokens) for _ in range(measured.runs)]
        workshop.timings[chain] = Timings(
            tuple(seconds for seconds, _ in whole), tuple(tokens for _, tokens in whole), tuple(first)
        )
    return workshop.timings[chain]


def _question(workshop: Workshop, session: ChildSession) -> Callable[[int], int]:
    """A function that has so many tokens made, and says how many were."""
    prompt = workshop.settled.prompts[0]
    if "generate" in session.about.get("questions", ()):
        ids = session.tokens(prompt, add_special=True)
        return lambda count: len(session.generate(ids, count))

    def complete(count: int) -> int:
        told = session.complete(prompt, count)
        if told.tokens is None:
            raise missing_input(f"{session.name} does not say how many tokens it made")
        return len(told.tokens)

    return complete


def _timed(ask: Callable[[int], int], count: int) -> tuple[float, int]:
    clock = time.perf_counter()
    tokens = ask(count)
    return time.perf_counter() - clock, tokens


def tokens_per_second(
    workshop: Workshop, step: QualificationStep, parameters: NoParameters, seeing: Seeing
) -> Iterator[Comparison]:
    """Compare the median rate with the playbook's bound, or with nothing at all."""
    seeing.subject = step.chains[0]
    rates = timings(workshop, step.chains[0]).rates
    seeing.metrics |= _spread("tokens_per_second", rates)
    bound = workshop.settled.measured.min_tokens_per_second
    value = median(rates)
    yield _held(
        "tokens_per_second", value, bound, value >= (bound or 0.0) and value > 0, workshop.settled.measured, True
    )


def seconds_to_first_token(
    workshop: Workshop, step: QualificationStep, parameters: NoParameters, seeing: Seeing
) -> Iterator[Comparison]:
    """Compare the median time of one token with the playbook's bound."""
    seeing.subject = step.chains[0]
    first = timings(workshop, step.chains[0]).first
    seeing.metrics |= _spread("seconds_to_first_token", first)
    bound = workshop.settled.measured.max_seconds_to_first_token
    value = median(first)
    yield _held("seconds_to_first_token", value, bound, bound is None or value <= bound, workshop.settled.measured)


def peak_memory(
    workshop: Workshop, step: QualificationStep, parameters: NoParameters, seeing: Seeing
) -> Iterator[Comparison]:
    """Compare the peak resident memory of the runtime's process with the playbook's bound, or with its own limit."""
    chain = step.chains[0]
    seeing.subject = chain
    timings(workshop, chain)
    session = workshop.session(chain)
    if "program" in session.about:
        raise missing_input(f"{session.name} runs in processes of its own, which end with each answer")
    peak = processes.peak(session.pid)
    if peak is None:
        raise missing_input("this system does not say what a process took at its most")
    seeing.metrics["peak_memory_mb"] = peak
    bound = workshop.settled.measured.max_memory_mb or workshop.settled.limits.memory_mb
    yield _held("peak_memory_mb", peak, float(bound), peak <= bound, workshop.settled.measured)


def _spread(name: str, values: tuple[float, ...]) -> dict[str, float]:
    return {name: median(values), f"{name}_spread": pstdev(values), f"{name}_runs": float(len(values))}


def _held(
    measure: str, value: float, bound: float | None, holds: bool, measured: Measured, least: bool = False
) -> Comparison:
    return Comparison(
        measure=measure,
        expected=f"at {'least' if least else 'most'} {bound:g}" if bound is not None else "more than 0",
        observed=round(value, 6),
        holds=holds,
        tolerance=bound,
        smallest_passing_tolerance=value if bound is not None else None,
        note=f"median of {measured.runs} after {measured.warmup} to warm up" + ("" if bound else "; no bound is set"),
    )


TOKENS_PER_SECOND = GateKind(NoParameters, tokens_per_second, _every)
SECONDS_TO_FIRST_TOKEN = GateKind(NoParameters, seconds_to_first_token, _every)
PEAK_MEMORY = GateKind(NoParameters, peak_memory, _every)
