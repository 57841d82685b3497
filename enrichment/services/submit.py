"""Submit: a request is accepted when this transaction is committed: subject, status row, lookups from plan()."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from enrichment.domain.findings import PRODUCER, Statement
from enrichment.domain.subjects import WANTED, Kind, clean_value
from enrichment.domain.text import title_key
from enrichment.reservoir import findings, holding, listens, lookups, twins
from enrichment.reservoir import requests as taken_in
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.findings import NewFinding
from enrichment.reservoir.holding import Asking
from enrichment.reservoir.identities import Identity, resolve
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref, Subject
from enrichment.services import milestones
from enrichment.services.counting import Tally
from enrichment.services.fleet import Fleet
from enrichment.services.progress import LIVE_PLAY, Advanced, advance, database_now
from enrichment.services.refill import refill_all
from enrichment.services.replan import replan_critical
from enrichment.services.requests import AlbumRequest, PerformerRequest, Request, TrackRequest, Unknown
from enrichment.tracing import span

CHUNK = 250
"""Requests per transaction of a bulk submit."""
AT_ONCE = 2
"""Transactions of a bulk submit: while the database works on one, this process prepares the next."""


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
    Of more than a chunk of them, those that are not urgent are planned by a steward: docs/decisions/0011.
    """
    is_bulk = len(requests) > CHUNK and within is None
    order = range(len(requests)) if within else _together(requests)
    accepted: dict[int, Accepted] = {}

    def take(start: int) -> None:
        positions = order[start : start + CHUNK]
        chunk = [requests[position] for position in positions]
        known_as = [ids[position] if ids else None for position in positions]
        work = partial(
            _submit,
            fleet,
            requests=chunk,
            ids=known_as,
            batch_id=batch_id,
            start=start,
            within=within,
            plans=not is_bulk or any(map(_is_particular, chunk)),
        )
        followed = (request.correlation_id or id_ for request, id_ in zip(chunk, known_as, strict=True))
        with span("submit", followed, requests=len(chunk)):
            done, advanced, raised = in_transaction(fleet.engine, work)
        accepted.update(zip(positions, done, strict=True))
        fleet.tally.add(advanced.counted.take())
        critical = any(request.priority == rows.CRITICAL for request in chunk)
        refill_all(fleet, raised | advanced.sources, critical=critical)
        if advanced.critical:
            replan_critical(fleet)

    starts = range(0, len(requests), CHUNK)
    if is_bulk:
        with ThreadPoolExecutor(AT_ONCE, "submit") as pool:
            list(pool.map(take, starts))
    else:
        for start in starts:
            take(start)
    return [accepted[position] for position in range(len(requests))]


def _together(requests: Sequence[Request]) -> Sequence[int]:
    """Their positions, each right behind the first that names the same performer and, of these, the same subject: one
    that is named again and again takes one lock and one plan, and transactions do not wait for each other's performers.
    """
    first: dict[tuple[object, ...], int] = {}
    whose = ((each.name, (each.kind, each.title, each.external_id)) for each in map(_identity, requests))
    places = [
        (first.setdefault((name,), at), first.setdefault((name, *what), at)) for at, (name, what) in enumerate(whose)
    ]
    return sorted(range(len(requests)), key=places.__getitem__)


def _submit(
    fleet: Fleet,
    connection: Connection,
    *,
    requests: Sequence[Request],
    ids: Sequence[str | None],
    batch_id: UUID | None,
    start: int,
    within: Within | None,
    plans: bool,
) -> tuple[list[Accepted], Advanced, set[str]]:
    refs, created = resolve(connection, [_identity(request) for request in requests])
    taken = _Taken(_new(connection, refs, requests, ids), created, database_now(connection), batch_id)
    left = _answer(fleet, connection, taken, new=True)
    copied = set(taken.refs).difference(left.refs)
    twins.take_over(connection, [ref.id for ref in created - copied if ref.kind is Kind.TRACK])
    advanced, raised = (_plan if plans else _record)(fleet, connection, left)
    advanced.counted.add(taken.counted.take())
    accepted = [
        Accepted(ref) if ref else Accepted(None, _unknown(request)) for ref, request in zip(refs, requests, strict=True)
    ]
    if within is not None:
        within(connection, start, refs)
    return accepted, advanced, raised


@dataclass(frozen=True, slots=True)
class _Taken:
    """Requests with their subjects. created: the subjects that are new, which nobody else can see yet. counted: for the
    fleet's tally.
    """

    requests: Sequence[tuple[Ref, Request]]
    created: Collection[Ref]
    now: datetime
    batch_id: UUID | None
    counted: Tally = field(default_factory=Tally)

    @property
    def refs(self) -> list[Ref]:
        """Their subjects, once for each request."""
        return [ref for ref, _ in self.requests]

    def wishes(self) -> list[rows.Wish]:
        """One for each subject."""
        joined: dict[Ref, rows.Wish] = {}
        for ref, request in self.requests:
            wish = rows.Wish(
                ref,
                tuple(sorted(WANTED[ref.kind])),
                request.priority,
                self.now if request.force_refresh else None,
                request.correlation_id,
                self.batch_id,
            )
            joined[ref] = joined[ref].joined(wish) if ref in joined else wish
        return list(joined.values())


def _plan(fleet: Fleet, connection: Connection, taken: _Taken) -> tuple[Advanced, set[str]]:
    """Asked for, and answered or planned here and now. Returns the sources whose line has changed, too."""
    subjects = rows.lock(connection, taken.refs)
    taken = _answer(fleet, connection, taken, new=False)
    if not taken.requests:
        return Advanced(frozenset()), set()
    left = set(taken.refs)
    around = {id_ for subject in subjects if subject.ref in left for id_ in subject.family}
    subjects = [subject for subject in subjects if subject.ref.id in around]
    by_ref = {subject.ref: subject for subject in subjects}
    findings.keep(
        connection,
        [
            new
            for ref, request in taken.requests
            for new in (*_facts(ref, request, taken.now), *_picture(ref, by_ref, request, taken.now))
        ],
    )
    raised = _want(connection, taken.wishes())
    forced = {ref for ref, request in taken.requests if request.force_refresh}
    families = [id_ for subject in subjects if subject.ref in forced for id_ in subject.family]
    lookups.force(connection, families, taken.now)
    rows.refresh_standings(connection, subjects)
    return advance(fleet, connection, subjects, left), raised


def _record(fleet: Fleet, connection: Connection, taken: _Taken) -> tuple[Advanced, set[str]]:
    """Asked for, and answered or recorded to be planned by a steward: performers and albums are not locked, nor waited
    for.
    """
    rows.hold(connection, [ref for ref in taken.refs if ref not in taken.created])
    taken = _answer(fleet, connection, taken, new=False)
    findings.keep(connection, [new for ref, request in taken.requests for new in _facts(ref, request, taken.now)])
    wishes = taken.wishes()
    raised = _want(connection, wishes)
    rows.record_replans(connection, {wish.ref: wish.priority for wish in wishes})
    return Advanced(frozenset()), raised


def _answer(fleet: Fleet, connection: Connection, taken: _Taken, *, new: bool) -> _Taken:
    """Ends the requests that a record that holds answers: of new tracks their twins', of the others their own. Returns
    what is left of them.
    """
    facts = _facts_of([(ref, request) for ref, request in taken.requests if (ref in taken.created) is new])
    asking = [Asking(wish, facts[wish.ref]) for wish in taken.wishes() if wish.ref in facts] if facts else []
    answered = (holding.copy if new else holding.answer)(connection, asking, taken.now, fleet.steps.digest)
    milestones.answered(taken.counted, answered)
    listens.follow(connection, {Ref(Kind.TRACK, each.id): each.status for each in answered})
    ended = {each.id for each in answered}
    return replace(taken, requests=[(ref, request) for ref, request in taken.requests if ref.id not in ended])


def _facts_of(requests: Sequence[tuple[Ref, Request]]) -> dict[Ref, dict[str, Any]]:
    """What producers say of each track, by field; without those of which they say two things, or want something else
    than what is known.
    """
    facts: dict[Ref, dict[str, Any]] = {}
    others: set[Ref] = set()
    for ref, request in requests:
        if not isinstance(request, TrackRequest) or _is_particular(request) or request.priority == LIVE_PLAY:
            others.add(ref)
            continue
        told = dict(_told(request))
        if any(facts.get(ref, {}).get(name, value) != value for name, value in told.items()):
            others.add(ref)
        facts[ref] = facts.get(ref, {}) | told
    return {ref: told for ref, told in facts.items() if ref not in others}


def _is_particular(request: Request) -> bool:
    """Must it be planned at once, or does it tell something of its performer or album?"""
    picture = isinstance(request, TrackRequest) and request.temporary_artwork_url
    return request.priority == rows.CRITICAL or request.force_refresh or bool(picture)


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


def _want(connection: Connection, wishes: Sequence[rows.Wish]) -> set[str]:
    """Status rows; asking again joins what is open: the priority rises, a forced moment is set."""
    rows.want(connection, wishes)
    raised: set[str] = set()
    for priority in sorted({wish.priority for wish in wishes}):
        ids = [wish.ref.id for wish in wishes if wish.priority == priority]
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


def _facts(ref: Ref, request: Request, now: datetime) -> Iterable[NewFinding]:
    """What the producer knows already, kept with its source like everything else."""
    if isinstance(request, TrackRequest):
        for field, value in _told(request):
            yield _handed_in(ref, field, value, now)


def _told(request: TrackRequest) -> Iterable[tuple[str, Any]]:
    for given, name in _FACTS.items():
        if (value := clean_value(Kind.TRACK, name, getattr(request, given))) is not None:
            yield name, value


def _picture(ref: Ref, around: Mapping[Ref, Subject], request: Request, now: datetime) -> Iterable[NewFinding]:
    """The picture that came with a track."""
    if isinstance(request, TrackRequest) and (url := request.temporary_artwork_url):
        yield _handed_in(_pictured(around[ref], around, request), "temporary_artwork_url", url, now)


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
