"""Owns how the special ids of a pair are held to each other: none lost, none changed, none invented that decides."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.anatomy.families.carried import carried
from model_contracts.anatomy.tokenizers.special_ids import NAMES, by_name
from model_contracts.anatomy.tokenizers.tokenizer_kinds import is_byte, kind_of
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact
from model_contracts.definitions import load_tokenizers
from model_contracts.outcome import Comparison, Place, Uncompared
from model_contracts.tokenization import Filled
from model_contracts.vocabulary import Tokenizer

_EOS, _PAD = "eos_token_id", "pad_token_id"
_MASKED = ". Where no mask is passed, transformers' generate takes each such token of a text for padding, and hides it"
_NORMAL, _BYTE = 1, 6
#: What frames a text where no end of sequence is named: GGUF has one name for both.
_FRAMED = {"bos_token_id": "cls_token_id", _EOS: "sep_token_id"}


def same_special_ids(target: View, source: View) -> Iterator[Comparison | Uncompared]:
    """Compare every special id that either side declares, wherever it may."""
    ours, theirs = by_name(target.artifact), by_name(source.artifact)
    for name in NAMES:
        expected = theirs.get(name, {}) | _carried_ids(name, source)
        if target.artifact.format == "gguf" and not expected:
            expected = theirs.get(_FRAMED.get(name, name), {})
        for value, place in ours.get(name, {}).items():
            holds = value in expected
            if not holds and _decides_nothing(name, value, target.artifact):
                yield _filled(name, value, place, expected)
                continue
            if not expected and (silent := _left_to_class(source.artifact)) is not None:
                yield Uncompared(place=place, reason=f"{silent} names no {name}: the class of its tokenizer does")
                continue
            yield Comparison(
                measure=name,
                place=place,
                expected=sorted(expected) or None,
                observed=value,
                holds=holds,
                note=None if holds else f"{_whose(expected)}{_MASKED if name == _PAD else ''}",
            )
    for name in ("bos_token_id", _EOS):
        if name in theirs and name not in ours:
            framed = sorted(ours.get(_FRAMED[name], {})) if source.artifact.form.prefixed_keys else []
            holds = framed == sorted(theirs[name])
            yield Comparison(
                measure=name,
                place=Place(file=target.artifact.path.name),
                expected=sorted(theirs[name]),
                observed=framed or None,
                holds=holds,
                note=None if holds else _whose(theirs[name]),
            )
    yield from _every_end(target.artifact, source)


def _left_to_class(source: Artifact) -> str | None:
    """A tokenizer file that is not tokenizer.json, and so leaves special tokens to the code that loads it."""
    if not source.form.beside:
        return None
    if source.tokenizer is None:
        return next(iter(source.unread_tokenizers), None)
    return source.tokenizer.origin.name if source.tokenizer.sections is None else None


def _every_end(target: Artifact, source: View) -> Iterator[Comparison]:
    """A folder that takes another's place stops at all ids at which that stops; a GGUF has room for one."""
    stops = _stops(source.artifact) or list(_carried_ids(_EOS, source))
    if not target.form.beside or len(stops) < 2 or _EOS not in by_name(target):
        return
    ours = _stops(target) or sorted(by_name(target)[_EOS])
    missing = sorted(set(stops) - set(ours))
    there = target.generation_config is not None
    yield Comparison(
        measure=_EOS,
        place=Place(file="generation_config.json", key=_EOS),
        expected=sorted(stops),
        observed=sorted(ours) if there else None,
        holds=not missing,
        note=None
        if not missing
        else f"{'' if there else 'generation_config.json is missing: '}it no longer stops at {missing}",
    )


def _stops(artifact: Artifact) -> list[int]:
    value = (artifact.generation_config or {}).get(_EOS)
    ids = value if isinstance(value, list) else [value]
    return [one for one in ids if isinstance(one, int) and not isinstance(one, bool)]


def _decides_nothing(name: str, value: int, target: Artifact) -> bool:
    """Whether readers of a GGUF do nothing with an id that its converter fills in.

    Padding that no text holds is never met, no text is unknown to a vocabulary that has all bytes, and some
    architectures' converters write a beginning of sequence that is added to none.
    """
    tokenizer = target.tokenizer
    if target.format != "gguf" or tokenizer is None:
        return False
    kind = kind_of(tokenizer)
    architecture = target.metadata.get("general.architecture")
    if any(architecture in one.architectures and name in (f"{i}_token_id" for i in one.ids) for one in _filled_in()):
        return not tokenizer.add_bos
    if name == "unk_token_id":
        return kind == "byte-level" or sum(map(is_byte, tokenizer.tokens)) == 256
    return name == _PAD and not _stands_in_texts(value, target, tokenizer)


def _stands_in_texts(at: int, target: Artifact, tokenizer: Tokenizer) -> bool:
    """Whether a text may hold the token: it is cut from texts, opens them, or the chat template writes it.

    Of padding that is also an end of sequence transformers infers no mask (`_prepare_attention_mask_for_generation`);
    llama.cpp pads nothing. transformers takes `tokenizer.ggml.padding_token_id` over (integrations/ggml.py).
    """
    ends = by_name(target).get(_EOS, {})
    token = tokenizer.tokens[at] if 0 <= at < len(tokenizer.tokens) else None
    if at in ends or token is None:
        return False
    opens = tokenizer.add_bos is not False and at in by_name(target).get("bos_token_id", {})
    types = tokenizer.token_types
    plain = types is not None and at < len(types) and types[at] in (_NORMAL, _BYTE)
    return plain or opens or (len(token) > 2 and token in (target.chat_template or ""))


def _filled_in() -> tuple[Filled, ...]:
    return load_tokenizers().filled


def _filled(name: str, value: int, place: Place, expected: dict[int, Place]) -> Comparison:
    said = ", ".join(map(str, sorted(expected))) or "none"
    note = f"the source declares {said}; no reader of this file does anything with the id"
    return Comparison(
        measure=name, place=place, expected="an id that decides nothing", observed=value, holds=True, note=note
    )


def _carried_ids(name: str, source: View) -> dict[int, Place]:
    """Ids of the published generation_config.json, which a container of ours carries along."""
    config = carried(source.artifact.metadata, "generation_config") or {}
    value = config.get(name)
    ids = value if isinstance(value, list) else [value]
    place = Place(file=source.artifact.path.name, key=f"generation_config · {name}")
    return {one: place for one in ids if isinstance(one, int) and not isinstance(one, bool)}


def _whose(expected: dict[int, Place]) -> str:
    if not expected:
        return "the source declares none: this value was invented"
    return "the source declares " + ", ".join(f"{value} at {place}" for value, place in expected.items())
