"""Broken configurations: hyper-parameters, claims and tie flags that the tensors of the same artifact give the lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cases.gates import CLAIMED, CONFIG, END_OF_SEQUENCE, FAMILY, LABEL, LAYOUT, SPECIAL_IDS, TIED, VOCABULARY
from cases.interface import LLAMA, LLAMA_Q8_0, QWEN2, QWEN2_Q4_K_M, CheckArguments, Make, Variant, broken, seen
from cases.makers import apr, config, converted, gguf, raw, weights
from support.gguf_models import GgufModel
from support.mutations import Stored, copied, json_of, safetensors_of, stored

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
OUT, Q = "model.layers.0.self_attn.o_proj.weight", "model.layers.0.self_attn.q_proj.weight"
K = "model.layers.0.self_attn.k_proj.weight"


def _without(name: str) -> Callable[[dict[str, Stored]], None]:
    return lambda tensors: tensors.pop(name) and None


def _no_last_layer(tensors: dict[str, Stored]) -> None:
    for name in [name for name in tensors if name.startswith("model.layers.3.")]:
        del tensors[name]


def _head(tied: bool, change: Callable[[Stored], Stored] | None) -> Make:
    """tiny-qwen2 with a tie flag, and an output head made from the embedding (None: no head)."""

    def make(folder: Path) -> CheckArguments:
        target = copied(QWEN2, folder)
        with json_of(target / "config.json") as value:
            value["tie_word_embeddings"] = tied
        with safetensors_of(target / "model.safetensors") as tensors:
            if change is not None:
                tensors[HEAD] = change(tensors[EMBEDDING])
        return CheckArguments(target)

    return make


def _other_family(model: GgufModel) -> None:
    """Keys under the prefix of a family that the file does not name."""
    for name in [name for name in model.keys if name.startswith("qwen2.")]:
        model.keys["llama." + name.removeprefix("qwen2.")] = model.keys.pop(name)


def _retyped(model: GgufModel) -> None:
    model.tensors["blk.0.ffn_up.weight"] = model.tensors["blk.0.ffn_up.weight"].cast("Q5_0")


def _key(name: str, value: object) -> Callable[[GgufModel], None]:
    return lambda model: model.__setitem__(name, value)


VARIANTS: tuple[Variant, ...] = (
    broken(
        "f32-hidden-size-64",
        config(QWEN2, hidden_size=64),
        seen(CONFIG, "hidden_size", key="hidden_size", expected=256, observed=64),
        seen(LAYOUT, "shape", tensor=EMBEDDING, expected=[2000, 64], observed=[2000, 256]),
    ),
    broken(
        "f32-gguf-hidden-size-64",
        gguf(QWEN2_Q4_K_M, _key("qwen2.embedding_length", 64)),
        seen(CONFIG, "hidden_size", key="qwen2.embedding_length", expected=256, observed=64),
        seen(LAYOUT, "shape", observed=[256]),
    ),
    broken(
        "f32-apr-hidden-size-64",
        apr(QWEN2, lambda model: model.metadata.update(hidden_size=64)),
        seen(CONFIG, "hidden_size", key="hidden_size", expected=256, observed=64),
        seen(LAYOUT, "shape", tensor=EMBEDDING, expected=[2000, 64], observed=[2000, 256]),
    ),
    broken(
        "f32-keys-of-another-family",
        gguf(QWEN2_Q4_K_M, _other_family),
        seen(CONFIG, "hidden_size", expected="declared", observed=None, words="llama.embedding_length is no key of it"),
    ),
    broken(
        "one-layer-too-many-declared",
        config(QWEN2, num_hidden_layers=5),
        seen(
            FAMILY,
            "tensor_present",
            tensor="model.layers.4.input_layernorm.weight",
            expected="once",
            observed="missing",
        ),
        seen(CONFIG, "num_hidden_layers", key="num_hidden_layers", expected=4, observed=5),
    ),
    broken(
        "last-layer-missing",
        weights(QWEN2, _no_last_layer),
        seen(
            FAMILY,
            "tensor_present",
            tensor="model.layers.3.input_layernorm.weight",
            expected="once",
            observed="missing",
        ),
        seen(CONFIG, "num_hidden_layers", expected=3, observed=4),
    ),
    broken(
        "one-tensor-missing",
        weights(QWEN2, _without("model.layers.2.mlp.up_proj.weight")),
        seen(FAMILY, "tensor_present", tensor="model.layers.2.mlp.up_proj.weight", expected="once", observed="missing"),
    ),
    broken(
        "an-unknown-tensor",
        weights(QWEN2, lambda tensors: tensors.update({"model.layers.0.self_attn.g_proj.weight": tensors[Q]})),
        seen(FAMILY, "tensor_known", tensor="model.layers.0.self_attn.g_proj.weight"),
    ),
    broken(
        "head-count-changed",
        config(LLAMA, num_attention_heads=16),
        seen(LAYOUT, "shape", tensor=OUT, expected=[256, 512], observed=[256, 256]),
    ),
    broken(
        "key-value-head-count-changed",
        config(LLAMA, num_key_value_heads=8),
        seen(LAYOUT, "shape", tensor=K, expected=[256, 256], observed=[64, 256]),
    ),
    broken(
        "key-value-heads-do-not-divide",
        config(LLAMA, num_key_value_heads=3),
        seen(CONFIG, "num_key_value_heads", expected="divides 8 heads", observed=3),
        seen(LAYOUT, "shape", tensor=K, expected=[96, 256], observed=[64, 256]),
    ),
    broken(
        "intermediate-size-changed",
        config(QWEN2, intermediate_size=1024),
        seen(LAYOUT, "shape", observed=[256, 512], expected=[256, 1024]),
    ),
    broken(
        "vocabulary-size-changed",
        config(QWEN2, vocab_size=2001),
        seen(CONFIG, "vocab_size", key="vocab_size", expected=2000, observed=2001),
        seen(LAYOUT, "shape", tensor=EMBEDDING, expected=[2001, 256], observed=[2000, 256]),
    ),
    broken(
        "epsilon-dropped",
        config(QWEN2, drop="rms_norm_eps"),
        seen(CONFIG, "rms_norm_eps", expected="declared", observed=None, words="owed"),
    ),
    broken(
        "theta-negative",
        config(QWEN2, rope_parameters={"rope_theta": -1.0}),
        seen(CONFIG, "rope_theta", key="rope_parameters.rope_theta", expected="a number above 0", observed=-1.0),
    ),
    broken(
        "f18-head-dropped-and-not-tied",
        _head(False, None),
        seen(TIED, "head_present", key="tie_word_embeddings", observed=None, words="random or missing head"),
    ),
    broken(
        "f18-head-perturbed-and-tied",
        _head(True, lambda embedding: embedding.map(lambda values: values * 1.01)),
        seen(TIED, "tied_head", tensor=HEAD, expected=f"the bytes of {EMBEDDING}", words="says tied"),
    ),
    broken(
        "f24-label-of-another-recipe",
        raw(LLAMA_Q8_0, lambda data: None, "tiny-llama-Q4_K_M.gguf"),
        seen(LABEL, "tensor_type", observed="Q8_0", words="tiny-llama-Q4_K_M.gguf says Q4_K_M"),
    ),
    broken(
        "f24-one-tensor-retyped",
        gguf(QWEN2_Q4_K_M, _retyped),
        seen(CLAIMED, "tensor_type", tensor="blk.0.ffn_up.weight", expected="Q4_K", observed="Q5_0"),
        seen(LABEL, "tensor_type", tensor="blk.0.ffn_up.weight", expected="Q4_K", observed="Q5_0"),
    ),
    broken(
        "f24-file-type-of-another-recipe",
        gguf(QWEN2_Q4_K_M, _key("general.file_type", 0), name="tiny-qwen2.gguf"),
        seen(CLAIMED, "tensor_type", expected="F32", words="general.file_type says file_type 0 (F32)"),
    ),
    broken(
        "config-says-float32-over-bfloat16",
        config(QWEN2, dtype="float32"),
        seen(CLAIMED, "tensor_type", expected="F32", observed="BF16", words="dtype says float32"),
    ),
    broken(
        "file-says-f16-over-q8-0",
        converted(QWEN2, "Q8_0", _key("general.file_type", 1), against=False, label=False),
        seen(CLAIMED, "tensor_type", observed="Q8_0", words="file_type 1 (F16)"),
    ),
    broken(
        "embedding-shorter-than-the-vocabulary",
        weights(QWEN2, lambda tensors: tensors.update({EMBEDDING: stored(tensors[EMBEDDING].values[:1990], "BF16")})),
        seen(CONFIG, "vocab_size", expected=1990, observed=2000),
        seen(LAYOUT, "shape", tensor=EMBEDDING, expected=[2000, 256], observed=[1990, 256]),
        seen(VOCABULARY, "embedding_rows", tensor=EMBEDDING, expected="at least 2,000 rows", observed=1990),
    ),
    broken(
        "f15-end-of-sequence-out-of-range",
        config(QWEN2, eos_token_id=2000),
        seen(SPECIAL_IDS, "eos_token_id", key="eos_token_id", expected="a token id below 2,000", observed=2000),
        seen(END_OF_SEQUENCE, "eos_token_id", file="config.json", expected=[2], observed=[2000]),
    ),
)
