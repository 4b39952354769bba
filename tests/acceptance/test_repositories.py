"""A repository of several models is opened whole; draft heads and layers that predict ahead are held to their model.

The pipeline and the sentence model are those that diffusers 0.42 and sentence-transformers 6.2 wrote
(support/record_repositories.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cases.gates import BIJECTION, CONFIG, DECLARED, FAMILY, LAYOUT, TOKENIZER
from model_contracts.cli.main import main
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.outcome import Outcome, Verdict
from support.model_repositories import Edit, Files, head, repository

UNET = "unet/diffusion_pytorch_model.safetensors"


def outcomes(path: Path, against: Path | None = None, *only: str) -> tuple[dict[tuple[str, str], Outcome], int]:
    """By artifact and gate."""
    evidence, run = check(CheckRequest((path,), against=against, only=only))
    return {(one.subject.name, one.gate_id): one for one in evidence}, run.decision.exit_code


def red(path: Path, against: Path | None = None, *only: str) -> dict[tuple[str, str], tuple[str, Any]]:
    """Artifact and gate to measure and observed value of the first violated comparison."""
    found, code = outcomes(path, against, *only)
    broken = {at: next(c for c in one.comparisons if not c.holds) for at, one in found.items() if one.violated}
    assert code == (1 if broken else code)
    return {at: (one.measure, one.observed) for at, one in broken.items()}


def _honest(files: Files) -> None:
    """The merges that a trained tokenizer has; the recorded one was never trained."""
    model = files["tokenizer/tokenizer.json"]["model"]
    model["merges"] = [["!", '"</w>']]
    model["vocab"] = {word: at for word, at in model["vocab"].items() if at != 79} | {'!"</w>': 79}


def _pipeline(edit: Edit) -> Edit:
    def both(files: Files) -> None:
        _honest(files)
        for name in [name for name in files if "fp16" in name]:
            del files[name]
        edit(files)

    return both


def test_each_component_of_a_pipeline_is_an_artifact_of_its_own_and_none_is_false(tmp_path: Path) -> None:
    found, code = outcomes(repository("pipeline", tmp_path / "sd", _honest))
    assert code == 3  # what no family knows is not proven
    assert {at: one.reason for at, one in found.items() if one.violated} == {}
    files = {"text_encoder", "model.fp16", "tokenizer", "diffusion_pytorch_model.fp16", "unet", "vae"}
    assert {name for name, _ in found} == {"sd", *files}
    assert found["sd", CONFIG].compared == 8  # five components, and the class of the three that say theirs
    assert not found["sd", CONFIG].uncompared
    sizes = max(one.compared for (_, gate), one in found.items() if gate == CONFIG)
    assert sizes > 10


def _drop_component(files: Files) -> None:
    for name in [name for name in files if name.startswith("vae/")]:
        del files[name]


@pytest.mark.parametrize(
    ("edit", "measure"),
    [
        (_drop_component, "component"),
        (lambda files: files["unet/config.json"].update(_class_name="AutoencoderKL"), "component_class"),
        (lambda files: files["unet/config.json"].update(in_channels=9), "in_channels"),
        (lambda files: files["unet/config.json"].update(block_out_channels=[4, 8, 8]), "block_out_channels"),
        (lambda files: files["unet/config.json"].update(cross_attention_dim=32), "cross_attention_dim"),
        (lambda files: files["vae/config.json"].update(latent_channels=16), "latent_channels"),
    ],
    ids=["component-lost", "class-of-another", "channels-in", "blocks", "text-of-another", "latents"],
)
def test_a_broken_pipeline_is_falsified_where_it_is_broken(edit: Edit, measure: str, tmp_path: Path) -> None:
    found = red(repository("pipeline", tmp_path / "sd", _pipeline(edit)), None, CONFIG)
    assert measure in {one for one, _ in found.values()}


def test_weights_of_no_component_are_told_and_a_tokenizer_lies_beside_its_text_encoder(tmp_path: Path) -> None:
    folder = repository("pipeline", tmp_path / "sd", _honest)
    (folder / "v1-5-pruned.safetensors").write_bytes(b"")
    (folder / "old").mkdir()
    (folder / "old" / "model.bin").write_bytes(b"")
    found, _ = outcomes(folder, None, CONFIG)
    assert {one.place.file for one in found["sd", CONFIG].uncompared} == {"v1-5-pruned.safetensors", "old/model.bin"}
    alone, _ = outcomes(folder / "text_encoder" / "model.safetensors", None, TOKENIZER)
    (held,) = [one for (_, gate), one in alone.items() if gate == TOKENIZER]
    assert held.skip_cause == "not_owed"


def test_names_of_components_stay_inside_the_folder(tmp_path: Path) -> None:
    edit = _pipeline(lambda files: files["model_index.json"].update({"../up": ["diffusers", "UNet2DConditionModel"]}))
    found = red(repository("pipeline", tmp_path / "sd", edit), None, "G0-CONTAINER-001")
    assert ("component", "../up") in found.values()


def test_inspect_lists_components_and_says_what_is_not_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = repository("pipeline", tmp_path / "sd", _honest)
    assert main(["inspect", str(folder), "--format", "json"]) == 0
    told = {one["name"]: one for one in json.loads(capsys.readouterr().out)["components"]}
    assert set(told) == {"scheduler", "text_encoder", "tokenizer", "unet", "vae"}
    assert told["unet"]["what"] == "UNet2DConditionModel"
    assert len(told["unet"]["opened"]) == 2
    assert told["scheduler"]["reason"] == "no model in this directory (.safetensors, .gguf or .apr)"


def test_a_sentence_model_is_kept_with_each_of_its_parts(tmp_path: Path) -> None:
    found, code = outcomes(repository("sentence_model", tmp_path / "model"))
    assert code == 0, {at: one.reason for at, one in found.items() if one.outcome is not Verdict.CORROBORATED}
    assert {name for name, _ in found} == {"model", "1_Pooling", "2_Dense", "3_Dense"}


@pytest.mark.parametrize(
    ("edit", "measure"),
    [
        (lambda files: files["1_Pooling/config.json"].update(embedding_dimension=16), "embedding_dimension"),
        (lambda files: files["3_Dense/config.json"].update(in_features=8), "in_features"),
        (lambda files: files["modules.json"].insert(0, files["modules.json"].pop(1)), "order_of_parts"),
        (lambda files: files["tokenizer_config.json"].update(model_max_length=512), "model_max_length"),
        (lambda files: files["2_Dense/model.safetensors"].pop("linear.bias"), "tensor_present"),
    ],
    ids=["pooling-of-another", "chain-broken", "pooling-first", "longer-than-positions", "bias-lost"],
)
def test_a_broken_sentence_model_is_falsified_where_it_is_broken(edit: Edit, measure: str, tmp_path: Path) -> None:
    assert measure in {one for one, _ in red(repository("sentence_model", tmp_path / "model", edit)).values()}


BASE = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "vocab_size": 512}


@pytest.mark.parametrize("kind", ["eagle", "eagle3", "medusa"])
def test_a_draft_head_is_kept_and_one_of_another_model_is_not(kind: str, tmp_path: Path) -> None:
    found, code = outcomes(head(kind, tmp_path / "head"))
    assert code == 0, {at: one.reason for at, one in found.items() if one.outcome is not Verdict.CORROBORATED}
    base = tmp_path / "base"
    base.mkdir()
    (base / "model.safetensors").write_bytes((tmp_path / "head" / "model.safetensors").read_bytes())
    (base / "config.json").write_text(json.dumps(BASE))
    pair, _ = outcomes(tmp_path / "head", base)
    assert pair["head", DECLARED].outcome is Verdict.CORROBORATED
    assert pair["head", BIJECTION].skip_cause == "not_owed"
    (base / "config.json").write_text(json.dumps(BASE | {"hidden_size": 128}))
    assert red(tmp_path / "head", base)["head", DECLARED] == ("hidden_size", 64)


@pytest.mark.parametrize(
    ("kind", "edit", "changes", "gate", "measure"),
    [
        ("eagle", lambda t: t.update({"fc.weight": (64, 64)}), {}, LAYOUT, "shape"),
        ("eagle3", lambda t: t.update({"fc.weight": (64, 128)}), {}, LAYOUT, "shape"),
        ("eagle3", lambda t: t.__delitem__("midlayer.hidden_norm.weight"), {}, FAMILY, "tensor_present"),
        ("eagle3", lambda t: t.__delitem__("d2t"), {}, FAMILY, "tensor_present"),
        ("medusa", lambda t: t.__delitem__("1.0.linear.weight"), {}, FAMILY, "tensor_present"),
        ("medusa", lambda t: None, {"medusa_num_heads": 4}, CONFIG, "medusa_num_heads"),
    ],
    ids=["eagle-fc", "eagle3-fc", "norm-lost", "map-lost", "block-lost", "heads"],
)
def test_a_broken_draft_head_is_falsified_where_it_is_broken(
    kind: str, edit: Edit, changes: dict[str, Any], gate: str, measure: str, tmp_path: Path
) -> None:
    assert red(head(kind, tmp_path / "head", edit, **changes))["head", gate][0] == measure
