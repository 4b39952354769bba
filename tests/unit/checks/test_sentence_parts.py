"""The parts of a sentence model in one folder are held to those of the folder that it was made from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cases.interface import QWEN2
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from support.mutations import copied

PARTS = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Normalize", "Normalize")]
MEAN: dict[str, Any] = {"word_embedding_dimension": 256, "pooling_mode_mean_tokens": True}


def _folder(folder: Path, name: str, pooling: dict[str, Any], parts: int = 3) -> Path:
    target = copied(QWEN2, folder, name)
    kinds = [{"idx": int(n), "name": n, "path": p, "type": f"sentence_transformers.models.{k}"} for n, p, k in PARTS]
    (target / "modules.json").write_text(json.dumps(kinds[:parts]), "utf-8")
    (target / "1_Pooling").mkdir()
    (target / "2_Normalize").mkdir()
    (target / "1_Pooling" / "config.json").write_text(json.dumps(pooling), "utf-8")
    return target


def _violated(folder: Path, make: Callable[[Path], Path]) -> tuple[set[str], int]:
    evidence, run = check(CheckRequest((make(folder),), against=_folder(folder, "source", MEAN)))
    broken = {one.measure for outcome in evidence for one in outcome.comparisons if not one.holds}
    return broken, run.decision.exit_code


@pytest.mark.parametrize(
    ("pooling", "parts", "expected"),
    [
        ({"word_embedding_dimension": 256, "pooling_mode_cls_token": True}, 3, "pooling"),
        (MEAN, 2, "sentence_part"),
    ],
    ids=["another-pooling", "normalisation-lost"],
)
def test_a_part_that_was_changed_or_lost_is_falsified(
    pooling: dict[str, Any], parts: int, expected: str, tmp_path: Path
) -> None:
    broken, code = _violated(tmp_path, lambda folder: _folder(folder, "target", pooling, parts))
    assert (broken, code) == ({expected}, 1)


def test_a_pooling_part_of_another_width_than_the_model_is_falsified(tmp_path: Path) -> None:
    def broken(width: int, name: str) -> tuple[list[object], int]:
        evidence, run = check(CheckRequest((_folder(tmp_path, name, MEAN | {"word_embedding_dimension": width}),)))
        said = [(o.gate_id, c.measure, c.observed) for o in evidence for c in o.comparisons if not c.holds]
        return list(said), run.decision.exit_code

    assert broken(256, "whole") == ([], 0)
    assert broken(512, "wide") == ([("G0-INTEGRITY-CONFIG", "word_embedding_dimension", 512)], 1)


@pytest.mark.parametrize("pooling", [MEAN, {"word_embedding_dimension": 256, "pooling_mode": "mean"}])
def test_the_same_parts_in_either_spelling_are_kept(pooling: dict[str, Any], tmp_path: Path) -> None:
    broken, code = _violated(tmp_path, lambda folder: _folder(folder, "target", pooling))
    assert (broken, code) == (set(), 0)
