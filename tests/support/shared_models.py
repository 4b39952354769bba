"""Finds the real model files beside the repository; a test that needs them is skipped where they are absent."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
MODELS = SHARED / "models"
APR_FILES = SHARED / "systems" / "apr" / "files"
#: Small models that the repository itself carries.
DATA = Path(__file__).resolve().parents[1] / "data"

needs_models = pytest.mark.skipif(not MODELS.is_dir(), reason="no folder ../shared/models beside the repository")
needs_apr_files = pytest.mark.skipif(not APR_FILES.is_dir(), reason="no recorded files of apr beside the repository")


def shared(path: Path) -> Path:
    """The path itself, where it exists; skips the test that asks, with the reason, where it does not."""
    if not path.exists():
        pytest.skip(f"not beside the repository: {path.relative_to(SHARED.parent)}")
    return path
