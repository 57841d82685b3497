"""What the journal and the queues may hold that nobody can submit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.support import eventually
from tests.workers.conftest import Shared
from workers import deliveries, journal


@pytest.fixture
def limiter(shared: Shared) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(shared.empty.redis_url) as client:
        yield client


def _entry(headers: dict[str, Any], body: Any) -> str:
    return json.dumps({"headers": headers, "properties": {}, "body": json.dumps(body)})


def test_odd_entries_become_dead_letters_and_newer_ones_stay(shared: Shared) -> None:
    good = {"task": "enrich_performer", "id": "good"}
    entries = {
        "good": _entry(good, [["p-1"], {"name": "Air"}, {}]),
        "newer": _entry({"task": "enrich_performer", "version": 99}, [[], {}, {}]),
        "unknown": _entry({"task": "no_such_task", "id": "unknown"}, [[], {}, {}]),
        "unnamed": _entry({}, [[], {}, {}]),
        "garbage": "{",
    }
    with redis.Redis.from_url(shared.empty.broker_url) as broker:
        for id_, message in entries.items():
            broker.hset(journal.ENTRIES, id_, message)
            broker.zadd(journal.SINCE, {id_: 0})
        broker.zadd(journal.SINCE, {"nothing": 0})
        eventually(lambda: broker.hkeys(journal.ENTRIES) == [b"newer"])
        assert broker.zrange(journal.SINCE, 0, -1) == [b"newer"]
        assert float(broker.zscore(journal.SINCE, "newer") or 0) > 0
        journal.remove(broker, "newer")
    letters = shared.rows("SELECT request_id FROM dead_letters WHERE request_id = ANY(:ids)", ids=list(entries))
    assert sorted(row.request_id for row in letters) == ["garbage", "unknown", "unnamed"]
    assert shared.rows("SELECT name FROM performers WHERE external_id = 'p-1'") == [("Air",)]


def test_under_which_workers_have_died_it_becomes_a_dead_letter(shared: Shared, limiter: redis.Redis) -> None:
    for id_ in ("poison-1", "poison-2"):
        limiter.set(f"deliveries:{id_}", deliveries.MOST)
    order = [[], {"artist_name": "Air", "track_title": "Poison", "correlation_id": "c-1"}, {}]
    with redis.Redis.from_url(shared.empty.broker_url) as broker:
        broker.hset(journal.ENTRIES, "poison-1", _entry({"task": "enrich_track", "id": "poison-1"}, order))
        broker.zadd(journal.SINCE, {"poison-1": 0})
        broker.lpush("default", _redelivered("poison-2", order))

        what = "SELECT request_id, error, correlation_id FROM dead_letters WHERE request_id LIKE 'poison%' ORDER BY 1"
        eventually(lambda: len(shared.rows(what)) == 2)
        assert not broker.hexists(journal.ENTRIES, "poison-1")
    assert [row.correlation_id for row in shared.rows(what)] == ["c-1", "c-1"]
    assert not shared.rows("SELECT FROM tracks WHERE title = 'Poison'")
    assert shared.worker.is_alive


def _redelivered(id_: str, body: Any) -> str:
    way = {"exchange": "", "routing_key": "default", "redelivered": True}
    return json.dumps(
        {
            "headers": {"task": "enrich_track", "id": id_, "redelivered": True},
            "properties": {"delivery_tag": id_, "delivery_info": way, "correlation_id": id_},
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "body": json.dumps(body),
        }
    )
