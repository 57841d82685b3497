"""The foreign queue where workers die: what one had taken is taken in by another, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine, text

from enrichment.embedded import Servers
from tests.conftest import Empty
from tests.support import eventually, worker
from tests.workers.conftest import Rows
from tests.workers.strangers import AMQP_URL, NO_RABBITMQ, message, on_rabbitmq
from workers import deliveries
from workers.foreign import QUEUE, SINCE, TAKEN, Message, _digest


@pytest.fixture
def broker(empty: Empty) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(empty.broker_url) as client:
        yield client


def test_what_a_killed_worker_had_taken_is_submitted_by_another(
    environ: dict[str, str], broker: redis.Redis, engine: Engine, rows: Rows, tmp_path: Path
) -> None:
    with worker(environ, tmp_path / "doomed.log", threads=2) as doomed, engine.connect() as other:
        other.execute(text("LOCK TABLE requests"))
        broker.lpush(QUEUE, *(message(artist_name="Air", track_title=f"No. {n}") for n in range(3)))
        eventually(lambda: broker.hlen(TAKEN) == 3, what="it has taken them")
        doomed.kill()
        other.rollback()
    assert broker.llen(QUEUE) == 0
    assert not rows("SELECT FROM requests")

    # Their lease is over.
    broker.zadd(SINCE, dict.fromkeys(broker.zrange(SINCE, 0, -1), 0))
    with worker(environ, tmp_path / "heir.log"):
        eventually(lambda: broker.hlen(TAKEN) == 0)
    assert rows("SELECT count(*) FROM requests") == [(3,)]
    assert sorted(row.title for row in rows("SELECT title FROM tracks")) == ["No. 0", "No. 1", "No. 2"]
    assert broker.zcard(SINCE) == 0
    assert not rows("SELECT FROM dead_letters")


@pytest.mark.skipif(not AMQP_URL, reason=NO_RABBITMQ)
def test_rabbitmq_gives_a_killed_workers_messages_to_another(
    empty: Empty, engine: Engine, rows: Rows, tmp_path: Path
) -> None:
    environ = empty.environ(LINERNOTES_UPSTREAM_URL="http://127.0.0.1:9") | {"LINERNOTES_BROKER_URL": AMQP_URL}
    with on_rabbitmq() as (publish, left):
        with worker(environ, tmp_path / "doomed.log", threads=2) as doomed, engine.connect() as other:
            other.execute(text("LOCK TABLE requests, tracks"))
            for number in range(3):
                publish(message(artist_name="Air", track_title=f"No. {number}"))
            eventually(lambda: rows("SELECT FROM pg_locks WHERE NOT granted"), what="it is about to submit them")
            doomed.kill()
            other.rollback()
        with worker(environ, tmp_path / "heir.log", threads=2):
            eventually(lambda: len(rows("SELECT FROM tracks")) == 3)
        assert left() == 0


def test_odd_things_that_were_taken(
    environ: dict[str, str], broker: redis.Redis, servers: Servers, rows: Rows, tmp_path: Path
) -> None:
    poison = Message(message(artist_name="Air", track_title="Poison"), "p", again=True)
    with redis.Redis.from_url(servers.addresses.redis_url) as limiter:
        limiter.set(f"deliveries:{_digest(poison)}", deliveries.MOST)
    again = {"p": poison.raw, "twice": message(artist_name="Air", track_title="Twice"), "garbage": b"{"}
    broker.hset(TAKEN, mapping=again)
    broker.zadd(SINCE, dict.fromkeys([*again, "nothing"], 0))
    with worker(environ, tmp_path / "worker.log") as living:
        eventually(lambda: (broker.hlen(TAKEN), broker.zcard(SINCE)) == (0, 0))
        broker.hset(TAKEN, "twice", again["twice"])
        broker.zadd(SINCE, {"twice": 0})
        eventually(lambda: broker.hlen(TAKEN) == 0)

        broker.set(QUEUE, "somebody's own")
        eventually(lambda: "foreign queue must wait" in living.log.read_text())
        broker.delete(QUEUE)
        broker.lpush(QUEUE, message(artist_name="Air", track_title="Later"))
        eventually(lambda: rows("SELECT FROM tracks WHERE title = 'Later'"))
        assert living.is_alive

    letters = rows("SELECT request_id, error FROM dead_letters ORDER BY 1")
    assert [row.request_id for row in letters] == ["garbage", "p"]
    assert "workers died" in letters[1].error
    assert sorted(row.title for row in rows("SELECT title FROM tracks")) == ["Later", "Twice"]
