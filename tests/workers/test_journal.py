"""`.delay()` on Redis: whatever becomes of the worker that took the message, what it asked for is submitted, once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery
from kombu.exceptions import OperationalError

from tests.conftest import Empty
from tests.support import Worker, eventually, worker
from tests.workers.conftest import Rows
from workers import journal
from workers.messages import is_journaled, is_newer, order_in

LANES = ("critical", "default", "low_priority")


@pytest.fixture
def broker(empty: Empty) -> Iterator[redis.Redis]:
    """Its Redis, looked at directly."""
    with redis.Redis.from_url(empty.broker_url) as client:
        yield client


def _on_the_way(broker: redis.Redis) -> int:
    """Messages that Redis still knows of, on a lane or with a worker."""
    return sum(int(broker.llen(lane)) for lane in LANES) + int(broker.hlen("unacked"))


def _is_parked(broker: redis.Redis) -> bool:
    """Is a worker's blocking pop open?"""
    return any(client["cmd"] == "brpop" for client in broker.client_list())


def _take_it_and_die(environ: dict[str, str], broker: redis.Redis, producer: Celery, log: Path, title: str) -> None:
    """A worker that is frozen while its pop is open gets the message, and is killed before it knows."""
    with worker(environ, log, threads=2) as doomed:
        eventually(lambda: _is_parked(broker))
        os.kill(doomed.process.pid, signal.SIGSTOP)
        producer.send_task("enrich_track", kwargs={"artist_name": "Air", "track_title": title})
        eventually(lambda: _on_the_way(broker) == 0, what="the frozen worker has popped it")
        doomed.kill()


def test_what_a_killed_worker_had_popped_is_submitted_once(
    environ: dict[str, str], broker: redis.Redis, producer: Celery, rows: Rows, tmp_path: Path
) -> None:
    titles = ["Run", "Sexy Boy"]
    for title in titles:
        _take_it_and_die(environ, broker, producer, tmp_path / f"{title}.log", title)
    assert broker.hlen(journal.ENTRIES) == 2

    with worker(environ, tmp_path / "heir.log"):
        eventually(lambda: rows("SELECT count(*) FROM requests") == [(2,)])
        eventually(lambda: not rows("SELECT FROM enrichment_status WHERE finished_at IS NULL"))

    assert sorted(row.title for row in rows("SELECT title FROM tracks")) == titles
    assert (broker.hlen(journal.ENTRIES), broker.zcard(journal.SINCE)) == (0, 0)
    assert not rows("SELECT FROM settles GROUP BY lookup_id, claim_token HAVING count(*) > 1")
    assert not rows("SELECT FROM dead_letters WHERE what = 'message'")


def test_without_the_journal_it_is_gone(
    environ: dict[str, str], broker: redis.Redis, producer: Celery, tmp_path: Path
) -> None:
    producer.conf.broker_transport_options = {**producer.conf.broker_transport_options, "journal": False}

    _take_it_and_die(environ, broker, producer, tmp_path / "doomed.log", "Run")

    assert (_on_the_way(broker), broker.hlen(journal.ENTRIES)) == (0, 0)


def test_it_is_left_with_the_submit(a_worker: Worker, broker: redis.Redis, producer: Celery, rows: Rows) -> None:
    producer.send_task("enrich_tracks", args=[[{"artist": "Air", "title": "Run"}, {"artist": ""}]], task_id="m-1")

    eventually(lambda: rows("SELECT id FROM requests") == [("m-1/0",)])
    eventually(lambda: broker.hlen(journal.ENTRIES) == 0)
    assert rows("SELECT request_id, request ->> 'task' FROM dead_letters") == [("m-1/1", "enrich_track")]
    assert broker.zcard(journal.SINCE) == 0
    assert a_worker.is_alive


def test_a_full_redis_is_the_callers_to_know(broker: redis.Redis, producer: Celery) -> None:
    producer.send_task("enrich_track", kwargs={"track_id": "x"})
    broker.config_set("maxmemory", 1)
    try:
        with pytest.raises(OperationalError):
            producer.send_task("enrich_track", kwargs={"track_id": "y"})
    finally:
        broker.config_set("maxmemory", 0)
    assert (broker.llen("default"), broker.hlen(journal.ENTRIES), broker.zcard(journal.SINCE)) == (1, 1, 1)


def test_the_journal_is_bounded(broker: redis.Redis) -> None:
    for number in range(2):
        journal.publish(broker, "default", f"m-{number}", "{}", 2)
    with pytest.raises(redis.ResponseError, match="journal of linernotes is full"):
        journal.publish(broker, "default", "m-2", "{}", 2)
    assert broker.llen("default") == 2


def test_ages_are_told_by_redis_and_begin_anew(broker: redis.Redis) -> None:
    for name in ("a", "b"):
        journal.publish(broker, "default", name, name.upper())
    assert list(journal.older(broker, 60, 10)) == []
    assert list(journal.older(broker, -1, 10)) == [("a", b"A"), ("b", b"B")]
    journal.later(broker, "a")
    journal.later(broker, "never seen")
    assert [id_ for id_, _ in journal.older(broker, -1, 10)] == ["b", "a"]
    journal.remove(broker, "b")
    assert [id_ for id_, _ in journal.older(broker, -1, 10)] == ["a"]


def test_only_work_that_is_to_be_done_now_is_journaled() -> None:
    submission = {"task": "enrich_track", "id": "m-1", "eta": None, "expires": None}
    assert is_journaled(submission)
    for other in ({"task": "fetch.deezer"}, {"eta": "2026-11-21T05:12:05"}, {"expires": "…"}, {"id": None}):
        assert not is_journaled(submission | other)
    assert not is_journaled(None)


def test_what_a_message_asks_for() -> None:
    assert order_in({"task": "x"}, [["a"], {}, {}]) is not None
    for headers, body in (({}, [[], {}]), ({"task": "x"}, {"kwargs": {}}), ({"task": "x"}, [{}, []]), (None, [[], {}])):
        assert order_in(headers, body) is None


def test_a_message_of_a_newer_version_is_handed_back(
    environ: dict[str, str], broker: redis.Redis, producer: Celery, rows: Rows, tmp_path: Path
) -> None:
    assert is_newer({"version": 2})
    assert not any(is_newer(headers) for headers in ({}, None, {"version": 1}, {"version": "soon"}))
    producer.conf.broker_transport_options = {**producer.conf.broker_transport_options, "journal": False}
    with worker(environ, tmp_path / "older.log") as older:
        producer.send_task("enrich_track", kwargs={"track_id": "x"}, headers={"version": 2}, task_id="m-1")
        eventually(lambda: older.log.read_text().count("newer version is handed back") >= 2)
        producer.send_task("enrich_performer", kwargs={"name": "Air"})
        eventually(lambda: rows("SELECT name FROM performers") == [("Air",)], what="others pass it by")
        assert older.stop() == 0
    assert _on_the_way(broker) == 1
    assert not rows("SELECT FROM dead_letters")
