"""Owns loading: an id or a path to a typed definition that knows the file and line of each of its values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from model_contracts import door
from model_contracts.contract import Contract
from model_contracts.definitions import known, shipped
from model_contracts.definitions.errors import DefinitionError, nearest
from model_contracts.definitions.families import FamilyFiles
from model_contracts.definitions.merge import Layer, flatten, merge_family
from model_contracts.definitions.shadows import merge_recipes, refuse_methods, refuse_words
from model_contracts.definitions.tree import MAX_BYTES, Tree, parse
from model_contracts.definitions.typed import Text, build
from model_contracts.family import Family
from model_contracts.invariant import Corpus, Definition, Invariant
from model_contracts.recipes import Recipes

if TYPE_CHECKING:
    from model_contracts.converter import CommandConverter
    from model_contracts.keys import Keys
    from model_contracts.scheme import Scheme
    from model_contracts.serving import ServingEngine
    from model_contracts.tokenization import PreTokenizers, Tokenizers

D = TypeVar("D", bound=Definition)

#: Kind to the module and the name of its type; types that a check never asks for took a twentieth of a small one.
_TYPES: dict[shipped.Kind, tuple[str, str]] = {
    "invariant": ("model_contracts.invariant", "Invariant"),
    "contract": ("model_contracts.contract", "Contract"),
    "family": ("model_contracts.family", "Family"),
    "recipes": ("model_contracts.recipes", "Recipes"),
    "keys": ("model_contracts.keys", "Keys"),
    "tokenizers": ("model_contracts.tokenization", "Tokenizers"),
    "pretokenizers": ("model_contracts.tokenization", "PreTokenizers"),
    "converter": ("model_contracts.converter", "CommandConverter"),
    "runtime": ("model_contracts.runtime", "CommandRuntime"),
    "corpus": ("model_contracts.invariant", "Corpus"),
    "playbook": ("model_contracts.playbook", "Playbook"),
    "tier": ("model_contracts.playbook", "Tier"),
    "system": ("model_contracts.playbook", "System"),
    "audit": ("model_contracts.sign", "Sign"),
    "scheme": ("model_contracts.scheme", "Scheme"),
    "engine": ("model_contracts.serving", "ServingEngine"),
}


class _DefinitionKinds(Mapping[shipped.Kind, type[Definition]]):
    """The table, each type imported when it is looked up."""

    def __getitem__(self, kind: shipped.Kind) -> type[Definition]:
        module, name = _TYPES[kind]
        return cast("type[Definition]", getattr(import_module(module), name))

    def __iter__(self) -> Iterator[shipped.Kind]:
        return iter(_TYPES)

    def __len__(self) -> int:
        return len(_TYPES)


#: What the ids of families of towers begin with.
TOWERS = "families/towers/"
KINDS: Mapping[shipped.Kind, type[Definition]] = _DefinitionKinds()
Asked = tuple[str, int | None, int | None]


def kind_of(cls: type[Definition]) -> shipped.Kind:
    """The kind whose definitions are of this class."""
    return next(kind for kind, place in _TYPES.items() if place == (cls.__module__, cls.__name__))


def load(cls: type[D], name: str | Path) -> D:
    """One definition as it is written (`extends` not followed).

    A `Path`, or text that ends in `.yaml` or `.yml` and is no known id, is a file; other text is an id: a shipped one,
    or one of a folder that is open.
    Raises DefinitionError for an unknown id, a file that cannot be read and whatever is wrong inside it.
    """
    return _load(cls, name, None)


def load_invariant(name: str | Path) -> Invariant:
    """An invariant by id or path."""
    return load(Invariant, name)


def load_corpus(invariant: str) -> Corpus | None:
    """The pinned inputs of an invariant; None where it has none."""
    name = f"corpus/{invariant}"
    if known.own(invariant) is not None:
        prefix, _, rest = invariant.partition("/")
        name = f"{prefix}/corpus/{rest}"
    return load(Corpus, name) if name in known.known_ids("corpus") else None


def load_recipes(name: str | Path = "recipes") -> Recipes:
    """The quantisation recipes, with the labels of folders that are open."""
    table = load(Recipes, name)
    own = known.known_ids("recipes")[len(shipped.shipped_ids("recipes")) :]
    return merge_recipes(table, [load(Recipes, one) for one in own]) if own else table


def load_keys(name: str | Path = "keys") -> Keys:
    """The table of declared keys."""
    from model_contracts.keys import Keys

    return load(Keys, name)


def load_tokenizers(name: str | Path = "tokenizers") -> Tokenizers:
    """What is known of kinds of tokenizers."""
    from model_contracts.tokenization import Tokenizers

    return load(Tokenizers, name)


def load_pretokenizers(name: str | Path = "pretokenizers") -> PreTokenizers:
    """What is known of ways of cutting text."""
    from model_contracts.tokenization import PreTokenizers

    return load(PreTokenizers, name)


def load_converter(name: str | Path) -> CommandConverter:
    """A command converter by id or path."""
    from model_contracts.converter import CommandConverter

    return load(CommandConverter, name)


def load_contract(name: str | Path) -> Contract:
    """A contract by id or path, with the clauses of all it extends (its own replace theirs, by invariant)."""
    return flatten(load(Contract, name), _contract_above)


def flattened(contract: Contract) -> Contract:
    """A contract that a program made, with the clauses of all it extends."""
    return flatten(contract, _contract_above)


def load_family(name: str | Path) -> Family:
    """A family by id or path, with the entries of all it extends (its own replace theirs; null takes a tensor away)."""
    return merge_family(load(Family, name), _family_above)


def load_families() -> FamilyFiles:
    """Every known family, merged; abstract ones too. Each is parsed when it is asked for.

    Raises DefinitionError for a word that two families claim, one of which is a user's.
    """
    return _families(known.open_folders())


@cache
def _families(folders: tuple[known.OwnFolder, ...]) -> FamilyFiles:
    if not folders:
        return _shipped_families(towers=False)
    families = _families(folders[:-1])
    own = {name: load_family(name) for name in folders[-1].by_kind.get("family", ())}
    refuse_words(tuple(own.values()), families)
    return families.beside(own)


@cache
def load_towers() -> FamilyFiles:
    """The families of towers and projectors, which stand beside a language model or in a file of their own (mmproj)."""
    return _shipped_families(towers=True)


def _shipped_families(*, towers: bool) -> FamilyFiles:
    names = (name for name in shipped.shipped_ids("family") if name.startswith(TOWERS) is towers)
    return FamilyFiles({name: shipped.shipped_path("family", name) for name in names}, load_family)


def load_schemes() -> tuple[Scheme, ...]:
    """Every known scheme of storage. Raises DefinitionError for a method that two folders claim."""
    return _schemes(known.open_folders())


@cache
def _schemes(folders: tuple[known.OwnFolder, ...]) -> tuple[Scheme, ...]:
    from model_contracts.scheme import Scheme

    if not folders:
        return tuple(load(Scheme, name) for name in shipped.shipped_ids("scheme"))
    schemes = list(_schemes(()))
    for folder in folders:
        own = [load(Scheme, name) for name in folder.by_kind.get("scheme", ())]
        refuse_methods(own, schemes)
        schemes += own
    return tuple(schemes)


@cache
def load_engines() -> tuple[ServingEngine, ...]:
    """Every serving engine of which facts are known; all are shipped."""
    from model_contracts.serving import ServingEngine

    return tuple(load(ServingEngine, name) for name in shipped.shipped_ids("engine"))


def hold_own() -> None:
    """Raises DefinitionError for the first definition of the open folders that is not well-typed, or shadows another.

    Before anything is read: a definition that is loaded half-way through a run would be an error of ours.
    """
    for folder in known.open_folders():
        for file in folder.files.values():
            _own(KINDS[file.kind], file)
    hold_shadows()


def hold_shadows() -> None:
    """Raises DefinitionError for a word, a method or a label of the open folders that another definition has."""
    kinds = {file.kind for folder in known.open_folders() for file in folder.files.values()}
    for kind, all_of in (("family", load_families), ("scheme", load_schemes), ("recipes", load_recipes)):
        if kind in kinds:
            all_of()


def invariant_of(contract: Contract, index: int) -> Invariant:
    """The invariant of a clause; an unknown id or gate is an error at the clause's own line."""
    clause = contract.clauses[index]
    invariant = _load(Invariant, clause.invariant, _asked(contract, "clauses", index, "invariant"))
    known = [gate.id for gate in invariant.gates]
    for at, gate in enumerate(clause.gates):
        if gate not in known:
            place = _asked(contract, "clauses", index, "gates", at)
            expected = f"a gate of {invariant.id} ({', '.join(known)})"
            raise DefinitionError(*place, expected, f"{gate!r}{nearest(gate, known)}")
    return invariant


def _contract_above(child: Contract, index: int) -> Contract:
    return _load(Contract, child.extends[index], _asked(child, "extends", index))


def _family_above(child: Family) -> Family:
    return _load(Family, child.extends or "", _asked(child, "extends"))


def _asked(definition: Definition, *pointer: str | int) -> Asked:
    """File, line and column of the value that names another definition."""
    origin = definition._origin
    if isinstance(origin, Layer):
        origin, pointer = origin.under(pointer)
    if isinstance(origin, Text) and (mark := origin.marks.get(pointer)):
        return origin.file, *mark.value
    return definition.where(*pointer), None, None


def _load(cls: type[D], name: str | Path, asked: Asked | None) -> D:
    kind = kind_of(cls)
    ids = known.known_ids(kind)
    if isinstance(name, str) and name in ids:
        own = known.own(name)
        return cast(D, _shipped(cls, name) if own is None else _own(cls, own))
    # A definition that names another names one that is known: nothing that is loaded may point at files.
    if asked is None and (isinstance(name, Path) or name.endswith((".yaml", ".yml"))):
        return _read(cls, Path(name), str(name))
    file, line, column = asked or (kind, None, None)
    whose = "a known" if known.open_folders() else "a shipped"
    expected = f"the id of {whose} {kind} ({', '.join(ids) if len(ids) <= 8 else 'contracts list'})"
    said = str(name)
    raise DefinitionError(file, line, column, expected, f"{said!r}{_elsewhere(said, ids) or nearest(said, ids)}")


def _elsewhere(name: str, ids: Iterable[str]) -> str:
    """Where an id may be that no open folder has: its prefix is that of a folder which nobody opened."""
    prefix, slash, _ = name.partition("/")
    opened = any(one.startswith(f"{prefix}/") for one in ids) or prefix in {f.prefix for f in known.open_folders()}
    return " (--definitions DIR opens a folder of yours)" if slash and prefix.isalnum() and not opened else ""


@cache
def _shipped(cls: type[D], name: str) -> D:
    kind = kind_of(cls)
    definition = _read(cls, shipped.shipped_path(kind, name), shipped.shown_path(kind, name))
    if definition.id != name:
        raise DefinitionError(*_asked(definition, "id"), f"the id {name!r}, as its path says", repr(definition.id))
    return definition


@cache
def _own(cls: type[D], file: known.OwnFile) -> D:
    return _typed(cls, file.tree, file.digest)


def _read(cls: type[D], path: Path, shown: str) -> D:
    return _typed(cls, *tree_of(path, shown))


def _typed(cls: type[D], tree: Tree, digest: str) -> D:
    definition = build(cls, tree)
    definition._origin = Text(tree, digest)
    return definition


def tree_of(path: Path, shown: str) -> tuple[Tree, str]:
    """The YAML of a file as plain values with their places, and the digest of its bytes. Raises DefinitionError."""
    from blake3 import blake3

    try:
        data = door.read(path, MAX_BYTES)
    except door.TooLong:
        raise DefinitionError(shown, 1, 1, f"a definition of at most {MAX_BYTES:,} bytes", "more") from None
    except OSError as error:
        raise DefinitionError(shown, None, None, "a definition file", (error.strerror or "no file").lower()) from None
    return parse(data, shown), f"blake3:{blake3(data).hexdigest()}"
