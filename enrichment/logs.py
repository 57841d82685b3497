"""Logs: one event a line on stderr, for people or as JSON; ours and those of the libraries alike.

Loggers are called as their modules are. Their levels can be changed while the fleet runs: `linernotes log level`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping
from typing import TextIO

import structlog
from structlog.typing import Processor

OURS = ("bench", "cli", "enrichment", "service", "workers")
CHANGEABLE = (*OURS, "celery", "kombu", "uvicorn")
"""What may be made to say more: HTTP clients would tell addresses with keys in them, and SQLAlchemy its values."""
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_DEFAULTS = {
    **dict.fromkeys(OURS, "INFO"),
    "celery": "INFO",
    # They tell of each message, of which there may be thousands a minute; Flower and the metrics show them better.
    "celery.app.trace": "WARNING",
    "celery.worker.strategy": "WARNING",
}

_set: dict[str, str] = {}
"""What the operator has set, as it was applied."""


class _ToStderr(logging.StreamHandler[TextIO]):
    """To whatever stderr is at the time."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute there
        return sys.stderr


def configure(form: str) -> None:
    """Of this process. form: "json" or "console"."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = _ToStderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(form)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _apply(_DEFAULTS)


def _rendering(form: str) -> list[Processor]:
    if form == "json":
        return [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    # Where rich is installed structlog draws tracebacks with all local variables: keys of upstreams may be among them,
    # and for as long as it takes, seconds on a slow machine, a worker's consumer stands still.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]


def follow(levels: Mapping[str, str]) -> None:
    """Levels by logger, as an operator has set them; "" is our own code. All others are as they are by default."""
    wanted = {name: level for logger, level in levels.items() for name in ([logger] if logger else OURS)}
    wanted |= {logger: level for logger, level in levels.items() if logger}
    if wanted == _set:
        return
    _apply({**dict.fromkeys(_set, "NOTSET"), **_DEFAULTS, **wanted})
    _set.clear()
    _set.update(wanted)


def _apply(levels: Mapping[str, str]) -> None:
    for logger, level in levels.items():
        logging.getLogger(logger).setLevel(level)


def complaint(logger: str, level: str | None) -> str | None:
    """What is wrong with such a wish, None where nothing is."""
    if logger and not _is_below(logger, CHANGEABLE):
        return f"{logger}: its level is fixed; there are {', '.join(CHANGEABLE)} and what is below them"
    if level is not None and level not in LEVELS:
        return f"{level}: no such level; there are {', '.join(LEVELS)}"
    return None


def _is_below(logger: str, above: Iterable[str]) -> bool:
    return any(logger == name or logger.startswith(f"{name}.") for name in above)
