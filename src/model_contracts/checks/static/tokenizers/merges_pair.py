"""Kind `same_merges` (I-5, static half): the same merges in order, listed, or as the scores of tokens order them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_contracts.checks.interface import (
    Comparisons,
    Examination,
    NoParameters,
    Where,
    missing_input,
    not_owed,
    static,
)
from model_contracts.checks.static.tokenizers.tokenizer_pair import more
from model_contracts.checks.static.tokenizers.tokenizer_sides import Sides, sides_of
from model_contracts.ledger import KEPT
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable
from model_contracts.vocabulary import Tokenizer

_NORMAL = 1
_LONGEST = 256
Merge = tuple[str, str]


def same_merges(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare the merges in their order: the rank of a merge decides how a text falls apart."""
    sides = sides_of(examination)
    source, target = sides.source, sides.target
    if source.merges is None and target.merges is None:
        raise not_owed(f"a {source.algorithm} tokenizer has no merges")
    scored = [side for side in (target, source) if side.merges is None and side.algorithm == "SPM"]
    if len(scored) == 1:
        yield from _from_scores(sides, scored[0])
    elif source.merges is None:
        raise missing_input("the source lists no merges to compare with")
    else:
        yield from _sequence(target, target.merges or (), source.merges)


def _sequence(target: Tokenizer, ours: Sequence[Merge], theirs: Sequence[Merge]) -> Iterator[Comparison]:
    place = Place(file=target.origin.name)
    different = [i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b]
    if held := min(len(ours), len(theirs)) - len(different):
        yield Comparison(measure="merge_at_rank", place=place, holds=True, count=held)
    for index in different[:KEPT]:
        yield Comparison(
            measure="merge_at_rank",
            place=Place(file=target.origin.name, key=f"merges[{index}]"),
            expected=jsonable(theirs[index]),
            observed=jsonable(ours[index]),
            holds=False,
        )
    if len(different) > KEPT:
        yield more("merge_at_rank", place, len(different))
    yield Comparison(
        measure="merge_count", place=place, expected=len(theirs), observed=len(ours), holds=len(ours) == len(theirs)
    )


def _from_scores(sides: Sides, stored: Tokenizer) -> Comparisons:
    """Merges that one side lists against those that the other side's scores make: what may join, and in which order."""
    listing = sides.target if stored is sides.source else sides.source
    file = sides.target.origin.name
    place = Place(file=file, key="scores")
    if stored.scores is None or len(stored.scores) < stored.used:
        yield Comparison(
            measure="merge_of_scores",
            place=place,
            expected=f"scores that order {len(listing.merges or ()):,} merges",
            observed=None,
            holds=False,
        )
        return
    merges = [(at, pair) for at, pair in enumerate(listing.merges or ()) if _plain(listing, stored, "".join(pair))]
    known = stored.ids
    absent = [(at, pair) for at, pair in merges if any(part not in known for part in (*pair, "".join(pair)))]
    listed = {pair for _, pair in merges}
    disordered = list(_disordered(merges, stored)) if not absent else []
    for at, (left, right), why in [(at, pair, "no such tokens") for at, pair in absent][:KEPT] + disordered[:KEPT]:
        yield Comparison(
            measure="merge_of_scores",
            place=Place(file=file, key=f"merges[{at}]"),
            expected=jsonable([left, right]),
            observed=why,
            holds=False,
            note="texts that hold it fall apart otherwise",
        )
    if held := len(merges) - len(absent) - len(disordered):
        yield Comparison(measure="merge_of_scores", place=place, holds=True, count=held)
    if beyond := [pair for pair in _possible(listing, stored) if pair not in listed]:
        said = " + ".join(map(repr, beyond[0]))
        yield Uncompared(
            place=place,
            count=len(beyond),
            reason=f"the scores allow merges that are not listed ({said}); texts would have to show it",
        )


def _plain(listing: Tokenizer, stored: Tokenizer, product: str) -> bool:
    """Whether a token is made by merges: added, control, byte and unknown ones are not."""
    at = stored.ids.get(product)
    if at is None:
        return True
    types = stored.token_types
    return at not in listing.added and (types is None or at >= len(types) or types[at] == _NORMAL)


def _disordered(merges: Sequence[tuple[int, Merge]], stored: Tokenizer) -> Iterator[tuple[int, Merge, str]]:
    """Merges whose product has a higher score than one listed before it."""
    scores, ids = stored.scores or (), stored.ids
    lowest = float("inf")
    for at, pair in merges:
        score = scores[ids["".join(pair)]]
        if score > lowest:
            yield at, pair, f"score {score:g}, after one of {lowest:g}"
        else:
            lowest = score


def _possible(listing: Tokenizer, stored: Tokenizer) -> Iterator[Merge]:
    known = stored.ids
    for product in known:
        if 1 < len(product) <= _LONGEST and _plain(listing, stored, product):
            for cut in range(1, len(product)):
                if product[:cut] in known and product[cut:] in known:
                    yield product[:cut], product[cut:]


SAME_MERGES = static(NoParameters, same_merges)
