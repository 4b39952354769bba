"""Special ids that the class of a tokenizer names are not held against a conversion that writes them."""

from __future__ import annotations

from pathlib import Path

from cases.interface import QWEN2, QWEN2_Q4_K_M
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Examination
from model_contracts.checks.static.tokenizers.pair_special_ids import same_special_ids
from model_contracts.definitions import load_families, load_recipes
from model_contracts.formats.opening import open_artifact
from model_contracts.outcome import Comparison
from support.gguf_models import read_gguf_model
from support.tokenizers import published, stored


def _compared(target: Artifact, source: Artifact) -> tuple[list[str], list[str]]:
    """What does not hold, and the reasons of what stayed uncompared."""
    held = Examination(target, source, load_families(), load_recipes(), sweeper=None)  # type: ignore[arg-type]
    told = list(same_special_ids(held.view, held.source_view))
    broken = [one.measure for one in told if isinstance(one, Comparison) and not one.holds]
    return broken, [one.reason for one in told if not isinstance(one, Comparison)]


def test_ids_that_a_vocabulary_of_lines_leaves_to_its_class_stay_uncompared(tmp_path: Path) -> None:
    source = published("wordpiece", tmp_path, None, "tokenizer.json", "tokenizer_config.json")
    broken, reasons = _compared(stored("wordpiece", tmp_path), source)
    assert broken == []
    assert any("vocab.txt names no bos_token_id" in reason for reason in reasons)


def test_padding_that_no_text_holds_and_the_end_of_sequence_as_padding_are_kept(tmp_path: Path) -> None:
    source = open_artifact(QWEN2)
    for at in (0, 2):
        model = read_gguf_model(QWEN2_Q4_K_M)
        model["tokenizer.ggml.padding_token_id"] = at
        assert _compared(open_artifact(model.write(tmp_path / f"{at}.gguf")), source) == ([], [])
    model["tokenizer.ggml.tokens"][3], model["tokenizer.ggml.token_type"][3] = "<|pad|>", 3
    model["tokenizer.ggml.padding_token_id"] = 3
    assert _compared(open_artifact(model.write(tmp_path / "pad.gguf")), source) == ([], [])


def test_an_id_that_tokenizer_json_and_its_configuration_do_not_name_is_invented(tmp_path: Path) -> None:
    target = stored("wordpiece", tmp_path, lambda model: model.__setitem__("tokenizer.ggml.bos_token_id", 40))
    broken, _ = _compared(target, published("wordpiece", tmp_path))
    assert broken == ["bos_token_id"]
