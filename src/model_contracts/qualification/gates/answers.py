"""Kind `answers` (F-A1 to F-A6): a model loads, answers with tokens, does not crash, and says no garbage.

Answers are judged by their tokens and by the oracles that the playbook chose; no printed text is compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_contracts.checks.interface import Skip, missing_input, not_owed
from model_contracts.outcome import Comparison, Place, Record, Scenario
from model_contracts.playbook import Backend, Modality
from model_contracts.qualification.chains import Chain
from model_contracts.qualification.gates.oracles import judged
from model_contracts.qualification.interface import GateKind, QualificationStep, Seeing
from model_contracts.qualification.matrix import Settled
from model_contracts.qualification.workshop import Workshop
from model_contracts.runtimes.http.asking import Answered, ServedAnswer, ServedAnswers, serve_exchange
from model_contracts.runtimes.interface import Crashed, Refused, RuntimeFailure, TimedOut

if TYPE_CHECKING:
    from model_contracts.runtimes.session.session import ChildSession

#: Positions of a prompt whose logits are looked at for NaN.
_LOOKED_AT = 64


class AnswerParameters(Record):
    """How it is asked, and on what."""

    modality: Modality
    backend: Backend


@dataclass(frozen=True, slots=True)
class AnswerSaid:
    """One answer: ids where the runtime tells them, text where it tells that."""

    prompt: str
    tokens: tuple[int, ...] | None
    text: str | None
    count: int
    prompt_tokens: tuple[int, ...] | None = None


def _where(settled: Settled, parameters: AnswerParameters) -> Iterator[tuple[Scenario, tuple[Chain, ...]]]:
    if parameters.modality in settled.modalities and parameters.backend in settled.backends:
        for format in settled.every_format:
            chain = settled.base(format)
            scenario = Scenario(format=format, modality=parameters.modality, backend=parameters.backend, chain=chain)
            yield scenario, (chain,)


def answers(
    workshop: Workshop, step: QualificationStep, parameters: AnswerParameters, seeing: Seeing
) -> Iterator[Comparison]:
    """Compare what is answered with what any answer owes: tokens, finite logits, and what the oracles ask."""
    chain = step.chains[0]
    seeing.subject = chain
    if parameters.backend == "gpu":
        raise _no_gpu(workshop.settled)
    workshop.artifact(chain)
    workshop.available(chain)
    session = workshop.session(chain)
    yield Comparison(measure="loads", expected=True, observed=True, holds=True)
    asked = {"run": _run, "chat": _chat, "serve": _serve}[parameters.modality]
    yield from asked(workshop, session, seeing)


def unanswered(failure: RuntimeFailure, question: str) -> Comparison:
    """A question that was put and not answered."""
    return Comparison(
        measure="answer",
        place=Place(key=question),
        expected="an answer",
        observed=failure.reason[:300],
        holds=False,
        note=failure.tail.strip()[-200:] or None,
    )


def _no_gpu(settled: Settled) -> Skip:
    if not settled.gpu:
        return not_owed("the GPU was left out (--no-gpu)")
    from pathlib import Path

    if not any(Path(f"/dev/{name}").exists() for name in ("nvidia0", "kfd", "dri/renderD128")):
        return missing_input("this machine has no GPU")
    return missing_input(f"{settled.system.title}: no runtime of it is run on a GPU yet")


def _run(workshop: Workshop, session: ChildSession, seeing: Seeing) -> Iterator[Comparison]:
    questions = session.about.get("questions", ())
    said = []
    for prompt in workshop.settled.prompts:
        if "generate" in questions:
            ids = session.tokens(prompt, add_special=True)
            said.append(_generated(workshop, session, prompt, ids))
            if "logits" in questions:
                looked = session.logits(ids[:_LOOKED_AT], top=1)  # NaN is a WrongAnswer
                yield Comparison(
                    measure="finite_logits",
                    place=Place(key=prompt[:40]),
                    expected="finite",
                    observed="finite",
                    holds=True,
                    count=looked.positions,
                )
        else:
            told = session.complete(prompt, workshop.settled.tokens)
            count = len(told.tokens) if told.tokens is not None else len((told.text or "").split())
            said.append(AnswerSaid(prompt, told.tokens, told.text, count, told.prompt))
    yield from _owed(workshop, said, seeing)


def _chat(workshop: Workshop, session: ChildSession, seeing: Seeing) -> Iterator[Comparison]:
    questions = session.about.get("questions", ())
    if workshop.source.chat_template is None:
        raise not_owed("the source has no chat template")
    if "render" not in questions:
        yield from _chat_served(workshop, session, seeing)
        return
    said = []
    for prompt in workshop.settled.prompts:
        ids = session.tokens(session.render([{"role": "user", "content": prompt}]))
        said.append(_generated(workshop, session, prompt, ids))
    yield from _owed(workshop, said, seeing)


def _chat_served(workshop: Workshop, session: ChildSession, seeing: Seeing) -> Iterator[Comparison]:
    """A program that takes messages over its server alone."""
    if "address" not in session.about.get("questions", ()) or session.routes.chat is None:
        raise missing_input(f"{session.name} is given no messages, and has no server that takes them")
    told, prompt = _told(workshop, session).chat, workshop.settled.prompts[0]
    if isinstance(told, Crashed | TimedOut):
        raise told
    yield from _one_served(workshop, "chat", prompt, told, seeing)


def _generated(workshop: Workshop, session: ChildSession, prompt: str, ids: list[int]) -> AnswerSaid:
    made = session.generate(ids, workshop.settled.tokens)
    return AnswerSaid(prompt, tuple(made), session.text(made), len(made), tuple(ids))


def _owed(workshop: Workshop, said: list[AnswerSaid], seeing: Seeing) -> Iterator[Comparison]:
    for answer in said:
        yield Comparison(
            measure="tokens",
            place=Place(key=answer.prompt[:40]),
            expected="at least 1",
            observed=answer.count,
            holds=answer.count > 0,
            count=max(answer.count, 1),
        )
        yield from judged(workshop.settled, answer.prompt, answer.text, answer.tokens, answer.prompt_tokens)
    seeing.metrics["tokens"] = float(sum(answer.count for answer in said))


def _serve(workshop: Workshop, session: ChildSession, seeing: Seeing) -> Iterator[Comparison]:
    if "address" not in session.about.get("questions", ()):
        raise missing_input(f"{session.name} has no server")
    prompt, unasked = workshop.settled.prompts[0], list[str]()
    told = _told(workshop, session)
    yield Comparison(measure="ready", expected=True, observed=True, holds=True)
    for question, answer in told.asked():
        if isinstance(answer, Crashed | TimedOut):
            raise answer
        if isinstance(answer, Refused) and "declared" in answer.reason:
            continue  # the definition of the runtime says that it has no such route
        if isinstance(answer, Refused) and " answers 501 " in answer.reason:
            unasked.append(f"{question}: {answer.reason}")
        else:
            yield from _one_served(workshop, question, prompt, answer, seeing)
    if unasked:
        raise missing_input("; ".join(unasked))


def _told(workshop: Workshop, session: ChildSession) -> ServedAnswers:
    """Everything that a server is asked."""
    prompt, limits = workshop.settled.prompts[0], workshop.settled.limits
    messages = [{"role": "user", "content": prompt}]
    return serve_exchange(
        session.address(), prompt, messages, workshop.settled.tokens, limits.answer_seconds, session.routes
    )


def _one_served(
    workshop: Workshop, question: str, prompt: str, answer: Answered, seeing: Seeing
) -> Iterator[Comparison]:
    if not isinstance(answer, ServedAnswer):
        yield unanswered(answer, question)
        return
    count = answer.completion_tokens if answer.completion_tokens is not None else answer.pieces
    seeing.metrics["tokens"] = seeing.metrics.get("tokens", 0.0) + count
    if answer.first_token_seconds is not None:
        seeing.metrics.setdefault("seconds_to_first_token", answer.first_token_seconds)
    yield Comparison(
        measure="tokens",
        place=Place(key=question),
        expected="at least 1",
        observed=count,
        holds=count > 0,
        count=max(count, 1),
    )
    yield from judged(workshop.settled, prompt, answer.text, None, cut=count >= workshop.settled.tokens)


ANSWERS = GateKind(AnswerParameters, answers, _where)
