"""The shipped families agree with the gguf package's own map of tensor names, and recipes with its file types."""

from __future__ import annotations

import pytest
from gguf.constants import GGML_QUANT_SIZES, MODEL_ARCH_NAMES, GGMLQuantizationType, LlamaFileType
from gguf.tensor_mapping import get_tensor_name_map

from model_contracts.anatomy.claims import UnknownRecipe, requested
from model_contracts.anatomy.families.conventions import Conventions
from model_contracts.anatomy.families.names import canonical, role, template
from model_contracts.anatomy.families.stored_names import StoredEntry
from model_contracts.definitions import load_families, load_recipes
from model_contracts.dtypes import DTYPES, GGML_CODES

FAMILIES = [family for family in load_families() if not family.abstract]


#: Where a converter's own code has the last word: without experts the shared one is the MLP.
OTHERWISE = {("families/granite_hybrid", "blk.1.ffn_down")}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.id)
def test_every_hugging_face_name_is_mapped_as_llama_cpp_maps_it(family) -> None:
    """Where the package's map knows a name, it says the same tensor; what it does not know a converter's code maps."""
    if not family.gguf or family.gguf[0] not in MODEL_ARCH_NAMES.values():
        pytest.skip("llama.cpp has no word for it, or the installed gguf package does not know it yet")
    (architecture,) = (arch for arch, name in MODEL_ARCH_NAMES.items() if name == family.gguf[0])
    names = get_tensor_name_map(architecture, 2)
    said: dict[str, str] = {}
    for gguf_name, tensor in family.tensors.items():
        if tensor.huggingface is not None and tensor.only is None and "rot" not in gguf_name:
            hugging_face = tensor.huggingface.replace("{n}", "1").replace(".{e}", "")
            spelled = (hugging_face, hugging_face.removeprefix(family.base_prefix))
            mapped = next(filter(None, (names.get_name(name, (".weight", ".bias")) for name in spelled)), None)
            if mapped is not None:
                said[_bare(gguf_name.replace("{n}", "1"))] = _bare(mapped)
    assert {
        name: mapped for name, mapped in said.items() if mapped != name and (family.id, name) not in OTHERWISE
    } == {}
    assert len(said) >= 4


def _bare(name: str) -> str:
    return name.removesuffix(".weight").removesuffix(".bias")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.id)
def test_names_of_every_container_lead_to_one_canonical_name(family) -> None:
    huggingface, gguf = Conventions(family, "huggingface", {}), Conventions(family, "gguf", {})
    for key, tensor in family.tensors.items():
        if tensor.huggingface is None or tensor.only is not None:
            continue
        layer = 17 if "{n}" in key else None
        expert = 3 if "{e}" in tensor.huggingface else None
        name = tensor.huggingface.replace("{n}", "17").replace("{e}", "3")
        assert huggingface.entry(name) == StoredEntry(key, layer, expert)
        assert huggingface.entry(name.removeprefix(family.base_prefix)) == StoredEntry(key, layer, expert)
        if not gguf.holds(key):
            assert gguf.entry(key.replace("{n}", "17")) == StoredEntry(key, layer)
    assert huggingface.entry("model.layers.3.mlp.experts.0.nobody.weight") is None


def test_an_architecture_without_a_family_is_mapped_by_the_gguf_package() -> None:
    find = canonical(("gemma2",), 2)
    assert find("model.layers.1.self_attn.q_proj.weight") == "blk.1.attn_q.weight"
    assert find("nonsense.weight") is None
    assert canonical(("NoSuchForCausalLM", "GPTNeoXForCausalLM"), 2)("gpt_neox.embed_in.weight") == "token_embd.weight"
    assert canonical(("NoSuchForCausalLM",), 2)("model.embed_tokens.weight") is None
    assert canonical((), 2, gguf_names=True)("blk.1.anything.weight") == "blk.1.anything.weight"


def test_a_layer_number_is_taken_out_of_a_name_and_roles_have_none() -> None:
    assert template("model.layers.12.mlp.up_proj.weight") == ("model.layers.{n}.mlp.up_proj.weight", 12)
    assert template("token_embd.weight") == ("token_embd.weight", None)
    assert role("blk.3.attn_v.weight") == "attn_v"
    assert role("output.weight") == "output"


def test_file_types_are_those_of_ggml() -> None:
    ours = {name: recipe.file_type for name, recipe in load_recipes().recipes.items() if recipe.file_type is not None}
    theirs = {kind.name.removeprefix("MOSTLY_").removeprefix("ALL_"): kind.value for kind in LlamaFileType}
    assert ours == {name: theirs[name] for name in ours}
    assert len(ours) > 30


def test_recipes_name_only_types_that_exist() -> None:
    recipes = load_recipes()
    for recipe in recipes.recipes.values():
        for name in (*recipe.types, *recipe.vectors, *(t for line in recipe.roles for t in line.types)):
            assert name in DTYPES
    assert {name for pair in recipes.fallbacks.items() for name in (pair[0], *pair[1])} <= set(DTYPES)


def test_block_sizes_are_those_of_ggml() -> None:
    newer = {42: "Q2_0"}  # in ggml, not yet in gguf-py
    for code, name in GGML_CODES.items():
        if code in newer:
            assert name == newer[code]
            continue
        kind = GGMLQuantizationType(code)
        assert kind.name == name
        if name != "Q8_1":  # gguf-py still has the 40 bytes of its first layout; ggml stores 36
            assert GGML_QUANT_SIZES[kind] == (DTYPES[name].block, DTYPES[name].block_bytes)
    assert set(GGML_CODES) - set(newer) == {kind.value for kind in GGMLQuantizationType}


def test_a_recipe_is_asked_for_by_any_of_its_names_and_an_unknown_one_is_refused_with_the_known() -> None:
    recipes = load_recipes()
    assert requested("q4_k", recipes).label == "Q4_K_M"
    assert requested("bfloat16", recipes).label == "BF16"
    with pytest.raises(UnknownRecipe, match=r"--dtype Q9_X: expected one of F32, F16, BF16"):
        requested("Q9_X", recipes)
