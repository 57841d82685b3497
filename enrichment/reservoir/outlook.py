"""Where a subject stands, and what is in line before it."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, text

from enrichment.domain.subjects import Kind

_PICTURE = {
    Kind.TRACK: "coalesce(t.artwork_url, t.temporary_artwork_url)",
    Kind.ALBUM: "coalesce(t.cover_art_url, t.temporary_artwork_url)",
    Kind.PERFORMER: "t.image_url",
}
_PARENTS = {
    Kind.TRACK: "ARRAY[t.performer_id, t.album_id]",
    Kind.ALBUM: "ARRAY[t.performer_id]",
    Kind.PERFORMER: "ARRAY[]::uuid[]",
}

_STANDING = {
    kind: text(f"""
SELECT t.id, coalesce(t.external_id, t.id::text) AS known_as, {_PICTURE[kind]} IS NOT NULL AS has_artwork,
    array_remove({_PARENTS[kind]}, NULL) AS parents,
    s.status, s.is_retriable, s.error_message, s.sources_used, s.completeness_score, s.requested_at, s.finished_at,
    clock_timestamp() AS now
FROM {kind}s t LEFT JOIN enrichment_status s ON s.kind = '{kind}' AND s.subject_id = t.id
WHERE t.external_id = :given OR t.id = :id ORDER BY t.external_id = :given DESC NULLS LAST LIMIT 1
""")  # noqa: S608 - constants
    for kind in Kind
}


def standing(connection: Connection, kind: Kind, given: str) -> Any | None:
    """The subject of this id, the producer's or ours, and how it stands. It locks nothing."""
    try:
        own: uuid.UUID | None = uuid.UUID(given)
    except ValueError:
        own = None
    return connection.execute(_STANDING[kind], {"given": given, "id": own}).one_or_none()


_OPEN = text("""
SELECT l.id, l.source, l.question, l.state, l.priority,
    extract(epoch FROM l.due_at - clock_timestamp())::float AS due_in,
    (SELECT count(*) FROM (
        SELECT FROM lookups a
        WHERE a.state = 'waiting' AND a.source = l.source AND a.priority = l.priority AND a.id < l.id
        LIMIT :most
    ) ahead) AS same_before
FROM lookups l
WHERE l.subject_id = ANY(:subjects) AND l.state IN ('gathering', 'waiting', 'claimed', 'not_due') AND l.blocking
ORDER BY l.id
""")


def open_lookups(connection: Connection, subjects: Collection[uuid.UUID], most: int) -> Sequence[Any]:
    """What is still to be answered about them. same_before: how many of the same priority are in line before each,
    counted up to `most`.
    """
    return connection.execute(_OPEN, {"subjects": list(subjects), "most": most}).all()


_LEVELS = text("""
SELECT source, priority, question, count(*) AS rows, min(id) AS first, max(id) AS last
FROM lookups WHERE state = 'waiting' GROUP BY source, priority, question
""")


def levels(connection: Connection) -> Sequence[Any]:
    """All lines, by source, priority and question."""
    return connection.execute(_LEVELS).all()


_STATUSES = text("""
SELECT s.kind, s.subject_id, s.status, s.completeness_score, s.sources_used
FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS uuid[])) AS wanted(kind, subject_id)
JOIN enrichment_status s ON s.kind = wanted.kind AND s.subject_id = wanted.subject_id
""")


def statuses(connection: Connection, kinds: Sequence[str], ids: Sequence[uuid.UUID]) -> Sequence[Any]:
    """How these subjects stand."""
    return connection.execute(_STATUSES, {"kinds": list(kinds), "ids": list(ids)}).all()
