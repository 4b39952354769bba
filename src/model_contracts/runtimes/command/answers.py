"""Owns how the answers of somebody else's program are read: between which lines, at which JSON pointers."""

from __future__ import annotations

import json
from typing import Any

from model_contracts.runtime import Reads
from model_contracts.runtimes.interface import Refused, WrongAnswer


def read(program: str, reads: Reads, output: str) -> dict[str, Any]:
    """What was asked for, out of what was printed. Raises Refused and WrongAnswer."""
    lines = output.splitlines(keepends=True)
    if reads.after is not None:
        places = [at for at, line in enumerate(lines) if line.strip() == reads.after]
        if not places:
            raise WrongAnswer(f"{program} printed no line {reads.after!r}", output[-2000:])
        lines = lines[places[-1] + 1 :]
    if reads.before is not None:
        lines = lines[: next((at for at, line in enumerate(lines) if line.startswith(reads.before)), len(lines))]
    text = "".join(lines)
    if not reads.json_expected:
        return pointed(program, reads, None) | {"text": text.strip("\r\n")}
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongAnswer(f"{program} printed no JSON where it was expected: {error}", output[-2000:]) from None
    return pointed(program, reads, answer)


def pointed(program: str, reads: Reads, answer: Any) -> dict[str, Any]:
    """What was asked for, out of a JSON answer. Raises Refused and WrongAnswer."""
    if reads.refusal is not None and (said := _at(answer, reads.refusal)) is not None:
        raise Refused(f"{program} refused: {said}")
    found = {}
    for name in ("text", "tokens", "prompt", "prompt_tokens", "logits"):
        pointer = getattr(reads, name)
        found[name] = None if pointer is None else _at(answer, pointer)
        if pointer is not None and found[name] is None:
            raise WrongAnswer(f"{program} gave nothing at {pointer}", str(answer)[:2000])
    return found


def _at(value: Any, pointer: str) -> Any:
    """What stands at a JSON pointer; None where nothing does."""
    for part in pointer[1:].split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value
