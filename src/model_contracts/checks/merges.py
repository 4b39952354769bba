"""Kind `merges`: every merge of a BPE tokenizer joins two tokens into a third."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.checks.interface import Examination, NoParameters, Where, not_owed, tokenizer_of
from model_contracts.ledger import KEPT
from model_contracts.outcome import Comparison, Place, jsonable


def merges(examination: Examination, parameters: NoParameters, where: Where) -> Iterator[Comparison]:
    """Compare each merge with the vocabulary: both halves are tokens, and so is what they make."""
    tokenizer = tokenizer_of(examination.target)
    if tokenizer.algorithm != "BPE":
        raise not_owed(f"a {tokenizer.algorithm} tokenizer has no merges")
    file = tokenizer.origin.name
    if not tokenizer.merges:
        yield Comparison(
            measure="merges_present",
            place=Place(file=file),
            expected="merges, for the tokenizer is BPE",
            observed=None,
            holds=False,
            note="without merges every text falls apart into single bytes",
        )
        return
    # A token whose id was given to another one as well is a token; its double is the vocabulary gate's to say.
    known = {*tokenizer.ids, *(token for token, _, _ in tokenizer.duplicates)}
    broken = [
        (rank, left, right)
        for rank, (left, right) in enumerate(tokenizer.merges)
        if left + right not in known or left not in known or right not in known
    ]
    for rank, left, right in broken[:KEPT]:
        absent = next(part for part in (left, right, left + right) if part not in known)
        yield Comparison(
            measure="merge_rebuilds_token",
            place=Place(file=file, key=f"merges[{rank}]"),
            expected="three tokens of the vocabulary",
            observed=jsonable(f"{left!r} + {right!r}: {absent!r} is no token"),
            holds=False,
        )
    if len(broken) < len(tokenizer.merges):
        held = len(tokenizer.merges) - len(broken)
        yield Comparison(measure="merge_rebuilds_token", place=Place(file=file), holds=True, count=held)
    seen = len(set(tokenizer.merges))
    yield Comparison(
        measure="merge_unique",
        place=Place(file=file),
        expected=len(tokenizer.merges),
        observed=seen,
        holds=seen == len(tokenizer.merges),
    )
