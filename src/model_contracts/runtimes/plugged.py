"""Owns runtimes that plugins give: what fails in one is a PluginBroke with the plugin's name, never our error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from model_contracts.plugins import Offer, PluginFailed
from model_contracts.runtimes.interface import Installed, Limits, PluginBroke, RuntimeFailure, Session


class Plugged:
    """The runtime that a plugin gives; its entry point names what makes it, without arguments."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    def installed(self) -> Installed:
        """See Runtime; one that fails is not here, and how it failed stands where others say how to get them."""
        try:
            found = self._asked(lambda: self._offer.load()().installed())
            if not isinstance(found, Installed):
                raise PluginFailed(self._offer.plugin, f"the runtime {self._offer.name}", "says not whether it is here")
        except (PluginFailed, RuntimeFailure) as failed:
            return Installed(self._offer.name, False, None, str(failed), frozenset(), frozenset())
        return found

    def open(self, path: Path, limits: Limits) -> Session:
        """See Runtime."""
        session = self._asked(lambda: self._offer.load()().open(path, limits))
        return cast("Session", PluggedSession(session, self._asked))

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except RuntimeFailure:
            raise
        except PluginFailed as failed:
            raise PluginBroke(str(failed)) from failed
        except (Exception, SystemExit) as error:
            what = f"the runtime {self._offer.name}"
            raise PluginBroke(str(PluginFailed(self._offer.plugin, what, error))) from error


class PluggedSession:
    """A session of a plugin's runtime: whatever it raises that is no RuntimeFailure becomes a PluginBroke."""

    def __init__(self, session: Any, asked: Callable[[Callable[[], Any]], Any]) -> None:
        self._session, self._asked = session, asked

    def __getattr__(self, name: str) -> Any:
        value = self._asked(lambda: getattr(self._session, name))
        if not callable(value):
            return value
        return lambda *words, **named: self._told(self._asked(lambda: value(*words, **named)))

    def _told(self, answer: Any) -> Any:
        return self._parts(answer) if isinstance(answer, Iterator) else answer

    def _parts(self, answer: Iterator[Any]) -> Iterator[Any]:
        end = object()
        while (part := self._asked(lambda: next(answer, end))) is not end:
            yield part

    def __enter__(self) -> PluggedSession:
        return self

    def __exit__(self, *_: object) -> None:
        self._asked(self._session.close)
