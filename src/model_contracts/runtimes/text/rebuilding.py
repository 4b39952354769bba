"""Owns tokenizers of the `tokenizers` library put together from what a GGUF or .apr carries."""

from __future__ import annotations

import json
from typing import Any

from model_contracts.anatomy.rebuilt_tokenizers import NotRebuilt, document_of
from model_contracts.artifact import Tokenizer
from model_contracts.runtimes.interface import Refused


def rebuilt(tokenizer: Tokenizer) -> Any:
    """A `tokenizers.Tokenizer` from a vocabulary, its merges (or scores) and the name of its pre-tokenizer."""
    from tokenizers import Tokenizer as Engine

    try:
        engine = Engine.from_str(json.dumps(document_of(tokenizer), ensure_ascii=False))
    except NotRebuilt as none:
        raise Refused(str(none)) from None
    except Exception as error:  # the library raises bare exceptions
        raise Refused(f"the vocabulary is refused by the tokenizers library: {error}") from None
    for token in sorted(tokenizer.added.values(), key=lambda token: token.id):
        if (at := engine.token_to_id(token.content)) != token.id and tokenizer.ids.get(token.content) == token.id:
            raise Refused(f"the added token {token.content!r} of id {token.id} came out as {at}")
    return engine
