"""Owns the words of the reports: what each means, what to do about it, and how evidence.json and run.json say it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """One word for one thing."""

    #: As a report says it.
    word: str
    #: As the evidence says it: keys and values of evidence.json and run.json.
    evidence: str
    means: str
    #: What a person can do about it; empty where there is nothing to be done.
    act: str = ""
    #: Other names that a person may look it up by.
    also: tuple[str, ...] = ()


WORDS: tuple[Word, ...] = (
    Word(
        "kept",
        "outcome Corroborated; of a run: decision kept, exit_code 0",
        "All that the gate is about was compared, and all of it holds. A run is kept where every must is.",
        also=("corroborated", "holds", "pass"),
    ),
    Word(
        "falsified",
        "outcome Falsified, force must; of a run: decision falsified, exit_code 1",
        "A comparison does not hold at a gate that must: something is known of this file that is violated.",
        "Read the likely cause under the verdict, then the numbers of its gate: place, expected, observed, tolerance.",
        also=("fail", "failed"),
    ),
    Word(
        "warning",
        "outcome Falsified, Crashed or Timeout, force should",
        "A comparison does not hold at a gate that should: it is said, and decides nothing.",
        also=("warned",),
    ),
    Word(
        "not proven",
        "outcome Skipped with any skip_cause but not_owed; of a run: decision not proven, exit_code 3",
        "Nothing is violated, and what the gate is about was not compared, or not all of it. It is not green.",
        "The reason says what is needed: a source, a file that is whole, an extra that is installed.",
        also=("skipped", "refused"),
    ),
    Word(
        "incomplete",
        "skip_cause incomplete, or owed above compared; the places stand in uncompared",
        "A part of what was owed was compared, and holds; the rest was not compared, for the reasons listed.",
        "Make what is listed comparable: fetch the source whole, name the family, use a type that is decoded.",
        also=("uncompared", "not compared"),
    ),
    Word(
        "not owed",
        "outcome Skipped, skip_cause not_owed",
        "An artifact of this kind owes nothing here: one without experts cannot have a dead one. It decides nothing.",
    ),
    Word(
        "nothing was compared",
        "skip_cause nothing_compared",
        "The gate was evaluated and met nothing to compare: that proves nothing, and is not proven.",
        also=("nothing compared",),
    ),
    Word(
        "missing input",
        "skip_cause missing_input",
        "Something that the gate needs is not there: a config.json, a runtime, a family that is known.",
        "Give what the reason names, or install the extra that it names.",
    ),
    Word(
        "not readable",
        "skip_cause unreadable",
        "The container could not be parsed, so nothing in it could be compared. Its own gates say where and why.",
        also=("unreadable",),
    ),
    Word(
        "plugin failed",
        "skip_cause plugin_failed",
        "A kind of check or a runtime of a package that was named by --plugins failed: nothing is said of the file.",
        "Tell whoever wrote the package; the reason holds its name, its version and its own words.",
        also=("plugin",),
    ),
    Word(
        "no input was found",
        "skip_cause unsatisfiable",
        "A property found no input that it could be tried with.",
        "A larger --max-examples or --time-budget tries more of them.",
        also=("unsatisfiable",),
    ),
    Word("crashed", "outcome Crashed", "What ran the model died while the gate was evaluated: a signal, or an exit."),
    Word("timeout", "outcome Timeout", "What ran the model gave no answer in its time, and was ended."),
    Word(
        "the checker failed",
        "outcome Error; of a run: decision checker broken, exit_code 4",
        "The fault is ours: nothing is said of the file at that gate.",
        "Run it with --traceback and tell us.",
        also=("error", "in error", "checker broken"),
    ),
    Word(
        "excused",
        "excused: by, source, reason, owner, expires; of a run: decision.excused and judged",
        "It does not hold, or is not proven, and leaves the decision alone: a waiver has an owner and a last day, a "
        "baseline has seen it before. One that is expired or fits nothing counts as absent, and is told.",
        "Mend it before the day it expires; docs/gate.md has the file of waivers.",
        also=("waived", "waiver", "waivers", "baseline", "exception"),
    ),
    Word(
        "class",
        "class; null where it holds or nothing is owed",
        "What kind of fault it is, for scripts: corrupt, incomplete, mislabelled, wrong transform, configuration, "
        "tokenizer, environment or unknown. It comes from the invariant's definition and from what was compared.",
        also=("kind of fault", "fault"),
    ),
    Word(
        "not evaluated",
        "run.json: not_evaluated",
        "The gate was left out of the plan: by --only or --skip, or because there is no source. It decides nothing.",
        also=("left out",),
    ),
    Word(
        "missing",
        "observed null",
        "What was expected is not there at all; it is not there with another value.",
        also=("nothing",),
    ),
    Word(
        "compared",
        "compared, owed, violated",
        "Values that were compared; `938,624 of 2,875,648 compared` where more were owed.",
        also=("owed", "of"),
    ),
    Word("must", "force must", "What does not hold here makes the file falsified, and what is not proven exits 3."),
    Word("should", "force should", "What does not hold here is a warning, and decides nothing."),
    Word("tolerance", "tolerance, bound_from", "The bound that was applied, and the file and line that it came from."),
    Word(
        "would pass at",
        "smallest_passing_tolerance",
        "The smallest tolerance under which the comparison would have held.",
    ),
    Word(
        "merged",
        "measure merged, of F-ADAPTER-001: observed",
        "How the adapter stands in the target, over all modules: not merged, partly, twice, with another scale, "
        "turned, of another module, in another base (docs/adapters.md).",
        "Merge again with the library that trained it, into the base that it was trained on.",
        also=("not merged", "partly", "merged twice", "of another base"),
    ),
    Word(
        "coefficient",
        "measure coefficient, of F-ADAPTER-001: expected 1, observed, tolerance with its error",
        "How often what an adapter adds to a module is in the target: the least-squares share of the difference to "
        "its base. 1 is merged, 0 is not. Its error is four standard errors of the rest, and grows with coarser types.",
    ),
    Word(
        "rest",
        "measure rest, of F-ADAPTER-001",
        "What base and adapter leave of a target, as a share of it. Rounding alone is within the budget of its type.",
        "More is another base, a base that was packed when it was merged into, or a change beside the adapter.",
    ),
    Word(
        "likely cause",
        "of a qualification: causes; of a check: drawn from the comparisons, nothing else",
        "What most likely went wrong, what makes a model useless first: a rival explanation that fits, a prefix "
        "of every name, another architecture, a file that ends early. It decides nothing: comparisons do.",
        also=("cause", "causes", "likely causes"),
    ),
)


def find(name: str) -> Word | None:
    """The word of that name, however it is written: `not-owed`, `NOT_OWED`, `Corroborated`."""
    wanted = " ".join(name.replace("-", " ").replace("_", " ").lower().split())
    return next((word for word in WORDS if wanted in (word.word, *word.also)), None)
