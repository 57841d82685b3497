"""The edge once more, with RabbitMQ as broker: on the server that LINERNOTES_TEST_AMQP_URL names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from celery import Celery

from tests.conftest import Empty
from tests.workers.test_edge import (
    test_a_list_of_tracks_is_taken_but_for_the_bad_ones,
    test_delay_with_plain_keywords_enriches_a_track,
    test_sigterm_ends_a_worker_in_good_order,
    test_what_a_killed_worker_held_comes_back,
)

__all__ = [
    "test_a_list_of_tracks_is_taken_but_for_the_bad_ones",
    "test_delay_with_plain_keywords_enriches_a_track",
    "test_sigterm_ends_a_worker_in_good_order",
    "test_what_a_killed_worker_held_comes_back",
]

URL = os.environ.get("LINERNOTES_TEST_AMQP_URL", "")
QUEUES = ("fetch", "critical", "default", "low_priority")

pytestmark = pytest.mark.skipif(not URL, reason="LINERNOTES_TEST_AMQP_URL names no RabbitMQ")


@pytest.fixture
def producer(empty: Empty) -> Iterator[Celery]:
    """A producer beside a fleet on RabbitMQ."""
    app = Celery("producer", broker=empty.broker_url)
    app.config_from_object("celeryconfig")  # made for the Redis of this process
    app.conf.update(broker_url=empty.broker_url, broker_transport=None, broker_transport_options={})
    yield app
    app.close()


@pytest.fixture
def empty(empty: Empty) -> Empty:
    """With RabbitMQ as its broker, and nothing in its queues."""
    with Celery("purge", broker=URL, set_as_current=False) as app, app.connection() as connection:
        for queue in QUEUES:
            with suppress(connection.channel_errors):
                connection.channel().queue_purge(queue)
    return replace(empty, broker_url=URL)
