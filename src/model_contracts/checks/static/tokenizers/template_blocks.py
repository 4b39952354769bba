"""Owns whether a chat template is whole: each tag has its end, each block that Jinja opens is closed by its word."""

from __future__ import annotations

import re

#: Words that open a block; transformers adds `generation`. `set` opens one where nothing is assigned in its tag.
_BLOCKS = frozenset({"if", "for", "macro", "call", "filter", "raw", "with", "autoescape", "generation", "set"})
_OPENING = re.compile(r"\{[%{#]")
_CLOSING = {"{%": "%}", "{{": "}}", "{#": "#}"}
#: What may stand in a tag before its end: text in quotes, which may hold anything, or the end itself.
_INSIDE = {end: re.compile(rf"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|{re.escape(end)}", re.S) for end in ("%}", "}}")}
_WORD = re.compile(r"[-+]?\s*([A-Za-z_]+)")
_END_RAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
#: Bounds of this reader, far above any template of people.
_LONGEST, _TAGS = 2_000_000, 100_000


def unclosed(template: str) -> tuple[str, int] | None:
    """What is open where a template ends, or closed and never opened, and at which character (None: it is whole).

    Source: Jinja's documentation, Template Designer. A template past this reader's bounds is taken for whole.
    """
    if len(template) > _LONGEST:
        return None
    blocks: list[tuple[str, int]] = []
    at = 0
    for _ in range(_TAGS):
        found = _OPENING.search(template, at)
        if found is None:
            return (f"{{% {blocks[-1][0]} %}}", blocks[-1][1]) if blocks else None
        end = _end(template, found[0], found.end())
        if end is None:
            return found[0], found.start()
        word = _WORD.match(template, found.end()) if found[0] == "{%" else None
        at = end
        if word is None:
            continue
        if word[1] == "raw":
            closed = _END_RAW.search(template, end)
            if closed is None:
                return "{% raw %}", found.start()
            at = closed.end()
        elif word[1].startswith("end") and word[1][3:] in _BLOCKS:
            if not blocks or blocks.pop()[0] != word[1][3:]:
                return f"{{% {word[1]} %}}", found.start()
        elif word[1] in _BLOCKS and not (word[1] == "set" and "=" in template[word.end() : end]):
            blocks.append((word[1], found.start()))
    return None


def _end(template: str, opening: str, start: int) -> int | None:
    """Where a tag ends, quotes within it passed over (None: it does not)."""
    closing = _CLOSING[opening]
    if opening == "{#":
        place = template.find(closing, start)
        return None if place < 0 else place + 2
    for found in _INSIDE[closing].finditer(template, start):
        if found[0] == closing:
            return found.end()
    return None
