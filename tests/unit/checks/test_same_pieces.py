"""A SentencePiece model beside tokenizer.json is Falsified where it is another's, and kept where it is the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cases.interface import QWEN2
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.formats.opening import open_artifact
from model_contracts.formats.sentencepiece import read_sentencepiece
from model_contracts.ledger import Ledger
from support.mutations import copied
from support.tokenizers import DATA, published, seen

GATE = "G0-TOKENIZER-009"
MODEL = DATA / "sentencepiece" / "tokenizer.model"
Pieces = list[tuple[str, int]]


def _field(number: int, data: bytes) -> bytes:
    length = len(data)
    size = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
    return bytes([number << 3 | 2]) + size + data


def _held(folder: Path, edit: Callable[[Pieces], Any], name: str = "tokenizer.model") -> Path:
    """The folder with a SentencePiece model of edited pieces, under a name."""
    model = read_sentencepiece(MODEL, Ledger())
    assert model is not None
    pieces = list(zip(model.pieces, model.types, strict=True))
    edit(pieces)
    written = (_field(1, _field(1, text.encode()) + bytes([0x18, kind])) for text, kind in pieces)
    (folder / "tokenizer.model").unlink(missing_ok=True)
    (folder / name).write_bytes(b"".join(written))
    return folder


def _of(folder: Path) -> tuple[list[tuple[str, int | None, int]], int]:
    broken, open_ = seen(open_artifact(folder), None)[GATE]
    return [(one.measure, one.place.token, one.count) for one in broken], len(open_)


def _swapped(pieces: Pieces) -> None:
    pieces[400], pieces[401] = pieces[401], pieces[400]


def _reversed(pieces: Pieces) -> None:
    pieces[270:] = pieces[:269:-1]
    pieces[3:259] = [(f"x{at}", 1) for at in range(256)]


@pytest.mark.parametrize(
    ("edit", "name", "expected"),
    [
        (lambda pieces: None, "tokenizer.model", ([], 0)),
        (lambda pieces: pieces.pop(), "tokenizer.model", ([], 0)),
        (_swapped, "tokenizer.model", ([("piece", 400, 1), ("piece", 401, 1)], 0)),
        (lambda pieces: pieces.append(("more", 1)), "tokenizer.model", ([("piece", 480, 1)], 0)),
        (_reversed, "tokenizer.model", ([("pieces", None, 477)], 0)),
        (lambda pieces: pieces.pop(0), "sentencepiece.bpe.model", ([], 0)),
        (lambda pieces: (pieces.pop(0), _swapped(pieces)), "sentencepiece.bpe.model",
         ([("piece", 400, 1), ("piece", 401, 1)], 0)),
        (_reversed, "sentencepiece.bpe.model", ([("pieces", None, 477)], 0)),
        (lambda pieces: pieces.pop(0), "spiece.model", ([], 1)),
        (lambda pieces: pieces.pop(0), "tokenizer.model", None),
    ],
    ids=["same", "one-less-at-the-end", "two-exchanged", "one-more", "another", "one-beside-by-its-class",
         "by-its-class-and-two-exchanged", "another-by-its-class", "moved-not-known", "moved"],
)  # fmt: skip
def test_pieces_are_held_to_the_ids_of_tokenizer_json(
    edit: Callable[[Pieces], Any], name: str, expected: Any, tmp_path: Path
) -> None:
    published("sentencepiece", tmp_path)
    found = _of(_held(tmp_path / "sentencepiece", edit, name))
    if expected is None:
        assert (sum(count for _, _, count in found[0]) > 400, found[1]) == (True, 0)
    else:
        assert found == expected


def _renamed(document: dict[str, Any]) -> None:
    """One piece under another text, as an added token lies over a reserved piece; and a token beyond the pieces."""
    vocabulary = document["model"]["vocab"]
    old = next(token for token, at in vocabulary.items() if at == 479)
    document["model"]["vocab"] = {("<|turn|>" if token == old else token): at for token, at in vocabulary.items()}
    document["model"]["merges"] = [one for one in document["model"]["merges"] if "".join(one).replace(" ", "") != old]
    token = {"special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    document["added_tokens"] += [
        {"id": 479, "content": "<|turn|>", **token},
        {"id": 480, "content": "<|end|>", **token},
    ]


def test_added_tokens_over_and_beyond_the_pieces_are_kept(tmp_path: Path) -> None:
    artifact = published("sentencepiece", tmp_path, _renamed)
    assert seen(artifact, None)[GATE] == ([], [])


def test_without_a_model_beside_it_nothing_is_owed(tmp_path: Path) -> None:
    assert GATE not in seen(published("sentencepiece", tmp_path, None, "tokenizer.model"), None)


def test_a_model_of_another_tokenizer_beside_byte_level_tokens_is_falsified_alone(tmp_path: Path) -> None:
    target = copied(QWEN2, tmp_path)
    shutil.copy(MODEL, target)
    evidence, run = check(CheckRequest((target,)))
    broken = [(o.gate_id, c.measure) for o in evidence for c in o.comparisons if not c.holds]
    assert (broken, run.decision.exit_code) == ([(GATE, "pieces")], 1)


def test_byte_level_tokens_are_read_as_pieces_spell_them(tmp_path: Path) -> None:
    target = copied(QWEN2, tmp_path)
    document = json.loads((target / "tokenizer.json").read_text("utf-8"))
    added = {token["content"] for token in document["added_tokens"]}
    ids = {token: at for token, at in document["model"]["vocab"].items() if token not in added}
    ascii_only = {token: at for token, at in ids.items() if token.replace("Ġ", "x").isascii()}
    pieces = [ascii_only_at(ascii_only, at) for at in range(max(ids.values()) + 1)]
    _held(target, lambda held: held.__setitem__(slice(None), pieces))
    evidence, _ = check(CheckRequest((target,)))
    (outcome,) = [o for o in evidence if o.gate_id == GATE]
    held = sum(one.count for one in outcome.comparisons if one.holds)
    assert (held, {one.measure for one in outcome.comparisons}) == (len(ascii_only), {"piece"})


def ascii_only_at(ids: dict[str, int], at: int) -> tuple[str, int]:
    """The token of an id as a piece, or an unused piece."""
    token = next((token for token, other in ids.items() if other == at), None)
    return (f"<unused{at}>", 5) if token is None else (token.replace("Ġ", "▁"), 1)
