"""Owns replaying: the stored counterexamples of a run, run again on its artifacts, without Hypothesis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Literal

from model_contracts import door
from model_contracts.artifact import Artifact
from model_contracts.checks import KINDS
from model_contracts.checks.interface import Examination, Skip
from model_contracts.converters.gather import with_tokenizer
from model_contracts.converters.interface import ConversionRefused
from model_contracts.definitions import DefinitionError, load_families, load_recipes
from model_contracts.engine import golden_files
from model_contracts.engine.plan import UsageError, step_of
from model_contracts.formats.interface import Unreadable
from model_contracts.formats.opening import open_artifact
from model_contracts.outcome import FALSIFIED, KEPT, NOT_PROVEN, Comparison, Evidence, ExitCode, Outcome, Run, Subject
from model_contracts.runtimes.interface import Crashed, RuntimeFailure, TimedOut, WrongAnswer
from model_contracts.sweep.apart import start

Now = Literal["falsified", "holds", "not replayed"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """One counterexample, run again: what is seen now, and what has changed since."""

    outcome: Outcome
    now: Now
    reason: str
    comparison: Comparison | None = None
    changed: tuple[str, ...] = ()


def replay(evidence: Evidence, run: Run, gates: Sequence[str] = ()) -> Iterator[Replayed]:
    """Run the stored counterexamples of the gates that match again. Raises UsageError for a gate without an outcome."""
    for pattern in gates:
        if not any(fnmatchcase(outcome.gate_id, pattern) for outcome in evidence):
            raise UsageError(f"{pattern}: the evidence holds no outcome of such a gate")
    for outcome in evidence:
        if outcome.counterexample is None:
            continue
        if not gates or any(fnmatchcase(outcome.gate_id, pattern) for pattern in gates):
            yield _again(outcome, run)


def exit_code(replayed: Sequence[Replayed]) -> ExitCode:
    """1: one still falsifies. 3: one could not be replayed, or there was none. 0: all hold now."""
    if any(one.now == "falsified" for one in replayed):
        return FALSIFIED
    return NOT_PROVEN if not replayed or any(one.now == "not replayed" for one in replayed) else KEPT


def _again(outcome: Outcome, run: Run) -> Replayed:
    stored = outcome.counterexample
    assert stored is not None
    try:
        step = step_of(outcome.contract, outcome.invariant, outcome.gate_id)
        kind = KINDS.get(step.gate.check)
        if kind is None or kind.again is None:
            return Replayed(outcome, "not replayed", f"inputs of {step.gate.check} cannot be run again from evidence")
        examination = _examination(outcome, run)
    except (Unreadable, UsageError, DefinitionError, ConversionRefused, golden_files.GoldenRefused) as error:
        return Replayed(outcome, "not replayed", str(error))
    changed = tuple(_changed(outcome, run))
    with examination.sessions:
        try:
            comparison = kind.again(examination, step.parameters, stored)
        except Skip as skip:
            return Replayed(outcome, "not replayed", skip.reason, changed=changed)
        except (Crashed, TimedOut, WrongAnswer) as failure:
            return Replayed(outcome, "falsified", failure.reason, changed=changed)
        except RuntimeFailure as failure:
            return Replayed(outcome, "not replayed", failure.reason, changed=changed)
    now: Now = "holds" if comparison.holds else "falsified"
    return Replayed(outcome, now, comparison.note or comparison.measure, comparison, changed)


def _examination(outcome: Outcome, run: Run) -> Examination:
    target = _opened(outcome.subject)
    source = _opened(outcome.subject.against) if outcome.subject.against is not None else None
    if source is not None and (given := _word_after(run.command, "--tokenizer")) is not None:
        source = with_tokenizer(source, Path(given))[0]
    golden = _word_after(run.command, "--golden")
    held = golden_files.read(Path(golden)) if golden is not None else None
    sweeper, runtime = partial(start, progress=None), _word_after(run.command, "--runtime")
    return Examination(target, source, load_families(), load_recipes(), sweeper, golden=held, runtime=runtime)


def _opened(subject: Subject) -> Artifact:
    return open_artifact(Path(subject.path))


def _word_after(words: Sequence[str], option: str) -> str | None:
    for at, word in enumerate(words):
        if word == option and at + 1 < len(words):
            return words[at + 1]
        if word.startswith(f"{option}="):
            return word.removeprefix(f"{option}=")
    return None


def _changed(outcome: Outcome, run: Run) -> Iterator[str]:
    """Files that are not what they were when the evidence was written, of those whose digests it holds."""
    subjects = {outcome.subject.path, outcome.subject.against.path if outcome.subject.against is not None else ""}
    then = dict(outcome.counterexample.files) if outcome.counterexample is not None else {}
    for record in run.artifacts:
        if record.path in subjects:
            place = Path(record.path)
            folder = place if place.is_dir() else place.parent
            then |= {str(folder / file.name): file.digest for file in record.files if file.digest is not None}
    for path, digest in then.items():
        now = _digest(Path(path))
        if now != digest:
            yield f"{path} {'is gone' if now is None else 'has changed'} since the evidence was written"


def _digest(path: Path) -> str | None:
    from blake3 import blake3

    digest = blake3(max_threads=blake3.AUTO)
    try:
        door.fed(path, digest)
    except OSError:
        return None
    return f"blake3:{digest.hexdigest()}"
