"""What tells performers of one name apart, as far as the fleet knows it: their titles, labels, and company on bills."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, text

MOST = 200
"""Tracks, albums and events of a performer that are looked at, of each."""

_OF = text("""
SELECT p.id,
    ARRAY(SELECT title FROM tracks WHERE performer_id = p.id LIMIT :most)
        || ARRAY(SELECT title FROM albums WHERE performer_id = p.id LIMIT :most) AS titles,
    ARRAY(SELECT DISTINCT label FROM (
        (SELECT label FROM tracks WHERE performer_id = p.id LIMIT :most)
        UNION ALL (SELECT label FROM albums WHERE performer_id = p.id LIMIT :most)
    ) released WHERE label IS NOT NULL ORDER BY label) AS labels,
    ARRAY(SELECT DISTINCT other.name
        FROM (SELECT event_id FROM event_performers WHERE performer_id = p.id LIMIT :most) own
        JOIN event_performers billed ON billed.event_id = own.event_id AND billed.performer_id <> p.id
        JOIN performers other ON other.id = billed.performer_id ORDER BY other.name LIMIT :most) AS companions
FROM performers p WHERE p.id = ANY(:ids)
""")


def of(connection: Connection, performers: Collection[uuid.UUID]) -> dict[uuid.UUID, Mapping[str, Any]]:
    """`titles`, `labels` and `companions` of these performers."""
    rows = connection.execute(_OF, {"ids": list(performers), "most": MOST}).mappings()
    return {row["id"]: {name: row[name] for name in ("titles", "labels", "companions")} for row in rows}
