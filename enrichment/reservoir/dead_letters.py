"""The dead-letter queue: list, show, replay, drop; and messages that nobody can read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, text

COLUMNS = "id, what, state, source, question, kind, subject_id, lookup_id, outcome, error, attempts, created_at, note"

_LIST = text(f"""
SELECT {COLUMNS} FROM dead_letters
WHERE state = :state AND (CAST(:source AS text) IS NULL OR source = :source) ORDER BY id DESC LIMIT :most
""")  # noqa: S608 - a constant list of columns

_SHOW = text("SELECT * FROM dead_letters WHERE id = :id")

_MESSAGE = text("""
INSERT INTO dead_letters (what, outcome, error, body, request, correlation_id)
VALUES ('message', 'unreadable', :error, :body, CAST(:request AS jsonb), :correlation)
""")


def listed(
    connection: Connection, *, source: str | None = None, state: str = "open", most: int = 100
) -> list[dict[str, Any]]:
    """The newest letters."""
    rows = connection.execute(_LIST, {"source": source, "state": state, "most": most}).mappings()
    return [dict(row) for row in rows]


def shown(connection: Connection, letter: int) -> dict[str, Any] | None:
    """One letter, whole."""
    row = connection.execute(_SHOW, {"id": letter}).mappings().one_or_none()
    return dict(row) if row is not None else None


def message(
    connection: Connection, error: str, body: bytes, request: str = "{}", correlation_id: str | None = None
) -> None:
    """Keeps a message that nobody can read, raw. request: what could be made of it, as JSON text."""
    values = {"error": error[:1000].replace("\x00", ""), "body": body[:1_000_000], "request": request}
    connection.execute(_MESSAGE, values | {"correlation": correlation_id})


# A letter's lookup starts anew; where the question has been asked again meanwhile there is nothing to replay.
_REPLAY = text("""
WITH letters AS (
    SELECT d.id, d.lookup_id FROM dead_letters d
    WHERE d.id = ANY(:ids) AND d.state = 'open' AND d.what = 'lookup' ORDER BY d.id FOR UPDATE
), again AS (
    INSERT INTO lookups (source, question, kind, subject_id, state, priority, keys, batch_key, blocking, correlation_id)
    SELECT l.source, l.question, l.kind, l.subject_id, 'waiting', l.priority, l.keys, l.batch_key, l.blocking,
        l.correlation_id
    FROM lookups l JOIN letters ON letters.lookup_id = l.id
    ON CONFLICT (subject_id, source, question) WHERE state <> 'ended' DO NOTHING
), done AS (
    UPDATE dead_letters SET state = 'replayed', acted_at = clock_timestamp() WHERE id IN (SELECT id FROM letters)
)
SELECT l.source, l.kind, l.subject_id FROM lookups l JOIN letters ON letters.lookup_id = l.id
""")


def replay(connection: Connection, ids: Collection[int]) -> Sequence[Any]:
    """Asks the questions of these open letters again. Returns source, kind and subject_id of each; twice is once."""
    return connection.execute(_REPLAY, {"ids": list(ids)}).all()


_DROP = text("""
UPDATE dead_letters SET state = 'dropped', note = :reason, acted_at = clock_timestamp()
WHERE id = ANY(:ids) AND state = 'open' RETURNING id
""")


def drop(connection: Connection, ids: Collection[int], reason: str) -> list[int]:
    """Closes these open letters. Returns those it closed."""
    return list(connection.execute(_DROP, {"ids": list(ids), "reason": reason}).scalars())
