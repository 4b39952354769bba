"""Owns what drives a fuzz target: atheris where it is installed, Hypothesis elsewhere; both tell the same.

atheris keeps what reached new lines of this program and spoils it further; Hypothesis draws each decision of a mutator.
"""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuzz.targets import Target

SLOW_SECONDS = 30.0
#: Compiled by numba from their bytecode, which an instrumented module no longer has.
_COMPILED = [
    "model_contracts.sweep.kernels." + name for name in ("bits", "decode", "engine", "halves", "pairs", "reduce")
]
_LONGEST = 1 << 17


class TimeUpError(BaseException):
    """The seconds of this target are over."""


@dataclass
class Told:
    """How often a target was run, and the shortest bytes for each thing that a failure said."""

    target: "Target"
    seconds: float
    at: Path
    executions: int = 0
    failures: dict[str, bytes] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def run(self, data: bytes) -> None:
        """Run the target on these bytes, which lie in `at` meanwhile: a process that dies leaves them there."""
        if self.executions and time.monotonic() - self.started > self.seconds:
            raise TimeUpError
        # Of the processor, not of a clock: what takes long beside others is no failure.
        began = time.process_time()
        self.at.write_bytes(data)
        try:
            self.target(data)
        except Exception as error:
            self._failed(f"{type(error).__name__}: {str(error)[-400:]}"[:300], data)
        if (took := time.process_time() - began) > SLOW_SECONDS:
            self._failed(f"one execution took more than {SLOW_SECONDS:.0f} s of the processor ({took:.0f} s)", data)
        self.executions += 1

    def _failed(self, said: str, data: bytes) -> None:
        if said not in self.failures or len(data) < len(self.failures[said]):
            self.failures[said] = data


def engine() -> str:
    """The name of the engine that this machine has."""
    return "atheris" if find_spec("atheris") else "hypothesis"


def run(name: str, seconds: float, at: Path, done: Callable[[Told], None]) -> None:
    """Fuzz one target in this process and call `done` once at the end; under atheris the process ends with it."""
    (_atheris if engine() == "atheris" else _hypothesis)(name, seconds, at, done)


def _atheris(name: str, seconds: float, at: Path, done: Callable[[Told], None]) -> None:
    import os

    import atheris

    with atheris.instrument_imports(include=["model_contracts"], exclude=[f"{each}_numba" for each in _COMPILED]):
        from fuzz.targets import TARGETS

        _all_imported()
        told = Told(target := TARGETS[name], seconds, at)

        def one(data: bytes) -> None:
            try:
                told.run(data)
            except TimeUpError:
                done(told)
                sys.stdout.flush()
                os._exit(0)

        def spoilt(data: bytes, most: int, seed: int) -> bytes:
            random = Random(seed)
            return (atheris.Mutate(data, most) if random.random() < 0.1 else target.spoil(data, random))[:most]

        corpus = at.parent / f"{name}.corpus"
        corpus.mkdir()
        for place, data in enumerate(target.corpus()):
            (corpus / f"{place:04}").write_bytes(data)
        words = [name, str(corpus), f"-max_len={_LONGEST}", "-timeout=0", "-rss_limit_mb=0", "-verbosity=0"]
        atheris.Setup(words, one, custom_mutator=spoilt)
        atheris.Fuzz()


def _all_imported() -> None:
    """Import this program's modules now: atheris 3.0 cannot instrument what is imported while it runs."""
    import model_contracts

    for module in walk_packages(model_contracts.__path__, "model_contracts."):
        with suppress(ImportError):  # an extra that is not installed
            import_module(module.name)


def _hypothesis(name: str, seconds: float, at: Path, done: Callable[[Told], None]) -> None:
    from hypothesis import HealthCheck, given, seed, settings

    from fuzz.targets import TARGETS

    told, start = Told(target := TARGETS[name], seconds, at), time.time_ns() % 10**9

    @settings(database=None, deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
    @given(spoilt(target))
    def one(data: bytes) -> None:
        told.run(data)

    try:
        while True:
            seed(start + told.executions)(one)()
    except TimeUpError:
        done(told)


def spoilt(target: "Target"):
    """A strategy of spoilt files of this target's corpus; each decision of its mutator is drawn, and so shrinks."""
    from hypothesis import strategies

    return strategies.builds(
        target.spoil, strategies.sampled_from(target.corpus()), strategies.randoms(use_true_random=False)
    )
