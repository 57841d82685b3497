"""What workers, Redis and the database need: over a long run, with a short and a long backlog, per enriched track.

    linernotes bench memory [--json] [--seconds S] [--rows N]

Upstreams limit nothing, and tracks that nobody knows are handed in all the time, so that a worker does in an hour what
would take it days. Growth is what the larger of the workers gains from the first tenth of the run to the last.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

import redis

from bench.chaos.rig import Shop
from bench.crews import FleetCrew, crew, environ_of, shop
from bench.ground import fill, first_questions
from bench.report import Grid, Report, at_most, note, start
from bench.workload import many
from enrichment.services.requests import TrackRequest, read
from enrichment.services.submit import submit_all
from simulator.catalogue import small_requests

RESIDENT, GROWTH, REDIS = 120.0, 8.0, 1.1
CHUNK = 100
LOOK_SECONDS = 1.0
OPEN_TRACKS = "SELECT count(*) FROM enrichment_status WHERE status IN ('pending', 'in_progress')"
ENDED_TRACKS = "SELECT count(*) FROM enrichment_status WHERE status IN ('completed', 'partial', 'failed')"
SIZE = "SELECT pg_database_size(current_database())"


def _run(where: Shop, options: argparse.Namespace) -> dict[str, Any]:
    """Residents over time, in MiB, and what the database has grown by."""
    with crew(where, environ_of(where, options.speed, unlimited=True), processes=options.processes) as ours:
        empty, handed_in, seen = ours.count(SIZE), 0, []
        until = time.monotonic() + options.seconds
        while time.monotonic() < until:
            if ours.count(OPEN_TRACKS) < CHUNK:
                rows = many(small_requests(), handed_in + CHUNK)[handed_in:]
                submit_all(ours.fleet, [read(TrackRequest, {**row, "priority": 5}) for row in rows])
                handed_in += CHUNK
            seen.append(max(ours.resident()))
            time.sleep(LOOK_SECONDS)
        ended, grown = ours.count(ENDED_TRACKS), ours.count(SIZE) - empty
    tenth = max(1, len(seen) // 10)
    return {
        "tracks": ended,
        "resident_most_mib": round(max(seen), 1),
        "resident_first_mib": round(statistics.median(seen[tenth : 2 * tenth] or seen), 1),
        "resident_last_mib": round(statistics.median(seen[-tenth:]), 1),
        "database_bytes_per_track": round(grown / max(1, ended)),
    }


def _used(where: Shop) -> int:
    found = 0
    for url in (where.servers.addresses.broker_url, where.servers.addresses.redis_url):
        with redis.Redis.from_url(url) as client:
            found += int(client.info("memory")["used_memory"])
    return found


def _redis(where: Shop, ours: FleetCrew, rows: int) -> int:
    """Bytes that both Redis servers use beside so many waiting lookups, all workers at work."""
    fill(ours.engine, first_questions(ours.fleet.sources), rows, upstream=where.upstream)
    time.sleep(5)
    return _used(where)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of `linernotes bench memory`."""
    parser.add_argument("--seconds", type=float, default=3600.0, help="of the long run [%(default)s]")
    parser.add_argument("--rows", type=int, default=1_000_000, help="lookups of the long backlog [%(default)s]")
    parser.add_argument("--processes", type=int, default=2, help="worker processes [%(default)s]")
    parser.add_argument("--speed", type=float, default=20.0, help="divides the upstreams' latencies [%(default)s]")


def run(options: argparse.Namespace) -> Report:
    """The long run, then the backlogs at the upstreams' real limits."""
    with shop(unlimited=True, speed=options.speed) as where:
        figures = _run(where, options)
        note(f"{figures}")
        with crew(where, environ_of(where, 1.0), processes=options.processes) as ours:
            sources = len(first_questions(ours.fleet.sources))
            figures["redis_bytes_short"] = _redis(where, ours, max(50, options.rows // 1000 // sources))
            figures["redis_bytes_long"] = _redis(where, ours, options.rows // sources)
    growth = round(figures["resident_last_mib"] - figures["resident_first_mib"], 2)
    times = round(figures["redis_bytes_long"] / figures["redis_bytes_short"], 3)
    figures |= {"growth_mib": growth, "redis_times": times}
    checks = [
        at_most("worker's resident MiB, most", figures["resident_most_mib"], RESIDENT),
        at_most("worker's growth from the first tenth to the last, MiB", growth, GROWTH),
        at_most("Redis memory beside the long backlog, times that beside the short", times, REDIS),
    ]
    return Report("memory", figures, checks, [_grid(figures)])


def _grid(figures: Mapping[str, Any]) -> Grid:
    return Grid("Memory", ("figure", ">value"), list(figures.items()))


if __name__ == "__main__":
    sys.exit(start("memory", sys.argv[1:]))
