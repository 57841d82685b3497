"""Migrations go up from nothing, down to nothing and up again, and say what the models say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import alembic.command
import pytest
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, inspect

from enrichment.bootstrap import ROOT
from enrichment.embedded import Servers, drop_database, new_database


@dataclass(frozen=True)
class Database:
    """An empty one, and Alembic pointed at it."""

    engine: Engine

    def run(self, command: str, *args: str) -> None:
        """`alembic command args`. Raises alembic's CommandError."""
        with self.engine.begin() as connection:
            getattr(alembic.command, command)(self._config(connection), *args)

    def _config(self, connection: Connection) -> Config:
        config = Config(str(ROOT / "alembic.ini"))
        config.attributes["connection"] = connection
        return config

    @property
    def tables(self) -> set[str]:
        """Those of ours."""
        return set(inspect(self.engine).get_table_names()) - {"alembic_version"}


@pytest.fixture
def database(servers: Servers) -> Iterator[Database]:
    engine = create_engine(new_database(servers.addresses.database_url, "migrating"))
    yield Database(engine)
    engine.dispose()
    drop_database(servers.addresses.database_url, "migrating")


def test_up_down_and_up_again(database: Database) -> None:
    database.run("upgrade", "head")
    up = database.tables
    assert {"performers", "tracks", "albums", "events", "event_performers", "enrichment_status"} <= up
    assert {"lookups", "findings", "dead_letters"} <= up

    database.run("downgrade", "base")
    assert database.tables == set()

    database.run("upgrade", "head")
    assert database.tables == up


def test_migrations_say_what_the_models_say(database: Database) -> None:
    database.run("upgrade", "head")

    database.run("check")


def test_every_step_can_be_taken_back(database: Database) -> None:
    database.run("upgrade", "head")
    while database.tables:
        database.run("downgrade", "-1")
        database.run("upgrade", "+1")
        database.run("downgrade", "-1")
