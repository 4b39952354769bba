"""Owns how a path becomes an Artifact: the files of one model, each read by its format, with what lies beside them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from model_contracts.artifact import Artifact, Container, Sidecar
from model_contracts.containers import FORMS, Format
from model_contracts.formats.discovery import Found, find, nothing_in
from model_contracts.formats.foreign import LOOKED_AT, detect, recognise
from model_contracts.formats.huggingface import Beside, beside
from model_contracts.formats.interface import Bytes, Unreadable
from model_contracts.formats.modules import read_modules
from model_contracts.formats.safetensors import Header, read_header
from model_contracts.formats.shards import (
    Index,
    compare_index,
    compare_numbers,
    compare_splits,
    compare_tensors,
    contained,
    lost_files,
    read_index,
    shard_files,
)
from model_contracts.formats.source import FileBytes
from model_contracts.ledger import Ledger
from model_contracts.outcome import Place
from model_contracts.paths import ADAPTER_WEIGHTS, may_be_indexed, model_name, suffix_format
from model_contracts.vocabulary import Tokenizer


def _gguf(source: Bytes) -> Header:
    from model_contracts.formats.gguf import read_gguf

    return _header(read_gguf(source))


def _apr(source: Bytes) -> Header:
    from model_contracts.formats.apr import read_apr

    return _header(read_apr(source))


def _header(container: Container) -> Header:
    return Header(container, frozenset(tensor.name for tensor in container.tensors))


def _gguf_tokenizer(container: Container) -> Tokenizer | None:
    from model_contracts.formats.gguf import gguf_tokenizer

    return gguf_tokenizer(container)


def _apr_tokenizer(container: Container) -> Tokenizer | None:
    from model_contracts.formats.apr import apr_tokenizer

    return apr_tokenizer(container)


#: One line a format: how a file of it is read, and how the tokenizer it carries (safetensors carries none).
READERS: dict[Format, Callable[[Bytes], Header]] = {"safetensors": read_header, "gguf": _gguf, "apr": _apr}
TOKENIZERS: dict[Format, Callable[[Container], Tokenizer | None]] = {"gguf": _gguf_tokenizer, "apr": _apr_tokenizer}
#: Metadata keys that hold a chat template, the first that is a string counts.
_TEMPLATE_KEYS: dict[Format, tuple[str, ...]] = {
    "safetensors": (),
    "gguf": ("tokenizer.chat_template",),
    "apr": ("chat_template", "tokenizer.chat_template"),
}
#: File names that say nothing: the model is called by its folder.
_NAMELESS = ("model", "consolidated", "pytorch_model", "ggml-model", "diffusion_pytorch_model")


def open_artifact(path: Path) -> Artifact:
    """The model at a path: a file, a shard or index of a set, or a folder with one model in it.

    Raises Unreadable where the system gives nothing, and AmbiguousArtifact where a folder holds several models.
    Whatever the bytes hold becomes comparisons in the ledgers.
    """
    found = find(path)
    ledger = Ledger()
    headers, index = _indexed(found, ledger)
    if not headers and index is None:
        headers = _listed(found, ledger)
    containers = tuple(header.container for header in headers.values())
    format = containers[0].format if containers else "safetensors"
    if format == "gguf":
        compare_splits(containers, ledger)
    one = found.layout == "file" and len(containers) == 1 and index is None
    adapter = bool(containers) and all(file.path.name.startswith(ADAPTER_WEIGHTS) for file in containers)
    taken = beside(found.folder, path if one else None, format, ledger, adapter)
    if not containers and found.layout == "directory" and not ledger.violations and not _without_weights(taken):
        raise nothing_in(path)
    sidecars = dict(taken.sidecars)
    if index is not None:
        sidecars["index"] = Sidecar("index", index.path, "names the shards")
    layout = "sharded" if index is not None or len(containers) > 1 else found.layout
    return Artifact(
        path=path,
        name=_name(path, found),
        format=format,
        layout=layout,
        containers=containers,
        ledger=ledger,
        sidecars=sidecars,
        config=taken.config,
        generation_config=taken.generation_config,
        tokenizer_config=taken.tokenizer_config,
        modules=read_modules(found.folder, open_container, ledger) if FORMS[format].beside else (),
        pieces_file=taken.pieces_file,
        read_sentencepiece=taken.read_sentencepiece,
        unread_tokenizers=taken.unread_tokenizers,
        chat_templates=taken.chat_templates,
        quantization=taken.quantization,
        lost=lost_files(index, headers),
        **_carried(containers, taken),
    )


def open_container(path: Path) -> Container:
    """One file as a container, by its content, whatever set it belongs to."""
    return _open(path).container


def _without_weights(taken: Beside) -> bool:
    """Whether what lies there is a part of a model that has no weights: a tokenizer alone, or a pooling."""
    if taken.config is None:
        return "tokenizer" in taken.sidecars or taken.other_tokenizer
    return any(key.startswith("pooling_mode") for key in taken.config)


def _name(path: Path, found: Found) -> str:
    name = model_name(path)
    return model_name(found.folder) if name.lower() in _NAMELESS else name


def _carried(containers: tuple[Container, ...], taken: Beside) -> dict[str, Any]:
    """The tokenizer and chat template: a container's own, or what lies beside one that carries none."""
    read, template = taken.read_tokenizer, taken.chat_template
    if containers and (first := containers[0]).format in TOKENIZERS:
        read = partial(TOKENIZERS[first.format], first) if first.readable else lambda: None
        texts = (first.metadata.get(key) for key in _TEMPLATE_KEYS[first.format])
        template = next((text for text in texts if isinstance(text, str)), None)
    return {"read_tokenizer": read, "chat_template": template}


def _indexed(found: Found, ledger: Ledger) -> tuple[dict[str, Header], Index | None]:
    """The shards that an index names; nothing where no index is about this model."""
    for name in found.indexes:
        # An index that turns out to be about other files leaves no trace in this model's ledger.
        own = Ledger()
        index = read_index(found.folder / name, own)
        if found.given is not None and (index is None or found.given not in index.weight_map.values()):
            continue
        ledger.merge(own)
        if index is None:
            continue
        headers: dict[str, Header] = {}
        for shard, path in shard_files(index, found.folder, ledger).items():
            if (header := _shard(path, ledger)) is not None:
                headers[shard] = header
        compare_index(index, headers, found.listing, ledger)
        return headers, index
    return {}, None


def _listed(found: Found, ledger: Ledger) -> dict[str, Header]:
    """The files that the folder's own listing gives."""
    names = found.names or tuple(name for name in found.listing if may_be_indexed(name))
    headers: dict[str, Header] = {}
    for name in names:
        path = found.folder / name
        if name == found.given:
            # The path a person gave may be a link to anywhere.
            headers[name] = _open(path)
        elif contained(found.folder, path, ledger) and (header := _shard(path, ledger, names)) is not None:
            headers[name] = header
    compare_numbers(names, ledger)
    if len(names) > 1:
        compare_tensors({name: header for name, header in headers.items() if header.container.readable}, ledger)
    if len(names) > 1 and all(may_be_indexed(name) for name in names):
        ledger.note("the set has no index: its files were found by their numbers")
    return headers


def _shard(path: Path, ledger: Ledger, names: tuple[str, ...] = ()) -> Header | None:
    """One file of a set; where the system does not give it, the others still count."""
    try:
        return _open(path)
    except Unreadable as refused:
        if len(names) == 1:
            raise
        ledger.compare(
            "shards",
            "shard_present",
            False,
            expected="a file that can be read",
            observed=str(refused),
            place=Place(file=path.name),
        )
        return None


def _open(path: Path) -> Header:
    """One file, by its content; a file that is no model is a container that cannot be read, and says what it is."""
    claimed = suffix_format(path.name)
    with FileBytes(path) as source:
        format = detect(source)
        known = None if format else recognise(source.read(0, LOOKED_AT), source.size)
        if format is None and known is None and claimed is not None:
            # Damaged at its beginning: the reader of the suffix says where.
            return READERS[claimed](source)
        if format is None:
            return Header(_foreign(source, claimed or "safetensors", known))
        header = READERS[format](source)
    ledger = header.container.ledger
    ledger.compare("format", "recognised_format", True)
    if claimed is not None:
        ledger.compare(
            "format",
            "suffix_matches_content",
            claimed == format,
            expected=f"{claimed}, as the suffix says",
            observed=format,
            place=Place(file=path.name),
        )
    return header


def _foreign(source: Bytes, format: Format, known: str | None) -> Container:
    ledger = Ledger()
    ledger.compare(
        "format",
        "recognised_format",
        False,
        expected="a model: safetensors, GGUF or .apr",
        observed=known or "bytes of no format that this program knows",
        place=Place(file=source.path.name, offset=0),
    )
    return Container(source.path, format, source.size, 0, "", {}, (), ledger, readable=False)
