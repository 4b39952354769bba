"""Owns the odd one out: files of one release with another template, tokenizer or declared value than most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from model_contracts.outcome import ArtifactRecord
from model_contracts.terminal import plural, safe

#: Facts of one file that are told; the rest is counted.
_TOLD = 5


def odd_ones(records: Sequence[ArtifactRecord]) -> Iterator[str]:
    """A sentence for each file that differs from most of the others; nothing where fewer than three can be compared."""
    peers: dict[tuple[str, str], list[ArtifactRecord]] = {}
    for record in records:
        if record.facts:
            peers.setdefault((record.release, record.format), []).append(record)
    for group in peers.values():
        if len(group) > 2:
            yield from _odd(group)


def _odd(group: Sequence[ArtifactRecord]) -> Iterator[str]:
    said: dict[str, list[str]] = {}
    for fact in dict.fromkeys(fact for record in group for fact in record.facts):
        most, many = Counter(record.facts.get(fact, "none") for record in group).most_common(1)[0]
        if 2 * many <= len(group):
            continue
        for record in group:
            if (own := record.facts.get(fact, "none")) != most:
                said.setdefault(record.path, []).append(_differs(fact, own, most, many))
    for path, facts in said.items():
        more = f"; and {plural(len(facts) - _TOLD, 'fact')} more" if len(facts) > _TOLD else ""
        yield f"{safe(PurePath(path).name)} is the odd one out: {'; '.join(facts[:_TOLD])}{more}"


def _differs(fact: str, own: str, most: str, many: int) -> str:
    name, others = safe(fact), f"the {many} others"
    if own == "none":
        return f"no {name} ({others} have one)"
    if most == "none":
        return f"a {name} ({others} have none)"
    if own.startswith("sha256:") or most.startswith("sha256:"):
        return f"another {name} than {others}"
    return f"{name} is {safe(own)}, and {safe(most)} of {others}"
