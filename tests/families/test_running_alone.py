"""A GGUF that we made of a class of transformers is, without a config.json, the same numbers as the class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_contracts.cli.main import main
from model_contracts.formats.opening import open_artifact
from support.family_classes import config_of, small
from support.round_trips import RoundTrip, write

pytest.importorskip("transformers")
pytest.importorskip("torch")

#: Families that no folder beside the repository has, and what their class needs besides.
FAMILIES: dict[str, dict[str, Any]] = {
    "exaone-moe": {"layer_types": ["sliding_attention"] * 2},   # of one kind: a class takes a list all the same
    "gemma3n": {"laurel_rank": 64},                             # llama.cpp's gemma3n knows no other
    "granitemoe_swa": {},
    "jais2": {},
    "kimi_linear": {"linear_num_heads": 4, "num_key_value_heads": 4},
    "mimo_v2_flash": {"head_dim": 24},
    "ministral3": {},
    "olmo3": {},
}  # fmt: skip
SHARED = {
    "vocab_size": 2000, "vocab_size_per_layer_input": 2000, "pad_token_id": 0, "eos_token_id": 2, "bos_token_id": 1,
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_a_gguf_of_ours_alone_gives_the_numbers_of_its_class(name: str, tmp_path: Path) -> None:
    import torch

    from model_contracts.definitions import load_families
    from model_contracts.runtimes.transformers.loading import load

    (family,) = (family for family in load_families() if family.id == f"families/{name}")
    architecture = family.architectures[0]
    if config_of(architecture) is None:
        pytest.skip(f"transformers has no {architecture}")
    sizes = small(family.id, architecture)
    sizes |= {key: value for key, value in SHARED.items() if key in sizes or key.endswith("_id")} | FAMILIES[name]
    model = write(tmp_path / "source", RoundTrip(architecture), sizes, 0)
    assert main(["convert", str(tmp_path / "source"), str(tmp_path / "alone.gguf"), "--quiet"]) == 0
    ids = torch.from_numpy(np.random.default_rng(1).integers(3, 1990, 50))[None]
    with torch.no_grad():
        expected = model(input_ids=ids).logits[0].numpy()
        observed = load(open_artifact(tmp_path / "alone.gguf"))(input_ids=ids).logits[0].numpy()
    assert float(np.abs(expected).max()) > 1 and float(np.abs(expected - observed).max()) < 1e-5
