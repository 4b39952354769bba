"""Kinds of checks: Artifact (or two) to Comparisons. One file a kind, one line a kind in this table.

`static/` reads bytes, `running/` needs a session; both are one kind of thing with one signature (`interface.Kind`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import cast

from model_contracts import plugins
from model_contracts.checks.interface import Kind

#: Name to the module and the constant of a kind, which is imported when it is first looked up.
_TABLE: dict[str, tuple[str, str]] = {
    "adapter_declared": ("static.adapters.adapter_alone", "ADAPTER_DECLARED"),
    "adapter_fits": ("static.adapters.adapter_fits", "ADAPTER_FITS"),
    "adapter_merged": ("static.adapters.adapter_merged", "ADAPTER_MERGED"),
    "adapter_trained": ("static.adapters.adapter_alone", "ADAPTER_TRAINED"),
    "added_token_ids": ("running.added_tokens", "ADDED_TOKEN_IDS"),
    "beside": ("static.containers.beside", "BESIDE"),
    "bijection": ("static.tensors.bijection", "BIJECTION"),
    "claimed_types": ("static.tensors.claimed_types", "CLAIMED_TYPES"),
    "container": ("static.containers.container", "CONTAINER"),
    "decoded_text": ("running.tokenizer_texts", "DECODED_TEXT"),
    "elementwise": ("static.values.elementwise", "ELEMENTWISE"),
    "family_shapes": ("static.tensors.family_shapes", "FAMILY_SHAPES"),
    "family_tensors": ("static.tensors.family_tensors", "FAMILY_TENSORS"),
    "file_digest": ("static.custom.declared_by_others", "FILE_DIGEST"),
    "golden_answers": ("running.golden_agreement", "GOLDEN_ANSWERS"),
    "hyperparameters": ("static.configuration.hyperparameters", "HYPERPARAMETERS"),
    "ids_in_range": ("running.tokenizer_texts", "IDS_IN_RANGE"),
    "key_value": ("static.custom.declared_by_others", "KEY_VALUE"),
    "layers_differ": ("static.values.layers_differ", "LAYERS_DIFFER"),
    "marked_tokens": ("static.tokenizers.marked_tokens", "MARKED_TOKENS"),
    "merges": ("static.tokenizers.merges", "MERGES"),
    "moments_preserved": ("static.values.moments_preserved", "MOMENTS_PRESERVED"),
    "one_template": ("static.tokenizers.chat_template", "ONE_TEMPLATE"),
    "outside_adapter": ("static.adapters.adapter_merged", "OUTSIDE_ADAPTER"),
    "pair_hyperparameters": ("static.configuration.pair_hyperparameters", "PAIR_HYPERPARAMETERS"),
    "pair_shapes": ("static.tensors.bijection", "PAIR_SHAPES"),
    "pair_types": ("static.tensors.pair_types", "PAIR_TYPES"),
    "recorded_keys": ("static.custom.recorded", "RECORDED_KEYS"),
    "recorded_moments": ("static.custom.recorded", "RECORDED_MOMENTS"),
    "recorded_tensors": ("static.custom.recorded", "RECORDED_TENSORS"),
    "recorded_tokenizer": ("static.custom.recorded", "RECORDED_TOKENIZER"),
    "rope_frequencies": ("static.configuration.rope_frequencies", "ROPE_FREQUENCIES"),
    "same_continuations": ("running.continuations", "SAME_CONTINUATIONS"),
    "same_distributions": ("running.golden_rule", "SAME_DISTRIBUTIONS"),
    "same_flags": ("static.tokenizers.tokenizer_flags", "SAME_FLAGS"),
    "same_framing": ("running.continuations", "SAME_FRAMING"),
    "same_merges": ("static.tokenizers.merges_pair", "SAME_MERGES"),
    "same_pieces": ("static.tokenizers.same_pieces", "SAME_PIECES"),
    "same_prompt_tokens": ("running.golden_rule", "SAME_PROMPT_TOKENS"),
    "same_rendering": ("running.chat_templates", "SAME_RENDERING"),
    "same_template": ("static.tokenizers.chat_template", "SAME_TEMPLATE"),
    "same_token_ids": ("running.tokenizer_texts", "SAME_TOKEN_IDS"),
    "same_token_ids_llama_cpp": ("running.tokenizer_texts", "SAME_TOKEN_IDS_LLAMA_CPP"),
    "same_vocabulary": ("static.tokenizers.tokenizer_pair", "SAME_VOCABULARY"),
    "scheme_codes": ("static.schemes.codes", "SCHEME_CODES"),
    "scheme_coverage": ("static.schemes.coverage", "SCHEME_COVERAGE"),
    "scheme_engines": ("static.schemes.engines", "SCHEME_ENGINES"),
    "scheme_parts": ("static.schemes.parts", "SCHEME_PARTS"),
    "scheme_scales": ("static.schemes.scales", "SCHEME_SCALES"),
    "scheme_siblings": ("static.schemes.siblings", "SCHEME_SIBLINGS"),
    "source_container": ("static.containers.container", "SOURCE_CONTAINER"),
    "special_ids": ("static.tokenizers.special_ids", "SPECIAL_IDS"),
    "tensors_counted": ("static.custom.tensors_declared", "TENSORS_COUNTED"),
    "tensors_digest": ("static.custom.tensors_valued", "TENSORS_DIGEST"),
    "tensors_equal": ("static.custom.tensors_valued", "TENSORS_EQUAL"),
    "tensors_measured": ("static.custom.tensors_valued", "TENSORS_MEASURED"),
    "tensors_shaped": ("static.custom.tensors_declared", "TENSORS_SHAPED"),
    "tensors_typed": ("static.custom.tensors_declared", "TENSORS_TYPED"),
    "tied_embeddings": ("static.tensors.tied_embeddings", "TIED_EMBEDDINGS"),
    "tokenizer_present": ("static.tokenizers.tokenizer_present", "TOKENIZER_PRESENT"),
    "unknown_dtype_refused": ("static.containers.headers", "UNKNOWN_DTYPE_REFUSED"),
    "values_alive": ("static.values.values_alive", "VALUES_ALIVE"),
    "values_finite": ("static.values.values_finite", "VALUES_FINITE"),
    "vocabulary": ("static.tokenizers.vocabulary", "VOCABULARY"),
}


OUR_KINDS = tuple(_TABLE)


@cache
def _plugged(offer: plugins.Offer) -> Kind:
    from model_contracts.checks.plugged import plugged

    return plugged(offer)


class _Kinds(Mapping[str, Kind]):
    """The table, and what plugins that were named give; each kind is imported when it is first looked up."""

    def __getitem__(self, name: str) -> Kind:
        if name not in _TABLE and (offer := plugins.offer("kinds", name)) is not None:
            return _plugged(offer)
        module, constant = _TABLE[name]
        return cast("Kind", getattr(import_module(f"{__name__}.{module}"), constant))

    def __iter__(self) -> Iterator[str]:
        return iter((*_TABLE, *plugins.names("kinds")))

    def __len__(self) -> int:
        return len(_TABLE) + len(plugins.names("kinds"))


KINDS: Mapping[str, Kind] = _Kinds()
