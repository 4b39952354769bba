"""Owns what scripts that record packed weights share: a weight, and a case of it as its library packed it."""

from __future__ import annotations

from typing import Any

import torch

ROWS, COLUMNS = 32, 128
CASES: dict[str, dict[str, Any]] = {}
TENSORS: dict[str, torch.Tensor] = {}


def weight(seed: int, rows: int = ROWS, columns: int = COLUMNS) -> torch.Tensor:
    """Values as a trained matrix has them, some rows larger than others."""
    made = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=made) * 0.02 * torch.exp(torch.randn(rows, 1, generator=made))


def case(name: str, decoder: str, settings: dict[str, Any], parts: dict[str, torch.Tensor], expected: torch.Tensor,
         writer: str) -> None:  # fmt: skip
    """Keep one weight: its parts by role, and what the library makes of them."""
    CASES[name] = {"decoder": decoder, "settings": settings, "writer": writer, "shape": list(expected.shape)}
    for role, tensor in {**parts, "expected": expected}.items():
        TENSORS[f"{name}/{role}"] = tensor.detach().contiguous().clone()
