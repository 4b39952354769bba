"""Owns the packages of third parties that were named: what they offer under which entry points, and how they fail.

Nothing is looked for: a package is asked for its entry points when a person named it, and an entry point is imported
when what it gives is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Group = Literal["kinds", "reporters", "runtimes"]
GROUPS: tuple[Group, ...] = ("kinds", "reporters", "runtimes")
#: What an entry point may be called: what kinds of checks, formats of reports and runtimes are called.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}", re.ASCII)


class PluginRefused(Exception):
    """A plugin that was named and cannot be used: it is not installed, offers nothing, or shadows (one line)."""


class PluginFailed(Exception):
    """A plugin that was asked for something failed: whose fault it is, and in its own words what happened."""

    def __init__(self, plugin: Plugin, what: str, error: BaseException | str) -> None:
        said = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        super().__init__(f"the plugin {plugin} failed: {what}: {' '.join(said.split())[:200]}")


@dataclass(frozen=True)
class Plugin:
    """A package that was named, its version, and its entry points in our groups."""

    name: str
    version: str
    points: tuple[tuple[Group, EntryPoint], ...]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def offers(self, group: Group) -> tuple[str, ...]:
        """Names of what it gives, sorted."""
        return tuple(sorted(point.name for own, point in self.points if own == group))


@dataclass(frozen=True, eq=False)
class Offer:
    """One thing that a plugin gives."""

    plugin: Plugin
    group: Group
    name: str
    point: EntryPoint

    @cached_property
    def _loaded(self) -> Any:
        try:
            return self.point.load()
        except (Exception, SystemExit) as error:
            raise PluginFailed(self.plugin, f"{self.point.value} cannot be imported", error) from error

    def load(self) -> Any:
        """What the entry point names, imported when it is first asked for. Raises PluginFailed."""
        return self._loaded


class _Named:
    plugins: tuple[Plugin, ...] = ()
    offers: dict[tuple[Group, str], Offer] = {}  # noqa: RUF012 -- replaced as a whole, never changed


def named() -> tuple[Plugin, ...]:
    """The plugins that were named, in that order."""
    return _Named.plugins


def use(names: Sequence[str]) -> None:
    """Make these packages the plugins, and no others. Raises PluginRefused; nothing of them is imported."""
    plugins = tuple({plugin.name: plugin for plugin in map(_plugin, names)}.values())
    offers: dict[tuple[Group, str], Offer] = {}
    for plugin in plugins:
        for group, point in plugin.points:
            if (other := offers.get((group, point.name))) is not None:
                raise PluginRefused(f"{other.plugin} and {plugin} both offer {point.name!r} of {group}")
            offers[group, point.name] = Offer(plugin, group, point.name, point)
    _Named.plugins, _Named.offers = plugins, offers


def offer(group: Group, name: str) -> Offer | None:
    """What a plugin gives under a name (None: none gives it)."""
    return _Named.offers.get((group, name))


def names(group: Group) -> tuple[str, ...]:
    """The names of all that plugins give of a group, sorted."""
    return tuple(sorted(name for own, name in _Named.offers if own == group))


def refuse_shadows(group: Group, ours: Sequence[str]) -> None:
    """Raises PluginRefused for something that goes by the name of one of ours."""
    for name in names(group):
        if name in ours:
            whose = _Named.offers[group, name]
            raise PluginRefused(f"{whose.plugin} offers {name!r} of {group} ({whose.point.value}), which is shipped")


def _plugin(name: str) -> Plugin:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        found = distribution(name)
    except (PackageNotFoundError, ValueError):
        raise PluginRefused(f"--plugins {name}: no package of that name is installed") from None
    prefix = "model_contracts."
    points = [(group, point) for point in found.entry_points for group in GROUPS if point.group == f"{prefix}{group}"]
    if not points:
        groups = ", ".join(f"{prefix}{group}" for group in GROUPS)
        raise PluginRefused(f"--plugins {name}: the package has no entry point in {groups}")
    for group, point in points:
        if _NAME.fullmatch(point.name) is None:
            raise PluginRefused(f"--plugins {name}: {ascii(point.name)[:80]} is no name for one of its {group}")
    return Plugin(found.metadata["Name"] or name, found.version, tuple(points))
