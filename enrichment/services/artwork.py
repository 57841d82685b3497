"""Artwork on request: the chosen picture of an album or a performer is downloaded and checked."""

from __future__ import annotations

from sqlalchemy import Connection

from enrichment.domain.subjects import Kind
from enrichment.reservoir import lookups
from enrichment.reservoir import requests as taken_in
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.lookups import NewLookup
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref
from enrichment.services.fleet import Fleet
from enrichment.services.progress import PICTURE, artwork_priority
from enrichment.services.refill import refill_all
from enrichment.services.requests import BadRequest, Unknown
from enrichment.services.submit import by_text

DEFAULT_PRIORITY = 2


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
