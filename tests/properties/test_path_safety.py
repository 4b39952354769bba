"""Names keep their dots through every path, and no name from inside an artifact reaches a file outside its folder."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model_contracts.formats.opening import open_artifact
from model_contracts.paths import (
    SUFFIXES,
    component,
    inside,
    model_name,
    model_parts,
    numbered,
    parts,
    plain,
    sidecar,
    stays_in,
    suffix_format,
    workspace,
)
from support.safetensors_files import write_file, write_set

X = np.ones(2, np.float32)
ROOT = Path("root.d")

#: Names that open a device on some systems, whatever follows the first dot.
DEVICE = re.compile(r"(con|prn|aux|nul|com.|lpt.|conin\$|conout\$)\s*(\.|$)", re.IGNORECASE)
#: What people call models and what the command line has stumbled over.
KNOWN = (
    "Qwen2.5-Coder-0.5B",
    ".5b-instruct",
    "model.gguf",
    "a.safetensors",
    "x.apr",
    "llama 3 (final).v2",
    "Qwen",
    "日本語.模型",
)
#: Pieces of paths in every spelling.
PIECES = (
    "..", ".", "/", "\\", "C:", "~", "canary", "outside", "\x00", "\n", " ", "%2e%2e", "%", "NUL", "con.txt", "..;",
    "\u2215", "\ud800", "?",
)  # fmt: skip
characters = st.characters(exclude_characters="/\\\x7f", exclude_categories=("Cs", "Cc"))
names = st.sampled_from(KNOWN) | st.builds(
    "".join, st.lists(st.sampled_from((".", "-", " ", "0.5B", ".gguf", "Qwen")) | characters, min_size=1, max_size=12)
).filter(lambda name: name not in (".", "..") and ":" not in name and not DEVICE.match(name))
formats = st.sampled_from(tuple(SUFFIXES.values()))


@given(names, names, formats, names)
@example("Qwen", "Qwen2.5-Coder-0.5B-Instruct", "gguf", "model.gguf")
@example(".org", ".5b-instruct", "apr", "Qwen2.5-0.5B.Q4_K_M.gguf")
def test_organisation_name_format_and_file_survive_a_round_trip(org: str, name: str, format: str, file: str) -> None:
    path = workspace(ROOT, org, name, format, file)
    assert parts(ROOT, path) == (org, name, format, file)
    assert path.parts == (ROOT.name, component(org), component(name), format, file)


#: Any text at all, and what some system would take for something else than a name.
anything = st.text(min_size=1, max_size=20) | st.builds(
    "".join, st.lists(st.sampled_from(PIECES), min_size=1, max_size=8)
)


@given(anything, anything)
@example("..", ".")
@example("C:", "con")
@example("y" * 300, "x" * 300)
@example("%2e%2e", "%2E%2E")
@example("a/b", "a%2Fb")
@example("Qwen2.5 (v1.0) + @ü", "Qwen2.5 (v1.0) + @ü.")
def test_whatever_a_person_calls_a_model_is_one_component_that_no_other_name_has(one: str, other: str) -> None:
    for name in (one, other):
        for suffix in ("", ".S-A-G.gguf"):
            written = component(name, suffix)
            assert plain(written) and written.endswith(suffix)
            assert not PureWindowsPath(written).is_reserved() and not set(written) & set('<>:"|?*')
            assert (PureWindowsPath("x") / written).parts == (PurePosixPath("x") / written).parts == ("x", written)
    assert (component(one) == component(other)) == (one == other)
    assert (component(one, ".gguf") == component(other, ".gguf")) == (one == other)


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "."])
def test_what_people_call_models_stands_in_a_path_as_it_is(name: str) -> None:
    assert component(name) == name and component(name, ".S-G.gguf") == f"{name}.S-G.gguf"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("Qwen/Qwen2.5-Coder-0.5B", ("Qwen", "Qwen2.5-Coder-0.5B")),
        ("gpt2", ("local", "gpt2")),
        ("a/b/c", ("a", "b/c")),
        ("my org/my model", ("my org", "my model")),
    ],
)
def test_a_models_id_has_an_organisation_and_a_name(model: str, expected: tuple[str, str]) -> None:
    assert model_parts(model) == expected


@given(names, st.sampled_from(tuple(SUFFIXES)), st.booleans())
def test_only_the_final_format_suffix_is_cut_from_a_name(name: str, suffix: str, upper: bool) -> None:
    file = name + (suffix.upper() if upper else suffix)
    assert suffix_format(file) == SUFFIXES[suffix]
    assert sidecar(Path("folder") / file, "config") == Path("folder") / f"{name}.config.json"
    if numbered(file) is None:
        assert model_name(Path("folder") / file) == name


@given(names, st.integers(1, 99_999), st.integers(1, 99_999), st.sampled_from(tuple(SUFFIXES)))
def test_shard_numbers_are_cut_from_the_name_of_a_model_and_read_back(
    name: str, number: int, count: int, suffix: str
) -> None:
    file = f"{name}-{number:05d}-of-{count:05d}{suffix}"
    assert numbered(file) == (name, number, count)
    assert model_name(Path("folder") / file) == name


@pytest.mark.parametrize("name", ["Qwen2.5-Coder-0.5B", "Qwen2.5-Coder-0.5B-Instruct", ".5b-instruct", "v1.0"])
def test_a_folder_keeps_its_dots(name: str) -> None:
    assert model_name(Path("Qwen") / name) == name
    assert model_name(Path("Qwen") / name / ".") == name


#: Names as a hostile index or header may hold them.
hostile = st.builds("".join, st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=8))


@given(hostile)
@example("../outside/canary.safetensors")
@example("..\\outside")
@example("C:canary")
@example("/etc/passwd")
@example("con")
@example("COM1.safetensors")
@example("\ud800")
@example("x" * 256)
@example("")
def test_a_name_is_a_file_of_the_folder_or_it_is_refused(name: str) -> None:
    folder = Path("folder")
    path = inside(folder, name)
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    if path is not None:
        assert path.parent == folder and path.name == name
        assert posix.parts == (name,) and windows.parts == (name,) and not windows.drive
        assert len(os.fsencode(name)) <= 255
    if name in ("", ".", "..") or "\x00" in name or len(posix.parts) != 1 or len(windows.parts) != 1:
        assert path is None


# What is opened is observed from inside the interpreter, so that a file which is read and thrown away is seen too.
_opened: list[str] | None = None


def _observe(event: str, arguments: tuple[object, ...]) -> None:
    if _opened is not None and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        _opened.append(os.path.realpath(os.fsdecode(arguments[0])))


@pytest.fixture(scope="module")
def observer() -> None:
    sys.addaudithook(_observe)


@contextlib.contextmanager
def opened_files() -> Iterator[list[str]]:
    global _opened  # noqa: PLW0603 -- an audit hook cannot be taken away again, only be told to look elsewhere
    _opened = []
    try:
        yield _opened
    finally:
        _opened = None


def assert_nothing_outside(folder: Path, opened: list[str]) -> None:
    own = [path for path in opened if Path(path).is_relative_to(folder.parent)]
    assert own, "the observer sees what the program opens"
    assert [path for path in own if not Path(path).is_relative_to(folder)] == []


@contextlib.contextmanager
def model_beside_a_canary() -> Iterator[tuple[Path, Path]]:
    """(folder of a model, file outside of it): both are models, so that only the path tells them apart."""
    with tempfile.TemporaryDirectory() as root:
        home = Path(os.path.realpath(root))
        folder, outside = home / "model", home / "outside"
        folder.mkdir()
        outside.mkdir()
        yield folder, write_file(outside / "canary.safetensors", {"canary": X})


@settings(max_examples=60, deadline=None)
@given(shard=hostile)
@example(shard="../outside/canary.safetensors")
@example(shard="./../outside/canary.safetensors")
@example(shard="..\\outside\\canary.safetensors")
@example(shard="<absolute>")
@example(shard="\x00")
def test_no_name_in_an_index_makes_the_program_open_a_file_outside(observer: None, shard: str) -> None:
    with model_beside_a_canary() as (folder, canary):
        own = "model-00001-of-00001.safetensors"
        write_set(folder, {own: {"a": X}})
        named = str(canary) if shard == "<absolute>" else shard
        write_set(folder, {own: {"a": X}}, weight_map={"a": own, "canary": named.encode(errors="replace").decode()})
        with opened_files() as opened:
            artifact = open_artifact(folder)
        assert_nothing_outside(folder, opened)
        assert "canary" not in artifact.tensors
        refused = {c.measure for topic, c in artifact.ledger.violations if topic == "shards"}
        assert refused & {"shard_name_plain", "shard_present"}, "the name is refused, or names a file that is not there"


@pytest.mark.parametrize("target", ["../outside/canary.safetensors", "<absolute>", "hop"])
@pytest.mark.parametrize("indexed", [True, False], ids=["named by an index", "found in the folder"])
def test_a_link_that_leaves_the_folder_is_not_followed(observer: None, target: str, indexed: bool) -> None:
    with model_beside_a_canary() as (folder, canary):
        link = folder / "model-00002-of-00002.safetensors"
        if target == "hop":
            (folder / "hop").symlink_to("../outside")
            target = "hop/canary.safetensors"
        link.symlink_to(str(canary) if target == "<absolute>" else target)
        own = "model-00001-of-00002.safetensors"
        if indexed:
            write_set(folder, {own: {"a": X}}, weight_map={"a": own, "canary": link.name})
        else:
            write_file(folder / own, {"a": X})
        with opened_files() as opened:
            artifact = open_artifact(folder)
        assert_nothing_outside(folder, opened)
        assert list(artifact.tensors) == ["a"]
        (comparison,) = [c for _, c in artifact.ledger.violations if c.measure == "shard_name_plain"]
        assert comparison.place.file == link.name
        assert comparison.observed == f"a link to {canary}"


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"]
)
def test_a_sidecar_that_is_a_link_out_of_the_folder_is_not_read(observer: None, name: str) -> None:
    with model_beside_a_canary() as (folder, canary):
        write_file(folder / "model.safetensors", {"a": X})
        (folder / name).symlink_to(canary)
        with opened_files() as opened:
            artifact = open_artifact(folder)
        assert_nothing_outside(folder, opened)
        assert artifact.sidecars == {}
        assert any(note.startswith(name) and "link" in note for note in artifact.notes)


@settings(max_examples=40, deadline=None)
@given(name=hostile)
@example(name="../outside/canary.safetensors")
def test_no_tensor_name_makes_the_program_open_a_file_outside(observer: None, name: str) -> None:
    with model_beside_a_canary() as (folder, _):
        text = name.encode(errors="replace").decode()
        write_file(folder / "model.safetensors", {text: X})
        with opened_files() as opened:
            artifact = open_artifact(folder)
        assert_nothing_outside(folder, opened)
        assert {tensor.file for tensor in artifact.tensors.values()} <= {folder / "model.safetensors"}


def test_a_snapshot_may_link_into_the_blobs_of_its_own_repository_and_of_no_other(tmp_path: Path) -> None:
    for repository in ("models--a--b", "models--c--d"):
        (tmp_path / repository / "blobs").mkdir(parents=True)
        (tmp_path / repository / "blobs" / "1").write_bytes(b"")
    snapshot = tmp_path / "models--a--b" / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (snapshot / "own").symlink_to("../../blobs/1")
    (snapshot / "other").symlink_to("../../../models--c--d/blobs/1")
    (snapshot / "refs").symlink_to("../../refs")
    assert [stays_in(snapshot, snapshot / name) for name in ("own", "other", "refs")] == [True, False, False]
