"""Owns what a class of transformers would save under a configuration: names and shapes, without one weight.

Only classes of the installed package are built, on torch's meta device. Nothing that the folder brings is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_contracts.anatomy.families.multimodal import TEXT_CONFIGS

#: Names of tensors, and their shapes.
Shapes = dict[str, tuple[int, ...]]
#: Keys of config.json that have a class look for code or for packed weights.
_LEFT_OUT = ("auto_map", "quantization_config", "compression_config", "_attn_implementation", "attn_implementation")
#: What a configuration may ask for at most: a meta tensor costs nothing, a module does.
_LARGEST, _MOST_LAYERS, _MOST_EXPERTS = 100_000_000, 8, 4
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")


class NotDrafted(Exception):
    """Why there is no draft, as a sentence."""


def model_class(architecture: str) -> Any:
    """The class of that name in the installed transformers. Raises NotDrafted."""
    import transformers

    transformers.logging.set_verbosity_error()
    found: Any = getattr(transformers, architecture, None) if architecture.isidentifier() else None
    known = isinstance(found, type) and issubclass(found, transformers.PreTrainedModel)
    if not known or getattr(found, "config_class", None) is None:
        raise NotDrafted(f"transformers {transformers.__version__} has no class {architecture!r}")
    return found


def built(architecture: str, config: Mapping[str, Any]) -> Shapes:
    """What the class saves under a configuration. Raises NotDrafted, also for what the class refuses."""
    import torch

    found = model_class(architecture)
    try:
        with torch.device("meta"):
            model = found(found.config_class.from_dict(dict(config)))
        return _saved(model)
    except Exception as error:  # a class may refuse a configuration with any exception
        raise NotDrafted(f"{architecture} refuses the configuration: {type(error).__name__}: {error}") from error


def _saved(model: Any) -> Shapes:
    """Names and shapes as a folder holds them: tied tensors once, and old names where the class has new ones."""
    from transformers.core_model_loading import revert_weight_conversion

    once = {id(tensor): (name, tensor) for name, tensor in reversed(model.state_dict(keep_vars=True).items())}
    state = {name: tensor.detach() for name, tensor in reversed(once.values())}
    return {name: tuple(tensor.shape) for name, tensor in revert_weight_conversion(model, state).items()}


def reduced(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with few layers and experts, which say as much as all. Raises NotDrafted."""
    return _reduced({key: value for key, value in config.items() if key not in _LEFT_OUT})


def _reduced(config: dict[str, Any]) -> dict[str, Any]:
    layers = next((config[key] for key in _LAYERS if isinstance(config.get(key), int)), 0)
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
            raise NotDrafted(f"{key} is {value:,}: no size of a model")
        if key in _LAYERS and isinstance(value, int):
            found[key] = min(value, _MOST_LAYERS)
        elif key in _EXPERTS and isinstance(value, int):
            found[key] = min(value, max(_MOST_EXPERTS, int(config.get("num_experts_per_tok") or 0)))
        elif isinstance(value, list) and len(value) == layers:
            found[key] = value[:_MOST_LAYERS]
        elif isinstance(value, dict) and (key in TEXT_CONFIGS or key.endswith("_config")):
            found[key] = _reduced(value)
        else:
            found[key] = value
    return found
