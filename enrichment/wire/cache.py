"""Replies kept in Redis under `enrichment:*`, so that the same question is not asked of an upstream twice.

An operator may delete these keys at any time; nothing but calls is lost.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, cast

from enrichment.sources.base import Reply

if TYPE_CHECKING:
    from redis import Redis

PREFIX = "enrichment:"
LARGEST = 2_000_000
"""Bytes of a body beyond which a reply is not kept."""


BATCH = 1000
"""Keys that are looked at, or removed, at a time."""


@dataclass(frozen=True, slots=True)
class Load:
    """Of the server of limiter and cache. keys: but for a few they are kept replies. evictions: since its start."""

    keys: int
    bytes: int
    most_bytes: int
    evictions: int


class Cache:
    """Kept replies. Raises redis.RedisError where Redis does not answer."""

    def __init__(self, redis: Redis, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._redis = redis
        self._now = now

    def key(self, source: str, method: str, url: str, body: bytes) -> str:
        """The name a reply is kept under: a hash, so that nothing of the request can be read from it."""
        digest = hashlib.sha256(b"\0".join([method.encode(), url.encode(), body])).hexdigest()
        return f"{PREFIX}{source}:{digest}"

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

    def load(self) -> Load:
        """What its server says of itself; cheap."""
        about = self._redis.info()
        return Load(self._redis.dbsize(), about["used_memory"], about.get("maxmemory", 0), about["evicted_keys"])

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Kept replies and their bytes, compressed, by source. Walks over all keys."""
        found: dict[str, tuple[int, int]] = {}
        for names in self._batches(f"{PREFIX}*"):
            lengths = self._redis.pipeline(transaction=False)
            for name in names:
                lengths.strlen(name)
            for name, length in zip(names, lengths.execute(), strict=True):
                source = name.decode("utf-8", "replace").split(":")[1]
                replies, size = found.get(source, (0, 0))
                found[source] = replies + 1, size + length
        return found

    def clear(self, source: str | None = None) -> int:
        """Forgets the kept replies, of one source or of all. Returns how many."""
        pattern = f"{PREFIX}{source}:*" if source else f"{PREFIX}*"
        return sum(int(self._redis.unlink(*names)) for names in self._batches(pattern))

    def _batches(self, pattern: str) -> Iterator[list[bytes]]:
        names = self._redis.scan_iter(pattern, count=BATCH)
        while batch := list(islice(names, BATCH)):
            yield batch

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
