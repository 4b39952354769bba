"""Texts that SentencePiece and Metaspace cut apart as both declare it: held to what is declared, and no less."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_contracts.checks.running import text_judges
from model_contracts.checks.running.declared_parting import DeclaredParting
from model_contracts.checks.running.text_judges import TextParameters, same_ids
from model_contracts.vocabulary import AddedToken

ADDED = (AddedToken(1, "<s>", special=True), AddedToken(2, "<m>", lstrip=True))
PARTING = DeclaredParting("as both declare", ADDED)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a b", "a b"),
        (" a", "  a"),
        ("▁a", " ▁a"),
        ("a<s>b", "a<s> b"),
        ("<s>", "<s>"),
        (" <s> a", "  <s>  a"),
        ("a<m>b", None),
    ],
)
def test_the_text_that_the_source_reads_alike_has_the_spaces_that_the_target_puts(text: str, read: str | None) -> None:
    assert PARTING.read(text) == read
    assert DeclaredParting(None, ADDED).read(text) == text


class Reader:
    """A SentencePiece of letters: it puts a space before a text, always or where the text begins with none."""

    about = {"origin": "x", "assumed": ()}  # noqa: RUF012 -- a stand-in

    def __init__(self, first: bool, lost: str = "") -> None:
        self.first, self.lost = first, lost

    def encode(self, texts: list[str], *, add_special: bool = False) -> list[list[int]]:
        return [
            [ord(letter) for letter in (text if self.first and text[:1] == " " else f" {text}") if letter != self.lost]
            for text in texts
        ]


def judged(target: Reader, texts: list[str], monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each text whether the target is at fault."""
    source = Reader(first=True)
    artifacts = SimpleNamespace(artifact=SimpleNamespace(tokenizer=None))
    examination: Any = SimpleNamespace(
        source_view=artifacts, target=SimpleNamespace(form=SimpleNamespace(bare_tokenizer=False), path=Path("x"))
    )
    monkeypatch.setattr(text_judges, "session", lambda *given, **named: source)
    monkeypatch.setattr(text_judges, "beside_source", lambda *given: target)
    monkeypatch.setattr(text_judges, "declared_parting", lambda *given: PARTING)
    return [one is not None for one in same_ids(examination, TextParameters(examples=1))(texts)]


def test_what_is_declared_is_no_fault_and_what_is_lost_beside_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["ab", " ab", " a"]
    assert judged(Reader(first=False), texts, monkeypatch) == [False, False, False]
    assert judged(Reader(first=False, lost="b"), texts, monkeypatch) == [True, True, False]
