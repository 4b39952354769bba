"""The workshop: each artifact is made once, failures stop what the playbook says they stop, workers change nothing."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from model_contracts.definitions import load
from model_contracts.formats.opening import open_artifact
from model_contracts.inference import sessions
from model_contracts.outcome import Evidence, Run
from model_contracts.playbook import Playbook
from model_contracts.qualification import products, workshop
from model_contracts.qualification.matrix import settle
from model_contracts.qualification.request import QualifyRequest
from model_contracts.qualification.run import qualify
from model_contracts.qualification.workshop import Benches, Workshop
from support.qualifying import QWEN2, playbook, stands
from support.systems_fake import system

CHAINS = (("safetensors", "gguf"), ("safetensors", "apr"), ("safetensors", "gguf", "apr"))
FILES = ("G0-FORMAT-*", "F-CONV-CARD-001", "F-CONV-NAME-001", "F-CONV-RT-BYTE-001")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The chains that were converted, in order."""
    seen: list[str] = []
    make = products.make

    def told(settled: Any, before: Any, chain: Any, target: Path, **asked: Any) -> Any:
        seen.append(">".join(chain))
        return make(settled, before, chain, target, **asked)

    monkeypatch.setattr(products, "make", told)
    return seen


def run(folder: Path, only: tuple[str, ...] = FILES, workers: int = 1, **changes: Any) -> tuple[Evidence, Run]:
    """A qualification in this process."""
    folder.mkdir(exist_ok=True)
    place = playbook(folder / "book", **changes)
    request = QualifyRequest(
        load(Playbook, place), str(place), QWEN2, folder / "out", gpu=False, workers=workers, only=only
    )
    return qualify(request)


def failing(folder: Path, failure: str, only: tuple[str, ...]) -> tuple[Evidence, Run]:
    """The same on a model that is not the one that the playbook expects."""
    model = {"id": "tests/tiny-qwen2", "expected": {"hidden_size": 512}}
    return run(folder, only, model=model, failure=failure)


def test_each_artifact_is_made_once_whoever_asks(made: list[str], tmp_path: Path) -> None:
    outcomes, record = run(tmp_path)
    assert record.decision.exit_code == 0 and len(outcomes) == 5
    assert sorted(made) == sorted(set(made)) and {"safetensors>gguf", "safetensors>apr"} < set(made)


def test_two_who_ask_at_once_are_given_one_artifact(made: list[str], tmp_path: Path) -> None:
    book = load(Playbook, playbook(tmp_path / "book"))
    settled = settle(book, "safetensors", system=None, gpu=False, folder=tmp_path)
    found: list[Any] = []
    with Workshop(settled, open_artifact(QWEN2), tmp_path / "workspace") as workshop:
        threads = [Thread(target=lambda: found.append(workshop.product(CHAINS[2]))) for _ in range(4)]  # type: ignore[arg-type]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 4 and len({id(product) for product in found}) == 1
    assert made == ["safetensors>gguf", "safetensors>gguf>apr"]


def test_two_workers_see_what_one_sees(tmp_path: Path) -> None:
    one, two = run(tmp_path / "a")[0], run(tmp_path / "b", workers=2)[0]

    def told(outcomes: Evidence, folder: Path) -> str:
        return str(stands([outcome.model_dump(mode="json") for outcome in outcomes])).replace(str(folder), "")

    assert told(one, tmp_path / "a") == told(two, tmp_path / "b")


def test_what_no_gate_looks_at_any_more_is_taken_away(tmp_path: Path) -> None:
    run(tmp_path)
    assert list((tmp_path / "out" / "workspace").rglob("tiny-qwen2.*")) == []


def test_collect_all_goes_on_after_a_failure(tmp_path: Path) -> None:
    outcomes, record = failing(tmp_path, "collect-all", ("G0-*",))
    assert [o.gate_id for o in outcomes if o.outcome == "Falsified"] == ["G0-PULL-001"]
    assert len(outcomes) == 9 and not any("not reached" in why for why in record.not_evaluated.values())


@pytest.mark.parametrize("failure", ["stop-on-first", "stop-on-must"])
def test_a_must_that_fails_stops_both_other_ways(failure: str, tmp_path: Path) -> None:
    outcomes, record = failing(tmp_path, failure, ("G0-*",))
    assert [outcome.gate_id for outcome in outcomes] == ["G0-PULL-001"] and record.decision.exit_code == 1
    assert record.not_evaluated["G0-TENSOR-001 safetensors"] == (f"not reached: {failure} at G0-PULL-001 safetensors")
    assert record.playbook is not None and record.playbook.failure == failure


@pytest.mark.parametrize(("failure", "count"), [("stop-on-first", 1), ("stop-on-must", 5)])
def test_a_should_that_fails_stops_only_stop_on_first(failure: str, count: int, tmp_path: Path) -> None:
    gates = [{"gates": ["G0-PULL-001"], "force": "should"}]
    model = {"id": "tests/tiny-qwen2", "expected": {"hidden_size": 512}}
    only = ("G0-PULL-001", "G0-INTEGRITY-CONFIG", "G0-LAYOUT-001", "G0-TENSOR-001", "G0-FORMAT-GGUF-001")
    outcomes, _ = run(tmp_path, only, model=model, failure=failure, gates=gates)
    assert len(outcomes) == count and outcomes[0].outcome == "Falsified"


def test_a_changed_playbook_is_said_in_the_run(tmp_path: Path) -> None:
    from dataclasses import replace

    place = playbook(tmp_path / "book")
    request = QualifyRequest(load(Playbook, place), str(place), QWEN2, tmp_path / "out", only=("G0-PULL-001",))
    _, record = qualify(replace(request, lock="changed"))
    assert record.playbook is not None and record.playbook.lock == "changed"


def test_a_program_is_named_by_its_definition_and_never_by_its_path(tmp_path: Path) -> None:
    from model_contracts.qualification.programs import converter_name, runtime_name

    place = system(tmp_path / "system", converter="q4", runtime="banner")
    settled = settle(
        load(Playbook, playbook(tmp_path / "book")), "safetensors", system=str(place), gpu=False, folder=tmp_path
    )
    assert converter_name(settled.system) == "q4"
    assert [runtime_name(name) for name in settled.system.runtimes.values()] == ["banner"] * 3
    assert runtime_name("llamacpp") == "llamacpp"


class Told:
    """A session that writes down what is done with it."""

    def __init__(self, path: Path, log: list[str]) -> None:
        self.path, self.log = path, log
        log.append(f"open {path}")

    def reopen(self, path: Path) -> None:
        self.log.append(f"{self.path} becomes {path}")
        self.path = path

    def close(self) -> None:
        self.log.append(f"close {self.path}")


@pytest.fixture
def benches(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`benches(room)`: benches of a machine with room for two or not, and what was done."""

    def made(room: bool) -> tuple[Any, list[str]]:
        log: list[str] = []
        runtimes = type("Opens", (), {"open": staticmethod(lambda path, limits: Told(path, log))})
        monkeypatch.setattr(sessions, "runtime", lambda name: runtimes)
        monkeypatch.setattr(workshop, "_room_for", lambda path: room)
        return Benches(), log

    return made


SOURCE, APR, GGUF = (Path("s"), "torch"), (Path("a"), "torch"), (Path("g"), "llama")


def asked(bench: Any) -> None:
    """What the gates of three formats ask for: the source alone, a pair, the second alone, the source and a GGUF."""
    bench.get(*SOURCE)
    bench.both(SOURCE, APR)
    bench.get(*APR)
    bench.both(SOURCE, GGUF)


def test_where_there_is_room_the_source_is_opened_once(benches: Any) -> None:
    bench, log = benches(room=True)
    asked(bench)
    assert log == ["open s", "open a", "close a", "open g"]


def test_where_there_is_none_a_runtime_holds_one_artifact_again(benches: Any) -> None:
    bench, log = benches(room=False)
    asked(bench)
    assert log == ["open s", "open a", "close s", "a becomes s", "open g"]


def test_a_third_artifact_takes_the_process_of_one_of_a_pair(benches: Any) -> None:
    bench, log = benches(room=True)
    bench.both(SOURCE, APR)
    bench.get(Path("t"), "torch")
    assert sorted(log[:2]) == ["open a", "open s"] and len(log) == 4
    assert log[2].startswith("close") and log[3].endswith("becomes t")
