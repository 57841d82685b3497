"""Connections that die are noticed: those that lay idle before use, those in use by their error."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from enrichment.reservoir.pool import IDLE_SECONDS, at_once, make_engine
from enrichment.reservoir.retrying import in_transaction
from tests.conftest import Empty


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(empty: Empty, clock: Clock) -> Iterator[Engine]:
    made = make_engine(empty.database_url, 2, clock)
    yield made
    made.dispose()


def whose(connection: Connection) -> int:
    """The server process behind a connection."""
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


@pytest.fixture
def kill(empty: Empty) -> Callable[[int], None]:
    """Ends a server process, and returns when it is gone."""

    def end(pid: int) -> None:
        other = create_engine(empty.database_url)
        with other.connect() as connection:
            assert connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}).scalar_one()
        other.dispose()

    return end


def test_one_that_died_while_nobody_used_it_is_replaced(
    engine: Engine, clock: Clock, kill: Callable[[int], None]
) -> None:
    with engine.connect() as connection:
        before = whose(connection)
    kill(before)
    clock.now += IDLE_SECONDS + 0.1

    with engine.connect() as connection:
        assert whose(connection) != before


def test_one_that_died_right_after_use_is_replaced_by_who_begins_anew(
    engine: Engine, kill: Callable[[int], None]
) -> None:
    with engine.connect() as connection:
        before = whose(connection)
    kill(before)

    assert in_transaction(engine, whose) != before


@pytest.mark.parametrize(("idle", "last"), [(IDLE_SECONDS - 0.1, "ROLLBACK"), (IDLE_SECONDS + 0.1, ";")])
def test_only_one_that_lay_idle_is_tried(engine: Engine, clock: Clock, empty: Empty, idle: float, last: str) -> None:
    with engine.connect() as connection:
        pid = whose(connection)
    clock.now += idle

    other = create_engine(empty.database_url)
    with engine.connect(), other.connect() as looking:
        query = text("SELECT query FROM pg_stat_activity WHERE pid = :pid")
        assert looking.execute(query, {"pid": pid}).scalar_one() == last
    other.dispose()


def prepared(engine: Engine) -> int:
    """Statements that the server keeps for the connection used last."""
    with engine.begin() as connection:
        return int(connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one())


def test_who_only_reads_lets_nothing_prepared_be_forgotten(engine: Engine) -> None:
    for _ in range(3):
        in_transaction(engine, whose)
    kept = prepared(engine)
    assert kept

    with at_once(engine) as connection:
        whose(connection)

    assert prepared(engine) >= kept


def test_each_statement_at_once_is_a_transaction_of_its_own(engine: Engine) -> None:
    with at_once(engine) as connection:
        mine = text("SELECT pg_current_xact_id()")
        assert connection.execute(mine).scalar_one() != connection.execute(mine).scalar_one()
    with engine.begin() as connection:
        assert connection.execute(mine).scalar_one() == connection.execute(mine).scalar_one()
