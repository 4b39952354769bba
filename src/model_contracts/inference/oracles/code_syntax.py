"""Owns the oracle of code: what an answer shows as code parses in its language. Nothing of it is run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import dedent
from typing import Literal, get_args

from pydantic import Field

from model_contracts.inference.oracles import parsing
from model_contracts.inference.oracles.interface import MOST_CHARACTERS, Answer, Held, Oracle, Skipped, Where
from model_contracts.outcome import Comparison, Place, Record

Language = Literal[
    "python", "bash", "c", "cpp", "go", "html", "java", "javascript", "json", "ruby", "rust", "typescript"
]
#: What people write behind a fence.
_TAGS = {"py": "python", "python3": "python", "sh": "bash", "shell": "bash", "c++": "cpp", "golang": "go"}
_TAGS |= {"js": "javascript", "jsx": "javascript", "rb": "ruby", "rs": "rust", "ts": "typescript"}
_TAGS |= {language: language for language in get_args(Language)}
_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})[ \t]*(?P<tag>[^\s`]*)[^`]*")
_MOST_BLOCKS = 64


class CodeSyntax(Record):
    """Which languages are held to their grammar."""

    languages: tuple[Language, ...] = Field(
        ("python",), min_length=1, description="The first is that of code that does not say what it is."
    )
    after_prompt: bool = Field(False, description="The answer goes on with code that the prompt began: both together.")


@dataclass(frozen=True, slots=True)
class _Block:
    """A piece of code. `cut`: the answer ended within it."""

    language: str
    source: str
    place: str
    cut: bool


def held(answer: Answer, parameters: CodeSyntax, where: Where) -> Iterator[Held]:
    """One comparison a block of a language that is asked for; the whole answer where it has no fences."""
    first = parameters.languages[0]
    if parameters.after_prompt:
        both = (answer.prompt + answer.text)[:MOST_CHARACTERS]
        blocks = [_Block(first, both, "prompt and answer", answer.cut)]
    else:
        text = answer.text[:MOST_CHARACTERS]
        blocks = list(_fenced(text, first, answer.cut)) or [_Block(first, dedent(text), "answer", answer.cut)]
    asked = [block for block in blocks if block.language in parameters.languages][:_MOST_BLOCKS]
    if not asked:
        said = ", ".join(sorted({block.language for block in blocks}))
        yield Skipped("nothing_compared", f"no code in {', '.join(parameters.languages)}: it shows {said}")
    for block in asked:
        try:
            found = parsing.python(block.source, block.cut) if block.language == "python" else _other(block)
        except parsing.NotParsed as reason:
            yield Skipped(reason.cause, f"{block.place}: {reason}")
            continue
        yield Comparison(
            measure="code_syntax",
            place=Place(key=block.place),
            expected=f"{block.language} that parses",
            observed=found.error or "parses",
            holds=found.error is None,
            count=max(1, block.source.count("\n")),
            bound_from=where("languages"),
            note="its last line, cut by the limit of tokens, is left out" if found.shortened else None,
        )


def _other(block: _Block) -> parsing.Parsed:
    return parsing.by_tree_sitter(block.language, block.source, block.cut)


def _fenced(text: str, untold: str, cut: bool) -> Iterator[_Block]:
    """Fenced blocks (CommonMark 0.31, section 4.5); one that nobody closed ends with the text."""
    fence: re.Match[str] | None = None
    held: list[str] = []
    number = 0
    for line in text.splitlines(keepends=True):
        found = _FENCE.fullmatch(line.rstrip("\r\n"))
        if fence is None:
            fence, held = found, []
        elif found and not found["tag"] and found["fence"].startswith(fence["fence"]):
            number += 1
            yield _block(fence, held, number, untold, cut=False)
            fence = None
        else:
            held.append(line)
    if fence is not None:
        yield _block(fence, held, number + 1, untold, cut)


def _block(fence: re.Match[str], lines: list[str], number: int, untold: str, cut: bool) -> _Block:
    tag = fence["tag"].lower().strip("{}.")
    language = _TAGS.get(tag, tag) or untold
    return _Block(language, dedent("".join(lines)), f"block {number} ({language[:20]})", cut)


ORACLE = Oracle(CodeSyntax, held, "the grammar of the language")
