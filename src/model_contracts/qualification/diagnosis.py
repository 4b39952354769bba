"""Owns why a gate of a qualification does not hold: what a conversion did on the way, else what the gate itself met."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from model_contracts.outcome import Cause, Comparison, Component, Outcome, Verdict
from model_contracts.qualification import causes
from model_contracts.qualification.interface import Chain, Step
from model_contracts.qualification.programs import converter_name, runtime_name
from model_contracts.qualification.workshop import Workshop

if TYPE_CHECKING:
    from model_contracts.qualification.run import QualifyRequest

#: Kinds of gates that run a model; what they meet lies in a runtime where the files are what they should be.
_RUN = ("answers", "tokens_per_second", "seconds_to_first_token", "peak_memory", "same_answers")
_OF_RUNTIMES = ("same_prompt_tokens", "same_distributions")
_OF_CONVERTERS = ("dotted_folder", "tokenizer_given")
_SAYS = {
    "dotted_folder": " does not take a folder whose name has dots",
    "tokenizer_given": " refuses weights without a tokenizer where the tokenizer is given",
}
_FRAMED = ("prompt_tokens", "prompt_length")


def diagnosed(outcome: Outcome, step: Step, workshop: Workshop, request: QualifyRequest) -> Outcome:
    """The outcome with its causes; as it is where it holds or is not owed."""
    if outcome.outcome is Verdict.CORROBORATED or outcome.skip_cause == "not_owed":
        return outcome
    first = next((comparison for comparison in outcome.comparisons if not comparison.holds), None)
    before = causes.merged(*(workshop.causes(chain) for chain in step.chains if len(chain) > 1))
    own = _own(outcome, step, workshop, first, request)
    if own is not None and ((_framing(first) and not _tokenizers_differ(before)) or own.key in workshop.blamed):
        return outcome.model_copy(update={"causes": (own,)})
    if before:
        return outcome.model_copy(update={"causes": before})
    workshop.blamed.add(own.key)  # seen on an artifact that nothing is wrong with: elsewhere it is the same thing
    return outcome.model_copy(update={"causes": (own,)})


def _own(outcome: Outcome, step: Step, workshop: Workshop, first: Comparison | None, request: QualifyRequest) -> Cause:
    """What the gate itself met."""
    component, name = _component(step, workshop, first)
    if outcome.outcome is Verdict.ERROR:
        component, name = "checker", "contracts"
    if outcome.outcome is Verdict.SKIPPED:
        component, name = "environment", "environment"
    kind = _kind(outcome, step, first)
    return Cause(
        key=f"{component}/{name}/{kind}",
        component=component,
        statement=_statement(name, outcome, step, first),
        reproduction=_again(request, step),
    )


def _component(step: Step, workshop: Workshop, first: Comparison | None) -> tuple[Component, str]:
    chain = step.chains[0] if step.chains else ()
    ran = step.gate.check in (*_RUN, *_OF_RUNTIMES) or _framing(first) or (first and first.measure in _MEASURED)
    if ran and chain:
        return "runtime", _runtime(workshop, chain)
    if len(chain) > 1 or step.gate.check in _OF_CONVERTERS:
        return "converter", converter_name(workshop.settled.system)
    return "source", "source"


#: Measures of answers, whatever gate took them.
_MEASURED = ("greedy_tokens", "mean_divergence", "divergence_99", "runtime_answers")


def _runtime(workshop: Workshop, chain: Chain) -> str:
    return runtime_name(workshop.settled.system.runtimes.get(chain[-1], "runtime"))


def _kind(outcome: Outcome, step: Step, first: Comparison | None) -> str:
    """The end of a cause's key: what happened, in a word."""
    if outcome.outcome in (Verdict.TIMEOUT, Verdict.CRASHED):
        return outcome.outcome.value.lower()
    if outcome.outcome is Verdict.SKIPPED:
        return outcome.reason.split(":")[0][:60].strip().replace(" ", "-")
    if first is None:
        return step.gate.check
    if _framing(first):
        return "framing"
    if first.measure in ("answer", "tokens", "runtime_answers"):
        nothing = first.observed == 0 or "nothing" in str(first.observed)
        return "answers-nothing" if nothing else "refuses"
    return first.measure


def _statement(name: str, outcome: Outcome, step: Step, first: Comparison | None) -> str:
    if first is not None and first.measure == "prompt_length":
        before, after = (step.scenario.chain or ("", ""))[-2:]
        return (
            f"{name} frames a prompt by the format of the file: {first.expected} tokens of {first.place.key!r} for "
            f"{before}, {first.observed} for {after}"
        )
    says = _SAYS.get(step.gate.check, "")
    return f"{name}{says}: {outcome.reason}"[:400]


def _framing(first: Comparison | None) -> bool:
    return first is not None and first.measure in _FRAMED


def _tokenizers_differ(before: tuple[Cause, ...]) -> bool:
    return any("/tokenizer" in cause.key for cause in before)


def _again(request: QualifyRequest, step: Step) -> str:
    """The gate alone, as a command."""
    words = ["contracts", "qualify", request.named, "--model-path", str(request.model_path)]
    if request.system is not None:
        words += ["--system", request.system]
    if not request.gpu:
        words.append("--no-gpu")
    return shlex.join([*words, "--only", step.gate.id, "-o", "again"])
