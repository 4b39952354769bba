"""Evidence to text: each reporter is a pure function of the outcomes and the run, and reads nothing else."""

from __future__ import annotations

from model_contracts.reporters import json, text
from model_contracts.reporters.interface import Reporter

REPORTERS: dict[str, Reporter] = {
    "text": text.report,
    "json": json.report,
}
