"""Owns the oracles of a founding system's playbook: which of ours they are, and which answers each is held to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from model_contracts.compat.apr_qa.translation import Translation
from model_contracts.definitions.errors import short
from model_contracts.definitions.tree import Pointer

#: Their oracles look at the prompt to know whether it is theirs; ours are told which prompts.
_SUM = re.compile(r"[0-9]\s*[-+*/x×÷]\s*[0-9]")
_CODE = re.compile(r"\b(def|fn|func|fun)\s+\w+\s*\(|\bfunction\b|#include\b|```")
#: Those whose grammar is known here.
_NAMES = ("python", "bash", "c", "cpp", "go", "html", "java", "javascript", "json", "ruby", "rust", "typescript")
_LANGUAGES = {name: name for name in _NAMES}
_GATES = ("g1_model_loads", "g2_basic_inference", "g3_no_crashes", "g4_output_quality")


def oracles(theirs: Translation, otherwise: Sequence[str]) -> None:
    """Say our oracles for theirs; `otherwise` are the prompts that are asked where the playbook names none."""
    quality = True
    for gate in _GATES:
        if theirs.flag("gates", gate) is False:
            quality = quality and gate != "g4_output_quality"
            if gate != "g4_output_quality":
                theirs.leave("it is part of every F-A gate, and is not switched off", "gates", gate)
    listed = theirs.peek("oracles")
    if listed is None and quality:
        return
    if not isinstance(listed, list | None):
        theirs.leave(f"expected a list, found {short(listed)}", "oracles")
        return
    prompts = theirs.peek("test_matrix", "prompts")
    asked = [text for text in prompts if isinstance(text, str)] if isinstance(prompts, list) else []
    choices = [_oracle(theirs, at, asked or list(otherwise)) for at in range(len(listed or ()))]
    if not quality and listed:
        theirs.leave("gates.g4_output_quality is false", "oracles")
    theirs.put(("oracles",), [choice for choice in choices if choice] if quality else [], "oracles")


def _oracle(theirs: Translation, at: int, prompts: list[str]) -> dict[str, Any] | None:
    named = theirs.peek("oracles", at)
    kind = theirs.get("oracles", at) if isinstance(named, str) else theirs.get("oracles", at, "type")
    match kind:
        case "garbage":
            return _garbage(theirs, at)
        case "arithmetic":
            return _arithmetic(theirs, at, [prompt for prompt in prompts if _SUM.search(prompt[:2000])])
        case "code_syntax":
            return _code(theirs, at, [prompt for prompt in prompts if _CODE.search(prompt[:2000])])
        case "response":
            theirs.leave("how much an answer is to the point is no number that decides a gate", "oracles", at)
        case _:
            theirs.leave(f"the oracle {short(kind)} is not known", "oracles", at)
    return None


def _parameter(theirs: Translation, at: int, name: str) -> Pointer:
    """Where an oracle has a parameter: beside its type, or under `config`, as the older playbooks write it."""
    inner: Pointer = ("oracles", at, "config", name)
    return inner if theirs.peek(*inner) is not None else ("oracles", at, name)


def _garbage(theirs: Translation, at: int) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    where = _parameter(theirs, at, "max_repetition_ratio")
    share = theirs.number(*where)
    if share is not None and 0 < share <= 1:
        parameters["max_repetition"] = share
    elif share is not None:
        theirs.leave("a share above 0 and up to 1 is held", *where)
    where = _parameter(theirs, at, "min_unique_chars")
    least = theirs.number(*where, whole=True)
    if least is not None and least >= 0:
        parameters["min_unique_characters"] = least
    elif least is not None:
        theirs.leave("0 or more is held", *where)
    return {"oracle": "garbage", "parameters": parameters}


def _arithmetic(theirs: Translation, at: int, prompts: list[str]) -> dict[str, Any] | None:
    where = _parameter(theirs, at, "tolerance")
    tolerance = theirs.number(*where)
    if tolerance is not None and tolerance < 0:
        theirs.leave("a tolerance of 0 or more is held", *where)
    if not prompts:
        theirs.leave("no prompt asks a sum", "oracles", at)
        return None
    given = tolerance is not None and tolerance >= 0
    return {"oracle": "arithmetic", "prompts": prompts, "parameters": {"tolerance": tolerance} if given else {}}


def _code(theirs: Translation, at: int, prompts: list[str]) -> dict[str, Any] | None:
    languages = theirs.words(_LANGUAGES, *_parameter(theirs, at, "languages"))
    if not prompts:
        theirs.leave("no prompt asks for code", "oracles", at)
        return None
    return {"oracle": "code_syntax", "prompts": prompts, "parameters": {"languages": languages} if languages else {}}
