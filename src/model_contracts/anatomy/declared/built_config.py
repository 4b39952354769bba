"""Owns a config.json built from what a GGUF or .apr declares, from its tensors, and from what its readers build in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_contracts.anatomy.declared.built_rope import NotDeclared, rotary, short
from model_contracts.anatomy.declared.declared_keys import DeclaredSide
from model_contracts.anatomy.declared.declared_words import MOST_KEYS
from model_contracts.anatomy.declared.key_table import key_table
from model_contracts.anatomy.view import View
from model_contracts.definitions import load_keys
from model_contracts.family import Family
from model_contracts.hyperparameter import HyperParameter

#: What is not told by a key alone.
_ELSEWHERE = ("tie_word_embeddings", "vocab_size", "partial_rotary_factor")


def built(view: View, *, of_factors: bool = True) -> dict[str, Any]:
    """A config.json in the words of the family's class. Raises NotDeclared for what the file owes and does not say."""
    family = view.family
    if family is None or not family.architectures or not family.model_types:
        said = view.architecture.name if view.architecture else "no architecture"
        raise NotDeclared(f"{view.artifact.path}: it declares {said}, of which no family is shipped")
    keys = load_keys()
    side = DeclaredSide(view, keys, key_table(keys, family))
    config: dict[str, Any] = {"architectures": [family.architectures[0]], "model_type": family.model_types[0]}
    for name, parameter in family.hyperparameters.items():
        if parameter.config and name not in _ELSEWHERE and not parameter.config[0].startswith(("rope_sc", "rope_par")):
            _put(config, name, parameter, side)
    for line in keys.built_in:
        known = bool(family.gguf) and family.gguf[0] in line.architectures
        if known and line.values[0] is not False and _get(config, line.key) is None:
            _set(config, line.key, line.values[0])
    for flag, there in _flags(view, family).items():
        _set(config, flag, there)
    config |= rotary(view, side, of_factors=of_factors)
    return config | _vocabulary(view)


def _put(config: dict[str, Any], name: str, parameter: HyperParameter, side: DeclaredSide) -> None:
    key = parameter.config[0]
    if _get(config, key) is not None:  # two hyper-parameters of one key: the first is what readers compute with
        return
    value = _value(name, parameter, side)
    if value is None and name not in side.silenced and side.taken_unasked(name):
        return
    known = side.spelled(side.table[name]) or parameter.alone
    if value is None and (parameter.owed or not known):
        where = ", ".join(side.spelled(side.table[name])) or "it has no key for it"
        raise NotDeclared(f"{side.view.artifact.path.name} does not say {name} ({where})")
    if value is None and (not side.form.prefixed_keys or not parameter.gguf):
        return
    _set(config, key, value)
    if parameter.enabled_by and value is not None:
        _set(config, parameter.enabled_by, parameter.default is None or value != parameter.default.value)
    if parameter.disabled_by:
        _set(config, parameter.disabled_by, False)


def _value(name: str, parameter: HyperParameter, side: DeclaredSide) -> Any:
    """What config.json holds of a hyper-parameter (None: nothing)."""
    view = side.view
    value: Any = view.layered.get(name)
    if value is not None and all(type(one) is int for one in value) and 0 in value:
        given = {one for one in value if one}  # layers of another kind have none of it
        value = given.pop() if len(given) == 1 else value
    if name not in side.said and not isinstance(getattr(side.silenced.get(name), "value", True), bool):
        return None
    if value is None and name in view.declared:
        value = view.declared[name].value
    layers = view.numbers.get("num_hidden_layers")
    if isinstance(value, bool | str) and parameter.config[0] in side.keys.per_layer and isinstance(layers, int):
        value = (value,) * min(layers, MOST_KEYS)  # one kind in every layer: a class takes a list
    if value is not None:
        return _in_words(value, parameter)
    value = side.unasked(name) if not side.taken_unasked(name) else None
    return [*value] if isinstance(value, tuple) else value


def _in_words(value: Any, parameter: HyperParameter) -> Any:
    if isinstance(value, tuple):
        return [_in_words(one, parameter) for one in value]
    if parameter.whole and isinstance(value, float) and value.is_integer():
        return int(value)
    return parameter.config_words.get(str(value).lower(), short(value))


def _flags(view: View, family: Family) -> dict[str, bool]:
    """Flags of config.json that say of tensors whether they are there."""
    found: dict[str, bool] = {}
    for key, weight in family.tensors.items():
        if weight is not None and weight.required_by is not None:
            found[weight.required_by] = found.get(weight.required_by, False) or key in view.weights
    return found


def _vocabulary(view: View) -> dict[str, Any]:
    found: dict[str, Any] = {}
    embedding, head = view.by_canonical.get("token_embd.weight"), view.by_canonical.get("output.weight")
    if embedding is not None:
        found["vocab_size"] = embedding.shape[0]
    found["tie_word_embeddings"] = view.tied if view.tied is not None else head is None or head.placeholder
    tokenizer = view.artifact.tokenizer
    if tokenizer is None:
        return found
    ids = tokenizer.special_ids  # a class may have an id of its own for a role that the file leaves out
    return found | {f"{role}_token_id": ids[role][0] if role in ids else None for role in ("bos", "eos", "pad")}


def _get(config: Mapping[str, Any], key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _set(config: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for part in path:
        config = config.setdefault(part, {})
    config[last] = value
