"""Evidence held to the signs of `contracts/audit/`: which green verdicts prove nothing, which red ones blame wrong."""

from __future__ import annotations

from model_contracts.audit.accusing import Accusation, Audit, audit, signs
from model_contracts.audit.told import as_json, text

__all__ = ["Accusation", "Audit", "as_json", "audit", "signs", "text"]
