"""How far a subject has come, where it stands in line, and when it will be done."""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import redis
from sqlalchemy import Connection

from enrichment.domain.subjects import Kind, Status
from enrichment.reservoir import outlook as rows
from enrichment.reservoir.pool import at_once
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref
from enrichment.services.fleet import Fleet
from enrichment.wire.limiter import SourceNow

ENDED = frozenset({Status.COMPLETED, Status.PARTIAL, Status.FAILED})
OPEN = frozenset({Status.PENDING, Status.IN_PROGRESS})
COUNTED = 250
"""Of more lookups of one priority ahead the place is estimated: counting a long line takes longer than it is worth."""
LINES_SECONDS, LINES_SHARE = 2.0, 0.05
"""How old the lengths of all lines may be, and the most of one thread's time that reading them may take."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A subject at one moment, as far as those who wait for it care."""

    status: Status
    completeness: float
    sources: int

    @property
    def has_ended(self) -> bool:
        """Does nobody have to wait any more?"""
        return self.status in ENDED


def look(fleet: Fleet, refs: Collection[Ref]) -> dict[Ref, Seen]:
    """How these subjects stand, in one question. Raises sqlalchemy.exc.DBAPIError at once where it cannot be asked."""
    with at_once(fleet.engine) as connection:
        found = rows.statuses(connection, [ref.kind for ref in refs], [ref.id for ref in refs])
    return {
        Ref(Kind(row.kind), row.subject_id): Seen(Status(row.status), row.completeness_score, len(row.sources_used))
        for row in found
    }


def find(fleet: Fleet, kind: Kind, given: str) -> Ref | None:
    """The subject of this id, the producer's or ours."""
    row = in_transaction(fleet.engine, lambda connection: rows.standings(connection, kind, [given])).get(given)
    return Ref(kind, row.id) if row is not None else None


@dataclass(frozen=True, slots=True)
class Line:
    """The waiting lookups of a source. levels: by priority how many, with the lowest and the highest id.

    calls: how many calls a lookup takes on average, as some share one.
    """

    levels: Mapping[int, tuple[int, int, int]]
    calls: float

    def before(self, priority: int) -> int:
        """How many go first because they are more urgent."""
        return sum(count for level, (count, _, _) in self.levels.items() if level > priority)

    def within(self, priority: int, number: int) -> int:
        """How many of the same priority are older, as far as ids tell."""
        count, first, last = self.levels.get(priority, (0, 0, 0))
        return round(count * min(1.0, max(0.0, (number - first) / max(1, last - first))))


@dataclass(frozen=True, slots=True)
class Pace:
    """How a source answers now. rate: calls per second; paused_for, latency: seconds."""

    rate: float
    paused_for: float
    latency: float

    def seconds(self, calls: float, due_in: float = 0.0) -> float:
        """Until the last of so many calls is answered. due_in: seconds before which it is not asked."""
        return self.paused_for + max(calls / self.rate, due_in) + self.latency


def pace_of(fleet: Fleet, connection: Connection, source: str) -> Pace | None:
    """None where the source is stopped or its limiter is away."""
    known = fleet.standings(connection).get(source)
    if source not in fleet.sources or (known is not None and known.stopped):
        return None
    try:
        now: SourceNow = fleet.remembered(f"{source} now", lambda: fleet.limiter.now(source), 1.0)
    except redis.RedisError:
        return None
    return Pace(fleet.limiter.budget(source).rate * now.factor, now.paused_for, now.latency)


class Outlook:
    """For one process: all who ask share what was read of the lines a moment ago."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        # Nothing is written, so nothing has to begin or to be committed: two round trips fewer.
        self._engine = fleet.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._lines: Mapping[str, Line] = {}
        self._good_until = -math.inf
        self._reading = threading.Lock()

    def standing(self, kind: Kind, given: str) -> dict[str, Any] | None:
        """A subject by the producer's id or ours, None where nobody knows it.

        `<kind>_id`, `id`, `status` (None where nobody has asked for it), `has_artwork`, `is_retriable`,
        `error_message`, `sources_used`, `completeness_score`, `requested_at`, `finished_at`; while it is open
        `position` (1 goes next, 0 is being asked now), `estimated_completion` (None where a source is stopped) and
        `open`, the questions not yet answered, each with the same of its own.
        """
        return self.each([(kind, given)])[0]

    def each(self, asked: Sequence[tuple[Kind, str]]) -> list[dict[str, Any] | None]:
        """The same of many, in their order."""
        return in_transaction(self._engine, lambda connection: self._each(connection, asked))

    def _each(self, connection: Connection, asked: Sequence[tuple[Kind, str]]) -> list[dict[str, Any] | None]:
        by_kind: dict[Kind, list[str]] = defaultdict(list)
        for kind, given in asked:
            by_kind[kind].append(given)
        found = {
            (kind, known): row
            for kind, ids in by_kind.items()
            for known, row in rows.standings(connection, kind, ids).items()
        }
        waited_for = [id_ for row in found.values() if row.status in OPEN for id_ in (row.id, *row.parents)]
        lookups = rows.open_lookups(connection, waited_for, COUNTED) if waited_for else []
        # Several ask for one subject, and parents have many tracks: each lookup's place is read once.
        ahead = {each.id: self._ahead(connection, each) for each in lookups}
        of: dict[UUID, list[Any]] = defaultdict(list)
        for each in lookups:
            of[each.subject_id].append(each)
        shown = {
            (kind, known): _shown(kind, row, [each for id_ in (row.id, *row.parents) for each in of[id_]], ahead)
            for (kind, known), row in found.items()
        }
        return [shown.get(key) for key in asked]

    def _ahead(self, connection: Connection, lookup: Any) -> tuple[int, float | None]:
        """How many are in line before an open lookup, and the seconds until it is answered (None: nobody can tell)."""
        position = 0 if lookup.state == "claimed" else self._position(connection, lookup)
        pace = pace_of(self._fleet, connection, lookup.source)
        if pace is None:
            return position, None
        line = self._line_of(connection, lookup.source)
        return position, pace.seconds(position * line.calls, lookup.due_in or 0.0)

    def _position(self, connection: Connection, lookup: Any) -> int:
        line = self._line_of(connection, lookup.source)
        same: int = lookup.same_before
        if same == COUNTED:
            same = max(COUNTED, line.within(lookup.priority, lookup.id))
        return line.before(lookup.priority) + same + 1

    def _line_of(self, connection: Connection, source: str) -> Line:
        # Who finds another one reading takes what was there before, unless there is nothing yet.
        if time.monotonic() > self._good_until and self._reading.acquire(blocking=not self._lines):
            try:
                began = time.monotonic()
                self._lines = self._read(rows.levels(connection))
                took = time.monotonic() - began
                self._good_until = began + took + max(LINES_SECONDS, took / LINES_SHARE)
            finally:
                self._reading.release()
        return self._lines.get(source, Line({}, 1.0))

    def _read(self, levels: Sequence[Any]) -> dict[str, Line]:
        by_source: dict[str, list[Any]] = defaultdict(list)
        for level in levels:
            by_source[level.source].append(level)
        return {
            source: _line(found, self._fleet.sizes(source))
            for source, found in by_source.items()
            if source in self._fleet.sources
        }


def _shown(kind: Kind, row: Any, asked: Sequence[Any], ahead: Mapping[int, tuple[int, float | None]]) -> dict[str, Any]:
    """asked: the open lookups that it waits for."""
    standing = {
        f"{kind}_id": row.known_as,
        "id": str(row.id),
        "status": row.status,
        "has_artwork": row.has_artwork,
        "is_retriable": row.is_retriable,
        "error_message": row.error_message,
        "sources_used": list(row.sources_used or ()),
        "completeness_score": round(row.completeness_score or 0.0, 3),
        "requested_at": _iso(row.requested_at),
        "finished_at": _iso(row.finished_at),
        "position": None,
        "estimated_completion": None,
        "open": [],
    }
    if row.status in OPEN:
        standing |= _expected(row.now, asked, [ahead[each.id] for each in asked])
    return standing


def _line(found: Sequence[Any], sizes: Mapping[str, int]) -> Line:
    levels: dict[int, tuple[int, int, int]] = {}
    calls = 0
    for each in found:
        count, first, last = levels.get(each.priority, (0, each.first, each.last))
        levels[each.priority] = (count + each.rows, min(first, each.first), max(last, each.last))
        calls += -(-each.rows // sizes.get(each.question, 1))
    return Line(levels, calls / sum(count for count, _, _ in levels.values()))


def _expected(now: Any, asked: Sequence[Any], ahead: Sequence[tuple[int, float | None]]) -> dict[str, Any]:
    """The subject is done when the last of its questions is answered."""
    waits = [
        {
            "source": each.source,
            "question": each.question,
            "state": each.state,
            "position": position,
            "estimated_completion": None if seconds is None else _iso(now + timedelta(seconds=seconds)),
        }
        for each, (position, seconds) in zip(asked, ahead, strict=True)
    ]
    seconds = [each for _, each in ahead]
    told = [each for each in seconds if each is not None]
    last = max(range(len(ahead)), key=lambda i: (seconds[i] is None, seconds[i] or 0.0), default=None)
    return {
        "position": ahead[last][0] if last is not None else 0,
        "estimated_completion": _iso(now + timedelta(seconds=max(told, default=0.0)))
        if len(told) == len(ahead)
        else None,
        "open": waits,
    }


def _iso(moment: Any) -> str | None:
    return moment.isoformat() if moment is not None else None
