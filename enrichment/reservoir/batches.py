"""Batches: kept, looked at, cancelled."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from enrichment.domain.findings import PRODUCER
from enrichment.domain.subjects import Kind
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.documents import document
from enrichment.reservoir.subjects import Ref


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a batch: its subject, or why it was not accepted. position: from 0."""

    position: int
    ref: Ref | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """A batch without its items."""

    id: uuid.UUID
    who: str
    created_at: datetime
    cancelled_at: datetime | None


_ADD = text("INSERT INTO batches (id, who) VALUES (:id, :who) ON CONFLICT DO NOTHING")

_ADD_ITEMS = text("""
INSERT INTO batch_items (batch_id, position, kind, subject_id, error)
SELECT :id, position, kind, subject_id, error
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(position int, kind text, subject_id uuid, error text)
ON CONFLICT DO NOTHING
""")


def add(connection: Connection, batch: uuid.UUID, who: str, items: Sequence[Item]) -> None:
    """Keeps a batch; twice is once."""
    found = [
        {
            "position": item.position,
            "kind": item.ref.kind if item.ref else None,
            "subject_id": str(item.ref.id) if item.ref else None,
            "error": item.error,
        }
        for item in items
    ]
    connection.execute(_ADD, {"id": batch, "who": who})
    connection.execute(_ADD_ITEMS, {"id": batch, "rows": document(found)})


_HEAD = text("SELECT id, who, created_at, cancelled_at FROM batches WHERE id = :id")


def head(connection: Connection, batch: uuid.UUID) -> Head | None:
    """The batch of this id."""
    row = connection.execute(_HEAD, {"id": batch}).one_or_none()
    return Head(*row) if row is not None else None


_COUNTED = text("""
SELECT CASE WHEN i.subject_id IS NULL THEN 'rejected' ELSE s.status END AS status, count(*) AS rows
FROM batch_items i LEFT JOIN enrichment_status s ON s.kind = i.kind AND s.subject_id = i.subject_id
WHERE i.batch_id = :id GROUP BY 1
""")


def counted(connection: Connection, batch: uuid.UUID) -> dict[str, int]:
    """Its items by the status of their subjects; those that were not accepted as "rejected"."""
    return {row.status: row.rows for row in connection.execute(_COUNTED, {"id": batch})}


_ITEMS = text("""
SELECT position, kind, subject_id, error FROM batch_items
WHERE batch_id = :id AND position >= :first ORDER BY position LIMIT :most
""")


def items(connection: Connection, batch: uuid.UUID, first: int, most: int) -> list[Item]:
    """Its items in their order, from this position on."""
    found = connection.execute(_ITEMS, {"id": batch, "first": first, "most": most})
    return [
        Item(row.position, Ref(Kind(row.kind), row.subject_id) if row.subject_id else None, row.error) for row in found
    ]


_CANCELLED = text("UPDATE batches SET cancelled_at = coalesce(cancelled_at, clock_timestamp()) WHERE id = :id")


def mark_cancelled(connection: Connection, batch: uuid.UUID) -> None:
    """Somebody does not want it any more."""
    connection.execute(_CANCELLED, {"id": batch})


_OPEN = text("""
SELECT DISTINCT i.kind, i.subject_id
FROM batch_items i JOIN enrichment_status s ON s.kind = i.kind AND s.subject_id = i.subject_id
WHERE i.batch_id = :id AND s.batch_id = :id AND s.status IN ('pending', 'in_progress') LIMIT :most
""")

# At low priority an answer is not in the record before the last of its round: the findings tell what there is.
_END = text("""
UPDATE enrichment_status s SET
    status = CASE WHEN found.sources = '{}' THEN 'failed' ELSE 'partial' END, sources_used = found.sources,
    is_retriable = true, error_message = 'cancelled', finished_at = clock_timestamp(), batch_id = NULL
FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS uuid[])) AS wanted(kind, subject_id), LATERAL (
    SELECT coalesce(array_agg(DISTINCT f.source ORDER BY f.source), '{}') AS sources
    FROM findings f WHERE f.subject_id = wanted.subject_id AND f.source <> :producer
) found
WHERE s.kind = wanted.kind AND s.subject_id = wanted.subject_id
  AND s.batch_id = :id AND s.status IN ('pending', 'in_progress')
RETURNING s.kind, s.subject_id
""")

# What is asked about a performer or an album goes on where anybody else waits for it, or for another track of theirs.
_WITHDRAW = text("""
UPDATE lookups l SET state = 'ended', error = 'cancelled', settled_at = clock_timestamp(), due_at = NULL
WHERE l.state IN ('gathering', 'waiting', 'not_due', 'deferred') AND (
    l.subject_id = ANY(:subjects)
    OR l.subject_id = ANY(:parents)
    AND NOT EXISTS (
        SELECT FROM enrichment_status s WHERE s.subject_id = l.subject_id AND s.kind = l.kind
        AND (s.status IN ('pending', 'in_progress') OR s.refreshing)
    )
    AND NOT EXISTS (
        SELECT FROM tracks t JOIN enrichment_status s ON s.kind = 'track' AND s.subject_id = t.id
        WHERE (t.performer_id = l.subject_id OR t.album_id = l.subject_id)
        AND (s.status IN ('pending', 'in_progress') OR s.refreshing)
    )
)
RETURNING l.kind, l.subject_id, l.priority, EXISTS (SELECT FROM findings f WHERE f.subject_id = l.subject_id) AS found
""")


def withdraw(connection: Connection, batch: uuid.UUID, most: int) -> int:
    """Ends some of the subjects that only this batch asked for. Returns how many; call until it returns 0.

    Calls that are under way end by themselves, and what they find is kept. What was found already a steward merges.
    """
    refs = [Ref(Kind(row.kind), row.subject_id) for row in connection.execute(_OPEN, {"id": batch, "most": most})]
    if not refs:
        return 0
    subjects = rows.lock(connection, refs)
    values = {"id": batch, "producer": PRODUCER, "kinds": [ref.kind for ref in refs], "ids": [ref.id for ref in refs]}
    ended = {row.subject_id for row in connection.execute(_END, values)}
    parents = {id_ for subject in subjects if subject.ref.id in ended for id_ in subject.parents.values()}
    withdrawn = connection.execute(_WITHDRAW, {"subjects": list(ended), "parents": list(parents)})
    rows.record_replans(
        connection, {Ref(Kind(row.kind), row.subject_id): row.priority for row in withdrawn if row.found}
    )
    return len(refs)
