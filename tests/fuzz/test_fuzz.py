"""A short run of every fuzz target; `make fuzz` runs them for as long as is asked."""

from random import Random

import pytest

from fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_no_spoilt_file_ends_as_the_checkers_own_failure(name: str) -> None:
    for seed in range(8):
        TARGETS[name](Random(seed))
