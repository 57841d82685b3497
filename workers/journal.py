"""The journal of `.delay()` on Redis: what was published, until PostgreSQL has it.

A worker that dies takes the message along that it had just popped; nothing in Redis knows of it then. So an entry is
made with the publish, in one step of Redis and one round trip, and removed once the submit is committed. Entries that
stay are submitted by a worker's steward (workers/overdue.py), never published again.

    journal         id of the message -> the message as published
    journal:since   the same ids by the time of Redis' own clock
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import redis
from redis.exceptions import NoScriptError

ENTRIES, SINCE = "journal", "journal:since"
MOST = 1_000_000
"""Entries. Beyond them publishing is an error: nobody has taken work in for long."""

_CLOCK = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
"""

_PUBLISH = f"""
{_CLOCK}
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[3]) then
  return redis.error_reply('the journal of linernotes is full: do its workers run?')
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], string.format('%.6f', now), ARGV[1])
return redis.call('LPUSH', KEYS[3], ARGV[2])
"""

_OLDER = f"""
{_CLOCK}
local before = string.format('%.6f', now - tonumber(ARGV[1]))
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', before, 'LIMIT', 0, ARGV[2])
local found = {{}}
for _, id in ipairs(ids) do
  found[#found + 1] = {{id, redis.call('HGET', KEYS[1], id)}}
end
return found
"""

_LATER = f"""
{_CLOCK}
return redis.call('ZADD', KEYS[1], 'XX', string.format('%.6f', now), ARGV[1])
"""


class _Script:
    """A script of Redis, sent whole only to a server that does not know it yet."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, client: redis.Redis, keys: Sequence[str], *values: str | bytes | float) -> Any:
        try:
            return client.evalsha(self._digest, len(keys), *keys, *values)
        except NoScriptError:
            return client.eval(self._text, len(keys), *keys, *values)


_publish, _older, _later = _Script(_PUBLISH), _Script(_OLDER), _Script(_LATER)


def publish(client: redis.Redis, queue: str, id_: str, message: str | bytes, most: int = MOST) -> None:
    """Entry and message, or neither. Raises redis.RedisError, where Redis is full, or the journal, too."""
    _publish(client, [ENTRIES, SINCE, queue], id_, message, most)


def remove(client: redis.Redis, id_: str) -> None:
    """It is in PostgreSQL, or in the dead letters."""
    with client.pipeline() as pipe:
        pipe.zrem(SINCE, id_)
        pipe.hdel(ENTRIES, id_)
        pipe.execute()


def older(client: redis.Redis, seconds: float, most: int) -> Iterator[tuple[str, bytes | None]]:
    """Ids and messages that have stood here for longer, the oldest first."""
    for id_, message in _older(client, [ENTRIES, SINCE], seconds, most):
        yield id_.decode("utf-8", "replace"), message


def later(client: redis.Redis, id_: str) -> None:
    """Somebody else is to look at it: its time begins anew."""
    _later(client, [SINCE], id_)
