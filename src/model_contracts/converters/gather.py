"""Owns what a source says of itself: config.json, tokenizer and template, carried, beside it, or rebuilt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from model_contracts import door
from model_contracts.anatomy.families.carried import carried
from model_contracts.anatomy.tokenizers.named_templates import named_templates
from model_contracts.anatomy.tokenizers.pretokenizers import name_of
from model_contracts.anatomy.tokenizers.special_ids import by_name
from model_contracts.anatomy.tokenizers.tokenizer_kinds import adds, kind_of, treatment
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact, Sidecar
from model_contracts.converters.carried import carried_tokenizer
from model_contracts.converters.configuration import config_of
from model_contracts.converters.interface import ConversionRefused, Documents, Pieces
from model_contracts.converters.tokenizer_rebuilt import arrays_of_tokenizer, rebuilt, rebuilt_config, stored_pieces
from model_contracts.formats.chat_templates import TEMPLATE_BOUND
from model_contracts.formats.documents import Hook, NotJson, collector_paused, parse, read_whole
from model_contracts.formats.interface import Unreadable
from model_contracts.formats.source import FileBytes
from model_contracts.formats.tokenizer_folder import pieces_beside, read_pieces
from model_contracts.formats.tokenizer_json import DOCUMENT_BOUNDS, FILE_BOUND, tokenizer_of
from model_contracts.formats.tokenizer_members import distinct
from model_contracts.ledger import Ledger
from model_contracts.paths import without_format_suffix
from model_contracts.vocabulary import Tokenizer

_ROLES = ("bos", "eos", "unk", "pad", "sep", "cls", "mask")


class Chosen(NamedTuple):
    """An artifact with the tokenizer to be used, which that is in words, and its tokenizer.json where there is one."""

    artifact: Artifact
    origin: str
    document: dict[str, Any] | None = None


def with_tokenizer(artifact: Artifact, given: Path | None) -> Chosen:
    """Choose the tokenizer: the artifact's own unless one is given; where it has none, a tokenizer.json near it.

    Raises ConversionRefused with every place that was looked at.
    """
    if given is not None:
        path = given / "tokenizer.json" if given.is_dir() else given
        if not door.is_regular(path):
            raise ConversionRefused(f"--tokenizer {given}: there is no such file")
        return _taken(artifact, path, f"{path}, as --tokenizer says")
    if (sidecar := artifact.sidecars.get("tokenizer")) is not None:
        document, tokenizer = _read(sidecar.path, artifact.tokenizer_config, artifact.ledger)
        own = replace(artifact, read_tokenizer=partial(_give, tokenizer))
        return Chosen(own, f"the source's own ({sidecar.path.name})", document)
    if artifact.tokenizer is not None:
        return Chosen(artifact, f"the source's own ({artifact.tokenizer.origin.name})")
    places = siblings(artifact.path)
    for path in places:
        if door.is_regular(path):
            return _taken(artifact, path, f"{path}, for the source carries none")
    looked = ", ".join(map(str, places))
    raise ConversionRefused(
        f"{artifact.path}: it carries no tokenizer, and none lies near it (looked at {looked}); "
        "give one with --tokenizer PATH"
    )


def _read(path: Path, config: Mapping[str, Any] | None, ledger: Ledger) -> tuple[dict[str, Any], Tokenizer]:
    """A tokenizer.json as it is written again, and the tokenizer that a check reads from it; parsed once."""
    repeated = False

    def members(pairs: list[tuple[str, Any]]) -> Any:
        nonlocal repeated
        found = distinct(pairs)
        repeated = repeated or type(found) is not dict
        return found

    with collector_paused():
        document = _parsed(path, members)
    tokenizer = tokenizer_of(document, path, own := Ledger(), config)
    if tokenizer is None:
        _, refused = next(iter(own.violations))
        raise ConversionRefused(f"{path}: expected {refused.expected}, found {refused.observed}")
    ledger.merge(own)
    return (_object(path) if repeated else document), tokenizer


def siblings(weights: Path) -> tuple[Path, ...]:
    """Where the tokenizer of a file without one is looked for, in this order."""
    folder = weights if weights.is_dir() else weights.parent
    named = () if weights.is_dir() else (folder / f"{without_format_suffix(weights.name)}.tokenizer.json",)
    above = folder / ".."
    return (folder / "tokenizer.json", *named, above / "tokenizer.json", above / "safetensors" / "tokenizer.json")


def _taken(artifact: Artifact, path: Path, origin: str) -> Chosen:
    """The artifact with a tokenizer.json from elsewhere, and what lies beside that file."""
    # `name.tokenizer.json` has `name.tokenizer_config.json` beside it.
    prefix = path.name.removesuffix("tokenizer.json") if path.name.endswith("tokenizer.json") else ""
    settings, template = (path.parent / f"{prefix}{name}" for name in ("tokenizer_config.json", "chat_template.jinja"))
    config = _object(settings) if door.is_regular(settings) else None
    text = _text(template) if door.is_regular(template) else (config or {}).get("chat_template")
    document, tokenizer = _read(path, config, Ledger())
    pieces = pieces_beside(path.parent) if not prefix else None
    taken = replace(
        artifact,
        sidecars={**artifact.sidecars, "tokenizer": Sidecar("tokenizer", path, "given or found for the conversion")},
        tokenizer_config=config if config is not None else artifact.tokenizer_config,
        chat_template=artifact.chat_template or (text if isinstance(text, str) else None),
        read_tokenizer=partial(_give, tokenizer),
        read_sentencepiece=partial(read_pieces, pieces, Ledger()) if pieces is not None else lambda: None,
    )
    return Chosen(taken, origin, document)


def _give(tokenizer: Tokenizer) -> Tokenizer:
    return tokenizer


def documents_of(view: View, chosen: Chosen, notes: list[str]) -> Documents:
    """Everything a target is to say of the model. `notes` takes what people should know."""
    artifact = view.artifact
    tokenizer = artifact.tokenizer
    assert tokenizer is not None  # with_tokenizer has seen to it
    config, published = config_of(view, notes)
    document, settings = _tokenizer(chosen, tokenizer, config, notes)
    template, templates = _template(artifact, settings), named_templates(artifact)
    metadata = artifact.metadata
    generation = artifact.generation_config or carried(metadata, "generation_config")
    return Documents(
        config=config,
        tokenizer=document,
        tokenizer_config=_with_templates(settings, template, templates),
        generation_config=dict(generation) if generation is not None else None,
        chat_template=template,
        chat_templates=templates,
        kind=kind_of(tokenizer),
        pieces=_pieces(chosen, tokenizer),
        options=treatment(artifact, tokenizer),
        pre=name_of(tokenizer),
        add_bos=adds(artifact, tokenizer, "add_bos"),
        add_eos=adds(artifact, tokenizer, "add_eos"),
        special_ids=_special_ids(artifact, tokenizer),
        types=_types(metadata),
        published=published,
        tokenizer_origin=chosen.origin,
    )


def _tokenizer(
    chosen: Chosen, tokenizer: Tokenizer, config: Mapping[str, Any], notes: list[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """tokenizer.json and tokenizer_config.json."""
    artifact = chosen.artifact
    if chosen.document is not None:
        return chosen.document, dict(artifact.tokenizer_config or {})
    arrays = arrays_of_tokenizer(tokenizer)
    document = carried_tokenizer(artifact.metadata, arrays)
    settings = carried(artifact.metadata, "tokenizer_config")
    if document is None:
        document = rebuilt(artifact, tokenizer)
        notes.append("tokenizer.json was put together from the arrays in the file: none was carried")
    if settings is None or not _agree(settings, tokenizer):
        settings = rebuilt_config(tokenizer, config.get("max_position_embeddings"))
    return document, settings


def _pieces(chosen: Chosen, tokenizer: Tokenizer) -> Pieces:
    """What scores and types the ids: the SentencePiece model beside tokenizer.json, or the container itself."""
    if chosen.document is None:
        return stored_pieces(tokenizer)
    model, listed = chosen.artifact.sentencepiece, (chosen.artifact.tokenizer_config or {}).get("added_tokens_decoder")
    ids = (
        frozenset(int(at) for at in listed if at.isascii() and at.isdigit())
        if isinstance(listed, dict)
        else frozenset()
    )
    return Pieces(model.pieces, model.scores, model.types, ids) if model is not None else Pieces(listed=ids)


def _template(artifact: Artifact, settings: Mapping[str, Any]) -> str | None:
    if artifact.chat_template is not None:
        return artifact.chat_template
    text = settings.get("chat_template")
    return text if isinstance(text, str) else None


def _with_templates(settings: dict[str, Any], template: str | None, named: Mapping[str, str]) -> dict[str, Any]:
    """tokenizer_config.json with every template by its name, where it does not list them itself and some have names."""
    if not named or isinstance(settings.get("chat_template"), list):
        return settings
    texts = {"default": template, **named} if template is not None else named
    return settings | {"chat_template": [{"name": name, "template": text} for name, text in texts.items()]}


def _agree(settings: Mapping[str, Any], tokenizer: Tokenizer) -> bool:
    """Whether a carried tokenizer_config.json names the special tokens that the file's own keys declare."""
    for role, (at, _) in tokenizer.special_ids.items():
        value = settings.get(f"{role}_token")
        text = value.get("content") if isinstance(value, dict) else value
        if isinstance(text, str) and 0 <= at < tokenizer.size and text != tokenizer.tokens[at]:
            return False
    return True


def _special_ids(artifact: Artifact, tokenizer: Tokenizer) -> dict[str, int]:
    ids = {role: at for role, (at, _) in tokenizer.special_ids.items()}
    for name, values in by_name(artifact).items():
        ids.setdefault(name.removesuffix("_token_id"), next(iter(values)))
    return {role: ids[role] for role in _ROLES if role in ids}


def _types(metadata: Mapping[str, Any]) -> dict[str, str]:
    found = carried(metadata, "dtypes") or {}
    return {name: dtype for name, dtype in found.items() if dtype in ("F32", "F16", "BF16")}


def _object(path: Path) -> dict[str, Any]:
    value = _parsed(path)
    if not isinstance(value, dict):
        raise ConversionRefused(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def _text(path: Path) -> str:
    try:
        return door.read(path, TEMPLATE_BOUND).decode("utf-8", "replace")
    except OSError as error:
        raise ConversionRefused(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None


def _parsed(path: Path, hook: Hook | None = None) -> Any:
    try:
        with FileBytes(path) as source:
            return parse(read_whole(source, FILE_BOUND), hook, DOCUMENT_BOUNDS)
    except NotJson as refused:
        raise ConversionRefused(f"{path}: expected {refused.expected}, found {refused.observed}") from None
    except Unreadable as refused:
        raise ConversionRefused(str(refused)) from None
