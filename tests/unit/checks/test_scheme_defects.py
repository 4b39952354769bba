"""Gates of schemes: honest folders are quiet, and each documented defect is seen at the gate that is there for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from cases.gates import CODES, COVERAGE, PARTS, SCALES, VALUES
from cases.interface import QWEN2
from cases.scheme_defects import DEFECTS
from cases.scheme_kinds import KINDS
from model_contracts.checks.interface import Skip
from model_contracts.definitions import load_engines, load_schemes
from support import expert_models
from support.examining import violated, yielded
from support.mutations import Stored, json_of, safetensors_of, stored
from support.quantised_parts import E4M3, QUANTISED, held, nearest, quantised_folder


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory):
    """Gives the honest folder of a layout, made once."""
    place = tmp_path_factory.mktemp("honest")

    @cache
    def folder(layout: str) -> Path:
        return quantised_folder(layout, place / layout)

    return folder


@pytest.mark.parametrize("layout", QUANTISED)
def test_an_honest_folder_owes_and_keeps_what_its_scheme_promises(honest, layout: str) -> None:
    for gate in (PARTS, COVERAGE, SCALES, CODES):
        compared, gaps = yielded(gate, honest(layout))
        assert compared
        assert (violated(compared), gaps) == (set(), [])


@pytest.mark.parametrize("name", [*DEFECTS, *KINDS])
def test_a_defect_is_seen_where_it_should_be(honest, tmp_path: Path, name: str) -> None:
    defect = DEFECTS.get(name) or KINDS[name]
    folder = tmp_path / "model"
    shutil.copytree(honest(defect.layout), folder)
    defect.change(folder)
    compared, _ = yielded(defect.gate, folder, QWEN2 if defect.gate == VALUES else None)
    bad = [c for c in compared if not c.holds]
    assert bad and any(c.measure.startswith(defect.measure) for c in bad), violated(compared)
    assert any(defect.words in f"{c.note}" for c in bad), [c.note for c in bad]


def test_the_list_of_documented_defects_is_whole() -> None:
    assert len(DEFECTS) == 30
    with pytest.raises(Skip, match="no configuration declares packed weights"):
        yielded(SCALES, QWEN2)


def _fp8(values: np.ndarray) -> dict[str, Stored]:
    """FP8 in blocks of 16 x 16."""
    rows, columns = values.shape
    scale = np.zeros((-(-rows // 16), -(-columns // 16)), np.float32)
    wide = np.zeros((16 * scale.shape[0], 16 * scale.shape[1]), np.float32)
    wide[:rows, :columns] = values
    scale[...] = np.abs(wide.reshape(scale.shape[0], 16, scale.shape[1], 16)).max((1, 3)) / 448
    spread = np.kron(scale, np.ones((16, 16), np.float32))[:rows, :columns]
    return {".weight": held("F8_E4M3", nearest(values / spread, E4M3)), ".weight_scale_inv": stored(scale, "F32")}


def experts(folder: Path, packs: Callable[[str], bool]) -> Path:
    """A small model of experts, those matrices in FP8 blocks that are named; the router is on no list."""
    expert_models.write(folder)
    with safetensors_of(folder / "model.safetensors") as found:
        for name in [
            name for name in found if name.endswith(".weight") and len(found[name].shape) == 2 and packs(name)
        ]:
            for end, part in _fp8(found.pop(name).values).items():
                found[name.removesuffix(".weight") + end] = part
    with json_of(folder / "config.json") as config:
        config["quantization_config"] = {"quant_method": "fp8", "weight_block_size": [16, 16]}
    return folder


@pytest.mark.parametrize(
    ("packs", "measure", "module"),
    [
        (lambda name: "_proj" in name or ".experts." in name, None, ""),
        (lambda name: "_proj" in name, None, ""),
        (lambda name: "_proj" in name or ".experts.1." in name, "module_packed", "experts.0.w1"),
        (lambda name: "_proj" in name or ".gate." in name, "module_stays", "block_sparse_moe.gate"),
        (lambda name: "_proj" in name or name.startswith("lm_head"), "module_stays", "lm_head"),
    ],
    ids=["all", "no-expert", "one-expert", "router", "head"],
)
def test_experts_are_packed_one_and_all_and_routers_and_heads_are_not(
    tmp_path: Path, packs: Callable[[str], bool], measure: str | None, module: str
) -> None:
    folder = experts(tmp_path / "model", packs)
    bad = [c for c in yielded(COVERAGE, folder)[0] if not c.holds]
    assert {c.measure for c in bad} == ({measure} if measure is not None else set())
    assert not bad or str(bad[0].place.tensor).endswith(module)
    assert not violated(yielded(PARTS, folder)[0])


def test_every_fact_of_an_engine_speaks_of_a_scheme_and_of_settings_that_are_there() -> None:
    schemes = {scheme.id.removeprefix("schemes/"): scheme for scheme in load_schemes()}
    for engine in load_engines():
        assert engine.version and all(fact.file for fact in engine.facts)
        for fact in engine.facts:
            for name in fact.schemes:
                layouts = schemes[name].layouts
                assert set(fact.layouts) <= set(layouts)
                known = {key for layout in layouts.values() for key in layout.settings}
                plain = {key for key in (*fact.only, *fact.when) if "." not in key}
                assert plain - known <= {"sym", "bnb_4bit_quant_storage", "quantization_status"}
