"""Owns what a projector (mmproj) declares of its encoders: every layer that it counts has tensors."""

from __future__ import annotations

import re
from collections.abc import Iterator

from model_contracts.artifact import Artifact
from model_contracts.outcome import Comparison, Place, Uncompared

Seen = Iterator[Comparison | Uncompared]
#: Encoders by their keys' word and their tensors' first letter (llama.cpp, tools/mtmd/clip-impl.h).
_ENCODERS = {"vision": "v", "audio": "a"}
_MOST, _TOLD = 10_000, 8


def layers_of(artifact: Artifact) -> Seen:
    """Compare each encoder's block_count with the numbers of its tensors; more tensors than that are not read."""
    for word, letter in _ENCODERS.items():
        key = f"clip.{word}.block_count"
        declared = artifact.metadata.get(key)
        if declared is None:
            continue
        numbers, attends = set[int](), False
        for name in artifact.tensors:
            if (match := re.match(rf"{letter}\.blk\.(\d{{1,6}})\.(\w+)", name)) is not None:
                numbers.add(int(match[1]))
                attends = attends or match[2].startswith("attn_")
        if not attends and numbers:
            reason = f"the tensors of its {word} encoder are no transformer's: what it counts as a block is not known"
            yield Uncompared(place=Place(key=key), reason=reason)
            continue
        whole = isinstance(declared, int) and not isinstance(declared, bool) and 0 < declared <= _MOST
        absent = [at for at in range(declared) if at not in numbers] if whole else []
        observed = f"no tensor of layer {', '.join(map(str, absent[:_TOLD]))}" if absent else declared
        yield Comparison(
            measure="block_count",
            place=Place(file=artifact.path.name, key=key),
            expected=f"tensors {letter}.blk.N of every layer" if whole else f"a whole number of 1 to {_MOST:,}",
            observed=observed if isinstance(observed, int | str) else str(observed)[:80],
            holds=whole and not absent,
            note=f"{len(absent):,} of {declared:,} layers are missing" if absent else None,
        )
