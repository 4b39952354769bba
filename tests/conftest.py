"""What every test starts from: one thread for a small matrix, and tests that open one runtime kept on one worker."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from support import warm_children

# Runtimes are children of the tests and take these on. Small models gain nothing from a second thread, and threads
# that wait by spinning take the core of the other worker.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
warm_children.install()


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Tests of a file whose fixtures live as long as their module run on one worker: what these open is opened once."""
    for item in items:
        fixtures = item._fixtureinfo.name2fixturedefs.values() if isinstance(item, pytest.Function) else ()
        if any(definitions[-1].scope == "module" for definitions in fixtures):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
