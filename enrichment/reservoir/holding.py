"""Records that hold: who asks for one again is answered with it, and so is who asks for its twin.

Before `enrichment_status.holds_until` to ask for the same again would ask nothing of anybody and change nothing. That
ends early where the record changes, or what it has from its performer or album, and does not count for who asks with
more urgency, for other fields, with other facts of the producer's, or once other questions can be asked.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, TextClause, text

from enrichment.domain.findings import PRODUCER
from enrichment.domain.subjects import FIELDS, Kind, Status
from enrichment.reservoir.documents import document
from enrichment.reservoir.subjects import NAMES, Wish, scalars
from enrichment.reservoir.twins import ANSWERS


@dataclass(frozen=True, slots=True)
class Asking:
    """A track that is asked for. facts: what its producer says of it, by field."""

    wish: Wish
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """A track whose record holds. priority: that of the request. has_picture: has the record any?"""

    id: uuid.UUID
    status: Status
    priority: int
    has_picture: bool


_ASKING = """jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(subject_id uuid, wanted text[], priority int,
    correlation_id text, batch_id uuid, facts jsonb)"""

_PARENTS = "LEFT JOIN performers p ON p.id = t.performer_id LEFT JOIN albums a ON a.id = t.album_id"

_HOLDS = f"""
s.status IN ('completed', 'failed') AND NOT s.refreshing
AND s.holds_until > :now AND s.steps = :steps
AND s.holds_from >= greatest(t.updated_at, p.passed_on_at, a.passed_on_at)
AND s.wanted @> r.wanted AND (s.priority >= 4) >= (r.priority >= 4)
AND NOT EXISTS (
    SELECT FROM jsonb_to_recordset(r.facts) AS told(field text, value jsonb)
    WHERE NOT EXISTS (SELECT FROM findings f WHERE f.subject_id = t.id AND f.field = told.field
        AND f.source = '{PRODUCER}' AND f.value = told.value))
"""  # noqa: S608 - a constant
"""Does the record of track t answer request r? p, a: its performer and album. s: its status."""

_ANSWER = text(f"""
UPDATE enrichment_status s SET requested_at = clock_timestamp(), finished_at = clock_timestamp(),
    priority = r.priority, correlation_id = coalesce(r.correlation_id, s.correlation_id), batch_id = r.batch_id
FROM {_ASKING} JOIN tracks t ON t.id = r.subject_id {_PARENTS}
WHERE s.kind = 'track' AND s.subject_id = t.id AND {_HOLDS}
RETURNING s.subject_id, s.status, s.priority, coalesce(t.artwork_url, t.temporary_artwork_url) IS NOT NULL
""")  # noqa: S608 - constants


def answer(connection: Connection, asking: Sequence[Asking], now: datetime, steps: int) -> list[Answered]:
    """Those of these tracks (locked) whose record holds; their requests have ended. steps: see `Steps.digest`."""
    return _executed(connection, _ANSWER, asking, now, steps)


_FACTS = sorted(scalars(Kind.TRACK) - NAMES)
_LISTS = [name for name, spec in FIELDS[Kind.TRACK].items() if spec.shape != "scalar"]

# Whose producer says the same, and nothing else, is merged to the same record.
_COPY = text(f"""
WITH twins AS MATERIALIZED (
    SELECT r.*, twin.* FROM {_ASKING} JOIN tracks new ON new.id = r.subject_id CROSS JOIN LATERAL (
        SELECT t.id AS twin_id, s.status, s.holds_until, s.sources_used, s.completeness_score, s.is_retriable,
            s.error_message
        FROM tracks t {_PARENTS} JOIN enrichment_status s ON s.kind = 'track' AND s.subject_id = t.id
        WHERE t.title_key = new.title_key AND t.artist_key = new.artist_key AND t.id <> new.id
            AND (t.title, t.artist) = (new.title, new.artist) AND t.performer_id IS NOT DISTINCT FROM new.performer_id
            AND {_HOLDS}
            AND jsonb_array_length(r.facts) = (SELECT count(*) FROM findings f
                WHERE f.subject_id = t.id AND f.source = '{PRODUCER}' AND f.value <> 'null')
            AND NOT EXISTS (SELECT FROM findings f WHERE f.subject_id = t.id AND f.locked)
        ORDER BY s.holds_until DESC, t.id LIMIT 1
    ) twin
), copied AS (
    INSERT INTO enrichment_status (kind, subject_id, status, is_retriable, error_message, sources_used, wanted,
        priority, completeness_score, requested_at, finished_at, correlation_id, batch_id, holds_from, holds_until,
        steps)
    SELECT 'track', subject_id, status, is_retriable, error_message, sources_used, wanted, priority,
        completeness_score, clock_timestamp(), clock_timestamp(), correlation_id, batch_id,
        :now, holds_until, :steps
    FROM twins
), answers AS ({ANSWERS}), stated AS (
    INSERT INTO findings (kind, subject_id, field, source, value, confidence, reason, stated_at, lookup_id)
    SELECT 'track', t.subject_id, f.field, f.source, f.value, f.confidence, f.reason, f.stated_at, f.lookup_id
    FROM twins t JOIN findings f ON f.subject_id = t.twin_id AND f.value <> 'null'
), records AS (
    UPDATE tracks new SET {", ".join(f"{name} = known.{name}" for name in (*_FACTS, "album_id"))},
        metadata = new.metadata || (SELECT coalesce(jsonb_object_agg(key, value), '{{}}')
            FROM jsonb_each(known.metadata) WHERE key = ANY(:lists)),
        updated_at = :now, enriched_at = :now
    FROM twins t JOIN tracks known ON known.id = t.twin_id WHERE new.id = t.subject_id
    RETURNING new.id, t.status, t.priority, coalesce(new.artwork_url, new.temporary_artwork_url) IS NOT NULL
)
SELECT * FROM records
""")  # noqa: S608 - names of our own


def copy(connection: Connection, asking: Sequence[Asking], now: datetime, steps: int) -> list[Answered]:
    """Those of these new tracks that have a twin whose record holds: theirs is the same now, with all that is known.

    A twin has the same names to the letter, by which it was searched, and its producer has said the same of it.
    """
    return _executed(connection, _COPY, asking, now, steps, lists=_LISTS)


def _executed(
    connection: Connection,
    query: TextClause,
    asking: Sequence[Asking],
    now: datetime,
    steps: int,
    **more: Collection[str],
) -> list[Answered]:
    rows = [
        each.wish.row() | {"facts": [{"field": field, "value": value} for field, value in each.facts.items()]}
        for each in asking
    ]
    if not rows:
        return []
    found = connection.execute(query, {"rows": document(rows), "now": now, "steps": steps, **more})
    return [Answered(id_, Status(status), priority, has_picture) for id_, status, priority, has_picture in found]
