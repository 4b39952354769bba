"""Owns how a tokenizer begins and ends texts: special ids and flags, as files spell them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from model_contracts.formats.tokenizer_members import Ids
from model_contracts.ledger import Ledger

ROLES = ("bos", "eos", "unk", "pad", "sep", "cls", "mask")


def special_ids(
    ids: Ids, model: Mapping[str, Any], config: Mapping[str, Any], file: str, ledger: Ledger
) -> dict[str, tuple[int, str]]:
    """Each special token that tokenizer_config.json or the model names: its id, and where it is named."""
    found: dict[str, tuple[int, str]] = {}
    for role in ROLES:
        value = config.get(f"{role}_token")
        content = value.get("content") if isinstance(value, dict) else value
        if not isinstance(content, str):
            continue
        at = ids.find(content)
        if at is None:
            ledger.note(f"tokenizer_config.json names {content[:80]!r} as {role}_token, which {file} does not hold")
        else:
            found[role] = (at, f"tokenizer_config.json {role}_token")
    unknown, listed = model.get("unk_token"), model.get("unk_id")
    if "unk" not in found:
        if isinstance(unknown, str) and (at := ids.find(unknown)) is not None:
            found["unk"] = (at, f"{file} model.unk_token")
        elif type(listed) is int and listed >= 0:
            found["unk"] = (listed, f"{file} model.unk_id")
    return found


def flag(declared: object, derived: bool | None) -> bool | None:
    """What is declared, else what the template of one text shows."""
    return declared if isinstance(declared, bool) else derived


def _parts(value: object, key: str) -> Iterator[dict[str, Any]]:
    """The parts of a (possibly nested) Sequence, in order; at most 256, whatever the file holds."""

    def walk(part: object, depth: int) -> Iterator[dict[str, Any]]:
        if isinstance(part, dict) and depth < 16:
            inner = part.get(key)
            if part.get("type") == "Sequence" and isinstance(inner, list):
                for item in inner[:256]:
                    yield from walk(item, depth + 1)
            else:
                yield part

    return islice(walk(value, 0), 256)


def wrapping(post_processor: object) -> tuple[bool | None, bool | None]:
    """Whether the template of one text opens and closes with a special token; None where there is no template."""
    for part in _parts(post_processor, "processors"):
        single = part.get("single")
        if part.get("type") == "TemplateProcessing" and isinstance(single, list) and single:
            ends = [isinstance(item, dict) and "SpecialToken" in item for item in (single[0], single[-1])]
            return ends[0], ends[1]
    return None, None
