"""Listens, and the covers that people have chosen."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from enrichment.domain.subjects import Status
from enrichment.reservoir.documents import document
from enrichment.reservoir.subjects import Ref

Play = tuple[datetime, str, str]
"""When, artist and track: what makes two of a user's listens one."""


@dataclass(frozen=True, slots=True)
class NewListen:
    """A listen to be kept, with the track and the album that it names."""

    id: uuid.UUID
    user_id: str
    listened_at: datetime
    artist_name: str
    track_name: str
    album_name: str | None
    track: uuid.UUID
    album: uuid.UUID | None
    temporary_artwork_url: str | None
    origin: str
    live: bool


_KNOWN = text("""
SELECT l.id, l.listened_at, l.artist_name, l.track_name
FROM jsonb_to_recordset(CAST(:plays AS jsonb)) AS r(listened_at timestamptz, artist_name text, track_name text)
JOIN listens l ON l.user_id = :user AND l.listened_at = r.listened_at AND l.artist_name = r.artist_name
    AND l.track_name = r.track_name
""")


def known(connection: Connection, user: str, plays: Collection[Play]) -> dict[Play, uuid.UUID]:
    """The listens of those of a user's plays that are there already."""
    given = [
        {"listened_at": moment.isoformat(), "artist_name": artist, "track_name": track}
        for moment, artist, track in plays
    ]
    found = connection.execute(_KNOWN, {"user": user, "plays": document(given)})
    return {(row.listened_at, row.artist_name, row.track_name): row.id for row in found}


# The tracks are locked, so that none of them ends between our look at its status and our commit.
_ADD = text("""
INSERT INTO listens (id, user_id, listened_at, artist_name, track_name, album_name, track_id, performer_id, album_id,
    temporary_artwork_url, preferred_artwork_url, metadata_status, origin, live)
SELECT r.id, r.user_id, r.listened_at, r.artist_name, r.track_name, r.album_name, t.id, t.performer_id,
    coalesce(r.album, t.album_id), r.temporary_artwork_url, p.preferred_artwork_url, coalesce(s.status, 'pending'),
    r.origin, r.live
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, user_id text, listened_at timestamptz, artist_name text,
    track_name text, album_name text, track uuid, album uuid, temporary_artwork_url text, origin text, live bool)
JOIN tracks t ON t.id = r.track
LEFT JOIN enrichment_status s ON s.kind = 'track' AND s.subject_id = t.id
LEFT JOIN user_artwork_preferences p ON p.user_id = r.user_id AND lower(p.artist_name) = lower(r.artist_name)
    AND lower(p.album_name) = lower(r.album_name)
ORDER BY r.listened_at
ON CONFLICT (user_id, listened_at, artist_name, track_name) DO NOTHING RETURNING id
""")


def add(connection: Connection, listens: Sequence[NewListen]) -> set[uuid.UUID]:
    """Keeps them, with the covers their users have chosen. Returns those that are new. Their tracks must be locked."""
    rows = [
        {
            "id": str(each.id),
            "user_id": each.user_id,
            "listened_at": each.listened_at.isoformat(),
            "artist_name": each.artist_name,
            "track_name": each.track_name,
            "album_name": each.album_name,
            "track": str(each.track),
            "album": str(each.album) if each.album else None,
            "temporary_artwork_url": each.temporary_artwork_url,
            "origin": each.origin,
            "live": each.live,
        }
        for each in listens
    ]
    return set(connection.execute(_ADD, {"rows": document(rows)}).scalars()) if rows else set()


_UNLINKED = text("""
SELECT id, user_id, listened_at, artist_name, track_name, album_name, track_id, temporary_artwork_url FROM listens
WHERE id = ANY(:ids) ORDER BY lower(artist_name), lower(track_name), id
""")


def of_ids(connection: Connection, ids: Collection[uuid.UUID]) -> Sequence[Any]:
    """These listens, grouped by artist."""
    return connection.execute(_UNLINKED, {"ids": list(ids)}).all()


_LINK = text("""
UPDATE listens l SET track_id = t.id, performer_id = t.performer_id, album_id = coalesce(r.album, t.album_id),
    metadata_status = coalesce(s.status, l.metadata_status)
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, track uuid, album uuid)
JOIN tracks t ON t.id = r.track
LEFT JOIN enrichment_status s ON s.kind = 'track' AND s.subject_id = t.id
WHERE l.id = r.id
""")


def link(connection: Connection, links: Mapping[uuid.UUID, tuple[uuid.UUID, uuid.UUID | None]]) -> None:
    """These listens are of this track, and of this album if they name one. The tracks must be locked."""
    rows = [
        {"id": str(listen), "track": str(track), "album": str(album) if album else None}
        for listen, (track, album) in links.items()
    ]
    if rows:
        connection.execute(_LINK, {"rows": document(rows)})


_FOLLOW = text("""
UPDATE listens l SET metadata_status = r.status
FROM unnest(CAST(:tracks AS uuid[]), CAST(:statuses AS text[])) AS r(track, status)
WHERE l.track_id = r.track AND l.metadata_status IN ('pending', 'in_progress') AND l.metadata_status <> r.status
""")


def follow(connection: Connection, statuses: Mapping[Ref, Status]) -> None:
    """Open listens of these tracks (locked) stand as their tracks do."""
    if statuses:
        values = {"tracks": [ref.id for ref in statuses], "statuses": list(statuses.values())}
        connection.execute(_FOLLOW, values)


# Covers of albums that a listen names although its track is known on another one, or has a picture of its own: no
# question about the track would bring them.
_COVERLESS = text("""
SELECT DISTINCT a.id FROM listens l JOIN albums a ON a.id = l.album_id JOIN tracks t ON t.id = l.track_id
WHERE l.id = ANY(:ids) AND a.cover_art_url IS NULL AND (t.album_id IS DISTINCT FROM a.id OR t.artwork_url IS NOT NULL)
""")


def coverless(connection: Connection, ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """Albums of these listens whose covers somebody has to look for on their own account."""
    return list(connection.execute(_COVERLESS, {"ids": list(ids)}).scalars()) if ids else []


_LISTEN = """
SELECT l.id, l.user_id, l.listened_at, l.artist_name, l.track_name, l.album_name, l.track_id, l.performer_id,
    l.album_id, l.metadata_status, l.origin, l.live, l.temporary_artwork_url, l.preferred_artwork_url,
    coalesce(l.preferred_artwork_url, a.cover_art_url, t.artwork_url, l.temporary_artwork_url, a.temporary_artwork_url,
        t.temporary_artwork_url) AS artwork_url,
    CASE WHEN l.preferred_artwork_url IS NULL THEN a.metadata -> 'artwork' END AS artwork
FROM listens l LEFT JOIN tracks t ON t.id = l.track_id LEFT JOIN albums a ON a.id = l.album_id
"""
_ONE = text(f"{_LISTEN} WHERE l.id = :id AND (CAST(:user AS text) IS NULL OR l.user_id = :user)")
_PAGE = text(f"""{_LISTEN}
WHERE l.user_id = :user AND l.listened_at < coalesce(CAST(:before AS timestamptz), 'infinity')
ORDER BY l.listened_at DESC, l.id LIMIT :most
""")


def one(connection: Connection, listen: uuid.UUID, user: str | None) -> Any | None:
    """A listen with the picture to be shown, of this user or of any; None where there is none."""
    return connection.execute(_ONE, {"id": listen, "user": user}).one_or_none()


def page(connection: Connection, user: str, before: datetime | None, most: int) -> Sequence[Any]:
    """A user's listens before a moment, the newest first."""
    return connection.execute(_PAGE, {"user": user, "before": before, "most": most}).all()


_PREFER = text("""
INSERT INTO user_artwork_preferences (user_id, artist_name, album_name, preferred_artwork_url)
VALUES (:user, :artist, :album, :url)
ON CONFLICT (user_id, lower(artist_name), lower(album_name)) DO UPDATE
SET preferred_artwork_url = excluded.preferred_artwork_url, chosen_at = clock_timestamp()
""")

_APPLY = text("""
UPDATE listens SET preferred_artwork_url = :url
WHERE user_id = :user AND lower(artist_name) = lower(:artist) AND lower(album_name) = lower(:album)
    AND album_name IS NOT NULL
""")


def prefer(connection: Connection, user: str, artist: str, album: str, url: str) -> int:
    """The user's cover for this album, now and later. Returns how many listens show it now."""
    values = {"user": user, "artist": artist, "album": album, "url": url}
    connection.execute(_PREFER, values)
    return connection.execute(_APPLY, values).rowcount


_LAST = text("SELECT max(listened_at) FROM listens WHERE user_id = :user AND origin = :origin")


def last(connection: Connection, user: str, origin: str) -> datetime | None:
    """When the newest listen was that came from there."""
    found: datetime | None = connection.execute(_LAST, {"user": user, "origin": origin}).scalar_one()
    return found


# A statement's moment is that of the call; what it said could be seen when its lookup was settled.
_FIRST_ARTWORK = text("""
SELECT CASE WHEN p.at < l.created_at THEN 0 ELSE extract(epoch FROM p.at - l.created_at)::float END AS seconds
FROM listens l LEFT JOIN LATERAL (
    SELECT min(coalesce(k.settled_at, f.stated_at)) AS at
    FROM findings f LEFT JOIN lookups k ON k.id = f.lookup_id
    WHERE f.subject_id IN (l.track_id, l.album_id) AND f.value <> 'null'
        AND f.field IN ('artwork_url', 'cover_art_url')
) p ON true
WHERE l.live AND l.created_at >= clock_timestamp() - make_interval(secs => :seconds)
    AND l.created_at < clock_timestamp() - make_interval(secs => :settled)
ORDER BY l.created_at DESC LIMIT :most
""")


def first_artwork(connection: Connection, seconds: float, settled: float, most: int) -> list[float | None]:
    """Of the live plays of the last `seconds`, but those of the last `settled`: how long after a play came a cover of
    it was known, 0 where one was known before, None where none is. The newest first.
    """
    values = {"seconds": seconds, "settled": settled, "most": most}
    return list(connection.execute(_FIRST_ARTWORK, values).scalars())
