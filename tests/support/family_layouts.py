"""Owns what one converter did to small real models, as layouts: a GGUF's tensors over those of Hugging Face.

Each was found in the files of both (values matched exactly), in `shared/families`; `layer` stands for the layer's
prefix in Hugging Face's names.
"""

from __future__ import annotations

from typing import NamedTuple

from model_contracts.layout import Apply, Concat, Expr, Permute, Reshape, Stored, Take


class Made(NamedTuple):
    """One tensor of the GGUF of a family, and how it was made."""

    family: str
    tensor: str
    expr: Expr


def halves_to_pairs(of: Expr, heads: int) -> Expr:
    """Rows 0, d/2, 1, d/2 + 1, .. within each head: from a rotation of halves to one of neighbours."""
    rows, *rest = of.shape
    split = Reshape(of, (heads, 2, rows // heads // 2, *rest))
    return Reshape(Permute(split, (0, 2, 1, *range(3, 3 + len(rest)))), of.shape)


def by_group(of: Expr, groups: int, sizes: tuple[int, ...], size: int) -> Expr:
    """Rows of groups, each of so many heads of each kind, as all heads of the first kind, all of the second, ..."""
    rest = of.shape[1:]
    split, at, parts = Reshape(of, (groups, sum(sizes), size, *rest)), 0, []
    for count in sizes:
        part = Take(split, 1, at, at + count)
        parts.append(Reshape(part, (groups * count * size, *rest)))
        at += count
    return Concat(tuple(parts))


def tiled(of: Expr, axis: int, keys: int, values: int) -> Expr:
    """Value heads grouped by key head as tiled ones: the first of each group, then the second of each."""
    *before, size = of.shape[: axis + 1]
    rest = of.shape[axis + 1 :]
    split = Reshape(of, (*before, keys, values // keys, size // values, *rest))
    at = len(before)
    axes = (*range(at), at + 1, at, *range(at + 2, at + 3 + len(rest)))
    return Reshape(Permute(split, axes), of.shape)


def stacked(names: list[str], shape: tuple[int, int]) -> Expr:
    """Tensors of experts as one, in the order of their numbers."""
    return Concat(tuple(Reshape(Stored(name, shape), (1, *shape)) for name in names))


def _attention(family: str, head: int) -> list[Made]:
    of = "model.layers.0.self_attn"
    query, key = Stored(f"{of}.q_proj.weight", (4 * head, 64)), Stored(f"{of}.k_proj.weight", (2 * head, 64))
    return [
        Made(family, "blk.0.attn_q.weight", halves_to_pairs(query, 4)),
        Made(family, "blk.0.attn_k.weight", halves_to_pairs(key, 2)),
    ]


def _experts() -> list[Made]:
    of, moe = "model.layers.0.block_sparse_moe.experts", "model.layers.0.block_sparse_moe.input_linear.weight"
    both = Stored(moe, (4, 192, 64))
    scout, alike = "model.layers.{}.{}.experts.{}", "blk.{}.ffn_{}_exps.weight"
    up, down = scout.format(1, "feed_forward", "gate_up_proj"), scout.format(1, "feed_forward", "down_proj")
    wide = Stored(up, (4, 64, 192))
    bias = Stored("model.layers.0.mlp.experts.gate_up_proj_bias", (4, 128))
    return [
        Made("mixtral", alike.format(0, "gate"), stacked([f"{of}.{e}.w1.weight" for e in range(4)], (96, 64))),
        Made("mixtral", alike.format(0, "down"), stacked([f"{of}.{e}.w2.weight" for e in range(4)], (64, 96))),
        Made("granitemoe", alike.format(0, "gate"), Take(both, 1, 0, 96)),
        Made("granitemoe", alike.format(0, "up"), Take(both, 1, 96, 192)),
        Made("llama4_text", alike.format(1, "gate"), Permute(Take(wide, 2, 0, 96), (0, 2, 1))),
        Made("llama4_text", alike.format(1, "up"), Permute(Take(wide, 2, 96, 192), (0, 2, 1))),
        Made("llama4_text", alike.format(1, "down"), Permute(Stored(down, (4, 96, 64)), (0, 2, 1))),
        Made("gpt_oss", "blk.0.ffn_gate_exps.bias", Take(bias, 1, 0, 128, 2)),
        Made("gpt_oss", "blk.0.ffn_up_exps.bias", Take(bias, 1, 1, 128, 2)),
    ]


def _fused() -> list[Made]:
    latent = Reshape(Stored("model.layers.0.self_attn.kv_b_proj.weight", (160, 32)), (4, 40, 32))
    mixed = "model.layers.0.linear_attn.in_proj_qkvz.weight"
    groups = by_group(Stored(mixed, (192, 64)), 2, (1, 1, 2, 2), 16)  # a key head: its q, k, two v, two z
    falcon = "transformer.h.0.self_attention.query_key_value.weight"
    neox, bloom = "gpt_neox.layers.0.attention.query_key_value", "h.0.self_attention.query_key_value"
    made = [
        Made("falcon_new", "blk.0.attn_qkv.weight", by_group(Stored(falcon, (128, 64)), 2, (2, 1, 1), 16)),
        Made("qwen3_next", "blk.0.attn_qkv.weight", Take(groups, 0, 0, 128)),
        Made("qwen3_next", "blk.0.attn_gate.weight", Take(groups, 0, 128, 192)),
        Made("deepseek_v2", "blk.0.attn_k_b.weight", Permute(Take(latent, 1, 0, 16), (0, 2, 1))),
        Made("deepseek_v2", "blk.0.attn_v_b.weight", Take(latent, 1, 16, 40)),
    ]
    for family, name in (("gpt_neox", neox), ("bloom", f"transformer.{bloom}")):
        weight, bias = Stored(f"{name}.weight", (192, 64)), Stored(f"{name}.bias", (192,))
        made.append(Made(family, "blk.0.attn_qkv.weight", by_group(weight, 4, (1, 1, 1), 16)))
        made.append(Made(family, "blk.0.attn_qkv.bias", by_group(bias, 4, (1, 1, 1), 16)))
    return made


def _linear() -> list[Made]:
    of, mixer = "model.layers.0.linear_attn", "backbone.layers.0.mixer"
    rates, steps = Stored(f"{of}.A_log", (4,)), Stored(f"{of}.dt_bias", (4,))
    mixed = Stored(f"{of}.in_proj_qkv.weight", (128, 64))
    conv = Reshape(Stored(f"{of}.conv1d.weight", (128, 1, 4)), (128, 4))
    gate, out = Stored(f"{of}.in_proj_z.weight", (64, 64)), Stored(f"{of}.out_proj.weight", (64, 64))
    alpha = Stored(f"{of}.in_proj_a.weight", (4, 64))

    def part(whole: Expr) -> Expr:
        return Concat((Take(whole, 0, 0, 64), tiled(Take(whole, 0, 64, 128), 0, 2, 4)))

    return [
        Made("qwen3_5", "blk.0.ssm_a", Apply(tiled(rates, 0, 2, 4), "neg_exp")),
        Made("qwen3_5", "blk.0.ssm_dt.bias", tiled(steps, 0, 2, 4)),
        Made("qwen3_5", "blk.0.ssm_alpha.weight", tiled(alpha, 0, 2, 4)),
        Made("qwen3_5", "blk.0.attn_qkv.weight", part(mixed)),
        Made("qwen3_5", "blk.0.ssm_conv1d.weight", part(conv)),
        Made("qwen3_5", "blk.0.attn_gate.weight", tiled(gate, 0, 2, 4)),
        Made("qwen3_5", "blk.0.ssm_out.weight", tiled(out, 1, 2, 4)),
        Made("mamba", "blk.0.ssm_a", Apply(Stored(f"{mixer}.A_log", (128, 16)), "neg_exp")),
        Made("mamba", "blk.0.ssm_conv1d.weight", Reshape(Stored(f"{mixer}.conv1d.weight", (128, 1, 4)), (128, 4))),
        Made("mamba2", "blk.0.ssm_a", Apply(Reshape(Stored(f"{mixer}.A_log", (8,)), (8, 1)), "neg_exp")),
        Made("mamba2", "blk.0.ssm_norm.weight", Reshape(Stored(f"{mixer}.norm.weight", (128,)), (2, 64))),
    ]


def _others() -> list[Made]:
    norm = Stored("model.layers.0.input_layernorm.weight", (64,))
    bias = Stored("model.layers.0.self_attn.q_proj.bias", (64,))
    return [
        Made("llama_bias", "blk.0.attn_q.bias", halves_to_pairs(bias, 4)),
        Made("gemma", "blk.0.attn_norm.weight", Apply(norm, "add", 1.0, exact=True)),
        Made("qwen3_next", "blk.0.attn_norm.weight", Apply(norm, "add", 1.0, exact=True)),
        Made("gpt2_old", "blk.0.attn_qkv.weight", Permute(Stored("h.0.attn.c_attn.weight", (64, 192)), (1, 0))),
    ]


def _cut() -> list[Made]:
    position = "embeddings.position_embeddings.weight"
    rows = {family: Stored(position, (size, 64)) for family, size in (("roberta", 129), ("xlm_roberta", 130))}
    return [Made(f, "position_embd.weight", Take(of, 0, of.shape[0] - 128, of.shape[0])) for f, of in rows.items()]


#: Every kind of change that the converter makes to tensors; those that leave values out stand in CUT.
CUT = _cut()
MADE = [*_attention("llama32", 32), *_attention("llama_bias", 16), *_experts(), *_fused(), *_linear(), *_others(), *CUT]
