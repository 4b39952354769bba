"""Owns tokenizers that are kept in other files than tokenizer.json: which lie there, which are read, and as what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from model_contracts.formats.documents import NotJson, collector_paused, parse, read_whole
from model_contracts.formats.interface import Unreadable
from model_contracts.formats.sentencepiece import read_sentencepiece
from model_contracts.formats.source import FileBytes
from model_contracts.formats.tokenizer_ends import flag, special_ids
from model_contracts.formats.tokenizer_json import DOCUMENT_BOUNDS, FILE_BOUND
from model_contracts.formats.tokenizer_members import FLAGS, ID_BOUND, Ids, Vocabulary, mapped, mapping, members
from model_contracts.formats.tokenizer_members import merges_of as pairs_of
from model_contracts.ledger import Ledger
from model_contracts.outcome import Place
from model_contracts.paths import stays_in
from model_contracts.vocabulary import AddedToken, SentencePiece, Tokenizer

#: SentencePiece models whose ids are those of the tokenizer.
SENTENCEPIECE = ("tokenizer.model", "spiece.model", "spm.model")
#: One whose class gives the pieces other ids.
SHIFTED = "sentencepiece.bpe.model"
#: Files of tokenizers that nothing here reads, and why.
UNREAD = {
    SHIFTED: "its class gives the pieces other ids",
    "tekken.json": "nothing here reads Tekken",
    "tiktoken.model": "nothing here reads tiktoken",
    "qwen.tiktoken": "nothing here reads tiktoken",
    "bpe.codes": "nothing here reads fastBPE",
    "vocab.bpe": "it has no table of ids beside it",
}
#: Every file that a tokenizer without tokenizer.json may be made of.
FILES = (*SENTENCEPIECE, *UNREAD, "vocab.json", "merges.txt", "vocab.txt", "added_tokens.json")
_TIKTOKEN = re.compile(rb"[A-Za-z0-9+/]+={0,2} \d+\r?\n")
_TOKENS_BOUND = 1 << 20
Read = Callable[[], Tokenizer | None]


def lies(folder: Path, name: str) -> bool:
    """Whether a plain file of that name lies in the folder and is no link that leaves it."""
    path = folder / name
    try:
        return path.is_file() and stays_in(folder, path)
    except (OSError, ValueError):
        return False


def sentencepiece_beside(folder: Path) -> Path | None:
    """The SentencePiece model of a folder whose ids are those of the tokenizer; tiktoken under its name is none."""
    return next((folder / name for name in SENTENCEPIECE if lies(folder, name) and not _tiktoken(folder / name)), None)


def pieces_beside(folder: Path) -> Path | None:
    """The SentencePiece model of a folder, whichever ids its class gives the pieces."""
    return sentencepiece_beside(folder) or (folder / SHIFTED if lies(folder, SHIFTED) else None)


def read_pieces(path: Path, ledger: Ledger) -> SentencePiece | None:
    """The SentencePiece model at a path. None where there is none to be had: the ledger says why, under `format`."""
    model = read_sentencepiece(path, ledger)
    return replace(model, shifted=True) if model is not None and path.name == SHIFTED else model


def other_tokenizer(folder: Path, config: Mapping[str, Any], ledger: Ledger) -> tuple[Read | None, dict[str, str]]:
    """What reads the tokenizer of a folder without tokenizer.json (None: nothing does), and what lies there unread."""
    unread = {name: why for name, why in UNREAD.items() if lies(folder, name)}
    unread |= {name: "it is tiktoken" for name in SENTENCEPIECE if lies(folder, name) and _tiktoken(folder / name)}
    if (model := sentencepiece_beside(folder)) is not None:
        return partial(_guarded, model, _pieces, config, ledger), unread
    if lies(folder, "vocab.json") and lies(folder, "merges.txt"):
        return partial(_guarded, folder / "vocab.json", _byte_pairs, config, ledger), unread
    if lies(folder, "vocab.json"):
        unread["vocab.json"] = "no merges.txt lies beside it"
    elif lies(folder, "vocab.txt") and not unread:
        return partial(_guarded, folder / "vocab.txt", _word_pieces, config, ledger), unread
    return None, unread


def _guarded(
    path: Path,
    read: Callable[[Path, Mapping[str, Any], Ledger], Tokenizer | None],
    config: Mapping[str, Any],
    ledger: Ledger,
) -> Tokenizer | None:
    try:
        with collector_paused():
            tokenizer = read(path, config, ledger)
    except NotJson as refused:
        place = Place(file=path.name, offset=refused.offset)
        expected, observed = refused.expected, refused.observed
    except Unreadable as refused:
        place, expected, observed = Place(file=path.name), "a file that can be read", str(refused)
    else:
        if tokenizer is not None:
            ledger.compare("format", "tokenizer_files", True)
        return tokenizer
    ledger.compare("format", "tokenizer_files", False, expected=expected, observed=observed, place=place)
    return None


def _whole(path: Path) -> bytes:
    with FileBytes(path) as source:
        return read_whole(source, FILE_BOUND)


def _lines(path: Path) -> list[str]:
    data = _whole(path)
    if data.count(b"\n") > _TOKENS_BOUND:
        raise NotJson(f"at most {_TOKENS_BOUND:,} lines (a bound of this reader)", data.count(b"\n"))
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise NotJson("UTF-8", error.reason, error.start) from None
    return [line.removesuffix("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]


def _byte_pairs(path: Path, config: Mapping[str, Any], ledger: Ledger) -> Tokenizer:
    vocabulary = mapped(parse(_whole(path), members, DOCUMENT_BOUNDS))
    lines = _lines(path.with_name("merges.txt"))
    merges = pairs_of([line for at, line in enumerate(lines) if line and not (at == 0 and line.startswith("#version"))])
    return _tokenizer(path, "BPE", vocabulary, config, ledger, merges=merges)


def _word_pieces(path: Path, config: Mapping[str, Any], ledger: Ledger) -> Tokenizer:
    vocabulary, first = Vocabulary([]), dict[str, int]()
    for at, token in enumerate(_lines(path)):
        vocabulary.place(token, at)
        if (earlier := first.setdefault(token, at)) != at:
            vocabulary.repeated(token, earlier, at)
    return _tokenizer(path, "WordPiece", vocabulary, config, ledger)


def _pieces(path: Path, config: Mapping[str, Any], ledger: Ledger) -> Tokenizer | None:
    model = read_sentencepiece(path, ledger)
    if model is None:
        return None
    vocabulary, first = Vocabulary(list(model.pieces)), dict[str, int]()
    for at, token in enumerate(model.pieces):
        if (earlier := first.setdefault(token, at)) != at:
            vocabulary.repeated(token, earlier, at)
    algorithm = "SPM" if model.algorithm == "BPE" else model.algorithm
    return _tokenizer(path, algorithm, vocabulary, config, ledger, model=model)


def _tokenizer(
    path: Path,
    algorithm: str,
    vocabulary: Vocabulary,
    config: Mapping[str, Any],
    ledger: Ledger,
    *,
    merges: list[tuple[str, str]] | None = None,
    model: SentencePiece | None = None,
) -> Tokenizer:
    """A tokenizer of its tables, with the tokens laid over it that other files add."""
    added: dict[int, AddedToken] = {}
    for token in _added(path.parent, config):
        if (held := vocabulary.tokens[token.id] if token.id < len(vocabulary.tokens) else None) not in (
            None,
            token.content,
        ):
            ledger.note(f"tokenizer_config.json calls id {token.id} {token.content[:80]!r}, and {path.name} {held!r}")
            continue
        vocabulary.place(token.content, token.id)
        added.setdefault(token.id, token)
    size = len(vocabulary.tokens)
    ids = special_ids(Ids(vocabulary.tokens, added), {}, config, path.name, ledger)
    scores = types = None
    if model is not None:
        ids = {r: (at, f"{path.name} trainer_spec") for r, at in model.special_ids.items() if 0 <= at < size} | ids
        rest = range(len(model.pieces), size)
        scores = [*model.scores, *(0.0 for _ in rest)]
        types = [*model.types, *(_type(added.get(at)) for at in rest)]
    return Tokenizer(
        origin=path,
        algorithm=algorithm,
        tokens=vocabulary.tokens,
        merges=merges,
        added=added,
        token_types=types,
        scores=scores,
        special_ids=ids,
        add_bos=flag(config.get("add_bos_token"), None),
        add_eos=flag(config.get("add_eos_token"), None),
        duplicates=tuple(vocabulary.duplicates),
        options=model.options if model is not None else _lowercase(config) if algorithm == "WordPiece" else {},
    )


def _lowercase(config: Mapping[str, Any]) -> dict[str, Any]:
    small = config.get("do_lower_case")
    return {"lowercase": small} if isinstance(small, bool) else {}


def _type(token: AddedToken | None) -> int:
    return 5 if token is None else 3 if token.special else 4


def _added(folder: Path, config: Mapping[str, Any]) -> Iterator[AddedToken]:
    """Tokens of tokenizer_config.json's added_tokens_decoder, then those of added_tokens.json."""
    decoder = config.get("added_tokens_decoder")
    for key, entry in decoder.items() if isinstance(decoder, dict) else ():
        content = entry.get("content") if isinstance(entry, dict) else None
        if key.isascii() and key.isdigit() and len(key) < 9 and int(key) < ID_BOUND and isinstance(content, str):
            yield AddedToken(int(key), content, **{name: entry.get(name) is True for name in FLAGS})
    if lies(folder, "added_tokens.json"):
        document = mapping(parse(_whole(folder / "added_tokens.json")), "added_tokens.json")
        for content, at in document.items():
            if type(at) is int and 0 <= at < ID_BOUND:
                yield AddedToken(at, content)


def _tiktoken(path: Path) -> bool:
    try:
        with FileBytes(path) as source:
            return _TIKTOKEN.match(source.read(0, 4096)) is not None
    except Unreadable:
        return False
