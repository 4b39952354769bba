"""Owns what an adapter declares of its modules: rank, alpha and scale of each, and which modules it names.

Patterns are matched as PEFT does (peft 0.21: `get_pattern_key`, `check_target_module_exists`), where that is bounded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_contracts.anatomy.modules import Modules
from model_contracts.artifact import Artifact

#: Patterns and names that are looked at, at most.
_MOST = 4096
_PLAIN = re.compile(r"[\w.\-]+")
_LAYER = re.compile(r"[^.]*\.(\d{1,9})(?=\.|$)")
#: Ways of computing an update that are not the plain product, by the key that asks for one.
_OTHERWISE = {
    "use_qalora": "QA-LoRA", "use_bdlora": "BD-LoRA", "arrow_config": "Arrow", "kasa_config": "KaSA",
    "monteclora_config": "MonteCLoRA", "alora_invocation_tokens": "activated LoRA",
    "layer_replication": "replicated layers",
}  # fmt: skip
#: Beginnings of weights that take their first product away from the base.
_MOVED = ("pissa", "olora", "corda", "loftq", "lora_ga")


@dataclass(frozen=True)
class AdapterSettings:
    """What adapter_config.json, or the metadata of a GGUF, says of the factors."""

    said: Mapping[str, Any]
    #: Of a GGUF: the one alpha.
    alpha: float | None = None
    gguf: bool = False

    @classmethod
    def of(cls, artifact: Artifact) -> AdapterSettings:
        """Those of an artifact."""
        if artifact.form.prefixed_keys:
            return cls({}, _number(artifact.metadata.get("adapter.lora.alpha")), True)
        return cls(artifact.config or {})

    @property
    def low_rank(self) -> bool:
        """Whether it says that it is a LoRA adapter (GGUF: nothing else is known of it)."""
        return self.gguf or self.said.get("peft_type") in ("LORA", "lora")

    def rank(self, module: str) -> int | None:
        """The rank that is declared for a module; None where none is, or where that is not evaluated."""
        found = self._by_pattern("rank_pattern", module, self.said.get("r"))
        return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None

    def scale(self, module: str, rank: int) -> float | str:
        """What the product of a module is multiplied by, or why that is not known."""
        if rank < 1:
            return "its halves have no rank"
        alpha = (
            self.alpha if self.gguf else _number(self._by_pattern("alpha_pattern", module, self.said.get("lora_alpha")))
        )
        if alpha is None:
            return (
                "no alpha is declared" if not self._unclear("alpha_pattern") else "its alpha_pattern is not evaluated"
            )
        return alpha / math.sqrt(rank) if self.rooted else alpha / rank

    @property
    def rooted(self) -> bool:
        """Whether alpha is divided by the root of the rank (rsLoRA)."""
        return self.said.get("use_rslora") is True

    @property
    def turned(self) -> bool:
        """Whether weights are stored [in, out] (GPT-2's Conv1D)."""
        return self.said.get("fan_in_fan_out") is True

    @property
    def otherwise(self) -> str | None:
        """Why the update is no plain product that is added to the base as it is published; None where it is."""
        if not self.low_rank:
            return f"what an adapter of the kind {str(self.said.get('peft_type'))[:40]!r} adds is not known"
        for key, words in _OTHERWISE.items():
            if self.said.get(key):
                return f"{key} asks for {words}, which is not computed here"
        begun = self.said.get("init_lora_weights")
        if isinstance(begun, str) and begun.lower().startswith(_MOVED):
            return f"init_lora_weights is {begun[:40]}: its base had something taken away before training"
        return None

    def names(self, module: str) -> bool | None:
        """Whether target_modules, less what is excluded, names a module; None where that is not evaluated."""
        excluded = self._listed("exclude_modules", module)
        if excluded:
            return False
        found = self._listed("target_modules", module)
        if not found or isinstance(self.said.get("target_modules"), str) or module in self.said["target_modules"]:
            return None if excluded is None else found
        return self._in_layers(module)

    def names_parameter_of(self, module: str) -> bool:
        """Whether target_parameters names a parameter of a module."""
        listed = self.said.get("target_parameters")
        owners = (
            {name.rpartition(".")[0] for name in listed if isinstance(name, str)} if isinstance(listed, list) else ()
        )
        return any(owner and (module == owner or module.endswith(f".{owner}")) for owner in owners)

    def _listed(self, key: str, module: str) -> bool | None:
        value = self.said.get(key)
        if isinstance(value, str):
            if value.lower() == "all-linear" or not value:
                return value != ""
            return self._expression(value, module)
        names = [name for name in value if isinstance(name, str)][:_MOST] if isinstance(value, list) else []
        return any(module == name or module.endswith(f".{name}") for name in names)

    def _in_layers(self, module: str) -> bool | None:
        asked, pattern = self.said.get("layers_to_transform"), self.said.get("layers_pattern")
        if asked is None or asked == []:
            return True
        if pattern:
            listed = pattern if isinstance(pattern, list) else [pattern]
            names = [name for name in listed if isinstance(name, str)]
            if len(names) < len(listed) or not all(_PLAIN.fullmatch(name) for name in names):
                return None
            found = next(
                (one for name in names if (one := re.search(rf"(?:^|\.){re.escape(name)}\.(\d{{1,9}})\.", module))),
                None,
            )
        else:
            found = _LAYER.search(module.partition(".")[2])
        return found is not None and int(found[1]) in (asked if isinstance(asked, list) else [asked])

    def _by_pattern(self, key: str, module: str, otherwise: object) -> object:
        """The value of the first pattern that names a module, else that of all modules."""
        patterns = self.said.get(key)
        for pattern, value in list(patterns.items())[:_MOST] if isinstance(patterns, dict) else ():
            bare = str(pattern).removeprefix("^").removesuffix("$")
            if _PLAIN.fullmatch(bare):
                anchored = str(pattern).startswith("^")
                found: bool | None = module == bare or (not anchored and module.endswith(f".{bare}"))
            else:
                places = [module, *(module[at + 1 :] for at, mark in enumerate(module) if mark == ".")]
                tried = [self._expression(str(pattern), place) for place in places]
                found = True if True in tried else None if None in tried else False
            if found is None:
                return None
            if found:
                return value
        return otherwise

    def _unclear(self, key: str) -> bool:
        return bool(self.said.get(key))

    def _expression(self, text: str, name: str) -> bool | None:
        """Whether a regular expression matches a whole name; None where it is not evaluated."""
        one = Modules((f"re:({text.replace('(?:', '(')})$",), "exact")
        return True if one.naming_of(name) is not None else None if one.undecided else False


def _number(value: object) -> float | None:
    """A finite number that is not 0."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if math.isfinite(value) and value != 0 else None
