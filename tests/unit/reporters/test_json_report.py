"""The JSON report: a verdict in a few words, and two parts that are what is written to disk."""

from __future__ import annotations

import json

from model_contracts.engine.evidence import validate_file, write
from model_contracts.outcome import Place
from model_contracts.reporters import REPORTERS
from support.outcomes import comparison, outcome, record

OUTCOMES = (
    outcome(),
    outcome("Falsified", comparisons=(comparison(False, place=Place(file="a\udcff"), observed=float("inf")),)),
)
RUN = record(OUTCOMES)


def test_the_report_holds_the_run_and_the_evidence_as_they_are_written(tmp_path):
    evidence, run = write(tmp_path, OUTCOMES, RUN)
    shown = json.loads(REPORTERS["json"](OUTCOMES, RUN, width=80, color=True))
    assert shown.pop("verdict")["word"] == "falsified"
    assert shown == {"run": json.loads(run.read_bytes()), "evidence": json.loads(evidence.read_bytes())}


def test_the_report_is_itself_valid(tmp_path):
    file = tmp_path / "report.json"
    file.write_text(REPORTERS["json"](OUTCOMES, RUN, width=80, color=False), encoding="utf-8")
    assert validate_file(file) == []
