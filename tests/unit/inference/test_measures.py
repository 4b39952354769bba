"""KL divergence, top-1 agreement and NMSE agree with their definitions; a verdict is settled at its confidence."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from model_contracts.checks.running.distributions import Comparing
from model_contracts.inference.budgets import DistributionBudget, DistributionBudgets, bounds, values_kept
from model_contracts.inference.measures import Agreement, compare, compare_rows
from model_contracts.inference.sequential import Bounds, Buckets, Settling, beta_above
from model_contracts.runtimes.interface import TopLogits, WrongAnswer


def top(logits: np.ndarray, k: int | None = None) -> TopLogits:
    """The distribution of logits, its k likeliest tokens first."""
    values = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    return TopLogits(order, np.take_along_axis(values, order, axis=1).astype(np.float32), logits.shape[1])


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    source = random.standard_normal((40, 300)) * 3
    return source + random.standard_normal(source.shape) * 0.1, source


def test_whole_rows_give_the_divergence_of_its_definition(pair) -> None:
    ours, theirs = pair
    p, q = (np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (theirs, ours))
    expected = (p * np.log(p / q)).sum(axis=1)
    assert np.allclose(compare(top(ours), top(theirs)).divergence, expected, rtol=1e-3, atol=1e-6)
    assert np.array_equal(compare(top(ours), top(theirs)).same_top, p.argmax(axis=1) == q.argmax(axis=1))


def test_dense_rows_give_the_same_measures_as_ranked_ones(pair) -> None:
    ours, theirs = (x - np.log(np.exp(x).sum(axis=1, keepdims=True)) for x in pair)
    dense = compare_rows(ours.astype(np.float32), theirs.astype(np.float32))
    ranked = compare(top(pair[0]), top(pair[1]))
    assert np.allclose(dense.divergence, ranked.divergence, rtol=1e-3, atol=1e-6)
    assert np.array_equal(dense.same_top, ranked.same_top)
    assert np.allclose(dense.nmse, ranked.nmse, rtol=1e-3)


def test_the_likeliest_tokens_alone_never_overstate_it_and_come_near(pair) -> None:
    ours, theirs = pair
    whole = compare(top(ours), top(theirs)).divergence
    part = compare(top(ours, 64), top(theirs, 64)).divergence
    assert np.all(part <= whole + 1e-6)
    assert part.mean() > 0.7 * whole.mean()


def test_equal_distributions_are_equal_whatever_constant_was_added(pair) -> None:
    _, theirs = pair
    agreement = compare(top(theirs + 7.0), top(theirs))
    assert agreement.divergence.max() < 1e-6
    assert agreement.same_top.all()
    assert agreement.nmse.max() < 1e-10


def test_nan_and_another_number_of_positions_are_no_answers(pair) -> None:
    ours, theirs = pair
    with pytest.raises(WrongAnswer, match="39 positions answered, 40 expected"):
        compare(top(ours[:39]), top(theirs))
    broken = top(ours)
    broken.values[3, 5] = np.nan
    with pytest.raises(WrongAnswer, match="NaN"):
        compare(broken, top(theirs))


def test_the_posterior_of_a_share_is_the_binomial_sum() -> None:
    assert beta_above(0.5, 1, 1) == pytest.approx(0.5)
    assert beta_above(0.995, 921, 1) == pytest.approx(1 - 0.995**921)
    assert beta_above(0.9, 50, 60) < 1e-9


def buckets(same: float, divergence: float, count: int) -> Buckets:
    """One prompt of that many positions, all alike, of which a share agrees."""
    found = Buckets(Bounds(1e-4, 1e-3, 0.995, 0.99), (64, 512))
    margins = np.where(np.arange(count) < round(same * count), 0.0, 0.5)
    found.take(Agreement(np.full(count, divergence), margins, np.zeros(count)))
    return found


def test_a_bound_is_kept_or_broken_only_where_the_positions_settle_it() -> None:
    assert buckets(1.0, 1e-6, 300).state() == "open"
    assert buckets(1.0, 1e-6, 1000).state() == "kept"
    assert buckets(0.9, 1e-6, 300).state() == "broken"
    assert buckets(1.0, 1e-2, 100).state() == "broken"
    assert buckets(1.0, 0.0, 10).state() == "open"


@pytest.mark.parametrize(("top1", "confidence"), [(0.995, 0.99), (0.95, 0.99), (0.6, 0.95), (0.01, 0.6)])
def test_the_fewest_agreeing_positions_settle_the_agreement_and_one_less_does_not(
    top1: float, confidence: float
) -> None:
    count = Bounds(1e-4, 1e-3, top1, confidence).agreeing
    states = []
    for positions in (count, count - 1):
        found = Settling(Bounds(1e-4, 1e-3, top1, confidence), [0.0] * positions, same=positions)
        states.append(found.top1_state())
    assert states == ["kept", "open"] and (count == 918 or top1 != 0.995)


def test_owed_prompts_are_as_long_as_the_agreement_takes_and_no_longer() -> None:
    budget = DistributionBudget(divergence=1e-4, divergence_99=1e-3, top1=0.995)
    parameters = DistributionBudgets(lossless=budget, budgets={})
    drawn = Comparing(*[SimpleNamespace(context=None)] * 2, parameters, Buckets(bounds(budget, 0.99), (64, 512)))  # type: ignore[arg-type]
    shares = []
    for taken in (550, 0, 0, 300, 68, 100):
        drawn.buckets.all.divergence += [0.0] * taken
        shares.append(drawn._share(8))
    assert shares == [46, 46, 46, 32, 64, 64]


def test_a_change_of_order_that_the_divergence_allows_is_a_tie_and_no_other() -> None:
    bounds = Bounds(1e-4, 1e-3, 0.995, 0.99)
    assert bounds.tie == pytest.approx(0.0141, abs=1e-4)
    for margin, agreeing in ((0.014, 40), (0.015, 0)):
        found = Buckets(bounds, (64, 512))
        found.take(Agreement(np.zeros(40), np.full(40, margin), np.zeros(40)))
        assert (found.all.same, found.all.strictly) == (agreeing, 0)


def test_an_nmse_is_owed_only_where_a_budget_has_one() -> None:
    for bound, state in ((None, "kept"), (1e-7, "broken"), (1e-4, "kept")):
        found = Buckets(Bounds(1e-4, 1e-3, 0.995, 0.99, bound), (64, 512))
        found.take(Agreement(np.zeros(1000), np.zeros(1000), np.full(1000, 1e-5)))
        assert found.state() == state


def test_a_divergence_far_into_a_prompt_alone_breaks_the_bound() -> None:
    found = Buckets(Bounds(1e-4, 1e-3, 0.995, 0.99), (64, 512))
    divergence = np.where(np.arange(700) < 512, 0.0, 2e-4)
    for start in (0, 350):  # in two pieces
        piece = slice(start, start + 350)
        found.take(Agreement(divergence[piece], np.zeros(350), np.zeros(350)), start)
    assert {name: bucket.count for name, bucket in found.each.items()} == {"1-64": 64, "65-512": 448, "513-": 188}
    assert found.all.mean < 1e-4
    assert found.state() == "broken"


@pytest.mark.parametrize(
    ("types", "kept"),
    [
        ([("F32", "BF16"), ("F16", "F16")], True),
        ([("F16", "BF16")], True),
        ([("BF16", "F16")], False),
        ([("F32", "F16"), ("Q8_0", "F16")], False),
        ([], False),
    ],
)
def test_values_are_kept_where_every_type_holds_those_of_its_source(types: list[tuple[str, str]], kept: bool) -> None:
    assert values_kept(types) is kept
