"""The fleet at a glance: what each source is doing now, what waits, what is known, what the last hours came to."""

from __future__ import annotations

import math
import threading
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from enrichment.domain.questions import Budget, Question, Terms
from enrichment.domain.subjects import Lane, lane_of
from enrichment.reservoir import fleet as fleet_rows
from enrichment.reservoir import overview as rows
from enrichment.reservoir.pool import at_once
from enrichment.reservoir.retrying import in_transaction
from enrichment.services.fleet import Fleet
from enrichment.wire.limiter import SourceNow as LimiterNow

RATE_SECONDS = 10.0
"""Over which calls per second are taken."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many lookups wait, and the age of the oldest in seconds. exact: False where it is an estimate."""

    lookups: int = 0
    exact: bool = True
    oldest: float | None = None

    def __add__(self, other: Waiting) -> Waiting:
        """Both together."""
        ages = [age for age in (self.oldest, other.oldest) if age is not None]
        return Waiting(self.lookups + other.lookups, self.exact and other.exact, max(ages, default=None))


@dataclass(frozen=True, slots=True)
class SourceNow:
    """A source at this moment.

    state: "stopped", "paused", "breaker open", "working" (it has calls under way or work), or "idle". permitted, used:
    calls per second, the first with its rate factor counted in, None where nothing limits it or where it cannot be told
    yet. paused_for: seconds. error: the last one, and how many seconds ago.
    """

    name: str
    state: str
    breaker: str
    paused_for: float
    reason: str
    permitted: float | None
    factor: float
    used: float | None
    waiting: Waiting
    in_flight: int
    in_call: int
    retrying: int
    deferred: int
    error: str
    error_ago: float | None

    @property
    def share(self) -> float | None:
        """Of the permitted rate, what is used."""
        return min(1.0, self.used / self.permitted) if self.used is not None and self.permitted else None

    @property
    def is_held_up(self) -> bool:
        """Does it make no calls because it must not?"""
        return self.state in _HELD_UP


_HELD_UP = ("stopped", "paused", "breaker open")


@dataclass(frozen=True, slots=True)
class Glance:
    """The fleet at one moment, by the database's clock. letters: open ones, by source and outcome."""

    at: Any
    sources: Sequence[SourceNow]
    lanes: Mapping[Lane, Waiting]
    coverage: Mapping[str, Mapping[str, float]]
    letters: int
    workers: int
    threads: int

    @property
    def held_up(self) -> list[SourceNow]:
        """Sources that make no calls because they must not."""
        return [source for source in self.sources if source.is_held_up]


@dataclass(slots=True)
class Rates:
    """Calls per second of each source, from what its limiter had counted at several moments."""

    _seen: deque[tuple[float, Mapping[str, int]]] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, moment: float, calls: Mapping[str, int]) -> dict[str, float]:
        """What is counted at this moment of any clock that does not go back. Returns the rates that can be told."""
        with self._lock:
            self._seen.append((moment, calls))
            while len(self._seen) > 2 and self._seen[1][0] <= moment - RATE_SECONDS:
                self._seen.popleft()
            since, before = self._seen[0]
        if moment - since < 0.5:
            return {}
        # Fewer calls than before: the limiter has lost its state.
        return {
            name: (count - before[name]) / (moment - since)
            for name, count in calls.items()
            if count >= before.get(name, math.inf)
        }


class Overview:
    """For one process: rates need two looks."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._rates = Rates()

    def now(self) -> Glance:
        """Raises redis.RedisError and sqlalchemy.exc.DBAPIError."""
        fleet, names = self._fleet, list(self._fleet.sources)
        with at_once(fleet.engine) as connection:
            at = rows.now(connection)
            table = _Table.read(connection, names)
            letters = sum(row.rows for row in rows.letters(connection, "open"))
            alive = [card for card, silent in fleet_rows.workers(connection) if silent < fleet_rows.SILENT_SECONDS]
            coverage = rows.coverage(connection)
        limiter = {name: fleet.limiter.now(name) for name in names}
        used = self._rates.add(fleet.monotonic(), {name: now.calls for name, now in limiter.items()})
        rates = {name: fleet.limiter.budget(name).rate for name in names}
        sources = [table.source(name, limiter[name], rates[name], used.get(name)) for name in names]
        lanes = {lane: sum((line.get(lane, Waiting()) for line in table.lines.values()), Waiting()) for lane in Lane}
        return Glance(at, sources, lanes, coverage, letters, len(alive), sum(card.threads for card in alive))


@dataclass(frozen=True, slots=True)
class _Table:
    """What PostgreSQL knows of all sources. others: open lookups that are not in line, by state."""

    standings: Mapping[str, fleet_rows.SourceStanding]
    lines: Mapping[str, Mapping[Lane, Waiting]]
    others: Mapping[str, Mapping[str, int]]
    errors: Mapping[str, Any]

    @classmethod
    def read(cls, connection: Connection, names: Sequence[str]) -> _Table:
        others: dict[str, dict[str, int]] = defaultdict(dict)
        for row in rows.others(connection, names):
            others[row.source][row.state] = row.rows
        errors = {row.source: row for row in rows.errors(connection, names)}
        return cls(fleet_rows.standings(connection), _lines(connection, names), others, errors)

    def source(self, name: str, now: LimiterNow, rate: float, used: float | None) -> SourceNow:
        known, others, error = self.standings.get(name), self.others.get(name, {}), self.errors.get(name)
        waiting = sum(self.lines.get(name, {}).values(), Waiting(others.get("gathering", 0)))
        paused_for = max(now.paused_for, known.paused_for if known else 0.0)
        factor = known.factor if now.cold and known else now.factor
        stopped = known is not None and known.stopped
        busy = bool(waiting.lookups or now.in_call or others.get("claimed"))
        return SourceNow(
            name,
            _state(now, paused_for, stopped=stopped, busy=busy),
            now.breaker,
            paused_for,
            now.reason or (known.reason if known else ""),
            rate * factor if math.isfinite(rate) else None,
            factor,
            used,
            waiting,
            now.in_flight,
            now.in_call,
            others.get("not_due", 0),
            others.get("deferred", 0),
            error.error if error else "",
            error.ago if error else None,
        )


def _state(now: LimiterNow, paused_for: float, *, stopped: bool, busy: bool) -> str:
    if stopped:
        return "stopped"
    if now.breaker == "open":
        return "breaker open"
    if paused_for:
        return "paused"
    return "working" if busy else "idle"


def _lines(connection: Connection, names: Sequence[str]) -> dict[str, dict[Lane, Waiting]]:
    """What waits, by source and lane."""
    found: dict[str, dict[Lane, Waiting]] = defaultdict(dict)
    cut: dict[str, Lane] = {}
    for row in rows.lines(connection, names):
        lane = lane_of(row.priority)
        found[row.source][lane] = found[row.source].get(lane, Waiting()) + Waiting(row.rows, oldest=row.oldest)
        if row.rows == rows.BOUND:
            cut.setdefault(row.source, lane)
    for source, lane in cut.items():
        # Of several lanes that were cut off, one has to take what is beyond all of them.
        counted = sum(waiting.lookups for waiting in found[source].values())
        rest = max(0, rows.estimated(connection, source) - counted)
        found[source][lane] += Waiting(rest, exact=False)
    return found


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a source beforehand. secrets: which of its keys are there. missing: questions that cannot be
    asked, for want of a key or by its terms.
    """

    url: str
    budget: Budget
    questions: Sequence[Question]
    missing: frozenset[str]
    secrets: Mapping[str, bool]
    terms: Terms


def facts(fleet: Fleet, name: str) -> Facts:
    """Of this source, with the keys there are."""
    fleet.standings()
    source, place = fleet.sources[name], fleet.wire.place(name)
    secrets = {secret: secret in place.secrets for secret in source.secrets}
    return Facts(
        place.url, fleet.limiter.budget(name), fleet.questions[name], fleet.missing(name), secrets, source.terms
    )


def note_minute(fleet: Fleet) -> None:
    """By the steward: the last full minute is kept for the charts."""
    if fleet.kept("minute noted", 20.0) is None:
        in_transaction(fleet.engine, rows.note_minute)
        fleet.keep("minute noted", value=True)


def minutes(fleet: Fleet, count: int) -> Sequence[Any]:
    """What each of the last so many minutes came to; some may be missing."""
    with at_once(fleet.engine) as connection:
        return rows.minutes(connection, count)


def letters_by_source(fleet: Fleet, state: str) -> Sequence[Any]:
    """Dead letters in this state by `source` and `outcome`: `rows`, the most first."""
    with at_once(fleet.engine) as connection:
        return rows.letters(connection, state)


def workers(fleet: Fleet) -> list[dict[str, Any]]:
    """Every worker known: its card, `silent` (seconds since its last heartbeat), `alive`, and the lookups it holds."""
    with at_once(fleet.engine) as connection:
        held = rows.held(connection)
        known = fleet_rows.workers(connection)
    return [
        {"card": card, "silent": silent, "alive": silent < fleet_rows.SILENT_SECONDS, "held": held.get(card.id, 0)}
        for card, silent in known
    ]
