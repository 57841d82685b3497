"""Kombu's own Redis transport, which ends the worker when Redis goes away with a message unacknowledged."""

from workers.app import app

app.conf.broker_transport = "redis"

__all__ = ["app"]
