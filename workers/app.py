"""The Celery application. `celery -A workers worker` starts a worker of the fleet."""

from __future__ import annotations

from typing import Any

from celery import Celery, signals

from enrichment import logs
from enrichment.settings import load

app = Celery("linernotes", include=["workers.tasks", "workers.schedules", "workers.lifecycle"])
app.config_from_object("celeryconfig")


@signals.setup_logging.connect
def log(**_: Any) -> None:
    """In place of Celery's own; levels are changed with `linernotes log level`."""
    logs.configure(load().log_format)
