"""Replies kept in Redis under `enrichment:*`, so that the same question is not asked of an upstream twice.

An operator may delete these keys at any time; nothing but calls is lost.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from enrichment.sources.base import Reply

if TYPE_CHECKING:
    from redis import Redis

LARGEST = 2_000_000
"""Bytes of a body beyond which a reply is not kept."""


class Cache:
    """Kept replies. Raises redis.RedisError where Redis does not answer."""

    def __init__(self, redis: Redis, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._redis = redis
        self._now = now

    def key(self, source: str, method: str, url: str, body: bytes) -> str:
        """The name a reply is kept under: a hash, so that nothing of the request can be read from it."""
        digest = hashlib.sha256(b"\0".join([method.encode(), url.encode(), body])).hexdigest()
        return f"enrichment:{source}:{digest}"

    def get(self, key: str, fresh_after: datetime | None) -> Reply | None:
        """The kept reply, unless it is older than `fresh_after`."""
        kept = cast("bytes | None", self._redis.get(key))
        if kept is None:
            return None
        head, _, body = zlib.decompress(kept).partition(b"\n")
        about = json.loads(head)
        asked_at = datetime.fromisoformat(about["asked_at"])
        if fresh_after is not None and asked_at < fresh_after:
            return None
        return Reply(about["status"], about["headers"], body, about["url"], asked_at)

    def now(self) -> datetime:
        """The moment that a request about to be sent has."""
        return self._now()

    def put(self, key: str, reply: Reply, seconds: float, asked_at: datetime) -> None:
        """Keep an answer for so long. asked_at: when the request was sent; it can say nothing of later."""
        if len(reply.body) > LARGEST or seconds < 1:
            return
        about = {
            "asked_at": asked_at.isoformat(),
            "status": reply.status,
            "headers": {name: reply.headers[name] for name in ("content-type", "date") if name in reply.headers},
            "url": reply.url,
        }
        self._redis.set(key, zlib.compress(json.dumps(about).encode() + b"\n" + reply.body, 3), ex=int(seconds))
