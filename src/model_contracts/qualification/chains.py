"""Owns the way that an artifact was made: from the source through one format after another."""

from __future__ import annotations

from model_contracts.containers import Format

#: Formats that an artifact went through, the source's first.
Chain = tuple[Format, ...]
