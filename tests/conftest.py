"""Real servers for everything that touches them: one PostgreSQL and two Valkeys per session, a database per test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import Engine, create_engine, text
from xdist.scheduler import LoadFileScheduling

from enrichment.bootstrap import migrate
from enrichment.embedded import Servers, drop_database, new_database, temporary_servers
from models import Base

TEMPLATE = "migrated"
ON_RABBITMQ = ("test_foreign.py", "test_foreign_lost.py", "test_rabbitmq.py")
"""Modules that use the RabbitMQ which LINERNOTES_TEST_AMQP_URL names: there is one for all."""


class Modules(LoadFileScheduling):
    """Shares out whole modules between the processes of a run: their fixtures are dear."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return "rabbitmq" if Path(module).name in ON_RABBITMQ else module


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Modules:
    """Of every run in several processes."""
    return Modules(config, log)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The embedded servers, with a migrated database to copy from."""
    with temporary_servers() as started:
        migrate(new_database(started.addresses.database_url, TEMPLATE))
        yield started


@dataclass(frozen=True)
class Empty:
    """An empty, migrated database and an empty Redis."""

    database_url: str
    redis_url: str
    broker_url: str

    def environ(self, **more: str) -> dict[str, str]:
        """What a process needs to use them."""
        return {
            "LINERNOTES_DATABASE_URL": self.database_url,
            "LINERNOTES_REDIS_URL": self.redis_url,
            "LINERNOTES_BROKER_URL": self.broker_url,
            "PATH": os.environ["PATH"],
            **more,
        }


@contextmanager
def an_empty(servers: Servers) -> Iterator[Empty]:
    """A database of its own, and flushed Redis servers."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    url = new_database(servers.addresses.database_url, name, TEMPLATE)
    _flush(servers)
    yield Empty(url, servers.addresses.redis_url, servers.addresses.broker_url)
    drop_database(servers.addresses.database_url, name)


def _flush(servers: Servers) -> None:
    for address in (servers.addresses.redis_url, servers.addresses.broker_url):
        with redis.Redis.from_url(address) as client:
            client.flushall()


@pytest.fixture
def empty_redis(servers: Servers) -> Iterator[redis.Redis]:
    """The limiter's and the cache's Redis, flushed, for what needs no database."""
    _flush(servers)
    with redis.Redis.from_url(servers.addresses.redis_url) as client:
        yield client


@pytest.fixture(scope="module")
def lent(servers: Servers) -> Iterator[Empty]:
    """A database and Redis servers for a module; what uses them empties them with `emptied`."""
    with an_empty(servers) as made:
        yield made


@pytest.fixture(scope="module")
def lent_engine(lent: Empty) -> Iterator[Engine]:
    """Connections to the module's database."""
    made = create_engine(lent.database_url)
    yield made
    made.dispose()


def emptied(engine: Engine, servers: Servers) -> None:
    """No rows and no keys: cheaper than a database of its own, for tests that leave the tables as they are."""
    tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    _flush(servers)


@pytest.fixture
def empty(servers: Servers) -> Iterator[Empty]:
    """Of the test's own."""
    with an_empty(servers) as made:
        yield made


@pytest.fixture
def engine(empty: Empty) -> Iterator[Engine]:
    """Connections to the test's database."""
    made = create_engine(empty.database_url)
    yield made
    made.dispose()
