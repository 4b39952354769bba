"""A step of a family left out, done twice or for other heads is Falsified, and named by its alternative hypothesis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cases.gates import VALUES
from model_contracts.anatomy.families.conventions import Conventions
from model_contracts.definitions import load_families
from model_contracts.family import Family
from model_contracts.layout import stored as leaves
from model_contracts.layout import substitute
from support.examining import yielded
from support.family_faults import Fault, faults
from support.family_files import value_of
from support.made_pairs import MadePair

FAMILIES = {family.id: family for family in load_families() if not family.abstract}
#: Another head count than any of the made-up pairs; and tensors of which a run fits the alternatives.
OTHER_HEADS, AT_ONCE = 8, 8
Run = dict[str, tuple[Fault, np.ndarray]]


def wrong(pair: MadePair, fault: Fault, honest: dict[str, np.ndarray]) -> tuple[str, np.ndarray] | None:
    """The first tensor of the GGUF that the fault changes, and what it then holds; None where it changes none."""
    ours, known = (pair.side(convention, fault.family) for convention in ("gguf", "huggingface"))
    for name, values in honest.items():
        entry = ours.entry(name)
        if entry is None or fault.key not in ours.keys(entry):
            continue
        found = value_of(over_source(ours, known, name), pair.stored).reshape(values.shape)
        if not np.array_equal(found, values):
            return name, found
    return None


def over_source(ours: Conventions, known: Conventions, name: str):
    """A tensor of the GGUF over those of the folder."""
    entry = ours.entry(name)
    assert entry is not None
    whole = ours.stored(entry)
    logical = {key.replace("{n}", str(entry.layer)): key for key in ours.keys(entry)}
    weights = {leaf.name: known.expression(logical[leaf.name], entry.layer) for leaf in leaves(whole)}
    return substitute(whole, weights)


def runs(
    pair: MadePair, family: Family, honest: dict[str, np.ndarray]
) -> Iterator[dict[str, tuple[Fault, np.ndarray]]]:
    """Faults of tensors that one file can have at once."""
    waiting: list[dict[str, tuple[Fault, np.ndarray]]] = []
    for fault in faults(family, OTHER_HEADS):
        made = wrong(pair, fault, honest)
        if made is None:
            continue
        room = next((run for run in waiting if made[0] not in run and len(run) < AT_ONCE), None)
        if room is None:
            waiting.append(room := {})
        room[made[0]] = fault, made[1]
    yield from waiting


@pytest.mark.parametrize("family", FAMILIES)
def test_each_fault_of_a_family_is_named(family: str, tmp_path: Path) -> None:
    """The honest pair is quiet; of a wrong one each wrong tensor is named, and no other."""
    if not FAMILIES[family].gguf:
        pytest.skip("llama.cpp has no word for it")
    pair = MadePair(FAMILIES[family])
    honest, source = pair.tensors("gguf"), pair.folder(tmp_path / "source")
    comparisons, gaps = yielded(VALUES, pair.gguf(tmp_path / "honest.gguf"), source)
    assert {one.place.tensor for one in comparisons} == honest.keys()
    assert ([one for one in comparisons if not one.holds], gaps) == ([], [])
    for number, run in enumerate(runs(pair, FAMILIES[family], honest)):
        target = pair.gguf(tmp_path / f"{number}.gguf", {name: values for name, (_, values) in run.items()})
        comparisons, _ = yielded(VALUES, target, source)
        notes: dict[str | None, str] = {}
        for one in comparisons:
            if not one.holds:
                notes[one.place.tensor] = f"{notes.get(one.place.tensor, '')} {one.note}"
        assert notes.keys() == run.keys()
        for name, (fault, _) in run.items():
            assert "explains it: relative RMSE" in notes[name], (fault.title, notes[name])
            assert fault.words in notes[name], (fault.title, notes[name])
