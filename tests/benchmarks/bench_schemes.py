"""Packed weights decoded and compared with BF16, against the library's own formula in torch and the same measures."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bench_memory import peak_of
from timing import Row, side_by_side

from model_contracts.artifact import Packed, Tensor
from model_contracts.sweep.interface import Pairing, SweepRequest
from model_contracts.sweep.schemes.float4 import E2M1
from model_contracts.sweep.sweep import sweep

#: Sides of a matrix, and how many of them.
SIDE, MATRICES = 4096, 4
_TYPES = {"uint8": "U8", "int32": "I32", "float16": "F16", "float32": "F32", "uint16": "BF16", "uint32": "U32"}
Parts = dict[str, Any]
#: What dequantises parts as the library does on a CPU, given torch and the parts as its tensors.
Formula = Callable[[Any, Mapping[str, Any]], Any]


def rows(model: Path, runs: int) -> Iterator[Row]:
    """Layouts of most published files, then the plan of a large sharded set."""
    with tempfile.TemporaryDirectory(dir=model.parent) as folder:
        for words, decoder, settings, parts, formula in _layouts():
            request = _request(Path(folder), decoder, settings, parts)
            theirs = partial(_theirs, parts, formula, _source(0))
            ours, other = side_by_side(partial(_passed, request), theirs, max(1, runs // 2))
            work = f"{words} decoded and compared with BF16, {MATRICES} x {SIDE} x {SIDE}"
            yield Row(work, "the library's formula in torch + the same measures in numpy", ours, other, 10, "at least")
        yield from _planned(Path(folder))


def _layouts() -> Iterator[tuple[str, str, Mapping[str, Any], Parts, Formula]]:
    random = np.random.default_rng(3)

    def bits(*shape: int, kind: Any = np.int32) -> Any:
        return random.integers(0, 1 << 32, shape, np.uint32).astype(np.uint32).view(kind)

    def scales(*shape: int) -> Any:
        return (random.random(shape) / 64 + 1e-3).astype(np.float16)

    codes = random.integers(0, 126, (SIDE, SIDE), np.uint8)
    grid = (random.random((SIDE // 128, SIDE // 128)) / 64).astype(np.float32)
    yield "FP8 blocks", "scaled", {"rows": 128, "columns": 128}, {"values": codes, "scale": grid}, _fp8
    groups = SIDE // 128
    awq = {"values": bits(SIDE, SIDE // 8), "zero": bits(groups, SIDE // 8), "scale": scales(groups, SIDE)}
    yield "AWQ", "awq", {"bits": 4, "group": 128}, awq, _awq
    gptq = {"values": bits(SIDE // 8, SIDE), "zero": bits(groups, SIDE // 8), "scale": scales(groups, SIDE)}
    settings = {"bits": 4, "group": 128, "format": "gptq", "method": "gptq"}
    yield "GPTQ, 4 bits", "gptq", settings, gptq, _gptq
    table = np.sort(random.standard_normal(16)).astype(np.float32)
    largest = (random.random(SIDE * SIDE // 64) / 16).astype(np.float32)
    nf4 = {"values": bits(SIDE * SIDE // 8, kind=np.uint8), "scale": largest, "codebook": table}
    yield "NF4", "bitsandbytes", {"blocksize": 64, "nested": False, "type": "nf4"}, nf4, _nf4
    mxfp4 = {
        "values": bits(SIDE, SIDE // 8, kind=np.uint8),
        "scale": random.integers(110, 125, (SIDE, SIDE // 32), np.uint8),
    }
    yield "MXFP4", "float4", {"bits": 4, "group": 32}, mxfp4, _mxfp4
    mlx = {
        "values": bits(SIDE, SIDE // 8, kind=np.uint32),
        "scale": scales(SIDE, SIDE // 64),
        "offset": scales(SIDE, SIDE // 64),
    }
    yield "MLX, 4 bits", "mlx", {"bits": 4, "group": 64}, mlx, _mlx


def _nibbles(torch: Any, words: Any) -> Any:
    """Eight fields of each word, behind each other along the last axis."""
    shifts = torch.arange(0, 32, 4, dtype=torch.int32)
    return ((words[..., None] >> shifts) & 15).flatten(-2)


def _fp8(torch: Any, parts: Mapping[str, Any]) -> Any:
    grid = parts["scale"].repeat_interleave(128, 0).repeat_interleave(128, 1)
    return parts["values"].view(torch.float8_e4m3fn).float() * grid


def _awq(torch: Any, parts: Mapping[str, Any]) -> Any:
    def fields(words: Any) -> Any:
        order = torch.tensor([0, 4, 1, 5, 2, 6, 3, 7])
        return _nibbles(torch, words).unflatten(-1, (-1, 8))[..., order].flatten(-2)

    zero, scale = fields(parts["zero"]), parts["scale"].float()
    values = fields(parts["values"]) - zero.repeat_interleave(128, 0)
    return (values * scale.repeat_interleave(128, 0)).T


def _gptq(torch: Any, parts: Mapping[str, Any]) -> Any:
    values = _nibbles(torch, parts["values"].T).T
    zero = (_nibbles(torch, parts["zero"]) + 1) & 15
    group = torch.arange(SIDE) // 128
    return (parts["scale"].float()[group] * (values - zero[group])).T


def _nf4(torch: Any, parts: Mapping[str, Any]) -> Any:
    raw = parts["values"].flatten()
    codes = torch.stack([raw >> 4, raw & 15], dim=-1).flatten().long()
    return (parts["codebook"][codes].view(-1, 64) * parts["scale"][:, None]).view(SIDE, SIDE)


def _mxfp4(torch: Any, parts: Mapping[str, Any]) -> Any:
    table = torch.from_numpy(E2M1)
    codes = torch.stack([parts["values"] & 15, parts["values"] >> 4], dim=-1).flatten(-2).long()
    exponents = parts["scale"].int() - 127
    return torch.ldexp(table[codes].view(SIDE, -1, 32), exponents[..., None]).view(SIDE, SIDE)


def _mlx(torch: Any, parts: Mapping[str, Any]) -> Any:
    fields = _nibbles(torch, parts["values"].view(torch.int32)).view(SIDE, -1, 64)
    return (fields * parts["scale"].float()[..., None] + parts["offset"].float()[..., None]).view(SIDE, SIDE)


def _source(seed: int) -> Any:
    values = np.random.default_rng(seed).standard_normal((SIDE, SIDE), np.float32)
    return (values.view(np.uint32) >> 16).astype(np.uint16)


def _request(folder: Path, decoder: str, settings: Mapping[str, Any], parts: Parts) -> SweepRequest:
    """The matrices, packed and in BF16, one file each."""
    source, path = folder / "source", folder / "packed"
    arrays = {role: np.ascontiguousarray(array) for role, array in parts.items()}
    with path.open("wb") as file:
        for array in arrays.values():
            array.tofile(file)
    _source(0).tofile(source)
    tensors, pairings = [], {}
    for number in range(MATRICES):
        at, roles = 0, []
        for role, array in arrays.items():
            eight = role == "values" and decoder == "scaled"
            dtype = "F8_E4M3" if eight else _TYPES[array.dtype.name]
            roles.append((role, Tensor(f"{number}.{role}", dtype, array.shape, path, at, array.nbytes)))
            at += array.nbytes
        stored = tuple(tensor for _, tensor in roles)
        how = Packed("x", stored, decoder=decoder, roles=tuple(roles), settings=tuple(sorted(settings.items())))
        ours = Tensor(f"t{number}", stored[0].dtype, (SIDE, SIDE), path, 0, at, packed=how)
        theirs = Tensor(f"s{number}", "BF16", (SIDE, SIDE), source, 0, 2 * SIDE * SIDE)
        tensors.append(ours)
        pairings[ours.name] = Pairing(ours, theirs)
    return SweepRequest(tensors, pairings)


def _passed(request: SweepRequest) -> None:
    seen = sweep(request, engine="numba")
    assert not seen.problems and not seen.uncompared and len(seen.pairs) == MATRICES


def _theirs(parts: Parts, formula: Formula, source: Any) -> None:
    import torch

    held = {role: torch.from_numpy(np.ascontiguousarray(array)) for role, array in parts.items()}
    for _ in range(MATRICES):
        target = formula(torch, held).numpy()
        _measures(target, (source.astype(np.uint32) << 16).view(np.float32))


def _measures(a: Any, b: Any) -> tuple[float, ...]:
    """What the pass takes of both sides and of their difference."""
    error = a - b
    relative = float(np.sqrt(np.mean(error**2) / np.mean(b**2)))
    cosines = np.sum(a * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    gain = float(np.mean((a - a.mean()) * (b - b.mean())) / np.var(b))
    statistics = [float(f(side)) for side in (a, b) for f in (np.mean, np.std, np.min, np.max)]
    return relative, float(cosines.min()), gain, float(np.abs(error).max()), *statistics


def _planned(folder: Path) -> Iterator[Row]:
    """Headers of 100 GB of FP8 in 163 shards, read and planned: no value is looked at."""
    model = _sharded(folder / "sharded")
    code = (
        "import sys, time; from pathlib import Path; start = time.perf_counter()\n"
        "from model_contracts.formats.opening import open_artifact\n"
        "from model_contracts.anatomy.view import View\n"
        "from model_contracts.definitions import load_families\n"
        "view = View(open_artifact(Path(sys.argv[1])), load_families())\n"
        "assert len(view.storage.weights) > 40_000\n"
        "print(time.perf_counter() - start)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(model)], capture_output=True, text=True, check=True)
    yield Row("plan 100 GB of FP8 in 163 shards from headers", "2 s", float(done.stdout), 2.0, 1.0, "at most")
    peak = peak_of([sys.executable, "-c", code, str(model)])
    yield Row("peak memory of that plan", "300 MB", peak, 300, 1.0, "at most", "MB")


def _sharded(folder: Path, shards: int = 163) -> Path:
    """A sparse folder as DeepSeek V3 is laid out: FP8 experts with their scales, and an index."""
    folder.mkdir()
    wide, inner, count = 2048, 768, 256
    config = {
        "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "num_hidden_layers": 61,
        "hidden_size": wide, "moe_intermediate_size": inner, "n_routed_experts": count, "vocab_size": 1000,
        "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic"},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    names = [
        (f"model.layers.{layer}.mlp.experts.{expert}.{part}", (wide, inner) if part == "down_proj" else (inner, wide))
        for layer in range(3, 61)
        for expert in range(count)
        for part in ("gate_proj", "up_proj", "down_proj")
    ]
    index = dict[str, str]()
    for shard in range(shards):
        header, at, file = dict[str, Any](), 0, f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        for module, shape in names[shard::shards]:
            grid = (-(-shape[0] // 128), -(-shape[1] // 128))
            for end, dtype, size, width in ((".weight", "F8_E4M3", shape, 1), (".weight_scale_inv", "F32", grid, 4)):
                stop = at + size[0] * size[1] * width
                header[module + end] = {"dtype": dtype, "shape": size, "data_offsets": [at, stop]}
                index[module + end], at = file, stop
        text = json.dumps(header).encode()
        with (folder / file).open("wb") as written:
            written.write(struct.pack("<Q", len(text)) + text)
            written.truncate(8 + len(text) + at)
    whole = {"metadata": {"total_size": 0}, "weight_map": index}
    (folder / "model.safetensors.index.json").write_text(json.dumps(whole), "utf-8")
    return folder
