"""Golden files of SentencePiece models: ids that part as both sides declare are no fault, and are not compared."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from model_contracts.checks.running.declared_parting import DeclaredParting
from model_contracts.checks.running.golden_agreement import _framing
from model_contracts.checks.trial import Trial
from model_contracts.engine.golden_files import _answered
from model_contracts.golden import Answers, GoldenPrompt
from model_contracts.inference.golden_answers import prompts_digest
from model_contracts.outcome import Comparison, Uncompared
from model_contracts.strategies.prompts import Prompt
from model_contracts.vocabulary import AddedToken

ANSWERS = Answers(positions=2, ids="AAAA", log_probabilities="AAAA", rest="AAAA")


class Session:
    """Letters as ids: a space is put before every text, or where a text begins with none; `lost` is read as nothing."""

    vocabulary, context = 4096, 64

    def __init__(self, first: bool, lost: str = "") -> None:
        self.first, self.lost = first, lost

    def tokens(self, text: str, *, add_special: bool = False) -> list[int]:
        spaced = text if self.first and text[:1] == " " else f" {text}"
        return [ord(letter) for letter in spaced if letter != self.lost]

    def render(self, messages: Any) -> str:
        return "".join(message["content"] for message in messages)


def stored(text: str, spaced: tuple[int, ...] | None) -> GoldenPrompt:
    tokens = tuple(Session(first=True).tokens(text))
    return GoldenPrompt(framing="plain", text=text, rendered=text, tokens=tokens, spaced=spaced, answers=ANSWERS)


def held(session: Session, prompts: list[GoldenPrompt], always: bool = True) -> tuple[list[Comparison], int]:
    """What was compared of the prompts, and how many were not."""
    golden: Any = SimpleNamespace(prompts=tuple(prompts), seed=0)
    told = list(_framing(session, golden, "plain", Trial(0, None), always))  # type: ignore[arg-type]
    left = sum(one.count for one in told if isinstance(one, Uncompared))
    return [one for one in told if isinstance(one, Comparison)], left


SPACED = stored(" ab", tuple(map(ord, "  ab")))


def test_ids_with_the_spaces_that_the_target_declares_are_not_compared_and_the_rest_is() -> None:
    (compared,), left = held(Session(first=False), [stored("ab", None), SPACED])
    assert (compared.holds, compared.count, left) == (True, 1, 1)
    assert held(Session(first=False), [SPACED]) == ([], 1)
    assert held(Session(first=False), [stored(" ab", ())]) == ([], 1)


def test_a_reader_of_the_model_s_own_kind_owes_the_stored_ids() -> None:
    (compared,), left = held(Session(first=True), [stored("ab", None), SPACED])
    assert (compared.holds, compared.count, left) == (True, 2, 0)


@pytest.mark.parametrize(
    ("session", "prompt", "always"),
    [
        (Session(first=False), stored(" ab", None), True),  # from before the field, or of another tokenizer
        (Session(first=False), SPACED, False),  # the target declares no such space
        (Session(first=False, lost="b"), SPACED, True),
        (Session(first=False, lost="b"), stored("ab", None), True),
    ],
)
def test_other_ids_are_falsified(session: Session, prompt: GoldenPrompt, always: bool) -> None:
    (compared,), left = held(session, [prompt], always)
    assert (compared.measure, compared.holds, left) == ("prompt_tokens", False, 0)
    assert compared.expected == list(prompt.tokens)


def test_a_file_from_before_the_field_keeps_its_digest() -> None:
    golden: Any = SimpleNamespace(prompts=(stored("ab", None),))
    assert "spaced" not in golden.prompts[0].model_dump()
    assert "spaced" in SPACED.model_dump()
    assert prompts_digest(golden) != prompts_digest(SimpleNamespace(prompts=(SPACED,)))  # type: ignore[arg-type]


def test_ids_with_those_spaces_are_recorded_where_the_model_s_tokenizer_puts_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from model_contracts.inference import golden_answers

    monkeypatch.setattr(golden_answers, "encoded", lambda answers: ANSWERS)
    session = Session(first=True)
    session.logits = lambda *given, **named: None  # type: ignore[attr-defined]
    added = (AddedToken(1, "<m>", lstrip=True),)
    told = {}
    for text in ("ab", " ab", "a<m>b"):
        prompt = Prompt("plain", (text,))
        for reason in (None, "first"):
            parting = DeclaredParting(reason, added)
            told[text, reason] = _answered(session, prompt, 2, parting).spaced  # type: ignore[arg-type]
    assert {key: ids for key, ids in told.items() if ids is not None} == {
        (" ab", "first"): tuple(map(ord, "  ab")),
        ("a<m>b", "first"): (),
    }
