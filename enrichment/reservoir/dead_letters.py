"""The dead-letter queue: found, shown, edited, asked again, dropped, purged; and messages that cannot be taken."""

from __future__ import annotations

import math
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from enrichment.reservoir.documents import document

COLUMNS = (
    "id, what, state, source, question, kind, subject_id, lookup_id, outcome, error, attempts, created_at, acted_at, "
    "note, coalesce(correlation_id, request_id) AS trace_id"
)
LARGEST_BODY = 1_000_000
LONGEST_ERROR = 1000


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant; what is None does not narrow.

    error: part of its text, in any case. subjects: our own ids. older, newer: seconds since it was written.
    state: open, replayed or dropped.
    """

    ids: tuple[int, ...] | None = None
    state: str | None = "open"
    what: str | None = None
    source: str | None = None
    outcome: str | None = None
    error: str | None = None
    subjects: tuple[uuid.UUID, ...] | None = None
    older: float | None = None
    newer: float | None = None

    def said(self) -> dict[str, Any]:
        """What narrows, by name."""
        given = {name: value for name in _CONDITIONS if (value := getattr(self, name)) is not None}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}

    def where(self) -> tuple[str, dict[str, Any]]:
        """The condition, and its values."""
        values = self.said()
        return " AND ".join(_CONDITIONS[name] for name in values) or "true", values


_CONDITIONS = {
    "ids": "id = ANY(:ids)",
    "state": "state = :state",
    "what": "what = :what",
    "source": "source = :source",
    "outcome": "outcome = :outcome",
    "error": "position(lower(:error) IN lower(error)) > 0",
    "subjects": "subject_id = ANY(:subjects)",
    "older": "created_at < clock_timestamp() - make_interval(secs => :older)",
    "newer": "created_at >= clock_timestamp() - make_interval(secs => :newer)",
}


def listed(connection: Connection, which: Filter, *, most: int = 100, below: int | None = None) -> list[dict[str, Any]]:
    """The newest such letters. below: only those before this one, for the next page."""
    where, values = which.where()
    page = "AND id < :below" if below is not None else ""
    query = text(f"SELECT {COLUMNS} FROM dead_letters WHERE {where} {page} ORDER BY id DESC LIMIT :most")  # noqa: S608 - constants
    return [dict(row) for row in connection.execute(query, values | {"most": most, "below": below}).mappings()]


def numbers(connection: Connection, which: Filter, *, most: int, above: int, until: int) -> list[int]:
    """The oldest such letters above one of them, until another, by id."""
    where, values = which.where()
    query = text(f"SELECT id FROM dead_letters WHERE {where} AND id > :above AND id <= :until ORDER BY id LIMIT :most")  # noqa: S608 - constants
    return list(connection.execute(query, values | {"most": most, "above": above, "until": until}).scalars())


def newest(connection: Connection) -> int:
    """The last letter's id; 0 where there is none."""
    return int(connection.execute(text("SELECT coalesce(max(id), 0) FROM dead_letters")).scalar_one())


_SHOW = text(f"""
SELECT {COLUMNS}, request, edited, reply, substring(body FROM 1 FOR :bytes) AS body, length(body) AS body_bytes
FROM dead_letters WHERE id = :id
""")  # noqa: S608 - a constant list of columns

_TRIED = text("""
SELECT settled_at, outcome, findings, worker FROM settles WHERE lookup_id = :lookup ORDER BY id DESC LIMIT 20
""")


def shown(connection: Connection, letter: int, most_bytes: int) -> dict[str, Any] | None:
    """One letter, with as much of its body, and the attempts at its lookup, the newest first."""
    row = connection.execute(_SHOW, {"id": letter, "bytes": most_bytes}).mappings().one_or_none()
    if row is None:
        return None
    tried = connection.execute(_TRIED, {"lookup": row["lookup_id"]}).mappings()
    return {**row, "tried": [dict(each) for each in tried]}


_MESSAGE = text("""
INSERT INTO dead_letters (what, outcome, error, body, request, correlation_id, request_id)
VALUES ('message', 'unreadable', :error, :body, CAST(:request AS jsonb), :correlation, :request_id)
ON CONFLICT (request_id) DO NOTHING
""")


def message(
    connection: Connection,
    error: str,
    body: bytes,
    *,
    request: Mapping[str, Any] | None = None,
    correlation_id: str | None = None,
    request_id: str | None = None,
) -> None:
    """Keeps a message that cannot be taken, raw; one letter for a request_id.

    request: what could be made of it.
    """
    values = {
        "error": _storable(error)[:LONGEST_ERROR],
        "body": body[:LARGEST_BODY],
        "request": document(_storable(request or {})),
        "correlation": correlation_id,
        "request_id": request_id,
    }
    connection.execute(_MESSAGE, values)


def _storable(value: Any) -> Any:
    """As PostgreSQL can hold it: no NUL, no half characters, no NaN; what is no JSON as text."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_storable(str(name)): _storable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(each) for each in value]
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return _storable(repr(value))


@dataclass(frozen=True, slots=True)
class Asked:
    """What an open letter would ask, as edited last: a lookup's keys, or what can be read of a message."""

    what: str
    source: str | None
    question: str | None
    given: Mapping[str, Any]


_ASKED = text("""
SELECT d.what, d.source, d.question, coalesce(d.edited, l.keys, d.request -> 'keys', d.request) AS given
FROM dead_letters d LEFT JOIN lookups l ON l.id = d.lookup_id WHERE d.id = :id AND d.state = 'open'
""")


def asked(connection: Connection, letter: int) -> Asked | None:
    """None where there is no such open letter."""
    row = connection.execute(_ASKED, {"id": letter}).one_or_none()
    return None if row is None else Asked(*row)


_EDIT = text("""
UPDATE dead_letters SET edited = CAST(:edited AS jsonb) WHERE id = :id AND state = 'open' RETURNING edited
""")


def edit(connection: Connection, letter: int, edited: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a person puts in place of what was asked, as it is stored; None where the letter is not open."""
    values = {"id": letter, "edited": document(_storable(edited))}
    stored: dict[str, Any] | None = connection.execute(_EDIT, values).scalar_one_or_none()
    return stored


@dataclass(frozen=True, slots=True)
class Again:
    """An open letter whose question is to be asked anew."""

    id: int
    source: str
    question: str
    subject_id: uuid.UUID
    keys: Mapping[str, Any]
    edited: bool


_OPEN_LOOKUPS = text("""
SELECT d.id, d.source, d.question, d.subject_id, coalesce(d.edited, l.keys, d.request -> 'keys') AS keys,
    d.edited IS NOT NULL AS edited
FROM dead_letters d LEFT JOIN lookups l ON l.id = d.lookup_id
WHERE d.id = ANY(:ids) AND d.state = 'open' AND d.what = 'lookup' ORDER BY d.id FOR UPDATE OF d
""")

# Where the question has been asked again meanwhile there is nothing to do. One under which workers died, or whose
# answer nobody could read, goes alone: it is not to spoil a batch again.
_ASK_AGAIN = text("""
WITH given AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id bigint, keys jsonb, batch_key text, delay float8)
), again AS (
    INSERT INTO lookups (source, question, kind, subject_id, state, priority, keys, batch_key, batch_limit, blocking,
                         due_at, fresh_after, correlation_id)
    SELECT d.source, d.question, d.kind, d.subject_id, CASE WHEN g.delay > 0 THEN 'not_due' ELSE 'waiting' END,
        coalesce(CAST(:priority AS int), l.priority, CAST(d.request ->> 'priority' AS int), 5), g.keys,
        coalesce(g.batch_key, l.batch_key, ''),
        CASE WHEN d.outcome IN ('worker_died', 'unreadable') THEN 1 ELSE 0 END, coalesce(l.blocking, true),
        CASE WHEN g.delay > 0 THEN clock_timestamp() + make_interval(secs => g.delay) END, l.fresh_after,
        d.correlation_id
    FROM given g JOIN dead_letters d ON d.id = g.id LEFT JOIN lookups l ON l.id = d.lookup_id ORDER BY d.id
    ON CONFLICT (subject_id, source, question) WHERE state <> 'ended' DO NOTHING
)
UPDATE dead_letters SET state = 'replayed', acted_at = clock_timestamp() WHERE id IN (SELECT id FROM given)
""")


def open_lookups(connection: Connection, ids: Collection[int]) -> Sequence[Again]:
    """Those of these letters that are open and of lookups, locked: twice is once."""
    return [Again(*row) for row in connection.execute(_OPEN_LOOKUPS, {"ids": list(ids)})]


def ask_again(
    connection: Connection,
    letters: Sequence[Again],
    batch_keys: Mapping[int, str],
    *,
    priority: int | None = None,
    spacing: float = 0.0,
    first: int = 0,
) -> None:
    """Their lookups start anew, `spacing` seconds apart; priority: else that of the lookup.

    batch_keys: of letters whose keys were edited. first: how many have started before these.
    """
    rows = [
        {"id": each.id, "keys": dict(each.keys), "batch_key": batch_keys.get(each.id), "delay": spacing * position}
        for position, each in enumerate(letters, first)
    ]
    connection.execute(_ASK_AGAIN, {"rows": document(rows), "priority": priority})


_CLOSE = text("""
UPDATE dead_letters SET state = :state, note = coalesce(:note, note), acted_at = clock_timestamp()
WHERE id = ANY(:ids) AND state = 'open' RETURNING id
""")


def replayed(connection: Connection, ids: Collection[int]) -> list[int]:
    """These open letters have been handed in again. Returns those that were open."""
    return list(connection.execute(_CLOSE, {"ids": list(ids), "state": "replayed", "note": None}).scalars())


def drop(connection: Connection, ids: Collection[int], reason: str) -> list[int]:
    """Closes these open letters. Returns those it closed."""
    return list(connection.execute(_CLOSE, {"ids": list(ids), "state": "dropped", "note": _storable(reason)}).scalars())


def purge(connection: Connection, ids: Collection[int]) -> int:
    """Deletes letters for good. Returns how many."""
    return connection.execute(text("DELETE FROM dead_letters WHERE id = ANY(:ids)"), {"ids": list(ids)}).rowcount
