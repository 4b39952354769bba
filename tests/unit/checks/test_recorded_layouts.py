"""Files that the libraries themselves packed are kept, alone and against their source, with every value compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cases.gates import COVERAGE, MOMENTS, PAIR_TYPES, PARTS, VALUES
from support.command import check, contracts
from support.examining import violated, yielded
from support.mutations import Stored
from support.recorded_layouts import RECORDED, recorded, recorded_folder
from support.small_sources import CONFIGS, packed_names, tensors_of, write_source


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The source of each family, made once."""
    return {family: write_source(family, tmp_path_factory.mktemp(family)) for family in CONFIGS}


def test_there_are_fifteen_layouts_of_three_families_and_more() -> None:
    assert len(RECORDED) >= 15 and {recorded(name)[1] for name in RECORDED} == set(CONFIGS)


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_folder_is_quiet_where_its_packing_matters(
    name: str, tmp_path: Path, sources: dict[str, Path]
) -> None:
    family = recorded(name)[1]
    target = recorded_folder(name, tmp_path / "model")
    for gate in (PARTS, COVERAGE, MOMENTS):
        compared, gaps = yielded(gate, target, sources[family] if gate == MOMENTS else None)
        assert compared and (violated(compared), gaps) == (set(), [])
    compared, gaps = yielded(VALUES, target, sources[family])
    assert (violated(compared), gaps) == (set(), [])
    assert {c.place.tensor for c in compared} >= set(packed_names(family))


@pytest.mark.parametrize("name", ["bnb-nf4", "ct-nvfp4", "mlx-4", "torchao-int8"])
def test_the_command_keeps_a_recorded_folder_and_compares_every_value(
    name: str, tmp_path: Path, sources: dict[str, Path]
) -> None:
    family = recorded(name)[1]
    target = recorded_folder(name, tmp_path / "model")
    done = check(tmp_path / "evidence", target, "--against", sources[family])
    assert (done.code, done.gates("Falsified", "must")) == (0, set()), done.stdout[-2000:]
    values = done.gate(VALUES)
    assert values["compared"] == sum(int(np.prod(tensor.shape)) for tensor in tensors_of(family).values())


def _doubled(parts: dict[str, Stored]) -> None:
    """The scales of one weight twice as large."""
    name = next(name for name in parts if "q_proj" in name and name.endswith(("scale", "scales")))
    parts[name] = parts[name].map(lambda values: values * 2)


PAIRS: list[tuple[str, str, Callable[[dict[str, Stored]], None] | None]] = [
    ("mlx-4", "ct-int4-zeros", None),
    ("ct-mxfp4", "ct-fp8-block", None),
    ("gptq-4", "ct-int8", None),
    ("gptq-4", "ct-int8", _doubled),
]


@pytest.mark.parametrize(("target", "source", "change"), PAIRS)
def test_two_layouts_of_one_model_are_compared_with_each_other(
    target: str, source: str, change: Callable[[dict[str, Stored]], None] | None, tmp_path: Path
) -> None:
    sides = recorded_folder(target, tmp_path / "target", change), recorded_folder(source, tmp_path / "source")
    compared, gaps = yielded(VALUES, *sides)
    bad = {str(c.place.tensor) for c in compared if not c.holds}
    assert not gaps and len({c.place.tensor for c in compared}) >= len(packed_names(recorded(target)[1]))
    assert bad == (set() if change is None else {"model.layers.0.self_attn.q_proj.weight"})
    assert violated(compared) == set() if change is None else "gain" in violated(compared)


@pytest.fixture(scope="session")
def gguf(tmp_path_factory: pytest.TempPathFactory, sources: dict[str, Path]) -> Path:
    """The small Llama as a GGUF in Q8_0."""
    made = tmp_path_factory.mktemp("gguf") / "small.gguf"
    done = contracts("convert", sources["llama"], made, "--dtype", "Q8_0")
    assert done.code == 0, done.stdout
    return made


@pytest.mark.parametrize("change", [None, _doubled])
def test_a_layout_is_compared_with_a_gguf_of_the_same_model_both_ways(
    change: Callable[[dict[str, Stored]], None] | None, tmp_path: Path, gguf: Path
) -> None:
    folder = recorded_folder("ct-int8", tmp_path / "packed", change)
    for target, source, name in (
        (folder, gguf, "model.layers.0.self_attn.q_proj.weight"),
        (gguf, folder, "blk.0.attn_q.weight"),
    ):
        compared, gaps = yielded(VALUES, target, source)
        assert not gaps and {c.place.tensor for c in compared if not c.holds} == ({name} if change else set())
    assert violated(yielded(PAIR_TYPES, folder, gguf)[0]) == set()
