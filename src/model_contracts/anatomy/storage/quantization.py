"""Owns what a configuration declares of packed weights: by which method, which modules, with which settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from model_contracts.anatomy.modules import Modules
from model_contracts.anatomy.storage.part_shapes import meets
from model_contracts.artifact import Artifact
from model_contracts.outcome import Place
from model_contracts.scheme import Scheme, Setting, StorageLayout, Value

#: Groups and single modules that are looked at; a configuration with more is no configuration of a model.
_ENTRIES = 200_000
#: Sidecars that say by their name which method they are of.
_SIDECARS = {"hf_quant_config.json": "modelopt", "quantize_config.json": "gptq", "quant_config.json": "awq"}
_BLOCKS = ("quantization_config", "compression_config")


@dataclass(frozen=True, slots=True)
class ModuleSettings:
    """Settings, and the modules that they are for (None: every linear layer)."""

    settings: Mapping[str, Any]
    place: Place
    modules: Modules | None = None


@dataclass(frozen=True, slots=True)
class Quantisation:
    """One block of a configuration: its method, the scheme that knows it (None: nothing does), its entries."""

    method: str
    scheme: Scheme | None
    place: Place
    block: Mapping[str, Any]
    entries: tuple[ModuleSettings, ...]
    single: Mapping[str, ModuleSettings | None]
    ignore: tuple[tuple[Modules, Place], ...]

    def of(self, module: str) -> ModuleSettings | None:
        """The settings of a module; None where it has none (another gate of the list says whether it is named)."""
        if module in self.single:
            return self.single[module]
        named = (entry for entry in self.entries if entry.modules is not None)
        found = next((entry for entry in named if entry.modules and entry.modules.naming_of(module)), None)
        return found or next((entry for entry in self.entries if entry.modules is None), None)

    def ignored(self, module: str) -> tuple[str, Place] | None:
        """The entry that says a module stays as it is, and where it stands."""
        if module in self.single and self.single[module] is None:
            return module, replace_key(self.place, module)
        for modules, place in self.ignore:
            if (entry := modules.naming_of(module)) is not None:
                return entry, place
        return None

    def may_ignore(self, module: str) -> bool:
        """Whether a list could name the module to some reader."""
        return any(modules.may_name(module) for modules, _ in self.ignore)

    @property
    def dense(self) -> bool:
        """Whether the block itself says that nothing is packed yet."""
        if self.scheme is None:
            return False
        return any(lookup(self.block, key) in values for key, values in self.scheme.dense.items())

    @property
    def every_linear(self) -> bool:
        """Whether readers expect every linear layer packed that no list names."""
        return self.scheme is not None and self.scheme.every_linear and any(e.modules is None for e in self.entries)


def quantisations(artifact: Artifact, schemes: Sequence[Scheme]) -> tuple[Quantisation, ...]:
    """Every block that declares packed weights; config.json's before those of other files."""
    return tuple(_quantisation(method, place, block, schemes) for method, place, block in _blocks(artifact))


def lookup(mapping: Mapping[str, Any], path: str) -> Value:
    """The plain value under a dotted path, numbers leading into lists; None where there is none."""
    value: Any = mapping
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return value if isinstance(value, str | int | bool) else None


def settings_of(layout: StorageLayout, mapping: Mapping[str, Any]) -> dict[str, Value]:
    """The settings of a layout as a mapping gives them, defaults where it does not."""
    return {name: _setting(setting, mapping) for name, setting in layout.settings.items()}


def declares(layout: StorageLayout, mapping: Mapping[str, Any]) -> bool:
    """Whether a mapping may mean this layout: nothing it says is of another."""
    return meets(layout.when, {key: lookup(mapping, key) for key in layout.when})


def replace_key(place: Place, key: str) -> Place:
    """The place of a key inside the block."""
    return place.model_copy(update={"key": f"{place.key}.{key}" if place.key else key})


def _setting(setting: Setting, mapping: Mapping[str, Any]) -> Value:
    values = (lookup(mapping, key) for key in setting.keys)
    return next((value for value in values if value is not None), setting.default)


def _blocks(artifact: Artifact) -> Iterator[tuple[str, Place, Mapping[str, Any]]]:
    config, sidecars = artifact.config or {}, artifact.sidecars
    if not artifact.form.beside:
        return
    file = sidecars["config"].path.name if "config" in sidecars else "config.json"
    mlx = config.get("quantization")
    nested = [value for value in config.values() if isinstance(value, dict)][:64]
    if isinstance(mlx, dict) and ("bits" in mlx or "mode" in mlx):
        yield "mlx", Place(file=file, key="quantization"), mlx
    else:
        for holder in (config, *nested):
            for key in _BLOCKS:
                block = holder.get(key)
                if isinstance(block, dict) and block:
                    yield _method(block), Place(file=file, key=key), block
    if "quantization" in sidecars and artifact.quantization:
        name = sidecars["quantization"].path.name
        block = artifact.quantization.get("quantization", artifact.quantization)
        if isinstance(block, dict) and block:
            by_name = next((method for end, method in _SIDECARS.items() if name.endswith(end)), "")
            method = block.get("quant_method")
            yield method if isinstance(method, str) else by_name, Place(file=name), block


def _method(block: Mapping[str, Any]) -> str:
    """The method of a block; older ones and MLX's mirror do not say it."""
    said = block.get("quant_method")
    if isinstance(said, str):
        return said[:80]
    if "load_in_4bit" in block or "load_in_8bit" in block:
        return "bitsandbytes"
    if "quant_algo" in block:
        return "modelopt"
    if "config_groups" in block:
        return "compressed-tensors"
    return "mlx" if "bits" in block and "group_size" in block else "unnamed"


def _quantisation(method: str, place: Place, block: Mapping[str, Any], schemes: Sequence[Scheme]) -> Quantisation:
    scheme = next((scheme for scheme in schemes if method.lower() in scheme.methods), None)
    bare = Quantisation(method, scheme, place, block, (ModuleSettings(block, place),), {}, ())
    if scheme is None:
        return bare
    single, patterns, left = _modules(scheme, place, block)
    lists = [(Modules.of(block.get(key), scheme.naming), replace_key(place, key)) for key in scheme.ignore]
    ignore = tuple(one for one in (*lists, *left) if one[0].entries)
    return replace(bare, entries=(*patterns, *_groups(scheme, place, block)), single=single, ignore=ignore)


def _groups(scheme: Scheme, place: Place, block: Mapping[str, Any]) -> Iterator[ModuleSettings]:
    """Named groups (those of single modules and patterns first), or the block itself."""
    groups = block.get(scheme.groups) if scheme.groups is not None else None
    if not isinstance(groups, dict):
        yield ModuleSettings(block, place)
        return
    rest = []
    for name, group in list(groups.items())[:_ENTRIES]:
        if not isinstance(group, dict) or group.get("weights") is None:
            continue
        settings = {**block, **{key: value for key, value in group.items() if value is not None}}
        at = replace_key(place, f"{scheme.groups}.{name[:80]}")
        targets = [target for target in _listed(group.get("targets")) if isinstance(target, str)]
        named = [target for target in targets if target.startswith("re:") or "." in target]
        if named:
            yield ModuleSettings(settings, at, Modules.of(named, "exact"))
        if len(named) < len(targets) or not targets:
            rest.append(ModuleSettings(settings, at))
    yield from rest


def _modules(
    scheme: Scheme, place: Place, block: Mapping[str, Any]
) -> tuple[dict[str, ModuleSettings | None], list[ModuleSettings], list[tuple[Modules, Place]]]:
    """Settings of single modules (None: it stays as it is), of patterns, and patterns of modules that stay."""
    single: dict[str, ModuleSettings | None] = {}
    patterns: list[ModuleSettings] = []
    left: list[tuple[Modules, Place]] = []
    if scheme.methods == ("mlx",):
        named = [(key, value) for key, value in block.items() if isinstance(value, dict) or value is False]
    else:
        named = [(k, v) for key in scheme.modules for k, v in _items(block.get(key)) if isinstance(v, dict)]
    for key, value in named[:_ENTRIES]:
        at = replace_key(place, key[:200])
        stays = value is False or (isinstance(value, dict) and lookup(value, "bits") in (16, 32))
        settings = {**block, **value} if isinstance(value, dict) else {}
        if key.startswith(("-:", "+:")) or any(mark in key for mark in "*^$[("):
            text = key.removeprefix("-:").removeprefix("+:")
            modules = Modules.of(["re:" + text if scheme.naming != "glob" else text], scheme.naming)
            if stays or key.startswith("-:"):
                left.append((modules, at))
            else:
                patterns.append(ModuleSettings(settings, at, modules))
        else:
            single[key] = None if stays else ModuleSettings(settings, at)
    return single, patterns, left


def _items(value: object) -> list[tuple[str, Any]]:
    return [(key, item) for key, item in value.items() if isinstance(key, str)] if isinstance(value, dict) else []


def _listed(value: object) -> list[object]:
    return value[:_ENTRIES] if isinstance(value, list) else []
