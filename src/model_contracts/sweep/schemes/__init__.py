"""Owns how packed weights decode: one short decoder a scheme, found by the name that contracts/schemes give it."""

from __future__ import annotations

from functools import lru_cache

from model_contracts.artifact import Packed
from model_contracts.sweep.reads import Files, Undecodable
from model_contracts.sweep.schemes.awq import Awq
from model_contracts.sweep.schemes.bitsandbytes import FourBit
from model_contracts.sweep.schemes.float4 import Float4
from model_contracts.sweep.schemes.gptq import Gptq
from model_contracts.sweep.schemes.hqq import Hqq
from model_contracts.sweep.schemes.interface import Decoder, Grain, Held, Parts, PartsRefused, Value
from model_contracts.sweep.schemes.mlx import Affine
from model_contracts.sweep.schemes.nibbles import Nibbles
from model_contracts.sweep.schemes.pack_quantized import PackQuantized
from model_contracts.sweep.schemes.scaled import Scaled
from model_contracts.sweep.schemes.sparse import Sparse

__all__ = ["DECODERS", "Decoder", "PartsRefused", "grain", "opened", "order_refused"]

DECODERS: dict[str, type[Decoder]] = {
    "awq": Awq,
    "bitsandbytes": FourBit,
    "float4": Float4,
    "gptq": Gptq,
    "hqq": Hqq,
    "mlx": Affine,
    "nibbles": Nibbles,
    "pack_quantized": PackQuantized,
    "scaled": Scaled,
    "sparse": Sparse,
}


def opened(packed: Packed, shape: tuple[int, ...], files: Files) -> Decoder:
    """The decoder of a packed weight of that shape. Raises PartsRefused where its parts are not such a weight's."""
    roles = dict(packed.roles)
    held = {role: Held(tensor.dtype, tensor.shape) for role, tensor in roles.items()}
    return DECODERS[packed.decoder or ""](Parts(shape, held, dict(packed.settings), roles, files))


def order_refused(packed: Packed, shape: tuple[int, ...], files: Files) -> str | None:
    """Why the order of columns that a weight holds cannot be one; None where it can, or where it holds none.

    Raises ReadFailed.
    """
    order = getattr(opened(packed, shape, files), "order", None)
    try:
        if order is not None:
            order()
    except Undecodable as refused:
        return refused.reason
    return None


@lru_cache(4096)
def grain(
    decoder: str,
    shape: tuple[int, ...],
    held: tuple[tuple[str, str, tuple[int, ...]], ...],
    settings: tuple[tuple[str, Value], ...],
) -> Grain | str:
    """How finely parts (role, type, shape) tell values apart, or why they are not those of a weight of that shape."""
    parts = {role: Held(dtype, size) for role, dtype, size in held}
    if "values" not in parts:
        return "its values are missing"
    try:
        return DECODERS[decoder](Parts(shape, parts, dict(settings))).grain
    except PartsRefused as refused:
        return str(refused)
