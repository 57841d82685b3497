"""A worker that is told to stop under load ends in time, and what it could not end waits for others."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from tests.conftest import Empty
from tests.support import KEYS, eventually, worker
from tests.workers.conftest import Rows


@pytest.fixture
def silence() -> Iterator[str]:
    """An upstream that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_calls_that_do_not_end_are_handed_back_at_the_deadline(
    empty: Empty, silence: str, producer: Celery, rows: Rows, tmp_path: Path
) -> None:
    environ = empty.environ(LINERNOTES_UPSTREAM_URL=silence, LINERNOTES_SPEED="20", LINERNOTES_STOP_SECONDS="3", **KEYS)
    with worker(environ, tmp_path / "worker.log") as stopped:
        producer.send_task("enrich_performer", kwargs={"name": "Air", "priority": 10})
        eventually(lambda: rows("SELECT FROM lookups WHERE state = 'claimed' AND source = 'musicbrainz'"))

        told = time.monotonic()
        assert stopped.stop() == 0
        assert time.monotonic() - told < 25

    assert not rows("SELECT FROM lookups WHERE state = 'claimed' OR deaths > 0")
    assert rows("SELECT FROM lookups WHERE state IN ('waiting', 'not_due')")
    assert not rows("SELECT FROM workers")
    assert not rows("SELECT FROM dead_letters")
