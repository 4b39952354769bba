"""Owns evidence on disk: written whole or not at all, validated against the shipped schemas before and after."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from model_contracts import door, resources
from model_contracts.engine import bounded_json
from model_contracts.engine.bounded_json import JsonRefused, bytes_of, cut, load, parse
from model_contracts.engine.forms import Form, records_of
from model_contracts.placing import place_all, standing, taken

if TYPE_CHECKING:  # validating a file needs the schemas and neither pydantic nor our types
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError as SchemaError

    from model_contracts.outcome import Evidence, Outcome, Run
    from model_contracts.tables import TensorTable

EVIDENCE, RUN, TENSORS = "evidence.json", "run.json", "tensors.json"
MAX_VIOLATIONS = 1000
Unusable = bounded_json.Unusable


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which a file is not what its schema says; `pointer` is a JSON pointer (RFC 6901)."""

    pointer: str
    message: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.message}"


def write(
    directory: Path,
    outcomes: Sequence[Outcome],
    run: Run,
    *,
    force: bool = False,
    tables: Sequence[TensorTable] = (),
) -> tuple[Path, Path]:
    """Write evidence.json, then run.json; both are validated first, and each replaces an earlier one in one step.

    tensors.json lies beside them where a run has tables of tensors, and that of an earlier run goes.
    Raises Unusable where the directory holds what `refuse_existing` refuses, where it cannot be made or written (a file
    of that name, no permission, a full disk),
    and where what is to be written is not what the schema says (the message names the first violation).
    """
    from model_contracts.outcome import written

    evidence, record = written(tuple(outcomes), run)
    files: list[tuple[Any, str]] = [(evidence, EVIDENCE), (record, RUN)]
    for value, pointer in files:
        if found := next(iter(violations(value)), None):
            raise Unusable(f"{pointer} is not written: {found}")
    playbook = run.playbook.id if run.playbook is not None else None
    refuse_existing(directory, playbook, force=force)
    again = bool(standing([directory / EVIDENCE, directory / RUN, directory / TENSORS]))
    if tables:
        from model_contracts.tables import written_tables

        files.append((written_tables(tuple(tables)), TENSORS))
    new: list[tuple[Path, Path]] = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for value, name in files:
            new.append((_beside(directory, name), directory / name))
            _fill(new[-1][0], value)
        _place(new, again)
        if not tables:
            (directory / TENSORS).unlink(missing_ok=True)
    except OSError as error:
        _unlink(new)
        kind = "is a file, not a directory" if directory.is_file() else (error.strerror or str(error)).lower()
        raise Unusable(f"{directory}: evidence is not written: {kind}") from None
    return directory / EVIDENCE, directory / RUN


def refuse_existing(directory: Path, playbook: str | None, *, force: bool) -> None:
    """Raise Unusable where a directory holds evidence that a run of this kind may not replace unasked.

    An earlier run of the same kind is replaced (a check by a check, a qualification by one of the same playbook); what
    another program wrote, or one of the two files without the other, is not.
    """
    if force or not (there := standing([directory / EVIDENCE, directory / RUN])):
        return
    try:
        run, records = load(directory / RUN), records_of(load(directory / EVIDENCE))
    except Unusable:
        run, records = None, None
    if isinstance(run, dict) and run.get("tool") == "model-contracts" and records is not None:
        book = run.get("playbook")
        same = (book.get("id") if isinstance(book, dict) else None) == playbook
        if same and records.form == "ours" and all(isinstance(one, dict) and "gate_id" in one for one in records.items):
            return
    raise Unusable(f"{taken(there)} (this is not the evidence of an earlier run of this kind)")


def _place(new: Sequence[tuple[Path, Path]], again: bool) -> None:
    try:
        place_all(new, replace=again)
    except FileExistsError as error:
        _unlink(new)
        raise Unusable(taken([Path(error.filename2 or new[0][1])])) from None


def _unlink(new: Sequence[tuple[Path, Path]]) -> None:
    for filled, _ in new:
        with suppress(OSError):  # what could not be made cannot be taken away either
            filled.unlink(missing_ok=True)


def read(directory: Path) -> tuple[Evidence, Run]:
    """The outcomes and the run of a directory. Raises Unusable for what is absent, unreadable or not valid."""
    from pydantic import TypeAdapter, ValidationError

    from model_contracts.outcome import Evidence, Run

    values = []
    for name in (EVIDENCE, RUN):
        path = directory / name
        value = load(path)
        if found := next(iter(violations(value)), None):
            raise Unusable(f"{path}: {found}")
        values.append(value)
    if not isinstance(values[0], list) or not isinstance(values[1], dict):
        raise Unusable(f"{directory}: {EVIDENCE} is an array of outcomes and {RUN} one object; these are not")
    try:
        return TypeAdapter(Evidence).validate_python(values[0]), Run.model_validate(values[1])
    except ValidationError as error:  # stricter than the schema by our own choice only
        raise Unusable(f"{directory}: {error.errors(include_url=False)[0]['msg']}") from None


def read_tables(directory: Path) -> tuple[TensorTable, ...]:
    """The tables of tensors of a directory (none: no such file). Raises Unusable for a file that is not valid."""
    from pydantic import ValidationError

    from model_contracts.tables import Tables

    path = directory / TENSORS
    if not standing([path]):
        return ()
    try:
        return Tables.model_validate(load(path)).tables
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Unusable(f"{path}: /{'/'.join(map(str, first['loc']))}: {first['msg']}") from None


def validate_file(path: Path) -> list[Violation]:
    """Every violation in a file of outcomes, a run, or the two as `check --format json` prints them (at most 1,000).

    Raises Unusable where the file cannot be read.
    """
    return validated(path)[1]


def validated(path: Path) -> tuple[Form, list[Violation]]:
    """Whose evidence a file is, by its form, and every violation of that form (at most 1,000)."""
    data = bytes_of(path)
    try:
        value = parse(data)
    except JsonRefused as refused:
        return "ours", [Violation("", str(refused))]
    records = records_of(value)
    return records.form if records else "ours", list(islice(violations(value), MAX_VIOLATIONS))


def violations(value: object) -> Iterator[Violation]:
    """The ways in which a value is not what the schema of its form says."""
    records = records_of(value)
    if records is not None and records.form == "founding":
        yield from _against("founding-evidence", records.items, records.base)
    elif isinstance(value, list):
        yield from _against("evidence", value, "")
        yield from _coherence(value, "")
    elif isinstance(value, dict) and {"run", "evidence"} <= value.keys() <= {"verdict", "run", "evidence"}:
        if "verdict" in value:
            yield from _against("verdict", value["verdict"], "/verdict")
        yield from _against("run", value["run"], "/run")
        yield from _against("evidence", value["evidence"], "/evidence")
        yield from _coherence(value["evidence"], "/evidence")
    elif isinstance(value, dict) and value.keys() == {"tables"}:
        yield from _against("tensors", value, "")
    elif isinstance(value, dict) and value.keys() & {"decision", "artifacts", "tool"}:
        yield from _against("run", value, "")
    else:
        yield Violation("", "expected an array of outcomes (evidence) or a run object, found neither")


def _against(name: str, value: object, base: str) -> Iterator[Violation]:
    for error in _checked_by(name).iter_errors(value):
        yield Violation(base + _pointer(error.absolute_path), _message(error))


@cache
def _checked_by(name: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(
        json.loads(door.read(resources.folder("schemas") / f"{name}.schema.json", bounded_json.MAX_BYTES))
    )


def _coherence(evidence: object, base: str) -> Iterator[Violation]:
    """What a schema cannot say: ids are unique, what is listed is among what is counted, and counts add up."""
    seen: dict[str, int] = {}
    for index, outcome in enumerate(evidence if isinstance(evidence, list) else ()):
        if not isinstance(outcome, dict):
            continue
        if isinstance(name := outcome.get("id"), str) and (first := seen.setdefault(name, index)) != index:
            yield Violation(f"{base}/{index}/id", f"expected an id of its own, found that of {base}/{first}")
        listed = [c for c in outcome.get("comparisons") or () if isinstance(c, dict) and c.get("holds") is False]
        if isinstance(violated := outcome.get("violated"), int) and violated < len(listed):
            yield Violation(f"{base}/{index}/violated", f"expected at least the {len(listed)} listed, found {violated}")
        yield from _owed(outcome, f"{base}/{index}")


def _owed(outcome: dict[str, Any], base: str) -> Iterator[Violation]:
    """What is owed was compared or was not; the first places that were not are listed with their counts."""
    gaps = [gap.get("count", 1) for gap in outcome.get("uncompared") or () if isinstance(gap, dict)]
    numbers = [outcome.get("owed"), outcome.get("compared"), *gaps]
    if not all(isinstance(number, int) for number in numbers):
        return
    owed, told = outcome["owed"], outcome["compared"] + sum(gaps)
    if owed < told or (not gaps and owed != told):
        least = "at least " if gaps else ""
        said = f"expected {least}the {told} compared and listed as not compared, found {owed}"
        yield Violation(f"{base}/owed", said)


def _pointer(path: Iterable[str | int]) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def _message(error: SchemaError) -> str:
    """`expected ..., found ...`, in one line."""
    value, wanted = cut(json.dumps(error.instance)), cast(Any, error.validator_value)
    match error.validator:
        case "type":
            return f"expected {wanted if isinstance(wanted, str) else ' or '.join(wanted)}, found {value}"
        case "anyOf":
            return f"expected {_types(wanted)}, found {value}"
        case "const":
            return f"expected {json.dumps(wanted)}, found {value}"
        case "enum":
            return f"expected one of {', '.join(map(json.dumps, wanted))}, found {value}"
        case "minimum":
            return f"expected at least {wanted}, found {value}"
        case "maxItems" | "minItems":
            least = "least" if error.validator == "minItems" else "most"
            items = "item" if wanted == 1 else "items"
            return f"expected at {least} {wanted} {items}, found {len(cast(list[Any], error.instance))}"
        case "minLength":
            return f"expected at least {wanted} character, found {value}"
        case "pattern":
            return f"expected text that matches {wanted}, found {value}"
        case _:
            return cut(error.message)


def _types(alternatives: Iterable[Any]) -> str:
    words = [
        str(part.get("type", part.get("$ref", "").rpartition("/")[2] or part.get("enum"))) for part in alternatives
    ]
    return " or ".join(words)


def _beside(directory: Path, name: str) -> Path:
    return directory / f".{name}.{os.urandom(6).hex()}"


def _fill(path: Path, value: object) -> None:
    with path.open("x", encoding="utf-8", newline="\n") as file:
        json.dump(value, file, indent=2, ensure_ascii=False, allow_nan=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
