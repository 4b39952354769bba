"""Gates of schemes: honest folders are quiet, and each documented defect is seen at the gate that is there for it."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import pytest

from cases.gates import CODES, COVERAGE, PARTS, SCALES, VALUES
from cases.interface import QWEN2
from cases.scheme_defects import DEFECTS
from model_contracts.checks.interface import Skip
from support.examining import violated, yielded
from support.quantised_parts import QUANTISED, quantised_folder


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


@pytest.mark.parametrize("name", DEFECTS)
def test_a_documented_defect_is_seen_where_it_should_be(honest, tmp_path: Path, name: str) -> None:
    defect = DEFECTS[name]
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
