"""Owns what the sections of a tokenizer.json mean: one form for all spellings of the same behaviour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from model_contracts.definitions import load_tokenizers

#: The sections that decide ids or text, in the order in which a text passes them.
SECTIONS = ("normalizer", "pre_tokenizer", "model", "post_processor", "decoder", "truncation", "padding")
_INNER = ("normalizers", "pretokenizers", "processors", "decoders")
_DEEPEST, _MOST = 16, 256


def canonical(section: str, value: object) -> Any:
    """A section as nested values in which equal behaviour is equal: None where it does nothing.

    Sequences are flat, a sequence of one is that one, options that nobody spells are their defaults, options that
    change no id are left out, and the fixed post-processors are the templates that they stand for.
    """
    if section in ("truncation", "padding") or not isinstance(value, dict):
        return value
    if section == "model":
        return _part(section, value)
    parts = [part for one in _flat(value, 0) if (part := _part(section, one)) is not None]
    return None if not parts else parts[0] if len(parts) == 1 else parts


def differences(expected: Any, observed: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two canonical sections part: path, expected and observed, of the innermost values."""
    if expected == observed:
        return
    if isinstance(expected, dict) and isinstance(observed, dict) and expected.get("type") == observed.get("type"):
        for key in sorted({*expected, *observed}):
            yield from differences(expected.get(key), observed.get(key), f"{at}.{key}")
    elif isinstance(expected, list) and isinstance(observed, list) and len(expected) == len(observed):
        for number, (one, other) in enumerate(zip(expected, observed, strict=True)):
            yield from differences(one, other, f"{at}[{number}]")
    else:
        yield at, expected, observed


def types_in(section: Any) -> tuple[str, ...]:
    """The types of the parts of a canonical section, in order."""
    parts = section if isinstance(section, list) else [section]
    return tuple(str(part.get("type")) for part in parts if isinstance(part, dict))


def prefix_of(sections: Mapping[str, Any]) -> bool:
    """Whether a text gets a space before it."""
    for section in ("normalizer", "pre_tokenizer"):
        value = canonical(section, sections.get(section))
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, dict):
                continue
            if part.get("type") == "Prepend" or part.get("add_prefix_space") is True:
                return True
            if part.get("type") == "Metaspace" and part.get("prepend_scheme") != "never":
                return True
    return False


def option_of(sections: Mapping[str, Any], section: str, type: str, option: str) -> Any:
    """An option of the first part of a type, defaults filled in; None where there is no such part."""
    value = canonical(section, sections.get(section))
    parts = value if isinstance(value, list) else [value]
    return next((part.get(option) for part in parts if isinstance(part, dict) and part.get("type") == type), None)


def _flat(value: object, depth: int) -> Iterator[dict[str, Any]]:
    if not isinstance(value, dict) or depth > _DEEPEST:
        return
    inner = next((value[key] for key in _INNER if isinstance(value.get(key), list)), None)
    if value.get("type") != "Sequence" or inner is None:
        yield value
        return
    for one in inner[:_MOST]:
        yield from _flat(one, depth + 1)


@cache
def _ignored() -> dict[tuple[str, str], set[str | None]]:
    found: dict[tuple[str, str], set[str | None]] = {}
    for one in load_tokenizers().ignored:
        found.setdefault((one.section, one.type), set()).add(one.option)
    return found


def _part(section: str, value: Mapping[str, Any]) -> Any:
    name = str(value.get("type"))
    ignored = _ignored().get(("*", "*"), set()) | _ignored().get(("*", name), set())
    ignored = ignored | _ignored().get((section, name), set())
    if None in ignored:
        return None
    if section == "post_processor" and name in _POST_PROCESSORS:
        return _POST_PROCESSORS[name](value)
    defaults = load_tokenizers().defaults.get(name, {})
    options = {key: option for key, option in value.items() if key not in ignored}
    if name == "Metaspace" and "prepend_scheme" not in options and "add_prefix_space" in options:
        options["prepend_scheme"] = "always" if options["add_prefix_space"] is True else "never"
    if name == "Metaspace":
        options.pop("add_prefix_space", None)
    merged = {key: option for key, option in defaults.items() if key not in ignored and _takes(section, name, key)}
    return merged | {key: merged.get(key) if option is None else option for key, option in options.items()}


def _takes(section: str, name: str, option: str) -> bool:
    """Some types stand in several sections, each with options of its own."""
    if name == "WordPiece":
        return (option in ("prefix", "cleanup")) == (section == "decoder")
    return not (name == "Strip" and section == "decoder") and not (name == "Metaspace" and section == "model")


def _template(value: Mapping[str, Any]) -> Any:
    """What stands around one text and two, by ids: `["A", type]` for a text, `[ids, type]` for special tokens."""
    tokens = value.get("special_tokens")
    ids = {
        name: entry.get("ids")
        for name, entry in (tokens.items() if isinstance(tokens, dict) else ())
        if isinstance(entry, dict)
    }

    def piece(item: object) -> Any:
        if isinstance(item, dict):
            for word in ("SpecialToken", "Sequence"):
                if isinstance(inner := item.get(word), dict):
                    called = inner.get("id")
                    known = ids.get(called, called) if word == "SpecialToken" and isinstance(called, str) else called
                    return [known, inner.get("type_id", 0)]
        return item

    lists: dict[str, list[Any]] = {key: value.get(key) or [] for key in ("single", "pair")}
    lists = {key: items if isinstance(items, list) else [items] for key, items in lists.items()}
    return {"type": "template"} | {key: [piece(item) for item in items[:_MOST]] for key, items in lists.items()}


def _bert(value: Mapping[str, Any]) -> Any:
    opens, closes = _id(value.get("cls")), _id(value.get("sep"))
    single = [[opens, 0], ["A", 0], [closes, 0]]
    return {"type": "template", "single": single, "pair": [*single, ["B", 1], [closes, 1]]}


def _roberta(value: Mapping[str, Any]) -> Any:
    opens, closes = _id(value.get("cls")), _id(value.get("sep"))
    single = [[opens, 0], ["A", 0], [closes, 0]]
    return {"type": "template", "single": single, "pair": [*single, [closes, 0], ["B", 0], [closes, 0]]}


def _id(pair: object) -> Any:
    return [pair[1]] if isinstance(pair, list) and len(pair) == 2 else pair


_POST_PROCESSORS = {"TemplateProcessing": _template, "BertProcessing": _bert, "RobertaProcessing": _roberta}
