"""Owns why a gate of a qualification does not hold: what a conversion did on the way, else what the gate itself met."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, cast

from model_contracts.formats.opening import open_artifact
from model_contracts.outcome import Cause, Comparison, Component, Outcome, Verdict
from model_contracts.qualification import causes, commands, statements
from model_contracts.qualification.chains import Chain
from model_contracts.qualification.interface import QualificationStep
from model_contracts.qualification.programs import converter_name, runtime_name
from model_contracts.qualification.workshop import Workshop

if TYPE_CHECKING:
    from model_contracts.qualification.request import QualifyRequest

#: Kinds of gates that run a model; what they meet lies in a runtime where the files are what they should be.
_RUN = ("answers", "tokens_per_second", "seconds_to_first_token", "peak_memory", "same_answers")
_OF_RUNTIMES = ("same_prompt_tokens", "same_distributions")
_OF_CONVERTERS = ("dotted_folder", "tokenizer_given", "quantised")
_SAYS = {
    "dotted_folder": " does not take a folder whose name has dots",
    "tokenizer_given": " refuses weights without a tokenizer where the tokenizer is given",
}
_FRAMED = ("prompt_tokens", "prompt_length")


def diagnosed(outcome: Outcome, step: QualificationStep, workshop: Workshop, request: QualifyRequest) -> Outcome:
    """The outcome with its causes; as it is where it holds or is not owed."""
    if outcome.outcome is Verdict.CORROBORATED or outcome.skip_cause == "not_owed":
        return outcome
    first = next((comparison for comparison in outcome.comparisons if not comparison.holds), None)
    before = causes.merged(*(_on_the_way(chain, 2, workshop, request) for chain in step.chains))
    near = causes.merged(*(_on_the_way(chain, _from(step, chain), workshop, request) for chain in step.chains))
    own = _own(outcome, step, workshop, first, request)
    closing = causes.closing(outcome, near) or causes.closing(outcome, before)
    if not before and own.component != "environment":
        workshop.blamed.add(own.key)  # seen on an artifact that nothing is wrong with: elsewhere it is the same thing
    if _framing(first) and own.key in workshop.blamed:
        # A program that frames by format does so whatever the file lacks; what it lacks frames it otherwise again.
        told = (own, *closing)
    else:
        told = (own,) if own.key in workshop.blamed or not closing else closing
    return outcome.model_copy(update={"causes": told})


def _from(step: QualificationStep, chain: Chain) -> int:
    """The length of the chain at the first conversion that a gate compares the two sides of."""
    if step.gate.check == "round_trip":
        return len(step.chains[2]) + 1 if chain == step.chains[0] else len(chain) + 1
    if step.gate.check in ("conversion", "answers_kept", "same_answers"):
        return len(chain) if chain == step.chains[0] else len(chain) + 1
    return 2


def _on_the_way(chain: Chain, first: int, workshop: Workshop, request: QualifyRequest) -> tuple[Cause, ...]:
    """What went wrong on the way to an artifact, the first conversion first, each shown again from the source."""
    found: list[tuple[Cause, ...]] = []
    for end in range(first, len(chain) + 1):
        again = commands.conversion(workshop.settled, workshop.source, str(request.model_path), chain[:end])
        caused = workshop.held(chain[:end]).causes
        found.append(tuple(cause.model_copy(update={"reproduction": again}) for cause in caused))
    return causes.merged(*found)


def _own(
    outcome: Outcome, step: QualificationStep, workshop: Workshop, first: Comparison | None, request: QualifyRequest
) -> Cause:
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
        reproduction=_shown_again(workshop, step, first, request),
    )


def _component(step: QualificationStep, workshop: Workshop, first: Comparison | None) -> tuple[Component, str]:
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


def _kind(outcome: Outcome, step: QualificationStep, first: Comparison | None) -> str:
    """The end of a cause's key: what happened, in a word."""
    if outcome.outcome in (Verdict.TIMEOUT, Verdict.CRASHED):
        return outcome.outcome.value.lower()
    if outcome.outcome is Verdict.SKIPPED:
        return outcome.reason.split(":")[0][:60].strip().replace(" ", "-")
    if first is None:
        return step.gate.check
    if _framing(first):
        return "framing"
    if step.gate.check in _OF_CONVERTERS:
        return step.gate.check
    if first.measure in ("answer", "tokens", "runtime_answers"):
        nothing = first.observed == 0 or "nothing" in str(first.observed)
        return "answers-nothing" if nothing else "refuses"
    return first.measure


def _statement(name: str, outcome: Outcome, step: QualificationStep, first: Comparison | None) -> str:
    says = _SAYS.get(step.gate.check, "")
    if first is not None and first.measure == "prompt_length":
        before, after = (step.scenario.chain or ("", ""))[-2:]
        way, _, prompt = (first.place.key or "").partition(": ")
        return (
            f"{name} frames a prompt by the format of the file: {way} makes {first.expected} tokens of {prompt!r} for "
            f"{before}, {first.observed} for {after}"
        )
    if first is not None and step.gate.check == "tokenizer_given":
        return f"{name}{says}: {first.observed}"
    if first is not None and step.gate.check == "dotted_folder":
        return f"{name}{says}: {statements.of_values([first])}"
    return f"{name}{says}: {outcome.reason}"[:400]


def _framing(first: Comparison | None) -> bool:
    return first is not None and first.measure in _FRAMED


def _shown_again(workshop: Workshop, step: QualificationStep, first: Comparison | None, request: QualifyRequest) -> str:
    """The shortest command that shows it: the program's own where there is one, else the gate alone."""
    settled, named = workshop.settled, str(request.model_path)
    if step.gate.check == "dotted_folder":
        return commands.looked_at(settled, named) or _again(request, step)
    sidecar = workshop.source.sidecars.get("tokenizer")
    if step.gate.check == "tokenizer_given" and settled.weights_only is not None and sidecar is not None:
        weights, chain = open_artifact(settled.weights_only), step.scenario.chain
        tokenizer = Path(named) / sidecar.path.name if Path(named).is_dir() else sidecar.path
        return commands.conversion(settled, weights, str(weights.path), cast("Chain", chain), tokenizer)
    if first is not None and first.measure == "prompt_length" and len(step.scenario.chain) == 2:
        return _framed_again(workshop, step, first, named) or _again(request, step)
    return _again(request, step)


def _framed_again(workshop: Workshop, step: QualificationStep, first: Comparison, named: str) -> str:
    """A conversion, and one prompt to both of its ends."""
    settled, source = workshop.settled, workshop.source
    before, after = cast("Chain", step.scenario.chain)
    way, _, prompt = (first.place.key or "").partition(": ")
    weights = f"{named}/{source.files[0].name}" if source.path.is_dir() else named
    target = commands.artifact_name(settled, (before, after))
    ends = [
        commands.asked(settled, weights, before, way, prompt),
        commands.asked(settled, target, after, way, prompt),
    ]
    made = commands.conversion(settled, source, named, (before, after)).split("  # ", 1)[0]
    return " && ".join([made, *ends]) if all(ends) else ""


def _again(request: QualifyRequest, step: QualificationStep) -> str:
    """The gate alone, as a command."""
    words = ["contracts", "qualify", request.named, "--model-path", str(request.model_path)]
    if request.system is not None:
        words += ["--system", request.system]
    if not request.gpu:
        words.append("--no-gpu")
    return shlex.join([*words, "--only", step.gate.id, "-o", "again"])
