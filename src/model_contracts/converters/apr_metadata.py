"""Owns the metadata of an .apr file: typed keys first, canonical spellings only, then the tokenizer and the rest."""

from __future__ import annotations

from typing import Any

from model_contracts.anatomy.tokenizers.tokenizer_kinds import known
from model_contracts.converters.carried import to_carry
from model_contracts.converters.interface import Documents, TargetModel
from model_contracts.converters.tokenizer_arrays import arrays_of
from model_contracts.converters.tokenizer_keys import OPTIONS
from model_contracts.converters.tokenizer_refusals import refuse
from model_contracts.dtypes import DTYPES

#: Two halves of a head, as Hugging Face rows stand (0 would be adjacent pairs).
_ROPE_HALVES = 2
#: What the format's own reader calls the algorithm, for each kind.
_WORDS = {
    "byte-level": "BPE",
    "sentencepiece": "SPM",
    "sentencepiece-merges": "gemma4",
    "unigram": "Unigram",
    "wordpiece": "WordPiece",
}
_ROLES = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}


def metadata(model: TargetModel) -> dict[str, Any]:
    """Every key, in the order of the format's own writer."""
    documents = model.documents
    values: dict[str, Any] = {
        "model_type": documents.config.get("model_type", model.architecture),
        "name": model.name,
        "license": None,
        "data_source": None,
        "data_license": None,
        "total_size": 0,
        "param_count": sum(tensor.elements for tensor in model.tensors),
        **_quantization(model),
    }
    if documents.chat_template is not None:
        values["chat_template"] = documents.chat_template
    values["architecture"] = documents.config.get("model_type", model.architecture)
    classes = documents.config.get("architectures")
    if isinstance(classes, list) and classes and isinstance(classes[0], str):
        values["hf_architecture"] = classes[0]
    values["hf_model_type"] = values["architecture"]
    values |= _hyperparameters(model)
    if model.metadata:
        values["source_metadata"] = dict(model.metadata)
    if documents.published:
        values["hf_config"] = documents.config
    values["tensor_shapes"] = {tensor.name: list(tensor.shape) for tensor in model.tensors}
    return values | tokenizer_metadata(model.documents, int(model.numbers["vocab_size"]))


def _quantization(model: TargetModel) -> dict[str, Any]:
    """What the file says of its types: only where they are not those of a plain checkpoint."""
    if model.label is None:
        return {}
    quantised = [DTYPES[t.dtype] for t in model.tensors if DTYPES[t.dtype].kind == "quantised"]
    sizes = {tensor.type.name: tensor.type for tensor in (t.source for t in model.tensors if t.source is not None)}
    if not quantised and not any(dtype.kind == "quantised" for dtype in sizes.values()):
        return {}
    widest = max(quantised, key=quantised.count) if quantised else DTYPES["F32"]
    block = widest.block if widest.block > 1 else None
    return {
        "quantization": {
            "quant_type": model.label, "bits": int(widest.bits), "block_size": block, "symmetric": block is None
        }
    }  # fmt: skip


def _hyperparameters(model: TargetModel) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, places in model.keys.items():
        value = model.numbers.get(name)
        if not places or value is None or name == "tie_word_embeddings":
            continue
        if name.startswith("rope_scaling") and value in ("default", "none"):
            continue
        if name in model.declared or not name.startswith("rope_scaling"):
            values[places[0]] = value
    values = {**model.stated, **values}
    values["rope_type"] = _ROPE_HALVES
    if model.tied:
        values["tied_embeddings"] = True
    return values


def tokenizer_metadata(documents: Documents, rows: int) -> dict[str, Any]:
    """Every key of a tokenizer of so many ids, and what is carried for the way back. Raises ConversionRefused."""
    refuse(documents.tokenizer, documents.kind)
    arrays = arrays_of(documents.tokenizer, rows, documents.kind, documents.pieces)
    values: dict[str, Any] = {
        "tokenizer.model_type": _WORDS[arrays.kind],
        "tokenizer.model": about.gguf[0] if (about := known(arrays.kind)) is not None else None,
        "tokenizer.vocabulary": arrays.filled("<unk>"),
        "tokenizer.vocab_size": len(arrays.tokens),
    }
    if arrays.scores is not None:
        values["tokenizer.scores"] = arrays.scores
    if arrays.merges is not None:
        values["tokenizer.merges"] = arrays.merges
    values["tokenizer.token_type"] = arrays.types
    values |= {f"tokenizer.{OPTIONS[name]}": _plain(value) for name, value in documents.options.items()}
    if documents.pre is not None:
        values["tokenizer.pre_type"] = documents.pre
    for role, at in documents.special_ids.items():
        if role in _ROLES:
            values[f"tokenizer.{_ROLES[role]}_token_id"] = at
    for flag in ("add_bos", "add_eos"):
        if (value := getattr(documents, flag)) is not None:
            values[f"tokenizer.{flag}_token"] = value
    # A model has more hyper-parameters than .apr has keys; a published config.json stands under the format's own key.
    return values | to_carry(documents, arrays, config=not documents.published)


def _plain(value: Any) -> Any:
    """A value as JSON has it: bytes are a list of numbers."""
    return list(value) if isinstance(value, bytes) else value
