"""Celery's settings of a producer, read from the environment when the first task is sent.

Exchange and queues are named as in the fleet. A queue that is not there yet is declared with the first message.
"""

from __future__ import annotations

import os
from typing import Any

CRITICAL, DEFAULT, LOW_PRIORITY = LANES = ("critical", "default", "low_priority")

broker_url = os.environ.get("LINERNOTES_BROKER_URL", "redis://127.0.0.1:6379/0")

task_queues = {lane: {"exchange": "linernotes", "exchange_type": "direct", "routing_key": lane} for lane in LANES}
task_default_queue = DEFAULT
task_default_exchange = "linernotes"
task_default_routing_key = DEFAULT


def lane_of(task: str, given: dict[str, Any]) -> str:
    """The queue for a task with these keywords: 10 is critical, 4-9 default, 1-3 low_priority.

    What is no priority at all travels on the default lane: the fleet keeps it where it can be seen.
    """
    priority = given.get("priority", 2 if task == "fetch_artwork" else 5)
    if priority == 10:
        return CRITICAL
    return LOW_PRIORITY if priority in range(1, 4) else DEFAULT


def route(name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **_: Any) -> dict[str, Any]:
    """Celery's way to ask for the queue."""
    del args, options, task
    return {"queue": lane_of(name, kwargs)}


task_routes = (route,)
task_serializer = "json"
task_ignore_result = True

_patience: dict[str, Any] = {"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5}
task_publish_retry_policy = _patience
# Connecting has its own patience, endless if not said: a producer would hang for as long as the broker is away.
broker_transport_options: dict[str, Any] = dict(_patience)
if broker_url.startswith(("redis://", "rediss://")):
    if os.environ.get("LINERNOTES_JOURNAL", "").lower() not in {"0", "false", "no", "off"}:
        broker_transport = "linernotes_client.transport:Transport"
    broker_transport_options |= {"socket_timeout": 15, "socket_connect_timeout": 5, "socket_keepalive": True}
