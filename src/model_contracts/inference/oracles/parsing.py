"""Owns whether a piece of code parses: Python by its own parser, other languages by tree-sitter where it is installed.

Answers are hostile: their size is bounded by whoever asks, what is nested too deeply is an error of theirs, and nothing
is compiled to something that could run.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from model_contracts.outcome import SkipCause

#: Language to the function of `tree_sitter_<language>` that gives its grammar, where it is not called `language`.
_GRAMMARS = {"typescript": "language_typescript"}
_CLOSES = {"(": ")", "[": "]", "{": "}"}
#: `codeop` has it by this value since Python 3.11: input that could go on is told from input that is wrong.
_ALLOW_INCOMPLETE = 0x4000
_INCOMPLETE = "incomplete input"


@dataclass(frozen=True, slots=True)
class Parsed:
    """The first error, in one line; `shortened`: the last line was left out."""

    error: str | None
    shortened: bool = False


class NotParsed(Exception):
    """Nothing could be said about it."""

    def __init__(self, cause: SkipCause, reason: str) -> None:
        super().__init__(reason)
        self.cause = cause


def python(source: str, cut: bool) -> Parsed:
    """Python, by the parser of the Python that runs this. Raises NotParsed for what holds no statement."""
    error = _python_error(source, incomplete=False)
    if error is not None and cut:
        shorter = _without_last_line(source)
        again = _python_error(shorter, incomplete=True)
        if again is None:
            return Parsed(None, shortened=True)
    return Parsed(error)


def _python_error(source: str, *, incomplete: bool) -> str | None:
    flags = ast.PyCF_ONLY_AST | (_ALLOW_INCOMPLETE if incomplete else 0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in a text that is no pattern: odd, and parses
            tree: Any = compile(source, "<answer>", "exec", flags, dont_inherit=True)
    except SyntaxError as error:
        if incomplete and error.msg == _INCOMPLETE:
            return None
        return f"line {error.lineno}: {error.msg}"[:300] if error.lineno else error.msg[:300]
    except ValueError as error:  # a NUL, half a surrogate pair
        return str(error)[:300]
    except (RecursionError, MemoryError):
        return "nested too deeply to be parsed"
    if not tree.body:
        raise NotParsed("nothing_compared", "no statement of Python is in it, or only a last line that is cut")
    return None


def _without_last_line(source: str) -> str:
    kept, end, _ = source.rpartition("\n")
    return kept + end


def by_tree_sitter(language: str, source: str, cut: bool) -> Parsed:
    """A language by its grammar for tree-sitter. Raises NotParsed where that is not installed."""
    try:
        tree_sitter = import_module("tree_sitter")
        grammar = getattr(import_module(f"tree_sitter_{language}"), _GRAMMARS.get(language, "language"))
        parser = tree_sitter.Parser(tree_sitter.Language(grammar()))
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        packages = f"pip install tree-sitter tree-sitter-{language}"
        raise NotParsed("missing_input", f"{language} is not parsed without {packages} ({error})"[:300]) from None
    tree = parser.parse(source.encode("utf-8", "replace"))
    if not tree.root_node.named_child_count:
        raise NotParsed("nothing_compared", f"no {language} is in it")
    if tree.root_node.has_error and cut:
        shorter = _without_last_line(source).encode("utf-8", "replace")
        again = parser.parse(shorter)
        if not again.root_node.named_child_count:
            raise NotParsed("nothing_compared", f"no {language} is in it but a last line that is cut")
        closed = shorter + _closing(again).encode()
        if not parser.parse(closed).root_node.has_error:
            return Parsed(None, shortened=True)
    return Parsed(_first_error(tree))


def _closing(tree: Any) -> str:
    """The brackets that close what is open at the end; those within texts and comments are no nodes of their own."""
    waiting: list[str] = []
    for node in _nodes(tree):
        if node.child_count == 0 and node.end_byte > node.start_byte:
            if node.type in _CLOSES:
                waiting.append(_CLOSES[node.type])
            elif waiting and node.type == waiting[-1]:
                waiting.pop()
    return "".join(reversed(waiting))


def _first_error(tree: Any) -> str | None:
    if not tree.root_node.has_error:
        return None
    wrong = (node for node in _nodes(tree) if node.is_error or node.is_missing)
    node = next(wrong, tree.root_node)
    said = f"{node.type} is missing" if node.is_missing else "invalid syntax"
    return f"line {node.start_point[0] + 1}: {said}"


def _nodes(tree: Any) -> Iterator[Any]:
    """Every node in the order of the text, without recursion: an answer may be nested as deeply as it likes."""
    cursor = tree.walk()
    while True:
        yield cursor.node
        if cursor.goto_first_child() or cursor.goto_next_sibling():
            continue
        while cursor.goto_parent():
            if cursor.goto_next_sibling():
                break
        else:
            return
