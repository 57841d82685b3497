"""Backfills: subjects that nobody has asked for, that have failed, or that have grown old, a chunk at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from enrichment.domain.findings import PRODUCER, Statement
from enrichment.domain.freshness import LONGEST_RECHECK_DAYS, REFRESH_SHARE, recheck_days
from enrichment.domain.outcomes import Outcome
from enrichment.domain.subjects import FIELDS, WANTED, Kind
from enrichment.domain.text import main_artist
from enrichment.reservoir import backfill as rows
from enrichment.reservoir import findings, twins
from enrichment.reservoir import subjects as subject_rows
from enrichment.reservoir.backfill import MANY, NOBODY, Found, Keyed, Lacking, Named, Rule
from enrichment.reservoir.findings import NewFinding
from enrichment.reservoir.identities import Identity, resolve
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref, Wish
from enrichment.services.fleet import Fleet
from enrichment.services.jobs import BEGINNING, Cursor, Job, Step, count
from enrichment.services.progress import database_now

T = TypeVar("T")

PRIORITY, POPULAR_PRIORITY, REFRESH_PRIORITY = 2, 3, 1
"""All in low_priority."""
PER_RUN = 50_000
"""Subjects of each kind that a run asks for; the next run goes on."""
MOST_PLAYED = 10_000
REFRESHED_PER_RUN = 50_000
LOOK, CHUNK = 2_000, 500
"""Of one transaction: rows that are looked at, and subjects that are asked for."""
OLD_CHUNK = 2_500
"""Answers that have grown old; more than one call can settle at a moment."""
DAY_SECONDS = 86_400.0

_IDENTIFIERS = frozenset(
    {
        *("spotify_id", "musicbrainz_id", "deezer_id", "discogs_id", "wikidata_id", "ra_artist_id", "ra_artist_url"),
        *("isrc", "barcode", "musicbrainz_release_id", "musicbrainz_release_group_id", "duration_ms", "album_title"),
    }
)
"""Fields by which sources are asked."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a backfill walks along: subjects of these kinds that lack something."""

    kinds: tuple[Kind, ...]
    lacking: Lacking


TARGETS: Mapping[str, Target] = {
    "tracks": Target((Kind.TRACK,), "enrichment"),
    "performers": Target((Kind.PERFORMER,), "enrichment"),
    "albums": Target((Kind.ALBUM,), "enrichment"),
    "artwork": Target((Kind.ALBUM, Kind.PERFORMER), "picture"),
}
"""By the name on the command line."""
EVERYTHING = Target((Kind.TRACK, Kind.PERFORMER, Kind.ALBUM), "enrichment")


def asking(target: Target, most: int = PER_RUN, priority: int = PRIORITY) -> Job:
    """Asks for what lacks it, at most so many of each kind. counts: by kind."""

    def step(fleet: Fleet, cursor: Cursor) -> Step:
        kind = target.kinds[cursor.get("place", 0)]
        left = most - cursor.get("counts", {}).get(kind, 0)
        after = UUID(cursor.pop("after")) if "after" in cursor else NOBODY

        def work(connection: Connection) -> tuple[int, UUID | None]:
            found, last = rows.unasked(connection, kind, target.lacking, after=after, look=LOOK, most=min(CHUNK, left))
            ask(connection, found, priority)
            return len(found), last

        asked, last = in_transaction(fleet.engine, work)
        count(cursor, kind, asked)
        if last is None or asked == left:
            cursor["place"] = cursor.get("place", 0) + 1
        else:
            cursor["after"] = str(last)
        return Step.DONE if cursor.get("place") == len(target.kinds) else Step.MORE

    return step


def ask(connection: Connection, found: Sequence[Found], priority: int) -> None:
    """Asks for all there is to know of these subjects."""
    want(connection, found, [Wish(each.ref, tuple(sorted(WANTED[each.ref.kind])), priority) for each in found])


def want(connection: Connection, found: Sequence[Found], wishes: Sequence[Wish]) -> None:
    """These wishes, one for each subject found, are planned by a steward. Rows of other programs become like ours."""
    for kind in Kind:
        if foreign := [each.ref for each in found if each.foreign and each.ref.kind is kind]:
            _adopt(connection, kind, foreign)
    subject_rows.want(connection, wishes)
    subject_rows.record_replans(connection, {wish.ref: wish.priority for wish in wishes})


def preview(fleet: Fleet, target: Target, most: int = 10) -> dict[str, Any]:
    """What a backfill would ask for, without asking: `counts` by kind, and the `first` of each kind: `kind`, `id`,
    `artist` and, of tracks and albums, `title`.
    """

    def work(connection: Connection) -> dict[str, Any]:
        counts = {str(kind): rows.count_unasked(connection, kind, target.lacking) for kind in target.kinds}
        return {"counts": counts, "first": [each for kind in target.kinds for each in first(connection, kind)]}

    def first(connection: Connection, kind: Kind) -> list[dict[str, Any]]:
        found = rows.first_unasked(connection, kind, target.lacking, most)
        named = rows.names(connection, kind, [ref.id for ref in found])
        return [{"kind": kind, "id": each.id} | each.shown() for each in named]

    return in_transaction(fleet.engine, work)


# --- rows of other programs ----------------------------------------------------------------------------------------


def _adopt(connection: Connection, kind: Kind, refs: Sequence[Ref]) -> None:
    """Rows that another program has inserted get keys and parents; the identifiers they brought are kept as findings,
    since a merge forgets what nobody has stated.
    """
    named = rows.names(connection, kind, [ref.id for ref in refs])
    parents = {each.id: _parents(kind, each) for each in named}
    identities = list(dict.fromkeys(identity for both in parents.values() for identity in both.values()))
    resolved, _ = resolve(connection, identities)
    ids = {identity: str(ref.id) for identity, ref in zip(identities, resolved, strict=True) if ref is not None}
    subjects = subject_rows.lock(connection, refs)
    own = set(refs)
    stated = findings.of(connection, [ref.id for ref in refs])
    now = database_now(connection)
    brought = [s for s in subjects if s.ref in own and not stated[s.ref.id]]
    findings.keep(connection, [new for subject in brought for new in _brought(subject, now)])
    rows.adopt(connection, kind, [_keyed(kind, each, parents[each.id], ids) for each in named])
    if kind is Kind.TRACK:
        twins.take_over(connection, [subject.ref.id for subject in brought])


def _parents(kind: Kind, each: Named) -> dict[Kind, Identity]:
    if kind is Kind.PERFORMER:
        return {}
    parents = {Kind.PERFORMER: Identity(Kind.PERFORMER, name=main_artist(each.artist) or each.artist)}
    if each.album:
        parents[Kind.ALBUM] = Identity(Kind.ALBUM, name=each.artist, title=each.album)
    return {parent: identity for parent, identity in parents.items() if identity.is_named}


def _keyed(kind: Kind, each: Named, parents: Mapping[Kind, Identity], ids: Mapping[Identity, str]) -> Keyed:
    own = Identity(kind, name=each.artist, title=each.title)
    above = {parent: ids.get(identity) for parent, identity in parents.items()}
    return Keyed(str(each.id), own.artist_key, own.title_key, above.get(Kind.PERFORMER), above.get(Kind.ALBUM))


def _brought(subject: subject_rows.Subject, now: datetime) -> list[NewFinding]:
    kind = subject.ref.kind
    known = subject.values.keys() & _IDENTIFIERS & FIELDS[kind].keys()
    return [
        NewFinding(kind, subject.ref.id, Statement(name, subject.values[name], 0.9, PRODUCER, now, "was in the row"))
        for name in sorted(known)
    ]


# --- the most played -----------------------------------------------------------------------------------------------


def popular_tracks(fleet: Fleet, cursor: Cursor) -> Step:
    """The most played tracks: those that nobody has asked for are, the others are refreshed as far as they need it.

    counts: `asked`, `refreshed`.
    """
    new, others = in_transaction(fleet.engine, partial(rows.most_played, most=MOST_PLAYED))
    for found in _in_chunks(new):
        in_transaction(fleet.engine, partial(ask, found=found, priority=POPULAR_PRIORITY))
    count(cursor, "asked", len(new))
    for refs in _in_chunks(others):
        work = partial(rows.refresh, ids=[ref.id for ref in refs], priority=POPULAR_PRIORITY)
        count(cursor, "refreshed", in_transaction(fleet.engine, work))
    return Step.DONE


def _in_chunks(many: Sequence[T]) -> Iterator[Sequence[T]]:
    return (many[start : start + CHUNK] for start in range(0, len(many), CHUNK))


# --- what has grown old --------------------------------------------------------------------------------------------


def recheck(fleet: Fleet, cursor: Cursor) -> Step:
    """Sources that knew nothing are asked again, after 1 day doubling to 32. counts: `refreshed` subjects."""
    sources = list(fleet.sources)
    levels = range(1, LONGEST_RECHECK_DAYS.bit_length() + 1)
    rules = [Rule(sources, recheck_days(misses) * DAY_SECONDS, misses, misses) for misses in levels]
    rules[0], rules[-1] = replace(rules[0], lowest=0), replace(rules[-1], highest=MANY)
    return _refresh_old(fleet, cursor, Outcome.NOTHING_FOUND, rules)


def refresh(fleet: Fleet, cursor: Cursor) -> Step:
    """What a source has told is asked for again before it goes stale. counts: `refreshed` subjects."""
    by_days: dict[float, list[str]] = defaultdict(list)
    for name, source in fleet.sources.items():
        by_days[source.freshness.days].append(name)
    rules = [Rule(sources, days * REFRESH_SHARE * DAY_SECONDS) for days, sources in by_days.items()]
    return _refresh_old(fleet, cursor, Outcome.FOUND, rules)


def _refresh_old(fleet: Fleet, cursor: Cursor, outcome: Outcome, rules: Sequence[Rule]) -> Step:
    """Once an answer is old its subject is planned again: plan() knows what is worth asking. Goes from where the last
    run has come to up to the moment at which this one began.
    """

    def work(connection: Connection) -> tuple[int, datetime]:
        since = datetime.fromisoformat(cursor["since"]) if "since" in cursor else BEGINNING
        ids, last = rows.grown_old(connection, outcome, rules, since=since, until=until, most=OLD_CHUNK)
        return rows.refresh(connection, ids, REFRESH_PRIORITY), last

    until = datetime.fromisoformat(cursor.setdefault("until", in_transaction(fleet.engine, database_now).isoformat()))
    refreshed, last = in_transaction(fleet.engine, work)
    count(cursor, "refreshed", refreshed)
    cursor["since"] = last.isoformat()
    return Step.DONE if last == until or cursor["counts"]["refreshed"] >= REFRESHED_PER_RUN else Step.MORE
