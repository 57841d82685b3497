"""The foreign queue: what any language publishes to it is taken in, and what nobody can read is kept raw."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import amqp
import pytest
import redis
from sqlalchemy import Engine, create_engine, text

from enrichment.embedded import Servers
from simulator.catalogue import small_requests
from tests.conftest import Empty, an_empty
from tests.support import KEYS, Worker, eventually, worker
from tests.workers.conftest import Rows, _querying
from workers import deliveries
from workers.foreign import QUEUE, SINCE, TAKEN, Message, Unreadable, _digest, order_in

AMQP_URL = os.environ.get("LINERNOTES_TEST_AMQP_URL", "")
NO_RABBITMQ = "LINERNOTES_TEST_AMQP_URL names no RabbitMQ"
SONGS = list(small_requests())
LARGE = 5_000_000

Publish = Callable[[bytes], None]


@dataclass(frozen=True)
class Fleet:
    """One worker that all tests try to bring down, and how a stranger publishes to its foreign queue."""

    worker: Worker
    rows: Rows
    publish: Publish
    left: Callable[[], int]
    """Messages that the broker still has."""


@pytest.fixture(scope="module", params=["redis", "rabbitmq", "rabbitmq beside redis"])
def fleet(
    request: pytest.FixtureRequest, servers: Servers, upstreams: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    """On either broker, and on both."""
    if request.param != "redis" and not AMQP_URL:
        pytest.skip(NO_RABBITMQ)
    with an_empty(servers) as empty:
        at = replace(empty, broker_url=AMQP_URL) if request.param == "rabbitmq" else empty
        beside = dict(zip(("RABBITMQ_HOST", "RABBITMQ_USER", "RABBITMQ_PASS"), _account(), strict=True))
        more = beside if request.param == "rabbitmq beside redis" else {}
        environ = at.environ(LINERNOTES_UPSTREAM_URL=upstreams, LINERNOTES_SPEED="20", **KEYS, **more)
        engine = create_engine(empty.database_url)
        log = tmp_path_factory.mktemp("foreign") / "worker.log"
        stranger = _on_redis(empty) if request.param == "redis" else _on_rabbitmq()
        with stranger as (publish, left), worker(environ, log) as started:
            yield Fleet(started, _querying(engine), publish, left)
        engine.dispose()


@contextmanager
def _on_redis(empty: Empty) -> Iterator[Any]:
    with redis.Redis.from_url(empty.broker_url) as client:
        yield lambda raw: client.lpush(QUEUE, raw), lambda: int(client.llen(QUEUE)) + int(client.hlen(TAKEN))


@contextmanager
def _on_rabbitmq() -> Iterator[Any]:
    """A client that knows AMQP and nothing else."""
    with amqp.Connection(*_account()) as connection, connection.channel() as channel:
        channel.queue_declare(QUEUE, durable=True, auto_delete=False)
        channel.queue_purge(QUEUE)

        def publish(raw: bytes) -> None:
            channel.basic_publish(amqp.Message(raw), routing_key=QUEUE)

        yield publish, lambda: int(channel.queue_declare(QUEUE, passive=True).message_count)


def _account() -> tuple[str, str, str]:
    """Host and port, user, password."""
    server, _, account = AMQP_URL.removeprefix("amqp://").strip("/").rpartition("@")[::-1]
    user, _, password = account.partition(":")
    return server, user or "guest", password or "guest"


def _letters(fleet: Fleet) -> list[Any]:
    return fleet.rows("SELECT id, error, body, request FROM dead_letters WHERE what = 'message' ORDER BY id")


def _json(**given: Any) -> bytes:
    return json.dumps(given).encode()


def test_a_bare_message_is_enriched(fleet: Fleet) -> None:
    song = SONGS[0]
    fleet.publish(
        _json(
            track_id="their-1",
            artist_name=song["artist"],
            track_title=song["title"],
            priority=10,
            correlation_id="c-1",
        )
    )

    eventually(
        lambda: fleet.rows(
            "SELECT FROM tracks t JOIN enrichment_status s ON s.subject_id = t.id"
            " WHERE t.external_id = 'their-1' AND s.status = 'completed' AND t.isrc IS NOT NULL"
        ),
        60,
    )
    eventually(lambda: fleet.left() == 0, 20)
    assert fleet.rows("SELECT FROM lookups WHERE correlation_id = 'c-1'")
    assert "Track enrichment requested" in fleet.worker.log.read_text()


def test_many_messages_are_all_taken_in(fleet: Fleet) -> None:
    for number in range(500):
        fleet.publish(_json(track_id=f"many-{number}", artist_name="Air", track_title=f"No. {number}", priority=1))

    eventually(lambda: fleet.rows("SELECT count(*) FROM tracks WHERE external_id LIKE 'many-%'") == [(500,)], 60)
    eventually(lambda: fleet.left() == 0, 20)


GOOD: dict[str, Any] = {"track_id": "t", "artist_name": "Air", "track_title": "Run", "priority": 5}

HOSTILE = [
    *(b"hello", b"", b"\xff\xfe\x00\x01", b"{", b"[1, 2]", b'"text"', b"null", b"42", b"NaN", b"{}", b"\x00" * 100),
    *(b"[" * 200_000, b'{"a":' * 100_000, b"9" * 10_000, b"x" * LARGE, _json(**GOOD | {"artist_name": "x" * LARGE})),
    *(pickle.dumps(GOOD, protocol) for protocol in range(6)),
    pickle.dumps(os.system),
    *(_json(**GOOD | {name: value}) for name in GOOD for value in ([], {}, ["Air"], {"a": 1}, 1.5, True, "b\x00c")),
    *(_json(**GOOD | {name: value}) for name in ("artist_name", "track_title") for value in (7, "", " ", "x" * 5000)),
    *(_json(**GOOD | {"priority": value}) for value in (0, -1, 11, 10**30, "5", "soon", "")),
    *(_json(**GOOD | {"correlation_id": value}) for value in ([], 1.5, False, "a\x00b", "x" * 300)),
    *(_json(**GOOD | {"track_id": value}) for value in ("", "x" * 300, "\ud800")),
    *(_json(**GOOD | {name: "x"}) for name in ("colour", "body", "headers", "properties", "__class__")),
    *(
        _json(track_id="nobody knows it"),
        _json(artist_name="Air"),
        _json(track_title="Run"),
        _json(task="enrich_track"),
    ),
    *(b'{"artist_name": "Air", "track_title": ' + value for value in (b"}", b"'Run'}", b"undefined}", b'"Run"', b'"R')),
    *(_json(artist_name="Air", track_title="Run", **{f"key{number}": 1}) for number in range(10)),
    *(_json(body="e30=", properties={"delivery_tag": "t"}), b"<track/>", b"artist_name=Air", b"\x80\x04]\x94."),
]


def test_hostile_messages_are_dead_letters_each_and_no_worker_falls(fleet: Fleet) -> None:
    before = len(_letters(fleet))
    assert len(HOSTILE) >= 100

    for raw in HOSTILE:
        fleet.publish(raw)
    fleet.publish(_json(track_id="after the storm", artist_name="Air", track_title="Run"))

    eventually(lambda: len(_letters(fleet)) == before + len(HOSTILE), 60)
    eventually(lambda: fleet.rows("SELECT FROM tracks WHERE external_id = 'after the storm'"), 20)
    eventually(lambda: fleet.left() == 0, 20)
    kept = [bytes(letter.body) for letter in _letters(fleet)[before:]]
    assert sorted(kept) == sorted(raw[:1_000_000] for raw in HOSTILE)
    assert fleet.worker.is_alive
    assert "round failed" not in fleet.worker.log.read_text()


def test_a_letter_of_a_readable_message_can_be_replayed(fleet: Fleet) -> None:
    fleet.publish(_json(artist_name="Air", track_title="Run", priority=99, correlation_id="c-9"))

    eventually(lambda: [each for each in _letters(fleet) if "priority" in each.error and "99" in each.error])
    letter = next(each for each in _letters(fleet) if "got 99" in each.error)
    assert letter.request["task"] == "enrich_track"
    assert letter.request["kwargs"]["track_title"] == "Run"


# --- Redis alone ----------------------------------------------------------------------------------------------------


@pytest.fixture
def broker(empty: Empty) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(empty.broker_url) as client:
        yield client


def test_what_a_killed_worker_had_taken_is_submitted_by_another(
    environ: dict[str, str], broker: redis.Redis, engine: Engine, rows: Rows, tmp_path: Path
) -> None:
    with worker(environ, tmp_path / "doomed.log", threads=2) as doomed, engine.connect() as other:
        other.execute(text("LOCK TABLE requests"))
        broker.lpush(QUEUE, *(_json(artist_name="Air", track_title=f"No. {n}") for n in range(3)))
        eventually(lambda: broker.hlen(TAKEN) == 3, 20, "it has taken them")
        doomed.kill()
        other.rollback()
    assert broker.llen(QUEUE) == 0
    assert not rows("SELECT FROM requests")

    # Their lease is over.
    broker.zadd(SINCE, dict.fromkeys(broker.zrange(SINCE, 0, -1), 0))
    with worker(environ, tmp_path / "heir.log"):
        eventually(lambda: broker.hlen(TAKEN) == 0, 40)
    assert rows("SELECT count(*) FROM requests") == [(3,)]
    assert sorted(row.title for row in rows("SELECT title FROM tracks")) == ["No. 0", "No. 1", "No. 2"]
    assert broker.zcard(SINCE) == 0
    assert not rows("SELECT FROM dead_letters")


@pytest.mark.skipif(not AMQP_URL, reason=NO_RABBITMQ)
def test_rabbitmq_gives_a_killed_workers_messages_to_another(
    empty: Empty, engine: Engine, rows: Rows, tmp_path: Path
) -> None:
    environ = empty.environ(LINERNOTES_UPSTREAM_URL="http://127.0.0.1:9") | {"LINERNOTES_BROKER_URL": AMQP_URL}
    with _on_rabbitmq() as (publish, left):
        with worker(environ, tmp_path / "doomed.log", threads=2) as doomed, engine.connect() as other:
            other.execute(text("LOCK TABLE requests, tracks"))
            for number in range(3):
                publish(_json(artist_name="Air", track_title=f"No. {number}"))
            eventually(lambda: rows("SELECT FROM pg_locks WHERE NOT granted"), 20, "it is about to submit them")
            doomed.kill()
            other.rollback()
        with worker(environ, tmp_path / "heir.log", threads=2):
            eventually(lambda: len(rows("SELECT FROM tracks")) == 3, 40)
        assert left() == 0


def test_odd_things_that_were_taken(
    environ: dict[str, str], broker: redis.Redis, servers: Servers, rows: Rows, tmp_path: Path
) -> None:
    poison = Message(_json(artist_name="Air", track_title="Poison"), "p", again=True)
    with redis.Redis.from_url(servers.addresses.redis_url) as limiter:
        limiter.set(f"deliveries:{_digest(poison)}", deliveries.MOST)
    again = {"p": poison.raw, "twice": _json(artist_name="Air", track_title="Twice"), "garbage": b"{"}
    broker.hset(TAKEN, mapping=again)
    broker.zadd(SINCE, dict.fromkeys([*again, "nothing"], 0))
    with worker(environ, tmp_path / "worker.log") as living:
        eventually(lambda: (broker.hlen(TAKEN), broker.zcard(SINCE)) == (0, 0), 40)
        broker.hset(TAKEN, "twice", again["twice"])
        broker.zadd(SINCE, {"twice": 0})
        eventually(lambda: broker.hlen(TAKEN) == 0, 40)

        broker.set(QUEUE, "somebody's own")
        eventually(lambda: "foreign queue must wait" in living.log.read_text(), 20)
        broker.delete(QUEUE)
        broker.lpush(QUEUE, _json(artist_name="Air", track_title="Later"))
        eventually(lambda: rows("SELECT FROM tracks WHERE title = 'Later'"), 20)
        assert living.is_alive

    letters = rows("SELECT request_id, error FROM dead_letters ORDER BY 1")
    assert [row.request_id for row in letters] == ["garbage", "p"]
    assert "workers died" in letters[1].error
    assert sorted(row.title for row in rows("SELECT title FROM tracks")) == ["Later", "Twice"]


def test_what_a_message_asks_for() -> None:
    order = order_in(Message(_json(track_id=7, artist_name="Air", track_title="Run", correlation_id=None), "m-1"))
    assert (order.task, order.id) == ("enrich_track", "m-1")
    assert order.given == {"track_id": 7, "artist_name": "Air", "track_title": "Run"}
    with pytest.raises(Unreadable, match="priority"):
        order_in(Message(_json(artist_name="Air", priority=True), "m-2"))
