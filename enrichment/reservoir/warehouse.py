"""Artists for a warehouse: who is to be enriched, what has come of them, what was ingested, and the reports on it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from enrichment.domain.subjects import Kind
from enrichment.reservoir.backfill import Found
from enrichment.reservoir.documents import document
from enrichment.reservoir.subjects import Ref

STALE_DAYS = 90
NEW_DAYS = 7


@dataclass(frozen=True, slots=True)
class Choice:
    """Which artists: all (force), those that are not in the warehouse and, if so said, those stale there; of these,
    only those that came in the last days (new_days; 0 for whenever).
    """

    force: bool = False
    stale: bool = False
    new_days: int = 0

    @property
    def values(self) -> dict[str, Any]:
        """For the queries."""
        return {"force": self.force, "stale": self.stale, "new_days": self.new_days, "stale_days": STALE_DAYS}


_CHOSEN = """
FROM performers p LEFT JOIN artist_enrichment e ON e.performer_id = p.id
WHERE (:force OR e.artist_id IS NULL
        OR :stale AND e.enriched_at < clock_timestamp() - make_interval(days => :stale_days))
    AND (:new_days = 0 OR p.created_at >= clock_timestamp() - make_interval(days => :new_days))
"""
_NEXT = text(f"""
SELECT DISTINCT p.id, p.name_key IS NULL AS foreign_row {_CHOSEN} AND p.id > :after ORDER BY p.id LIMIT :most
""")
_KEYS = ("spotify_id", "musicbrainz_id", "deezer_id", "discogs_id", "wikidata_id")
_KNOWN = ", ".join(f"CASE WHEN p.{key} IS NOT NULL THEN '{key}' END" for key in _KEYS)
_COUNTED = text(f"""
SELECT array_remove(ARRAY[{_KNOWN}], NULL) AS known, count(DISTINCT p.id) AS artists {_CHOSEN} GROUP BY 1
""")
_FIRST = text(f"""
SELECT DISTINCT p.id, coalesce(p.external_id, p.id::text) AS artist_id, p.name AS artist {_CHOSEN}
ORDER BY p.id LIMIT :most
""")


def chosen(connection: Connection, choice: Choice, after: uuid.UUID, most: int) -> list[Found]:
    """The next of these artists behind this id."""
    rows = connection.execute(_NEXT, choice.values | {"after": after, "most": most})
    return [Found(Ref(Kind.PERFORMER, row.id), row.foreign_row) for row in rows]


def count_chosen(connection: Connection, choice: Choice) -> dict[frozenset[str], int]:
    """How many artists, by the identifiers that are known of them."""
    return {frozenset(row.known): row.artists for row in connection.execute(_COUNTED, choice.values)}


def first_chosen(connection: Connection, choice: Choice, most: int) -> list[dict[str, Any]]:
    """The first of them: `artist_id`, `artist`."""
    rows = connection.execute(_FIRST, choice.values | {"most": most})
    return [{"artist_id": row.artist_id, "artist": row.artist} for row in rows]


_FIRST_OPEN = text("""
SELECT i.position FROM batch_items i JOIN enrichment_status s ON s.kind = i.kind AND s.subject_id = i.subject_id
WHERE i.batch_id = :batch AND i.position >= :position AND s.status IN ('pending', 'in_progress')
ORDER BY i.position LIMIT 1
""")


def first_open(connection: Connection, batch: uuid.UUID, position: int) -> int | None:
    """The first item of a batch, from this position on, that has not ended; None where all have."""
    found: int | None = connection.execute(_FIRST_OPEN, {"batch": batch, "position": position}).scalar_one_or_none()
    return found


_COME = text("""
SELECT i.position, coalesce(p.external_id, p.id::text) AS artist_id, p.name, p.popularity, p.followers, p.image_url,
    p.metadata -> 'genres' AS genres, p.metadata -> 'images' AS images, p.metadata -> 'external_urls' AS external_urls,
    s.status, s.finished_at, s.error_message
FROM batch_items i JOIN performers p ON p.id = i.subject_id
JOIN enrichment_status s ON s.kind = i.kind AND s.subject_id = i.subject_id
WHERE i.batch_id = :batch AND i.position >= :position ORDER BY i.position LIMIT :most
""")


def come_of(connection: Connection, batch: uuid.UUID, position: int, most: int) -> Sequence[Any]:
    """What has come of the artists of a batch, from this position on."""
    return connection.execute(_COME, {"batch": batch, "position": position, "most": most}).all()


# --- ingesting -----------------------------------------------------------------------------------------------------

_COLUMNS = (
    "artist_id, artist_name, genres, popularity, follower_count, images, external_urls, enriched_at"  # of both tables
)
_INGEST = text(f"""
WITH given AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(line int, own_id uuid, artist_id text, artist_name text,
        genres text[], popularity int, follower_count bigint, images jsonb, external_urls jsonb,
        enriched_at timestamptz)
), raw AS (
    INSERT INTO artist_enrichment_raw AS w (file, line, {_COLUMNS}) SELECT :file, line, {_COLUMNS} FROM given
    ON CONFLICT (file, line) DO UPDATE SET artist_id = excluded.artist_id, artist_name = excluded.artist_name,
        genres = excluded.genres, popularity = excluded.popularity, follower_count = excluded.follower_count,
        images = excluded.images, external_urls = excluded.external_urls, enriched_at = excluded.enriched_at,
        loaded_at = clock_timestamp()
), latest AS (
    SELECT DISTINCT ON (artist_id) * FROM given ORDER BY artist_id, enriched_at DESC, line DESC
)
INSERT INTO artist_enrichment AS e ({_COLUMNS}, performer_id)
SELECT {_COLUMNS}, (
    SELECT id FROM (
        SELECT id, 1 AS place FROM performers p WHERE p.external_id = l.artist_id
        UNION ALL SELECT id, 2 FROM performers p WHERE p.id = l.own_id
        UNION ALL SELECT id, 3 FROM performers p WHERE p.spotify_id = l.artist_id
    ) same ORDER BY place, id LIMIT 1
) FROM latest l
ON CONFLICT (artist_id) DO UPDATE SET artist_name = excluded.artist_name, genres = excluded.genres,
    popularity = excluded.popularity, follower_count = excluded.follower_count, images = excluded.images,
    external_urls = excluded.external_urls, enriched_at = excluded.enriched_at, performer_id = excluded.performer_id,
    loaded_at = clock_timestamp()
WHERE e.enriched_at <= excluded.enriched_at
""")  # noqa: S608 - constants


def ingest(connection: Connection, file: str, rows: Sequence[dict[str, Any]]) -> int:
    """Keeps these rows of a file, and the latest of each artist. Returns of how many artists they are the latest."""
    return connection.execute(_INGEST, {"file": file, "rows": document(rows)}).rowcount


def analyze(connection: Connection) -> None:
    """After many new rows the planner knows what it plans with."""
    connection.execute(text("ANALYZE artist_enrichment"))


# --- reports -------------------------------------------------------------------------------------------------------

_COVERAGE = """
SELECT count(*) AS artist_count, count(e.performer_id) AS enriched_artist_count,
    count(*) - count(e.performer_id) AS unenriched_artist_count,
    coalesce(round(100.0 * (count(*) - count(e.performer_id)) / nullif(count(*), 0), 2), 0)::float AS pct_missing
FROM performers p LEFT JOIN (SELECT DISTINCT performer_id FROM artist_enrichment) e ON e.performer_id = p.id
"""
_STALENESS = """
SELECT artist_id, artist_name AS artist, enriched_at,
    floor(extract(epoch FROM clock_timestamp() - enriched_at) / 86400)::int AS days_since_enrichment
FROM artist_enrichment WHERE enriched_at < clock_timestamp() - make_interval(days => :days)
ORDER BY enriched_at, artist_id LIMIT :most
"""
_RUNS = """
SELECT (enriched_at AT TIME ZONE 'UTC')::date AS enrichment_date, count(*) AS artist_count,
    count(*) FILTER (WHERE genres <> '{}') AS artists_with_genres, round(avg(popularity), 2)::float AS avg_popularity,
    round(avg(follower_count), 2)::float AS avg_followers
FROM artist_enrichment WHERE enriched_at >= clock_timestamp() - make_interval(days => :days)
GROUP BY 1 ORDER BY 1 DESC LIMIT :most
"""
_GENRES = """
SELECT genre, count(*) AS artist_count FROM artist_enrichment, unnest(genres) AS genre
GROUP BY genre ORDER BY artist_count DESC, genre LIMIT :most
"""
_ARTISTS = """
SELECT artist_id, artist, listen_count, genres, popularity, followers, imageurllarge, imageurlmedium, imageurlsmall
FROM dim_artists WHERE artist_id IN (
    SELECT artist_id FROM artist_enrichment WHERE {condition}
    ORDER BY follower_count DESC NULLS LAST, artist_id LIMIT :most
) ORDER BY followers DESC NULLS LAST, artist_id
"""
_FAILED = """
SELECT coalesce(p.external_id, p.id::text) AS artist_id, p.name AS artist, s.error_message AS reason, s.is_retriable,
    s.finished_at
FROM enrichment_status s JOIN performers p ON p.id = s.subject_id
WHERE s.kind = 'performer' AND s.status = 'failed' ORDER BY s.requested_at DESC, s.subject_id LIMIT :most
"""
REPORTS = {
    "coverage": text(_COVERAGE),
    "staleness": text(_STALENESS),
    "runs": text(_RUNS),
    "genres": text(_GENRES),
    "genre": text(_ARTISTS.format(condition="genres @> ARRAY[CAST(:genre AS text)]")),
    "images": text(_ARTISTS.format(condition="images <> '[]'")),
    "failed": text(_FAILED),
}


def report(connection: Connection, name: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a report."""
    return [dict(row) for row in connection.execute(REPORTS[name], values).mappings()]
