"""Fetch messages, published by processes that are no workers: by an application of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import Celery
from kombu.connection import Connection
from kombu.entity import Exchange, Queue

from enrichment.services.fleet import SendFetch

_TIMEOUTS = {"socket_connect_timeout": 3, "socket_timeout": 5}


def make_sender(broker_url: str) -> SendFetch:
    """Sends a fetch message as a worker does. Not retried: the stewards send another."""
    app = Celery("linernotes-publisher", broker=broker_url, set_as_current=False)
    app.conf.update(task_ignore_result=True, broker_transport_options=_options(broker_url))
    queue = Queue("fetch", Exchange("linernotes", type="direct"), routing_key="fetch")  # type: ignore[no-untyped-call]  # kombu has no types

    def send(source: str, ticket: str) -> None:
        app.send_task(f"fetch.{source}", kwargs={"ticket": ticket}, queue=queue, retry=False)

    return send


def make_broker_check(broker_url: str) -> Callable[[], object]:
    """Raises kombu.exceptions.OperationalError or OSError where the broker does not answer."""

    def check() -> object:
        with Connection(broker_url, connect_timeout=3, transport_options=_options(broker_url)) as connection:  # type: ignore[no-untyped-call]  # kombu has no types
            connection.ensure_connection(max_retries=1, timeout=3)
            return connection.default_channel

    return check


def _options(broker_url: str) -> dict[str, Any]:
    if not broker_url.startswith(("redis://", "rediss://")):
        return {}
    return {"queue_order_strategy": "priority", **_TIMEOUTS}
