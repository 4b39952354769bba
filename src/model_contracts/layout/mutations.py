"""Owns rival layouts: the declared one with a step left out, done twice, inverted, or with parts exchanged."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.layout.expressions import Expr


def mutations(expr: Expr) -> Iterator[tuple[str, Expr]]:
    """todo"""
    yield from ()
