"""Twins: rows of the same recording, by the same names, or by the same identifier and the same title.

They have what they know from each other, so that a few of many tell as much as all.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection

from sqlalchemy import Connection, text

ANSWERS = """
INSERT INTO lookups (source, question, kind, subject_id, state, priority, keys, outcome, misses, settled_at)
SELECT DISTINCT ON (t.subject_id, l.source, l.question) l.source, l.question, 'track', t.subject_id, 'ended',
    l.priority, l.keys, l.outcome, l.misses, l.settled_at
FROM twins t JOIN lookups l ON l.subject_id = t.twin_id AND l.state = 'ended' AND l.blocking
    AND l.outcome IN ('found', 'nothing_found')
ORDER BY t.subject_id, l.source, l.question, l.settled_at DESC
"""
"""What has been asked about a twin (`twins.twin_id`) counts as asked about the new track (`twins.subject_id`), with the
same keys: nobody has claimed it.
"""

_TAKE_OVER = text(f"""
WITH twins AS MATERIALIZED (
    SELECT new.id AS subject_id, twin.* FROM tracks new CROSS JOIN LATERAL (
        SELECT id AS twin_id, album_id, enriched_at FROM tracks twin
        WHERE twin.id <> new.id AND twin.title_key = new.title_key
            AND (twin.artist_key = new.artist_key OR twin.isrc = new.isrc OR twin.musicbrainz_id = new.musicbrainz_id)
            AND (twin.isrc IS NULL OR new.isrc IS NULL OR twin.isrc = new.isrc)
            AND (twin.duration_ms IS NULL OR new.duration_ms IS NULL OR abs(twin.duration_ms - new.duration_ms) <= 5000)
        ORDER BY enriched_at DESC NULLS LAST, id LIMIT 3
    ) twin WHERE new.id = ANY(:subjects)
), answers AS ({ANSWERS}), albums AS (
    UPDATE tracks new SET album_id = met.album_id FROM (
        SELECT DISTINCT ON (subject_id) subject_id, album_id FROM twins t WHERE album_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM findings f WHERE f.subject_id = t.twin_id AND f.source = 'producer' AND f.field = 'album_title')
        ORDER BY subject_id, enriched_at DESC NULLS LAST, twin_id
    ) met WHERE new.id = met.subject_id AND new.album_id IS NULL
)
INSERT INTO findings (kind, subject_id, field, source, value, confidence, reason, stated_at, lookup_id)
SELECT DISTINCT ON (t.subject_id, f.field, f.source) 'track', t.subject_id, f.field, f.source, f.value, f.confidence,
    f.reason, f.stated_at, f.lookup_id
FROM twins t JOIN findings f ON f.subject_id = t.twin_id AND f.source <> 'producer' AND NOT f.locked
    AND f.value <> 'null'
ORDER BY t.subject_id, f.field, f.source, f.stated_at DESC
ON CONFLICT (subject_id, field, source) DO NOTHING
""")  # noqa: S608 - a constant


def take_over(connection: Connection, tracks: Collection[uuid.UUID]) -> int:
    """New tracks take over findings, answers and albums of their twins. Returns how many findings.

    The twin's album is the new track's where replies have named it; what a producer has named is that producer's word.
    """
    return connection.execute(_TAKE_OVER, {"subjects": list(tracks)}).rowcount if tracks else 0
