"""Owns golden files on disk: recorded from a model, written whole or not at all, and read without trusting them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from model_contracts import door, placing
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Skip, tokenizer_of
from model_contracts.checks.running.declared_parting import DeclaredParting, parting_of
from model_contracts.checks.running.prompt_tokens import prompt_ids
from model_contracts.checks.search import search
from model_contracts.engine.environment import environment
from model_contracts.formats.opening import open_artifact
from model_contracts.golden import Digests, Golden, GoldenPrompt, Message
from model_contracts.inference import golden_answers
from model_contracts.inference.sessions import Sessions, own_runtime
from model_contracts.runtimes import runtime
from model_contracts.runtimes.interface import RuntimeFailure, WholeRows
from model_contracts.strategies.prompts import FRAMINGS, Framing, Prompt, prompts
from model_contracts.vocabulary import Tokenizer

MAX_BYTES = 256 << 20
#: Commas, colons and brackets that are parsed at the most: the numbers of a file are text, its structure is small.
_MAX_PARTS = 1_000_000
#: Longest prompt, tokens: far enough for the last bucket of positions.
LONGEST = 640
#: Prompts that are generated for each that is kept, so that long and short ones are among them.
_CANDIDATES = 4


class GoldenRefused(Exception):
    """A golden file that is not written or not read: one line that names the path."""


def record(path: Path, each: int, top: int, seed: int) -> Golden:
    """What a model answers to `each` prompts of every framing, on its own runtime; `top` tokens a position.

    Raises GoldenRefused where the model carries no tokenizer, cannot be read, or its runtime does not answer.
    """
    artifact = open_artifact(path)
    if not artifact.readable:
        raise GoldenRefused(f"{path}: cannot be read (contracts check says why)")
    name = own_runtime(artifact)
    with Sessions() as sessions:
        try:
            session = sessions.get(artifact.path, name)
            tokenizer = tokenizer_of(artifact)
            kept = [
                _answered(session, prompt, top, parting_of(tokenizer))
                for framing in FRAMINGS
                if framing != "chat" or artifact.chat_template is not None
                for prompt in _chosen(session, tokenizer, framing, each, seed)
            ]
            return _golden(artifact, tokenizer, name, session.vocabulary, min(top, session.vocabulary), seed, kept)
        except Skip as skip:
            raise GoldenRefused(f"{path}: {skip.reason}") from None
        except RuntimeFailure as failure:
            raise GoldenRefused(f"{path}: not recorded: {failure.reason}") from None


def _chosen(session: WholeRows, tokenizer: Tokenizer, framing: Framing, each: int, seed: int) -> Iterator[Prompt]:
    """Of generated prompts, by length in equal steps, from both ends in turn: the first two are longest and shortest.

    A check that stops early has then seen the last positions as well as the first.
    """
    generated: dict[tuple[int, ...], Prompt] = {}
    parting = parting_of(tokenizer)

    def take(prompt: Prompt) -> bool:
        ids = tuple(prompt_ids(session, prompt))
        plain = framing == "chat" or parting.read(prompt.text) == prompt.text
        if plain and 2 <= len(ids) <= (session.context or len(ids)):
            generated.setdefault(ids, prompt)
        return True

    search(prompts(tokenizer, framing, LONGEST), take, each * _CANDIDATES, seed)
    by_length = sorted(generated, key=lambda ids: (len(ids), ids))
    steps = [round(at * (len(by_length) - 1) / max(each - 1, 1)) for at in range(each)] if by_length else []
    places = sorted(set(steps) | ({len(by_length) - 1} if by_length else set()), reverse=True)[:each]
    while places:
        yield generated[by_length[places.pop(0)]]
        places.reverse()


def _answered(session: WholeRows, prompt: Prompt, top: int, parting: DeclaredParting) -> GoldenPrompt:
    chat = prompt.framing == "chat"
    tokens = prompt_ids(session, prompt)
    rendered = session.render(prompt.messages) if chat else prompt.text
    spaced, read = None, parting.read(rendered)
    if read != rendered:
        spaced = tuple(session.tokens(read, add_special=not chat)) if read is not None else ()
    return GoldenPrompt(
        framing=prompt.framing,
        text=None if chat else prompt.text,
        messages=tuple(Message.model_validate(message) for message in prompt.messages) if chat else (),
        rendered=rendered,
        tokens=tuple(tokens),
        spaced=spaced,
        answers=golden_answers.encoded(session.logits(tokens[:LONGEST], top=min(top, session.vocabulary))),
    )


def _golden(
    artifact: Artifact,
    tokenizer: Tokenizer,
    name: str,
    vocabulary: int,
    top: int,
    seed: int,
    kept: list[GoldenPrompt],
) -> Golden:
    from model_contracts.version import version

    if not kept:
        raise GoldenRefused(f"{artifact.path}: no prompt of two tokens or more fits it")
    unknown = f"blake3:{'0' * 64}"
    golden = Golden(
        version=1,
        model=artifact.name,
        format=artifact.format,
        runtime=name,
        versions={"model-contracts": version(), name: runtime(name).installed().version or "", **environment()},
        seed=seed,
        vocabulary=vocabulary,
        top=top,
        prompts=tuple(kept),
        digests=Digests(
            model=_weights_digest(artifact), tokenizer=_tokenizer_digest(tokenizer), prompts=unknown, content=unknown
        ),
    )
    return golden_answers.sealed(golden)


def _weights_digest(artifact: Artifact) -> str:
    """As evidence names the artifact: the file's digest, or for a set the digest over its files' digests."""
    from blake3 import blake3

    from model_contracts.engine.fingerprints import file_digest

    digests = [file_digest(path) for path in artifact.files]
    return digests[0] if len(digests) == 1 else f"blake3:{blake3(chr(10).join(digests).encode()).hexdigest()}"


def _tokenizer_digest(tokenizer: Tokenizer) -> str:
    added = [(one.id, one.content, one.special) for _, one in sorted(tokenizer.added.items())]
    return golden_answers.digest_of([list(tokenizer.tokens[: tokenizer.used]), list(tokenizer.merges or ()), added])


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raises GoldenRefused where something stands at the path that nobody said to replace."""
    if path.is_dir():
        raise GoldenRefused(f"{path}: a golden file is one file, and this is a folder")
    if not force and (there := placing.standing([path])):
        raise GoldenRefused(placing.taken(there))


def write(path: Path, golden: Golden, *, force: bool = False) -> None:
    """Write a golden file, read back as anybody would read it before it takes its name. Raises GoldenRefused."""
    refuse_existing(path, force=force)
    data = golden.model_dump_json(indent=1).encode() + b"\n"
    _parsed(path, data)
    try:
        placing.write(path, data, replace=force)
    except FileExistsError:
        raise GoldenRefused(placing.taken([path])) from None
    except OSError as error:
        raise GoldenRefused(f"{path}: not written: {(error.strerror or str(error)).lower()}") from None


def read(path: Path) -> Golden:
    """A golden file whose parts fit each other and match their digests. Raises GoldenRefused, in one line."""
    try:
        data = door.read(path, MAX_BYTES)
    except FileNotFoundError:
        raise GoldenRefused(f"{path}: no such file") from None
    except door.NotRegular as error:
        raise GoldenRefused(f"{path}: not a plain file: {error.strerror}") from None
    except OSError as error:
        raise GoldenRefused(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    return _parsed(path, data)


def _json(path: Path, data: bytes) -> object:
    """The values of a file. pydantic's own parser would copy them once for every field that is wrong."""
    import json

    try:
        return json.loads(data)
    except RecursionError:
        raise GoldenRefused(f"{path}: not a golden file: nested too deeply") from None
    except ValueError as error:  # no JSON, no UTF-8, or a number of more digits than Python converts
        raise GoldenRefused(f"{path}: not a golden file: not JSON: {str(error)[:200]}") from None


def _parsed(path: Path, data: bytes) -> Golden:
    from pydantic import ValidationError

    if len(data) > MAX_BYTES or sum(data.count(part) for part in (b",", b":", b"[", b"{")) > _MAX_PARTS:
        raise GoldenRefused(f"{path}: not a golden file: more than {MAX_BYTES:,} bytes or {_MAX_PARTS:,} values")
    try:
        golden = Golden.model_validate(_json(path, data))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        message = f"{place}: {first['msg']}" if place else first["msg"]
        raise GoldenRefused(f"{path}: not a golden file: {message[:300]}") from None
    if (found := next(golden_answers.problems(golden), None)) is not None:
        raise GoldenRefused(f"{path}: not a golden file that can be used: {found}")
    return golden
