"""Replaying: what still falsifies, what holds now, what has changed, and what cannot be run again."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from model_contracts.artifact import Tensor
from model_contracts.checks.static.containers import headers
from model_contracts.cli.main import main
from model_contracts.engine.evidence import write
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.formats.opening import READERS
from model_contracts.ledger import Ledger
from model_contracts.outcome import Counterexample, Subject
from support.mutations import json_of
from support.outcomes import outcome, record
from support.shared_models import DATA

HEADERS, SAME = "F-CONTRACT-I3-002", "F-CONTRACT-I5-008"
QWEN2 = DATA / "tiny-qwen2"


def careless(source):
    """A reader that takes an unknown type for F32."""
    header = READERS["safetensors"](source)
    refused = [c.place.tensor for topic, c in header.container.ledger.violations if topic == "dtypes"]
    taken = [Tensor(name, "F32", (1,), source.path, 0, 4) for name in refused]
    return replace(header, container=replace(header.container, tensors=tuple(taken), ledger=Ledger()))


def test_a_header_still_falsifies_the_careless_reader_and_holds_with_the_honest_one(tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as broken:
        broken.setattr(headers, "READERS", {**READERS, "safetensors": careless})
        write(tmp_path, *check(CheckRequest((QWEN2,), only=(HEADERS,))))
        assert main(["replay", str(tmp_path)]) == 1
        assert f"{HEADERS}  still falsified" in capsys.readouterr().out
    assert main(["replay", str(tmp_path)]) == 0
    assert f"{HEADERS}  holds now" in capsys.readouterr().out


@pytest.fixture
def falsified(tmp_path: Path) -> tuple[Path, Path]:
    """A folder whose normaliser was changed, and the evidence of it."""
    target = tmp_path / "target"
    shutil.copytree(QWEN2, target, copy_function=shutil.copyfile)
    with json_of(target / "tokenizer.json") as document:
        document["normalizer"] = None
    request = CheckRequest((target,), against=QWEN2, contract="inference", only=(SAME,), max_examples=50)
    write(tmp_path / "out", *check(request))
    return target, tmp_path / "out"


def test_a_mended_artifact_holds_now_and_its_change_is_said(falsified, capsys):
    target, evidence = falsified
    assert main(["replay", str(evidence)]) == 1
    assert "has changed" not in capsys.readouterr().out
    shutil.copyfile(QWEN2 / "tokenizer.json", target / "tokenizer.json")
    assert main(["replay", str(evidence), "--gate", SAME]) == 0
    told = capsys.readouterr().out
    assert f"{SAME}  holds now" in told
    assert re.search(r"note +\S+/target/tokenizer\.json has changed since the evidence was written", told)


def test_an_artifact_that_is_gone_cannot_be_replayed(falsified, capsys):
    target, evidence = falsified
    shutil.rmtree(target)
    assert main(["replay", str(evidence)]) == 3
    assert f"{SAME}  not replayed" in capsys.readouterr().out


def test_a_gate_without_an_outcome_is_a_matter_of_usage(falsified, capsys):
    assert main(["replay", str(falsified[1]), "--gate", "G0-NOBODY"]) == 2
    assert "G0-NOBODY: the evidence holds no outcome of such a gate" in capsys.readouterr().err


def test_evidence_without_counterexamples_replays_nothing_and_proves_nothing(tmp_path, capsys):
    outcomes = (outcome(),)
    write(tmp_path, outcomes, record(outcomes))
    assert main(["replay", str(tmp_path)]) == 3
    assert "nothing was replayed" in capsys.readouterr().out


@pytest.mark.parametrize("stored", [None, [], {"text": 1}, {"texts": []}, {"messages": 3}, "text"])
@pytest.mark.parametrize("gate", [SAME, "F-CONTRACT-I5-006", "F-CONTRACT-I5-011", HEADERS])
def test_a_stored_input_of_another_kind_is_not_replayed(gate, stored, tmp_path, capsys):
    invariants = {SAME: "inference/tokenizer-pair", "F-CONTRACT-I5-011": "inference/tokenizer-pair"}
    invariants |= {"F-CONTRACT-I5-006": "inference/tokenizer", HEADERS: "I-3-no-silent-fallback"}
    source = Subject(name="q", path=str(QWEN2), format="safetensors")
    found = outcome(
        "Falsified",
        gate,
        invariant=invariants[gate],
        contract="inference",
        counterexample=Counterexample(kind="k", description="d", input=json.loads(json.dumps(stored))),
        subject=source.model_copy(update={"against": source}),
    )
    write(tmp_path, (found,), record((found,)))
    assert main(["replay", str(tmp_path)]) == 3
    assert f"{gate}  not replayed" in capsys.readouterr().out
