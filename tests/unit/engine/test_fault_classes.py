"""The class of an outcome comes from its invariant's definition and from what was compared."""

from __future__ import annotations

import pytest

from model_contracts.definitions import known_ids, load_invariant
from model_contracts.engine.classes import class_of
from model_contracts.outcome import Verdict
from support.outcomes import comparison


def of(name, *seen):
    """The class at the first gate of an invariant."""
    invariant = load_invariant(name)
    return class_of(invariant.gates[0], invariant, *seen)


@pytest.mark.parametrize(
    ("invariant", "measure", "note", "expected"),
    [
        ("container/well-formed", "magic", None, "corrupt"),
        ("container/well-formed", "data_size", None, "incomplete"),
        ("container/well-formed", "tokenizer_json", None, "tokenizer"),
        ("tensor/label", "tensor_type", None, "mislabelled"),
        ("I-4-statistics-preserved", "relative_rmse", None, "corrupt"),
        ("I-4-statistics-preserved", "relative_rmse", "Q/K row order explains it: 0.001", "wrong transform"),
        ("config/integrity", "num_layers", None, "configuration"),
        ("golden-rule", "runtime_answers", None, "environment"),
        ("golden-rule", "mean_divergence", None, "wrong transform"),
    ],
)
def test_what_does_not_hold(invariant, measure, note, expected):
    seen = (comparison(False, measure=measure, note=note),)
    assert of(invariant, Verdict.FALSIFIED, None, seen) == expected


@pytest.mark.parametrize(
    ("verdict", "cause", "expected"),
    [
        (Verdict.CORROBORATED, None, None),
        (Verdict.SKIPPED, "not_owed", None),
        (Verdict.SKIPPED, "missing_input", "environment"),
        (Verdict.SKIPPED, "unreadable", "corrupt"),
        (Verdict.SKIPPED, "plugin_failed", "environment"),
        (Verdict.SKIPPED, "incomplete", "unknown"),
        (Verdict.CRASHED, None, "environment"),
        (Verdict.ERROR, None, "environment"),
    ],
)
def test_what_was_not_compared(verdict, cause, expected):
    assert of("golden-rule", verdict, cause, ()) == expected


def test_every_shipped_invariant_says_its_class():
    unsaid = [name for name in known_ids("invariant") if "fault" not in load_invariant(name).model_fields_set]
    assert unsaid == []


def test_a_gate_may_have_a_class_of_its_own():
    invariant = load_invariant("recorded")
    seen = (comparison(False, measure="anything"),)
    classes = [class_of(gate, invariant, Verdict.FALSIFIED, None, seen) for gate in invariant.gates]
    assert classes == ["mislabelled", "corrupt", "configuration", "tokenizer"]
