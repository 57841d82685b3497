"""A fleet of real processes for the edge: simulator, one worker, and a producer in the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from sqlalchemy import Engine, create_engine, text

from enrichment.embedded import Servers
from simulator.server import running
from tests.conftest import Empty, an_empty
from tests.support import KEYS, Worker, worker

Rows = Callable[..., list[Any]]


@pytest.fixture(scope="session")
def upstreams() -> Iterator[str]:
    """The simulator, fast, on the shipped catalogue."""
    with running(speed=20) as url:
        yield url


@pytest.fixture
def environ(empty: Empty, upstreams: str) -> dict[str, str]:
    """A fleet's environment."""
    return empty.environ(LINERNOTES_UPSTREAM_URL=upstreams, LINERNOTES_SPEED="20", **KEYS)


@pytest.fixture
def a_worker(environ: dict[str, str], tmp_path: Path) -> Iterator[Worker]:
    """A worker that is ready."""
    with worker(environ, tmp_path / "worker.log") as started:
        yield started


@contextmanager
def _producer(empty: Empty) -> Iterator[Celery]:
    app = Celery("producer", broker=empty.broker_url)
    app.config_from_object("celeryconfig")
    app.conf.broker_url = empty.broker_url
    yield app
    app.close()


@pytest.fixture
def producer(empty: Empty) -> Iterator[Celery]:
    """A producer that has our settings, as one beside the fleet would."""
    with _producer(empty) as app:
        yield app


def _querying(engine: Engine) -> Rows:
    def run(query: str, **values: Any) -> list[Any]:
        with engine.connect() as connection:
            return list(connection.execute(text(query), values).all())

    return run


@pytest.fixture
def rows(engine: Engine) -> Rows:
    """A function that runs a query."""
    return _querying(engine)


@dataclass(frozen=True)
class Shared:
    """One worker that all tests of what goes wrong try to bring down."""

    empty: Empty
    worker: Worker
    producer: Celery
    rows: Rows


@pytest.fixture(scope="module")
def shared(servers: Servers, upstreams: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """With a database and a producer of its own."""
    log = tmp_path_factory.mktemp("worker") / "shared.log"
    with an_empty(servers) as empty:
        environ = empty.environ(LINERNOTES_UPSTREAM_URL=upstreams, LINERNOTES_SPEED="20", **KEYS)
        engine = create_engine(empty.database_url)
        with worker(environ, log) as started, _producer(empty) as producer:
            yield Shared(empty, started, producer, _querying(engine))
        engine.dispose()
