"""Whether estimates come true: for three mixes of work, what `linernotes estimate` says of a backlog, and what it took.

    linernotes bench estimate [--json] [--rows N] [--pilot N] [--mixes low,default,mixed]

Each mix begins on an empty database with a few requests (the pilot), by which the fleet learns what its subjects take.
Then the backlog is handed in, estimated, and worked off by as many workers as usual, at real limits times --speed.
`habits` is what was learned, as `enrichment/services/measured.json` ships it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text

from bench.chaos.rig import Shop
from bench.crews import FleetCrew, crew, environ_of, shop
from bench.report import Check, Grid, Report, at_most, note, start
from bench.workload import Row, choose
from enrichment.services import estimate
from enrichment.services.estimate import Ask
from enrichment.services.requests import AlbumRequest, PerformerRequest, Request, TrackRequest, read
from enrichment.services.submit import submit_all
from simulator.truth import World

OFF = 0.15
LANES = {"low": 2, "default": 5, "mixed": 5, "critical": 10}
MIXES = ("low", "default", "mixed")
PATIENCE = 3600.0
_CALLS = text("""
SELECT l.source, count(DISTINCT s.claim_token) AS calls FROM settles s JOIN lookups l ON l.id = s.lookup_id
WHERE s.id > :before AND l.blocking GROUP BY l.source ORDER BY l.source
""")
_WAITING = "SELECT count(*) FROM enrichment_status WHERE status IN ('pending', 'in_progress')"


def requests_of(mix: str, rows: Sequence[Row]) -> list[Request]:
    """Tracks at one lane; in `mixed` a third each of tracks, low_priority tracks and performers with albums."""
    tracks: list[Request] = [read(TrackRequest, {**row, "priority": LANES[mix]}) for row in rows]
    if mix != "mixed":
        return tracks
    mixed: list[Request] = list(tracks[::3])
    mixed += [read(TrackRequest, {**row, "priority": LANES["low"]}) for row in rows[1::3]]
    people = dict.fromkeys(row["artist"].split(", ")[0] for row in rows[2::3])
    albums = dict.fromkeys((row["artist"].split(", ")[0], row["album"]) for row in rows[2::3] if row.get("album"))
    mixed += [read(PerformerRequest, {"name": name, "priority": 5}) for name in people]
    return mixed + [read(AlbumRequest, {"artist": artist, "title": title, "priority": 5}) for artist, title in albums]


def _worked_off(ours: FleetCrew) -> float:
    """Seconds until every request has ended."""
    began = time.monotonic()
    while ours.count(_WAITING) and time.monotonic() - began < PATIENCE:
        time.sleep(0.25)
    return time.monotonic() - began


def _mix(where: Shop, mix: str, rows: Sequence[Row], pilot: int, options: argparse.Namespace) -> dict[str, Any]:
    with crew(where, environ_of(where, options.speed), processes=options.processes) as ours:
        submit_all(ours.fleet, requests_of(mix, rows[:pilot]))
        _worked_off(ours)
        with ours.engine.connect() as connection:
            habits = estimate.own_habits(connection).shown()
        before, cost = ours.count("SELECT coalesce(max(id), 0) FROM settles"), ours.cost()
        submit_all(ours.fleet, requests_of(mix, rows[pilot:]))
        said = estimate.estimate(ours.fleet, Ask(cores=options.cores))
        took = _worked_off(ours)
        spent = ours.cost().since(cost).all
        lookups = ours.count("SELECT count(*) FROM settles WHERE id > :before", before=before)
        with ours.engine.connect() as connection:
            calls = {row.source: row.calls for row in connection.execute(_CALLS, {"before": before})}
        size = ours.count("SELECT pg_database_size(current_database())")
    note(f"{mix}: estimated {said['seconds']} s, by {said['bounded_by']}; it took {took:.0f} s")
    return {
        "requests": len(requests_of(mix, rows[pilot:])),
        "estimated_seconds": said["seconds"],
        "bounded_by": said["bounded_by"],
        "took_seconds": round(took, 1),
        "off": round(abs(said["seconds"] / took - 1), 4) if said["seconds"] else None,
        "cpu_seconds_per_lookup": round(spent / max(1, lookups), 5),
        "database_bytes_per_row": round(size / len(rows)),
        "lookups": lookups,
        "calls": calls,
        "estimate": said,
        "habits": habits,
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of `linernotes bench estimate`."""
    parser.add_argument("--rows", type=int, default=520, help="tracks, the pilot among them [%(default)s]")
    parser.add_argument("--pilot", type=int, default=150, help="[%(default)s]")
    parser.add_argument("--mixes", type=_mixes, default=MIXES, help=f"of {','.join(LANES)} [{','.join(MIXES)}]")
    parser.add_argument("--listens", type=Path, help="scrobbles.csv[.gz]: the tracks to ask for")
    parser.add_argument("--speed", type=float, default=5.0, help="how fast time runs [%(default)s]")
    parser.add_argument("--processes", type=int, default=2, help="worker processes [%(default)s]")
    parser.add_argument("--cores", type=int, default=2, help="of this machine [%(default)s]")
    parser.add_argument("--seed", type=int, default=1)


def _mixes(given: str) -> tuple[str, ...]:
    asked = tuple(given.split(","))
    if unknown := [name for name in asked if name not in LANES]:
        raise argparse.ArgumentTypeError(f"there is no mix {unknown[0]!r}; there are {', '.join(LANES)}")
    return asked


def run(options: argparse.Namespace) -> Report:
    """One mix after the other."""
    with shop(speed=options.speed, listens=options.listens) as where:
        world = World.build(None, options.listens)
        rows = choose(world, options.listens, rows=options.rows, sample=1, seed=options.seed).rows
        figures = {mix: _mix(where, mix, rows, options.pilot, options) for mix in options.mixes}
    return Report("estimate", figures, _checks(figures), [_grid(figures)])


def _checks(figures: Mapping[str, Mapping[str, Any]]) -> list[Check]:
    return [at_most(f"{mix}: share that the estimate is off", each["off"], OFF) for mix, each in figures.items()]


def _grid(figures: Mapping[str, Mapping[str, Any]]) -> Grid:
    columns = ("requests", "estimated_seconds", "took_seconds", "off", "bounded_by", "cpu_seconds_per_lookup")
    rows = [(mix, *(each[name] for name in columns)) for mix, each in figures.items()]
    return Grid("What was estimated, and what it took", ("mix", *(f">{name}" for name in columns)), rows)


if __name__ == "__main__":
    sys.exit(start("estimate", sys.argv[1:]))
