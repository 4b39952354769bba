"""Owns how the program logs: structlog to stderr, snake_case facts with bound context; reports go to stdout."""

from __future__ import annotations

import sys
from typing import Any, Literal

Level = Literal["debug", "info", "warning", "error"]


def configure(level: Level = "warning", form: Literal["console", "json"] = "console") -> None:
    """Send every event at `level` or above to stderr, one line each."""
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
        cache_logger_on_first_use=True,
    )
