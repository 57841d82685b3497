"""Artwork on request: covers are looked for, and the chosen picture of an album or performer is downloaded."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from sqlalchemy import Connection

from enrichment.domain.subjects import Kind
from enrichment.reservoir import artwork as artwork_rows
from enrichment.reservoir import lookups
from enrichment.reservoir import requests as taken_in
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.lookups import NewLookup
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref, Wish
from enrichment.services.fleet import Fleet
from enrichment.services.progress import PICTURE, artwork_priority
from enrichment.services.refill import refill_all
from enrichment.services.requests import BadRequest, Unknown
from enrichment.services.submit import by_text

DEFAULT_PRIORITY = 2
COVER = ("cover_art_url",)


def request_artwork(
    fleet: Fleet,
    album_id: str | None = None,
    performer_id: str | None = None,
    priority: int = DEFAULT_PRIORITY,
    *,
    request_id: str | None = None,
) -> str:
    """Submits the download; twice with one request_id is once. Returns what came of it, in words.

    Raises BadRequest, and Unknown for an unknown id.
    """
    kind, given = (Kind.ALBUM, album_id) if album_id else (Kind.PERFORMER, performer_id)
    if not given or not isinstance(given, str):
        raise BadRequest("album_id or performer_id: neither is given")

    def work(connection: Connection) -> tuple[set[str], str]:
        ref = by_text(connection, kind, given)
        if ref is None:
            raise Unknown(f"{kind}_id: {given!r} is not known")
        if request_id is not None and not taken_in.take_in(connection, [request_id]):
            return set(), f"{kind} {ref.id}: taken in before"
        return _insert(fleet, connection, ref, artwork_priority(priority))

    sources, said = in_transaction(fleet.engine, work)
    refill_all(fleet, sources)
    return said


def _insert(fleet: Fleet, connection: Connection, ref: Ref, priority: int) -> tuple[set[str], str]:
    question, field = PICTURE[ref.kind]
    subject = next(subject for subject in rows.lock(connection, [ref]) if subject.ref == ref)
    url = subject.values.get(field)
    if not url:
        return set(), f"{ref.kind} {ref.id}: no {field} is known yet"
    new = NewLookup("artwork", question, ref.kind, ref.id, priority, {field: url}, blocking=False)
    return lookups.insert(connection, [new], fleet.gather_seconds), f"{ref.kind} {ref.id}: {url} will be fetched"


def want_covers(connection: Connection, albums: Collection[uuid.UUID], priority: int = DEFAULT_PRIORITY) -> None:
    """Covers of these albums are looked for; a steward begins."""
    rows.want(connection, [Wish(Ref(Kind.ALBUM, album), COVER, priority, delay=0.0) for album in albums])


def artwork_backfill(fleet: Fleet, limit: int = 1000, priority: int = DEFAULT_PRIORITY) -> int:
    """Looks for the covers of albums that have none, those first that were never looked for, then the longest ago.

    Returns how many. Those that are on the way, or were looked for within a day, are left out.
    """

    def work(connection: Connection) -> int:
        albums = artwork_rows.without_cover(connection, limit)
        want_covers(connection, albums, priority)
        return len(albums)

    return in_transaction(fleet.engine, work)


def picture(fleet: Fleet, sha256: str, size: str) -> bytes | None:
    """A picture that was downloaded, as JPEG in one of `pictures.SIZES`; None where it is not there."""
    return in_transaction(fleet.engine, lambda connection: artwork_rows.picture(connection, sha256, size))
