"""Owns how the program logs: structlog to stderr, snake_case facts with bound context; reports go to stdout."""

from __future__ import annotations

import sys
from typing import Any, Literal

Level = Literal["debug", "info", "warning", "error"]
Form = Literal["console", "json"]

_settings: tuple[Level, Form] = ("warning", "console")
_configured: tuple[Level, Form] | None = None


def configure(level: Level = "warning", form: Form = "console") -> None:
    """Send every event at `level` or above to stderr, one line each. Takes effect when a logger is next asked for."""
    global _settings  # noqa: PLW0603
    _settings = (level, form)


def logger(**context: Any) -> Any:
    """A logger with bound context. structlog is imported here, and not before anything is logged."""
    global _configured  # noqa: PLW0603
    import structlog

    if _configured != _settings:
        _configure(*_settings)
        _configured = _settings
    return structlog.get_logger(**context)


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
