"""How the fleet is, in numbers: what metrics are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from enrichment.reservoir import counts, listens, lookups
from enrichment.reservoir import fleet as fleet_rows
from enrichment.reservoir.counts import Key
from enrichment.reservoir.fleet import SourceStanding, WorkerCard
from enrichment.reservoir.lookups import Line
from enrichment.reservoir.pool import at_once
from enrichment.services.fleet import Fleet
from enrichment.services.refill import windows
from enrichment.services.report import open_letters
from enrichment.wire.cache import Load

IN_TIME = 60.0
"""Seconds within which a play should have its cover."""
MOST_PLAYS = 2000
"""Of the last hour that are looked at."""


@dataclass(frozen=True, slots=True)
class SourceVitals:
    """permitted: calls per second, infinite where nothing limits them. factor: the share that refusals have left of it.

    paused_for: seconds. in_call: calls under way; in_flight: fetch messages; window: how many of those there may be.
    """

    breaker: str
    permitted: float
    factor: float
    paused_for: float
    stopped: bool
    in_call: int
    in_flight: int
    window: int


@dataclass(frozen=True, slots=True)
class Vitals:
    """counted: by all processes, as far as they have handed it over. letters: open ones, by source and outcome.

    beat_silent: seconds since beat was last seen, None where it never was.
    artwork_in_time: the share of the last hour's live plays that had a cover within a minute; None without plays.
    """

    counted: Mapping[Key, float]
    sources: Mapping[str, SourceVitals]
    lines: list[Line]
    letters: Mapping[str, Mapping[str, int]]
    workers: list[WorkerCard]
    beat_silent: float | None
    cache: Load
    artwork_in_time: float | None


def read(fleet: Fleet) -> Vitals:
    """Now. Raises sqlalchemy.exc.SQLAlchemyError and redis.RedisError."""
    fleet.tally.hand_over(fleet.engine)
    rooms = windows(fleet)
    with at_once(fleet.engine) as connection:
        return _read(fleet, connection, rooms)


def _read(fleet: Fleet, connection: Connection, rooms: Mapping[str, int]) -> Vitals:
    standings = fleet_rows.standings(connection)
    return Vitals(
        counts.read(connection),
        {name: _source(fleet, name, standings.get(name), rooms[name]) for name in fleet.sources},
        lookups.lines(connection),
        open_letters(connection),
        fleet_rows.alive(connection),
        fleet_rows.beat_silent(connection),
        fleet.wire.cache.load(),
        _artwork_in_time(connection),
    )


def _artwork_in_time(connection: Connection) -> float | None:
    waits = listens.first_artwork(connection, 3600, IN_TIME, MOST_PLAYS)
    return sum(wait is not None and wait <= IN_TIME for wait in waits) / len(waits) if waits else None


def _source(fleet: Fleet, name: str, known: SourceStanding | None, window: int) -> SourceVitals:
    now = fleet.limiter.now(name)
    return SourceVitals(
        now.breaker,
        fleet.limiter.budget(name).rate,
        now.factor,
        max(now.paused_for, known.paused_for if known else 0.0),
        known is not None and known.stopped,
        now.in_call,
        now.in_flight,
        window,
    )
