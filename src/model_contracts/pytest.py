"""Owns what a test suite takes from here: `assert_kept`, and a fixture that checks a model once for all tests of a run.

pytest loads it at every start, wherever the package is installed: nothing else of the package is imported before a test
asks for it.
"""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from model_contracts.api import Checked, Contract


def assert_kept(
    path: str | PathLike[str],
    *,
    against: str | PathLike[str] | None = None,
    contract: Contract | str | PathLike[str] | None = None,
    **options: Any,
) -> Checked:
    """Fail the test unless a model keeps its contract; the text of the failure is the report of the command.

    `options` are those of `model_contracts.check`. What is not proven fails too: nothing uncompared is green.
    """
    __tracebackhide__ = True
    from model_contracts import check

    return _told(check(path, against=against, contract=contract, **options).finish())


def _told(checked: Checked) -> Checked:
    __tracebackhide__ = True
    if not checked.kept:
        pytest.fail(checked.report(), pytrace=False)
    return checked


class ModelContracts:
    """Checks of one run of pytest: an artifact that two tests hold to the same is checked once."""

    def __init__(self, evidence: Path | None = None) -> None:
        self._checked: dict[str, Checked] = {}
        self._evidence = evidence

    def check(self, path: str | PathLike[str], **options: Any) -> Checked:
        """What `model_contracts.check` concludes; with `--contracts-evidence DIR` it is kept there."""
        key = repr((fspath(path), sorted((name, str(value)) for name, value in options.items())))
        if key not in self._checked:
            from model_contracts import check

            self._checked[key] = check(path, **options).finish()
            if self._evidence is not None:
                self._checked[key].write(self._evidence / f"{len(self._checked):03}-{Path(path).name}")
        return self._checked[key]

    def assert_kept(self, path: str | PathLike[str], **options: Any) -> Checked:
        """As `assert_kept`, once for all tests that ask the same."""
        __tracebackhide__ = True
        return _told(self.check(path, **options))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--contracts-evidence`."""
    group = parser.getgroup("model-contracts")
    group.addoption("--contracts-evidence", metavar="DIR", help="keep the evidence of checks of models, a folder each")


@pytest.fixture(scope="session")
def model_contracts(pytestconfig: pytest.Config) -> ModelContracts:
    """Checks of models that tests share: `model_contracts.assert_kept(path, against=…)`."""
    folder = pytestconfig.getoption("--contracts-evidence")
    return ModelContracts(Path(folder) if folder else None)
