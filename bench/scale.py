"""What a claim, a submit, a settle and a steward's round cost beside a short line and beside a very long one.

    linernotes bench scale [--json] [--rows N] [--rounds N]

The line is of lookups about nobody, of every source. Each round submits a few tracks at critical priority, claims from
every source that got work and settles that, claims from the low end, and makes a steward's round; nobody is asked.
Milliseconds are medians. The two lines are as alike as can be: same tables, freshly analysed, one after the other.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bench.chaos.rig import Shop
from bench.crews import FleetCrew, crew, environ_of, shop
from bench.ground import fill, first_questions
from bench.report import Check, Grid, Report, at_most, note, start
from bench.workload import many
from enrichment.bootstrap import build_steward
from enrichment.domain.outcomes import ANSWER, Answer
from enrichment.reservoir import claims
from enrichment.services.refill import refill_all
from enrichment.services.requests import TrackRequest, read
from enrichment.services.settle import settle
from enrichment.services.submit import submit_all
from enrichment.settings import load
from enrichment.wire.wire import Result
from simulator.catalogue import small_requests

SHORT = 1_000
FLAT = 1.5
CHECKED = ("claim", "claim, low end", "submit", "settle", "steward's round")
"""A refill looks at a bounded number of rows: it costs more where there are as many."""
TRACKS = 10
"""Of each round's submit."""
LEAST_MS = 1.0
"""Less is not told apart: the clock of a busy machine is no finer."""


class Stopwatch:
    """Milliseconds by what was done."""

    def __init__(self) -> None:
        self._times: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def measuring(self, what: str) -> Iterator[None]:
        """One of them."""
        began = time.perf_counter()
        yield
        self._times[what].append((time.perf_counter() - began) * 1000)

    def medians(self) -> dict[str, float]:
        """By what was done."""
        return {what: round(statistics.median(spent), 3) for what, spent in self._times.items()}


def _measured(ours: FleetCrew, steward_round: Callable[[], None], tracks: Sequence[dict[str, Any]]) -> dict[str, float]:
    watch, fleet = Stopwatch(), ours.fleet
    for first in range(0, len(tracks), TRACKS):
        requests = [read(TrackRequest, {**row, "priority": 10}) for row in tracks[first : first + TRACKS]]
        with watch.measuring("submit"):
            submit_all(fleet, requests)
        for source in fleet.sources:
            with watch.measuring("claim"), fleet.engine.begin() as connection:
                held = claims.claim(connection, source, fleet.sizes(source), fleet.worker.id)
            with watch.measuring("claim, low end"), fleet.engine.begin() as connection:
                low = claims.claim(connection, source, fleet.sizes(source), fleet.worker.id, low_end=True)
            if held and held[0].priority == 10:
                with watch.measuring("settle"):
                    settle(fleet, held, Result(ANSWER, tuple(Answer.nothing() for _ in held)))
            for each in (held if held and held[0].priority != 10 else [], low):
                with fleet.engine.begin() as connection:
                    claims.give_back(connection, each)
        with watch.measuring("refill"):
            refill_all(fleet, fleet.sources)
        with watch.measuring("steward's round"):
            steward_round()
    return watch.medians()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of `linernotes bench scale`."""
    parser.add_argument("--rows", type=int, default=10_000_000, help="lookups of the long line [%(default)s]")
    parser.add_argument("--rounds", type=int, default=30, help="of either line [%(default)s]")


def run(options: argparse.Namespace) -> Report:
    """Measures beside the short line, then beside the long one."""
    with shop(unlimited=True, speed=1.0) as where:
        return measured(where, options.rows, options.rounds)


def measured(where: Shop, rows: int, rounds: int) -> Report:
    """Nobody takes the fetch messages: a window that is full is looked at all the same."""
    with crew(where, environ_of(where, 1.0), started=False) as ours:
        steward = build_steward(ours.fleet, load(ours.environ))
        asked = first_questions(ours.fleet.sources)
        tracks = many(small_requests(), 2 * (rounds + 1) * TRACKS)
        lines: dict[str, dict[str, float]] = {}
        for count in (SHORT, rows):
            began = time.monotonic()
            fill(ours.engine, asked, (count - (SHORT if lines else 0)) // len(asked))
            note(f"{count:,} lookups wait, {time.monotonic() - began:.0f} s")
            part = tracks[len(lines) * (rounds + 1) * TRACKS :]
            _measured(ours, steward.round, part[:TRACKS])  # caches and prepared statements
            lines[str(count)] = _measured(ours, steward.round, part[TRACKS : (rounds + 1) * TRACKS])
        kept = ours.count("SELECT count(*) FROM lookups")
        size = ours.count("SELECT pg_total_relation_size('lookups')")
    short, long = lines.values()
    ratios = {what: round(max(LEAST_MS, long[what]) / max(LEAST_MS, short[what]), 3) for what in short}
    figures = {"lines": lines, "ratios": ratios, "bytes_per_waiting_lookup": round(size / kept)}
    return Report("scale", figures, _checks(ratios), [_grid(lines, ratios)])


def _checks(ratios: Mapping[str, float]) -> list[Check]:
    return [at_most(f"{what}: times that beside {SHORT:,}", ratios[what], FLAT) for what in CHECKED]


def _grid(lines: Mapping[str, Mapping[str, float]], ratios: Mapping[str, float]) -> Grid:
    rows = [(what, *(line[what] for line in lines.values()), ratio) for what, ratio in ratios.items()]
    return Grid("Median milliseconds", ("what", *(f">{rows}" for rows in lines), ">times"), rows)


if __name__ == "__main__":
    sys.exit(start("scale", sys.argv[1:]))
