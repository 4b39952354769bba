"""Owns tokenizers of the `tokenizers` library put together from what a GGUF or .apr carries."""

from __future__ import annotations

import json
from typing import Any

from model_contracts.anatomy.tokenizers.rebuilt_tokenizers import NotRebuilt, document_of
from model_contracts.runtimes.interface import Refused
from model_contracts.vocabulary import Tokenizer

_OPTIONS = ("unk_token", "fuse_unk", "byte_fallback", "ignore_merges")


def rebuilt(tokenizer: Tokenizer) -> Any:
    """A `tokenizers.Tokenizer` from a vocabulary, its merges (or scores) and the name of its pre-tokenizer."""
    try:
        document = document_of(tokenizer)
        engine = _engine(document)
    except NotRebuilt as none:
        raise Refused(str(none)) from None
    except Exception as error:  # the library raises bare exceptions
        raise Refused(f"the vocabulary is refused by the tokenizers library: {error}") from None
    for token in sorted(tokenizer.added.values(), key=lambda token: token.id):
        if (at := engine.token_to_id(token.content)) != token.id and tokenizer.ids.get(token.content) == token.id:
            raise Refused(f"the added token {token.content!r} of id {token.id} came out as {at}")
    return engine


def _engine(document: dict[str, Any]) -> Any:
    """The tokenizer of a document; the tables of a BPE, which may be long, are given as they are and not as text."""
    from tokenizers import AddedToken, Tokenizer
    from tokenizers.models import BPE

    model = document["model"]
    if model["type"] != "BPE":
        return Tokenizer.from_str(json.dumps(document, ensure_ascii=False))
    empty = {**model, "vocab": {}, "merges": [], "unk_token": None}
    engine = Tokenizer.from_str(json.dumps({**document, "model": empty, "added_tokens": []}, ensure_ascii=False))
    engine.model = BPE(vocab=model["vocab"], merges=model["merges"], **{name: model[name] for name in _OPTIONS})
    for token in document["added_tokens"]:
        flags = {name: value for name, value in token.items() if name not in ("id", "content")}
        entry = AddedToken(token["content"], **flags)
        (engine.add_special_tokens if token["special"] else engine.add_tokens)([entry])
    return engine
