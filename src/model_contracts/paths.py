"""Owns every path the program builds: names keep their dots, and no name from inside an artifact leaves its folder."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from model_contracts.containers import FORMS, Format

#: The suffix of each format. It is compared with the content, and never decides what a file is.
SUFFIXES: dict[str, Format] = {form.suffix: name for name, form in FORMS.items()}

Role = Literal["config", "generation_config", "tokenizer", "tokenizer_config", "chat_template", "index", "quantization"]

#: What the files beside the weights are called, in the order they are looked for.
SIDECAR_FILES: dict[Role, tuple[str, ...]] = {
    "config": ("config.json",),
    "generation_config": ("generation_config.json",),
    "tokenizer": ("tokenizer.json",),
    "tokenizer_config": ("tokenizer_config.json",),
    "chat_template": ("chat_template.jinja", "chat_template.json"),
    "quantization": ("hf_quant_config.json", "quantize_config.json", "quant_config.json"),
}

#: What the config of an adapter is called; it counts beside weights that bear an adapter's name.
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_"

_NUMBERED = re.compile(r"^(?P<base>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})$", re.DOTALL)
_INDEX = ".index.json"
_DRIVE = re.compile(r"^[A-Za-z]:")
#: Device names that some systems open whatever folder or suffix they stand in.
_RESERVED = re.compile(r"^(CON|PRN|AUX|NUL|COM[0-9¹²³]|LPT[0-9¹²³]|CONIN\$|CONOUT\$)\s*(\.|$)", re.IGNORECASE)
_LONGEST = 255
#: What some system keeps out of a component: separators, colons, wildcards, control characters, lone surrogates; and
#: a percent sign that would be read as an escape.
_FORBIDDEN = re.compile(r"""[\x00-\x1f\x7f/\\:*?"<>|\ud800-\udfff]|%(?=[0-9A-Fa-f]{2})""")


def suffix_format(name: str) -> Format | None:
    """The format that the final suffix of a file name claims, None where it claims none of ours."""
    lowered = name.lower()
    return next((format for suffix, format in SUFFIXES.items() if lowered.endswith(suffix)), None)


def may_be_indexed(name: str) -> bool:
    """Whether the suffix of a file name claims a format whose sets may have an index."""
    format = suffix_format(name)
    return format is not None and FORMS[format].indexed


def without_format_suffix(name: str) -> str:
    """A file name without its final format suffix, in any case; every other dot stays.

    A name that is nothing but a suffix (`.gguf`) is kept, because nothing would be left.
    """
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def numbered(name: str) -> tuple[str, int, int] | None:
    """(base, number, count) of a shard's file name (`model-00002-of-00003.gguf`), None where it has no number."""
    match = _NUMBERED.match(without_format_suffix(name))
    return (match["base"], int(match["number"]), int(match["count"])) if match else None


def model_name(path: Path) -> str:
    """What a model is called by the file or folder a person gave.

    Only a known format suffix and shard numbering are cut: `Qwen2.5-Coder-0.5B` stays whole. A snapshot in a
    Hugging Face cache is called by its repository, not by its commit.
    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 -- Path.resolve would follow a snapshot's link to its blob
    folder = absolute.parent
    for repository in (absolute, folder.parent if folder.name == "snapshots" else absolute):
        if repository.name.startswith("models--") and (called := repository.name.split("--")[-1]):
            return called
    name = absolute.name
    if name.lower().endswith(_INDEX) and len(name) > len(_INDEX):
        name = name[: -len(_INDEX)]
    name = without_format_suffix(name)
    match = _NUMBERED.match(name)
    return (match["base"] if match else name) or absolute.name or str(absolute)


def plain(name: str) -> bool:
    """Whether a name is one path component on every system: no separator of either kind, drive, `..` or device."""
    if name in ("", ".", "..") or _DRIVE.match(name) or _RESERVED.match(name):
        return False
    if any(character in "/\\" or ord(character) < 32 or ord(character) == 127 for character in name):
        return False
    try:
        return len(name.encode()) <= _LONGEST
    except UnicodeEncodeError:
        return False


def inside(folder: Path, name: str) -> Path | None:
    """The path of a file that an artifact names, or None where the name is no plain file name. Touches nothing."""
    return folder / name if plain(name) else None


def stays_in(folder: Path, path: Path) -> bool:
    """Whether a file of a folder, links followed, stays there; only links are read, no file is opened.

    A snapshot of a Hugging Face cache (`models--*/snapshots/*`) may link into the `blobs` of the same repository.
    """
    home = Path(os.path.realpath(folder))
    target = Path(os.path.realpath(path))
    if target.is_relative_to(home):
        return True
    # Subfolders of a snapshot are models too (transformer/, text_encoder/).
    for snapshot in (home, *home.parents):
        repository = snapshot.parent.parent
        if snapshot.parent.name == "snapshots" and repository.name.startswith("models--"):
            return target.is_relative_to(repository / "blobs")
    return False


def sidecars(weights: Path, role: Role) -> tuple[Path, ...]:
    """The files that belong to one weights file by name: `Qwen2.5-0.5B.safetensors` has `Qwen2.5-0.5B.config.json`."""
    name = without_format_suffix(weights.name)
    return tuple(weights.parent / f"{name}.{file}" for file in SIDECAR_FILES[role])


def sidecar(weights: Path, role: Role) -> Path:
    """The first of `sidecars`."""
    return sidecars(weights, role)[0]


def component(name: str, suffix: str = "") -> str:
    """A name that a person gave, with a suffix of ours, as one path component on every system; usual names as they are.

    What no component may hold becomes `%` and two hex digits (a separator, a colon, a control character, a dot or
    space at the end, the first letter of a device's name). A name too long is cut, with a digest of all of it.
    """
    written = _FORBIDDEN.sub(_percent, name)
    if not suffix or not name:
        written = re.sub(r"[. ]\Z", _percent, written) or "%"
    if _RESERVED.match(written):
        written = f"%{ord(written[0]):02X}{written[1:]}"
    room = _LONGEST - len(suffix.encode())
    encoded = written.encode()
    if len(encoded) > room:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        written = f"{encoded[: room - 17].decode('utf-8', 'ignore')}~{digest}"
    return written + suffix


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def model_parts(model_id: str) -> tuple[str, str]:
    """(organisation, name) of a model's id: split at the first slash; a name alone has the organisation `local`."""
    organisation, slash, name = model_id.partition("/")
    return (organisation, name) if slash else ("local", model_id)


def workspace(root: Path, organisation: str, name: str, format: Format, file: str) -> Path:
    """Where a file of a model is kept: `root/organisation/name/format/file`. ValueError for a file that is not plain.

    Organisation and name are as a person gave them, and stand there as `component` writes them.
    """
    if not plain(file):
        raise ValueError(f"{file!r} cannot be part of a path")
    return root / component(organisation) / component(name) / format / file


def parts(root: Path, path: Path) -> tuple[str, str, Format, str]:
    """(organisation, name, format, file) of a path that `workspace` built. ValueError for any other path."""
    below = path.relative_to(root).parts
    if len(below) != 4 or below[2] not in SUFFIXES.values():
        raise ValueError(f"{path} is not organisation/name/format/file below {root}")
    format = next(known for known in SUFFIXES.values() if known == below[2])
    organisation, name = (unquote(part, errors="surrogatepass") for part in below[:2])
    return organisation, name, format, below[3]


def cache(name: str) -> Path:
    """A folder of the user's cache that can be written; a private temporary one where the cache cannot."""
    from tempfile import mkdtemp

    from platformdirs import user_cache_path

    folder = user_cache_path("model-contracts", appauthor=False) / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(mkdtemp(prefix="model-contracts-"))
    return folder if os.access(folder, os.W_OK) else Path(mkdtemp(prefix="model-contracts-"))
