"""What the fleet counts while it works. Each process counts for itself; with its steward's heartbeat the numbers are
added up in PostgreSQL, so they are right however many processes there are, and outlive them but for one beat.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from threading import Lock
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from enrichment.reservoir import counts
from enrichment.reservoir.counts import Key

if TYPE_CHECKING:
    from enrichment.wire.wire import Result


@dataclass(frozen=True, slots=True)
class Count:
    """A counter. about: for people who read metrics."""

    name: str
    about: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """A histogram of seconds. bounds: upper ones of its buckets; there is one more without. aliases: further names."""

    name: str
    about: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    aliases: tuple[str, ...] = ()


TASKS = Count("enrichment_tasks_total", "Enrichments of subjects that have ended.", ("status",))
TRACKS = Count("tracks_enriched_total", "Enrichments of tracks that have ended.", ("status",))
HITS = Count(
    "enrichment_cache_hits_total",
    "Requests to upstreams answered from the cache, and subjects served by fresh findings.",
)
MISSES = Count("enrichment_cache_misses_total", "Requests that had to go to an upstream.")
TURNS = Count("enrichment_turns_used_total", "Turns spent: requests written to an upstream.", ("source",))
CALLS = Count("enrichment_calls_total", "Calls to upstreams, by how they were judged.", ("source", "verdict"))
FOUND = Count("enrichment_findings_total", "Findings kept.", ("source", "field"))

RESPONSES = Spread(
    "api_response_time_seconds",
    "From the request's first byte to its answer's last, of all requests of a call.",
    ("api",),
    (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
    aliases=("api_duration_seconds",),
)
DURATION = Spread(
    "enrichment_duration_seconds",
    "From a subject's request to its end.",
    ("lane",),
    (0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400),
)
CLAIM = Spread(
    "enrichment_claim_seconds", "What a claim takes in the database.", (), (0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1)
)
FIRST_ARTWORK = Spread(
    "first_artwork_seconds", "From a track's request to its first picture.", (), (0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
)

COUNTS = (TASKS, TRACKS, HITS, MISSES, TURNS, CALLS, FOUND)
SPREADS = (RESPONSES, DURATION, CLAIM, FIRST_ARTWORK)


class Tally:
    """What has been counted and not been handed over yet. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counted: defaultdict[Key, float] = defaultdict(float)

    def count(self, what: Count, *labels: str, by: float = 1) -> None:
        """So many more. labels: values, in the order of `what.labels`."""
        if by:
            self.add({(what.name, labels): by})

    def observe(self, what: Spread, *labels: str, seconds: float) -> None:
        """One more that took so long."""
        bound = (*what.bounds, inf)[bisect_left(what.bounds, seconds)]
        self.add({(f"{what.name}_bucket", (*labels, f"{bound:g}")): 1, (f"{what.name}_sum", labels): max(0.0, seconds)})

    def add(self, counted: Mapping[Key, float]) -> None:
        """What somebody else has counted."""
        with self._lock:
            for key, value in counted.items():
                self._counted[key] += value

    def take(self) -> dict[Key, float]:
        """Everything; from now on it is the caller's."""
        with self._lock:
            taken, self._counted = self._counted, defaultdict(float)
        return dict(taken)

    def called(self, source: str, result: Result) -> None:
        """What came of a call."""
        if result.hits:
            self.count(HITS, by=result.hits)
        if result.calls:
            self.count(MISSES, by=result.calls)
            self.count(TURNS, source, by=result.calls)
            self.count(CALLS, source, result.judgement.verdict)
            self.observe(RESPONSES, source, seconds=result.seconds)

    def hand_over(self, engine: Engine) -> None:
        """To the fleet's counters. Raises sqlalchemy.exc.SQLAlchemyError, and keeps everything then."""
        if not (counted := self.take()):
            return
        try:
            with engine.begin() as connection:
                counts.add(connection, counted)
        except SQLAlchemyError:
            self.add(counted)
            raise
