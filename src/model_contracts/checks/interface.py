"""Owns what a check is: from an examination to comparisons and to what stays uncompared. The engine concludes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from model_contracts.anatomy.adapters.adaptation import Adaptation, adaptation
from model_contracts.anatomy.adapters.beside_pairs import with_added
from model_contracts.anatomy.claims import Claim, claims
from model_contracts.anatomy.hypotheses.budgets import Budgets
from model_contracts.anatomy.hypotheses.folded import Folded, Folds
from model_contracts.anatomy.pairing.match import Match, match
from model_contracts.anatomy.parts.recognised import OF_A_PAIR, WEIGHTLESS
from model_contracts.anatomy.parts.recognised import not_owed as not_owed_by
from model_contracts.anatomy.storage.recognised import Storage
from model_contracts.anatomy.towers import TowerView, towers_of, view_of
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact, Tensor
from model_contracts.checks.drafts import Draft, Gap
from model_contracts.checks.trial import Trial
from model_contracts.family import Families, Family
from model_contracts.formats.repository import PIPELINE
from model_contracts.outcome import Comparison, Counterexample, Record, SkipCause, Uncompared
from model_contracts.recipes import Recipes
from model_contracts.sweep.interface import Sweep, SweepRequest
from model_contracts.vocabulary import Tokenizer

if TYPE_CHECKING:
    from model_contracts.golden import Golden
    from model_contracts.inference.sessions import Sessions


class Skip(Exception):
    """Nothing can be compared: the cause, and the reason a reader is told."""

    def __init__(self, cause: SkipCause, reason: str) -> None:
        super().__init__(reason)
        self.cause, self.reason = cause, reason


class CannotWork(Exception):
    """The machine did not allow what a gate has to do (a full disk): an Error in one line, and no verdict on a file."""


def not_owed(reason: str) -> Skip:
    """This kind of artifact owes nothing here; the decision is left alone."""
    return Skip("not_owed", reason)


def missing_input(reason: str) -> Skip:
    """Something the comparison needs is not there; a `must` stays unproven."""
    return Skip("missing_input", reason)


def family_of(view: View) -> Family:
    """The family of an artifact; raises Skip where it says nothing or says a word that no family knows."""
    if view.family is None:
        raise missing_input(str(view.unknown))
    return view.family


def owed_to(examination: Examination, check: str) -> None:
    """Raises Skip where the target is a part of a model that owes nothing to a kind of check."""
    target = examination.target
    if (reason := not_owed_by(examination.view.part, check, target.tokenizer)) is not None:
        raise not_owed(reason)
    part = examination.view.part
    held = part.name == "adapter" and check in OF_A_PAIR and examination.source is not None
    if held and examination.base_view.part.whole:
        raise not_owed(f"this is {part}, and its source the base that it is for: G0-ADAPTER-003 holds it to that")
    towers = isinstance(examination.view, TowerView) and examination.view.family is not None
    known = towers or part.name == "draft"
    if check == "pair_hyperparameters" and not part.whole and part.name not in WEIGHTLESS and not known:
        raise missing_input(f"this is {part}: which values it declares, and what they mean, is not known")


def owed_to_schemes(view: View) -> Storage:
    """The packed weights of an artifact and what declares them; raises Skip where there is neither."""
    if not view.storage.declared and not view.storage.weights:
        raise not_owed("no configuration declares packed weights, and no tensor is part of one")
    return view.storage


def tokenizer_of(artifact: Artifact) -> Tokenizer:
    """The tokenizer of an artifact; raises Skip where there is none."""
    if artifact.tokenizer is None and of_pipeline(artifact):
        raise not_owed("this is a component of a pipeline, in which the tokenizer is another component")
    if artifact.tokenizer is None:
        raise missing_input(_no_tokenizer(artifact, "the artifact carries no tokenizer"))
    return artifact.tokenizer


def of_pipeline(artifact: Artifact) -> bool:
    """Whether the folder above says that it is made of several models: the tokenizer lies in a folder of its own."""
    folder = artifact.path if artifact.layout != "file" else artifact.path.parent
    return artifact.form.beside and (folder.parent / PIPELINE).is_file()


def _no_tokenizer(artifact: Artifact, otherwise: str) -> str:
    """Why there is no tokenizer to be had: what lies there and is not read is named."""
    said = (
        f"{name} lies beside the weights and is not read: {why}" for name, why in artifact.unread_tokenizers.items()
    )
    return next(said, otherwise)


class NoParameters(Record):
    """A check without parameters."""


Where = Callable[..., str]
#: What a check yields: what it compared, and what it owed and could not compare.
Told = Comparison | Uncompared | Draft | Gap
Comparisons = Iterator[Told]
#: Starts one pass over the bytes that a request names, and gives back what waits for it.
Sweeper = Callable[[SweepRequest], Callable[[], Sweep]]


@dataclass
class Examination:
    """One target, and its source where there is one, with everything that checks share. Nothing is read twice."""

    target: Artifact
    source: Artifact | None
    families: Families
    recipes: Recipes
    sweeper: Sweeper
    request: Claim | None = None
    #: What a model answered, where the target is held to it.
    golden: Golden | None = None
    #: What both are run with beside our own runtimes, by name or by the path of its definition.
    runtime: str | None = None
    #: Runtimes that other examinations use too; they are ended by whoever opened them.
    shared: Sessions | None = None
    #: The adapter that the target is to have, merged into the source.
    adapter: Artifact | None = None
    #: Why a contract that lies beside the target could not be used.
    refused: str | None = None
    _pass: Callable[[], Sweep] | None = field(default=None, repr=False)
    _folds: Folds | None = field(default=None, repr=False)
    _sweep: Sweep | None = field(default=None, repr=False)

    @cached_property
    def sessions(self) -> Sessions:
        """The runtimes of a run, opened when first asked for."""
        from model_contracts.inference.sessions import Sessions

        return self.shared or Sessions()

    def end(self) -> None:
        """End the runtimes that were opened for this examination alone."""
        if "sessions" in self.__dict__ and self.shared is None:
            self.sessions.close()

    @cached_property
    def view(self) -> View:
        """The target, understood."""
        return view_of(self.target, self.families, self.source)

    @cached_property
    def towers(self) -> TowerView | None:
        """What of the target is beside its language model, understood (None: nothing is)."""
        return towers_of(self.view)

    def reading(self, name: str) -> View:
        """The view that understands a tensor of the target: that of its towers, or of all else."""
        towers = self.towers
        return towers if towers is not None and name in towers.artifact.tensors else self.view

    @cached_property
    def source_view(self) -> View:
        """The source, understood. Only for checks of a pair."""
        base = self.base_view
        return base if self.adapter is None else replace(base, instead=self.adapted.instead)

    @cached_property
    def base_view(self) -> View:
        """The source as it stands, without the adapter."""
        if self.source is None:
            raise missing_input("no source was given (--against SOURCE)")
        view = view_of(self.source, self.families, self.target)
        # A file of towers is held to the towers of its source.
        return (towers_of(view) or view) if isinstance(self.view, TowerView) else view

    @cached_property
    def adapted(self) -> Adaptation:
        """What the source becomes with the adapter: that of `--adapter`, or the target where that is one."""
        adapter = self.adapter if self.adapter is not None else self.target
        return adaptation(adapter, self.base_view)

    @cached_property
    def match(self) -> Match:
        """The bijection between the two."""
        found = match(self.view, self.source_view)
        return found if self.adapter is None else with_added(found, self.adapted)

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """What the target says of its element types."""
        return tuple(claims(self.target, self.recipes))

    @property
    def intent(self) -> Claim | None:
        """What decides the types of a conversion: the request, else the first claim that is understood."""
        return self.request or next((claim for claim in self.claims if claim.recipe is not None), None)

    def begin(self) -> None:
        """Start the pass; gates that read no value go on meanwhile."""
        self._pass = self.sweeper(self._request())

    @cached_property
    def sweep(self) -> Sweep:
        """The one pass over the bytes: moments, pair measures and digests (law 8)."""
        if self._pass is None:
            self.begin()
        assert self._pass is not None
        self._sweep = self._pass()
        return self._sweep

    @cached_property
    def read(self) -> dict[str, Tensor]:
        """What the pass looks at, by name (the first of two equal names)."""
        found: dict[str, Tensor] = {}
        for container in self.view.artifact.containers:
            for tensor in container.tensors:
                for one in _read(tensor):
                    found.setdefault(one.name, one)
        return found

    def folded(self, name: str, budgets: Budgets) -> Folded | None:
        """What explains a pair whose scales were moved between layers (only of packed weights)."""
        if self._folds is None:
            named = {self.view.canonical[found]: pairing for found, pairing in self.match.pairings.items()}
            packed = any(pairing.target.packed is not None for pairing in named.values())
            known = {key: pairing for key, pairing in named.items() if key is not None} if packed else {}
            self._folds = Folds(known, budgets)
        return self._folds.of(self.view.canonical[name]) if self._folds.pairings else None

    def _request(self) -> SweepRequest:
        target, logical = self.target, self.view.artifact
        sides = (target, self.source, self.adapter)
        files = [file for side in sides if side is not None for file in side.files]
        pairings = self.match.pairings if self.source is not None else {}
        # Equal names in two shards hold different bytes: every tensor of every container is looked at.
        tensors = [one for held in logical.containers for tensor in held.tensors for one in _read(tensor)]
        return SweepRequest(tensors, pairings, files)

    @property
    def swept(self) -> Sweep | None:
        """The pass, if a check has asked for it."""
        return self._sweep


def _read(tensor: Tensor) -> tuple[Tensor, ...]:
    """What the pass looks at of a tensor: a packed weight that nothing decodes is its parts."""
    packed = tensor.packed
    return (tensor,) if packed is None or packed.unread is None else packed.parts


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of check: the type of its parameters and the function that yields comparisons."""

    parameters: type[Record]
    run: Callable[[Examination, Any, Where, Trial], Comparisons]
    #: A stored counterexample again, without Hypothesis (None: what it takes to run again is not stored).
    again: Callable[[Examination, Any, Counterexample], Comparison] | None = None
    #: Whether past counterexamples of the invariant are run before anything is generated.
    tries: bool = True
    #: Whether it needs the pass over the bytes.
    reads_values: bool = False
    #: Whether it is about the container itself: it has a say on a file that cannot be parsed, and waits for the pass,
    #: since the ledger of a container takes in what reading the bytes and the tokenizer brought up.
    of_container: bool = False

    @property
    def after_the_pass(self) -> bool:
        """Whether it waits until the bytes were read."""
        return self.reads_values or self.of_container


def static(
    parameters: type[Record],
    run: Callable[[Examination, Any, Where], Comparisons],
    *,
    reads_values: bool = False,
    of_container: bool = False,
) -> Kind:
    """A kind that generates nothing: it takes no trial."""

    def untried(examination: Examination, held: Any, where: Where, trial: Trial) -> Comparisons:
        return run(examination, held, where)

    return Kind(parameters, untried, tries=False, reads_values=reads_values, of_container=of_container)


def tokenizers_of(examination: Examination) -> tuple[Tokenizer, Tokenizer]:
    """Target's and source's tokenizer; raises Skip where either has none."""
    source = examination.source_view.artifact.tokenizer
    if source is None:
        raise missing_input(
            _no_tokenizer(examination.source_view.artifact, "the source carries no tokenizer to compare with")
        )
    target = examination.target.tokenizer
    if target is None:
        raise missing_input(_no_tokenizer(examination.target, "the target carries no tokenizer to compare"))
    return target, source
