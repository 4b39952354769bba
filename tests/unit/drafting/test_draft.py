"""A draft has what the class has: names, symbolic sizes, what the nearest base says too left out, doubts marked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_contracts.cli.main import main
from model_contracts.definitions import load_families
from model_contracts.drafting.classes import NotDrafted
from model_contracts.drafting.draft import draft
from model_contracts.drafting.symbols import Axis, Symbols
from model_contracts.drafting.written import written

TINY = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 32, "vocab_size": 128,
}  # fmt: skip


def symbols(sizes: dict[str, int], shape: Any) -> tuple[Axis, ...]:
    return Symbols(lambda config: {"a": tuple(shape(config))}, sizes).axes("a")


def test_an_axis_is_the_product_of_the_numbers_that_move_it() -> None:
    sizes = {"heads": 4, "head_dim": 8, "hidden_size": 32}
    (rows, columns) = symbols(sizes, lambda c: (3 * c["heads"] * c["head_dim"], c["hidden_size"]))
    assert (rows.factors, columns.factors) == (("heads", "head_dim", 3), ("hidden_size",))
    assert (rows.doubt, columns.doubt) == (None, None)


def test_a_sum_and_what_nothing_moves_are_no_product() -> None:
    (total, fixed) = symbols({"keys": 8, "values": 6}, lambda c: (c["keys"] + c["values"], 5))
    assert total.factors == (14,) and total.doubt is not None and "sum" in total.doubt
    assert fixed == Axis((5,), "no number of the configuration moves it")


def test_sizes_that_are_equal_are_told_apart() -> None:
    (axis,) = symbols({"hidden_size": 64, "intermediate_size": 64}, lambda c: (c["intermediate_size"],))
    assert axis.factors == ("intermediate_size",)


def test_a_class_gives_its_tensors_and_the_base_the_rest() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    found = draft({"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", **TINY}, load_families())
    assert found.base is not None and found.word == "qwen3"
    text = written(found, "transformers")
    assert '"blk.{n}.attn_q_norm.weight":' in text and "shape: [[head_dim]]" in text
    assert "attn_q.weight" not in text and "mlp.gate_proj" not in text


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"architectures": ["NoSuchModel"]}, "no class"),
        ({"architectures": ["os.system"]}, "no class"),
        ({"architectures": ["AutoModel"]}, "no class"),
        ({"architectures": []}, "names no class"),
        ({"hidden_size": 10**12}, "no size of a model"),
        ({"num_attention_heads": 0}, "refuses"),
    ],
)
def test_what_cannot_be_drafted_says_why(changed: dict[str, Any], reason: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **TINY, **changed}
    with pytest.raises(NotDrafted, match=reason):
        draft(config, load_families())


def test_code_beside_the_config_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    (tmp_path / "modeling_own.py").write_text("raise SystemExit(99)")
    config = {"architectures": ["LlamaForCausalLM"], "auto_map": {"AutoModel": "modeling_own.Model"}, **TINY}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", **config}))
    assert main(["families", "draft", str(tmp_path)]) == 0
    assert "extends: families/" in capsys.readouterr().out


def test_a_draft_replaces_nothing_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **TINY}
    (tmp_path / "config.json").write_text(json.dumps(config))
    mine = tmp_path / "mine.yaml"
    mine.write_text("mine")
    words = ["families", "draft", str(tmp_path), "-o", str(mine)]
    assert main(words) == 2
    assert "it exists already; --force replaces" in capsys.readouterr().err
    assert mine.read_text() == "mine"
    assert main([*words, "--force"]) == 0
    assert "extends: families/" in mine.read_text()


def test_the_list_fits_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["families"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "mixtral  Mixtral" in lines


def test_the_list_says_what_each_family_covers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["families", "--format", "json"]) == 0
    found = {one["id"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["llama"]["conventions"] == ["huggingface", "gguf", "meta"]
    assert "rows_within_heads" in found["llama"]["transforms"]
    assert "scale" in found["falcon_h1"]["transforms"]
    assert not {"decoder", "sizes"} & found.keys()
