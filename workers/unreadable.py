"""Messages that cannot be taken are kept, raw: in PostgreSQL, or in Redis until PostgreSQL is back."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from typing import Any, cast

import redis
import structlog
from sqlalchemy.exc import SQLAlchemyError

from enrichment.domain.orders import Order
from enrichment.reservoir import dead_letters
from workers import process

LIST = "unreadable"
LARGEST = dead_letters.LARGEST_BODY

log = structlog.get_logger()


def keep(
    error: str,
    raw: bytes,
    *,
    request: Mapping[str, Any] | None = None,
    trace_id: str | None = None,
    request_id: str | None = None,
) -> None:
    """Makes a dead letter of it, one for a request_id; never raises for servers that are away.

    request: what could be made of it.
    """
    log.warning("message is unreadable", error=error, bytes=len(raw))
    try:
        with process.fleet().engine.begin() as connection:
            dead_letters.message(
                connection, error, raw, request=request, correlation_id=trace_id, request_id=request_id
            )
    except SQLAlchemyError as database_error:
        log.warning("dead letter must wait", error=str(database_error)[:200])
        # With an id of its own it is brought in once, whoever does it.
        about = {"request": request or {}, "trace_id": trace_id, "request_id": request_id or uuid.uuid4().hex}
        _keep_in_redis(error, raw, about)


def refuse(order: Order, error: str) -> None:
    """An order that cannot be taken; it harms nobody else."""
    shown = order.shown()
    raw = json.dumps(shown, default=repr).encode()
    keep(f"{order.task}: {error}", raw, request=shown, trace_id=order.trace_id, request_id=order.id)


def _keep_in_redis(error: str, raw: bytes, about: Mapping[str, Any]) -> None:
    entry = {"error": error, "body": base64.b64encode(raw[:LARGEST]).decode(), **about}
    try:
        process.broker_redis().lpush(LIST, json.dumps(entry, default=repr))
    except redis.RedisError:
        log.exception("message is lost but for this line", raw=repr(raw[:2000]))


def bring_in() -> None:
    """What waited in Redis becomes dead letters. By the steward; several at once are harmless."""
    client = process.broker_redis()
    while (entry := cast("str | None", client.lindex(LIST, -1))) is not None:
        kept = json.loads(entry)
        with process.fleet().engine.begin() as connection:
            dead_letters.message(
                connection,
                kept["error"],
                base64.b64decode(kept["body"]),
                request=kept["request"],
                correlation_id=kept["trace_id"],
                request_id=kept["request_id"],
            )
        client.lrem(LIST, -1, entry)
