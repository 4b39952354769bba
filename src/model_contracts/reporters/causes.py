"""Owns the diagnosis of a run: outcomes that do not hold under what they followed from, and the smallest command."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from model_contracts.outcome import Cause, Comparison, Evidence, Outcome, Run, Verdict
from model_contracts.reporters.lines import BAD, severity
from model_contracts.terminal import number, plural

#: Options of a command that a reproduction of one gate says for itself, or has no use for.
_WITH_VALUE = ("-o", "--output", "--format", "--only", "--skip", "--failure-policy", "--workers")
_JOINED = tuple(f"{name}=" for name in _WITH_VALUE if name.startswith("--"))
_ALONE = ("--plan", "--resume", "--keep", "--no-color")


@dataclass(frozen=True, slots=True)
class CauseGroup:
    """One cause with everything that did not hold for it, in the order of the run."""

    key: str
    #: As `Cause.component`; `unknown` where no outcome says.
    component: str
    statement: str
    #: The smallest command that shows it, where the evidence has one.
    reproduction: str | None
    outcomes: tuple[Outcome, ...]
    #: Skipped for the same cause: not evaluated, and not counted among what does not hold.
    followed: tuple[Outcome, ...] = ()

    @property
    def must(self) -> bool:
        """Whether a gate that must hold is among them."""
        return any(outcome.force == "must" for outcome in self.outcomes)

    @property
    def telling(self) -> tuple[tuple[Outcome, Comparison], ...]:
        """What shows this cause and no other: violated comparisons, the most telling first.

        A gate may be closed by several causes at once. What measures what the statement speaks of comes before what
        gates without another cause saw, and that before everything.
        """
        words = set(self.statement.replace(":", " ").split())
        every = [(outcome, comparison) for outcome in self.outcomes for comparison in violations(outcome)]
        spoken = [pair for pair in every if pair[1].measure in words and pair[0].causes]
        # One measure may speak of two things: a type that was narrowed, a type that was widened.
        named = [pair for pair in spoken if self._names(pair[1].observed)]
        alone = [pair for pair in every if len(pair[0].causes) < 2]
        return tuple(sorted(named or spoken or alone or every, key=self._rank))

    def _names(self, observed: object) -> bool:
        return isinstance(observed, str) and f"observed {observed}" in self.statement

    def _rank(self, pair: tuple[Outcome, Comparison]) -> tuple[bool, bool, bool, int, bool]:
        """The very numbers of the statement first, then the shortest way to see them."""
        outcome, comparison = pair
        place = str(comparison.place)
        numbers = f"expected {comparison.expected}, observed {comparison.observed}"
        return (
            numbers not in self.statement,
            not (place and place in self.statement),
            outcome.force != "must",
            len(outcome.scenario.chain) if outcome.scenario is not None else 0,
            len(outcome.causes) > 1,
        )

    @property
    def shown(self) -> tuple[Outcome, Comparison | None]:
        """The outcome that shows the cause best, and its comparison; None where nothing was compared."""
        if self.telling:
            return self.telling[0]
        return min(self.outcomes, key=lambda outcome: outcome.force != "must"), None


def fails(outcome: Outcome) -> bool:
    """Whether it was evaluated and does not hold, or could not be for a failure of the checker's own."""
    return outcome.excused is None and (outcome.outcome in BAD or outcome.outcome is Verdict.ERROR)


def violations(outcome: Outcome) -> tuple[Comparison, ...]:
    """The violated comparisons that are listed, furthest beyond their tolerance first."""
    return tuple(sorted((c for c in outcome.comparisons if not c.holds), key=severity))


def causes(outcomes: Iterable[Outcome]) -> tuple[CauseGroup, ...]:
    """Causes of what does not hold: those that a `must` followed from, what makes a model useless first, then by gates.

    An outcome with two causes stands under both; one without any under its own gate.
    """
    under: dict[str, list[Outcome]] = {}
    followed: dict[str, list[Outcome]] = {}
    named: dict[str, Cause] = {}
    for outcome in outcomes:
        if fails(outcome):
            for key in dict.fromkeys(cause.key for cause in outcome.causes) or (f"gate/{outcome.gate_id}",):
                under.setdefault(key, []).append(outcome)
        elif outcome.outcome is Verdict.SKIPPED:
            for key in dict.fromkeys(cause.key for cause in outcome.causes):
                followed.setdefault(key, []).append(outcome)
        for cause in outcome.causes:
            first = named.setdefault(cause.key, cause)
            if first.reproduction is None and cause.reproduction is not None:
                named[cause.key] = first.model_copy(update={"reproduction": cause.reproduction})
    groups = [_group(key, group, named.get(key), followed.get(key, [])) for key, group in under.items()]
    return tuple(sorted(groups, key=lambda group: (not group.must, not _useless(group), -len(group.outcomes))))


def _useless(group: CauseGroup) -> bool:
    """Whether it makes a model useless whatever else holds: values that are others, or stand in other places."""
    return "/values" in group.key


def _group(key: str, outcomes: list[Outcome], cause: Cause | None, followed: list[Outcome]) -> CauseGroup:
    if cause is not None:
        return CauseGroup(key, cause.component, cause.statement, cause.reproduction, tuple(outcomes), tuple(followed))
    return CauseGroup(key, _component(outcomes), _statement(outcomes), None, tuple(outcomes))


def _component(outcomes: list[Outcome]) -> str:
    """An error is the checker's own; of the rest nothing is known."""
    return "checker" if all(outcome.outcome is Verdict.ERROR for outcome in outcomes) else "unknown"


def _statement(outcomes: list[Outcome]) -> str:
    """What is wrong where nobody said why: the worst comparison's numbers, or what the outcome says."""
    worst = next((outcome for outcome in outcomes if violations(outcome)), outcomes[0])
    if not violations(worst):
        return f"{worst.outcome.value.lower()}: {worst.reason}"
    seen = violations(worst)[0]
    at = f" at {seen.place}" if str(seen.place) else ""
    more = sum(outcome.violated for outcome in outcomes) - 1
    rest = f" (and {more:,} more)" if more > 0 else ""
    return f"{seen.measure}{at}: expected {number(seen.expected)}, observed {number(seen.observed)}{rest}"


def tally(outcomes: Evidence, groups: tuple[CauseGroup, ...]) -> str:
    """`29 of 45 hold; 3 causes`: what was skipped is among the 45 and never among the 29."""
    kept = sum(outcome.outcome is Verdict.CORROBORATED for outcome in outcomes)
    why = f"; {plural(len(groups), 'cause')}" if groups else ""
    return f"{kept:,} of {len(outcomes):,} hold{why}"


def counts(outcomes: Evidence) -> tuple[str, str]:
    """What does not hold by force, and what was skipped by whether it was owed; each empty where there is none."""
    must = sum(outcome.outcome in BAD and outcome.force == "must" for outcome in outcomes)
    should = sum(outcome.outcome in BAD and outcome.force == "should" for outcome in outcomes)
    error = sum(outcome.outcome is Verdict.ERROR for outcome in outcomes)
    skipped = [outcome for outcome in outcomes if outcome.outcome is Verdict.SKIPPED]
    owed = sum(outcome.skip_cause != "not_owed" for outcome in skipped)
    words = ((must, "that must"), (should, "that should"), (error, "in error"))
    red = ", ".join(f"{count:,} {word}" for count, word in words if count)
    halves = ((owed, "not proven"), (len(skipped) - owed, "not owed"))
    grey = ", ".join(f"{count:,} {word}" for count, word in halves if count)
    return (
        f"{must + should + error:,} {'does' if must + should + error == 1 else 'do'} not hold ({red})" if red else "",
        f"{len(skipped):,} skipped ({grey})" if grey else "",
    )


def reproduction(group: CauseGroup, run: Run) -> str:
    """The command that shows a cause: as the evidence says, or the run's own, narrowed to the first gate."""
    import re
    from shlex import join

    if group.reproduction is not None:
        return group.reproduction
    words = list(run.command)
    if not {"check", "qualify"} & set(words[1:3]):
        return join(words)
    kept: list[str] = []
    while words:
        word = words.pop(0)
        if word in _WITH_VALUE:
            words[:1] = []
        elif word not in _ALONE and not word.startswith(_JOINED) and not re.match("-o.", word):
            kept.append(word)
    return join([*kept, "--only", group.shown[0].gate_id])
