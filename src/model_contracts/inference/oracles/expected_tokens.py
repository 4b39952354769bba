"""Owns the oracle of expected tokens: ids that a playbook lists, or what a golden file's model found likeliest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from model_contracts.golden import Golden
from model_contracts.inference.golden_answers import decoded
from model_contracts.inference.oracles.interface import Answer, Held, Oracle, Skipped, Where
from model_contracts.outcome import Comparison, Place, Record

TokenId = Annotated[int, Field(ge=0, lt=1 << 31)]


class ExpectedTokens(Record):
    """Ids to expect; without them, what the golden file says that came with the answer."""

    tokens: tuple[TokenId, ...] = Field((), description="The answer begins with these.")
    tolerance: float = Field(
        0.1, ge=0, description="Nats that a token may be less likely than the golden model's likeliest."
    )


def held(answer: Answer, parameters: ExpectedTokens, where: Where) -> Iterator[Held]:
    """One comparison a position: an id against a listed one, or against what a golden file's model found likeliest."""
    if answer.tokens is None:
        yield Skipped("missing_input", "the runtime tells no token ids of its answer")
    elif parameters.tokens:
        yield from _listed(answer.tokens, parameters.tokens, where("tokens"))
    elif answer.golden is None:
        yield Skipped("missing_input", "neither token ids nor a golden file say what to expect")
    elif answer.prompt_tokens is None:
        yield Skipped("missing_input", "the runtime tells no token ids of the prompt")
    else:
        found = list(_likeliest(answer.golden, answer.prompt_tokens, answer.tokens, parameters, where("tolerance")))
        yield from found
        if not found:
            yield Skipped("missing_input", "the golden file answers no prompt of these tokens")


def _listed(tokens: Sequence[int], expected: Sequence[int], source: str) -> Iterator[Comparison]:
    for at, token in enumerate(expected):
        seen = tokens[at] if at < len(tokens) else None
        yield _compared(at, token, seen, source, holds=seen == token)
        if seen != token:  # greedy answers that part go on apart: what follows says nothing
            return


def _likeliest(
    golden: Golden, prompt: Sequence[int], tokens: Sequence[int], parameters: ExpectedTokens, source: str
) -> Iterator[Comparison]:
    """Wherever a golden prompt begins with all that stands before a token: how much less likely it is than the best."""
    told = set[int]()
    said = [*prompt, *tokens]
    for one in golden.prompts:
        top = None
        for at in range(max(len(prompt), 1), min(len(said), one.answers.positions + 1)):
            if tuple(said[:at]) != one.tokens[:at]:
                break
            if at in told:
                continue
            told.add(at)
            top = top or decoded(one.answers, golden.vocabulary)
            ids, values = top.ids[at - 1].tolist(), top.values[at - 1]
            listed = said[at] in ids
            # One that is not among the likeliest is at least as far away as the last of them.
            apart = float(values[0] - values[ids.index(said[at]) if listed else -1])
            yield _compared(
                at - len(prompt),
                ids[0],
                said[at],
                source,
                holds=listed and apart <= parameters.tolerance,
                tolerance=parameters.tolerance,
                smallest_passing_tolerance=apart if listed else None,
                note=None if listed else f"not among the {len(ids)} likeliest, {apart:.3g} nats away at the least",
            )


def _compared(at: int, expected: int, observed: int | None, source: str, holds: bool, **more: object) -> Comparison:
    fields: dict[str, object] = {"measure": "expected_token", "place": Place(key=f"answer token {at}")}
    fields |= {"expected": expected, "observed": observed, "holds": holds, "bound_from": source}
    return Comparison.model_validate(fields | more)


#: Rounding parts two that are as likely: llama.cpp and float32 differ by up to 0.1 in a logarithm of a BF16 model.
ORACLE = Oracle(ExpectedTokens, held, "rounding between runtimes (measured: 0.1 nats at the most)")
