"""A real conversion loses no declared value but those that llama.cpp has no key for, which are named."""

from __future__ import annotations

import pytest

from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Comparisons, Examination, NoParameters
from model_contracts.checks.static.configuration.hyperparameters import hyperparameters
from model_contracts.checks.static.configuration.pair_hyperparameters import (
    PairHyperparametersParameters,
    pair_hyperparameters,
)
from model_contracts.definitions import load_families, load_recipes
from model_contracts.formats.opening import open_artifact
from model_contracts.outcome import Comparison
from support.family_files import FOLDER

#: What a folder of ../shared/families declares, llama.cpp computes otherwise, and no key of its GGUF says; as a
#: question what only a run can settle.
LOST = {
    "mistral_window": {"sliding_window"},                 # llama.cpp's llama has no window
    "bitnet": {"? hidden_act"},                           # relu2; llama.cpp's bitnet computes SiLU
    "deepseek_v3": {"? deepseek2.expert_gating_func"},    # transformers 5 writes none: softmax is taken for sigmoid
    "llama4_text": {"? attention_chunk_size"},            # 64; llama.cpp's llama4 has chunks of 8192
    "gpt_oss": {"? rope_parameters.truncate"},            # false; ggml rounds the ends of YaRN's range
}  # fmt: skip
NAMES = sorted(folder.name for folder in FOLDER.iterdir() if folder.is_dir()) if FOLDER.is_dir() else []


@pytest.fixture(params=NAMES or ["none"])
def name(request: pytest.FixtureRequest) -> str:
    """A folder of which a GGUF was made, and whose class a family knows."""
    if not NAMES:
        pytest.skip("no folder ../shared/families beside the repository")
    folder: str = request.param
    if View(open_artifact(FOLDER / folder), load_families()).family is None:
        pytest.skip(f"no family knows {folder}")
    return folder


def told(comparisons: Comparisons) -> set[str]:
    """What does not hold, and, as a question, what was not compared."""
    said = list(comparisons)
    gaps = {f"? {one.place.key}" for one in said if not isinstance(one, Comparison) and one.place is not None}
    return gaps | {one.measure for one in said if isinstance(one, Comparison) and not one.holds}


def examination(target: Artifact, source: Artifact | None = None) -> Examination:
    return Examination(target, source, load_families(), load_recipes(), lambda request: pytest.fail("no pass"))


def test_an_honest_conversion_loses_what_is_lost_and_nothing_else(name: str) -> None:
    pair = examination(open_artifact(FOLDER / f"{name}.gguf"), open_artifact(FOLDER / name))
    assert told(
        pair_hyperparameters(pair, PairHyperparametersParameters(relative=1e-6), lambda *key: "here")
    ) == LOST.get(name, set())


def test_what_a_file_declares_agrees_with_its_tensors(name: str) -> None:
    for path in (FOLDER / name, FOLDER / f"{name}.gguf"):
        assert told(hyperparameters(examination(open_artifact(path)), NoParameters(), lambda *key: "here")) == set()
