"""Owns what the files that a set lacks could hold: which tensors of a target may answer to something in them."""

from __future__ import annotations

from dataclasses import dataclass

from model_contracts.anatomy.view import View


@dataclass(frozen=True, slots=True)
class Absent:
    """What is not there of a source, under the names by which a pair is found."""

    reason: str
    #: None where no index says what the files hold.
    keys: frozenset[str] | None
    modules: frozenset[str]
    #: Whether an output head may be the embedding, which is not there.
    head: bool

    def may_hold(self, key: str) -> bool:
        """Whether a tensor of the target under this name may have its counterpart there."""
        return self.keys is None or key in self.keys or (self.head and key == "output.weight")

    def may_complete(self, bare: str) -> bool:
        """Whether a tensor of the source under a name that no family knows may be one part of a weight there."""
        return self.keys is None or _module(bare) in self.modules


def absent(source: View) -> Absent | None:
    """What the source's missing files could hold (None: no file is missing)."""
    lost = source.stored.lost
    if lost is None:
        return None
    more = f" and {len(lost.files) - 1:,} files more are" if len(lost.files) > 1 else " is"
    what = "its index says that this tensor stands there" if lost.tensors is not None else "what it holds is not known"
    reason = f"the source is not whole: {lost.files[0]}{more} not there, and {what}"
    if lost.tensors is None:
        return Absent(reason, None, frozenset(), head=True)
    bare = {source.without_prefix(name) for name in lost.tensors}
    keys = frozenset(bare | {key for name in bare if (key := _key(name, source)) is not None})
    head = source.tied is not False and "token_embd.weight" in keys
    return Absent(reason, keys, frozenset(map(_module, bare)), head)


def _key(bare: str, source: View) -> str | None:
    """The canonical name of a tensor, or of the weight that it is a part of."""
    return source.find(bare) or source.find(f"{_module(bare)}.weight")


def _module(name: str) -> str:
    return name.rpartition(".")[0]
