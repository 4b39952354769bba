"""What happens inside one process: the pass over the bytes, pair measures, opening a header."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import bench_kernels
from timing import Row, side_by_side

from model_contracts.formats.gguf import read_gguf
from model_contracts.formats.source import FileBytes


def rows(model: Path, runs: int) -> Iterator[Row]:
    """The pass against `cat` and against torch, pairs against gguf-py, a header against gguf-py's reader."""
    label, ours, theirs = bench_kernels.moments_against_cat(model, runs)
    yield Row(f"{label}, 988 MB BF16", "cat of the same cached file", ours, theirs, 2.5, "at most")
    try:
        label, ours, theirs = bench_kernels.moments_against_torch(model, max(1, runs // 2))
        yield Row("moments of all tensors", "safetensors.torch load_file + float()", ours, theirs, 10, "at least")
    except ImportError as error:
        print(f"skip  moments against torch: {error}")
    for dtype in ("Q4_K", "Q6_K", "Q8_0"):
        label, ours, theirs = bench_kernels.pair_against_gguf(dtype, max(1, runs // 2))
        yield Row(label, "gguf-py dequantize + the same measures", ours, theirs, 10, "at least")
    yield _header()


def _header() -> Row:
    """A header with 151,936 tokens. gguf-py takes half a minute, so that it is timed once."""
    from gguf import GGUFReader

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocabulary.gguf"
        _write_header(path)

        def ours() -> None:
            with FileBytes(path) as source:
                container = read_gguf(source)
            assert len(container.metadata["tokenizer.ggml.tokens"]) == 151_936

        mine, theirs = side_by_side(ours, lambda: GGUFReader(path), runs=1, warm_up=False)
    return Row("open a GGUF header, 151,936 tokens", "gguf-py GGUFReader", mine, theirs, 50, "at least")


def _write_header(path: Path) -> None:
    from gguf import GGUFWriter

    writer = GGUFWriter(path, "qwen2")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"token_{n}" for n in range(151_936)])
    writer.add_token_merges([f"to ken_{n}" for n in range(151_387)])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
