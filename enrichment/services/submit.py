"""Submit: a request is accepted when this transaction is committed: subject, status row, lookups from plan()."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from enrichment.domain.findings import Statement
from enrichment.domain.subjects import WANTED, Kind, clean_value
from enrichment.domain.text import title_key
from enrichment.reservoir import findings, lookups
from enrichment.reservoir import requests as taken_in
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.findings import NewFinding
from enrichment.reservoir.identities import Identity, resolve
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref, Subject
from enrichment.services.fleet import Fleet
from enrichment.services.progress import PRODUCER, Advanced, advance, database_now
from enrichment.services.refill import refill_all
from enrichment.services.replan import replan_critical
from enrichment.services.requests import AlbumRequest, PerformerRequest, Request, TrackRequest, Unknown
from enrichment.tracing import span

CHUNK = 250
"""Requests per transaction of a bulk submit."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A committed request, or why it was not taken."""

    ref: Ref | None
    error: str | None = None


Within = Callable[[Connection, int, Sequence[Ref | None]], None]
"""What belongs to the same transaction: gets the position of its first request, and the subjects, which are locked."""


def submit(fleet: Fleet, request: Request) -> Ref:
    """One request. Raises Unknown for an id that nobody knows, without names."""
    (accepted,) = submit_all(fleet, [request])
    if accepted.ref is None:
        raise Unknown(accepted.error)
    return accepted.ref


def submit_all(
    fleet: Fleet,
    requests: Sequence[Request],
    ids: Sequence[str | None] = (),
    batch_id: UUID | None = None,
    within: Within | None = None,
) -> list[Accepted]:
    """Many requests, each transaction a chunk of them; one that cannot be taken does not hinder the others.

    ids: of the requests, None where one has none. A request whose id was submitted before is accepted and changes
    nothing. batch_id: of the batch they belong to, by which they can be cancelled. within: ends each transaction.
    """
    accepted: dict[int, Accepted] = {}
    order = range(len(requests)) if within else _together(requests)
    for start in range(0, len(requests), CHUNK):
        positions = order[start : start + CHUNK]
        chunk = [requests[position] for position in positions]
        known_as = [ids[position] if ids else None for position in positions]
        work = partial(_submit, fleet, requests=chunk, ids=known_as, batch_id=batch_id, start=start, within=within)
        followed = (request.correlation_id or id_ for request, id_ in zip(chunk, known_as, strict=True))
        with span("submit", followed, requests=len(chunk)):
            done, advanced, raised = in_transaction(fleet.engine, work)
        accepted.update(zip(positions, done, strict=True))
        fleet.tally.add(advanced.counted.take())
        refill_all(fleet, raised | advanced.sources, critical=any(request.priority == 10 for request in chunk))
        if advanced.critical:
            replan_critical(fleet)
    return [accepted[position] for position in range(len(requests))]


def _together(requests: Sequence[Request]) -> Sequence[int]:
    """Their positions, each right behind the first that names the same: what is played again and again is one subject,
    for which a transaction needs one lock and one plan.
    """
    first: dict[tuple[object, ...], int] = {}
    names = ((each.kind, each.name, each.title, each.external_id) for each in map(_identity, requests))
    return sorted(range(len(requests)), key=[first.setdefault(name, at) for at, name in enumerate(names)].__getitem__)


def _submit(
    fleet: Fleet,
    connection: Connection,
    *,
    requests: Sequence[Request],
    ids: Sequence[str | None],
    batch_id: UUID | None,
    start: int,
    within: Within | None,
) -> tuple[list[Accepted], Advanced, set[str]]:
    identities = [_identity(request) for request in requests]
    refs, created = resolve(connection, identities)
    now = database_now(connection)
    taken = _new(connection, refs, requests, ids)
    subjects = rows.lock(connection, [ref for ref, _ in taken])
    by_ref = {subject.ref: subject for subject in subjects}
    findings.keep(connection, [new for ref, request in taken for new in _given(by_ref[ref], by_ref, request, now)])
    findings.take_from_twins(connection, [ref.id for ref in created if ref.kind is Kind.TRACK])
    raised = _want(connection, taken, now, batch_id)
    forced = {ref for ref, request in taken if request.force_refresh}
    lookups.force(connection, [id_ for subject in subjects if subject.ref in forced for id_ in subject.family], now)
    rows.refresh_standings(connection, subjects)
    advanced = advance(fleet, connection, subjects, [ref for ref, _ in taken])
    accepted = [
        Accepted(ref) if ref else Accepted(None, _unknown(request)) for ref, request in zip(refs, requests, strict=True)
    ]
    if within is not None:
        within(connection, start, refs)
    return accepted, advanced, raised


def _new(
    connection: Connection, refs: Sequence[Ref | None], requests: Sequence[Request], ids: Sequence[str | None]
) -> list[tuple[Ref, Request]]:
    """The requests that can be taken, but for those that were taken in before."""
    known = [(ref, request, id_) for ref, request, id_ in zip(refs, requests, ids, strict=True) if ref is not None]
    first = taken_in.take_in(connection, {id_ for _, _, id_ in known if id_ is not None})
    new: list[tuple[Ref, Request]] = []
    for ref, request, id_ in known:
        if id_ is None:
            new.append((ref, request))
        elif id_ in first:
            first.remove(id_)
            new.append((ref, request.model_copy(update={"correlation_id": request.correlation_id or id_})))
    return new


def _want(
    connection: Connection, taken: Sequence[tuple[Ref, Request]], now: datetime, batch_id: UUID | None
) -> set[str]:
    """Status rows; asking again joins what is open: the priority rises, a forced moment is set."""
    wishes: dict[Ref, rows.Wish] = {}
    for ref, request in taken:
        wish = rows.Wish(
            ref,
            tuple(sorted(WANTED[ref.kind])),
            request.priority,
            now if request.force_refresh else None,
            request.correlation_id,
            batch_id,
        )
        wishes[ref] = wish if ref not in wishes else wishes[ref].joined(wish)
    rows.want(connection, list(wishes.values()))
    raised: set[str] = set()
    for priority in sorted({wish.priority for wish in wishes.values()}):
        ids = [ref.id for ref, wish in wishes.items() if wish.priority == priority]
        raised |= lookups.raise_priority(connection, ids, priority)
    return raised


def _identity(request: Request) -> Identity:
    if isinstance(request, TrackRequest):
        return Identity(
            Kind.TRACK,
            request.track_id,
            request.artist_name,
            request.track_title,
            request.album_title,
            request.existing_isrc,
            request.duration_ms,
        )
    if isinstance(request, AlbumRequest):
        return Identity(Kind.ALBUM, request.album_id, request.artist_name, request.album_title)
    if isinstance(request, PerformerRequest):
        return Identity(Kind.PERFORMER, request.performer_id, request.name)
    raise TypeError(f"no such request: {type(request).__name__}")


def _unknown(request: Request) -> str:
    kind = {TrackRequest: "track", AlbumRequest: "album", PerformerRequest: "performer"}[type(request)]
    given = getattr(request, f"{kind}_id")
    if given is None:
        return f"{kind}: neither its id nor its names are given"
    return f"{kind}_id: {given!r} is not known, and without names it cannot be created"


_FACTS = {
    "existing_isrc": "isrc",
    "existing_spotify_id": "spotify_id",
    "existing_musicbrainz_id": "musicbrainz_id",
    "duration_ms": "duration_ms",
    "album_title": "album_title",
}


def _given(subject: Subject, around: Mapping[Ref, Subject], request: Request, now: datetime) -> Iterable[NewFinding]:
    """What the producer knows already, kept with its source like everything else."""
    if not isinstance(request, TrackRequest):
        return
    for name, field in _FACTS.items():
        if (value := clean_value(Kind.TRACK, field, getattr(request, name))) is not None:
            yield _handed_in(subject.ref, field, value, now)
    if url := request.temporary_artwork_url:
        yield _handed_in(_pictured(subject, around, request), "temporary_artwork_url", url, now)


def _handed_in(ref: Ref, field: str, value: Any, now: datetime) -> NewFinding:
    return NewFinding(ref.kind, ref.id, Statement(field, value, 0.9, PRODUCER, now, "handed in with the request"))


def _pictured(track: Subject, around: Mapping[Ref, Subject], request: TrackRequest) -> Ref:
    """What a picture that came with a track shows: the album it names, where that is the track's; else the track."""
    album = around.get(Ref(Kind.ALBUM, track.parents[Kind.ALBUM])) if Kind.ALBUM in track.parents else None
    if album is None or title_key(request.album_title or "") != title_key(album.values["title"]):
        return track.ref
    return album.ref


def by_text(connection: Connection, kind: Kind, text: str) -> Ref | None:
    """The subject of this id, the producer's or ours."""
    (ref,), _ = resolve(connection, [Identity(kind, text)])
    return ref
