"""The odd one out of a release: what is told alike is told once."""

from __future__ import annotations

from model_contracts.outcome import ArtifactRecord
from model_contracts.reporters.odd import odd_ones


def told(*facts):
    records = [
        ArtifactRecord(name=f"m{at}", path=f"/m/m{at}.gguf", format="gguf", layout="file", files=(), facts=own)
        for at, own in enumerate(facts)
    ]
    return list(odd_ones(records))


def test_facts_that_a_file_lacks_are_one_sentence():
    whole = {"template": "sha256:1", "tool.a": "1", "tool.b": "2"}
    assert told(whole, whole, {"template": "sha256:1"}) == [
        "m2.gguf is the odd one out: no tool.a, tool.b (the 2 others have them)"
    ]
    assert told(whole, whole, {**whole, "tool.a": "7", "tool.b": "7"}) == [
        "m2.gguf is the odd one out: tool.a is 7, and 1 of the 2 others; tool.b is 7, and 2 of the 2 others"
    ]
    assert told(whole, whole, {**whole, "tool.a": "none"}) == [
        "m2.gguf is the odd one out: no tool.a (the 2 others have one)"
    ]
