"""A short run of every fuzz target; `make fuzz` runs them for as long as is asked."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from fuzz.__main__ import fuzzed
from fuzz.engines import spoilt
from fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_no_spoilt_file_ends_as_the_checkers_own_failure(name: str) -> None:
    @settings(
        database=None, deadline=None, max_examples=8, derandomize=True, suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    @given(spoilt(TARGETS[name]))
    def run(data: bytes) -> None:
        TARGETS[name](data)

    run()


@pytest.mark.parametrize("name", TARGETS)
def test_the_whole_file_and_those_that_once_failed_are_read(name: str) -> None:
    for data in TARGETS[name].corpus():
        TARGETS[name](data)


def test_a_run_tells_executions_and_keeps_no_file_where_nothing_failed(tmp_path: Path) -> None:
    executions, failures = fuzzed("pooling", 2.0, tmp_path)
    assert executions > 0
    assert (failures, list(tmp_path.iterdir())) == ({}, [])
