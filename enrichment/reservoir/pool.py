"""Connections to PostgreSQL: what they are told, and that dead ones are noticed."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from enrichment.reservoir.documents import parse

SESSION = {
    "statement_timeout": 60_000,
    "lock_timeout": 20_000,
    # A worker that is frozen in a transaction keeps others waiting for so long.
    "idle_in_transaction_session_timeout": 10_000,
    # One whose machine is gone without a word would keep its locks for hours, as connections do by default.
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""Of PostgreSQL, for our connections; milliseconds, of the keepalives seconds. Ours of the other end are the same."""
IDLE_SECONDS = 1.0
"""A connection that nobody has used for so long is tried before use. To try each, each time, was a sixth of all
statements."""


def make_engine(database_url: str, connections: int, monotonic: Callable[[], float] = time.monotonic) -> Engine:
    """At most so many connections; those that died while nobody used them are replaced."""
    engine = create_engine(
        database_url,
        pool_size=connections,
        max_overflow=0,
        # The one used last has its statements prepared, and what it needs in memory: a twentieth of the CPU.
        pool_use_lifo=True,
        pool_recycle=1800,
        json_deserializer=parse,
        connect_args={
            "connect_timeout": 5,
            # Prepared when it comes for the second time; after five more plans of its own PostgreSQL may keep one.
            "prepare_threshold": 1,
            "options": " ".join(f"-c {name}={value}" for name, value in SESSION.items()),
            "application_name": "linernotes",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        },
    )

    def come_back(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        record.info["back"] = monotonic()

    def go_out(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
        if monotonic() - record.info.get("back", inf) <= IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise InvalidatePoolError from error

    event.listen(engine, "checkin", come_back)
    event.listen(engine, "checkout", go_out)
    return engine


def at_once(engine: Engine) -> Connection:
    """A connection on which each statement is a transaction of its own: for reading, and for what stands alone.

    BEGIN and COMMIT are round trips too. And what only reads in a transaction ends it with a ROLLBACK, with which
    psycopg forgets all that is prepared on a connection: nearly every statement was planned anew, for nearly half of
    the database's time where one thread was at work.
    """
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")
