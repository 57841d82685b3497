"""Celery's settings for producers and workers: `app.config_from_object("celeryconfig")`.

Facts behind each setting: docs/decisions/0002-celery.md.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from kombu import Exchange, Queue

from enrichment.domain.subjects import PRIORITIES, Lane, lane_of
from enrichment.settings import load

broker_url = os.environ.get("LINERNOTES_BROKER_URL", "redis://127.0.0.1:6379/0")
if broker_url.startswith(("redis://", "rediss://")) and "flower" not in sys.argv:
    # Flower counts queues by the kind of broker that its URL tells, in which kombu would write our transport's name.
    # The stock transport ends the worker when Redis goes away with a message unacked (kombu 5.7.0).
    broker_transport = "workers.transport:Transport"

FETCH = "fetch"
_exchange = Exchange("linernotes", type="direct")
task_queues = [Queue(name, _exchange, routing_key=name) for name in (FETCH, *Lane)]
"""In the order in which workers take from them: fetch is bounded by the windows, so it cannot starve the others."""

task_default_queue = Lane.DEFAULT.value
task_default_exchange = "linernotes"
task_default_routing_key = Lane.DEFAULT.value


def route(name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **_: Any) -> dict[str, Any] | None:
    """A task travels on the lane of its priority; fetches on a queue of their own."""
    del args, options, task
    if name.startswith("fetch."):
        return {"queue": FETCH}
    if name == "fetch_artwork" and "priority" not in kwargs:
        return {"queue": Lane.LOW_PRIORITY.value}
    priority = kwargs.get("priority", 5)
    # A priority nobody knows is the worker's to complain about, where the complaint is kept.
    return {"queue": lane_of(priority).value if priority in PRIORITIES else Lane.DEFAULT.value}


task_routes = (route,)
worker_consumer = "workers.consumer:Consumer"
worker_pool = "threads"
worker_concurrency = int(os.environ.get("LINERNOTES_THREADS", "32"))
worker_prefetch_multiplier = 1
worker_hijack_root_logger = False
worker_send_task_events = True
worker_cancel_long_running_tasks_on_connection_loss = False
worker_enable_remote_control = True
task_send_sent_event = False

task_acks_late = True
task_reject_on_worker_lost = True
task_acks_on_failure = True
task_acks_on_timeout = True
task_ignore_result = True
task_store_errors_even_if_ignored = False
task_serializer = "json"
accept_content = ["json"]
task_publish_retry_policy = {"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5}

broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_channel_error_retry = True
broker_transport_options: dict[str, Any] = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "unacked_restore_limit": 1000,
    "queue_order_strategy": "priority",
    "socket_timeout": 15,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "journal": load().journal,
}
if not broker_url.startswith(("redis://", "rediss://")):
    broker_transport_options = {}

# Which schedule is due stands in PostgreSQL; a tick that nobody has taken when the next one comes is not needed.
beat_schedule = {
    "tick": {
        "task": "tick_schedules",
        "schedule": 20.0,
        "options": {"queue": Lane.CRITICAL.value, "expires": 20.0},
    }
}

timezone = "UTC"
enable_utc = True
