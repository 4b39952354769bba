"""Owns the property that two chat templates make the same prompt of every conversation (I-5). Templates are hostile."""

from __future__ import annotations

from typing import Any

from pydantic import Field, JsonValue

from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Comparisons, Examination, Kind, Skip, Where, missing_input, not_owed
from model_contracts.checks.search import search
from model_contracts.checks.trial import Trial
from model_contracts.outcome import Comparison, Counterexample, Place, Record
from model_contracts.runtimes.interface import Crashed, Limits, Refused, TimedOut
from model_contracts.runtimes.text.encoders import TextSession
from model_contracts.strategies.conversations import Conversation, conversations

#: Characters shown around a difference, and of a refusal.
_AROUND, _LONGEST = 40, 200
_REFUSED = "refused: "


class RenderParameters(Record):
    """How many conversations are generated beside the pinned ones, and what one process of a template may use."""

    owed_by: tuple[str, ...] = Field(description="Formats whose converters carry a template; others owe none.")
    examples: int = Field(ge=1, le=100_000)
    seconds: float = Field(5, gt=0, description="For one prompt.")
    memory_mb: int = Field(512, ge=64)


def same_rendering(examination: Examination, parameters: RenderParameters, where: Where, trial: Trial) -> Comparisons:
    """Render the pinned conversations, then generated ones, on both sides; shrink the first that differs."""
    two = _Two(examination, parameters, trial)
    pinned = [conversation_of(stored) for stored in trial.pinned]
    failing = next((one for one in pinned if not two.agree(one)), None)
    said = f"{len(pinned)} pinned conversations"
    tried = len(pinned)
    if failing is None:
        examples = trial.max_examples or parameters.examples
        found = search(conversations(), two.agree, examples, trial.seed, seconds=trial.time_budget)
        failing, tried = found.counterexample, tried + found.tried
        said += f" and {found.tried:,} generated ones, seed {trial.seed}"
        if found.stopped is not None:
            yield found.stopped
    if not tried:
        return
    if not two.rendered:
        raise missing_input(f"neither template makes a prompt of any conversation: {two.refusal}")
    comparison = two.comparison(failing)
    if failing is not None:
        trial.counterexample = Counterexample(
            kind="conversation",
            description=f"{_described(failing)}: {comparison.note}",
            input=failing,
            seed=trial.seed,
        )
    note = said if comparison.note is None else f"{comparison.note} · {said}"
    yield comparison.model_copy(update={"count": tried, "note": note, "bound_from": where("examples")})


def again(examination: Examination, parameters: RenderParameters, stored: JsonValue) -> Comparison:
    """One stored conversation again."""
    return _Two(examination, parameters, None).comparison(conversation_of(stored), always=True)


def conversation_of(stored: JsonValue) -> Conversation:
    """A stored input as a conversation. Raises Skip for anything else."""
    if isinstance(stored, dict) and isinstance(stored.get("messages"), list):
        plain: Conversation = {"tools": None, "add_generation_prompt": True, **stored}
        if plain.keys() == {"messages", "tools", "add_generation_prompt"}:
            return plain
    raise Skip("missing_input", "the stored input is no conversation")


class _Two:
    """The templates of source and target, each in its process."""

    def __init__(self, examination: Examination, parameters: RenderParameters, trial: Trial | None) -> None:
        source, self._target, self._trial = examination.source_view.artifact, examination.target, trial
        if source.chat_template is None:
            raise not_owed("the source has no chat template")
        if self._target.chat_template is None:
            reason = "the target carries no chat template to render"
            raise missing_input(reason) if self._target.format in parameters.owed_by else not_owed(reason)
        limits = Limits(parameters.seconds, 60.0, parameters.memory_mb)
        self._sides = [_opened(examination, side, limits) for side in (source, self._target)]
        #: Prompts that were made, and why the last one was not.
        self.rendered, self.refusal = 0, ""

    def prompts(self, conversation: Conversation) -> tuple[str, str]:
        """What source and target make of a conversation; a refusal of a template's own is its answer too."""
        made = [self._prompt(session, conversation) for session in self._sides]
        return made[0], made[1]

    def _prompt(self, session: TextSession, conversation: Conversation) -> str:
        asked: dict[str, Any] = dict(conversation)
        try:
            prompt = session.render(asked.pop("messages"), **asked)
        except Refused as refused:
            self.refusal = refused.reason
            return _REFUSED + refused.reason
        except (Crashed, TimedOut) as failure:
            if self._trial is not None:
                self._trial.counterexample = Counterexample(
                    kind="conversation", description=f"{_described(conversation)}: {failure.reason}", input=conversation
                )
            raise
        self.rendered += 1
        return prompt

    def agree(self, conversation: Conversation) -> bool:
        """Whether both make the same."""
        theirs, ours = self.prompts(conversation)
        return theirs == ours

    def comparison(self, conversation: Conversation | None, *, always: bool = False) -> Comparison:
        """What both make of a conversation that failed, or (`always`) of any."""
        place = Place(file=self._target.path.name, key="chat_template")
        if conversation is None:
            same = "the same prompt"
            return Comparison(measure="prompt", place=place, expected=same, observed=same, holds=True)
        theirs, ours = self.prompts(conversation)
        pairs = enumerate(zip(theirs, ours, strict=False))
        at = next((at for at, (a, b) in pairs if a != b), min(len(theirs), len(ours)))
        refused = any(made.startswith(_REFUSED) for made in (theirs, ours))
        start, end = (0, _LONGEST) if refused else (max(0, at - _AROUND), at + _AROUND)
        return Comparison(
            measure="prompt",
            place=place,
            expected=theirs[start:end],
            observed=ours[start:end],
            holds=theirs == ours,
            note=None if theirs == ours else f"the prompts part at character {at:,}",
        )


def _opened(examination: Examination, artifact: Artifact, limits: Limits) -> TextSession:
    return examination.sessions.texts(artifact, "render", limits)


def _described(conversation: Conversation) -> str:
    roles = ", ".join(str(message.get("role")) for message in conversation["messages"][:8])
    tools = f", {len(conversation['tools'])} tools" if conversation["tools"] else ""
    return f"{roles}{tools}, {'with' if conversation['add_generation_prompt'] else 'without'} a generation prompt"


SAME_RENDERING = Kind(RenderParameters, same_rendering, lambda seen, given, stored: again(seen, given, stored.input))
