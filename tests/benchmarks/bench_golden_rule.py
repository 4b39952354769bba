"""The golden rule on a model of 0.5B: BF16 safetensors against its Q8_0 GGUF, against loading both and 1,024 tokens."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
from timing import Row

from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check

GATE = "F-GOLDEN-RULE-001"
TOKENS = 1024


def rows(model: Path, runs: int) -> Iterator[Row]:
    """Seconds to a verdict at 99 %, against opening both runtimes once and evaluating 1,024 tokens on each."""
    missing = [name for name in ("torch", "transformers", "tokenizers", "xllamacpp") if find_spec(name) is None]
    if missing:
        print(f"skip the golden rule: {', '.join(missing)} is not installed", file=sys.stderr)
        return
    target = model.parent / f"{model.name}-Q8_0.gguf"
    if not target.exists():
        convert(model, target)
    evaluate(model, target)  # both files are in the page cache
    theirs = evaluate(model, target)
    begun = time.perf_counter()
    (outcome,), _ = check(CheckRequest((target,), against=model, contract="inference", only=(GATE,)))
    ours = time.perf_counter() - begun
    if outcome.outcome != "Corroborated":
        raise RuntimeError(f"{GATE}: {outcome.outcome}: {outcome.reason}")
    yield Row("golden rule of 0.5B, BF16 against Q8_0", "load both, 1,024 tokens on each", ours, theirs, 2, "at most")


def convert(model: Path, target: Path) -> None:
    """Its Q8_0 GGUF, by our own converter."""
    from model_contracts.cli.main import main

    if main(["convert", str(model), str(target), "--dtype", "Q8_0"]):
        raise RuntimeError(f"{model.name} was not converted")


def evaluate(model: Path, target: Path) -> float:
    """Seconds to open each in its runtime, and to have whole rows of 1,024 random tokens, and nothing else."""
    from model_contracts.runtimes import runtime
    from model_contracts.runtimes.interface import Limits, WholeRows

    begun = time.perf_counter()
    ids = np.random.default_rng(0).integers(0, 150_000, TOKENS).tolist()
    for path, name in ((model, "transformers"), (target, "llamacpp")):
        with runtime(name).open(path, Limits()) as session:
            for _ in cast("WholeRows", session).rows(ids):
                continue
    return time.perf_counter() - begun
