"""How soon a critical request is done beside a very long line, and what plain Celery makes of it.

    linernotes bench priority [--json] [--rows N] [--samples N] [--backlog N]

Every source has a line that workers are at all the time. One critical track after another is handed in, each when the
one before has ended, so that none waits for another. Each has a chain: the lookup that was answered last, the one whose
answer led to it, and so on back to the request. Its bound is the sum of one interval and one latency for each of them:
what the upstreams' limits and slowness cost whoever goes first everywhere. Latencies are those that the wire has seen.

Plain Celery (`bench.peers.plain_celery`) has the same upstreams, limits and workers, a `critical` queue, and --backlog
tracks in the default one; a critical track that has not ended in --patience seconds counts as that long.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from bench.chaos.rig import Shop
from bench.crews import FleetCrew, crew, environ_of, peers, shop
from bench.ground import fill, first_questions
from bench.report import Grid, Report, at_least, at_most, note, start
from bench.workload import Row, choose, track_of
from enrichment.services.requests import TrackRequest, read
from enrichment.services.submit import submit
from simulator.truth import World

CRITICAL = 10
BOUND = 1.2
ENDED_SECONDS = 120.0
STEP_SECONDS = 1.0
"""Between an answer's settling and the beginning of the transaction that wrote what follows, at most."""
FIRST = 1_000_000
"""Number of the first critical track among the peer's."""

# A follower is written by the transaction that settles the answer before it, or by one right after it.
_LOOKUPS = text("""
SELECT l.id, l.source, extract(epoch FROM l.created_at)::float AS created,
    extract(epoch FROM l.settled_at)::float AS settled
FROM tracks t JOIN lookups l ON l.subject_id IN (t.id, t.performer_id, t.album_id)
WHERE t.id = :track AND l.blocking AND l.priority = 10 AND l.settled_at IS NOT NULL
""")
_ENDED = text("""
SELECT extract(epoch FROM finished_at - requested_at)::float FROM enrichment_status
WHERE kind = 'track' AND subject_id = :track AND status IN ('completed', 'partial', 'failed')
""")


def chain(lookups: Sequence[Any]) -> list[Any]:
    """From the request to the last answer: each the follower of the one before."""
    found: list[Any] = []
    following = max(lookups, key=lambda each: each.settled, default=None)
    while following is not None:
        found.insert(0, following)
        created = following.created
        before = [x for x in lookups if x.created < created and abs(x.settled - created) <= STEP_SECONDS]
        following = min(before, key=lambda each: abs(each.settled - created), default=None)
    return found


def _sample(ours: FleetCrew, row: Row) -> dict[str, Any] | None:
    """One critical track: seconds until it had ended, and what its chain needs at least; None where it does not end."""
    track = submit(ours.fleet, read(TrackRequest, {**row, "priority": CRITICAL})).id
    until = time.monotonic() + ENDED_SECONDS
    while (took := _ended(ours, track)) is None:
        if time.monotonic() > until:
            return None
        time.sleep(0.05)
    with ours.engine.connect() as connection:
        steps = chain(connection.execute(_LOOKUPS, {"track": track}).all())
    ours.fleet.forget()
    needed = sum(1 / ours.fleet.limiter.budget(x.source).rate + ours.fleet.limiter.now(x.source).latency for x in steps)
    return {"took": took, "needed": needed, "chain": [step.source for step in steps]}


def _ended(ours: FleetCrew, track: UUID) -> float | None:
    with ours.engine.connect() as connection:
        took: float | None = connection.execute(_ENDED, {"track": track}).scalar_one_or_none()
    return took


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0]


def _fleet(where: Shop, rows: Sequence[Row], options: argparse.Namespace) -> dict[str, Any]:
    size = {"processes": options.processes, "threads": 32}
    with crew(where, environ_of(where, options.speed), **size, started=False) as ours:
        questions = first_questions(ours.fleet.sources)
        fill(ours.engine, questions, options.rows // len(questions), upstream=where.upstream)
        ours.start("ready.")
        time.sleep(options.settling)
        seen = [_sample(ours, row) for row in rows]
        waiting = ours.count("SELECT count(*) FROM lookups WHERE state = 'waiting'")
    ended = [each for each in seen if each is not None]
    if not ended:
        return {"samples": len(seen), "ended": 0, "waiting": waiting, "ratio": None}
    took, needed = [each["took"] for each in ended], [each["needed"] for each in ended]
    longest = max(ended, key=lambda each: each["took"] / max(0.001, each["needed"]))
    return {
        "samples": len(seen),
        "ended": len(ended),
        "waiting": waiting,
        "took_median": round(statistics.median(took), 3),
        "took_p95": round(_p95(took), 3),
        "needed_median": round(statistics.median(needed), 3),
        "needed_p95": round(_p95(needed), 3),
        "ratio": round(_p95(took) / _p95(needed), 3) if len(ended) == len(seen) else None,
        "worst": longest,
    }


def _plain(where: Shop, rows: Sequence[Row], critical: Sequence[Row], options: argparse.Namespace) -> dict[str, Any]:
    backlog = [(number, *track_of(rows[number % len(rows)])) for number in range(options.backlog)]
    asked = [(FIRST + number, *track_of(row)) for number, row in enumerate(critical)]
    with peers("plain_celery", where, speed=options.speed, processes=options.processes) as theirs:
        theirs.submit(backlog)
        time.sleep(options.settling)
        took = []
        for each in asked:
            began = time.monotonic()
            theirs.submit([each], "critical")
            until = began + options.patience
            while not (ended := theirs.has_ended(each[0])) and time.monotonic() < until:
                time.sleep(0.1)
            took.append((time.monotonic() - began, ended))
    return {
        "backlog": options.backlog,
        "samples": len(took),
        "ended": sum(ended for _, ended in took),
        "took_p95": round(_p95([seconds for seconds, _ in took]), 1),
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of `linernotes bench priority`."""
    parser.add_argument("--rows", type=int, default=1_000_000, help="lookups waiting [%(default)s]")
    parser.add_argument("--samples", type=int, default=40, help="critical tracks [%(default)s]")
    parser.add_argument(
        "--backlog", type=int, default=2_000, help="plain Celery's tracks, 0 to leave it out [%(default)s]"
    )
    parser.add_argument("--peer-samples", type=int, default=3, help="plain Celery's critical tracks [%(default)s]")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds for each of those [%(default)s]")
    parser.add_argument("--settling", type=float, default=10.0, help="seconds before the first one [%(default)s]")
    parser.add_argument("--processes", type=int, default=2, help="worker processes [%(default)s]")
    parser.add_argument("--speed", type=float, default=1.0, help="how fast time runs [%(default)s]")
    parser.add_argument("--seed", type=int, default=1)


def run(options: argparse.Namespace) -> Report:
    """Ours, then plain Celery."""
    figures: dict[str, Any] = {}
    with shop(speed=options.speed) as where:
        rows = choose(World.build(None, None), None, rows=None, sample=1, seed=options.seed).rows
        figures["fleet"] = _fleet(where, rows[: options.samples], options)
        note(f"fleet: {figures['fleet']}")
        if options.backlog:
            figures["plain_celery"] = _plain(where, rows, rows[: options.peer_samples], options)
    fleet = figures["fleet"]
    checks = [
        at_least("critical tracks that have ended, share", fleet["ended"] / fleet["samples"], 1.0),
        at_most("p95 of completion, times the chain's intervals and latencies", fleet["ratio"], BOUND),
    ]
    return Report("priority", figures, checks, _grids(figures))


def _grids(figures: Mapping[str, Mapping[str, Any]]) -> list[Grid]:
    return [
        Grid(f"Critical tracks: {name}", ("figure", ">value"), [(k, v) for k, v in told.items() if k != "worst"])
        for name, told in figures.items()
    ]


if __name__ == "__main__":
    sys.exit(start("priority", sys.argv[1:]))
