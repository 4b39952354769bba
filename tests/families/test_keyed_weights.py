"""Numbers that a folder has as tensors and a GGUF as keys, one a layer: the same numbers are kept, others are lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_contracts.cli.main import main
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from support.family_classes import config_of, small
from support.gguf_models import read_gguf_model
from support.round_trips import RoundTrip, write

pytest.importorskip("transformers")
pytest.importorskip("torch")


def test_the_numbers_of_apertus_activation_are_held_to_the_keys_of_a_gguf(tmp_path: Path) -> None:
    if config_of("ApertusForCausalLM") is None:
        pytest.skip("transformers has no Apertus")
    sizes = small("families/apertus", "ApertusForCausalLM")
    sizes |= {"vocab_size": 2000, "pad_token_id": 0, "eos_token_id": 2, "bos_token_id": 1}
    source, gguf = tmp_path / "source", tmp_path / "apertus.gguf"
    write(source, RoundTrip("ApertusForCausalLM"), sizes, 0)
    assert main(["convert", str(source), str(gguf), "--quiet"]) == 0
    model = read_gguf_model(gguf)
    model["xielu.beta"] = [model["xielu.beta"][0], 0.75]
    model.write(gguf)
    (gate,) = (one for one in check(CheckRequest((gguf,), against=source))[0] if one.gate_id == "F-CONTRACT-I2-001")
    assert gate.outcome == "Falsified"
    lost = [(one.measure, one.place.tensor) for one in gate.comparisons if not one.holds]
    assert lost == [("tensor_missing", "model.layers.1.mlp.act_fn.beta")]
