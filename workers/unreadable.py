"""Messages that nobody can read are kept, raw: in PostgreSQL, or in Redis until PostgreSQL is back."""

from __future__ import annotations

import base64
import json

import redis
import structlog
from sqlalchemy.exc import SQLAlchemyError

from enrichment.reservoir import dead_letters
from workers import process

LIST = "unreadable"
LARGEST = 1_000_000

log = structlog.get_logger()


def keep(error: str, raw: bytes, about: str = "{}", correlation_id: str | None = None) -> None:
    """Makes a dead letter of it; never raises for servers that are away.

    about: what could be made of it, as JSON text.
    """
    log.warning("message is unreadable", error=error, bytes=len(raw))
    try:
        with process.fleet().engine.begin() as connection:
            dead_letters.message(connection, error, raw, about, correlation_id)
    except SQLAlchemyError as database_error:
        log.warning("dead letter must wait", error=str(database_error)[:200])
        _keep_in_redis(error, raw, about, correlation_id)


def _keep_in_redis(error: str, raw: bytes, about: str, correlation_id: str | None) -> None:
    entry = {"error": error, "body": base64.b64encode(raw[:LARGEST]).decode(), "about": about, "id": correlation_id}
    try:
        process.redis_client().lpush(LIST, json.dumps(entry))
    except redis.RedisError:
        log.exception("message is lost but for this line", raw=repr(raw[:2000]))


def bring_in() -> None:
    """What waited in Redis becomes dead letters. By the steward."""
    client = process.redis_client()
    while (entry := client.lindex(LIST, -1)) is not None:
        kept = json.loads(entry)
        with process.fleet().engine.begin() as connection:
            dead_letters.message(connection, kept["error"], base64.b64decode(kept["body"]), kept["about"], kept["id"])
        client.rpop(LIST)
