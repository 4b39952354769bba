"""Owns how one declared value is held to its counterpart: equal, lost, invented, built in, or without one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from model_contracts.anatomy.declared_keys import DeclaredSide, Plain, Said
from model_contracts.converters.carried import carried
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable


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
    both_configs = pair.target.kind == pair.source.kind == "config"
    if theirs is not None and ours is not None and (theirs.enabled or ours.enabled or both_configs):
        yield _equal(name, ours, theirs, pair)
    elif not pair.across and (unlike := _explicitly(name, ours, theirs, pair)) is not None:
        yield unlike
    elif theirs is not None and ours is None and theirs.enabled:
        yield from _lost(name, theirs, pair)
    elif ours is not None and (theirs is None or not theirs.enabled):
        yield from _invented(name, ours, pair)
    elif ours is None and theirs is None and pair.across and (made := _made(name, pair.source)) is not None:
        yield from _lost(name, made, pair)


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
        expected=_shown(expected),
        observed=_shown(observed),
        holds=False,
        note="the two files declare different values",
    )


def _made(name: str, side: DeclaredSide) -> Said | None:
    """A value that a side's other values give (a rotary width of a rotary share), where it declares one of them."""
    line = side.table[name]
    parts = (*(line.default.product or ()), *(line.default.total or ())) if line.default else ()
    declared = [side.said[part] for part in parts if part in side.said]
    value = side.numbers.get(name)
    # The last part is the one that makes the difference: a share, or a number of further layers.
    if value is None or not parts or parts[-1] not in side.said:
        return None
    return Said(value, declared[-1].place)


def _equal(name: str, ours: Said, theirs: Said, pair: Pair) -> Comparison | Uncompared:
    holds, distance = same(ours.value, theirs.value, pair.relative)
    if not holds and pair.across and pair.target.table[name].measured_only and not (pair.known or pair.measured()):
        reason = "architectures disagree on what these keys hold, and this one was not measured"
        return Uncompared(place=ours.place, reason=reason)
    return Comparison(
        measure=name,
        place=ours.place,
        expected=_shown(theirs.value),
        observed=_shown(ours.value),
        holds=holds,
        tolerance=pair.relative if distance is not None else None,
        smallest_passing_tolerance=distance,
        bound_from=pair.bound_from if distance is not None else None,
        note=None if holds else f"the source declares {_shown(theirs.value)} at {theirs.place}",
    )


def _lost(name: str, theirs: Said, pair: Pair) -> Iterator[Comparison | Uncompared]:
    line, target = pair.target.table[name], pair.target
    if name == "vocab_size" and target.form.counts_tokens:
        return  # llama.cpp counts the tokens; G0-INTEGRITY-CONFIG compares their number with the rows
    assumed = target.numbers.get(name, pair.target.keys.defaults.get(name) if target.kind == "config" else None)
    keys = target.spelled(line)
    holds = assumed is not None and same(assumed, theirs.value, pair.relative)[0]
    if (
        not holds
        and not keys
        and any(_published(key, theirs.value, target) for key in (theirs.place.key, *line.config))
    ):
        holds, assumed = True, _scalar(theirs.value)
    if not holds and not keys and (_made_of_others(name, pair) or _compared_elsewhere(name, theirs, pair)):
        return
    certain = pair.known or line.carried or line.owed or (bool(keys) and pair.across and pair.measured(*keys))
    if holds or (keys and certain):
        yield _absent(name, theirs, pair, keys, assumed, holds)
        return
    if not keys:
        reason = f"no key of {target.architecture or _WORD[target.kind]} is known to carry it"
    elif pair.across:
        reason = "the other side may have it built in: only a family could say"
    else:
        reason = "declared on one side only, and what readers assume is not known"
    yield Uncompared(place=theirs.place, reason=reason)


def _absent(name: str, theirs: Said, pair: Pair, keys: tuple[str, ...], assumed: Any, holds: bool) -> Comparison:
    line = pair.target.table[name]
    says = "readers assume none" if assumed is None else f"readers assume {assumed}"
    why = f" ({line.reason})" if line.reason and not holds else ""
    return Comparison(
        measure=name,
        place=Place(file=pair.target.view.artifact.path.name, key=keys[0] if keys else theirs.place.key),
        expected=_shown(theirs.value),
        observed=_shown(assumed),
        holds=holds,
        note=f"not declared: {says}; the source declares {_shown(theirs.value)} at {theirs.place}{why}",
    )


def _invented(name: str, ours: Said, pair: Pair) -> Iterator[Comparison | Uncompared]:
    line, source = pair.source.table[name], pair.source
    assumed = source.numbers.get(name)
    if name == "vocab_size" and source.form.counts_tokens and source.view.artifact.tokenizer is not None:
        assumed = source.view.artifact.tokenizer.size
    holds = assumed is not None and same(ours.value, assumed, pair.relative)[0]
    if not holds and not ours.enabled and (isinstance(ours.value, str) or _published(name, ours.value, source)):
        return
    if not holds and any(_published(key, ours.value, source) for key in (ours.place.key, *line.config)):
        holds, assumed = True, _scalar(ours.value)
    keys = source.spelled(line)
    if not holds and not ours.enabled and not keys:
        return  # switched off, and the source has no place for it
    certain = pair.known and (bool(keys) or line.default is not None)
    agreed = line.carried and not line.measured_only and pair.across
    certain |= agreed and bool(keys) and pair.measured(*pair.target.spelled(line))
    if not holds and not certain and not (line.default is not None and assumed is not None and pair.measured()):
        reason = "declared on one side only, and what the other's readers assume is not known"
        yield Uncompared(place=ours.place, reason=reason)
        return
    if holds:
        note = None
    elif assumed is not None:
        note = f"the source declares none, and its other values give {assumed}"
    else:
        note = "the source declares none: this value was invented"
    yield Comparison(
        measure=name,
        place=ours.place,
        expected=_shown(assumed),
        observed=_shown(ours.value),
        holds=holds,
        note=note,
    )


def _made_of_others(name: str, pair: Pair) -> bool:
    """Whether a value only serves to compute others that are compared (a rotary share, a nope width)."""
    if not pair.across:
        return False
    made = [line for line in pair.target.table.values() if line.default is not None]
    parts = {part for line in made for part in (*(line.default.product or ()), *(line.default.total or ()))}  # type: ignore[union-attr]
    return name in parts


def _compared_elsewhere(name: str, theirs: Said, pair: Pair) -> bool:
    """Whether another line of the table takes the same key and has a key for it in the target."""
    return any(
        other != name and theirs.place.key in pair.source.spelled(line) and pair.target.spelled(line)
        for other, line in pair.target.table.items()
    )


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
            expected=_shown(expected),
            observed=_shown(observed),
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
                observed=_shown(value),
                holds=value in built[0].values,
                note=f"readers build this in for {other.architecture}, whatever the config says",
            )
        elif other.kind != "gguf" and side.kind == "config" and _carries(other):
            theirs = _carried_config(other).get(key)
            yield Comparison(
                measure=key,
                place=side.place(key),
                expected=_shown(value),
                observed=jsonable(theirs),
                holds=theirs is not None and same(_tuple(theirs), value, 1e-6)[0],
            )
        elif not _published(key, value, other):
            yield Uncompared(place=side.place(key), reason=f"the {_WORD[other.kind]} has no key for it")


_WORD = {"gguf": "GGUF", "apr": ".apr", "config": "config.json"}


def same(a: Any, b: Any, relative: float) -> tuple[bool, float | None]:
    """Whether two values are equal, one against an array of equal entries too; and the distance of two numbers."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(same(x, y, relative)[0] for x, y in zip(a, b, strict=True)), None
    if isinstance(a, tuple) or isinstance(b, tuple):
        many, one = (a, b) if isinstance(a, tuple) else (b, a)
        return bool(many) and all(same(part, one, relative)[0] for part in many), None
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in (a, b)):
        if a == b:
            return True, 0.0
        distance = abs(_finite(a) - _finite(b)) / max(abs(_finite(b)), 1e-300)
        return distance <= relative, distance
    a, b = (value.lower() if isinstance(value, str) else value for value in (a, b))
    return a == b and isinstance(a, bool) == isinstance(b, bool), None


def _finite(value: float) -> float:
    """A number as a float in reach of arithmetic: JSON has whole numbers of any length."""
    try:
        return max(min(float(value), 1e300), -1e300)
    except OverflowError:
        return 1e300 if value > 0 else -1e300


def _carried_config(side: DeclaredSide) -> dict[str, Any]:
    config = carried(side.view.artifact.metadata, "config")
    if config is None:
        config = side.view.artifact.metadata.get("hf_config")
    return config if isinstance(config, dict) else {}


def _carries(side: DeclaredSide) -> bool:
    return side.kind != "config" and bool(_carried_config(side))


def _published(key: str | None, value: Plain, side: DeclaredSide) -> bool:
    """Whether a value stands under its key in the config.json that a container of ours carries along."""
    config: Any = _carried_config(side) if side.kind != "config" else {}
    for part in (key or "").split("."):
        config = config.get(part) if isinstance(config, dict) else None
    return config is not None and same(_tuple(config), value, 1e-6)[0]


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _scalar(value: Plain) -> Any:
    return value


def _shown(value: Any) -> Any:
    return jsonable(list(value) if isinstance(value, tuple) else value)
