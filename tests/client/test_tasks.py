"""`.delay()` by name: on the fleet's own queues, taken by its own worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import Engine, text

import celeryconfig as fleet
import linernotes_client
import workers.tasks
from enrichment.domain import orders
from enrichment.embedded import Servers
from enrichment.services import intake
from linernotes_client import celeryconfig as producer
from linernotes_client import transport
from linernotes_client.tasks import RemoteTask
from tests.conftest import Empty
from tests.support import eventually, worker
from workers import journal
from workers.messages import opened

TASKS = {each.name for each in vars(linernotes_client).values() if isinstance(each, RemoteTask)}
SEND = """
import json, sys
import linernotes_client
for task, args, keywords in json.load(sys.stdin):
    getattr(linernotes_client, task).delay(*args, **keywords)
"""

Sent = tuple[str, list[Any], dict[str, Any]]


def send(broker_url: str, *sent: Sent, **variables: str) -> subprocess.CompletedProcess[str]:
    """A producer's process, with the broker's address in its environment."""
    environ = {"PATH": os.environ["PATH"], "LINERNOTES_BROKER_URL": broker_url, **variables}
    command = [sys.executable, "-c", SEND]
    return subprocess.run(  # noqa: S603 - our own program
        command, input=json.dumps(sent), env=environ, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_fleet_knows_the_tasks() -> None:
    assert orders.TASKS == intake.HANDLERS.keys() == TASKS
    assert set(workers.tasks.app.tasks) >= TASKS


@pytest.mark.parametrize("priority", [*range(-1, 12), None, "3", 2.5, "urgent"])
@pytest.mark.parametrize("task", sorted(TASKS))
def test_it_takes_the_lane_that_the_fleet_would(task: str, priority: Any) -> None:
    for given in ({"priority": priority}, {}):
        assert producer.route(task, (), given, {}) == fleet.route(task, (), given, {})


def test_queues_are_the_fleets() -> None:
    theirs = {queue.name: (queue.exchange.name, queue.exchange.type, queue.routing_key) for queue in fleet.task_queues}
    for name, queue in producer.task_queues.items():
        assert (queue["exchange"], queue["exchange_type"], queue["routing_key"]) == theirs[name]


def test_messages_wait_on_their_lane(servers: Servers, empty_redis: redis.Redis) -> None:
    broker_url = servers.addresses.broker_url
    tracks = [("enrich_track", [], {"track_id": str(priority), "priority": priority}) for priority in range(1, 11)]
    assert send(broker_url, *tracks, ("fetch_artwork", [], {"album_id": "a"})).stderr == ""
    with redis.Redis.from_url(broker_url) as broker:
        assert {lane: broker.llen(lane) for lane in producer.LANES} == {"critical": 1, "default": 6, "low_priority": 4}
        journaled = dict(journal.older(broker, 0, 100))
        (urgent,) = broker.lrange("critical", 0, -1)
        assert len(journaled) == 11
        assert urgent in journaled.values(), "the journal has what the queue has"
        _, order = opened(urgent)
        assert order is not None
        assert (order.task, order.given, order.id in journaled) == (
            "enrich_track",
            {"track_id": "10", "priority": 10},
            True,
        )


def test_the_journal_can_be_switched_off(servers: Servers, empty_redis: redis.Redis) -> None:
    broker_url = servers.addresses.broker_url
    assert send(broker_url, ("enrich_track", [], {"track_id": "1"}), LINERNOTES_JOURNAL="false").stderr == ""
    with redis.Redis.from_url(broker_url) as broker:
        assert broker.llen("default") == 1
        assert not broker.exists("journal", "journal:since")


def test_the_journal_is_the_fleets() -> None:
    assert transport.MOST == journal.MOST
    assert (journal.ENTRIES, journal.SINCE) == ("journal", "journal:since")


def test_a_worker_takes_them(empty: Empty, engine: Engine, tmp_path: Path) -> None:
    nobody = empty.environ(LINERNOTES_UPSTREAM_URL="http://127.0.0.1:9")
    sent: list[Sent] = [
        (
            "enrich_track",
            [],
            {"track_id": "t1", "artist_name": "Portishead", "track_title": "Strangers", "priority": 7},
        ),
        ("enrich_track", [], {"track_id": "t2", "artist_name": "Nobody", "track_title": "Nothing", "priority": 10}),
        ("enrich_tracks", [[{"track_id": "t3", "artist": "Massive Attack", "title": "Teardrop", "priority": 2}]], {}),
        ("enrich_performer", [], {"performer_id": "p1", "name": "Nina Kraviz"}),
        ("enrich_album", [], {"album_id": "a1", "artist_name": "Portishead", "album_title": "Dummy"}),
        ("fetch_artwork", [], {"album_id": "unknown"}),
    ]
    with worker(nobody, tmp_path / "worker.log"):
        assert send(empty.broker_url, *sent).stderr == ""

        def accepted() -> list[str]:
            query = (
                "select external_id from tracks union all select external_id from performers"
                " union all select external_id from albums"
            )
            with engine.connect() as connection:
                return sorted(given for (given,) in connection.execute(text(query)) if given)

        eventually(lambda: accepted() == ["a1", "p1", "t1", "t2", "t3"], what="all are accepted")

        def complaints() -> list[str]:
            query = text("select error from dead_letters where what = 'message'")
            with engine.connect() as connection:
                return [error for (error,) in connection.execute(query)]

        eventually(lambda: len(complaints()) == 1, what="the unknown album is complained about")
        assert "unknown" in complaints()[0]
        with redis.Redis.from_url(empty.broker_url) as broker:
            eventually(lambda: not list(journal.older(broker, 0, 1)), what="nothing is left in the journal")


def test_a_broker_that_is_away_is_an_error_soon() -> None:
    began = time.monotonic()
    said = send("redis://127.0.0.1:9/0", ("enrich_track", [], {"track_id": "t1"}))
    assert "kombu.exceptions.OperationalError" in said.stderr
    assert time.monotonic() - began < 20
