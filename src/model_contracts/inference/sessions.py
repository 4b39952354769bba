"""Owns the sessions of a run: one an artifact and runtime, opened when first asked for, all ended together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from model_contracts.artifact import Artifact
from model_contracts.runtimes import runtime
from model_contracts.runtimes.interface import Limits, LogProbabilities, WholeRows
from model_contracts.runtimes.text.encoders import Purpose, TextSession


def own_runtime(artifact: Artifact) -> str:
    """The runtime that people run a format with, of those that are ours."""
    return artifact.form.runtime


def rows_of_both(
    target: WholeRows, source: WholeRows, tokens: Sequence[int], start: int = 0
) -> Iterator[tuple[LogProbabilities, LogProbabilities]]:
    """Pieces of rows of both sides; of one session that stands for both, which answers one question at a time, once."""
    if target is source:
        yield from ((rows, rows) for rows in source.rows(tokens, start=start))
        return
    yield from zip(target.rows(tokens, start=start), source.rows(tokens, start=start), strict=True)


@dataclass
class Sessions:
    """Open sessions by path and runtime."""

    limits: Limits = field(default_factory=Limits)
    _open: dict[tuple[Path, str], WholeRows] = field(default_factory=dict)
    _texts: dict[tuple[Path, Path | None, Purpose, str | None], TextSession] = field(default_factory=dict)

    def get(self, path: Path, name: str) -> WholeRows:
        """The session of an artifact on a runtime; raises RuntimeFailure where it cannot be opened."""
        if (path, name) not in self._open:
            self._open[path, name] = cast("WholeRows", runtime(name).open(path, self.limits))
        return self._open[path, name]

    def both(self, first: tuple[Path, str], second: tuple[Path, str]) -> tuple[WholeRows, WholeRows]:
        """Two sessions as `get` gives them, opened at the same time; a failure of the first comes first."""
        if first != second and not {first, second} & self._open.keys():
            with ThreadPoolExecutor(2) as pool:
                opening = [pool.submit(self.get, *wanted) for wanted in (first, second)]
            for one in opening:
                one.result()
        return self.get(*first), self.get(*second)

    def texts(self, artifact: Artifact, purpose: Purpose, limits: Limits, pre: str | None = None) -> TextSession:
        """The session that encodes or renders with an artifact's tokenizer or template; raises RuntimeFailure."""
        origin = artifact.tokenizer.origin if artifact.tokenizer is not None else None
        key = (artifact.path, origin, purpose, pre)
        if key not in self._texts:
            self._texts[key] = TextSession(artifact, purpose, limits, pre)
        return self._texts[key]

    def close(self) -> None:
        """End every child process."""
        while self._texts:
            self._texts.popitem()[1].close()
        while self._open:
            self._open.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
