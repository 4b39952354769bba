"""The tables of all variants: broken ones by subject, honest ones by name."""

from __future__ import annotations

from cases import (
    beside,
    config,
    container_apr,
    container_gguf,
    container_safetensors,
    declared,
    padding,
    pair_hyperparameters,
    pair_tokenizer,
    pair_types,
    pair_weights,
    shards,
    sources,
    storage,
    tokenizer,
    unknown,
    values,
)
from cases.honest import HONEST
from cases.interface import Variant
from cases.unknown import NOT_PROVEN

BROKEN: tuple[Variant, ...] = (
    *container_safetensors.VARIANTS,
    *container_gguf.VARIANTS,
    *container_apr.VARIANTS,
    *shards.VARIANTS,
    *sources.VARIANTS,
    *storage.VARIANTS,
    *beside.VARIANTS,
    *config.VARIANTS,
    *tokenizer.VARIANTS,
    *values.VARIANTS,
    *pair_types.VARIANTS,
    *pair_weights.VARIANTS,
    *pair_hyperparameters.VARIANTS,
    *declared.VARIANTS,
    *pair_tokenizer.VARIANTS,
    *unknown.VARIANTS,
    *padding.VARIANTS,
)

__all__ = ["BROKEN", "HONEST", "NOT_PROVEN"]
