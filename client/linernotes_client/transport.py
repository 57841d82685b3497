"""Kombu's Redis transport, with the fleet's journal.

A worker that dies takes along what it has just popped from Redis. So each message is written twice, in one step of
Redis: to its queue, and to the journal, where it stays until the fleet has committed it. Keys and entries are those of
`workers/journal.py` of linernotes:

    journal         id of the message -> the message as published
    journal:since   the same ids by the time of Redis' own clock
"""

from __future__ import annotations

from typing import Any

from kombu.transport import redis as stock
from kombu.utils.json import dumps

MOST = 1_000_000
"""Entries. A journal as long as this means that nobody has taken work in for long."""

_PUBLISH = """
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[3]) then
  return redis.error_reply('the journal of linernotes is full: do its workers run?')
end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], string.format('%.6f', time[1] + time[2] / 1000000), ARGV[1])
return redis.call('LPUSH', KEYS[3], ARGV[2])
"""


class Channel(stock.Channel):
    """A channel that keeps the journal. What is to be done later, or not for ever, is left out of it."""

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        headers = message["headers"]
        if headers.get("eta") or headers.get("expires"):
            super()._put(queue, message, **options)
            return
        key = self._q_for_pri(queue, self._get_message_priority(message, reverse=False))
        with self.conn_or_acquire() as client:
            client.eval(_PUBLISH, 3, "journal", "journal:since", key, headers["id"], dumps(message), MOST)


class Transport(stock.Transport):
    """`broker_transport` of celeryconfig."""

    Channel = Channel
