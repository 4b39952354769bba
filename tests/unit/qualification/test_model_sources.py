"""Where a model is looked for: a path, else the Hugging Face cache; only --pull goes anywhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from model_contracts.engine.plan import UsageError
from model_contracts.qualification.sources import locate

ID = "Qwen/Qwen2.5-Coder-0.5B-Instruct"


def cached(hub: Path, *commits: str, main: str | None = None, name: str = ID) -> Path:
    """A repository of a hub's cache; snapshots are older the later they are named."""
    repository = hub / f"models--{name.replace('/', '--')}"
    for at, commit in enumerate(commits):
        (repository / "snapshots" / commit).mkdir(parents=True)
        os.utime(repository / "snapshots" / commit, (1_000_000 - at, 1_000_000 - at))
    if main is not None:
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(main, "utf-8")
    return repository


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cache but the test's own."""
    for name in ("HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


@pytest.mark.parametrize(("name", "below"), [("HF_HUB_CACHE", "."), ("HF_HOME", "hub")])
def test_the_cache_is_where_the_environment_says(name: str, below: str, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv(name, str(tmp_path / "cache"))
    repository = cached(tmp_path / "cache" / below, "abc", main="abc\n")
    assert locate(None, ID, pull=False) == repository / "snapshots" / "abc"


def test_hf_hub_cache_goes_before_hf_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "a"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "b"))
    cached(tmp_path / "b" / "hub", "there")
    here = cached(tmp_path / "a", "here")
    assert locate(None, ID, pull=False) == here / "snapshots" / "here"


def test_without_either_it_is_the_users_cache(tmp_path: Path) -> None:
    repository = cached(tmp_path / "xdg" / "huggingface" / "hub", "abc")
    assert locate(None, ID, pull=False) == repository / "snapshots" / "abc"


@pytest.mark.parametrize(
    ("main", "taken"), [("old", "old"), (None, "new"), ("gone", "new"), ("../..", "new"), ("", "new"), ("/etc", "new")]
)
def test_main_points_to_the_snapshot_and_else_the_newest_is_taken(main: str | None, taken: str, tmp_path) -> None:
    repository = cached(tmp_path / "xdg" / "huggingface" / "hub", "new", "old", main=main)
    assert locate(None, ID, pull=False) == repository / "snapshots" / taken
    assert locate(repository, ID, pull=False) == repository / "snapshots" / taken


def test_a_path_is_taken_as_it_is_whatever_its_name_has(tmp_path: Path) -> None:
    for name in ("Qwen2.5-Coder-0.5B-Instruct", "model.gguf", ".5b-instruct"):
        (tmp_path / name).mkdir()
        assert locate(tmp_path / name, ID, pull=False) == tmp_path / name


def test_what_is_nowhere_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as told:
        locate(None, ID, pull=False)
    assert str(told.value) == (
        f"{ID} is not in the Hugging Face cache ({tmp_path / 'xdg' / 'huggingface' / 'hub'}): "
        "give --model-path PATH, or --pull downloads it"
    )
    with pytest.raises(UsageError, match="none: no such file or directory"):
        locate(tmp_path / "none", ID, pull=True)


def test_a_repository_without_snapshots_is_nowhere(tmp_path: Path) -> None:
    (cached(tmp_path / "xdg" / "huggingface" / "hub") / "snapshots").mkdir(parents=True)
    with pytest.raises(UsageError, match="is not in the Hugging Face cache"):
        locate(None, ID, pull=False)


@pytest.mark.parametrize("name", ["../..", "a/..", "a/b\x00", "CON/x", "a/" + "b" * 300])
def test_an_id_that_is_no_name_is_refused_before_anything_is_touched(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a model"):
        locate(None, name, pull=True)
