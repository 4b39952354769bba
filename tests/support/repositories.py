"""Scratch Git repositories, with no configuration of whoever runs the tests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
}  # fmt: skip


def git(folder: Path, *words: str) -> str:
    """What Git prints; the test fails where it does."""
    return subprocess.run(
        ["git", *words], cwd=folder, env=os.environ | GIT, capture_output=True, text=True, check=True
    ).stdout


def repository(folder: Path) -> Path:
    """An empty one, whose branch is `main`."""
    if subprocess.run(["git", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("Git is not installed")
    folder.mkdir(exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main", ".")
    return folder


def commit(folder: Path, message: str = "a change") -> None:
    """All that lies there."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--no-verify", "--message", message)


def pointer(digest: str, size: int) -> str:
    """What Git LFS keeps in place of a file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {size}\n"
