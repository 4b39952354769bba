"""An adapter of a family's folder is found in its GGUF: fused, stacked, turned and permuted tensors among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_contracts.anatomy.families.stored_names import named
from model_contracts.definitions import load_family
from model_contracts.layout import stored as leaves
from model_contracts.outcome import Verdict
from support.adapters import FITS, MERGED, OUTSIDE, Lora, first, outcomes
from support.family_files import value_of
from support.made_pairs import MadePair

#: Q, K and V one behind another and in groups, a tensor for each expert stacked, Conv1D, latent heads.
FAMILIES = ("phi3", "gpt_neox", "mixtral", "gpt2", "deepseek_v2")


class Adapted:
    """A family's small folder with an adapter of every matrix of its layers."""

    def __init__(self, family: str, room: Path) -> None:
        self.pair, random = MadePair(load_family(f"families/{family}")), np.random.default_rng(1)
        self.room, self.base, self.stored = room, self.pair.folder(room / "base"), self.pair.stored
        self.turned = family == "gpt2"
        halves = {}
        for name, weight in self.stored.items():
            if name.endswith(".weight") and weight.ndim == 2 and any(part.isdigit() for part in name.split(".")):
                into, out = weight.shape if self.turned else weight.shape[::-1]
                a, b = random.normal(size=(2, into)), 0.1 * random.normal(size=(out, 2))
                halves[name.removesuffix(".weight")] = (a.astype(np.float32), b.astype(np.float32))
        targets = sorted({module.rpartition(".")[2] for module in halves})
        config: dict[str, Any] = {"peft_type": "LORA", "r": 2, "lora_alpha": 2, "target_modules": targets}
        self.lora = Lora(halves, config | {"fan_in_fan_out": self.turned})
        self.peft = self.lora.folder(room / "peft")

    def gguf(self, without: str = "\0") -> Path:
        """The GGUF of the merge, but for modules whose name holds a word."""
        held = dict(self.stored)
        for module in self.lora.halves:
            if without not in module:
                delta = self.lora.delta(module)
                held[f"{module}.weight"] = held[f"{module}.weight"] + (delta.T if self.turned else delta)
        ours, theirs, tensors = self.pair.side("gguf"), self.pair.side("huggingface"), {}
        for name in self.pair.tensors("gguf"):
            entry = ours.entry(name)
            assert entry is not None
            weights = {}
            for key in ours.keys(entry):
                made = theirs.expression(key, entry.layer)
                weights[named(key, entry.layer)] = value_of(made, {leaf.name: held[leaf.name] for leaf in leaves(made)})
            tensors[name] = np.ascontiguousarray(value_of(ours.stored(entry), weights), np.float32)
        return self.pair.gguf(self.room / f"merged{len(without)}.gguf", tensors)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_merge_is_kept_in_llama_cpps_layout_and_its_absence_told(family: str, tmp_path: Path) -> None:
    adapted = Adapted(family, tmp_path)
    found = outcomes(adapted.gguf(), adapted.base, adapted.peft, MERGED, OUTSIDE, FITS)
    assert {gate: o.reason for gate, o in found.items() if o.outcome is not Verdict.CORROBORATED} == {}
    found = outcomes(adapted.pair.gguf(tmp_path / "plain.gguf"), adapted.base, adapted.peft, MERGED)
    assert first(found[MERGED], "merged").observed == "not merged"


def test_one_expert_of_a_stack_without_its_adapter_is_told_by_itself(tmp_path: Path) -> None:
    adapted = Adapted("mixtral", tmp_path)
    left = "layers.1.block_sparse_moe.experts.2."
    found = outcomes(adapted.gguf(without=left), adapted.base, adapted.peft, MERGED)
    count = len(adapted.lora.halves)
    assert first(found[MERGED], "merged").observed == f"partly: {count - 3} merged, 3 not merged"
    violated = [one for one in found[MERGED].comparisons if one.measure == "coefficient" and not one.holds]
    assert {one.place.tensor for one in violated} == {
        f"blk.1.ffn_{part}_exps.weight" for part in ("gate", "up", "down")
    }
    assert all(left in (one.note or "") for one in violated)
