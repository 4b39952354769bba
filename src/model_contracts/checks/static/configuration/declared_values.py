"""Owns how one declared value is held to its counterpart: equal, lost, invented, built in, or without one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from model_contracts.anatomy.declared.declared_keys import DeclaredSide, Said
from model_contracts.anatomy.declared.declared_words import alike
from model_contracts.anatomy.pairing.same_values import same, shown
from model_contracts.checks.static.configuration.carried_config import published
from model_contracts.outcome import Comparison, Place, Uncompared

WORD = {"gguf": "GGUF", "apr": ".apr", "config": "config.json"}
#: llama.cpp counts the tokens of a GGUF; G0-INTEGRITY-CONFIG compares their number with the rows.
_COUNTED = "vocab_size"


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides, and how near two numbers are the same."""

    target: DeclaredSide
    source: DeclaredSide
    relative: float
    bound_from: str

    @property
    def across(self) -> bool:
        """Whether the two are different kinds of container."""
        return self.target.kind != self.source.kind

    @property
    def known(self) -> bool:
        """Whether a family is known for both."""
        return self.target.view.family is not None and self.source.view.family is not None

    def measured(self, *keys: str) -> bool:
        """Whether the GGUF's architecture was measured (to write one of these keys, where any are given)."""
        gguf = next((side for side in (self.target, self.source) if side.form.prefixed_keys), None)
        if gguf is None:
            return True
        written = self.target.keys.measured.get(gguf.architecture)
        if written is None:
            return False
        return not keys or any(key.removeprefix(f"{gguf.architecture}.") in written for key in keys)


def compare_value(name: str, pair: Pair) -> Iterator[Comparison | Uncompared]:
    """Compare one value of the table."""
    ours, theirs = pair.target.said.get(name), pair.source.said.get(name)
    both_alike = pair.target.kind == pair.source.kind == "config"
    if ours is not None and theirs is not None:
        both_alike |= alike(ours.value, theirs.value)  # as where both are switched off
    if theirs is not None and ours is not None and not theirs.enabled and _otherwise(name, pair):
        yield from _invented(name, ours, pair)  # what the source writes does not count: another value is made of it
    elif theirs is not None and ours is not None and not ours.enabled and _unasked(name, pair):
        yield from _lost(name, theirs, pair)
    elif theirs is not None and ours is not None and (theirs.enabled or ours.enabled or both_alike):
        yield _equal(name, ours, theirs, pair)
    elif not pair.across and (unlike := _explicitly(name, ours, theirs, pair)) is not None:
        yield unlike
    elif pair.across and pair.target.table[name].alone and (ours is None) != (theirs is None):
        return
    elif theirs is not None and ours is None and theirs.enabled:
        yield from _lost(name, theirs, pair)
    elif ours is not None and (theirs is None or not theirs.enabled):
        yield from _invented(name, ours, pair)
    elif ours is None and theirs is None and pair.across:
        yield from _undeclared(name, pair)


def _otherwise(name: str, pair: Pair) -> bool:
    """Whether readers of the source compute with another value, made or assumed, where a declared one is off."""
    return pair.source.makes(name) or (pair.across and pair.source.assumed(name) is not None)


def _unasked(name: str, pair: Pair) -> bool:
    """Whether readers of the target take a value of their own where the declared one is off."""
    return pair.across and pair.target.assumed(name) is not None


def _undeclared(name: str, pair: Pair) -> Iterator[Comparison | Uncompared]:
    """What neither side declares, but one makes of other values, or has its readers build in."""
    target, source = pair.target, pair.source
    if target.builds(name) or source.builds(name):
        expected, observed = source.assumed(name), target.assumed(name)
        # Written out as none, it is known; with nothing written and nothing assumed, it is not.
        known = [side.assumed(name) is not None or name in side.silenced for side in (source, target)]
        written = [side.silenced[name].value for side in (source, target) if name in side.silenced]
        if all(known) and (expected, observed) != (None, None):
            holds = None not in (expected, observed) and same(observed, expected, pair.relative)[0]
            if not holds and not written and (why := target.table[name].unsettled):
                reason = f"readers compute with {shown(observed)}, those of the source with {shown(expected)}: {why}"
                yield Uncompared(place=_nearest(name, target, source), reason=reason)
                return
            yield Comparison(
                measure=name,
                place=_nearest(name, target, source),
                expected=shown(written[0] if expected is None and written else expected),
                observed=shown(written[0] if observed is None and written else observed),
                holds=holds,
                note=None
                if holds
                else f"not declared: readers of the {WORD[target.kind]} and of the source "
                "compute with different values",
            )
    elif not target.spelled(target.table[name]) and not source.spelled(source.table[name]):
        return  # it only serves to make others
    elif (made := source.made(name)) is not None:
        yield from _lost(name, made, pair)
    elif (made := target.made(name)) is not None:
        yield from _invented(name, made, pair)


def _nearest(name: str, target: DeclaredSide, source: DeclaredSide) -> Place:
    """Where a value that is not declared is written out as none, or would stand."""
    for side in (target, source):
        if name in side.silenced:
            return side.silenced[name].place
    keys = target.spelled(target.table[name])
    return Place(file=target.view.artifact.path.name, key=keys[0] if keys else name)


def _explicitly(name: str, ours: Said | None, theirs: Said | None, pair: Pair) -> Comparison | None:
    """Null, `none` or `default` written out on one side, and a value that counts on the other."""
    said, side = (theirs, pair.target) if ours is None else (ours, pair.source)
    if said is None or not said.enabled or (ours is not None and theirs is not None):
        return None
    key = next((key for key in side.spelled(side.table[name]) if key in side.all), None)
    if key is None:
        return None
    written = side.all[key]
    expected, observed = (said.value, written) if ours is None else (written, said.value)
    return Comparison(
        measure=name,
        place=side.place(key) if ours is None else said.place,
        expected=shown(expected),
        observed=shown(observed),
        holds=False,
        note="the two files declare different values",
    )


def _equal(name: str, ours: Said, theirs: Said, pair: Pair) -> Comparison | Uncompared:
    holds, distance = same(ours.value, theirs.value, pair.relative)
    if not holds and pair.across and pair.target.table[name].measured_only and not (pair.known or pair.measured()):
        reason = "architectures disagree on what these keys hold, and this one was not measured"
        return Uncompared(place=ours.place, reason=reason)
    lists = [isinstance(said.value, tuple) for said in (ours, theirs)]
    if not holds and pair.target.table[name].zero_where and any(lists) and not all(lists):
        return Uncompared(place=ours.place, reason="which layers have none of it, one side alone declares")
    if holds and pair.across and pair.target.form.prefixed_keys and (why := pair.target.table[name].unread):
        return Uncompared(place=ours.place, reason=f"both declare it, and readers of the GGUF do not: {why}")
    return Comparison(
        measure=name,
        place=ours.place,
        expected=shown(theirs.value),
        observed=shown(ours.value),
        holds=holds,
        tolerance=pair.relative if distance is not None else None,
        smallest_passing_tolerance=distance,
        bound_from=pair.bound_from if distance is not None else None,
        note=None if holds else f"the source declares {shown(theirs.value)} at {theirs.place}",
    )


def _lost(name: str, theirs: Said, pair: Pair) -> Iterator[Comparison | Uncompared]:
    line, target = pair.target.table[name], pair.target
    if name == _COUNTED and target.form.counts_tokens:
        return
    assumed, keys = target.assumed(name), target.spelled(line)
    built = target.builds(name) or (not keys and assumed is not None and target.computes(name))
    holds = assumed is not None and same(assumed, theirs.value, pair.relative)[0]
    carried = not keys and any(published(key, theirs.value, target) for key in (theirs.place.key, *line.config))
    unread = (
        carried and built and target.form.prefixed_keys
    )  # llama.cpp computes with its own, whatever is carried along
    if not holds and carried and not unread:
        holds, assumed = True, theirs.value
    if not holds and not keys and not built and _through_others(name, theirs, pair, pair.source, target):
        return
    if built and not holds and not keys and (line.unsettled or unread):
        why = line.unsettled or "the declared value stands only in the config.json that it carries along"
        reason = f"readers of the {WORD[target.kind]} compute with {shown(assumed)}: {why}"
        yield Uncompared(place=theirs.place, reason=reason)
        return
    # Where architectures disagree, a family does not say which of them has a key: what its converter wrote does.
    known = pair.known and not line.measured_only
    certain = known or line.carried or line.owed or (bool(keys) and pair.across and pair.measured(*keys))
    if holds or built or (keys and certain):
        yield _absent(name, theirs, pair, keys, assumed, holds)
        return
    if not keys:
        reason = f"no key of {target.architecture or WORD[target.kind]} is known to carry it"
    elif pair.across:
        reason = "the other side may have it built in: only a family could say"
    else:
        reason = "declared on one side only, and what readers assume is not known"
    yield Uncompared(place=theirs.place, reason=reason)


def _absent(name: str, theirs: Said, pair: Pair, keys: tuple[str, ...], assumed: Any, holds: bool) -> Comparison:
    line = pair.target.table[name]
    says = "readers assume none" if assumed is None else f"readers assume {shown(assumed)}"
    why = f" ({line.reason})" if line.reason and not holds else ""
    missing = "not declared" if keys else f"the {WORD[pair.target.kind]} has no key for it"
    return Comparison(
        measure=name,
        place=Place(file=pair.target.view.artifact.path.name, key=keys[0] if keys else theirs.place.key),
        expected=shown(theirs.value),
        observed=shown(assumed),
        holds=holds,
        note=f"{missing}: {says}; the source declares {shown(theirs.value)} at {theirs.place}{why}",
    )


def _invented(name: str, ours: Said, pair: Pair) -> Iterator[Comparison | Uncompared]:
    line, source = pair.source.table[name], pair.source
    assumed, built = source.assumed(name), source.builds(name)
    if name == _COUNTED and source.form.counts_tokens and source.view.artifact.tokenizer is not None:
        assumed = source.view.artifact.tokenizer.size
    holds = assumed is not None and same(ours.value, assumed, pair.relative)[0]
    if not holds and not ours.enabled and (isinstance(ours.value, str) or published(name, ours.value, source)):
        return
    if not holds and any(published(key, ours.value, source) for key in (ours.place.key, *line.config)):
        holds, assumed = True, ours.value
    keys = source.spelled(line)
    if not holds and not ours.enabled and not keys:
        return  # switched off, and the source has no place for it
    if not holds and not keys and not built and _through_others(name, ours, pair, pair.target, source):
        return
    if built and not holds and not keys and line.unsettled:
        reason = f"readers of the {WORD[source.kind]} compute with {shown(assumed)}: {line.unsettled}"
        yield Uncompared(place=ours.place, reason=reason)
        return
    agreed = line.carried and not line.measured_only and pair.across
    certain = built or (pair.known and not line.measured_only and (bool(keys) or line.default is not None))
    certain |= agreed and bool(keys) and pair.measured(*pair.target.spelled(line))
    if not holds and not certain and not (line.default is not None and assumed is not None and pair.measured()):
        reason = "declared on one side only, and what the other's readers assume is not known"
        yield Uncompared(place=ours.place, reason=reason)
        return
    if holds:
        note = None
    elif assumed is not None:
        note = f"the source declares none, and its readers take {shown(assumed)}"
    else:
        note = "the source declares none: this value was invented"
    yield Comparison(
        measure=name,
        place=ours.place,
        expected=shown(assumed),
        observed=shown(ours.value),
        holds=holds,
        note=note,
    )


def _through_others(name: str, said: Said, pair: Pair, side: DeclaredSide, other: DeclaredSide) -> bool:
    """Whether a value that the other container has no key for is compared through others of the table.

    It may serve to make one that both know (a rotary share, a nope width), or its key stands in a line that the other
    container has a key for.
    """
    if not pair.across:
        return False
    for of, line in side.table.items():
        made = line.default is not None and name in line.default.parts
        if made and of in side.numbers and of in other.numbers:
            return True
        if of != name and said.place.key in side.spelled(line) and other.spelled(line):
            return True
    return False
