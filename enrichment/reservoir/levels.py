"""Levels of logs that an operator has set, for the whole fleet."""

from __future__ import annotations

from sqlalchemy import Connection, text

_ALL = text("SELECT logger, level FROM log_levels ORDER BY logger")


def read(connection: Connection) -> dict[str, str]:
    """By logger; "" is our own code as a whole."""
    return {row.logger: row.level for row in connection.execute(_ALL)}


_PUT = text("""
INSERT INTO log_levels (logger, level) VALUES (:logger, :level)
ON CONFLICT (logger) DO UPDATE SET level = excluded.level
""")
_REMOVE = text("DELETE FROM log_levels WHERE logger = :logger")


def put(connection: Connection, logger: str, level: str | None) -> None:
    """None: as by default."""
    if level is None:
        connection.execute(_REMOVE, {"logger": logger})
    else:
        connection.execute(_PUT, {"logger": logger, "level": level})
