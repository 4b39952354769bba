"""Owns how keys that no line of the table takes are compared: equal, built in, carried along, or said to be alone."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from model_contracts.anatomy.declared.declared_keys import DeclaredSide
from model_contracts.anatomy.declared.declared_words import Plain
from model_contracts.anatomy.pairing.same_values import same, shown
from model_contracts.checks.static.configuration.carried_config import as_tuple, carried_config, carries, published
from model_contracts.checks.static.configuration.declared_values import WORD, Pair
from model_contracts.outcome import Comparison, Uncompared, jsonable


def compare_rest(pair: Pair) -> Iterator[Comparison | Uncompared]:
    """Compare the keys that no line of the table takes: equal in two containers of a kind, built in, or said."""
    ours, theirs = pair.target.rest(pair.across), pair.source.rest(pair.across)
    if pair.across:
        for side, other, values in ((pair.source, pair.target, theirs), (pair.target, pair.source, ours)):
            yield from _without_counterpart(side, other, values)
        return
    mine = {pair.target.neutral(key): key for key in ours}
    his = {pair.source.neutral(key): key for key in theirs}
    for neutral in dict.fromkeys((*his, *mine)):
        place = pair.target.place(mine[neutral]) if neutral in mine else pair.source.place(his[neutral])
        expected = _or_assumed(neutral, theirs.get(his.get(neutral, "")), pair.source)
        observed = _or_assumed(neutral, ours.get(mine.get(neutral, "")), pair.target)
        if expected is None and observed is None:
            continue
        if (expected is None or observed is None) and not (neutral in mine and neutral in his):
            yield Uncompared(place=place, reason="declared on one side only, and what readers assume is not known")
            continue
        holds = expected is not None and observed is not None and same(observed, expected, pair.relative)[0]
        yield Comparison(
            measure=neutral,
            place=place,
            expected=shown(expected),
            observed=shown(observed),
            holds=holds,
            note=None if holds else "the two files declare different values",
        )


def _or_assumed(key: str, value: Plain | None, side: DeclaredSide) -> Plain | None:
    return side.keys.defaults.get(key) if value is None and side.kind == "config" else value


def _without_counterpart(
    side: DeclaredSide, other: DeclaredSide, values: dict[str, Plain | None]
) -> Iterator[Comparison | Uncompared]:
    for key, value in values.items():
        # The parts of a sentence model are compared with modules.json.
        of_parts = any(fnmatchcase(key, pattern) for pattern in ("*.pooling_type", "*.dense_*_feat_*"))
        if value is None or (of_parts and other.view.artifact.modules):
            continue
        built = [
            line
            for line in side.keys.built_in
            if line.key == key and other.architecture and other.architecture in line.architectures
        ]
        if side.kind == "config" and built:
            yield Comparison(
                measure=key,
                place=side.place(key),
                expected=[*built[0].values],
                observed=shown(value),
                holds=value in built[0].values,
                note=f"readers build this in for {other.architecture}, whatever the config says",
            )
        elif other.kind != "gguf" and side.kind == "config" and carries(other):
            theirs = carried_config(other).get(key)
            yield Comparison(
                measure=key,
                place=side.place(key),
                expected=shown(value),
                observed=jsonable(theirs),
                holds=theirs is not None and same(as_tuple(theirs), value, 1e-6)[0],
            )
        elif not published(key, value, other):
            yield Uncompared(place=side.place(key), reason=f"the {WORD[other.kind]} has no key for it")
