"""Owns the property that every added token encodes to exactly itself, whatever white space stands around it (I-5)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from typing import Literal

from pydantic import JsonValue

from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Examination, Kind, Skip, Where, missing_input, not_owed, tokenizer_of
from model_contracts.checks.running.text_judges import TextParameters, beside_source, code_points, session
from model_contracts.checks.trial import Trial
from model_contracts.ledger import KEPT
from model_contracts.outcome import Comparison, Counterexample, Place, jsonable
from model_contracts.runtimes.interface import Refused
from model_contracts.runtimes.text.encoders import TextSession
from model_contracts.strategies.texts import CONTEXTS
from model_contracts.vocabulary import AddedToken

_AT_ONCE = 256
#: An added token between two pieces of white space.
_Case = tuple[str, str, AddedToken]


class AddedTokenParameters(TextParameters):
    """Whose added tokens: the target's own, or those that its source has."""

    tokens_of: Literal["target", "source"] = "target"


def added_tokens(
    examination: Examination, parameters: AddedTokenParameters, where: Where, trial: Trial
) -> Iterator[Comparison]:
    """Encode each added token in each context with the target's tokenizer; the plainest contexts come first."""
    owner = _owner(examination, parameters)
    tokens = [token for token in tokenizer_of(owner).added.values() if token.content]
    if not tokens:
        raise not_owed("the tokenizer has no added tokens")
    contexts = sorted(product(CONTEXTS, CONTEXTS), key=lambda pair: len(pair[0] + pair[1]))
    cases = ((left, right, token) for left, right in contexts for token in tokens if _fits(left, right, token))
    most = trial.max_examples or parameters.examples
    try:
        judge = _Judge(_encoder(examination, parameters))
        failing, tried = _tried(islice(cases, most), judge)
    except Refused as refused:
        raise missing_input(refused.reason) from None
    yield from _violations(examination, failing, trial)
    if held := tried - len(failing):
        note = f"{tried:,} of {len(contexts) * len(tokens):,}: {len(tokens):,} tokens in {len(contexts)} contexts"
        yield Comparison(
            measure="added_token_ids",
            place=_place(examination, None),
            expected="each by its own id alone",
            observed="each by its own id alone",
            holds=True,
            count=held,
            bound_from=where("examples"),
            note=note,
        )


def again(examination: Examination, parameters: AddedTokenParameters, stored: JsonValue) -> Comparison:
    """One stored token in its context again."""
    if not isinstance(stored, dict):
        raise Skip("missing_input", "the stored input is no added token")
    left, right, at = (stored.get(key) for key in ("left", "right", "token"))
    token = tokenizer_of(_owner(examination, parameters)).added.get(at) if isinstance(at, int) else None
    if not isinstance(left, str) or not isinstance(right, str) or token is None:
        raise Skip("missing_input", f"the artifact has no added token of id {at}")
    case = (left, right, token)
    try:
        observed = _Judge(_encoder(examination, parameters))([case])[0]
    except Refused as refused:
        raise missing_input(refused.reason) from None
    return _comparison(examination, case, observed)


def _encoder(examination: Examination, parameters: AddedTokenParameters) -> TextSession:
    if parameters.tokens_of == "source":
        return beside_source(examination, parameters)
    return session(examination, examination.target, parameters)


def _owner(examination: Examination, parameters: AddedTokenParameters) -> Artifact:
    return examination.target if parameters.tokens_of == "target" else examination.source_view.artifact


def _fits(left: str, right: str, token: AddedToken) -> bool:
    """Whether a token is to stand between these: one that has white space at its ends is read alone."""
    return token.content == token.content.strip() or not (left or right)


class _Judge:
    """Whether an encoder reads an added token as one id, and the white space around it as it reads that alone."""

    def __init__(self, encoder: TextSession) -> None:
        self._encoder = encoder
        self._alone = dict(zip(CONTEXTS, encoder.encode(CONTEXTS), strict=True))
        self._spaced = bool(encoder.about["spaced"])

    def __call__(self, cases: list[_Case]) -> list[list[int] | None]:
        """Of each case the ids, where they are wrong."""
        many = self._encoder.encode([left + token.content + right for left, right, token in cases])
        return [None if self._holds(case, ids) else ids for case, ids in zip(cases, many, strict=True)]

    def _holds(self, case: _Case, ids: list[int]) -> bool:
        left, right, token = case
        if self._spaced:  # it may put a space of its own before a word, also before none
            return ids.count(token.id) == 1
        before = self._alone[left.rstrip() if token.lstrip else left]
        behind = self._alone[right.lstrip() if token.rstrip else right]
        return ids == [*before, token.id, *behind]


def _tried(cases: Iterator[_Case], judge: _Judge) -> tuple[dict[int, tuple[_Case, list[int]]], int]:
    """The first case of each token that fails, and how many cases were tried."""
    failing: dict[int, tuple[_Case, list[int]]] = {}
    tried = 0
    while some := list(islice(cases, _AT_ONCE)):
        tried += len(some)
        for case, ids in zip(some, judge(some), strict=True):
            if ids is not None:
                failing.setdefault(case[2].id, (case, ids))
    return failing, tried


def _violations(
    examination: Examination, failing: dict[int, tuple[_Case, list[int]]], trial: Trial
) -> Iterator[Comparison]:
    for case, ids in islice(failing.values(), KEPT):
        if trial.counterexample is None:
            left, right, token = case
            trial.counterexample = Counterexample(
                kind="added_token_ids",
                description=f"the added token {token.content!r} between {left!r} and {right!r}",
                input={"left": left, "right": right, "token": token.id, "text": left + token.content + right},
                seed=trial.seed,
            )
        yield _comparison(examination, case, ids)


def _comparison(examination: Examination, case: _Case, ids: list[int] | None) -> Comparison:
    left, right, token = case
    said = f"{token.content!r} after {code_points(left) if left else 'nothing'}, before "
    return Comparison(
        measure="added_token_ids",
        place=_place(examination, token.id),
        expected=[token.id],
        observed=[token.id] if ids is None else jsonable(ids),
        holds=ids is None,
        note=said + (code_points(right) if right else "nothing"),
    )


def _place(examination: Examination, token: int | None) -> Place:
    tokenizer = examination.target.tokenizer
    file = tokenizer.origin if tokenizer is not None else examination.target.path
    return Place(file=file.name, token=token)


ADDED_TOKEN_IDS = Kind(AddedTokenParameters, added_tokens, lambda seen, given, stored: again(seen, given, stored.input))
