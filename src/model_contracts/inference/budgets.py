"""Owns the budgets of inference: what a recipe may cost in divergence and agreement, by family where one is known."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from model_contracts.anatomy.claims import Claim
from model_contracts.inference.sequential import Bounds
from model_contracts.outcome import Record


class DistributionBudget(Record):
    """Bounds on next-token distributions, source against target."""

    divergence: float = Field(gt=0, description="Mean KL divergence, nats.")
    divergence_99: float = Field(gt=0, description="99th percentile of the KL divergence, nats.")
    top1: float = Field(gt=0, lt=1, description="Share of positions with the same likeliest token.")
    nmse: float | None = Field(None, gt=0, description="Mean NMSE of the logits (null: nothing is owed).")


class DistributionBudgets(Record):
    """Budgets by recipe label; those of a family come first."""

    confidence: float = Field(0.99, gt=0.5, lt=1)
    edges: tuple[int, ...] = Field((64, 512), description="Last position of each bucket but the last.")
    positions: int = Field(4096, ge=64, description="Most positions that are evaluated before the verdict stays open.")
    longest: int = Field(640, ge=16, description="Longest prompt, tokens.")
    examples: int = Field(12, ge=1, description="Prompts of each framing at the most.")
    lossless: DistributionBudget
    kept: DistributionBudget | None = Field(None, description="Where every value is kept; null: as `lossless`.")
    budgets: dict[str, DistributionBudget]
    families: dict[str, dict[str, DistributionBudget]] = Field(default_factory=dict)

    def of(
        self, claim: Claim | None, family: str | None, *, kept: bool = False
    ) -> tuple[DistributionBudget, tuple[str, ...]] | None:
        """The budget of what was asked for or claimed, and where it stands; None where the recipe has none.

        `kept` says that the target's types hold every value of the source.
        """
        label = claim.label if claim is not None and claim.recipe is not None else "lossless"
        if label in ("lossless", "F32", "F16", "BF16"):
            return (self.kept, ("kept",)) if kept and self.kept is not None else (self.lossless, ("lossless",))
        if family is not None and label in self.families.get(family, {}):
            return self.families[family][label], ("families", family, label)
        return (self.budgets[label], ("budgets", label)) if label in self.budgets else None


def bounds(budget: DistributionBudget, confidence: float) -> Bounds:
    """A budget as the bounds of a bucket."""
    return Bounds(budget.divergence, budget.divergence_99, budget.top1, confidence, budget.nmse)


#: Types that hold every value of others. Of BF16 in F16 only values under 6e-8 are lost.
_HELD = {"F32": ("F32", "F16", "BF16"), "F16": ("F16", "BF16"), "BF16": ("BF16",)}


def values_kept(pairs: Iterable[tuple[str, str]]) -> bool:
    """Whether each target's type holds every value of its source's type; pairs of target's and source's type."""
    held = [source in _HELD.get(target, ()) for target, source in pairs]
    return bool(held) and all(held)
