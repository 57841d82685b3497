"""Kombu's Redis transport, for a Redis that goes away and for queues that anybody may write to.

Three things differ from the stock transport of kombu 5.7.0: a channel that has been torn down says so with an error
that Celery handles (stock: AttributeError, which ends the worker); what is no message at all is kept as a dead letter
(stock: the worker falls); and what hands work in is published together with its entry in the journal (stock: a worker
that dies takes along what it has just popped).
"""

from __future__ import annotations

import base64
import json
from typing import Any

from kombu.transport import redis as stock
from kombu.utils.json import dumps
from redis.exceptions import ConnectionError as RedisConnectionError

from workers import journal
from workers.messages import is_journaled


class NoMessage(ValueError):  # noqa: N818 - what was popped is no message
    """Something was in the queue that no Celery producer has put there."""

    def __init__(self, raw: bytes, why: str) -> None:
        super().__init__(why)
        self.raw = raw


def _keep(error: str, raw: bytes) -> None:
    from workers.unreadable import keep  # noqa: PLC0415 - producers, who never read, do without the fleet

    keep(error, raw)


class Channel(stock.Channel):
    """A channel that outlives its server. journal: LINERNOTES_JOURNAL."""

    journal = True
    from_transport_options = (*stock.Channel.from_transport_options, "journal")  # type: ignore[assignment]  # one more

    _made: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        """One for all commands of a pool: the stock channel makes one for each, which takes longer than the command."""
        if asynchronous:
            return super()._create_client(asynchronous=True)
        if self._made is None or self._made.connection_pool is not self.pool:
            self._made = super()._create_client()
        return self._made

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        headers = message.get("headers")
        if not self.journal or not is_journaled(headers):
            super()._put(queue, message, **options)
            return
        key = self._q_for_pri(queue, self._get_message_priority(message, reverse=False))
        with self.conn_or_acquire() as client:
            journal.publish(client, key, str(headers["id"]), dumps(message))

    def _connparams(self, asynchronous: bool = False) -> Any:
        connection = self.connection
        if connection is None or connection.client is None:
            raise RedisConnectionError("the channel is closed")
        return super()._connparams(asynchronous=asynchronous)

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except NoMessage as no:
            _keep(str(no), no.raw)
        except json.JSONDecodeError as error:
            _keep(f"not JSON: {error.msg}", error.doc.encode())
        except UnicodeDecodeError as error:
            _keep("not UTF-8", bytes(error.object))
        return True


class Transport(stock.Transport):
    """`broker_transport` of celeryconfig."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str) -> None:
        if (complaint := _complaint(message)) is not None:
            raise NoMessage(json.dumps(message).encode(), complaint)
        super()._deliver(message, queue)


def _complaint(message: Any) -> str | None:
    """What keeps this from being a message in Celery's envelope, None where nothing does."""
    if not isinstance(message, dict):
        return f"not a message but {type(message).__name__}"
    properties = message.get("properties")
    if not isinstance(properties, dict) or not properties.get("delivery_tag"):
        return "not in Celery's envelope: no properties.delivery_tag"
    if not isinstance(message.get("headers", {}), dict) or not isinstance(message.get("body"), str):
        return "not in Celery's envelope: headers or body of another type"
    way = properties.get("delivery_info")
    if not isinstance(way, dict) or not {"exchange", "routing_key"} <= way.keys():
        return "not in Celery's envelope: no exchange and routing_key in properties.delivery_info"
    if properties.get("body_encoding") == "base64":
        try:
            base64.b64decode(message["body"], validate=True)
        except ValueError:
            return "the body is not base64"
    return None
