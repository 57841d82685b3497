"""The foreign queue: plain JSON messages on `enrichment_queue`, as any language publishes them, for every worker.

    Redis     LPUSH enrichment_queue '{"artist_name": …, "track_title": …}'
    RabbitMQ  basic.publish to the durable queue enrichment_queue, without any headers

A message leaves its queue for good when it is in PostgreSQL, as a request or as a dead letter. Until then RabbitMQ
keeps it for the worker that has it; on Redis it stands beside the queue, from where another worker takes it again:

    enrichment_queue:taken         id -> the message
    enrichment_queue:taken:since   the same ids, by the time of Redis' own clock

The ids are given when a message is first taken: what is taken twice is submitted once.
"""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, cast

import redis
import structlog
from kombu.connection import Connection
from kombu.exceptions import KombuError
from sqlalchemy.exc import SQLAlchemyError

from enrichment.domain.orders import Order
from enrichment.reservoir.retrying import passes
from enrichment.services import intake
from enrichment.settings import Settings
from workers import deliveries, process
from workers.unreadable import keep

QUEUE = "enrichment_queue"
TAKEN, SINCE = f"{QUEUE}:taken", f"{QUEUE}:taken:since"
MOST, MOST_BYTES = 200, 8_000_000
"""Of one round."""
LEASE_SECONDS = 30.0
"""How long another worker leaves alone what one has taken. A round takes about a second."""
HEARTBEAT_SECONDS = 60.0
"""Of AMQP. A submit may wait half as long for the database."""
IDLE_SECONDS = 0.5
AGAIN_SECONDS = 3.0
"""After the broker or the database was away."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Message:
    """id: None where the broker gives none. again: somebody has had it, and has not ended it."""

    raw: bytes
    id: str | None
    again: bool = False


class Queue(Protocol):
    """`enrichment_queue` on one broker."""

    errors: tuple[type[Exception], ...]
    """What it raises while its broker is away."""

    def take(self) -> Sequence[Message]:
        """Some messages, which nobody else gets meanwhile. Empty where none came for a while."""

    def done(self, messages: Sequence[Message]) -> None:
        """All of them are in PostgreSQL."""

    def leave(self) -> None:
        """What is taken and not done is for others."""


# --- messages ------------------------------------------------------------------------------------------------------


class Unreadable(ValueError):  # noqa: N818 - it is the message that is unreadable
    """Not what producers and we have agreed on."""


_TYPES: dict[str, tuple[type, ...]] = {
    "track_id": (str, int),
    "artist_name": (str,),
    "track_title": (str,),
    "priority": (int,),
    "correlation_id": (str, int),
}
"""JSON says what is a text and what a number; names that come as numbers are a producer's mistake."""


def order_in(message: Message) -> Order:
    """What a message asks for. Raises Unreadable."""
    try:
        given = json.loads(message.raw)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {error}") from error
    if not isinstance(given, dict):
        raise Unreadable(f"not a JSON object but {type(given).__name__}")
    for name, types in _TYPES.items():
        value = given.get(name)
        if value is not None and (not isinstance(value, types) or isinstance(value, bool)):
            raise Unreadable(f"{name}: not {' or '.join(kind.__name__ for kind in types)} but {type(value).__name__}")
    return Order("enrich_track", (), {name: value for name, value in given.items() if value is not None}, message.id)


def take_in(messages: Sequence[Message]) -> None:
    """Submits them, or makes dead letters of them. Raises sqlalchemy.exc.SQLAlchemyError where the database is away."""
    read: list[tuple[Message, Order]] = []
    for message in messages:
        if message.again and deliveries.begun_too_often(_digest(message)):
            _keep(message, "workers died under it")
            continue
        try:
            read.append((message, order_in(message)))
        except Unreadable as error:
            _keep(message, str(error))
    # One under which a worker has died is not to take others along.
    alone = [[each] for each in read if each[0].again]
    together = [each for each in read if not each[0].again]
    for part in filter(None, [*alone, together]):
        _submit(part)
    for message, _ in read:
        if message.again:
            deliveries.ended(_digest(message))


def _submit(read: Sequence[tuple[Message, Order]]) -> None:
    try:
        refusals = intake.take_tracks(process.fleet(), [order for _, order in read])
    except Exception as error:
        if passes(error):
            raise
        log.exception("message of the foreign queue cannot be submitted", messages=len(read))
        _submit_apart(read, f"{type(error).__name__}: {error}")
        return
    refused = {id(refusal.order): refusal.error for refusal in refusals}
    for message, order in read:
        if id(order) in refused:
            _keep(message, refused[id(order)], order)
        else:
            log.info("Track enrichment requested", track_id=order.given.get("track_id"), correlation_id=order.trace_id)


def _submit_apart(read: Sequence[tuple[Message, Order]], error: str) -> None:
    """One of them has brought the others down."""
    if len(read) == 1:
        message, order = read[0]
        _keep(message, error, order)
        return
    for each in read:
        _submit([each])


def _keep(message: Message, error: str, order: Order | None = None) -> None:
    keep(
        f"{QUEUE}: {error}",
        message.raw,
        request=order.shown() if order is not None else None,
        trace_id=order.trace_id if order is not None else None,
        request_id=message.id,
    )


def _digest(message: Message) -> str:
    return f"{QUEUE}:{hashlib.blake2b(message.raw, digest_size=16).hexdigest()}"


# --- brokers -------------------------------------------------------------------------------------------------------

_TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local found, bytes = {}, 0
local function take(id, raw, again)
  redis.call('ZADD', KEYS[3], string.format('%.6f', now), id)
  found[#found + 1] = {id, raw, again}
  bytes = bytes + #raw
end
local before = string.format('%.6f', now - tonumber(ARGV[4]))
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', before, 'LIMIT', 0, ARGV[2])) do
  local raw = redis.call('HGET', KEYS[2], id)
  if not raw then
    redis.call('ZREM', KEYS[3], id)
  elseif bytes < tonumber(ARGV[3]) then
    take(id, raw, 1)
  end
end
while #found < tonumber(ARGV[2]) and bytes < tonumber(ARGV[3]) do
  local raw = redis.call('RPOP', KEYS[1])
  if not raw then break end
  local id = ARGV[1] .. '/' .. #found
  redis.call('HSET', KEYS[2], id, raw)
  take(id, raw, 0)
end
return found
"""


class RedisQueue:
    """A list; the oldest message is at its right end, as LPUSH leaves it."""

    errors: tuple[type[Exception], ...] = (redis.RedisError,)

    def __init__(self, client: redis.Redis, lease: float = LEASE_SECONDS) -> None:
        """lease: seconds."""
        self._client = client
        self._script = client.register_script(_TAKE)
        self._lease = lease

    def take(self) -> Sequence[Message]:
        """Pops and notes them in one step."""
        arguments = (uuid.uuid4().hex, MOST, MOST_BYTES, self._lease)
        found = cast("list[tuple[bytes, bytes, int]]", self._script(keys=[QUEUE, TAKEN, SINCE], args=arguments))
        if not found:
            process.stopping.wait(IDLE_SECONDS)
        return [Message(raw, id_.decode(), bool(again)) for id_, raw, again in found]

    def done(self, messages: Sequence[Message]) -> None:
        """Removes them."""
        ids = [message.id or "" for message in messages]
        with self._client.pipeline() as pipe:
            pipe.zrem(SINCE, *ids)
            pipe.hdel(TAKEN, *ids)
            pipe.execute()

    def leave(self) -> None:
        """They come back when their lease is over."""


class AmqpQueue:
    """A durable queue of RabbitMQ. Its messages have no ids: one that comes twice is asked for twice, which joins."""

    def __init__(self, where: Connection) -> None:
        """where: not connected; each time a copy of it is."""
        self._where = where
        self._connection: Any = None
        self._channel: Any = None
        self._arrived: list[Any] = []
        self.errors: tuple[type[Exception], ...] = (*where.connection_errors, *where.channel_errors, KombuError)

    def take(self) -> Sequence[Message]:
        """What has arrived, not more than the prefetch."""
        self._arrived.clear()
        if self._channel is None:
            self._open()
        wait = IDLE_SECONDS
        with suppress(TimeoutError):
            while len(self._arrived) < MOST and not process.stopping.is_set():
                self._connection.drain_events(timeout=wait)
                wait = 0.01
        self._connection.heartbeat_check()
        return [Message(_bytes(each.body), None, bool(each.delivery_info["redelivered"])) for each in self._arrived]

    def _open(self) -> None:
        self._connection = self._where.clone()
        channel = self._connection.channel()
        try:
            # As it is, where a producer has declared it: with a dead-letter exchange perhaps, which we cannot know.
            channel.queue_declare(QUEUE, passive=True)
        except self._connection.channel_errors:
            channel = self._connection.channel()
            channel.queue_declare(QUEUE, durable=True, auto_delete=False)
        channel.basic_qos(0, MOST, False)
        channel.basic_consume(QUEUE, callback=self._arrived.append)
        self._channel = channel

    def done(self, messages: Sequence[Message]) -> None:
        """Acknowledges all that has arrived."""
        assert len(messages) == len(self._arrived)
        self._channel.basic_ack(self._arrived[-1].delivery_tag, multiple=True)

    def leave(self) -> None:
        """RabbitMQ gives them to others."""
        self._channel = None
        if self._connection is not None:
            self._connection.release()


def _bytes(body: Any) -> bytes:
    """py-amqp has decoded it where a content encoding was named."""
    return body if isinstance(body, bytes) else str(body).encode("utf-8", "surrogateescape")


def queues(settings: Settings) -> Iterator[Queue]:
    """The one on the fleet's own broker, and on the RabbitMQ that RABBITMQ_HOST names."""
    if process.has_journal():
        yield RedisQueue(process.broker_redis())
    elif settings.broker_url.startswith(("amqp://", "amqps://", "pyamqp://")):
        yield AmqpQueue(Connection(settings.broker_url, heartbeat=HEARTBEAT_SECONDS, connect_timeout=3))
    if host := settings.text("RABBITMQ_HOST"):
        name, _, port = host.partition(":")
        user, password = settings.text("RABBITMQ_USER") or "guest", settings.text("RABBITMQ_PASS") or "guest"
        where: dict[str, Any] = {"hostname": name, "port": int(port or 5672), "userid": user, "password": password}
        options = {"transport": "pyamqp", "heartbeat": HEARTBEAT_SECONDS, "connect_timeout": 3}
        yield AmqpQueue(Connection(**where, **options))


# --- a worker's part -----------------------------------------------------------------------------------------------


def start(settings: Settings) -> list[threading.Thread]:
    """Begins to take messages in; ends when the worker is told to stop."""
    threads = [threading.Thread(target=_rounds, args=(queue,), name=QUEUE, daemon=True) for queue in queues(settings)]
    for thread in threads:
        thread.start()
    return threads


def _rounds(queue: Queue) -> None:
    while not process.stopping.is_set():
        try:
            one_round(queue)
        except Exception as error:  # noqa: BLE001 - a consumer that falls leaves its queue without one, and nobody sees
            _tell(queue, error)
            _leave(queue)
    _leave(queue, 0.0)


def _tell(queue: Queue, error: Exception) -> None:
    if isinstance(error, (*queue.errors, SQLAlchemyError, OSError)):
        log.warning("foreign queue must wait", error=f"{type(error).__name__}: {error}"[:200])
    else:
        log.error("foreign queue's round failed", exc_info=error)


def _leave(queue: Queue, seconds: float = AGAIN_SECONDS) -> None:
    with suppress(*queue.errors, OSError):
        queue.leave()
    process.stopping.wait(seconds)


def one_round(queue: Queue) -> int:
    """Takes some messages in. Returns how many."""
    messages = queue.take()
    if messages:
        take_in(messages)
        queue.done(messages)
    return len(messages)
