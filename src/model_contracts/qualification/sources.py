"""Owns where the source of a qualification is: a path, or the local Hugging Face cache; only `--pull` downloads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from model_contracts import door
from model_contracts.engine.plan import UsageError
from model_contracts.paths import plain

#: What a model is made of; nothing else is downloaded.
_FILES = ("*.safetensors", "*.json", "*.jinja", "*.gguf")


def locate(model_path: Path | None, model_id: str, *, pull: bool) -> Path:
    """The source of a playbook.

    Raises UsageError where it is nowhere, for what cannot be downloaded, and for an id that the hub cannot have.
    """
    if model_path is not None:
        if not model_path.exists():
            raise UsageError(f"{model_path}: no such file or directory")
        return _snapshot(model_path) or model_path
    found = _snapshot(_repository(model_id))
    if pull:
        return _pulled(model_id)
    if found is None:
        raise UsageError(
            f"{model_id} is not in the Hugging Face cache ({_cache()}): give --model-path PATH, or --pull downloads it"
        )
    return found


def _cache() -> Path:
    """Where hub files are kept: HF_HUB_CACHE, else HF_HOME/hub, else the user's cache."""
    if named := os.environ.get("HF_HUB_CACHE"):
        return Path(named).expanduser()
    home = os.environ.get("HF_HOME")
    base = (
        Path(home).expanduser()
        if home
        else Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "huggingface"
    )
    return base / "hub"


def _repository(model_id: str) -> Path:
    parts = model_id.split("/")
    if not all(plain(part) for part in parts):
        raise UsageError(f"{model_id!r} cannot be the name of a model on the hub: give --model-path PATH")
    return _cache() / f"models--{'--'.join(parts)}"


def _snapshot(repository: Path) -> Path | None:
    """The snapshot of a cached repository that `main` points to, else the newest; None where it is no repository."""
    if not repository.name.startswith("models--") or not (repository / "snapshots").is_dir():
        return None
    main = repository / "refs" / "main"
    try:
        commit = door.read(main, 4096).decode("utf-8", "replace").strip()[:200]
    except OSError:
        commit = ""
    if plain(commit) and (repository / "snapshots" / commit).is_dir():
        return repository / "snapshots" / commit
    return max(_snapshots(repository), key=lambda path: path.stat().st_mtime, default=None)


def _snapshots(repository: Path) -> Iterator[Path]:
    yield from (path for path in (repository / "snapshots").iterdir() if path.is_dir())


def _pulled(model_id: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError:
        raise UsageError("--pull needs huggingface_hub: pip install 'model-contracts[transformers]'") from None
    try:
        return Path(snapshot_download(model_id, allow_patterns=list(_FILES)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise UsageError(f"{model_id} could not be downloaded: {str(error).splitlines()[0][:200]}") from None
