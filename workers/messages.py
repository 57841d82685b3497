"""What our messages say besides Celery's own: a version. And how one is read without Celery's machinery."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from celery import signals

from enrichment.domain.orders import TASKS, Order, id_of

VERSION = 1
"""Of tasks and their arguments. Raise it with a change that workers before it would misunderstand."""

HEADER = "version"


@signals.before_task_publish.connect
def mark(headers: dict[str, Any] | None = None, **_: Any) -> None:
    """Every message of ours says its version; one that says none is of the first."""
    if headers is not None:
        headers.setdefault(HEADER, VERSION)


def is_newer(headers: Any) -> bool:
    """Is this from a version of the fleet that this worker does not know?"""
    said = headers.get(HEADER, 1) if isinstance(headers, Mapping) else 1
    return isinstance(said, int) and said > VERSION


def is_journaled(headers: Any) -> bool:
    """Does it hand in work, to be done now?"""
    if not isinstance(headers, Mapping) or headers.get("task") not in TASKS:
        return False
    return bool(headers.get("id")) and not headers.get("eta") and not headers.get("expires")


def order_in(headers: Any, body: Any) -> Order | None:
    """What a task's message asks for. body: decoded. None where it is in no form of Celery's second protocol."""
    task = headers.get("task") if isinstance(headers, Mapping) else None
    if not isinstance(task, str) or not isinstance(body, list | tuple) or len(body) < 2:
        return None
    args, kwargs = body[0], body[1]
    if not isinstance(args, list | tuple) or not isinstance(kwargs, dict):
        return None
    return Order(task, tuple(args), kwargs, id_of(headers.get("id")))


def opened(raw: bytes) -> tuple[dict[str, Any], Order | None]:
    """Headers and order of a message as the Redis transport has written it. Raises ValueError, KeyError, TypeError."""
    message = json.loads(raw)
    headers: dict[str, Any] = message["headers"]
    body = message["body"]
    if message["properties"].get("body_encoding") == "base64":
        body = base64.b64decode(body)
    return headers, order_in(headers, json.loads(body))
