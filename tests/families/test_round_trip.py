"""Of each family, models of transformers' own class: to GGUF and back nothing changes, and llama.cpp computes the same.

ROUND_TRIP_EXAMPLES asks for more than the few of each that the suite draws.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from model_contracts.anatomy.declared.built_config import built
from model_contracts.anatomy.view import View
from model_contracts.cli.main import main
from model_contracts.definitions import load_families
from model_contracts.formats.opening import open_artifact
from model_contracts.runtimes import runtime
from model_contracts.runtimes.interface import Limits
from support.family_files import safetensors_values
from support.round_trip_cases import CASES
from support.round_trips import TOKENS, RoundTrip, sizes, write

EXAMPLES = int(os.environ.get("ROUND_TRIP_EXAMPLES", "1"))
#: Of what the class's distributions are apart from even ones, in F32 on both sides: llama.cpp's tables of GELU and of
#: exponentials cost the most (1e-8 nats).
DIVERGENCE = 1e-5
LONGEST = 60

pytestmark = pytest.mark.skipif(
    find_spec("transformers") is None or find_spec("xllamacpp") is None, reason="transformers or xllamacpp is missing"
)


@pytest.fixture(scope="module")
def llama() -> Iterator[Any]:
    """One process of llama.cpp for every file."""
    first = Path(__file__).parents[1] / "data" / "tiny-llama-Q8_0.gguf"
    with runtime("llamacpp").open(first, Limits(seconds=60, start_seconds=120)) as session:
        yield session


@pytest.mark.parametrize("case", CASES, ids=[case.architecture for case in CASES])
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_a_model_goes_to_gguf_and_back_and_llama_cpp_computes_the_same(
    case: RoundTrip, data: st.DataObject, llama: Any
) -> None:
    members = sizes(data.draw, case)
    with TemporaryDirectory() as place:
        folder, gguf, back = Path(place) / "source", Path(place) / "there.gguf", Path(place) / "back"
        model = write(folder, case, members, data.draw(st.integers(0, 1000)))
        assert main(["convert", str(folder), str(gguf), "--quiet"]) == 0, members
        assert main(["convert", str(gguf), str(back), "--quiet"]) == 0, members
        assert differing(safetensors_values(folder), safetensors_values(back)) == []
        assert apart(model, llama, gguf) < DIVERGENCE, members
        assert said_alone(gguf, folder) == {}, members


def differing(source: dict[str, np.ndarray], target: dict[str, np.ndarray]) -> list[str]:
    """Names of tensors that are not there, or whose bits are others; of exponentials, more than the last bits."""
    names = source.keys() | target.keys()
    lost = [name for name in names if name not in source or name not in target]
    both = [name for name in names if name not in lost]
    other = [name for name in both if source[name].tobytes() != target[name].tobytes()]
    logs = [name for name in other if name.endswith("A_log") and np.allclose(source[name], target[name], 1e-6, 1e-6)]
    return sorted(lost + [name for name in other if name not in logs])


def apart(model: Any, llama: Any, gguf: Path) -> float:
    """The mean divergence of llama.cpp's distributions from the class's over random tokens, by that of even ones."""
    import torch

    ids = np.random.default_rng(0).integers(3, TOKENS, LONGEST)
    with torch.no_grad():
        expected = torch.log_softmax(model(input_ids=torch.from_numpy(ids)[None]).logits[0].double(), -1).numpy()
    told = float((np.exp(expected) * (expected + np.log(expected.shape[-1]))).sum(-1).mean())
    assert told > 1e-3, "nothing would be seen"
    llama.reopen(gguf)
    observed = np.concatenate(list(llama.rows([int(one) for one in ids]))).astype(np.float64)
    return float((np.exp(expected) * (expected - observed)).sum(-1).mean()) / told


def said_alone(gguf: Path, folder: Path) -> dict[str, tuple[Any, Any]]:
    """Where the config.json that is built of a GGUF's own keys makes another class than the published one."""
    from transformers import AutoConfig

    ours = AutoConfig.for_model(**built(View(open_artifact(gguf), load_families()))).to_dict()
    theirs = AutoConfig.from_pretrained(folder).to_dict()
    asked = {name: theirs[name] for name in theirs if name not in _NOT_SAID}
    if not {"sliding_attention", None} & {*(theirs.get("layer_types") or (None,))}:
        asked.pop("sliding_window", None)  # no layer has it
    return {name: (ours.get(name), value) for name, value in asked.items() if not _same(ours.get(name), value)}


def _same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        told = theirs.keys() - (_UNTOLD if theirs.get("rope_type") == "llama3" else set())
        return all(_same(ours.get(name), theirs[name]) for name in told)
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(map(_same, ours, theirs))
    if ours == theirs:
        return True
    if isinstance(ours, float) or isinstance(theirs, float):
        return ours is not None and theirs is not None and abs(ours - theirs) <= 1e-6 * abs(theirs)
    return bool(ours == theirs)


#: What the factors of a small head may leave open, which are the same for several.
_UNTOLD = {"original_max_position_embeddings"}
#: What changes nothing that is computed, and members that a class never reads.
_NOT_SAID = frozenset({
    "architectures", "dtype", "transformers_version", "_name_or_path", "initializer_range", "use_cache",
    "bos_token_id", "eos_token_id", "model_type", "n_inner", "chunk_size", "num_ln_in_parallel_attn",
})  # fmt: skip
