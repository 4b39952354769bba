"""The plan of a qualification: which gates, in which order, and why others are left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_contracts.definitions import DefinitionError, load
from model_contracts.engine.plan import UsageError
from model_contracts.playbook import Playbook
from model_contracts.qualification.matrix import settle
from model_contracts.qualification.plan import Planned, plan
from support.qualifying import playbook


def planned(folder: Path, only: tuple[str, ...] = (), skip: tuple[str, ...] = (), **changes: object) -> Planned:
    """The plan of the small playbook with other keys, of a safetensors source."""
    book = load(Playbook, playbook(folder, **changes))
    return plan(settle(book, "safetensors", system=None, gpu=False, folder=folder), only, skip)


def gates(made: Planned) -> list[str]:
    return [step.gate.id for step in made.steps]


def test_only_keeps_what_its_patterns_match_and_says_so_of_the_rest(tmp_path: Path) -> None:
    made = planned(tmp_path, ("G0-*", "F-CONV-S-G"))
    assert {"G0-PULL-001", "G0-VALIDATE-001", "F-CONV-S-G"} <= set(gates(made))
    assert all(gate.startswith("G0-") or gate == "F-CONV-S-G" for gate in gates(made))
    assert made.not_evaluated["F-A1-001"] == "left out by --only"


def test_skip_takes_away_what_its_patterns_match(tmp_path: Path) -> None:
    made = planned(tmp_path, skip=("F-*",))
    assert gates(made) and all(gate.startswith("G0-") for gate in gates(made))
    assert made.not_evaluated["F-CONV-S-G"] == "left out by --skip"


@pytest.mark.parametrize("words", [{"only": ("G0-NONE",)}, {"skip": ("F-A9*",)}, {"gates": [{"gates": ["F-ZZ-*"]}]}])
def test_a_pattern_that_no_gate_matches_is_refused_by_name(words: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"(G0-NONE|F-A9\*|F-ZZ-\*): no gate has that id"):
        planned(tmp_path, **words)  # type: ignore[arg-type]


def test_a_gate_that_the_playbook_leaves_out_is_told_with_its_reason(tmp_path: Path) -> None:
    choice = {"gates": ["F-CONV-RT-*"], "force": "left-out", "reason": "round trips are another team's"}
    made = planned(tmp_path, gates=[choice])
    assert made.not_evaluated["F-CONV-RT-001"] == "round trips are another team's"
    assert "F-CONV-RT-001" not in gates(made) and "F-CONV-S-G" in gates(made)


def test_a_playbooks_own_choice_decides_the_force_of_a_gate(tmp_path: Path) -> None:
    made = planned(tmp_path, gates=[{"gates": ["F-PERF-001"], "force": "must"}])
    forces = {step.gate.id: step.force for step in made.steps}
    assert forces["F-PERF-001"] == "must" and forces["F-PERF-002"] == "should"


@pytest.mark.parametrize("named", ["/etc/passwd", "../golden.json", "linked.json", "a\0b"])
def test_a_golden_file_outside_the_playbooks_folder_is_refused_unread(named: str, tmp_path: Path) -> None:
    (tmp_path / "book").mkdir()
    (tmp_path / "golden.json").write_text("{}")
    (tmp_path / "book" / "linked.json").symlink_to(tmp_path / "golden.json")
    oracle = {"oracle": "expected_tokens", "golden": named}
    with pytest.raises(DefinitionError, match=r"playbook\.yaml:11: expected a file in the playbook's folder"):
        planned(tmp_path / "book", oracles=[oracle])


def test_a_golden_file_of_the_playbooks_folder_is_taken_from_there(tmp_path: Path) -> None:
    oracle = {"oracle": "expected_tokens", "golden": "golden.json"}
    book = load(Playbook, playbook(tmp_path, oracles=[oracle]))
    settled = settle(book, "safetensors", system=None, gpu=False, folder=tmp_path)
    assert settled.oracles[0].golden == str(tmp_path / "golden.json")


def test_gates_without_a_format_or_modality_of_the_playbook_say_that(tmp_path: Path) -> None:
    made = planned(tmp_path, formats=["gguf"], modalities=["run"], backends=["cpu"])
    why = "the playbook names nothing that it is about"
    assert {made.not_evaluated[gate] for gate in ("F-A2-001", "F-A3-001", "F-CONV-S-A", "F-CONV-RT-004")} == {why}
    assert {step.scenario.format for step in made.steps if step.gate.id == "F-A1-001"} == {"safetensors", "gguf"}


def test_the_source_comes_first_and_each_format_is_written_before_it_is_looked_at(tmp_path: Path) -> None:
    made = planned(tmp_path)
    assert gates(made)[0] == "G0-PULL-001"
    seen: set[tuple[str, ...]] = set()
    for step in made.steps:
        long = [chain for chain in step.chains if len(chain) == 2]
        if step.gate.check != "format_written":
            # A format that a gate looks at alone was written by the gate that asks for it.
            assert not (len(long) == len(step.chains) == 1) or long[0] in seen, step.key
        seen.update(long)
    lengths = [max(map(len, step.chains)) for step in made.steps if step.chains]
    assert lengths == sorted(lengths)
    assert len({step.key for step in made.steps}) == len(made.steps)


def test_an_unknown_oracle_is_told_by_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"playbook\.yaml:\d+.*expected one of .*garbage.*'gibberish'"):
        planned(tmp_path, oracles=[{"oracle": "gibberish"}])


def test_an_oracles_parameter_that_it_does_not_take_is_told_by_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"playbook\.yaml:\d+"):
        planned(tmp_path, oracles=[{"oracle": "garbage", "parameters": {"colour": 1}}])


def test_files_that_a_system_names_are_found_from_its_own_folder(tmp_path: Path) -> None:
    from support.systems_fake import system

    place = system(tmp_path / "system", converter="q4", runtime="banner")
    book = load(Playbook, playbook(tmp_path))
    settled = settle(book, "safetensors", system=str(place), gpu=False, folder=tmp_path)
    assert settled.system.converter == str(tmp_path / "system" / "converter.yaml")
    assert set(settled.system.runtimes.values()) == {str(tmp_path / "system" / "runtime.yaml")}
