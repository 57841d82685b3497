"""The Celery edge: app, tasks of a few lines each, steward, transport, lifecycle."""

from workers.app import app

__all__ = ["app"]
