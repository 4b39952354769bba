"""Owns reading the founding system's evidence: bounded, validated by its schema, and typed."""

from __future__ import annotations

from pathlib import Path

from model_contracts.compat.apr_qa.record import FoundingEvidence
from model_contracts.engine import evidence
from model_contracts.engine.bounded_json import load
from model_contracts.engine.evidence import Unusable
from model_contracts.engine.forms import records_of


def read(path: Path) -> FoundingEvidence | None:
    """The records of a file; None where it is not the founding system's.

    Raises Unusable where the file cannot be read, is not JSON, or is not what the schema of that system's records says.
    """
    from pydantic import TypeAdapter, ValidationError

    value = load(path)
    records = records_of(value)
    if records is None or records.form != "founding":
        return None
    if violation := next(evidence.violations(value), None):
        raise Unusable(f"{path}: {violation}")
    try:
        return TypeAdapter(FoundingEvidence).validate_python(records.items)
    except ValidationError as error:  # stricter than the schema by our own choice only
        raise Unusable(f"{path}: {error.errors(include_url=False)[0]['msg']}") from None
