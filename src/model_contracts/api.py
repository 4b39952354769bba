"""Owns what a program imports from `model_contracts`: check, open, convert and read evidence, as the command does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike, fspath
from pathlib import Path

from model_contracts.artifact import Artifact
from model_contracts.contract import Clause, Contract
from model_contracts.engine import convert as conversions
from model_contracts.engine import evidence as kept
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import Checking
from model_contracts.formats import opening
from model_contracts.outcome import Comparison, Decision, Evidence, Outcome, Run
from model_contracts.reporters import reporter

__all__ = [
    "Checked",
    "Clause",
    "Comparison",
    "Contract",
    "Conversion",
    "Outcome",
    "Outcomes",
    "check",
    "convert",
    "load_evidence",
    "open_artifact",
]

Place = str | PathLike[str]
#: Examples of what other modules own; the docstrings there are those of the JSON Schemas.
__test__ = {
    "Outcome": """What happened to one gate: a record, frozen, with the fields of evidence.json.

    >>> from model_contracts import check
    >>> outcome = next(check("tiny-qwen2", only=["G0-TENSOR-001"]))
    >>> outcome.gate_id, str(outcome.outcome), outcome.force, outcome.skip_cause
    ('G0-TENSOR-001', 'Corroborated', 'must', None)
    >>> outcome.reason
    'the tensors of the family are all there, and no others: 50 compared'
    """,
    "Comparison": """One expected against one observed, at one place; an outcome lists those that did not hold first.

    >>> from model_contracts import Comparison, check
    >>> outcome = next(check("tiny-qwen2-Q4_K_M.gguf", against="tiny-qwen2", only=["F-CONTRACT-I4-001"]))
    >>> closest = outcome.comparisons[0]
    >>> isinstance(closest, Comparison), closest.holds, closest.bound_from is not None
    (True, True, True)
    """,
    "Contract": """A promise as data: clauses, each an invariant with its force and parameters; a file or one made here.

    >>> from model_contracts import Clause, Contract, check
    >>> finite = Contract(id="finite", title="values are numbers", clauses=(Clause(invariant="tensor/values"),))
    >>> checked = check("tiny-qwen2", contract=finite).finish()
    >>> [outcome.gate_id for outcome in checked.evidence], checked.kept
    (['G0-VALIDATE-001', 'G0-VALIDATE-002'], True)
    """,
    "Clause": """One invariant inside a contract; `gates` leaves the others out, `parameters` replaces its own.

    >>> from model_contracts import Clause
    >>> Clause(invariant="tensor/values", force="should").force
    'should'
    """,
    "Conversion": """What a conversion wrote, and what its check concluded.

    >>> from model_contracts import convert
    >>> conversion = convert("tiny-qwen2-Q4_K_M.gguf", "made.safetensors")
    >>> conversion.run.decision.word, sorted(conversion.files)[-1]
    ('kept', 'made.tokenizer_config.json')
    """,
}
Conversion = conversions.Conversion


class Checked:
    """What a finished run concluded: its evidence, the record of the run, and the decision.

    >>> from model_contracts import check
    >>> checked = check("tiny-qwen2", only=["G0-TENSOR-001"]).finish()
    >>> checked.kept, checked.decision.decided_by
    (True, ('G0-TENSOR-001',))
    >>> print(checked.report().splitlines()[0])
    KEPT  1 gate: 1 kept
    """

    def __init__(self, evidence: Evidence, run: Run) -> None:
        #: An outcome a gate, in the order of the plan.
        self.evidence = evidence
        self.run = run

    @property
    def decision(self) -> Decision:
        """The exit code of the command, its word, and the gates that decided it."""
        return self.run.decision

    @property
    def kept(self) -> bool:
        """Whether the contract is kept. What is not proven is not kept."""
        return self.decision.exit_code == 0

    def report(self, form: str = "text", *, width: int = 100, color: bool = False) -> str:
        """What `contracts check --format` prints. KeyError for a form that no reporter writes."""
        return reporter(form)(self.evidence, self.run, width=width, color=color)

    def write(self, directory: Place, *, force: bool = False) -> tuple[Path, Path]:
        """Write evidence.json and run.json, whole or not at all. Raises engine.evidence.Unusable."""
        return kept.write(Path(directory), self.evidence, self.run, force=force)


class Outcomes(Iterator[Outcome]):
    """A run as it goes: an iterator of outcomes, each when it is known.

    What reads no values comes first, while the bytes are read: such an outcome names no digest of its subject yet.
    The evidence of `finish()` has it, and stands in the order of the plan.

    >>> from model_contracts import check
    >>> with check("tiny-qwen2", only=["G0-TENSOR-001", "G0-VALIDATE-001"]) as outcomes:
    ...     [(outcome.gate_id, outcome.subject.digest is None) for outcome in outcomes]
    [('G0-TENSOR-001', True), ('G0-VALIDATE-001', False)]
    """

    def __init__(self, checking: Checking) -> None:
        self._checking = checking

    def __next__(self) -> Outcome:
        return next(self._checking)

    def finish(self) -> Checked:
        """Evaluate what is left, and conclude."""
        return Checked(*self._checking.finish())

    def close(self) -> None:
        """End the run where it is, and the runtimes that it opened."""
        self._checking.close()

    def __enter__(self) -> Outcomes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check(
    *paths: Place,
    against: Place | None = None,
    adapter: Place | None = None,
    contract: Contract | Place | None = None,
    dtype: str | None = None,
    golden: Place | None = None,
    tokenizer: Place | None = None,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    seed: int | None = None,
    max_examples: int | None = None,
    time_budget: float | None = None,
    runtime: str | None = None,
) -> Outcomes:
    """Hold model files to a contract: what `contracts check` does, with its options.

    `contract` is an id, a file or a `Contract`; none: `default`, `conversion` where a source is given, `adapter` where
    an adapter is given that is to be merged into it. `time_budget` is in seconds a property.
    The files are opened before this returns; they are read as outcomes are asked for.

    Raises formats.interface.Unreadable for a path that cannot be opened, engine.plan.UsageError for what is asked and
    does not exist, definitions.DefinitionError for a contract that says something else than a contract does. What a
    file holds raises nothing: it becomes outcomes.

    >>> from model_contracts import check
    >>> outcomes = check("tiny-qwen2-Q4_K_M.gguf", against="tiny-qwen2", only=["F-CONTRACT-I2-001"])
    >>> for outcome in outcomes:
    ...     print(outcome.gate_id, outcome.outcome, f"{outcome.compared} of {outcome.owed}")
    F-CONTRACT-I2-001 Corroborated 50 of 50
    >>> outcomes.finish().decision.word
    'kept'
    """
    request = CheckRequest(
        paths=tuple(Path(path) for path in paths),
        against=_path(against),
        adapter=_path(adapter),
        contract=contract if isinstance(contract, Contract) else None if contract is None else fspath(contract),
        dtype=dtype,
        golden=_path(golden),
        tokenizer=_path(tokenizer),
        only=tuple(only),
        skip=tuple(skip),
        seed=seed,
        max_examples=max_examples,
        time_budget=time_budget,
        runtime=runtime,
        command=("model_contracts.check", *(fspath(path) for path in paths)),
    )
    return Outcomes(Checking((request,)))


def open_artifact(path: Place) -> Artifact:
    """The model at a path: a file, a shard or index of a set, or a folder; its header is read, its values are not.

    Raises formats.interface.Unreadable where the system gives nothing, and where a folder holds several models. What
    is wrong with the bytes stands in the ledgers of the artifact and of its containers.

    >>> from model_contracts import open_artifact
    >>> artifact = open_artifact("tiny-qwen2-Q4_K_M.gguf")
    >>> artifact.format, len(artifact.tensors), artifact.tensors["blk.0.attn_q.weight"].shape
    ('gguf', 50, (256, 256))
    """
    return opening.open_artifact(Path(path))


def convert(
    source: Place, target: Place, *, dtype: str | None = None, tokenizer: Place | None = None, force: bool = False
) -> Conversion:
    """Convert with our own converter, hold the result against its source, and only then give it its name.

    The formats are those of the names. Raises converters.interface.ConversionRefused; the target is then untouched. Of
    a result that its check falsified nothing is left: `target` of the conversion is None, `evidence` says why.

    >>> from model_contracts import convert
    >>> conversion = convert("tiny-qwen2", "made-Q8_0.gguf", dtype="Q8_0")
    >>> conversion.target.name, conversion.exit_code, len(conversion.evidence) > 20
    ('made-Q8_0.gguf', 0, True)
    """
    request = conversions.ConvertRequest(
        Path(source), Path(target), dtype, _path(tokenizer), force=force, command=("model_contracts.convert",)
    )
    return conversions.run(request)


def load_evidence(directory: Place) -> Checked:
    """The evidence that `contracts check -o DIR` kept; the weights are not needed.

    Raises engine.evidence.Unusable for what is absent, unreadable or not what the schemas say.

    >>> from model_contracts import check, load_evidence
    >>> _ = check("tiny-qwen2", only=["G0-TOKENIZER-001"]).finish().write("evidence")
    >>> checked = load_evidence("evidence")
    >>> [outcome.gate_id for outcome in checked.evidence if outcome.violated]
    []
    """
    return Checked(*kept.read(Path(directory)))


def _path(place: Place | None) -> Path | None:
    return None if place is None else Path(place)
