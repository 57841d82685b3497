"""What enriching subjects has taken so far, and what is left to do: counts for estimates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

# Who was asked for, and the performers and albums of such tracks that nobody has asked for themselves.
_FAMILY = """
, family AS (
    SELECT kind AS role, subject_id, priority FROM asked
    UNION ALL
    SELECT 'track.performer', t.performer_id, max(a.priority) FROM asked a JOIN tracks t ON t.id = a.subject_id
    WHERE a.kind = 'track' AND NOT EXISTS (
        SELECT FROM enrichment_status s WHERE s.kind = 'performer' AND s.subject_id = t.performer_id)
    GROUP BY t.performer_id HAVING t.performer_id IS NOT NULL
    UNION ALL
    SELECT 'track.album', t.album_id, max(a.priority) FROM asked a JOIN tracks t ON t.id = a.subject_id
    WHERE a.kind = 'track' AND NOT EXISTS (
        SELECT FROM enrichment_status s WHERE s.kind = 'album' AND s.subject_id = t.album_id)
    GROUP BY t.album_id HAVING t.album_id IS NOT NULL
), counted AS (
    SELECT role, priority, count(*) AS subjects FROM family GROUP BY role, priority
), questions AS (
    SELECT f.role, f.priority, l.source, l.question, count(*) FILTER (WHERE l.state = 'ended') AS ended,
        count(*) FILTER (WHERE l.state NOT IN ('ended', 'deferred')) AS open
    FROM family f JOIN lookups l ON l.subject_id = f.subject_id WHERE l.blocking
    GROUP BY f.role, f.priority, l.source, l.question
)
SELECT role, priority, subjects, source, question, coalesce(ended, 0) AS ended, coalesce(open, 0) AS open
FROM counted LEFT JOIN questions USING (role, priority)
"""

_ENDED = text(f"""
WITH recent AS (
    SELECT DISTINCT kind, subject_id FROM (
        SELECT kind, subject_id, state, claimed_at FROM lookups ORDER BY id DESC LIMIT :look
    ) newest WHERE state <> 'ended' OR claimed_at IS NOT NULL  -- who has all answers from a twin has cost nothing
), asked AS (
    SELECT s.kind, s.subject_id, s.priority FROM recent JOIN enrichment_status s USING (kind, subject_id)
    WHERE s.status IN ('completed', 'partial', 'failed')
) {_FAMILY}
""")  # noqa: S608 - constants

_OPEN = text(f"""
WITH asked AS (
    SELECT kind, subject_id, priority FROM enrichment_status WHERE status IN ('pending', 'in_progress')
) {_FAMILY}
""")  # noqa: S608 - constants


def ended(connection: Connection, look: int) -> Sequence[Any]:
    """Of subjects among the newest `look` lookups that have ended: by role (a kind, or `track.performer` and
    `track.album` for what was only asked about on behalf of tracks) and priority, how many subjects there are; by
    source and question, if any, how many lookups have `ended` or are `open`. Pictures are left out: nobody waits for
    them.
    """
    return connection.execute(_ENDED, {"look": look}).all()


def open_(connection: Connection) -> Sequence[Any]:
    """The same of all subjects that are open. It reads every one of them: for people, not for pages."""
    return connection.execute(_OPEN).all()


_TOGETHER = text("""
SELECT l.source, l.question, count(*)::float / count(DISTINCT s.claim_token) AS together
FROM (SELECT lookup_id, claim_token FROM settles ORDER BY id DESC LIMIT :look) s JOIN lookups l ON l.id = s.lookup_id
GROUP BY l.source, l.question
""")


def together(connection: Connection, look: int) -> dict[tuple[str, str], float]:
    """How many lookups have shared a call on average, of the newest settles, by source and question."""
    return {(row.source, row.question): row.together for row in connection.execute(_TOGETHER, {"look": look})}


_SIZE = text("""
SELECT pg_database_size(current_database()) AS bytes,
    (SELECT sum(greatest(reltuples, 0))::bigint FROM pg_class
     WHERE oid IN ('tracks'::regclass, 'performers'::regclass, 'albums'::regclass)) AS subjects
""")


def size(connection: Connection) -> tuple[int, int]:
    """Bytes of the database, and subjects in it as PostgreSQL last counted them."""
    row = connection.execute(_SIZE).one()
    return row.bytes, row.subjects
