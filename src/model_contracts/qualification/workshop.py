"""Owns the workshop of a qualification: the source, what the converter under test makes of it, the runtimes.

Each artifact is made once, whoever asks for it; each runtime holds as few artifacts as the gates allow.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Examination, missing_input
from model_contracts.engine.fingerprints import file_digest
from model_contracts.engine.plan import CheckRequest, plan
from model_contracts.engine.run import examination_of, examine
from model_contracts.formats.opening import open_artifact
from model_contracts.inference.sessions import Sessions
from model_contracts.outcome import Cause, Evidence
from model_contracts.qualification import causes, products
from model_contracts.qualification.chains import Chain
from model_contracts.qualification.matrix import Settled
from model_contracts.qualification.products import Product
from model_contracts.runtimes import runtime
from model_contracts.runtimes.interface import Limits, WholeRows
from model_contracts.system.processes import free_memory

if TYPE_CHECKING:
    from model_contracts.qualification.answered import ProbeAnswer, Timings
    from model_contracts.runtimes.session.session import ChildSession


#: Free bytes that an artifact of one byte is given.
_TIMES = 4


@dataclass
class Benches(Sessions):
    """Sessions that are few: a runtime holds one artifact, and its process is used again for the next.

    Loading an artifact where another was costs a tenth of a new process. A pair on one runtime takes two, and where
    there is room both stay until another artifact is asked for: the source is held against the next format too.
    """

    def get(self, path: Path, name: str) -> WholeRows:
        """See Sessions."""
        key = (path, name)
        if key not in self._open:
            # What another runtime holds has been asked. Where there is no room beside it, it goes; where there is, its
            # process takes its next artifact in a tenth of the time that a new one takes.
            for other in [other for other in self._open if other[1] != name and not _room_for(path)]:
                self._open.pop(other).close()
        held = [other for other in self._open if other[1] == name and other != key]
        for other in held[1:] if key not in self._open else [] if _room_for(path) else held:
            self._open.pop(other).close()
        if key in self._open or not held:
            return super().get(path, name)
        session = cast("ChildSession", self._open.pop(held[0]))
        try:
            session.reopen(path)
        except BaseException:
            session.close()
            raise
        self._open[key] = cast("WholeRows", session)
        return self._open[key]

    def both(self, first: tuple[Path, str], second: tuple[Path, str]) -> tuple[WholeRows, WholeRows]:
        """See Sessions."""
        if first == second:
            return self.get(*first), self.get(*second)
        if first[1] != second[1]:
            source = self.get(*first)
            for other in [other for other in self._open if other[1] == first[1] and other != first]:
                self._open.pop(other).close()
            return source, self._open.get(second) or Sessions.get(self, *second)
        found = [self._open.get(key) or Sessions.get(self, *key) for key in (first, second)]
        return found[0], found[1]

    def drop(self, path: Path) -> None:
        """End the sessions of an artifact."""
        for key in [key for key in self._open if key[0] == path]:
            self._open.pop(key).close()


def _room_for(path: Path) -> bool:
    """Whether memory is free for an artifact as float32 of 16-bit weights, twice."""
    try:
        files = [path] if path.is_file() else [file for file in path.iterdir() if file.is_file()]
        return free_memory() > _TIMES * sum(file.stat().st_size for file in files)
    except OSError:
        return False


@dataclass
class Workshop:
    """What the gates of one qualification share."""

    settled: Settled
    source: Artifact
    #: `DIR/workspace`.
    root: Path
    workers: int = 1
    sessions: Benches = field(init=False)
    #: What each artifact made of the probes, by its content; and its timings: asked once.
    answered: dict[tuple[str, ...], dict[str, ProbeAnswer]] = field(default_factory=dict)
    timings: dict[Chain, Timings] = field(default_factory=dict)
    #: Keys of causes that were seen on an artifact that nothing is wrong with.
    blamed: set[str] = field(default_factory=set)
    _products: dict[Chain, Future[Product]] = field(default_factory=dict)
    _examined: dict[Chain, Product] = field(default_factory=dict)
    _contents: dict[Chain, tuple[str, ...]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _pool: ThreadPoolExecutor | None = None

    def __post_init__(self) -> None:
        limits = self.settled.limits
        self.sessions = Benches(Limits(limits.answer_seconds, limits.start_seconds, limits.memory_mb))
        if self.workers > 1:
            self._pool = ThreadPoolExecutor(self.workers - 1, "prepares")

    def prepare(self, chains: Iterable[Chain]) -> None:
        """Have artifacts made in the background, where there are workers for it."""
        if self._pool is not None:
            for chain in chains:
                self._pool.submit(self.product, chain)

    def product(self, chain: Chain) -> Product:
        """What a chain of conversions ends in; made when first asked for. Of the source: itself."""
        with self._lock:
            future = self._products.get(chain)
            mine = future is None
            if future is None:
                future = self._products[chain] = Future()
        if mine:
            try:
                future.set_result(self._made(chain))
            except BaseException as error:
                future.set_exception(error)
        return future.result()

    def held(self, chain: Chain) -> Product:
        """A product with what its examination against the artifact before it saw; examined when first asked for.

        What stands in the middle of a chain is only examined where the end of the chain is not what it should be.
        """
        if chain not in self._examined:
            product, before = self.product(chain), self.product(chain[:-1]).artifact if len(chain) > 1 else None
            if product.artifact is not None and before is not None:
                product = products.hold(self.settled, product.artifact, before, chain)
            self._examined[chain] = product
        return self._examined[chain]

    def known(self, chain: Chain) -> Product | None:
        """A product, if it has been made; with its examination, if it has been examined."""
        if len(chain) == 1:
            return self.product(chain)
        if chain in self._examined:
            return self._examined[chain]
        future = self._products.get(chain)
        return future.result() if future is not None and future.done() and not future.exception() else None

    @cached_property
    def examination(self) -> Examination:
        """The source alone, with what its checks share."""
        return examination_of(self._request, self.source, None, None)

    @cached_property
    def examined(self) -> Evidence:
        """What the source owes by itself."""
        return tuple(examine(plan(self._request, self.source.path), self.examination, self._request))

    @property
    def _request(self) -> CheckRequest:
        return CheckRequest(paths=(self.source.path,), contract="default")

    def artifact(self, chain: Chain) -> Artifact:
        """The artifact at the end of a chain; raises Skip where there is none, or none before it."""
        product = self.product(chain)
        if product.artifact is None:
            reason = product.failure.reason if product.failure is not None else "it was not made"
            raise missing_input(f"there is no {'>'.join(chain)}: {reason}")
        return product.artifact

    def content(self, chain: Chain) -> tuple[str, ...]:
        """What an artifact is made of: digests of its weights and of what lies beside them, in order.

        Artifacts of one content answer alike, and are asked once.
        """
        if chain not in self._contents:
            artifact = self.artifact(chain)
            files = [*artifact.files, *(sidecar.path for _, sidecar in sorted(artifact.sidecars.items()))]
            self._contents[chain] = tuple(self._digest(chain, path) for path in files)
        return self._contents[chain]

    def _digest(self, chain: Chain, path: Path) -> str:
        """The digest of a file, from the examination where that has read it."""
        known = self._examined.get(chain)
        examination = self.examination if len(chain) == 1 else known.examination if known is not None else None
        swept = examination.swept if examination is not None else None
        return (swept.digests.get(path) if swept is not None else None) or file_digest(path)

    def causes(self, chain: Chain) -> tuple[Cause, ...]:
        """What went wrong on the way to an artifact, the first conversion first."""
        return causes.merged(*(self.held(chain[:end]).causes for end in range(2, len(chain) + 1)))

    def session(self, chain: Chain) -> ChildSession:
        """The artifact on the runtime of its format. Raises Skip where there is none, RuntimeFailure where it fails."""
        return cast("ChildSession", self.sessions.get(self.artifact(chain).path, self.runtime(chain)))

    def runtime(self, chain: Chain) -> str:
        """The name of the runtime that runs what a chain ends in; raises Skip where the system has none."""
        name = self.settled.system.runtimes.get(chain[-1])
        if name is None:
            raise missing_input(f"{self.settled.system.title} runs no {chain[-1]}")
        return name

    def available(self, chain: Chain) -> None:
        """Raises NotInstalled where the runtime of a format is not there."""
        here = runtime(self.runtime(chain)).installed()
        if not here.available:
            raise missing_input(f"{here.runtime} is not installed: {here.how_to_get}")

    def release(self, chain: Chain) -> None:
        """Take away an artifact that no gate will look at; one that shows a cause stays for whoever reproduces it."""
        future = self._products.get(chain)
        if len(chain) < 2 or future is None or not future.done() or future.exception() is not None:
            return
        product = future.result()
        below = (self.known(other) for other in list(self._products) if other[:-1] == chain)
        caused = any(each is not None and each.causes for each in (self.known(chain), *below))
        if product.artifact is None or caused:
            return
        self.sessions.drop(product.artifact.path)
        path = product.artifact.path
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def close(self) -> None:
        """End every runtime and every worker."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self.sessions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _made(self, chain: Chain) -> Product:
        if len(chain) == 1:
            return Product(chain, self.source)
        before = self.product(chain[:-1])
        if before.artifact is None:
            return Product(chain, None, failure=before.failure)
        target = products.place(self.root, self.settled, chain)
        if target.exists():  # an earlier run was ended after it was published whole
            return Product(chain, open_artifact(target))
        return products.make(self.settled, before.artifact, chain, target)
