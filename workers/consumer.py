"""Celery's consumer, but for messages it would throw away, which become dead letters, and for those of a newer version,
which go back for a worker that knows it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from celery.worker import consumer as stock
from celery.worker.consumer.consumer import logger

from enrichment.domain.orders import Order, id_of
from workers import deliveries, overdue
from workers.messages import is_newer, order_in
from workers.unreadable import keep, refuse

HAND_BACK_SECONDS = 1.0
"""So long a worker holds a message that it does not understand, which would go round and round if it were the last."""

EVENTS_SECONDS = 0.5
"""So long the events of tasks gather, by which others watch this worker."""

log = structlog.get_logger()


class Consumer(stock.Consumer):
    """`worker_consumer` of celeryconfig. Each message is kept before the stock consumer lets it go."""

    def register_with_event_loop(self, hub: Any) -> None:
        """Whenever it is connected; what timers there were went with the connection before."""
        super().register_with_event_loop(hub)
        hub.call_repeatedly(EVENTS_SECONDS, self._flush_events)

    def on_send_event_buffered(self) -> None:
        """Events wait for the next of these moments: to publish each by itself took a tenth of a busy worker's CPU."""

    def stop(self) -> None:
        """What has gathered is told."""
        self._flush_events()
        super().stop()

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """Bodies are decoded before a thread takes them: one that cannot be is no task's failure, but a dead letter."""
        handle = super().create_task_handler(*args, **kwargs)

        def on_task_received(message: Any) -> Any:
            if is_newer(message.headers):
                return self.on_newer(message)
            try:
                message.decode()
            except Exception as error:  # noqa: BLE001 - a decoder of any kind, fed by anybody
                return self.on_decode_error(message, error)
            if _was_delivered_before(message) and deliveries.begun_too_often(_id(message)):
                return self.on_delivered_too_often(message)
            return handle(message)

        return on_task_received

    def on_newer(self, message: Any) -> None:
        """From a version of the fleet that comes after this one."""
        log.info("message of a newer version is handed back", task=message.headers.get("task"))
        self.timer.call_after(
            HAND_BACK_SECONDS, message.reject_log_error, (logger, self.connection_errors), {"requeue": True}
        )

    def on_delivered_too_often(self, message: Any) -> None:
        """Workers have died under it, one after the other."""
        order = _order(message)
        error = f"delivered {deliveries.MOST} times again, and nobody lived to end it"
        if order is None:
            _keep(message, error)
        else:
            refuse(order, error)
        overdue.leave_journal(_id(message))
        message.ack_log_error(logger, self.connection_errors)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """A body that its content type does not describe."""
        _keep(message, f"cannot be decoded: {exc}")
        super().on_decode_error(message, exc)

    def on_unknown_message(self, body: Any, message: Any) -> None:
        """No task is named."""
        _keep(message, "names no task")
        super().on_unknown_message(body, message)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        """A task that this fleet does not have."""
        _keep(message, f"no task of the name {exc}")
        super().on_unknown_task(body, message, exc)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """A task whose envelope Celery refuses."""
        _keep(message, f"not a valid task: {exc}")
        super().on_invalid_task(body, message, exc)


def _was_delivered_before(message: Any) -> bool:
    """Fetches are left out: their tickets see to it that each begins once."""
    task = message.headers.get("task") if isinstance(message.headers, dict) else None
    return bool((message.delivery_info or {}).get("redelivered")) and not str(task).startswith("fetch.")


def _id(message: Any) -> str:
    headers = message.headers if isinstance(message.headers, dict) else {}
    return str(headers.get("id") or message.delivery_tag)


def _order(message: Any) -> Order | None:
    try:
        return order_in(message.headers, message.decode())
    except Exception:  # noqa: BLE001 - a decoder of any kind, fed by anybody
        return None


def _keep(message: Any, error: str) -> None:
    raw = message.body if isinstance(message.body, bytes) else str(message.body).encode("utf-8", "replace")
    headers = message.headers if isinstance(message.headers, dict) else {}
    about = {"headers": headers, "content_type": message.content_type, "delivery_info": message.delivery_info}
    order = _order(message)
    if order is not None:
        about |= order.shown()
    properties = message.properties if isinstance(message.properties, dict) else {}
    keep(
        error, raw, request=about, trace_id=id_of(properties.get("correlation_id")), request_id=id_of(headers.get("id"))
    )
