"""Owns which oracles an answer is held to: those that the playbook chose for its prompt, typed before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from model_contracts.checks.interface import Skip
from model_contracts.definitions import DefinitionError, load, parameters
from model_contracts.engine.golden_files import read
from model_contracts.inference.oracles import ORACLES, Answer, Skipped, hold
from model_contracts.outcome import Comparison, Place
from model_contracts.playbook import Matrix, Tier
from model_contracts.qualification.matrix import Settled


def refuse_unknown(settled: Settled) -> None:
    """Raises DefinitionError for an oracle that is not there, or parameters that it does not take."""
    playbook: Matrix = settled.playbook
    if settled.playbook.oracles is None:
        playbook = load(Tier, f"qualification/tiers/{settled.playbook.tier}")
    for at, choice in enumerate(settled.oracles):
        if choice.oracle not in ORACLES:
            place = playbook.where("oracles", at, "oracle")
            raise DefinitionError(place, None, None, f"one of {', '.join(sorted(ORACLES))}", repr(choice.oracle))
        parameters(ORACLES[choice.oracle].parameters, choice.parameters, playbook, "oracles", at, "parameters")


def judged(
    settled: Settled,
    prompt: str,
    text: str | None,
    tokens: tuple[int, ...] | None,
    prompt_tokens: tuple[int, ...] | None = None,
    *,
    cut: bool | None = None,
) -> Iterator[Comparison]:
    """Compare one answer with what each oracle of its prompt expects; raises Skip where one could not be asked.

    `cut`: it ended because no more tokens were asked for (None: as its tokens say).
    """
    skipped: list[Skipped] = []
    if cut is None:
        cut = tokens is not None and len(tokens) >= settled.tokens
    for at, choice in enumerate(settled.oracles):
        if choice.prompts and prompt not in choice.prompts:
            continue
        golden = read(Path(choice.golden)) if choice.golden is not None else None
        answer = Answer(text or "", prompt, tokens, prompt_tokens, cut, golden)

        def where(*pointer: str | int, at: int = at) -> str:
            return settled.playbook.where("oracles", at, "parameters", *pointer)

        for held in hold(choice.oracle, choice.parameters, answer, where):
            if isinstance(held, Skipped):
                skipped.append(held)
            else:
                place = held.place if str(held.place) else Place(key=prompt[:40])
                yield held.model_copy(update={"place": place, "note": _note(held, choice.oracle)})
    owed = next((one for one in skipped if one.cause != "not_owed"), None)
    if owed is not None:
        raise Skip(owed.cause, owed.reason)


def _note(held: Comparison, oracle: str) -> str:
    return f"{oracle}: {held.note}" if held.note else oracle
