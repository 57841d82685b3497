"""The foreign queue: what any language publishes to it is taken in, and what nobody can read is kept raw."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import create_engine

from enrichment.embedded import Servers
from simulator.catalogue import small_requests
from tests.conftest import an_empty
from tests.support import KEYS, Worker, eventually, worker
from tests.workers.conftest import Rows, _querying
from tests.workers.strangers import AMQP_URL, NO_RABBITMQ, account, message, on_rabbitmq, on_redis
from workers.foreign import Message, Unreadable, order_in

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
        beside = dict(zip(("RABBITMQ_HOST", "RABBITMQ_USER", "RABBITMQ_PASS"), account(), strict=True))
        more = beside if request.param == "rabbitmq beside redis" else {}
        environ = at.environ(LINERNOTES_UPSTREAM_URL=upstreams, LINERNOTES_SPEED="20", **KEYS, **more)
        engine = create_engine(empty.database_url)
        log = tmp_path_factory.mktemp("foreign") / "worker.log"
        stranger = on_redis(empty) if request.param == "redis" else on_rabbitmq()
        with stranger as (publish, left), worker(environ, log) as started:
            yield Fleet(started, _querying(engine), publish, left)
        engine.dispose()


def _letters(fleet: Fleet) -> list[Any]:
    return fleet.rows("SELECT id, error, body, request FROM dead_letters WHERE what = 'message' ORDER BY id")


def test_a_bare_message_is_enriched(fleet: Fleet) -> None:
    song = SONGS[0]
    fleet.publish(
        message(
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
    )
    eventually(lambda: fleet.left() == 0)
    assert fleet.rows("SELECT FROM lookups WHERE correlation_id = 'c-1'")
    assert "Track enrichment requested" in fleet.worker.log.read_text()


def test_many_messages_are_all_taken_in(fleet: Fleet) -> None:
    for number in range(500):
        fleet.publish(message(track_id=f"many-{number}", artist_name="Air", track_title=f"No. {number}", priority=1))

    eventually(lambda: fleet.rows("SELECT count(*) FROM tracks WHERE external_id LIKE 'many-%'") == [(500,)])
    eventually(lambda: fleet.left() == 0)


GOOD: dict[str, Any] = {"track_id": "t", "artist_name": "Air", "track_title": "Run", "priority": 5}

HOSTILE = [
    *(b"hello", b"", b"\xff\xfe\x00\x01", b"{", b"[1, 2]", b'"text"', b"null", b"42", b"NaN", b"{}", b"\x00" * 100),
    *(b"[" * 200_000, b'{"a":' * 100_000, b"9" * 10_000, b"x" * LARGE, message(**GOOD | {"artist_name": "x" * LARGE})),
    *(pickle.dumps(GOOD, protocol) for protocol in range(6)),
    pickle.dumps(os.system),
    *(message(**GOOD | {name: value}) for name in GOOD for value in ([], {}, ["Air"], {"a": 1}, 1.5, True, "b\x00c")),
    *(message(**GOOD | {name: value}) for name in ("artist_name", "track_title") for value in (7, "", " ", "x" * 5000)),
    *(message(**GOOD | {"priority": value}) for value in (0, -1, 11, 10**30, "5", "soon", "")),
    *(message(**GOOD | {"correlation_id": value}) for value in ([], 1.5, False, "a\x00b", "x" * 300)),
    *(message(**GOOD | {"track_id": value}) for value in ("", "x" * 300, "\ud800")),
    *(message(**GOOD | {name: "x"}) for name in ("colour", "body", "headers", "properties", "__class__")),
    *(
        message(track_id="nobody knows it"),
        message(artist_name="Air"),
        message(track_title="Run"),
        message(task="enrich_track"),
    ),
    *(b'{"artist_name": "Air", "track_title": ' + value for value in (b"}", b"'Run'}", b"undefined}", b'"Run"', b'"R')),
    *(message(artist_name="Air", track_title="Run", **{f"key{number}": 1}) for number in range(10)),
    *(message(body="e30=", properties={"delivery_tag": "t"}), b"<track/>", b"artist_name=Air", b"\x80\x04]\x94."),
]


def test_hostile_messages_are_dead_letters_each_and_no_worker_falls(fleet: Fleet) -> None:
    before = len(_letters(fleet))
    assert len(HOSTILE) >= 100

    for raw in HOSTILE:
        fleet.publish(raw)
    fleet.publish(message(track_id="after the storm", artist_name="Air", track_title="Run"))

    eventually(lambda: len(_letters(fleet)) == before + len(HOSTILE))
    eventually(lambda: fleet.rows("SELECT FROM tracks WHERE external_id = 'after the storm'"))
    eventually(lambda: fleet.left() == 0)
    kept = [bytes(letter.body) for letter in _letters(fleet)[before:]]
    assert sorted(kept) == sorted(raw[:1_000_000] for raw in HOSTILE)
    assert fleet.worker.is_alive
    assert "round failed" not in fleet.worker.log.read_text()


def test_a_letter_of_a_readable_message_can_be_replayed(fleet: Fleet) -> None:
    fleet.publish(message(artist_name="Air", track_title="Run", priority=99, correlation_id="c-9"))

    eventually(lambda: [each for each in _letters(fleet) if "priority" in each.error and "99" in each.error])
    letter = next(each for each in _letters(fleet) if "got 99" in each.error)
    assert letter.request["task"] == "enrich_track"
    assert letter.request["kwargs"]["track_title"] == "Run"


def test_what_a_message_asks_for() -> None:
    order = order_in(Message(message(track_id=7, artist_name="Air", track_title="Run", correlation_id=None), "m-1"))
    assert (order.task, order.id) == ("enrich_track", "m-1")
    assert order.given == {"track_id": 7, "artist_name": "Air", "track_title": "Run"}
    with pytest.raises(Unreadable, match="priority"):
        order_in(Message(message(artist_name="Air", priority=True), "m-2"))
