"""What readers assume of a size that is not declared, worked out from those that are."""

from __future__ import annotations

import pytest

from model_contracts.anatomy.families.hyperparameters import default, enabled, resolved
from model_contracts.definitions import load_family
from model_contracts.hyperparameter import Default, HyperParameter


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"quotient": ("hidden", 4)}, 24),
        ({"quotient": ("hidden", 7)}, None),
        ({"rounded_up": ("hidden", 64)}, 128),
        ({"rounded_up": ("hidden", 0)}, None),
        ({"product": (2, "hidden")}, 192),
        ({"total": ("hidden", 1)}, 97),
        ({"difference": ("hidden", 1)}, 95),
        ({"difference": ("hidden", "nobody")}, None),
        ({"length": "pattern"}, 3),
        ({"leading": ("kinds", "dense"), "value": 1}, 2),
        ({"leading": ("kinds", "sparse"), "value": 1}, 0),
        ({"leading": ("nobody", "dense"), "value": 1}, 1),
        ({"leading": ("kind", "dense"), "value": 1}, 5),
        ({"leading": ("kind", "sparse"), "value": 1}, 0),
    ],
)
def test_a_default_is_worked_out_of_what_is_known(said, expected) -> None:
    kinds = {"kinds": ["dense", "dense", "sparse", "dense"], "kind": "dense", "num_hidden_layers": 5}
    assert default(HyperParameter(default=Default(**said)), {"hidden": 96, "pattern": "M*-", **kinds}) == expected


def test_a_flag_that_is_true_switches_a_value_off() -> None:
    """LFM2's size of the MLP is another one where it is adjusted."""
    size = load_family("families/lfm2").hyperparameters["intermediate_size"]
    assert not enabled(size, {"block_auto_adjust_ff_dim": True})
    assert enabled(size, {"block_auto_adjust_ff_dim": False})
    assert enabled(size, {})


def test_layers_are_counted_where_each_has_its_kind() -> None:
    family = load_family("families/nemotron_h")
    assert resolved(family, {}, lists={"layers_block_type": ("mamba", "mlp", "mamba")})["num_hidden_layers"] == 3


@pytest.mark.parametrize("family", ["families/glm4_moe_lite", "families/hy_v3"])
def test_dense_layers_are_counted_where_transformers_lists_them(family) -> None:
    said = load_family(family)
    listed = resolved(said, {}, lists={"mlp_layer_types": ("dense", "dense", "sparse")})
    assert [numbers["first_k_dense_replace"] for numbers in (listed, resolved(said, {}))] == [2, 1]
