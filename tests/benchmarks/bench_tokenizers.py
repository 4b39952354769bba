"""Tokenizer parity of a vocabulary of 150,000: generated texts, encoded by two engines, shrink and all."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from timing import Row

from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check

GATE = "F-CONTRACT-I5-008"
#: Texts a minute.
OWED = 20_000
TEXTS = 10_000


def rows(model: Path, runs: int) -> Iterator[Row]:
    """Seconds for TEXTS generated texts, opening of both tokenizers and every word included, against what is owed."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "vocabulary.gguf"
        write_gguf(model, target)
        request = CheckRequest((target,), against=model, contract="inference", only=(GATE,), max_examples=TEXTS)
        begun = time.perf_counter()
        (outcome,), _ = check(request)
        seconds = time.perf_counter() - begun
    if outcome.outcome != "Corroborated":
        raise RuntimeError(f"{GATE}: {outcome.outcome}: {outcome.reason}")
    minute, owed = 60 * outcome.compared / seconds, 60 * outcome.compared / OWED
    yield Row(f"tokenizer parity, {minute:,.0f} texts a minute", f"{OWED:,} a minute", seconds, owed, 1, "at most")


def write_gguf(model: Path, path: Path) -> None:
    """A GGUF that carries the tokenizer of a folder, and a tensor."""
    import json

    import numpy as np
    from gguf import GGUFWriter

    document = json.loads((model / "tokenizer.json").read_text("utf-8"))
    tokens = {at: token for token, at in document["model"]["vocab"].items()}
    added = {token["id"]: token["content"] for token in document["added_tokens"]}
    size = max(*tokens, *added) + 1
    words = [added.get(at) or tokens.get(at) or f"[PAD{at}]" for at in range(size)]
    writer = GGUFWriter(path, "qwen2")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(words)
    writer.add_token_types([3 if at in added else 1 for at in range(size)])
    writer.add_token_merges([" ".join(merge) for merge in document["model"]["merges"]])
    writer.add_tensor("output_norm.weight", np.ones(32, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
