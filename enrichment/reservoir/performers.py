"""Performers that Resident Advisor knows: what they still need, and asking for many of them at once."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from enrichment.domain.subjects import WANTED, Kind
from enrichment.reservoir.subjects import ASKED_AGAIN, RA_FACTS

NO_IMAGE, NO_URL, THE_REST = (1, 11), (2, 12), (3,)
"""Values of performers.ra_need. Those above 10 are enriched, and still lack something."""
ANY_NEED = (*NO_IMAGE, *NO_URL, *THE_REST)
LOOK = 5_000
"""Of the queue, how many more than are asked for."""


@dataclass(frozen=True, slots=True)
class Performer:
    """A performer as imports see it. performer_id: its producer's, else ours. id: ours."""

    id: uuid.UUID
    performer_id: str
    name: str
    image_url: str | None
    ra_artist_id: str | None
    ra_artist_url: str | None
    country: str | None
    country_code: str | None
    enriched_at: datetime | None

    @property
    def facts(self) -> dict[str, Any]:
        """What imports bring, by field."""
        return {name: getattr(self, name) for name in (*RA_FACTS, "image_url")}


# Other programs may have written these facts into the metadata alone.
_READ = """
SELECT id, coalesce(external_id, id::text), name, coalesce(image_url, metadata ->> 'image_url'),
    coalesce(ra_artist_id, metadata ->> 'ra_artist_id'), coalesce(ra_artist_url, metadata ->> 'ra_artist_url'),
    coalesce(country, metadata ->> 'country'), coalesce(country_code, metadata ->> 'country_code'),
    coalesce(enriched_at, CASE WHEN metadata ->> 'enriched_at' ~ '^\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d'
                               THEN CAST(metadata ->> 'enriched_at' AS timestamptz) END)
FROM performers
"""
_ONE = text(_READ + " WHERE id = :id")
_NEEDING = text(_READ + " WHERE ra_need = ANY(:needs) ORDER BY ra_need, enriched_at, id LIMIT :most")


def one(connection: Connection, id_: uuid.UUID) -> Performer:
    """The performer of our id, which must be known."""
    return Performer(*connection.execute(_ONE, {"id": id_}).one())


def needing(connection: Connection, needs: Sequence[int], most: int) -> list[Performer]:
    """Those that have one of these needs: never enriched before enriched, then by need, the longest ago first."""
    return [Performer(*row) for row in connection.execute(_NEEDING, {"needs": list(needs), "most": most})]


_COUNTS = text("SELECT ra_need, count(*) AS rows FROM performers WHERE ra_need IS NOT NULL GROUP BY ra_need")


def counts(connection: Connection) -> dict[int, int]:
    """Performers by need."""
    return {row.ra_need: row.rows for row in connection.execute(_COUNTS)}


# Those on their way, or tried today, come last: to ask for them again only joins what is open. Of a long queue no more
# than its head is looked at.
_ASK = text(f"""
WITH head AS MATERIALIZED (
    SELECT id, row_number() OVER (ORDER BY ra_need, enriched_at, id) AS place FROM performers
    WHERE ra_need = ANY(:needs) ORDER BY ra_need, enriched_at, id LIMIT :look
), wanted AS (
    SELECT h.id, row_number() OVER (ORDER BY s.subject_id IS NOT NULL, h.place) - 1 AS place
    FROM head h LEFT JOIN enrichment_status s ON s.kind = 'performer' AND s.subject_id = h.id
        AND (s.status IN ('pending', 'in_progress') OR s.finished_at > clock_timestamp() - interval '1 day')
    ORDER BY place LIMIT :most
)
INSERT INTO enrichment_status AS s (kind, subject_id, wanted, priority, due_at)
SELECT 'performer', id, :fields, :priority, clock_timestamp() + make_interval(secs => place * :apart)
FROM wanted ORDER BY id
{ASKED_AGAIN}
""")  # noqa: S608 - constants

_ASK_ALL = text(f"""
WITH wanted AS MATERIALIZED (
    SELECT id FROM performers WHERE ra_need = ANY(:needs) AND id > :after ORDER BY id LIMIT :most
), asked AS (
    INSERT INTO enrichment_status AS s (kind, subject_id, wanted, priority, due_at)
    SELECT 'performer', id, :fields, :priority, clock_timestamp() FROM wanted ORDER BY id
    {ASKED_AGAIN}
)
SELECT count(*) AS rows, max(id::text)::uuid AS last FROM wanted
""")  # noqa: S608 - constants

NOBODY = uuid.UUID(int=0)


def ask(connection: Connection, needs: Collection[int], most: int, priority: int, seconds_apart: float = 0) -> int:
    """Asks for performers of these needs, those of the first need first; the i-th (from 0) begins no earlier than
    i × seconds_apart from now. Returns how many.
    """
    values = {**_asking(needs, priority), "most": most, "look": most + LOOK, "apart": seconds_apart}
    return connection.execute(_ASK, values).rowcount


def ask_all(
    connection: Connection, needs: Collection[int], most: int, priority: int, after: uuid.UUID
) -> tuple[int, uuid.UUID]:
    """Asks for a chunk of all performers of these needs, those behind this id. Returns how many, and the last id."""
    values = {**_asking(needs, priority), "most": most, "after": after}
    row = connection.execute(_ASK_ALL, values).one()
    return row.rows, row.last or after


def _asking(needs: Collection[int], priority: int) -> dict[str, Any]:
    return {"needs": list(needs), "fields": sorted(WANTED[Kind.PERFORMER]), "priority": priority}


_RESET = text("UPDATE performers SET enriched_at = NULL, metadata = metadata - 'enriched_at' WHERE id = :id")
_FORGET = text("""
DELETE FROM enrichment_status WHERE kind = 'performer' AND subject_id = :id
AND status NOT IN ('pending', 'in_progress')
""")


def reset(connection: Connection, id_: uuid.UUID) -> None:
    """As if nobody had ever looked for it; what is known stays, and so does a request that is open."""
    connection.execute(_RESET, {"id": id_})
    connection.execute(_FORGET, {"id": id_})
