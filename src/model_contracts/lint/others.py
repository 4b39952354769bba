"""Owns what is wrong with families, recipes, schemes, playbooks and systems: names nobody has, things never met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from model_contracts.definitions import DefinitionError, known_ids, load_family, load_invariant
from model_contracts.definitions.errors import nearest
from model_contracts.dtypes import DTYPES
from model_contracts.family import Family
from model_contracts.lint.flaws import Flaw, flaw, of_error
from model_contracts.playbook import Playbook, System
from model_contracts.qualification.programs import refuse_programs
from model_contracts.recipes import Recipes


def flaws_of_family(family: Family) -> Iterator[Flaw]:
    """Words that find it, bases, and names of weights and hyper-parameters that it does not have."""
    known = known_ids("family")
    if not family.abstract and not (family.architectures or family.model_types or family.gguf):
        says = "no class, model type or GGUF architecture finds it, and it is no base (abstract)"
        yield flaw(family, "never applies", says, "id")
    if family.extends is not None and family.extends not in known:
        says = f"no family is called {family.extends!r}{nearest(family.extends, known)}"
        yield flaw(family, "unknown", says, "extends")
        return
    try:
        whole = load_family(family.id) if family.id in known else family
    except DefinitionError as error:
        yield of_error(error)
        return
    weights = [name for name, tensor in whole.tensors.items() if tensor is not None]
    for convention, stored in family.fused.items():
        for name, fused in stored.items():
            for at, of in enumerate(fused.of if fused is not None else ()):
                if of not in weights:
                    says = f"no weight of it is called {of!r}{nearest(of, weights)}"
                    yield flaw(family, "unknown", says, "fused", convention, name, "of", at)
    for name, tensor in family.tensors.items():
        for at, axis in enumerate(tensor.shape if tensor is not None else ()):
            for step, part in enumerate(axis):
                if isinstance(part, str) and part not in whole.hyperparameters:
                    says = f"no hyper-parameter of it is called {part!r}{nearest(part, whole.hyperparameters)}"
                    yield flaw(family, "unknown", says, "tensors", name, "shape", at, step)


def flaws_of_recipes(table: Recipes) -> Iterator[Flaw]:
    """Types that nobody knows, roles twice, formats none."""
    for name, recipe in table.recipes.items():
        start = ("recipes", name)
        for at, dtype in enumerate(recipe.types):
            yield from _type(table, dtype, *start, "types", at)
        for at, dtype in enumerate(recipe.vectors):
            yield from _type(table, dtype, *start, "vectors", at)
        roles: list[str] = []
        for at, role in enumerate(recipe.roles):
            if role.role in roles:
                yield flaw(table, "shadowed", f"the role {role.role!r} has a line already", *start, "roles", at)
            roles.append(role.role)
            for number, dtype in enumerate(role.types):
                yield from _type(table, dtype, *start, "roles", at, "types", number)
        if not recipe.formats:
            yield flaw(table, "never applies", "it is a label of no format", *start, "formats")


def _type(table: Recipes, dtype: str, *place: str | int) -> Iterator[Flaw]:
    if dtype not in DTYPES:
        yield flaw(table, "unknown", f"no element type is called {dtype!r}{nearest(dtype, DTYPES)}", *place)


def flaws_of_playbook(playbook: Playbook) -> Iterator[Flaw]:
    """A system that nobody has, and patterns that no gate answers to."""
    systems = known_ids("system")
    if playbook.system not in systems and f"qualification/systems/{playbook.system}" not in systems:
        says = f"no system is called {playbook.system!r}{nearest(playbook.system, systems)}"
        yield flaw(playbook, "unknown", says, "system")
    gates = _gates()
    named: list[str] = []
    for at, choice in enumerate(playbook.gates or ()):
        for number, pattern in enumerate(choice.gates):
            place = ("gates", at, "gates", number)
            if not any(fnmatchcase(gate, pattern) for gate in gates):
                yield flaw(playbook, "never applies", f"no gate is like {pattern!r}{nearest(pattern, gates)}", *place)
            if pattern in named:
                yield flaw(playbook, "shadowed", f"a choice before names {pattern!r}: the last one decides", *place)
            named.append(pattern)


def _gates() -> Iterable[str]:
    found = []
    for name in known_ids("invariant"):
        try:
            found += [gate.id for gate in load_invariant(name).gates]
        except DefinitionError:
            continue  # told of with the invariant
    return found


def flaws_of_system(system: System) -> Iterator[Flaw]:
    """Programs by their files, and names that nothing has."""
    try:
        refuse_programs(system)
    except DefinitionError as error:
        yield of_error(error, "unknown")
