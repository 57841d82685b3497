"""Transactions that outlive a database that goes away for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

T = TypeVar("T")

PATIENCE_SECONDS = 30.0
_DEADLOCK, _SERIALIZATION, _LOCK_TIMEOUT = "40P01", "40001", "55P03"

log = structlog.get_logger()


def in_transaction(
    engine: Engine,
    work: Callable[[Connection], T],
    *,
    patience: float = PATIENCE_SECONDS,
    sleep: Callable[[float], object] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> T:
    """The work, committed. Begun anew where the database was away or others were in the way, for as long as
    `patience` seconds.

    The work must be harmless to do twice: the answer to a COMMIT may be lost after it took effect. Raises the last
    sqlalchemy.exc.DBAPIError.
    """
    until = monotonic() + patience
    delay = 0.05
    while True:
        try:
            with engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            if not passes(error) or monotonic() + delay > until:
                raise
            log.warning("transaction is begun anew", error=str(error.orig)[:200])
        sleep(delay)
        delay = min(2.0, delay * 2)


def passes(error: BaseException) -> bool:
    """Is it the database, or what we may have of it, that is not there now? Else doing it again would not help."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, NoConnectionLeft)
    state = getattr(error.orig, "sqlstate", None)
    return (
        error.connection_invalidated
        or isinstance(error, InterfaceError)
        or state in (_DEADLOCK, _SERIALIZATION, _LOCK_TIMEOUT)
        or (isinstance(error, OperationalError) and (state is None or state.startswith(("08", "57", "53"))))
    )
