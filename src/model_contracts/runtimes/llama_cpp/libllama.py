"""Owns libllama's C interface as the `xllamacpp` wheel carries it: load, tokenize, evaluate whole rows of logits.

Structures are passed by value without their layout: a block larger than any of them is filled by llama.cpp's own
defaults, and the few fields that are set are found by the values those defaults have. Where they are not as expected,
nothing is loaded: a wrong offset would be a wrong answer.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from model_contracts.runtimes.interface import Refused
from model_contracts.system.cores import cores

_I32, _U32, _F32, _PTR, _BOOL, _TEXT = (
    ctypes.c_int32,
    ctypes.c_uint32,
    ctypes.c_float,
    ctypes.c_void_p,
    ctypes.c_bool,
    ctypes.c_char_p,
)


class _Params(ctypes.Structure):
    _fields_ = (("words", _I32 * 128),)


class _Batch(ctypes.Structure):
    """llama_batch, with room behind it."""

    _fields_ = (
        ("count", _I32),
        ("tokens", ctypes.POINTER(_I32)),
        ("embeddings", _PTR),
        ("positions", ctypes.POINTER(_I32)),
        ("sequences", ctypes.POINTER(_I32)),
        ("sequence", ctypes.POINTER(ctypes.POINTER(_I32))),
        ("wanted", ctypes.POINTER(ctypes.c_int8)),
        ("room", ctypes.c_uint64 * 8),
    )


_IDS = ctypes.POINTER(_I32)
#: Name: what it gives, what it takes.
_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "llama_backend_init": (None, ()),
    "llama_model_default_params": (_Params, ()),
    "llama_context_default_params": (_Params, ()),
    "llama_model_load_from_file": (_PTR, (_TEXT, _Params)),
    "llama_model_free": (None, (_PTR,)),
    "llama_model_get_vocab": (_PTR, (_PTR,)),
    "llama_model_n_ctx_train": (_I32, (_PTR,)),
    "llama_init_from_model": (_PTR, (_PTR, _Params)),
    "llama_free": (None, (_PTR,)),
    "llama_n_ctx": (_U32, (_PTR,)),
    "llama_n_batch": (_U32, (_PTR,)),
    "llama_n_ubatch": (_U32, (_PTR,)),
    "llama_set_n_threads": (None, (_PTR, _I32, _I32)),
    "llama_get_memory": (_PTR, (_PTR,)),
    "llama_memory_clear": (None, (_PTR, _BOOL)),
    "llama_batch_init": (_Batch, (_I32, _I32, _I32)),
    "llama_batch_free": (None, (_Batch,)),
    "llama_decode": (_I32, (_PTR, _Batch)),
    "llama_get_logits_ith": (ctypes.POINTER(_F32), (_PTR, _I32)),
    "llama_vocab_n_tokens": (_I32, (_PTR,)),
    "llama_vocab_is_eog": (_BOOL, (_PTR, _I32)),
    "llama_tokenize": (_I32, (_PTR, _TEXT, _I32, _IDS, _I32, _BOOL, _BOOL)),
    "llama_detokenize": (_I32, (_PTR, _IDS, _I32, _TEXT, _I32, _BOOL, _BOOL)),
}
#: llama_context_params in words of four bytes: sizes, flash attention, the types of the K and V caches.
_N_CTX, _N_BATCH, _N_UBATCH, _FLASH, _TYPE_K, _TYPE_V = 0, 1, 2, 13, 26, 27
_DEFAULTS = {0: 512, 1: 2048, 2: 512, 3: 1, 10: -1, 11: -1, 12: -1, 13: -1, 26: 1, 27: 1}
_OFF, _F32_CACHE = 0, 0
_LARGEST_BATCH = 512


def library() -> Path | None:
    """The shared library inside the installed wheel; None where there is none."""
    spec = find_spec("xllamacpp")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = sorted(path for path in Path(folder).iterdir() if path.name.startswith("xllamacpp.") and path.is_file())
        for path in found:
            if path.name.endswith((".so", ".pyd", ".dylib")):
                return path
    return None


def _bound() -> Any:
    path = library()
    if path is None:
        raise Refused("the wheel of xllamacpp holds no library")
    native = ctypes.CDLL(str(path))
    for name, (gives, takes) in _FUNCTIONS.items():
        function = getattr(native, name, None)
        if function is None:
            raise Refused(f"this version of xllamacpp does not give {name}")
        function.restype, function.argtypes = gives, list(takes)
    words = native.llama_context_default_params().words
    if any(words[place] != value for place, value in _DEFAULTS.items()):
        raise Refused("this version of xllamacpp lays its parameters out in a way that is not known here")
    return native


class LlamaModel:
    """One GGUF, loaded. K and V are kept in float32 and attention is computed plainly, so that only weights differ."""

    def __init__(self, path: Path) -> None:
        self._native = _bound()
        self._native.llama_backend_init()
        self._model = self._native.llama_model_load_from_file(
            os.fsencode(path), self._native.llama_model_default_params()
        )
        if not self._model:
            raise Refused(f"llama.cpp does not load {path.name}")
        self._vocab = self._native.llama_model_get_vocab(self._model)
        self.vocabulary = int(self._native.llama_vocab_n_tokens(self._vocab))
        self.context = int(self._native.llama_model_n_ctx_train(self._model))
        self._state: Any = None
        self._batch: Any = None
        self._positions = self._batch_size = 0

    def tokens(self, text: str, add_special: bool) -> list[int]:
        """Token ids; added tokens in the text are taken as such."""
        data = text.encode()
        room = len(data) + 16
        while True:
            ids = (_I32 * room)()
            count = self._native.llama_tokenize(self._vocab, data, len(data), ids, room, add_special, True)
            if count >= 0:
                return list(ids[:count])
            if -count <= room:
                raise Refused("llama.cpp does not tokenize the text")
            room = -count

    def text(self, tokens: Sequence[int]) -> str:
        """The text of ids, special tokens included."""
        ids = (_I32 * len(tokens))(*tokens)
        room = 16 * len(tokens) + 64
        while True:
            data = ctypes.create_string_buffer(room)
            count = self._native.llama_detokenize(self._vocab, ids, len(tokens), data, room, False, True)
            if count >= 0:
                return data.raw[:count].decode("utf-8", "replace")
            room = max(-count, room + 1)

    def ends(self, token: int) -> bool:
        """Whether a token ends the text."""
        return bool(self._native.llama_vocab_is_eog(self._vocab, token))

    def begin(self, positions: int, batch: int) -> None:
        """An empty context with room for this many positions, evaluated `batch` at a time at most."""
        batch = max(1, min(batch, _LARGEST_BATCH))
        if self._state is None or self._positions < positions or self._batch_size != batch:
            self._renew(positions, batch)
        self._native.llama_memory_clear(self._native.llama_get_memory(self._state), True)

    def evaluate(self, tokens: Sequence[int], position: int, first_wanted: int = 0) -> Iterator[Any]:
        """Logits float32 [vocabulary] after tokens[first_wanted:], which stand at `position` and behind it."""
        for start in range(0, len(tokens), self._batch_size):
            piece = tokens[start : start + self._batch_size]
            batch = self._batch
            batch.count = len(piece)
            for at, token in enumerate(piece):
                batch.tokens[at], batch.positions[at] = token, position + start + at
                batch.sequences[at], batch.sequence[at][0] = 1, 0
                batch.wanted[at] = start + at >= first_wanted
            code = self._native.llama_decode(self._state, batch)
            if code:
                raise Refused(f"llama.cpp does not evaluate {len(piece)} tokens at {position + start} (code {code})")
            for at in range(max(first_wanted - start, 0), len(piece)):
                row = self._native.llama_get_logits_ith(self._state, at)
                yield np.ctypeslib.as_array(row, (self.vocabulary,))

    def _renew(self, positions: int, batch: int) -> None:
        native = self._native
        if self._state is not None:
            native.llama_batch_free(self._batch)
            native.llama_free(self._state)
        self._positions = max(512, 1 << (positions - 1).bit_length())
        self._batch_size = batch
        params = native.llama_context_default_params()
        words = params.words
        words[_N_CTX], words[_N_BATCH], words[_N_UBATCH] = self._positions, batch, batch
        words[_FLASH], words[_TYPE_K], words[_TYPE_V] = _OFF, _F32_CACHE, _F32_CACHE
        self._state = native.llama_init_from_model(self._model, params)
        if not self._state:
            raise Refused(f"llama.cpp gives no context of {self._positions:,} positions")
        took = (native.llama_n_ctx(self._state), native.llama_n_batch(self._state), native.llama_n_ubatch(self._state))
        if took[0] < self._positions or took[1:] != (batch, batch):
            raise Refused(f"llama.cpp took {took} for a context of {self._positions:,} in batches of {batch}")
        threads = cores()
        native.llama_set_n_threads(self._state, threads, threads)
        self._batch = native.llama_batch_init(batch, 0, 1)
