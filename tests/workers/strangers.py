"""Programs that know nothing of us and publish to the foreign queue."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import amqp
import redis

from tests.conftest import Empty
from workers.foreign import QUEUE, TAKEN

AMQP_URL = os.environ.get("LINERNOTES_TEST_AMQP_URL", "")
NO_RABBITMQ = "LINERNOTES_TEST_AMQP_URL names no RabbitMQ"


@contextmanager
def on_redis(empty: Empty) -> Iterator[Any]:
    """redis-cli: how it publishes, and how many messages are left."""
    with redis.Redis.from_url(empty.broker_url) as client:
        yield lambda raw: client.lpush(QUEUE, raw), lambda: int(client.llen(QUEUE)) + int(client.hlen(TAKEN))


@contextmanager
def on_rabbitmq() -> Iterator[Any]:
    """The same with a client that knows AMQP and nothing else."""
    with amqp.Connection(*account()) as connection, connection.channel() as channel:
        channel.queue_declare(QUEUE, durable=True, auto_delete=False)
        channel.queue_purge(QUEUE)

        def publish(raw: bytes) -> None:
            channel.basic_publish(amqp.Message(raw), routing_key=QUEUE)

        yield publish, lambda: int(channel.queue_declare(QUEUE, passive=True).message_count)


def account() -> tuple[str, str, str]:
    """Host and port, user, password."""
    user_and_password, _, server = AMQP_URL.removeprefix("amqp://").strip("/").rpartition("@")
    user, _, password = user_and_password.partition(":")
    return server, user or "guest", password or "guest"


def message(**given: Any) -> bytes:
    """A message as any language writes it."""
    return json.dumps(given).encode()
