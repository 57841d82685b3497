"""What goes wrong on the queues: bad input and strangers' messages. One worker, which none of it may bring down."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from tests.support import eventually
from tests.workers.conftest import Rows, Shared

DIRECT = {"exchange": "", "routing_key": "default"}


def _letters(rows: Rows) -> list[Any]:
    return rows("SELECT error, body FROM dead_letters WHERE what = 'message' ORDER BY id")


@pytest.mark.parametrize(
    ("task", "given", "complaint"),
    [
        ("enrich_track", {"artist_name": "", "track_title": "x"}, "artist_name"),
        ("enrich_track", {"artist_name": "a", "track_title": "x" * 10_240}, "track_title"),
        ("enrich_track", {"artist_name": "a", "track_title": "b\x00c"}, "NUL"),
        ("enrich_track", {"artist_name": "a", "track_title": "b", "priority": 11}, "priority"),
        ("enrich_track", {"artist_name": "a", "track_title": "b", "priority": "soon"}, "priority"),
        ("enrich_track", {"artist_name": "a", "colour": "blue"}, "colour"),
        ("enrich_track", {"track_id": "never seen"}, "not known"),
        ("enrich_performer", {}, "neither"),
        ("enrich_tracks", {"tracks": "all of them"}, "list"),
        ("fetch_artwork", {"album_id": "never seen"}, "not known"),
        ("no_such_task", {}, "no_such_task"),
    ],
)
def test_bad_input_becomes_a_dead_letter_and_harms_nobody(
    shared: Shared, task: str, given: Any, complaint: str
) -> None:
    before = len(_letters(shared.rows))

    shared.producer.send_task(task, kwargs=given)

    eventually(lambda: len(_letters(shared.rows)) > before)
    assert complaint in _letters(shared.rows)[-1].error
    assert shared.worker.is_alive


@pytest.mark.parametrize(
    "raw",
    [
        b"hello",
        b"\xff\xfe\x00",
        b"{",
        b"[1, 2]",
        b'"text"',
        b'{"track_id": "a"}',
        b'{"body": "", "properties": {"delivery_tag": "t", "delivery_info": {}}}',
        json.dumps(
            {"body": "!", "properties": {"delivery_tag": "t", "body_encoding": "base64", "delivery_info": DIRECT}}
        ).encode(),
        json.dumps(
            {
                "body": "gASVAAAAAAAAAC4=",
                "content-type": "application/x-python-serialize",
                "content-encoding": "binary",
                "headers": {"task": "enrich_track", "id": "1"},
                "properties": {"delivery_tag": "t2", "body_encoding": "base64", "delivery_info": DIRECT},
            }
        ).encode(),
    ],
)
def test_what_is_no_message_is_kept_raw(shared: Shared, raw: bytes) -> None:
    before = len(_letters(shared.rows))

    with redis.Redis.from_url(shared.empty.broker_url) as broker:
        broker.lpush("default", raw)

    eventually(lambda: len(_letters(shared.rows)) > before)
    assert shared.worker.is_alive
