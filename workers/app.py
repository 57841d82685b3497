"""The Celery application. `celery -A workers worker` starts a worker of the fleet."""

from __future__ import annotations

from celery import Celery

app = Celery("linernotes", include=["workers.tasks", "workers.lifecycle"])
app.config_from_object("celeryconfig")
