"""Owns `contracts golden`: records what a model answers, so that others can be held to it without its weights."""

from __future__ import annotations

import argparse
from pathlib import Path

from model_contracts.cli.numbers import SEEDS, Between
from model_contracts.terminal import safe


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        "Runs MODEL on generated prompts in every framing and stores prompts, token ids and the likeliest tokens after "
        "each position; `contracts check TARGET --golden FILE` holds another file to them."
    )
    parser.add_argument("action", choices=("record",), help="record: run a model and keep its answers")
    parser.add_argument("model", metavar="MODEL", type=Path, help="a model file, a shard index or a folder")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="the golden file")
    parser.add_argument("--force", action="store_true", help="replace a golden file that exists")
    parser.add_argument("--prompts", type=Between(1, 200), default=8, metavar="N", help="of each framing (8)")
    parser.add_argument("--top", type=Between(1, 4096), default=64, metavar="K", help="tokens a position (64)")
    parser.add_argument("--seed", type=Between(0, SEEDS), default=0, metavar="N", help="seed of the prompts (0)")


def run(arguments: argparse.Namespace) -> int:
    """0; what cannot be recorded, read or written is said in one line (2)."""
    from model_contracts.engine.golden_files import record, refuse_existing, write

    refuse_existing(arguments.output, force=arguments.force)
    golden = record(arguments.model, arguments.prompts, arguments.top, arguments.seed)
    write(arguments.output, golden, force=arguments.force)
    positions = sum(prompt.answers.positions for prompt in golden.prompts)
    print(
        f"{safe(str(arguments.output))}: {len(golden.prompts)} prompts, {positions:,} positions, "
        f"{golden.top} of {golden.vocabulary:,} tokens each, on {golden.runtime}, seed {golden.seed}"
    )
    return 0
