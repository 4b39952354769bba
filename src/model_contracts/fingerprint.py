"""Owns fingerprints of what does not hold: from invariant, logical place and content, never an offset."""

from __future__ import annotations

import json
from hashlib import sha256

from model_contracts.outcome import Comparison, Outcome


def place_of(outcome: Outcome, comparison: Comparison | None) -> str:
    """32 hex digits: the same while one thing fails at one gate, whatever the numbers and the file's name are."""
    return _digest(*_gate(outcome), *_place(comparison))


def content_of(outcome: Outcome, comparison: Comparison | None) -> str:
    """32 hex digits: the same while one thing fails at one gate with the same numbers."""
    seen = (comparison.expected, comparison.observed) if comparison is not None else (outcome.outcome.value,)
    return _digest(*_gate(outcome), *_place(comparison), *seen)


def _gate(outcome: Outcome) -> tuple[object, ...]:
    scenario = outcome.scenario
    role = (scenario.format, scenario.modality, scenario.backend, scenario.chain) if scenario is not None else ()
    return outcome.invariant, outcome.gate_id, role


def _place(comparison: Comparison | None) -> tuple[object, ...]:
    if comparison is None:
        return ()
    place = comparison.place
    return comparison.measure, place.tensor, place.key, place.row, place.token


def _digest(*parts: object) -> str:
    # Evidence that was read again has Infinity and NaN as text: without quotes they are the same.
    text = json.dumps(parts, ensure_ascii=True, sort_keys=True, default=str).replace('"', "")
    return sha256(text.encode()).hexdigest()[:32]
