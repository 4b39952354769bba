"""Owns what a training run left in tensor names: the wrapper of a compiler or of a sharded run, or a prefix on all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

#: Attributes that wrappers put into module names; no model's own class has one, so that every reader misses them.
WRAPPERS = {
    "_orig_mod": "torch.compile",
    "_fsdp_wrapped_module": "FullyShardedDataParallel",
    "_checkpoint_wrapped_module": "activation checkpointing",
    "_forward_module": "a Lightning strategy",
}
#: Wrappers that only ever stand at the beginning of a name: there they have to stand before every name.
_LEADING = {"module.": "DataParallel", "base_model.model.": "PEFT"}
#: Names that are looked at to decide what prefix could be cut.
_SAMPLED = 2000


def prefix(names: Collection[str], known: Callable[[str], str | None] | None) -> tuple[str, str]:
    """What stands before every name and belongs to none, and what left it there ("", "": nothing does).

    `known` says whether a family knows a name: with one, whatever prefix makes names known is such a prefix.
    """
    if not names:
        return "", ""
    first, last = min(names), max(names)
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    shared = first[: first.rfind(".", 0, same) + 1]
    leading = _leading(shared)
    if leading[0] or known is None or not shared or any(known(name) for name in _first(names)):
        return leading
    for end in (at + 1 for at, character in enumerate(shared) if character == "."):
        found = sum(known(name[end:]) is not None for name in _first(names))
        if 2 * found > min(len(names), _SAMPLED):
            return shared[:end], "whatever saved it"
    return "", ""


def _first(names: Iterable[str]) -> list[str]:
    return [name for _, name in zip(range(_SAMPLED), names, strict=False)]


def _leading(shared: str) -> tuple[str, str]:
    """The wrappers at the beginning of what all names share."""
    cut, by = "", ""
    while True:
        rest = shared[len(cut) :]
        found = next(
            ((mark, who) for mark, who in _marks() if rest.startswith(mark)),
            None,
        )
        if found is None:
            return cut, by
        cut, by = cut + found[0], by or found[1]


def _marks() -> Iterable[tuple[str, str]]:
    yield from ((f"{name}.", who) for name, who in WRAPPERS.items())
    yield from _LEADING.items()


def unwrapped(name: str) -> tuple[str, str]:
    """A name without the wrappers inside it, and the first of them ("": there is none)."""
    if "._" not in name and not name.startswith("_"):
        return name, ""
    parts = name.split(".")
    first = next((part for part in parts if part in WRAPPERS), "")
    return (".".join(part for part in parts if part not in WRAPPERS), first) if first else (name, "")
