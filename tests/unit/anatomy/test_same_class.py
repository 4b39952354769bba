"""Families that bear one class or one GGUF word are told apart by what the artifact declares beside it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from model_contracts.anatomy.families.architecture import architecture
from model_contracts.containers import FORMS
from model_contracts.definitions import load_families


def meant(**said: Any) -> str | None:
    config, metadata = said.get("config"), said.get("metadata", {})
    format = "gguf" if metadata else "safetensors"
    found = architecture(
        SimpleNamespace(  # type: ignore[arg-type]
            format=format,
            form=FORMS[format],
            config=config,
            metadata=metadata,
            sidecars={},
            tensors=dict.fromkeys(said.get("tensors", ("token_types.weight",))),
        ),
        load_families(),
    )
    assert found is not None
    return found.family.id if found.family is not None else found.but


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"architectures": ["JambaForCausalLM"], "num_experts": 16}, "families/jamba"),
        ({"architectures": ["JambaForCausalLM"], "num_experts": 1}, "families/jamba_dense"),
        ({"architectures": ["NemotronHForCausalLM"]}, "families/nemotron_h"),
        ({"architectures": ["NemotronHForCausalLM"], "n_routed_experts": 128}, "families/nemotron_h_moe"),
        ({"architectures": ["FalconForCausalLM"], "multi_query": True, "alibi": False}, "families/falcon"),
        ({"architectures": ["FalconForCausalLM"], "multi_query": False}, "multi_query = False"),
        ({"architectures": ["GPTBigCodeForCausalLM"], "multi_query": False}, "multi_query = False"),
        ({"architectures": ["NomicBertModel"], "moe_every_n_layers": 2}, "moe_every_n_layers = 2"),
        ({"architectures": ["XLMRobertaModel"]}, "families/roberta"),
        (
            {"architectures": ["LlavaForConditionalGeneration"], "text_config": {"model_type": "mistral"}},
            "families/mistral",
        ),
        (
            {"architectures": ["Gemma3ForConditionalGeneration"], "text_config": {"model_type": "gemma3_text"}},
            "families/gemma3",
        ),
        (
            {"architectures": ["InternVLChatModel"], "llm_config": {"architectures": ["Qwen2ForCausalLM"]}},
            "families/qwen2",
        ),
        ({"architectures": ["NewForConditionalGeneration"], "text_config": {"model_type": "new"}}, None),
    ],
)
def test_a_folder_is_of_the_family_its_config_means(config, expected) -> None:
    assert meant(config=config) == expected


def test_a_word_of_two_architectures_means_that_of_its_tensors() -> None:
    """DistilBERT says bert in GGUF, and has no types of tokens."""
    said = {"general.architecture": "bert"}
    assert meant(metadata=said, tensors=("token_embd.weight",)) == "families/distilbert"


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"general.architecture": "bert"}, "families/bert"),
        ({"general.architecture": "mamba"}, "families/mamba"),
        ({"general.architecture": "nemotron_h_moe"}, "families/nemotron_h_moe"),
    ],
)
def test_a_gguf_is_of_the_family_its_word_means(metadata, expected) -> None:
    assert meant(metadata=metadata) == expected
