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

import redis
from sqlalchemy import Connection

from enrichment.domain.subjects import Kind, Status
from enrichment.reservoir import outlook as rows
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref
from enrichment.services.fleet import Fleet
from enrichment.wire.limiter import SourceNow

ENDED = frozenset({Status.COMPLETED, Status.PARTIAL, Status.FAILED})
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
    with fleet.engine.connect() as connection:
        found = rows.statuses(connection, [ref.kind for ref in refs], [ref.id for ref in refs])
    return {
        Ref(Kind(row.kind), row.subject_id): Seen(Status(row.status), row.completeness_score, len(row.sources_used))
        for row in found
    }


def find(fleet: Fleet, kind: Kind, given: str) -> Ref | None:
    """The subject of this id, the producer's or ours."""
    row = in_transaction(fleet.engine, lambda connection: rows.standing(connection, kind, given))
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


class Outlook:
    """For one process: all who ask share what was read of the lines a moment ago."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
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
        return in_transaction(self._fleet.engine, lambda connection: self._standing(connection, kind, given))

    def _standing(self, connection: Connection, kind: Kind, given: str) -> dict[str, Any] | None:
        row = rows.standing(connection, kind, given)
        if row is None:
            return None
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
        if row.status in (Status.PENDING, Status.IN_PROGRESS):
            asked = rows.open_lookups(connection, [row.id, *row.parents], COUNTED)
            ahead = [self._ahead(connection, each) for each in asked]
            standing |= _expected(row.now, asked, ahead)
        return standing

    def _ahead(self, connection: Connection, lookup: Any) -> tuple[int, float | None]:
        """How many are in line before an open lookup, and the seconds until it is answered (None: nobody can tell)."""
        position = 0 if lookup.state == "claimed" else self._position(connection, lookup)
        now = self._now(connection, lookup.source)
        if now is None:
            return position, None
        rate = self._fleet.limiter.budget(lookup.source).rate * now.factor
        line = self._line_of(connection, lookup.source)
        in_line = 0.0 if math.isinf(rate) else position * line.calls / rate
        return position, now.paused_for + max(in_line, lookup.due_in or 0.0) + now.latency

    def _position(self, connection: Connection, lookup: Any) -> int:
        line = self._line_of(connection, lookup.source)
        same: int = lookup.same_before
        if same == COUNTED:
            same = max(COUNTED, line.within(lookup.priority, lookup.id))
        return line.before(lookup.priority) + same + 1

    def _now(self, connection: Connection, source: str) -> SourceNow | None:
        """The source, None where it is stopped or its limiter is away."""
        known = self._fleet.standings(connection).get(source)
        if source not in self._fleet.sources or (known is not None and known.stopped):
            return None
        try:
            found: SourceNow = self._fleet.remembered(f"{source} now", lambda: self._fleet.limiter.now(source), 1.0)
        except redis.RedisError:
            return None
        return found

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
