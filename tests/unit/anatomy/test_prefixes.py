"""Prefixes and wrappers on tensor names are told from names that belong to an architecture."""

from __future__ import annotations

import pytest

from model_contracts.anatomy.families.conventions import Conventions
from model_contracts.anatomy.parts.prefixes import prefix, unwrapped
from model_contracts.definitions import load_family

NAMES = ("model.embed_tokens.weight", "model.norm.weight", "model.layers.0.mlp.up_proj.weight")


@pytest.mark.parametrize("mark", ["_orig_mod.", "module.", "module._orig_mod.", "base_model.model."])
def test_a_wrapper_before_every_name_is_found_without_a_family(mark: str) -> None:
    assert prefix([mark + name for name in NAMES], None)[0] == mark


def test_any_prefix_before_every_name_is_found_with_a_family() -> None:
    conventions = Conventions(load_family("families/qwen2"), "huggingface", {})

    def known(name: str) -> str | None:
        return name if conventions.entry(name) is not None else None

    assert prefix([f"net.llm.{name}" for name in NAMES], known)[0] == "net.llm."
    assert prefix(NAMES, known) == ("", "")
    assert prefix([name.removeprefix("model.") for name in NAMES], known) == ("", "")


def test_a_prefix_that_makes_no_name_known_is_none() -> None:
    conventions = Conventions(load_family("families/qwen2"), "huggingface", {})

    def known(name: str) -> str | None:
        return name if conventions.entry(name) is not None else None

    assert prefix(["vision.a.weight", "vision.b.weight"], known) == ("", "")
    assert prefix(["encoder.a.weight", "encoder.b.weight"], None) == ("", "")
    assert prefix([], known) == ("", "")


def test_a_wrapper_inside_a_name_is_taken_out_and_named() -> None:
    assert unwrapped("model._orig_mod.norm.weight") == ("model.norm.weight", "_orig_mod")
    assert unwrapped("model.norm.weight") == ("model.norm.weight", "")
    assert unwrapped("model.attn._bias") == ("model.attn._bias", "")
