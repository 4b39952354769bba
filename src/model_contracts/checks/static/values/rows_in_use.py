"""Owns which rows of an embedding have a token in use: a zero row there says that the token means nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from model_contracts.anatomy.tokenizers.special_ids import by_name
from model_contracts.artifact import Artifact, Tensor
from model_contracts.outcome import Comparison, Place
from model_contracts.sweep.rows import read_rows

#: Names under which vocabularies keep rows for later: never in a text, and never trained.
_RESERVED = re.compile(r"(?is)<.*>|\[.*\]|[▁ ]*(?:unused|reserved|extra|pad|dummy|placeholder|madeupword).*")
#: ggml token types of no text: unknown, control, unused, byte.
_NO_TEXT = frozenset((2, 3, 5, 6))
_ROWS = 4096


def rows_in_use(tensor: Tensor, artifact: Artifact) -> Iterator[Comparison]:
    """Compare the number of zero rows of tokens that texts are made of with 0."""
    tokenizer = artifact.tokenizer
    if tokenizer is None or len(tensor.shape) != 2:
        return
    used = frozenset(index for index in range(min(tokenizer.size, tensor.rows)) if _text(artifact, index))
    ends = {one for name in ("bos_token_id", "eos_token_id") for one in by_name(artifact).get(name, {})}
    used = (used | ends) - set(by_name(artifact).get("pad_token_id", {}))
    dead = [row for row in _dead(tensor) if row in used]
    names = ", ".join(repr(tokenizer.tokens[row])[:24] for row in dead[:3])
    yield Comparison(
        measure="rows_of_tokens_in_use",
        place=Place(file=tensor.file.name, tensor=tensor.name, row=dead[0] if dead else None),
        expected=0,
        observed=len(dead),
        holds=not dead,
        count=max(len(used), 1),
        note=f"all-zero rows of tokens in use: {names}{' …' if len(dead) > 3 else ''}" if dead else None,
    )


def _text(artifact: Artifact, index: int) -> bool:
    tokenizer = artifact.tokenizer
    token = tokenizer.tokens[index] if tokenizer is not None else None
    if tokenizer is None or not token or index in tokenizer.added or _RESERVED.fullmatch(token):
        return False
    if re.fullmatch(r"<0x[0-9A-Fa-f]{2}>", token) or (tokenizer.algorithm == "BPE" and len(token) == 1 and token > "~"):
        return False  # single bytes: some never begin or continue a character
    types = tokenizer.token_types
    return types is None or index >= len(types) or types[index] not in _NO_TEXT


def _dead(tensor: Tensor) -> Iterator[int]:
    for start in range(0, tensor.rows, _ROWS):
        values = read_rows(tensor, start, start + _ROWS)
        yield from (start + int(row) for row in np.flatnonzero(~values.any(axis=1)))
