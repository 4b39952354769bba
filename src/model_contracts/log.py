"""Owns how the program logs: structlog to stderr, snake_case facts with bound context; reports go to stdout."""

from __future__ import annotations

import sys
from typing import Any, Literal

Level = Literal["debug", "info", "warning", "error"]
Form = Literal["console", "json"]

_LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")

_settings: tuple[Level, Form] = ("warning", "console")
_configured: tuple[Level, Form] | None = None


def configure(level: Level = "warning", form: Form = "console") -> None:
    """Send every event at `level` or above to stderr, one line each. Takes effect with the next event."""
    global _settings  # noqa: PLW0603
    _settings = (level, form)


class Logger:
    """Events with bound context. structlog (a fifth of a small check) is imported when one of them is to be seen."""

    def __init__(self, context: dict[str, Any]) -> None:
        self._context = context

    def debug(self, event: str, **facts: Any) -> None:
        """A detail for whoever looks for a fault."""
        self._say("debug", event, facts)

    def info(self, event: str, **facts: Any) -> None:
        """A step that was done."""
        self._say("info", event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        """Something a user may want to know."""
        self._say("warning", event, facts)

    def error(self, event: str, **facts: Any) -> None:
        """Something that failed."""
        self._say("error", event, facts)

    def _say(self, level: Level, event: str, facts: dict[str, Any]) -> None:
        global _configured  # noqa: PLW0603
        if _LEVELS.index(level) < _LEVELS.index(_settings[0]):
            return
        import structlog

        if _configured != _settings:
            _configure(*_settings)
            _configured = _settings
        getattr(structlog.get_logger(**self._context), level)(event, **facts)


def logger(**context: Any) -> Logger:
    """A logger with bound context."""
    return Logger(context)


def _configure(level: Level, form: Form) -> None:
    import logging

    import structlog

    renderer: Any = structlog.processors.JSONRenderer()
    if form == "console":
        # Plain tracebacks: a decorated one prints the artifact's content, which may be hostile and is never short.
        renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
