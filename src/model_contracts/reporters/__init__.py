"""Evidence to text: each reporter is a pure function of the outcomes and the run, and reads nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, cast

from model_contracts import plugins
from model_contracts.outcome import Evidence, Run
from model_contracts.reporters import issue, json, qualification, text
from model_contracts.reporters.interface import Reporter

if TYPE_CHECKING:
    from model_contracts.tables import TensorTable


def _people(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """A run with a playbook begins with its causes."""
    report: Reporter = text.report if run.playbook is None else qualification.report
    return report(outcomes, run, width=width, color=color)


def verdicts(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """The verdict lines only, of any run: what `-q` prints."""
    if run.playbook is None:
        return text.verdicts(outcomes, run, width=width, color=color)
    return qualification.report(outcomes, run, width=width, color=color).splitlines()[-1] + "\n"


def page(outcomes: Evidence, run: Run, tables: Sequence[TensorTable]) -> str:
    """The page of a run, with the tables of its tensors."""
    from model_contracts.reporters import html

    return html.report(outcomes, run, tables)


def _later(module: str) -> Reporter:
    """The reporter of a module that is imported when it writes: formats of others bring libraries of others."""

    def report(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
        write = cast(Reporter, import_module(f"model_contracts.reporters.{module}").report)
        return write(outcomes, run, width=width, color=color)

    return report


REPORTERS: dict[str, Reporter] = {
    "text": _people,
    "json": json.report,
    "issue": issue.report,
    "summary": _later("summary"),
    "markdown": _later("full"),
    "card": _later("card"),
    "sarif": _later("sarif"),
    "junit": _later("junit"),
    "github": _later("annotations"),
    "gitlab": _later("gitlab"),
    "html": _later("html"),
}


def names() -> tuple[str, ...]:
    """Every reporter by name: our own, then those of plugins that were named."""
    return (*REPORTERS, *plugins.names("reporters"))


def reporter(name: str) -> Reporter:
    """A reporter by its name; one of a plugin raises PluginFailed for whatever goes wrong in it."""
    offer = plugins.offer("reporters", name)
    return REPORTERS[name] if offer is None else _guarded(offer)


def _guarded(offer: plugins.Offer) -> Reporter:
    def report(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
        write = offer.load()
        try:
            text = write(outcomes, run, width=width, color=color)
        except (Exception, SystemExit) as error:
            raise plugins.PluginFailed(offer.plugin, f"the reporter {offer.name}", error) from error
        if not isinstance(text, str):
            raise plugins.PluginFailed(offer.plugin, f"the reporter {offer.name}", f"gives no text: {type(text)}")
        return text

    return report
