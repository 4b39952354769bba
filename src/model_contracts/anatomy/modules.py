"""Owns lists of modules in a configuration: which entry names a module, by each writer's way of matching, bounded."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property

from model_contracts.scheme import Naming

#: Entries looked at, characters of one, and steps that regular expressions may take in all at the worst.
_ENTRIES, _LONGEST, _STEPS = 20_000, 300, 200_000_000
_NUMBER = re.compile(r"\d+")
#: What may take more than a power of the name's length: groups repeated, references back, look-arounds, counts.
_UNBOUNDED = re.compile(r"\)[*+?{]|\\[1-9]|\(\?|\{|[*+?][*+]")


@dataclass
class Modules:
    """Entries of a list, matched as their writer does; `undecided` are those whose expression is not evaluated."""

    entries: tuple[str, ...]
    naming: Naming
    undecided: set[str] = field(default_factory=set)
    _known: dict[str, str | None] = field(default_factory=dict)
    _steps: int = 0

    @classmethod
    def of(cls, value: object, naming: Naming) -> Modules:
        """The strings of a list (or the keys of an object); anything else lists nothing."""
        listed = value if isinstance(value, list | tuple | dict) else ()
        return cls(tuple(dict.fromkeys(entry for entry in listed if isinstance(entry, str)))[:_ENTRIES], naming)

    def naming_of(self, module: str) -> str | None:
        """The entry that names a module beyond doubt; None where none does."""
        if module not in self._known:
            self._known[module] = self._look(module)
        return self._known[module]

    def may_name(self, module: str) -> bool:
        """Whether an entry could name it to some reader: it stands in the name, or was not evaluated."""
        if self.naming_of(module) is not None or self.undecided:
            return True
        return self.naming != "exact" and any(entry.strip("*.") in module for entry in self.entries)

    def _look(self, module: str) -> str | None:
        if module in self._exact:
            return module
        return next((entry for entry in self._others if self._matches(entry, module)), None)

    @cached_property
    def _exact(self) -> frozenset[str]:
        return frozenset(self.entries)

    @cached_property
    def _others(self) -> tuple[str, ...]:
        """Entries that may name a module other than by its whole name."""
        if self.naming != "exact":
            return self.entries
        return tuple(entry for entry in self.entries if entry.startswith("re:"))

    def _matches(self, entry: str, module: str) -> bool:
        if entry.startswith("re:"):
            return self._expression(entry[3:], module)
        if self.naming == "glob" and any(mark in entry for mark in "*?["):
            return len(entry) <= _LONGEST and entry.count("*") <= 8 and fnmatchcase(module, entry)
        return self.naming != "exact" and f".{entry.strip('.')}." in f".{module}."

    def _expression(self, text: str, module: str) -> bool:
        """Python's `re.match`, as compressed-tensors uses it, where its cost is bounded by the name's length."""
        if text in self.undecided:
            return False
        # Where the expression holds no digit, modules that differ by their numbers only are one.
        name = module if _NUMBER.search(text) else _NUMBER.sub("0", module)
        repeats = sum(text.count(mark) for mark in "*+")
        key = f"{text}\0{name}"
        if key in self._known:
            return self._known[key] is not None
        self._steps += len(name) ** min(repeats, 4)
        if len(text) > _LONGEST or repeats > 3 or _UNBOUNDED.search(text) or self._steps > _STEPS:
            self.undecided.add(text)
            return False
        try:
            found = re.match(text, name) is not None
        except (re.error, RecursionError, OverflowError):
            self.undecided.add(text)
            return False
        self._known[key] = text if found else None
        return found
