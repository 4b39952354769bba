"""Kinds that own invariants stand on: each fires on a broken model, stays quiet on an honest one, and tells gaps."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from pydantic import ValidationError

from model_contracts.checks import KINDS
from model_contracts.checks.drafts import written
from model_contracts.checks.interface import Skip
from model_contracts.checks.static.custom.selected import matched
from model_contracts.checks.trial import Trial
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import examination_of
from model_contracts.formats.opening import open_artifact
from model_contracts.outcome import Comparison, Uncompared
from support.mutations import copied, json_of, safetensors_of
from support.shared_models import DATA

QWEN2, GGUF = DATA / "tiny-qwen2", DATA / "tiny-qwen2-Q4_K_M.gguf"
NORM = "model.layers.0.input_layernorm.weight"


def seen(kind: str, target: Path, **parameters: Any) -> tuple[list[Comparison], list[Uncompared]]:
    """What a kind yields of an artifact."""
    found = KINDS[kind]
    held = found.parameters.model_validate(parameters)
    examination = examination_of(CheckRequest((target,)), open_artifact(target), None, None)
    told = [written(one) for one in found.run(examination, held, lambda *_: "own.yaml:1", Trial(0, None))]
    return [o for o in told if isinstance(o, Comparison)], [o for o in told if isinstance(o, Uncompared)]


def bad(comparisons: list[Comparison]) -> list[tuple[str, str | None, Any]]:
    return [(c.measure, c.place.tensor or c.place.key or c.place.file, c.observed) for c in comparisons if not c.holds]


@pytest.mark.parametrize(
    ("pattern", "name", "stars"),
    [
        ("a.*.b", "a.1.b", ("1",)),
        ("*", "", ("",)),
        ("a*a", "a", None),
        ("*a*b", "xaayb", ("x", "ay")),
        ("b?k.*", "blk.0", ("0",)),
        ("exact", "exact", ()),
        ("exact", "exactly", None),
        ("*.weight", "x.weight.weight", ("x.weight",)),
    ],
)
def test_a_glob_says_what_its_stars_stand_for(pattern: str, name: str, stars: tuple[str, ...] | None):
    assert matched(pattern, name) == stars


def test_no_glob_takes_long(tmp_path: Path):
    clock = time.perf_counter()
    assert matched("*a" * 8, "a" * 10_000 + "b") is None
    assert time.perf_counter() - clock < 0.5
    with pytest.raises(ValidationError, match="pattern"):
        KINDS["tensors_typed"].parameters.model_validate({"tensors": ["*a" * 9], "types": ["F32"]})


def test_types_are_those_that_are_named(tmp_path: Path):
    honest, gaps = seen("tensors_typed", QWEN2, tensors=["*norm.weight"], types=["BF16", "F32"])
    assert (len(honest), bad(honest), gaps) == (9, [], [])
    model = copied(QWEN2, tmp_path)
    with safetensors_of(model / "model.safetensors") as tensors:
        tensors[NORM] = tensors[NORM].cast("F16")
    broken, _ = seen("tensors_typed", model, tensors=["*norm.weight"], types=["BF16", "F32"])
    assert bad(broken) == [("element_type", NORM, "F16")]
    with pytest.raises(ValidationError, match="element type"):
        KINDS["tensors_typed"].parameters.model_validate({"tensors": ["*"], "types": ["F33"]})


def test_a_glob_that_matches_nothing_is_told_and_names_of_gguf_match_in_a_folder_too():
    told, gaps = seen("tensors_typed", QWEN2, tensors=["blk.*.attn_norm.weight", "nothing.*"], types=["BF16"])
    assert (len(told), [(gap.place.tensor, gap.reason) for gap in gaps]) == (
        4,
        [("nothing.*", "no tensor has such a name")],
    )
    left, _ = seen("tensors_typed", QWEN2, tensors=["blk.*_norm.weight"], but=["blk.0.*"], types=["BF16"])
    assert len(left) == 6


def test_shapes_are_numbers_keys_or_any(tmp_path: Path):
    width = {"key": {"config": ["hidden_size"], "gguf": ["{arch}.embedding_length"]}}
    for target in (QWEN2, GGUF):
        told, gaps = seen("tensors_shaped", target, tensors=["token_embd.weight"], shape=[None, width])
        assert ([c.measure for c in told], bad(told), gaps) == (["axes", "axis_1"], [], [])
    model = copied(QWEN2, tmp_path)
    with json_of(model / "config.json") as config:
        config["hidden_size"] = 255
    told, _ = seen("tensors_shaped", model, tensors=["token_embd.weight"], shape=[None, width])
    assert bad(told) == [("axis_1", "model.embed_tokens.weight", 256)]
    told, _ = seen("tensors_shaped", QWEN2, tensors=["token_embd.weight"], shape=[2000])
    assert bad(told) == [("axes", "model.embed_tokens.weight", 2)]
    unknown = {"key": {"config": ["nobody"]}}
    told, gaps = seen("tensors_shaped", QWEN2, tensors=["token_embd.weight"], shape=[None, unknown])
    assert bad(told) == [] and "declares no whole number" in gaps[0].reason


def test_statistics_lie_within_their_bounds_and_a_nan_never_does(tmp_path: Path):
    bounds = {
        "mean": {"at_least": 0.5, "at_most": 2},
        "values": {"at_most": 100, "at_least": -100},
        "zeros": {"at_most": 0.5},
    }
    honest, gaps = seen("tensors_measured", QWEN2, tensors=[NORM], **bounds)
    assert ([c.measure for c in honest], bad(honest), gaps) == (
        ["smallest_value", "largest_value", "mean", "zeros"],
        [],
        [],
    )

    def nan(values: Any) -> None:
        values[0] = float("nan")

    def zero(values: Any) -> None:
        values[:] = 0

    for edit, measures in ((nan, {"smallest_value", "largest_value", "mean"}), (zero, {"mean", "zeros"})):
        model = copied(QWEN2, tmp_path, edit.__name__)
        with safetensors_of(model / "model.safetensors") as tensors:
            tensors[NORM] = tensors[NORM].map(edit)
        told, _ = seen("tensors_measured", model, tensors=[NORM], **bounds)
        assert {measure for measure, _, _ in bad(told)} == measures


def test_one_tensor_equals_another_or_a_key(tmp_path: Path):
    model = copied(QWEN2, tmp_path)
    with safetensors_of(model / "model.safetensors") as tensors:
        for layer in (0, 1):
            tensors[f"copy.{layer}"] = tensors[f"model.layers.{layer}.input_layernorm.weight"]
        tensors["copy.2"] = tensors["model.layers.1.input_layernorm.weight"].map(lambda values: values + 1)
        tensors["copy.9"] = tensors["copy.0"]
        tensors["scale"] = tensors["copy.0"].map(lambda values: values[:2] * 0 + 0.5)
    told, gaps = seen("tensors_equal", model, tensors=["copy.*"], to="model.layers.*.input_layernorm.weight")
    assert ([c.holds for c in told], bad(told)) == ([True, True, False], [("same_tensor", "copy.2", "others")])
    assert [gap.place.tensor for gap in gaps] == ["model.layers.9.input_layernorm.weight"]
    for value, holds in (([0.5, 0.5], True), ([0.5, 0.25], False), ([0.5], False)):
        with json_of(model / "config.json") as config:
            config["scales"] = value
        told, _ = seen("tensors_equal", model, tensors=["scale"], key={"config": ["scales"]})
        assert [c.holds for c in told] == [holds]
    told, gaps = seen("tensors_equal", model, tensors=["scale"], key={"config": ["hidden_act"]})
    assert told == [] and "declares no number" in gaps[0].reason


def test_a_tensor_and_a_file_have_their_digest(tmp_path: Path):
    model = copied(QWEN2, tmp_path)
    with safetensors_of(model / "model.safetensors") as tensors:
        data = tensors[NORM].data
    for digest in (f"sha256:{hashlib.sha256(data).hexdigest()}", f"blake3:{blake3(data).hexdigest()}"):
        told, _ = seen("tensors_digest", model, tensors=[NORM], digest=digest)
        assert bad(told) == []
    told, _ = seen("tensors_digest", model, tensors=[NORM], digest="sha256:" + "0" * 64)
    assert [measure for measure, _, _ in bad(told)] == ["tensor_digest"]
    text = (model / "tokenizer.json").read_bytes()
    told, _ = seen("file_digest", model, file="tokenizer.json", digest=f"sha256:{hashlib.sha256(text).hexdigest()}")
    assert (len(told), bad(told)) == (1, [])
    told, _ = seen("file_digest", model / "model.safetensors", file="nowhere.txt", digest="sha256:" + "0" * 64)
    assert bad(told) == [("file_digest", "nowhere.txt", None)]


def test_a_file_outside_of_the_folder_is_not_read(tmp_path: Path):
    model = copied(QWEN2, tmp_path)
    (tmp_path / "secret").write_text("x")
    (model / "linked").symlink_to(tmp_path / "secret")
    told, gaps = seen("file_digest", model, file="linked", digest="sha256:" + "0" * 64)
    assert told == [] and gaps[0].reason == "a link that leaves the folder"
    for name in ("../secret", "/etc/passwd", "a/../../secret", "a\\b", "c:x"):
        with pytest.raises(ValidationError):
            KINDS["file_digest"].parameters.model_validate({"file": name, "digest": "sha256:" + "0" * 64})


def test_tensors_are_counted_and_none_is_a_number_too():
    told, gaps = seen("tensors_counted", QWEN2, tensors=["*lora*"], number={"at_most": 0})
    assert (bad(told), gaps, [c.observed for c in told]) == ([], [], [0])
    told, _ = seen("tensors_counted", QWEN2, tensors=["*norm.weight"], number={"at_most": 8}, share={"at_most": 0.5})
    assert bad(told) == [("tensors_number", "*norm.weight", 9)]
    told, _ = seen("tensors_counted", QWEN2, tensors=["token_embd.weight"], share={"at_least": 0.5})
    assert [measure for measure, _, _ in bad(told)] == ["tensors_share"]


def test_a_key_has_its_values(tmp_path: Path):
    theta = {"config": ["rope_theta", "rope_parameters.rope_theta"], "gguf": ["{arch}.rope.freq_base"]}
    for target in (QWEN2, GGUF):
        assert bad(seen("key_value", target, **theta, values=[1000000.0])[0]) == []
        assert len(bad(seen("key_value", target, **theta, values=[10000, True])[0])) == 1
        assert bad(seen("key_value", target, **theta, within={"at_least": 1e5})[0]) == []
        assert len(bad(seen("key_value", target, **theta, within={"at_most": 1e5})[0])) == 1
    told, _ = seen("key_value", QWEN2, config=["architectures"], values=[["Qwen2ForCausalLM"]])
    assert bad(told) == []
    told, _ = seen("key_value", QWEN2, config=["nobody"], values=[1])
    assert bad(told) == [("declared_value", "nobody", None)]
    for parameters, cause in (
        ({"config": ["nobody"], "values": [1], "required": False}, "not_owed"),
        ({"gguf": ["x"], "values": [1]}, "missing_input"),
    ):
        with pytest.raises(Skip) as skipped:
            seen("key_value", QWEN2, **parameters)
        assert skipped.value.cause == cause


def test_a_number_beyond_reason_is_no_error(tmp_path: Path):
    model = copied(QWEN2, tmp_path)
    with json_of(model / "config.json") as config:
        config["huge"] = 10**300
    assert len(bad(seen("key_value", model, config=["huge"], within={"at_most": 1})[0])) == 1
    assert len(bad(seen("key_value", model, config=["huge"], values=[1])[0])) == 1
