"""Owns the numba engine: where compiled kernels are kept, what is compiled for a pass, and the calls of the kernels."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from model_contracts import door
from model_contracts.dtypes import DTYPES
from model_contracts.sweep.kernels import decode_numpy
from model_contracts.sweep.kernels import totals as at
from model_contracts.sweep.kernels.decode_numpy import Decoder
from model_contracts.sweep.kernels.reduce_numpy import NumpyEngine
from model_contracts.sweep.kernels.totals import CHUNK_VALUES, Bytes, Floats, SideScratch, Values

#: Types that are decoded here; others are decoded in numpy and reduced here.
COMPILED = frozenset(
    {"BF16", "F16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"}
    | {"IQ4_NL", "IQ4_XS", "APR_Q4", "APR_Q8"}
)
#: The kernels that are no decoders: of decoded values, of pairs, of BF16 and F16 as stored.
MOMENTS, PAIR, HALVES = "moments", "pair", "halves"
_SOURCES = ("bits_numba", "reduce_numba", "pairs_numba", "halves_numba", "decode_numba", "decode_tables", "totals")


class NumbaEngine:
    """Decodes and reduces in compiled loops. `prepare` must have compiled what a pass needs."""

    name: Literal["numba", "numpy"] = "numba"
    stored_values = CHUNK_VALUES
    sub_values = 128 * 1024

    def __init__(self) -> None:
        self.turn: AbstractContextManager[Any] = nullcontext()
        self._code = _code()
        self._numpy = NumpyEngine()

    def decoder(self, name: str, scale: np.float32 | None = None) -> Decoder | None:
        """The decoder of a type: compiled, or numpy's."""
        code = self._code.decode
        if name in ("BF16", "F16"):
            return _flat(code.bf16 if name == "BF16" else code.f16)
        if name == "APR_Q8":
            return _one_scale(code.apr_q8, scale if scale is not None else np.float32(1))
        return code.BLOCKS.get(name) or decode_numpy.decoder(name, scale)

    def stored(self, name: str) -> bool:
        """Whether moments of a type are taken from its stored bits."""
        return name in ("BF16", "F16")

    def moments_stored(self, name: str, raw: Values, shape: tuple[int, int], side: SideScratch) -> int:
        """Add a piece in its stored form."""
        bits = raw.view(np.uint16)
        return int(
            self._code.halves.moments_half(
                bits, bits.view(np.int16), *shape, name == "BF16", side.totals, side.flags, side.values
            )
        )

    def moments(self, values: Values, side: SideScratch) -> int:
        """Add a piece of decoded values, [rows, columns]."""
        if values.dtype != np.float32:
            return self._numpy.moments(values, side)
        flat = values.reshape(-1)
        unsigned = flat.view(np.uint32)
        return int(
            self._code.reduce.moments(flat, unsigned, flat.view(np.int32), *values.shape, side.totals, side.flags)
        )

    def pair(
        self, target: Values, source: Values, sides: tuple[SideScratch, SideScratch], into: Floats, cosines: Floats
    ) -> tuple[int, int]:
        """Add a piece of pairs, [rows, columns] each; rows of `into` count from this piece."""
        if target.dtype != np.float32 or source.dtype != np.float32:
            return self._numpy.pair(target, source, sides, into, cosines)
        a, b = target.reshape(-1), source.reshape(-1)
        bits = (a.view(np.uint32), a.view(np.int32), b.view(np.uint32), b.view(np.int32))
        ours, theirs = sides
        flagged: tuple[int, int] = self._code.pairs.pair(
            a, b, bits, *target.shape, (ours.totals, theirs.totals), (ours.flags, theirs.flags), into, cosines
        )
        return flagged

    def prepare(self, kernels: Iterable[str]) -> None:
        """Compile, or load, the kernels of a pass; says so on stderr where something has to be compiled."""
        wanted = list(kernels)
        missing = [name for name in wanted if not _marker(name).exists()]
        if missing:
            sys.stderr.write("compiling kernels once for this machine\n")
            sys.stderr.flush()
        for name in wanted:
            self._call(name)
        for name in missing:
            _marker(name).touch()

    def _call(self, name: str) -> None:
        """Call a kernel with a few values of the types that a pass calls it with."""
        side = SideScratch(np.zeros(at.TILE, np.float32), at.side(), np.zeros(1, np.uint8))
        values = np.zeros((1, 32), np.float32)
        if name == MOMENTS:
            self.moments(values, side)
        elif name == HALVES:
            self.moments_stored("BF16", np.zeros(2, np.uint8), (1, 1), side)
        elif name == PAIR:
            other = SideScratch(side.values, at.side(), np.zeros(1, np.uint8))
            self.pair(values, values, (side, other), at.pair(), np.zeros(1))
        elif (decode := self.decoder(name)) is not None:
            dtype = DTYPES[name]
            decode(np.zeros((1, dtype.block_bytes), np.uint8), np.zeros((1, dtype.block), np.float32))


def _flat(kernel: Callable[..., None]) -> Decoder:
    def decode(blocks: Bytes, out: Values) -> None:
        kernel(blocks.reshape(-1).view(np.uint16), out.reshape(-1))

    return decode


def _one_scale(kernel: Callable[..., None], scale: np.float32) -> Decoder:
    def decode(blocks: Bytes, out: Values) -> None:
        kernel(blocks.reshape(-1).view(np.int8), scale, out.reshape(-1))

    return decode


@cache
def _code() -> Any:
    """The modules of compiled kernels, imported with numba's cache in our folder. Raises ImportError without numba."""
    import numba

    config: Any = numba.config
    theirs, config.CACHE_DIR = config.CACHE_DIR, str(_folder())
    try:
        from model_contracts.sweep.kernels import decode_numba, halves_numba, pairs_numba, reduce_numba
    finally:
        config.CACHE_DIR = theirs
    return SimpleNamespace(decode=decode_numba, halves=halves_numba, reduce=reduce_numba, pairs=pairs_numba)


@cache
def _folder() -> Path:
    """The folder of compiled kernels: the user's cache, or, where that cannot be written, one for this process."""
    import numba
    from platformdirs import user_cache_dir

    digest = hashlib.sha256(f"{numba.__version__} {np.__version__} {sys.version} {_processor()}".encode())
    for name in _SOURCES:
        door.fed(Path(__file__).with_name(f"{name}.py"), digest)
    folder = Path(user_cache_dir("model-contracts")) / f"kernels-{digest.hexdigest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        private = tempfile.mkdtemp(prefix="model-contracts-kernels-")
        atexit.register(shutil.rmtree, private, ignore_errors=True)
        return Path(private)


def _processor() -> str:
    from llvmlite import binding

    return f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}"


def are_compiled(kernels: Iterable[str]) -> bool:
    """Whether each of these kernels was compiled before. Imports numba."""
    return all(_marker(name).exists() for name in kernels)


def compiled() -> tuple[Path, tuple[str, ...]]:
    """Where kernels are kept, and which were compiled before. Imports numba."""
    kept = _folder()
    return kept, tuple(sorted(path.name.removesuffix(".compiled") for path in kept.glob("*.compiled")))


def kernels_of(stored: Iterable[str], decoded: Iterable[str], pairs: bool) -> list[str]:
    """Names of the kernels that types need: reduced as stored where that is possible, or decoded."""
    halves = {name for name in stored if name in ("BF16", "F16")}
    types = [*(name for name in stored if name not in halves), *decoded]
    kernels = [name for name in dict.fromkeys(types) if name in COMPILED]
    return [*kernels, *([HALVES] if halves else []), *([MOMENTS] if types else []), *([PAIR] if pairs else [])]


def _marker(name: str) -> Path:
    return _folder() / f"{name}.compiled"
