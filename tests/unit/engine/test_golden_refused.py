"""Golden files that cannot be used are refused in one line, and nothing is left of one that cannot be written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_contracts import definitions
from model_contracts.checks.interface import Skip
from model_contracts.containers import FORMS
from model_contracts.engine import golden_files
from model_contracts.engine.golden_files import GoldenRefused, read, write
from model_contracts.golden import Digests, Golden, GoldenPrompt
from model_contracts.inference.golden_answers import decoded, encoded, sealed
from model_contracts.runtimes.interface import TopLogits

UNKNOWN = f"blake3:{'0' * 64}"


def top(*, first: float = 0.5) -> TopLogits:
    """Three positions, two tokens each, of eight."""
    values = np.log(np.tile(np.array([first, 0.25], np.float32), (3, 1)))
    return TopLogits(np.array([[1, 2], [3, 4], [7, 0]]), values, 8)


def golden(answers: TopLogits | None = None, **changed: Any) -> Golden:
    prompt = GoldenPrompt(
        framing="plain", text="a b c", rendered="a b c", tokens=(1, 2, 3), answers=encoded(answers or top())
    )
    values: dict[str, Any] = {
        "version": 1, "model": "m", "format": "gguf", "runtime": "llamacpp", "versions": {}, "seed": 0,
        "vocabulary": 8, "top": 2, "prompts": (prompt,),
        "digests": Digests(model=UNKNOWN, tokenizer=UNKNOWN, prompts=UNKNOWN, content=UNKNOWN),
    }  # fmt: skip
    return sealed(Golden.model_validate(values | changed))


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    write(tmp_path / "golden.json", golden())
    found = read(tmp_path / "golden.json")
    assert found == golden()
    back = decoded(found.prompts[0].answers, 8)
    assert back.ids.tolist() == top().ids.tolist()
    assert back.values.tolist() == top().values.tolist()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (golden(top(first=0.2)), "not likeliest first"),
        (golden(top(first=1.5)), "above zero, not a number"),
        (golden(top(first=float("nan"))), "above zero, not a number"),
        (golden(TopLogits(np.array([[1, 1]] * 3), top().values, 8)), "a token twice"),
        (golden(TopLogits(np.array([[1, 9]] * 3), top().values, 8)), "token 9 of a vocabulary of 8"),
        (golden(TopLogits(np.array([[1, 2]] * 4), np.tile(top().values[:1], (4, 1)), 8)), "4 positions of 3 tokens"),
        (golden(top=3), "2 tokens a position and 3 rests, 3 and 3 said"),
        (golden(vocabulary=3), "of a vocabulary of 3"),
        (golden().model_copy(update={"seed": 1}), "does not match its digest of the content"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_parts_that_do_not_fit_are_refused_and_never_written(broken: Golden, said: str, tmp_path: Path) -> None:
    with pytest.raises(GoldenRefused, match=said):
        write(tmp_path / "golden.json", broken)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "golden.json").write_text(broken.model_dump_json(), encoding="utf-8")
    with pytest.raises(GoldenRefused, match=said):
        read(tmp_path / "golden.json")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" + b"0," * 1_500_000 + b"0]", "1,000,000 values"),
        (b'{"seed": ' + b"1" * 10_000 + b"}", "not JSON"),
        (b'{"model": "\\ud800"}', "not a golden file"),
        (b"[]", "object|dictionary"),
        (json.dumps({"version": 2}).encode(), "version"),
        (golden().model_dump_json().replace('"positions":3', '"positions":1048576').encode(), "digest|positions"),
        (golden().model_dump_json().encode()[:-20], "not JSON"),
    ],
    ids=["empty", "binary", "deep", "many", "digits", "surrogate", "array", "version", "positions", "cut"],
)
def test_what_is_no_golden_file_is_refused_in_one_line(data: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "golden.json"
    file.write_bytes(data)
    with pytest.raises(GoldenRefused, match=said) as caught:
        read(file)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_file_that_is_too_large_is_refused_by_its_size(tmp_path: Path) -> None:
    file = tmp_path / "golden.json"
    with file.open("wb") as opened:
        opened.truncate(golden_files.MAX_BYTES + 1)
    with pytest.raises(GoldenRefused, match="more than 268,435,456 bytes"):
        read(file)


def test_no_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GoldenRefused, match="no such file"):
        read(tmp_path / "absent.json")
    with pytest.raises(GoldenRefused, match="not a plain file"):
        read(tmp_path)
    with pytest.raises(GoldenRefused, match="this is a folder"):
        write(tmp_path, golden())
    with pytest.raises(GoldenRefused, match="not written"):
        write(tmp_path / "absent" / "golden.json", golden())


def test_without_a_golden_file_nothing_is_compared() -> None:
    from types import SimpleNamespace

    from model_contracts.checks.running.golden_agreement import golden_answers
    from model_contracts.checks.trial import Trial
    from model_contracts.inference.budgets import DistributionBudgets

    budgets = DistributionBudgets.model_validate(
        {"lossless": {"divergence": 1e-4, "divergence_99": 1e-3, "top1": 0.995}, "budgets": {}}
    )
    with pytest.raises(Skip, match="--golden"):
        next(golden_answers(SimpleNamespace(golden=None), budgets, str, Trial(0, None)))


@pytest.mark.parametrize(("ids", "holds"), [([1, 2, 3], True), ([1, 2], False)])
def test_stored_ids_are_replayed_by_what_the_target_makes_of_the_prompt_now(ids: list[int], holds: bool) -> None:
    from types import SimpleNamespace

    from model_contracts.checks.running.golden_agreement import again
    from model_contracts.outcome import Counterexample

    session = SimpleNamespace(tokens=lambda text, add_special: ids)
    seen = SimpleNamespace(
        golden=golden(), target=SimpleNamespace(path=None, form=FORMS["gguf"]),
        sessions=SimpleNamespace(get=lambda path, name: session),
    )  # fmt: skip
    stored = Counterexample(kind="golden_prompt", description="", input={"prompt": 0, "tokens": [1, 2]})
    comparison = again(seen, None, stored)
    assert (comparison.measure, comparison.expected, comparison.observed) == ("prompt_tokens", [1, 2, 3], ids)
    assert comparison.holds is holds
    with pytest.raises(Skip, match="no prompt of the golden file"):
        again(seen, None, stored.model_copy(update={"input": {"prompt": 5, "tokens": [1]}}))


def test_the_budgets_are_those_of_the_golden_rule() -> None:
    ours, theirs = (definitions.load_invariant(name) for name in ("golden-file", "golden-rule"))
    assert ours.parameters == theirs.parameters
