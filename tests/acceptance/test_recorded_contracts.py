"""A contract that was recorded from a good model: the same model keeps it, and a broken one fails where it says so."""

from __future__ import annotations

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_contracts import check
from model_contracts.checks.static.custom.recorded_names import names_of, patterns_of, ranges_of
from model_contracts.cli.main import main
from model_contracts.lint import linted
from support.mutations import copied, json_of, safetensors_of, stored
from support.shared_models import DATA

QWEN2, QUANT = DATA / "tiny-qwen2", DATA / "tiny-qwen2-Q4_K_M.gguf"
UP = "model.layers.2.mlp.up_proj.weight"
TENSORS, MOMENTS, KEYS, TOKENIZER = (f"G0-RECORDED-00{number}" for number in range(1, 5))


def init(*words: str | Path) -> tuple[int, str, str]:
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        return main(["init", *map(str, words)]), out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contract of the small model."""
    target = tmp_path_factory.mktemp("written") / "good.yaml"
    assert init(QWEN2, "-o", target)[0] == 0
    return target


@pytest.mark.parametrize("model", [QWEN2, QUANT, DATA / "tiny-llama", DATA / "tiny-llama-Q8_0.gguf"])
def test_a_model_keeps_what_was_recorded_of_it(model: Path, tmp_path: Path):
    assert init(model, "-o", tmp_path / "c.yaml")[0] == 0
    told = check(model, contract=tmp_path / "c.yaml", only=["G0-RECORDED-*"]).finish()
    outcomes = {one.gate_id: (str(one.outcome), one.compared == one.owed) for one in told.evidence}
    assert set(outcomes.values()) == {("Corroborated", True)} and {TENSORS, KEYS} <= set(outcomes)
    flaws, _ = linted([tmp_path / "c.yaml"])
    assert [str(flaw) for flaw in flaws if flaw.decides] == []


def tensors(change: Any) -> Any:
    def spoil(model: Path) -> None:
        with safetensors_of(model / "model.safetensors") as held:
            change(held)

    return spoil


def document(file: str, change: Any) -> Any:
    def spoil(model: Path) -> None:
        with json_of(model / file) as value:
            change(value)

    return spoil


BROKEN: dict[str, tuple[Any, str, str, str]] = {
    "a tensor is gone": (tensors(lambda t: t.pop(UP)), TENSORS, "recorded_tensor", UP),
    "a tensor has another name": (tensors(lambda t: t.update({f"x.{UP}": t.pop(UP)})), TENSORS, "recorded_tensor", UP),
    "a tensor too many": (tensors(lambda t: t.update(lora=t[UP])), TENSORS, "recorded_tensor", "lora"),
    "another type": (tensors(lambda t: t.update({UP: stored(t[UP].values, "F32")})), TENSORS, "recorded_tensor", UP),
    "another shape": (tensors(lambda t: t.update({UP: t[UP].map(lambda v: v.T)})), TENSORS, "recorded_tensor", UP),
    "a scale is lost": (tensors(lambda t: t.update({UP: t[UP].map(lambda v: v * 1.2)})), MOMENTS, "recorded_std", UP),
    "values moved": (tensors(lambda t: t.update({UP: t[UP].map(lambda v: v + 0.01)})), MOMENTS, "recorded_mean", UP),
    "zeros": (tensors(lambda t: t.update({UP: t[UP].map(np.zeros_like)})), MOMENTS, "recorded_std", UP),
    "no number": (tensors(lambda t: t.update({UP: t[UP].map(lambda v: v * np.nan)})), MOMENTS, "recorded_std", UP),
    "another base of the rotation": (
        document("config.json", lambda c: c["rope_parameters"].update(rope_theta=1e4)),
        KEYS, "recorded_value", "rope_parameters.rope_theta",
    ),
    "a key is gone": (document("config.json", lambda c: c.pop("hidden_act")), KEYS, "recorded_value", "hidden_act"),
    "a flag for a number": (
        document("config.json", lambda c: c.update(use_cache=1)), KEYS, "recorded_value", "use_cache",
    ),
    "merges in another order": (
        document("tokenizer.json", lambda t: t["model"]["merges"].reverse()), TOKENIZER, "recorded_merges", "merges",
    ),
    "a token has another text": (
        document("tokenizer.json", lambda t: t["added_tokens"][0].update(content="<other>")),
        TOKENIZER, "recorded_added", "added",
    ),
    "another template": (
        lambda model: (model / "chat_template.jinja").write_text("{{ messages[0].content }}"),
        TOKENIZER, "recorded_template", "template",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_variant_fails_at_the_clause_that_says_so(fault: str, written: Path, tmp_path: Path):
    spoil, gate, measure, place = BROKEN[fault]
    model = copied(QWEN2, tmp_path)
    spoil(model)
    told = check(model, contract=written, only=["G0-RECORDED-*"]).finish()
    falsified = {one.gate_id: one for one in told.evidence if str(one.outcome) == "Falsified"}
    assert gate in falsified and set(falsified) <= {gate, TENSORS, MOMENTS, TOKENIZER}
    violated = [one for one in falsified[gate].comparisons if not one.holds]
    assert any((one.measure, one.place.tensor or one.place.key) == (measure, place) for one in violated)
    lines = written.read_text("utf-8").splitlines()
    for one in violated:
        assert one.bound_from is not None and one.bound_from.startswith(f"{written}:")
        number = int(one.bound_from.rpartition(":")[2])
        assert 0 < number <= len(lines)
    if gate == KEYS:
        assert place in lines[int(str(violated[0].bound_from).rpartition(":")[2]) - 1]


def test_the_contract_beside_a_model_comes_on_top(tmp_path: Path):
    model = copied(QWEN2, tmp_path)
    assert init(model, "-o", model / "contracts.yaml")[0] == 0
    assert {TENSORS, "G0-TENSOR-001"} <= {one.gate_id for one in check(model, only=["G0-*"])}
    assert init(model, "-o", model / "contracts.yaml") == (
        2, "", f"contracts: {model / 'contracts.yaml'}: it exists already; --force replaces\n",
    )  # fmt: skip
    assert init(model, "-o", model / "contracts.yaml", "--force")[0] == 0


def test_three_thousand_tensors_are_a_contract_that_is_read(tmp_path: Path):
    model = tmp_path / "model"
    model.mkdir()
    names = [f"model.layers.{n}.mlp.experts.{e}.w{k}.weight" for n in range(24) for e in range(43) for k in range(3)]
    header, data = {}, np.arange(8, dtype=np.float32).tobytes()
    for at, name in enumerate(names):
        header[name] = {"dtype": "F32", "shape": [2, 4], "data_offsets": [at * 32, at * 32 + 32]}
    text = json.dumps(header).encode()
    (model / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data * len(names))
    (model / "config.json").write_text("{}")
    assert init(model, "-o", tmp_path / "c.yaml")[0] == 0
    contract = (tmp_path / "c.yaml").read_bytes()
    assert len(names) > 3_000 and len(contract) < 64 << 10 and contract.count(b"\n") < 60
    told = check(model, contract=tmp_path / "c.yaml", only=["G0-RECORDED-*"]).finish()
    assert [(one.gate_id, str(one.outcome), one.compared) for one in told.evidence][:1] == [
        (TENSORS, "Corroborated", len(names))
    ]
    assert next(one for one in told.evidence if one.gate_id == MOMENTS).compared == 8 * len(names)


def test_hostile_names_are_text(tmp_path: Path):
    model = copied(QWEN2, tmp_path)
    names = ['a"b', "a: [b", "- {x}", "a\u2028b", "ü.\t1", "x.007.y", "{0-3}.w", "#", "!!python/object:os.system"]
    with safetensors_of(model / "model.safetensors") as held:
        held.update({name: held[UP] for name in names if name != "{0-3}.w"})
    code, _, err = init(model, "-o", tmp_path / "c.yaml")
    assert code == 0, err
    assert check(model, contract=tmp_path / "c.yaml", only=[TENSORS]).finish().kept
    with safetensors_of(model / "model.safetensors") as held:
        held["{0-3}.w"] = held[UP]
    code, _, err = init(model, "-o", tmp_path / "d.yaml")
    assert (code, "a tensor is called as a range of names is written" in err, (tmp_path / "d.yaml").exists()) == (
        2,
        True,
        False,
    )


@pytest.mark.parametrize("place", ["nowhere", "empty.gguf", "."])
def test_what_is_no_model_is_one_line(place: str, tmp_path: Path):
    (tmp_path / "empty.gguf").write_bytes(b"GGUF")
    code, out, err = init(tmp_path / place, "-o", tmp_path / "c.yaml")
    assert (code, out, err.count("\n"), (tmp_path / "c.yaml").exists()) == (2, "", 1, False)


def test_names_and_patterns_are_two_ways_of_saying_the_same():
    names = [
        "a.0.b",
        "a.1.b",
        "a.3.b",
        "a.3.c",
        "x.1.e.0",
        "x.1.e.1",
        "x.2.e.0",
        "x.2.e.1",
        "x.3.e.1",
        "a.01.b",
        "7",
        "n",
    ]
    patterns = list(patterns_of(names))
    assert sorted(name for pattern in patterns for name in names_of(pattern)) == sorted(names)
    assert {"a.{0-1}.b", "x.{1-2}.e.{0-1}", "x.3.e.1", "a.01.b"} <= set(patterns) and len(patterns) == 8
    for text in ("{3-1}", "{0-9999999}", "{0-999}.{0-999}"):
        with pytest.raises(ValueError, match=r"ranges that count up|at most 200,000 names"):
            ranges_of(text)
