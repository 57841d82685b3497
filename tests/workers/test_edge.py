"""What producers and strangers put on the queues, taken by a real worker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from enrichment.embedded import Servers
from simulator.catalogue import small_requests
from tests.conftest import Empty
from tests.support import Worker, eventually, worker
from tests.workers.conftest import Rows

SONG = next(iter(small_requests()))


def _ended(rows: Rows) -> bool:
    """Was something asked for, and has all of it ended?"""
    ((asked, ended),) = rows("SELECT count(*), count(finished_at) FROM enrichment_status")
    return bool(asked == ended > 0)


def _letters(rows: Rows) -> list[Any]:
    return rows("SELECT error, body FROM dead_letters WHERE what = 'message' ORDER BY id")


def test_delay_with_plain_keywords_enriches_a_track(a_worker: Worker, producer: Celery, rows: Rows) -> None:
    given = {"artist_name": SONG["artist"], "track_title": SONG["title"], "track_id": "their-7", "priority": 10}
    producer.send_task("enrich_track", kwargs=given)

    eventually(lambda: _ended(rows))

    ((status, external_id, isrc),) = rows(
        "SELECT s.status, t.external_id, t.isrc FROM tracks t JOIN enrichment_status s ON s.subject_id = t.id"
    )
    assert (status, external_id) == ("completed", "their-7")
    assert isrc is not None
    assert a_worker.is_alive


@pytest.mark.parametrize(
    ("priority", "queue"), [(10, "critical"), (9, "default"), (4, "default"), (3, "low_priority"), (1, "low_priority")]
)
def test_a_task_travels_on_the_lane_of_its_priority(producer: Celery, empty: Empty, priority: int, queue: str) -> None:
    producer.send_task("enrich_track", kwargs={"track_id": "x", "priority": priority})

    with redis.Redis.from_url(empty.broker_url) as broker:
        assert broker.llen(queue) == 1


def test_a_list_of_tracks_is_taken_but_for_the_bad_ones(a_worker: Worker, producer: Celery, rows: Rows) -> None:
    good = [{"artist": row["artist"], "title": row["title"]} for row in list(small_requests())[:5]]
    producer.send_task("enrich_tracks", args=[[*good, {"artist": ""}, "nonsense"]])

    eventually(lambda: _ended(rows))
    assert len(_letters(rows)) == 2
    assert a_worker.is_alive


def test_a_worker_outlives_its_redis(
    a_worker: Worker, producer: Celery, rows: Rows, servers: Servers, environ: dict[str, str]
) -> None:
    tracks = [{"artist": row["artist"], "title": row["title"]} for row in list(small_requests())[:20]]
    producer.send_task("enrich_tracks", args=[tracks])
    eventually(lambda: rows("SELECT 1 FROM settles LIMIT 1"), what="the first settle")

    servers.restart_redis()
    servers.restart_broker()

    eventually(lambda: _ended(rows), 90, "all tracks end")
    assert a_worker.is_alive
    assert not rows("SELECT 1 FROM settles GROUP BY lookup_id, claim_token HAVING count(*) > 1")


def test_what_a_killed_worker_held_comes_back(
    environ: dict[str, str], producer: Celery, rows: Rows, tmp_path: Path
) -> None:
    tracks = [{"artist": row["artist"], "title": row["title"]} for row in list(small_requests())[:30]]
    with worker(environ, tmp_path / "first.log") as first:
        producer.send_task("enrich_tracks", args=[tracks])
        eventually(lambda: rows("SELECT 1 FROM settles LIMIT 1"), what="the first settle")
        first.kill()
    with worker(environ, tmp_path / "second.log"):
        eventually(lambda: _ended(rows), 90, "all tracks end")

    assert not rows("SELECT 1 FROM lookups WHERE state = 'claimed'")
    assert not rows(
        "SELECT lookup_id FROM settles WHERE outcome IN ('found', 'nothing_found') GROUP BY 1 HAVING count(*) > 1"
    )


def test_sigterm_ends_a_worker_in_good_order(environ: dict[str, str], rows: Rows, tmp_path: Path) -> None:
    with worker(environ, tmp_path / "worker.log") as started:
        eventually(lambda: rows("SELECT 1 FROM workers"), what="the first heartbeat")

        assert started.stop() == 0

    assert not rows("SELECT 1 FROM workers")


@contextmanager
def _watched(producer: Celery) -> Iterator[list[dict[str, Any]]]:
    """All events of workers as Flower gets them; the list is filled once the first has come."""
    seen: list[dict[str, Any]] = []
    with producer.connection_for_read() as connection:
        receiver = producer.events.Receiver(connection, handlers={"*": seen.append})
        thread = threading.Thread(target=lambda: receiver.capture(limit=None, timeout=None, wakeup=False))
        thread.start()
        try:
            eventually(lambda: seen, what="a heartbeat")
            yield seen
        finally:
            receiver.should_stop = True
            thread.join(timeout=10)


def test_who_watches_sees_each_task_once_up_to_the_last(
    environ: dict[str, str], producer: Celery, rows: Rows, tmp_path: Path
) -> None:
    with worker(environ, tmp_path / "worker.log") as started, _watched(producer) as seen:
        producer.send_task("enrich_tracks", args=[[{"artist": ""}]], task_id="first")
        eventually(lambda: any(event.get("uuid") == "first" for event in seen), what="its event")
        producer.send_task("enrich_tracks", args=[[{"artist": ""}]], task_id="last")
        eventually(lambda: len(_letters(rows)) == 2)

        started.stop()

        eventually(lambda: any(event["type"] == "worker-offline" for event in seen))
        told = [(event["uuid"], event["type"]) for event in seen if event.get("uuid") in ("first", "last")]
        steps = ("task-received", "task-started", "task-succeeded")
        assert told == [(task, step) for task in ("first", "last") for step in steps]


def test_a_channel_has_one_client_for_its_commands(empty: Empty, producer: Celery) -> None:
    with producer.connection_for_write() as connection:
        channel: Any = connection.default_channel
        with channel.conn_or_acquire() as one, channel.conn_or_acquire() as again:
            assert one is again
            assert one.ping()
        channel._disconnect_pools()
        with channel.conn_or_acquire() as other:
            assert other is not one
            assert other.ping()
