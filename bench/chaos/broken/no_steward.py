"""Nobody brings back what got lost: the worker's steward never makes a round."""

from celery import signals

from workers import lifecycle
from workers.app import app

signals.worker_ready.disconnect(lifecycle.start_steward)

__all__ = ["app"]
