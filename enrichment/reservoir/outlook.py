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

# By its producer's id, by ours, by either of one that was merged into it: the first that holds.
_STANDINGS = {
    kind: text(f"""
SELECT asked.given, t.id, coalesce(t.external_id, t.id::text) AS known_as, {_PICTURE[kind]} IS NOT NULL AS has_artwork,
    array_remove({_PARENTS[kind]}, NULL) AS parents,
    s.status, s.is_retriable, s.error_message, s.sources_used, s.completeness_score, s.requested_at, s.finished_at,
    clock_timestamp() AS now
FROM unnest(CAST(:given AS text[]), CAST(:ids AS uuid[])) AS asked(given, id), LATERAL (
    SELECT id, 1 AS best FROM {kind}s WHERE external_id = asked.given
    UNION ALL SELECT id, 2 FROM {kind}s WHERE id = asked.id
    UNION ALL SELECT subject_id, 3 FROM redirects WHERE kind = '{kind}' AND external_id = asked.given
    UNION ALL SELECT subject_id, 4 FROM redirects WHERE kind = '{kind}' AND old_id = asked.id
    ORDER BY best LIMIT 1
) found JOIN {kind}s t ON t.id = found.id LEFT JOIN enrichment_status s ON s.kind = '{kind}' AND s.subject_id = t.id
""")  # noqa: S608 - constants
    for kind in Kind
}


def standings(connection: Connection, kind: Kind, given: Collection[str]) -> dict[str, Any]:
    """The subjects of these ids, the producer's or ours, and how they stand. It locks nothing."""
    wanted = {each: _own(each) for each in given}
    values = {"given": list(wanted), "ids": list(wanted.values())}
    return {row.given: row for row in connection.execute(_STANDINGS[kind], values)}


def _own(given: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(given)
    except ValueError:
        return None


_OPEN = text("""
SELECT l.id, l.subject_id, l.source, l.question, l.state, l.priority,
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
SELECT wanted.kind, wanted.subject_id, s.status, s.completeness_score, s.sources_used
FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS uuid[])) AS wanted(kind, subject_id)
LEFT JOIN redirects r ON r.kind = wanted.kind AND r.old_id = wanted.subject_id
JOIN enrichment_status s ON s.kind = wanted.kind AND s.subject_id = coalesce(r.subject_id, wanted.subject_id)
""")


def statuses(connection: Connection, kinds: Sequence[str], ids: Sequence[uuid.UUID]) -> Sequence[Any]:
    """How these subjects stand; what has been merged stands as what it is now."""
    return connection.execute(_STATUSES, {"kinds": list(kinds), "ids": list(ids)}).all()
