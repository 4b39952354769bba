"""Owns how one text is judged: what was owed of it, what came, and which engines said so."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field, JsonValue

from model_contracts.anatomy.tokenizers.pretokenizers import name_of
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Examination, missing_input, not_owed, tokenizer_of
from model_contracts.checks.running.declared_parting import DeclaredParting, declared_parting
from model_contracts.outcome import Record, jsonable
from model_contracts.runtimes.interface import Limits

if TYPE_CHECKING:
    from model_contracts.runtimes.text.encoders import TextSession


class TextParameters(Record):
    """How many texts are generated, and what the tokenizer's process may use."""

    examples: int = Field(ge=1, le=1_000_000, description="Generated texts.")
    seconds: float = Field(20, gt=0, description="For one answer over a batch of texts.")
    memory_mb: int = Field(2000, ge=64)

    @property
    def limits(self) -> Limits:
        """The limits of one child process; opening a large vocabulary takes a few seconds."""
        return Limits(self.seconds, max(60.0, self.seconds), self.memory_mb)


@dataclass(frozen=True, slots=True)
class TextDifference:
    """What was owed of one text and what came."""

    expected: JsonValue
    observed: JsonValue
    note: str


#: Of each text, how it fails (None: it holds).
Judge = Callable[[Sequence[str]], list[TextDifference | None]]


def code_points(text: str, most: int = 12) -> str:
    """The code points of a text with their names."""
    named = [f"U+{ord(letter):04X} {unicodedata.name(letter, 'without a name')}" for letter in text[:most]]
    rest = len(text) - most
    return (", ".join(named) or "the empty text") + (f" and {rest} more" if rest > 0 else "")


def session(
    examination: Examination, artifact: Artifact, parameters: TextParameters, *, pre: str | None = None
) -> TextSession:
    """The encoder of an artifact, opened once a run. Raises Skip without a tokenizer, RuntimeFailure otherwise."""
    tokenizer_of(artifact)
    return examination.sessions.texts(artifact, "encode", parameters.limits, pre)


def beside_source(examination: Examination, parameters: TextParameters) -> TextSession:
    """The target's encoder; what an .apr does not say of it is taken to be as in the source."""
    source = tokenizer_of(examination.source_view.artifact)
    pre = name_of(source) if examination.target.form.bare_tokenizer else None
    return session(examination, examination.target, parameters, pre=pre)


def round_trip(examination: Examination, parameters: TextParameters) -> Judge:
    """What a text encodes to is decoded again."""
    encoder = session(examination, examination.target, parameters)
    if encoder.about["lossy"] is not None:
        raise not_owed(str(encoder.about["lossy"]))

    def judge(texts: Sequence[str]) -> list[TextDifference | None]:
        return [
            None
            if trip.expected is None or trip.decoded == trip.expected
            else TextDifference(
                jsonable(trip.expected),
                jsonable(trip.decoded),
                f"ids {list(trip.ids[:16])} decode to {code_points(trip.decoded)}",
            )
            for trip in encoder.round_trip(texts)
        ]

    return judge


def in_range(examination: Examination, parameters: TextParameters) -> Judge:
    """Every id has a row of embedding."""
    encoder = session(examination, examination.target, parameters)
    embedding = examination.view.by_canonical.get("token_embd.weight")
    rows = embedding.shape[0] if embedding is not None and embedding.shape else tokenizer_of(examination.target).size

    def judge(texts: Sequence[str]) -> list[TextDifference | None]:
        outside = [[at for at in ids if not 0 <= at < rows] for ids in encoder.encode(texts, add_special=True)]
        return [
            TextDifference(f"below {rows:,}", ids[0], f"{rows:,} rows of embedding") if ids else None for ids in outside
        ]

    return judge


def same_ids(examination: Examination, parameters: TextParameters) -> Judge:
    """The source's ids against those of the target's tokenizer, rebuilt."""
    source = session(examination, examination.source_view.artifact, parameters)
    target = beside_source(examination, parameters)
    engines = "; ".join([f"{source.about['origin']} against {target.about['origin']}", *target.about["assumed"]])

    parting = declared_parting(examination)
    unnamed = examination.target.form.bare_tokenizer and name_of(tokenizer_of(examination.source_view.artifact)) is None

    def judge(texts: Sequence[str]) -> list[TextDifference | None]:
        theirs, ours = source.encode(texts, add_special=True), target.encode(texts, add_special=True)
        found = [
            None if _told(parting, text, b, source) else _parted(a, b, engines)
            for text, a, b in zip(texts, theirs, ours, strict=True)
        ]
        if unnamed and any(found):
            raise missing_input(
                f"the ids differ, and the .apr leaves to be assumed: {'; '.join(target.about['assumed'])}"
            )
        return found

    return judge


def same_ids_in_llama_cpp(examination: Examination, parameters: TextParameters) -> Judge:
    """The source's ids against llama.cpp's."""
    if examination.target.form.runtime != "llamacpp":
        raise not_owed(f"llama.cpp reads GGUF, and the target is {examination.target.kind}")
    source = session(examination, examination.source_view.artifact, parameters)
    theirs = examination.sessions.get(examination.target.path, "llamacpp")
    engines = f"{source.about['origin']} against llama.cpp"
    parting = declared_parting(examination)

    def judge(texts: Sequence[str]) -> list[TextDifference | None]:
        # llama.cpp normalises nothing: what the source's normaliser leaves of a text is the same for both.
        plain = source.normalise(texts)
        found = []
        for text, ids in zip(plain, source.encode(plain, add_special=True), strict=True):
            ours = theirs.tokens(text, add_special=True)
            found.append(None if _told(parting, text, ours, source) else _parted(ids, ours, engines))
        return found

    return judge


def _told(parting: DeclaredParting, text: str, ours: list[int], source: TextSession) -> bool:
    """Whether the target's ids of a text are those that both sides' declarations make of it."""
    read = parting.read(text)
    return read != text and (read is None or source.encode([read], add_special=True)[0] == ours)


def _parted(expected: list[int], observed: list[int], engines: str) -> TextDifference | None:
    if expected == observed:
        return None
    at = next((at for at, (a, b) in enumerate(zip(expected, observed, strict=False)) if a != b), None)
    at = min(len(expected), len(observed)) if at is None else at
    start = max(0, at - 8)
    return TextDifference(
        list[JsonValue](expected[start : start + 24]),
        list[JsonValue](observed[start : start + 24]),
        f"ids part at position {at} of {len(expected)} and {len(observed)}, {engines}",
    )
