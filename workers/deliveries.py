"""How often a message has begun without an end: one under which workers die is taken out before it kills them all."""

from __future__ import annotations

import redis
import structlog

from workers import process

MOST = 5
"""Beginnings after the first. Innocent ones die along with others, so it is not three."""
KEPT_SECONDS = 86_400

log = structlog.get_logger()


def begun_too_often(id_: str) -> bool:
    """Counts this beginning. Where Redis is away nothing is counted."""
    try:
        with process.redis_client().pipeline() as pipe:
            pipe.incr(_key(id_))
            pipe.expire(_key(id_), KEPT_SECONDS)
            count: int = pipe.execute()[0]
    except redis.RedisError as error:
        log.warning("limiter is away", error=str(error)[:200])
        return False
    return count > MOST


def ended(id_: str) -> None:
    """It was handed back in good order, or is done."""
    try:
        process.redis_client().delete(_key(id_))
    except redis.RedisError as error:
        log.warning("limiter is away", error=str(error)[:200])


def _key(id_: str) -> str:
    return f"deliveries:{id_}"
