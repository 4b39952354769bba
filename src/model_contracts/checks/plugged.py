"""Owns kinds of checks that plugins give: what fails in one is Skipped with the plugin's name, never our error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ConfigDict

from model_contracts.checks.drafts import written
from model_contracts.checks.interface import Comparisons, Examination, Kind, Skip, Told, Where
from model_contracts.checks.trial import Trial
from model_contracts.outcome import Comparison, Counterexample, Record, Uncompared
from model_contracts.plugins import Offer, PluginFailed
from model_contracts.runtimes.interface import RuntimeFailure


class AnyParameters(Record):
    """Parameters of a kind that could not be imported: whatever they are."""

    model_config = ConfigDict(extra="allow")


def plugged(offer: Offer) -> Kind:
    """The kind that a plugin gives; where it cannot be imported one that says so of every file."""
    try:
        kind = offer.load()
        if not isinstance(kind, Kind):
            raise PluginFailed(offer.plugin, f"{offer.point.value} gives no kind of check", type(kind).__name__)
    except PluginFailed as failed:
        return Kind(AnyParameters, _failing(failed), tries=False)
    return Kind(
        parameters=kind.parameters,
        run=_guarded(offer, kind.run),
        again=None if kind.again is None else _guarded_again(offer, kind.again),
        tries=kind.tries,
        reads_values=kind.reads_values,
        of_container=False,  # what a container is, ours say: a plugin has no say on a file that cannot be parsed
    )


def _failing(failed: PluginFailed) -> Callable[[Examination, Any, Where, Trial], Comparisons]:
    def run(examination: Examination, held: Any, where: Where, trial: Trial) -> Comparisons:
        raise Skip("plugin_failed", str(failed))

    return run


def _guarded(
    offer: Offer, run: Callable[[Examination, Any, Where, Trial], Comparisons]
) -> Callable[[Examination, Any, Where, Trial], Comparisons]:
    def guarded(examination: Examination, held: Any, where: Where, trial: Trial) -> Iterator[Told]:
        try:
            for told in run(examination, held, where, trial):
                record = written(told)
                if not isinstance(record, Comparison | Uncompared):
                    raise TypeError(f"a comparison or a gap was expected, and it gave {type(record).__name__}")
                yield record
        except (Skip, RuntimeFailure):
            raise
        except (Exception, SystemExit) as error:
            raise Skip("plugin_failed", str(PluginFailed(offer.plugin, f"the check {offer.name}", error))) from error

    return guarded


def _guarded_again(
    offer: Offer, again: Callable[[Examination, Any, Counterexample], Comparison]
) -> Callable[[Examination, Any, Counterexample], Comparison]:
    def guarded(examination: Examination, held: Any, stored: Counterexample) -> Comparison:
        try:
            return again(examination, held, stored)
        except (Skip, RuntimeFailure):
            raise
        except (Exception, SystemExit) as error:
            raise Skip("plugin_failed", str(PluginFailed(offer.plugin, f"the check {offer.name}", error))) from error

    return guarded
