"""Covers that are missing, and pictures in the sizes in which pages show them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, text

_WITHOUT_COVER = text("""
SELECT a.id FROM albums a LEFT JOIN enrichment_status s ON s.kind = 'album' AND s.subject_id = a.id
WHERE a.cover_art_url IS NULL AND (s.subject_id IS NULL
    OR s.status NOT IN ('pending', 'in_progress') AND s.requested_at < clock_timestamp() - interval '1 day')
ORDER BY s.requested_at NULLS FIRST, a.id LIMIT :most
""")


def without_cover(connection: Connection, most: int) -> list[uuid.UUID]:
    """Albums without cover, those first that were never asked for, then the longest ago; but those that are on the way,
    or were tried within a day.
    """
    return list(connection.execute(_WITHOUT_COVER, {"most": most}).scalars())


@dataclass(frozen=True, slots=True)
class Sized:
    """A picture, known by the SHA-256 of what was downloaded, in one size."""

    sha256: str
    size: str
    jpeg: bytes


_KEEP = text("""
INSERT INTO pictures (sha256, size, jpeg) VALUES (:sha256, :size, :jpeg) ON CONFLICT (sha256, size) DO NOTHING
""")


def keep(connection: Connection, pictures: Iterable[Sized]) -> None:
    """Those that are not there already."""
    # In one order, or two settles of one picture could wait for each other.
    if rows := [asdict(each) for each in sorted(pictures, key=lambda each: (each.sha256, each.size))]:
        connection.execute(_KEEP, rows)


_JPEG = text("SELECT jpeg FROM pictures WHERE sha256 = :sha256 AND size = :size")


def picture(connection: Connection, sha256: str, size: str) -> bytes | None:
    """A picture in this size, as JPEG."""
    found = connection.execute(_JPEG, {"sha256": sha256, "size": size}).scalar_one_or_none()
    return bytes(found) if found is not None else None
