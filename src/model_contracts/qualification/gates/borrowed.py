"""Owns gates that a playbook takes from the invariants of an artifact or a pair: they stand as concluded there."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.checks.interface import missing_input
from model_contracts.engine.evaluate import evaluate, outcome_of
from model_contracts.engine.plan import CheckRequest, plan
from model_contracts.engine.run import examination_of
from model_contracts.invariant import Invariant
from model_contracts.outcome import Comparison, Evidence, Outcome, Scenario
from model_contracts.playbook import GateChoice
from model_contracts.qualification.chains import Chain
from model_contracts.qualification.gates.probes import same_answers, same_framing
from model_contracts.qualification.gates.products import made
from model_contracts.qualification.interface import QualificationStep, Seeing
from model_contracts.qualification.matrix import Settled
from model_contracts.qualification.workshop import Workshop
from model_contracts.runtimes import runtime

#: Gates that run the model, which no examination of files has concluded.
_RUN = ("same_prompt_tokens", "same_distributions")


def scenarios(
    settled: Settled, invariant: Invariant, choice: GateChoice
) -> Iterator[tuple[Scenario, tuple[Chain, ...]]]:
    """Of an artifact: the source, or every format. Of a pair: each format against the source."""
    if invariant.subject == "artifact" and choice.on == "source":
        yield Scenario(format=settled.source), (settled.base(settled.source),)
        return
    for format in settled.every_format:
        chain = settled.base(format)
        if invariant.subject == "artifact" or len(chain) > 1:
            yield Scenario(format=format, chain=chain), (chain,)


def borrowed(workshop: Workshop, step: QualificationStep, seeing: Seeing) -> Iterator[Comparison]:
    """Let the outcome of an examination stand; comparisons only where there is none to take."""
    chain = step.chains[0]
    seeing.subject = chain
    if len(chain) == 1:
        seeing.concluded = _of(workshop.examined, step)
        return
    seeing.against = chain[:-1]
    yield from made(workshop, chain)
    if step.gate.check not in _RUN:
        seeing.concluded = _of(workshop.held(chain).outcomes, step)
    elif all(_gives_logits(workshop, each) for each in (chain, chain[:-1])) and not _on_one(workshop, step, chain):
        _evaluate(workshop, step, seeing, chain)
    elif step.gate.check == "same_prompt_tokens":
        yield from same_framing(workshop, chain[:-1], chain)
    else:
        yield from same_answers(workshop, chain[:-1], chain)


def _of(outcomes: Evidence, step: QualificationStep) -> Outcome:
    found = next((outcome for outcome in outcomes if outcome.gate_id == step.gate.id), None)
    if found is None:
        raise missing_input(f"{step.gate.id} is no gate of the contract that artifacts of a qualification are held to")
    return found


def _gives_logits(workshop: Workshop, chain: Chain) -> bool:
    workshop.available(chain)
    return "logits" in runtime(workshop.runtime(chain)).installed().capabilities


def _on_one(workshop: Workshop, step: QualificationStep, chain: Chain) -> bool:
    """Whether distributions come from one runtime: I-1 asks generated prompts of that, here the probes are enough."""
    return step.gate.check == "same_distributions" and workshop.runtime(chain) == workshop.runtime(chain[:-1])


def _evaluate(workshop: Workshop, step: QualificationStep, seeing: Seeing, chain: Chain) -> None:
    """Have the engine try to falsify the invariant over the pair, on the runtimes that are open."""
    target, source = workshop.artifact(chain), workshop.artifact(chain[:-1])
    request = CheckRequest(
        paths=(target.path,),
        against=source.path,
        contract="inference",
        dtype=workshop.settled.dtype,
        only=(step.gate.id,),
        seed=None,
    )
    examination = examination_of(request, target, source, None)
    examination.shared = workshop.sessions
    (planned,) = plan(request, target.path).steps
    seeing.concluded = outcome_of(planned, examination, evaluate(planned, examination, request))
