"""Kind `merges`: every merge of a BPE tokenizer joins two tokens into a third."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import add

from model_contracts.checks.interface import Examination, NoParameters, Where, not_owed, static, tokenizer_of
from model_contracts.ledger import KEPT
from model_contracts.outcome import Comparison, Place, jsonable
from model_contracts.vocabulary import Tokenizer


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
    yield from _rebuild(tokenizer, file, tokenizer.merges)


def _rebuild(tokenizer: Tokenizer, file: str, merges: Sequence[tuple[str, str]]) -> Iterator[Comparison]:
    known = _known(tokenizer)
    lefts, rights = zip(*merges, strict=True)
    joined = set(map(add, lefts, rights))
    # Sets first: a vocabulary has a hundred thousand merges, and nearly always every one of them holds.
    holds = joined.union(lefts, rights) <= known
    broken = [] if holds else [merge for merge in _ranked(merges) if not known.issuperset(_parts(merge))]
    for rank, left, right in broken[:KEPT]:
        absent = next(part for part in _parts((rank, left, right)) if part not in known)
        yield Comparison(
            measure="merge_rebuilds_token",
            place=Place(file=file, key=f"merges[{rank}]"),
            expected="three tokens of the vocabulary",
            observed=jsonable(f"{left!r} + {right!r}: {absent!r} is no token"),
            holds=False,
        )
    if len(broken) < len(merges):
        held = len(merges) - len(broken)
        yield Comparison(measure="merge_rebuilds_token", place=Place(file=file), holds=True, count=held)
    whole = len(joined) == len(merges)
    seen = len(merges) if whole else len(set(merges))
    yield Comparison(
        measure="merge_unique",
        place=Place(file=file),
        expected=len(merges),
        observed=seen,
        holds=seen == len(merges),
    )


def _ranked(merges: Sequence[tuple[str, str]]) -> Iterator[tuple[int, str, str]]:
    return ((rank, left, right) for rank, (left, right) in enumerate(merges))


def _parts(merge: tuple[int, str, str]) -> tuple[str, str, str]:
    _, left, right = merge
    return left, right, left + right


def _known(tokenizer: Tokenizer) -> set[str]:
    """Every token. One whose id was given to another as well is a token too; its double is another gate's to say."""
    return {*tokenizer.ids, *(token for token, _, _ in tokenizer.duplicates)}


MERGES = static(NoParameters, merges)
