"""Owns the golden rule and I-1: generated prompts, equal token ids first, then distributions position by position."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, cast

from pydantic import Field

from model_contracts.checks.interface import Comparisons, Examination, Kind, Skip, Where, not_owed, tokenizers_of
from model_contracts.checks.running.bisect import Departure, compare_modules, first_difference, label_of
from model_contracts.checks.running.declared_parting import declared_parting
from model_contracts.checks.running.distributions import Comparing
from model_contracts.checks.running.prompt_tokens import PromptWords, compare_prompt_tokens, prompt_ids
from model_contracts.checks.running.prompts_again import run_again
from model_contracts.checks.search import search
from model_contracts.checks.trial import Trial
from model_contracts.inference.budgets import DistributionBudgets, bounds, values_kept
from model_contracts.inference.sequential import Buckets
from model_contracts.inference.sessions import own_runtime
from model_contracts.outcome import Comparison, Counterexample, Place, Record
from model_contracts.runtimes.interface import WholeRows
from model_contracts.strategies.prompts import FRAMINGS, Prompt, prompts


class PromptParameters(Record):
    """How many prompts of each framing are tried, and how long they may be."""

    examples: int = Field(12, ge=1)
    longest: int = Field(200, ge=8, description="Tokens.")


class DistributionParameters(DistributionBudgets):
    """Budgets, and on what the two sides run: the same runtime, or the target on its own."""

    target_runtime: Literal["transformers", "own"] = "transformers"
    departure: Departure | None = Field(None, description="What `--bisect` calls a departure (null: it is not asked).")


def same_prompt_tokens(
    examination: Examination, parameters: PromptParameters, where: Where, trial: Trial
) -> Comparisons:
    """Compare the ids that each side makes of generated prompts, in every framing: these come first."""
    _, tokenizer = tokenizers_of(examination)
    sessions = examination.sessions
    source, target = PromptWords(sessions, examination.source_view.artifact), PromptWords(sessions, examination.target)

    parting = declared_parting(examination)

    def same(prompt: Prompt) -> bool:
        alike = prompt_ids(source, prompt) == prompt_ids(target, prompt)
        return alike or parting.explains(prompt, source, target)

    for framing in FRAMINGS:
        if framing == "chat" and examination.source_view.artifact.chat_template is None:
            continue
        examples = trial.max_examples or parameters.examples
        strategy = prompts(tokenizer, framing, parameters.longest)
        found = search(strategy, same, examples, trial.seed, seconds=trial.time_budget)
        if found.stopped is not None:
            yield found.stopped.model_copy(update={"place": Place(key=f"{framing} framing")})
        if (tried := found.tried - parting.left_out[framing]) > 0:
            yield compare_prompt_tokens(framing, replace(found, tried=tried), source, target, trial)
        yield from parting.uncompared(framing)


def same_distributions(
    examination: Examination, parameters: DistributionParameters, where: Where, trial: Trial
) -> Comparisons:
    """Compare next-token distributions until the budget is kept or broken at the stated confidence."""
    if parameters.target_runtime == "own" and own_runtime(examination.target) == "transformers":
        raise not_owed("the target's own runtime is transformers: I-1 compares just that")
    family = examination.source_view.family or examination.view.family
    if family is not None and not family.next_token:
        raise not_owed(f"{family.title} gives no distribution of a next token")
    types = [(pair.target.dtype, pair.source.dtype) for pair in examination.match.pairings.values()]
    chosen = parameters.of(examination.intent, family.id if family else None, kept=values_kept(types))
    if chosen is None:
        label = examination.intent.label if examination.intent else "?"
        raise Skip("missing_input", f"no budget of inference is given for {label}")
    budget, pointer = chosen
    source, target = _sessions(examination, parameters.target_runtime)
    run = Comparing(source, target, parameters, Buckets(bounds(budget, parameters.confidence), parameters.edges))
    yield from run.compare(examination, trial)
    yield from run.comparisons(where, pointer)
    if trial.bisect and parameters.target_runtime == "transformers":
        yield from _first_departing(examination, parameters, where, trial)


def _first_departing(
    examination: Examination, parameters: DistributionParameters, where: Where, trial: Trial
) -> Comparisons:
    """The first module that departs on the shrunk prompt, where there is one; the counterexample tells it too."""
    stored, departure = trial.counterexample, parameters.departure
    if stored is None or not isinstance(stored.input, dict) or departure is None:
        return
    label = label_of(examination.intent)
    source, target = _sessions(examination, "transformers")
    found = first_difference(source, target, cast("list[int]", stored.input["tokens"]), departure, label)
    trial.counterexample = stored.model_copy(update={"description": f"{stored.description}; {found}"})
    yield compare_modules(found, departure, label, where)


def prompt_tokens_again(examination: Examination, parameters: PromptParameters, stored: Counterexample) -> Comparison:
    """The ids of a stored prompt again, on one runtime."""
    return run_again(stored, *_sessions(examination, "transformers"))


def distributions_again(
    examination: Examination, parameters: DistributionParameters, stored: Counterexample
) -> Comparison:
    """A stored prompt again, on the runtimes it was found on."""
    return run_again(stored, *_sessions(examination, parameters.target_runtime))


def _sessions(examination: Examination, target_runtime: str) -> tuple[WholeRows, WholeRows]:
    source, target = examination.source_view.artifact, examination.target
    name = own_runtime(target) if target_runtime == "own" else target_runtime
    return examination.sessions.both((source.path, "transformers"), (target.path, name))


SAME_DISTRIBUTIONS = Kind(DistributionParameters, same_distributions, distributions_again)
SAME_PROMPT_TOKENS = Kind(PromptParameters, same_prompt_tokens, prompt_tokens_again)
