"""Which layers a weight stands in: by bounds, by place, by a value or a letter a layer, and by what is 0 in some."""

from __future__ import annotations

import pytest

from model_contracts.anatomy.families.layers import layers_of
from model_contracts.family import Layers


@pytest.mark.parametrize(
    ("said", "numbers", "expected"),
    [
        ({"first": 1}, {}, (1, 2, 3)),
        ({"before": "dense"}, {"dense": 2}, (0, 1)),
        ({"at": (1, 2)}, {}, (1, 3)),
        ({"not_at": ("offset", "period")}, {"offset": 1, "period": 4}, (0, 2, 3)),
        ({"where": "kinds", "has": ("conv",)}, {"kinds": ["conv", "attention", "conv", "conv"]}, (0, 2, 3)),
        ({"where": "kinds", "has": ("*", "attention")}, {"kinds": "M*-*"}, (1, 3)),
        ({"where": "kinds", "has": ("conv",)}, {"kinds": "conv"}, (0, 1, 2, 3)),
        ({"zero": ("heads", "sizes")}, {"heads": [0, 2, 0, 0], "sizes": [0, 0, 9, 0]}, (0, 3)),
        ({"positive": ("heads",)}, {"heads": [0, 2, 0, 0]}, (1,)),
        ({"where": "kinds", "has": ("conv",), "zero": ("heads",)}, {"heads": [0, 2, 0, 0]}, (0, 2, 3)),
    ],
)
def test_layers_are_those_that_are_said(said, numbers, expected) -> None:
    assert tuple(layers_of(Layers(**said), numbers, 4)) == expected


@pytest.mark.parametrize("said", [{"where": "kinds", "has": ("conv",)}, {"positive": ("heads",)}, {"at": ("a", "b")}])
def test_no_layer_owes_what_nothing_declared_says(said) -> None:
    """GGUF does not say which layers of Jamba have experts: a file without them is not called incomplete for it."""
    assert tuple(layers_of(Layers(**said), {"heads": 2}, 4)) == ()
