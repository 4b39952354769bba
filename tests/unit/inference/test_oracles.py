"""Oracles: each kind of bad answer is seen with its numbers, an honest one is left alone, and what is not is said."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError

from model_contracts.golden import Digests, Golden, GoldenPrompt
from model_contracts.inference.golden_answers import encoded
from model_contracts.inference.oracles import ORACLES, Answer, Skipped, hold
from model_contracts.outcome import Comparison
from model_contracts.runtimes.interface import TopLogits

FENCE = "```"


def compared(name: str, answer: Answer, **parameters: object) -> list[Comparison]:
    """What an oracle compared; nothing of it was skipped."""
    found = list(hold(name, parameters, answer))  # type: ignore[arg-type]
    assert not [held for held in found if isinstance(held, Skipped)]
    return found  # type: ignore[return-value]


def skipped(name: str, answer: Answer, **parameters: object) -> Skipped:
    (held,) = hold(name, parameters, answer)  # type: ignore[arg-type]
    assert isinstance(held, Skipped)
    return held


def one(name: str, text: str, prompt: str = "", cut: bool = False, **parameters: object) -> Comparison:
    (found,) = compared(name, Answer(text, prompt=prompt, cut=cut), **parameters)
    return found


def wrong(text: str, cut: bool = False, tokens: list[int] | None = None, **parameters: object) -> set[str]:
    """Measures of garbage that did not hold."""
    answer = Answer(text, cut=cut, tokens=tokens)
    return {comparison.measure for comparison in compared("garbage", answer, **parameters) if not comparison.holds}


@pytest.mark.parametrize(
    ("text", "measures"),
    [
        ("", {"answer_characters"}),
        ("\n" * 20, {"answer_characters"}),
        ("!" * 8, {"character_entropy"}),
        ("ab" * 9, {"character_entropy"}),
        (", " + "0" * 14, {"repetition", "character_entropy"}),
        ("\u7684" * 16, {"repetition", "character_entropy"}),
        ("<|im_end|>" * 8, {"repetition"}),
        ("        # Cing\n" * 12, {"repetition"}),
        ("def f():\n    return 1\n" * 6, {"repetition"}),
        ("so and so on " * 12, {"repetition"}),
        (
            "All is well: " + "".join(map(chr, range(97, 120))) + " then on and on and on" + " and on" * 200,
            {"repetition"},
        ),
        ("caf\N{REPLACEMENT CHARACTER} au lait", {"replacement_characters"}),
        ("a bell \x07 and an escape \x1b[0m", {"control_characters"}),
        ("private \ue000 use", {"control_characters"}),
        ("half a pair \ud800 here", {"control_characters"}),
    ],
)
def test_garbage_is_seen_by_the_measure_that_is_its_own(text, measures):
    assert wrong(text) == measures


@pytest.mark.parametrize(
    "text",
    [
        "4",
        "Yes.",
        "The answer is 4.",
        "1000000000000",
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 10",
        "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |",
        "for i in range(10):\n    for j in range(10):\n        for k in range(10):\n\t\t\tprint(i, j, k)",
        "    if n == 0:\n        return 0\n    elif n == 1:\n        return 1\n    else:\n        return f(n-1)",
        "\u4f1a\u8b70\u306f\u660e\u65e5\u306e\u5348\u5f8c\u4e09\u6642\u304b\u3089\u59cb\u307e\u308a\u307e\u3059\u3002",
        "A family: \U0001f468\u200d\U0001f469\u200d\U0001f467. Za\u017c\u00f3\u0142\u0107.",
    ],
)
def test_an_honest_answer_is_no_garbage(text):
    assert wrong(text) == set()


def test_the_defaults_leave_the_code_and_the_prose_of_this_repository_alone():
    root = Path(__file__).resolve().parents[3]
    texts = [(root / name).read_text("utf-8") for name in ("README.md", "CHANGELOG.md", "LICENSE")]
    texts += [path.read_text("utf-8") for path in sorted((root / "src" / "model_contracts" / "runtimes").rglob("*.py"))]
    windows = [text[at : at + 600] for text in texts for at in range(0, len(text), 600)]
    assert len(windows) > 150
    assert [window for window in windows if wrong(window)] == []


def test_garbage_says_what_was_measured_and_the_smallest_bound_that_would_pass():
    found = {held.measure: held for held in compared("garbage", Answer("0" * 16))}
    said = found["repetition"]
    assert (said.expected, said.observed, said.tolerance, said.count) == ("<= 0.75", 0.9231, 0.75, 13)
    assert said.smallest_passing_tolerance == said.observed
    assert (found["character_entropy"].expected, found["character_entropy"].observed) == (">= 1.1", 0.0)
    assert wrong("0" * 16, max_repetition=0.93, min_entropy=0) == set()


def test_tokens_are_counted_where_they_are_known():
    assert wrong("a text that reads well enough", tokens=[7] * 20) == {"repetition"}
    assert wrong("<|im_end|>" * 8, tokens=list(range(20))) == set()


def test_a_last_character_that_the_limit_cut_is_forgiven_and_one_within_is_not():
    assert wrong("caf\N{REPLACEMENT CHARACTER}", cut=True) == set()
    assert wrong("caf\N{REPLACEMENT CHARACTER}") == {"replacement_characters"}
    assert wrong("c\N{REPLACEMENT CHARACTER}f\N{REPLACEMENT CHARACTER}", cut=True) == {"replacement_characters"}


@pytest.mark.parametrize(
    ("prompt", "text", "expected", "observed"),
    [
        ("What is 2+2?", "42", 4, 42),
        ("What is 2+2?", "four", 4, None),
        ("What is 2+2?", "", 4, None),
        ("What is 2+2?", "x4 4th v4 utf-4 4.5", 4, 4.5),
        ("What is 2*1?", "2*1", 2, None),
        ("5 - 9", "5 - 9 = 4", -4, 4),
        ("What is 1,000 - 1?", "9.99", 999, 9.99),
    ],
)
def test_a_wrong_result_is_falsified_with_the_nearest_number(prompt, text, expected, observed):
    said = one("arithmetic", text, prompt)
    assert (said.holds, said.expected, said.observed) == (False, expected, observed)
    assert said.smallest_passing_tolerance == (None if observed is None else pytest.approx(abs(observed - expected)))


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("What is 2+2?", "4"),
        ("What is 2+2?", "2+2 = 4."),
        ("What is 2+2?", "It is **4**, as 2 + 2 makes 4.0 and not 5."),
        ("5 - 9 =", "-4"),
        ("5 \u2212 9 =", "5 \u2212 9 = -4"),
        ("What is 1,000 - 1?", "999!"),
        ("12 \u00f7 5", "2.4"),
        ("2 + 3 x 4", "14"),
        ("What is 123456789 * 987654321?", "121,932,631,112,635,269"),
    ],
)
def test_a_right_result_is_a_number_of_its_own(prompt, text):
    assert one("arithmetic", text, prompt).holds


def test_what_is_expected_may_be_said_and_be_near_enough():
    assert one("arithmetic", "about 3.14", "the ratio?", expected=3.14159, tolerance=0.01).holds
    said = one("arithmetic", "about 3", "the ratio?", expected=3.14159, tolerance=0.01)
    assert (said.holds, said.smallest_passing_tolerance) == (False, pytest.approx(0.14159))


@pytest.mark.parametrize("prompt", ["Hello", "2+2 and 3+3?", "1/0 is what?", "9" * 50 + " + 1", "+".join("1" * 40)])
def test_a_prompt_that_asks_no_sum_is_not_judged(prompt):
    assert skipped("arithmetic", Answer("4", prompt=prompt)).cause == "missing_input"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def f(:\n    pass\n", "line 1: invalid syntax"),
        ("Sure! Here it is:\n", "line 1: invalid syntax"),
        ("x = (1,]\n", "line 1: closing parenthesis ']' does not match opening parenthesis '('"),
        ("def f(n):\n    if n:\n        return (1", "line 3: '(' was never closed"),
        ("(" * 1000, "line 1: too many nested parentheses"),
        ("-" * 100_000 + "1", "nested too deeply to be parsed"),
        ("a" + ".b" * 100_000, "nested too deeply to be parsed"),
        ("x = 1\0", "source code string cannot contain null bytes"),
        ("\ud800 = 1", "'utf-8' codec can't encode"),
        (f"Well:\n{FENCE}python\nx = 1\ny = = 2\n{FENCE}\n", "line 2: invalid syntax"),
        (f"{FENCE}\ny = = 2\n{FENCE}\n", "line 1: invalid syntax"),
        (f"{FENCE}py\ny = (\n", "line 1: '(' was never closed"),
    ],
)
def test_code_that_does_not_parse_is_falsified_with_its_line(text, said):
    found = one("code_syntax", text)
    assert (found.measure, found.holds, found.expected) == ("code_syntax", False, "python that parses")
    assert said in str(found.observed)


def test_every_block_of_the_language_is_held_and_no_other():
    text = f"Well:\n{FENCE}python\nx = 1\n{FENCE}\nor\n~~~py\ny = = 2\n~~~\nin all\n{FENCE}text\nfoo bar\n{FENCE}\n"
    found = compared("code_syntax", Answer(text))
    assert [(held.place.key, held.holds) for held in found] == [("block 1 (python)", True), ("block 2 (python)", False)]


@pytest.mark.parametrize(
    "text",
    ["def f(n):\n    if n:\n        retu(", "x = [\n  1,\n  (2", "x = '''a\nb\nc", "if x:\n    y\nelse:\n    'un"],
)
def test_a_last_line_that_the_limit_cut_is_forgiven_and_said(text):
    found = one("code_syntax", text, cut=True)
    assert found.holds and found.note == "its last line, cut by the limit of tokens, is left out"
    assert not one("code_syntax", text).holds


@pytest.mark.parametrize("text", ["x = (1,]\nfoo", "y = = 2\nfoo", f"{FENCE}\ny = (\n{FENCE}\nand th"])
def test_a_mistake_before_the_last_line_is_none_of_the_limit(text):
    assert not one("code_syntax", text, cut=True).holds


def test_an_answer_goes_on_with_what_the_prompt_began():
    text, prompt = "\n    return n\n", "def f(n):"
    assert one("code_syntax", text, prompt, after_prompt=True).holds
    assert not one("code_syntax", "\n  return n\n n", prompt, after_prompt=True).holds


@pytest.mark.parametrize(
    ("text", "cut"),
    [("", False), ("# a comment\n", False), ("Sure, here is", True), (f"{FENCE}rust\nfn f()\n{FENCE}", False)],
)
def test_no_code_is_nothing_that_was_compared(text, cut):
    assert skipped("code_syntax", Answer(text, cut=cut)).cause == "nothing_compared"


def test_what_python_warns_of_is_said_to_nobody():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert one("code_syntax", "x = '\\d' is 1\n").holds


def test_another_language_without_its_grammar_is_skipped_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "tree_sitter", None)
    held = skipped("code_syntax", Answer("fn f() {}"), languages=["rust"])
    assert (held.cause, "rust is not parsed without pip install tree-sitter" in held.reason) == ("missing_input", True)


@pytest.mark.parametrize(
    ("text", "cut", "holds"),
    [
        ("function f(x) {\n  return [1, 2];\n}\n", False, True),
        ("let a = {b: [1, 2};\n", False, False),
        ("function f(x) {\n  return [1,\n  2, foo(x", True, True),
        ("function f(x) {\n  return [1,\n  2, foo(x", False, False),
        ("let = ;\nfoo(", True, False),
    ],
)
def test_another_language_is_held_to_its_grammar(text, cut, holds):
    pytest.importorskip("tree_sitter_javascript", reason="tree-sitter-javascript is not installed")
    assert one("code_syntax", text, cut=cut, languages=["javascript"]).holds == holds


def golden() -> Golden:
    """A model that finds 5 likeliest after 1 2, then 6 with 7 close behind."""
    values = np.log(np.array([[0.6, 0.2], [0.6, 0.2], [0.41, 0.4]], np.float32))
    top = TopLogits(np.array([[2, 3], [5, 4], [6, 7]], np.int64), values, 10)
    prompt = GoldenPrompt(framing="plain", text="x", rendered="x", tokens=(1, 2, 5), answers=encoded(top))
    empty = "blake3:" + "0" * 64
    return Golden(
        version=1,
        model="m",
        format="gguf",
        runtime="r",
        versions={},
        seed=0,
        vocabulary=10,
        top=2,
        prompts=(prompt,),
        digests=Digests(model=empty, tokenizer=empty, prompts=empty, content=empty),
    )


def spoken(*tokens: int) -> Answer:
    return Answer("", tokens=tokens, prompt_tokens=(1, 2), golden=golden())


def test_the_tokens_of_a_golden_file_are_expected_as_far_as_it_goes():
    found = compared("expected_tokens", spoken(5, 7, 8))
    assert [(held.expected, held.observed, held.holds) for held in found] == [(5, 5, True), (6, 7, True)]
    assert found[1].smallest_passing_tolerance == pytest.approx(np.log(0.41 / 0.4), abs=1e-5)


def test_another_token_than_the_likeliest_is_falsified_with_its_distance():
    (held,) = compared("expected_tokens", spoken(4, 1))
    assert (held.holds, held.expected, held.observed, held.place.key) == (False, 5, 4, "answer token 0")
    assert held.smallest_passing_tolerance == pytest.approx(np.log(3), abs=1e-5)
    (held,) = compared("expected_tokens", spoken(9), tolerance=5.0)
    assert (held.holds, held.smallest_passing_tolerance) == (False, None)
    assert held.note == "not among the 2 likeliest, 1.1 nats away at the least"


def test_listed_tokens_are_expected_one_by_one_until_two_part():
    found = compared("expected_tokens", Answer("", tokens=(1, 2, 3)), tokens=[1, 9, 3])
    assert [(held.expected, held.observed, held.holds) for held in found] == [(1, 1, True), (9, 2, False)]
    found = compared("expected_tokens", Answer("", tokens=(1,)), tokens=[1, 9])
    assert (found[-1].observed, found[-1].holds) == (None, False)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer("x"), "tells no token ids of its answer"),
        (Answer("x", tokens=(1,)), "neither token ids nor a golden file"),
        (Answer("x", tokens=(1,), golden=golden()), "no token ids of the prompt"),
        (Answer("x", tokens=(1,), prompt_tokens=(8, 9), golden=golden()), "answers no prompt of these tokens"),
        (Answer("x", tokens=(), prompt_tokens=(1, 2), golden=golden()), "answers no prompt of these tokens"),
    ],
)
def test_tokens_that_cannot_be_held_are_not_judged(answer, said):
    held = skipped("expected_tokens", answer)
    assert (held.cause, said in held.reason) == ("missing_input", True)


def test_a_bound_says_where_it_came_from():
    playbook = SimpleNamespace(where=lambda *pointer: f"mine.yaml:{len(pointer)} {pointer[0]}")
    found = hold("garbage", {"max_repetition": 0.5}, Answer("a b c d " * 20), playbook.where)
    told = {held.measure: held.bound_from for held in found if isinstance(held, Comparison)}
    assert told["repetition"] == "mine.yaml:1 max_repetition"
    assert "measured" in (told["character_entropy"] or "")


def test_every_oracle_is_in_the_table_with_its_parameters():
    assert sorted(ORACLES) == ["arithmetic", "code_syntax", "expected_tokens", "garbage"]
    for oracle in ORACLES.values():
        assert oracle.parameters() is not None and oracle.source


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("garbage", {"max_repetitions": 1}),
        ("garbage", {"ngram": 0}),
        ("code_syntax", {"languages": ["os"]}),
        ("code_syntax", {"languages": []}),
        ("arithmetic", {"tolerance": -1}),
        ("expected_tokens", {"tokens": [-1]}),
    ],
)
def test_parameters_that_it_does_not_take_are_refused(name, parameters):
    with pytest.raises(ValidationError):
        hold(name, parameters, Answer("x"))
