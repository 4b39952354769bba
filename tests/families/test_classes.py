"""What a family says of names, shapes and keys is so in transformers' own classes and in the gguf package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gguf.constants import MODEL_ARCH_NAMES

from model_contracts.anatomy.families.conventions import Conventions
from model_contracts.definitions import load_families
from model_contracts.family import Family
from support.family_classes import config_of, gguf_names, known_keys, saved
from support.family_files import owed

FAMILIES = {family.id: family for family in load_families() if not family.abstract}
CLASSES = [(family.id, name) for family in FAMILIES.values() for name in family.architectures]
#: Keys of config.json that today's classes lack: older files, or other packages', have them.
OLD = {
    "rope_theta", "rope_scaling.rope_type", "rope_scaling.type", "rope_scaling.factor", "use_sliding_window",
    "rope_local_base_freq", "sliding_window_pattern",   # transformers 4: Gemma 3
    "full_attention_interval",    # transformers 4: Qwen3-Next
    "experts_per_token",          # openai's own config of gpt-oss
}  # fmt: skip
#: The same, of one family alone: the files of its first release.
OLD_OF = {
    "families/afmoe": {"score_func"},
    "families/bloom": {"n_embed", "seq_length"},
    "families/cohere2_moe": {"first_k_dense_replace"},
    "families/decoder-experts-after-dense": {"scoring_func"},
    "families/deepseek_v2": {"scoring_func"},
    "families/deepseek_v3": {"scoring_func", "topk_method"},
    "families/encoder": {"is_causal", "causal"},
    "families/falcon": {"n_layer", "n_head", "n_head_kv"},
    "families/gemma4": {"global_head_dim"},
    "families/glm4_moe_lite": {"first_k_dense_replace"},
    "families/gpt2": {"n_ctx"},
    "families/gpt_neox": {"rotary_emb_base", "rotary_pct"},
    "families/hy_v3": {"first_k_dense_replace"},
    "families/kimi_linear": {"linear_attn_config", "first_k_dense_replace", "moe_router_activation_func"},
    "families/lfm2": {"block_ff_dim", "block_norm_eps", "tie_embedding"},
    "families/mamba": {"d_model", "n_layer", "d_inner", "d_state", "dt_rank", "d_conv", "rms_norm_eps"},
    "families/mamba2": {"d_inner", "ngroups", "intermediate_size"},
    "families/nomic_bert": {"n_embd", "n_layer", "n_head", "n_inner", "max_trained_positions", "layer_norm_epsilon",
                            "rotary_emb_base", "n_positions", "prenorm", "rotary_emb_interleaved"},
    "families/mimo_v2_flash": {"hybrid_layer_pattern", "swa_num_key_value_heads", "first_k_dense_replace",
                               "moe_layer_freq", "layernorm_epsilon", "partial_rotary_factor"},
    "families/modernbert": {"local_attention"},
    "families/nemotron_h": {"hybrid_override_pattern", "attention_head_dim", "rms_norm_eps", "num_hidden_layers"},
    "families/nemotron_h_moe": {"hybrid_override_pattern"},
    "families/solar_open": {"intermediate_size"},
    "families/stablelm": {"norm_eps"},
    "families/t5": {"n_positions", "decoder_start_token_id"},
}  # fmt: skip


#: Classes that are saved as they compute where they were made anew; what was loaded is saved as it was published.
ANEW = {"Qwen3VLMoeForConditionalGeneration": "a model made anew has the axes of its experts the other way round"}
#: Keys of llama.cpp that came behind the installed gguf package.
NEWER = {"{arch}.hidden_activation", "{arch}.attention.value_scale"}
#: Weights that a folder may have and llama.cpp's reader has no place for: they are missed in a GGUF, and not left out.
NO_PLACE = {"families/bitnet": {"output"}}


def _known(architecture: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    if config_of(architecture) is None:
        pytest.skip(f"transformers has no {architecture}")


@pytest.mark.parametrize("turned", [False, True], ids=["default", "turned"])
@pytest.mark.parametrize(("family", "architecture"), CLASSES)
def test_a_family_knows_all_that_its_class_saves(family: str, architecture: str, turned: bool) -> None:
    """Every tensor of the class is known, has the shape that follows, and every owed one is saved."""
    _known(architecture)
    if architecture in ANEW:
        pytest.skip(ANEW[architecture])
    side = saved(family, architecture, turned)
    assert [name for name in side.values if name not in side.entries and not name.endswith(side.family.computed)] == []
    assert [name for name in owed(side) if not side.stands(name)] == []
    shapes = {
        name: (side.conventions.stored(entry).shape, side.values[name].shape) for name, entry in side.entries.items()
    }
    assert {name: both for name, both in shapes.items() if both[0] != both[1]} == {}


@pytest.mark.parametrize("family", FAMILIES)
def test_gguf_names_are_those_of_the_package(family: str) -> None:
    """A name that the gguf package gives the architecture nowhere is a name that no reader knows."""
    said = FAMILIES[family]
    if not said.gguf:
        pytest.skip("llama.cpp has no word for it")
    if not {*said.gguf} <= {*MODEL_ARCH_NAMES.values()}:
        pytest.skip("the installed gguf package does not know the word yet")
    known = {name for word in said.gguf for name in gguf_names(said, word)}
    table = Conventions(said, "gguf", {})
    names = {template for template, *_ in _stored(table)}
    bare = {name.removesuffix(".weight").removesuffix(".bias") for name in names}
    assert bare - known == NO_PLACE.get(family, set())


def _stored(table: Conventions) -> Iterator[tuple[str, ...]]:
    return ((template,) for template, *_ in table.owed(0))


@pytest.mark.parametrize("family", [family.id for family in load_families()])
def test_keys_are_those_of_the_packages(family: str) -> None:
    """A key that neither the configuration class nor the gguf package knows declares nothing."""
    pytest.importorskip("transformers")
    heirs = [said for said in load_families() if family in _line(said)]
    classes = [name for said in heirs for name in said.architectures if config_of(name) is not None]
    if not classes:
        pytest.skip("transformers has no class of it")
    config = OLD.union(OLD_OF.get(family, ()), *(known_keys(name) for name in classes))
    gguf = _gguf_keys()
    own = _raw(family).hyperparameters.values()
    assert [
        key for one in own for key in one.config if key.split(".")[0] not in {each.split(".")[0] for each in config}
    ] == []
    assert [key for one in own for key in one.gguf if key not in gguf | NEWER] == []


def _line(family: Family) -> Iterator[str]:
    yield family.id
    while family.extends is not None:
        family = _raw(family.extends)
        yield family.id


def _raw(family: str) -> Family:
    from model_contracts.definitions.loading import load

    return load(Family, family)


def _gguf_keys() -> set[str]:
    from gguf.constants import Keys

    groups = [group for group in vars(Keys).values() if isinstance(group, type)]
    groups += [inner for group in groups for inner in vars(group).values() if isinstance(inner, type)]
    return {value for group in groups for value in vars(group).values() if isinstance(value, str)}
