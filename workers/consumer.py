"""Celery's consumer, but for messages it would throw away: they become dead letters, raw."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from celery.worker import consumer as stock

from workers.unreadable import keep


class Consumer(stock.Consumer):
    """`worker_consumer` of celeryconfig. Each message is kept before the stock consumer lets it go."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """Bodies are decoded before a thread takes them: one that cannot be is no task's failure, but a dead letter."""
        handle = super().create_task_handler(*args, **kwargs)

        def on_task_received(message: Any) -> Any:
            try:
                message.decode()
            except Exception as error:  # noqa: BLE001 - a decoder of any kind, fed by anybody
                return self.on_decode_error(message, error)
            return handle(message)

        return on_task_received

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


def _keep(message: Any, error: str) -> None:
    raw = message.body if isinstance(message.body, bytes) else str(message.body).encode("utf-8", "replace")
    about = {"headers": message.headers, "content_type": message.content_type, "delivery_info": message.delivery_info}
    properties = message.properties if isinstance(message.properties, dict) else {}
    keep(error, raw, json.dumps(about, default=str).replace("\\u0000", ""), properties.get("correlation_id"))
