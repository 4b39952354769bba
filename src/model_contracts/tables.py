"""Owns the table of an artifact's tensors: what each one is, its statistics, and how far it is from its source."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from model_contracts.outcome import Record, as_json

#: Rows of one table; the largest errors and the largest tensors come first where there are more.
LARGEST = 20_000


class TensorRow(Record):
    """One tensor. Statistics are of its finite values; null where nothing decodes it, or nothing answers to it."""

    tensor: str
    role: str = Field(description="What it is in its layer, as its family calls it: attn_q, ffn_down.")
    layer: int | None = None
    type: str
    shape: tuple[int, ...]
    values: int = Field(ge=0)
    mean: float | None = None
    std: float | None = Field(None, description="Population standard deviation.")
    minimum: float | None = None
    maximum: float | None = None
    nan: int | None = None
    infinite: int | None = None
    zeros: int | None = None
    source: str | None = Field(None, description="The tensor of the source that answers to it.")
    source_type: str | None = None
    relative_rmse: float | Literal["Infinity"] | None = Field(
        None, description="RMSE of the error divided by the RMS of the source (Infinity: only the source is zero)."
    )
    cosine: float | None = Field(None, description="Cosine over the whole tensor.")
    row_cosine: float | None = Field(None, description="The smallest cosine of a pair of rows.")
    max_error: float | None = Field(None, description="In the unit of the values.")
    budget: float | None = Field(None, description="What relative_rmse may be; 0: nothing may differ.")
    cosine_budget: float | None = Field(None, description="What 1 - row_cosine may be.")


class Scatter(Record):
    """Pairs of values of one tensor and its source, from rows around the worst one and from everywhere."""

    tensor: str
    source: tuple[float, ...]
    target: tuple[float, ...]


class TensorTable(Record):
    """The tensors of one artifact, held against one source or none."""

    artifact: str
    path: str
    against: str | None = None
    rows: tuple[TensorRow, ...]
    left_off: int = Field(0, ge=0, description="Tensors that the table has no row for.")
    scatters: tuple[Scatter, ...] = Field((), description="Of the tensors with the largest errors.")


class Tables(Record):
    """tensors.json: a table for each artifact of a run whose bytes were read."""

    tables: tuple[TensorTable, ...]


def written_tables(tables: tuple[TensorTable, ...]) -> dict[str, Any]:
    """The tables as they are written to disk: what JSON cannot hold (Infinity, NaN) is text."""
    found: dict[str, Any] = as_json(Tables(tables=tables).model_dump())
    return found
