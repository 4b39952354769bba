"""Owns tokenizer.json: the vocabulary, merges, added tokens, sections and flags of a Hugging Face tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from model_contracts.formats.documents import DocumentBounds, NotJson, collector_paused, parse, read_whole
from model_contracts.formats.interface import Bytes
from model_contracts.formats.tokenizer_ends import flag, special_ids, wrapping
from model_contracts.formats.tokenizer_members import Ids, added_of, listed, mapped, mapping, members, merges_of
from model_contracts.ledger import Ledger
from model_contracts.outcome import Place
from model_contracts.vocabulary import Tokenizer

#: This reader's bounds: the largest published tokenizer.json take some 35 MB, and hold some 260,000 tokens.
FILE_BOUND, DOCUMENT_BOUNDS = 48 << 20, DocumentBounds(values=2_400_000, members=600_000)
ALGORITHMS = ("BPE", "Unigram", "WordPiece", "WordLevel")
#: Sections that are kept as they stand, beside the options of the model.
SECTIONS = ("normalizer", "pre_tokenizer", "post_processor", "decoder", "truncation", "padding")


def read_tokenizer(source: Bytes, ledger: Ledger, config: Mapping[str, Any] | None = None) -> Tokenizer | None:
    """Parse tokenizer.json. `config` is tokenizer_config.json, for special ids and flags.

    Never raises for what the bytes hold: None where there is no tokenizer to be had, and the ledger says why under
    `format` (`tokenizer_json`). Unreadable where the disk fails.
    """

    def document() -> object:
        return parse(read_whole(source, FILE_BOUND), members, DOCUMENT_BOUNDS)

    return _read(document, source.path, ledger, config)


def tokenizer_of(
    document: Mapping[str, Any], origin: Path, ledger: Ledger, config: Mapping[str, Any] | None = None
) -> Tokenizer | None:
    """The tokenizer of a tokenizer.json that was parsed already; as `read_tokenizer` otherwise."""
    return _read(lambda: document, origin, ledger, config)


def _read(
    document: Callable[[], object], origin: Path, ledger: Ledger, config: Mapping[str, Any] | None
) -> Tokenizer | None:
    try:
        with collector_paused():
            tokenizer = _tokenizer(origin, mapping(document(), "the file"), config or {}, ledger)
    except NotJson as refused:
        ledger.compare(
            "format",
            "tokenizer_json",
            False,
            expected=refused.expected,
            observed=refused.observed,
            place=Place(file=origin.name, offset=refused.offset),
        )
        return None
    ledger.compare("format", "tokenizer_json", True)
    return tokenizer


def _tokenizer(origin: Path, document: dict[str, Any], config: Mapping[str, Any], ledger: Ledger) -> Tokenizer:
    model = mapping(document.get("model"), "model")
    algorithm = model.get("type")
    vocab = model.get("vocab")
    if algorithm is None:  # older files leave the type out
        algorithm = "BPE" if "merges" in model else "Unigram" if type(vocab) is list else "WordPiece"
    if algorithm not in ALGORITHMS:
        raise NotJson("BPE, Unigram, WordPiece or WordLevel as model.type", algorithm)
    scores: list[float] | None = None
    if type(vocab) is list:
        vocabulary, scores = listed(vocab)
    else:
        vocabulary = mapped(vocab)
    added = added_of(document.get("added_tokens"), vocabulary)
    tokens = vocabulary.tokens
    opens, closes = wrapping(document.get("post_processor"))
    return Tokenizer(
        origin=origin,
        algorithm=str(algorithm),
        tokens=tokens,
        merges=merges_of(model.get("merges")) if algorithm == "BPE" else None,
        added=added,
        scores=scores + [0.0] * (len(tokens) - len(scores)) if scores is not None else None,
        special_ids=special_ids(Ids(tokens, added), model, config, origin.name, ledger),
        add_bos=flag(config.get("add_bos_token"), opens),
        add_eos=flag(config.get("add_eos_token"), closes),
        duplicates=tuple(vocabulary.duplicates),
        sections={name: document.get(name) for name in SECTIONS}
        | {"model": {key: value for key, value in model.items() if key not in ("vocab", "merges")}},
    )
