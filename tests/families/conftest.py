"""Each family beside real files: the folders of ../shared/families, and the GGUF made from each."""

from __future__ import annotations

import pytest

from support.family_files import FOLDER, pairs


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `pair` runs once for each folder whose class a family knows."""
    if "pair" in metafunc.fixturenames:
        found = pairs()
        reason = None if FOLDER.is_dir() else "no folder ../shared/families beside the repository"
        cases = found or [pytest.param(None, marks=pytest.mark.skip(reason=reason or "no family knows a folder"))]
        metafunc.parametrize("pair", cases, ids=[pair.name for pair in found] or ["none"])
