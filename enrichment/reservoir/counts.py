"""Counters of the whole fleet: what processes have counted is added up here."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text

from enrichment.reservoir.documents import document

Key = tuple[str, tuple[str, ...]]
"""A counter's name and the values of its labels."""

# In one order, or two stewards could wait for each other.
_ADD = text("""
INSERT INTO counts AS c (name, labels, value)
SELECT name, labels, value FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(name text, labels text[], value float8)
ORDER BY name, labels
ON CONFLICT (name, labels) DO UPDATE SET value = c.value + excluded.value
""")


def add(connection: Connection, counted: Mapping[Key, float]) -> None:
    """Adds to each of these counters."""
    rows = [{"name": name, "labels": list(labels), "value": value} for (name, labels), value in counted.items()]
    connection.execute(_ADD, {"rows": document(rows)})


_ALL = text("SELECT name, labels, value FROM counts")


def read(connection: Connection) -> dict[Key, float]:
    """Every counter."""
    return {(row.name, tuple(row.labels)): row.value for row in connection.execute(_ALL)}
