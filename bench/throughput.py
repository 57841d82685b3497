"""What the fleet itself costs: submits, `.delay()`, reuse, and whole runs without limits beside other ways of doing it.

    linernotes bench throughput [--json] [--parts submit,delay,overhead] [--rows N] [--peers …]

    submit      tracks that nobody knows, through the bulk path (until they are accepted, and until one process has
                planned them) and one by one
    delay       messages a second of `enrich_track.delay()`, beside those of a Celery task that does nothing
    overhead    tracks from request to record with upstreams that limit nothing, by our workers and by as many of each
                peer (`bench.peers`), then the fleet asked again, by the same ids and by others
    sequential  is one process that asks source after source, track after track

A finding here is a known field of a track that exists, whoever found it. An id or a date that is another recording's is
none, nor is anything of a record whose ids are all another recording's. The peers on dramatiq and procrastinate need
the extra `bench` (`pip install -e '.[bench]'`).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from celery import Celery

from bench.calls import Phase, right_shares, without_wrong
from bench.chaos.rig import Shop
from bench.crews import PEERS, Cost, FleetCrew, crew, environ_of, missing_peers, peers, seen_calls, shop
from bench.naive import Naive
from bench.report import Check, Grid, Report, at_least, at_most, note, start
from bench.workload import Row, Workload, choose, many, track_of
from enrichment.domain.subjects import WANTED, Kind
from enrichment.services import report
from enrichment.services.replan import replan
from enrichment.services.requests import TrackRequest, read
from enrichment.services.submit import Accepted, submit, submit_all
from linernotes_client import tasks as client
from simulator.truth import World

PARTS = ("submit", "delay", "overhead")
LOW = 3
SINGLES, ROUNDS = 200, 5
SEQUENTIAL = 30
"""Tracks that tell how fast one after another is."""
PATIENCE = 900.0
UNPLANNED = "SELECT count(*) FROM replans"
NAMES = {"plain_celery": "plain Celery", "on_dramatiq": "dramatiq", "on_procrastinate": "procrastinate"}

SUBMITTED, DELAYED, REUSED = 5000.0, 0.6, 2000.0
TIMES = {"plain_celery": 10.0, "on_dramatiq": 2.0, "on_procrastinate": 2.0}
"""How many times a peer's tracks per second the fleet does."""
CPU_SHARE, LOST = 0.5, 2.0
"""CPU per finding as a share of plain Celery's; points of coverage that the fleet may have less."""


def _requests(rows: Sequence[Row], ids: str = "") -> list[TrackRequest]:
    """ids: what the producer's ids begin with; without, they have none."""
    return [
        read(TrackRequest, {**row, "priority": LOW} | ({"track_id": f"{ids}{number}"} if ids else {}))
        for number, row in enumerate(rows)
    ]


def _per_second(count: int, work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return round(count / (time.perf_counter() - began), 1)


# --- submit and delay -----------------------------------------------------------------------------------------------


def _submits(where: Shop, rows: Sequence[Row], speed: float) -> dict[str, float]:
    """Tracks per second; nobody works on them meanwhile."""
    with crew(where, environ_of(where, speed), started=False) as ours:
        bulk = _requests(many(rows, len(rows))[:-SINGLES] or rows)
        singles = _requests([{**row, "artist": f"{row['artist']} alone"} for row in rows[:SINGLES]])
        began = time.perf_counter()
        found = {"bulk": _per_second(len(bulk), lambda: submit_all(ours.fleet, bulk))}
        while replan(ours.fleet):
            pass
        found["bulk_and_planned"] = round(len(bulk) / (time.perf_counter() - began), 1)
        found["single"] = _per_second(len(singles), lambda: [submit(ours.fleet, each) for each in singles])
        found["database_bytes_per_open_track"] = round(
            ours.count("SELECT pg_database_size(current_database())") / (len(bulk) + len(singles))
        )
    return found


def _nothing() -> None:
    """The least that a Celery task can be."""


def delays(broker_url: str, rows: Sequence[Row], count: int) -> dict[str, float]:
    """Messages per second, in turns: a machine with other work to do slows both."""
    client.app.conf.broker_url = broker_url
    plain = Celery("empty", broker=broker_url, set_as_current=False)
    nothing = plain.task(_nothing, name="nothing", ignore_result=True)
    given = [{"artist_name": row["artist"], "track_title": row["title"], "priority": LOW} for row in many(rows, count)]
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(_per_second(count, lambda: [client.enrich_track.delay(**each) for each in given]))
        theirs.append(_per_second(count, lambda: [nothing.delay() for _ in range(count)]))
    plain.close()
    return {
        "enrich_track": statistics.median(ours),
        "empty_task": statistics.median(theirs),
        "ratio": round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 3),
    }


# --- whole runs ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Way:
    """One way of doing it. findings: right ones. cpu: seconds of workers and servers."""

    tracks_per_second: float
    seconds: float
    findings: int
    calls_per_track: float
    cpu_workers: float
    cpu_servers: float
    cpu_ms_per_finding: float
    ended: float
    coverage: Mapping[str, float]
    right: Mapping[str, float]


def _way(given: Workload, phase: Phase, cost: Cost, ended: int) -> Way:
    theirs = {
        track: without_wrong(phase.found[track], given.truth[track]) for track in given.existing & set(phase.found)
    }
    right = Phase(len(theirs), {}, theirs)
    wanted = {name: share for name, share in right.coverage().items() if name in {*WANTED[Kind.TRACK], "artwork"}}
    findings = round(sum(wanted.values()) * right.subjects)
    return Way(
        tracks_per_second=round(ended / phase.seconds, 2),
        seconds=round(phase.seconds, 2),
        findings=findings,
        calls_per_track=phase.per_subject,
        cpu_workers=round(cost.workers, 2),
        cpu_servers=round(cost.servers, 2),
        cpu_ms_per_finding=round(1000 * cost.all / max(1, findings), 3),
        ended=round(ended / phase.subjects, 4),
        coverage=wanted,
        right=right_shares(phase, given),
    )


def _calls(where: Shop) -> int:
    return sum(seen_calls(where.upstream).values())


def _fleet(where: Shop, given: Workload, speed: float, processes: int) -> tuple[Way, dict[str, Any]]:
    with crew(where, environ_of(where, speed, unlimited=True), processes=processes) as ours:
        before, calls, began = ours.cost(), _calls(where), time.monotonic()
        accepted = submit_all(ours.fleet, _requests(given.rows, "n"))
        if not ours.drained(PATIENCE):
            note("the fleet has not ended in time")
        seconds, cost = time.monotonic() - began, ours.cost().since(before)
        refs = [each.ref for each in accepted if each.ref is not None]
        come = report.answers(ours.fleet, refs)
        pairs = zip(given.rows, refs, strict=True)
        phase = Phase(
            subjects=len(given.rows),
            calls={"all": _calls(where) - calls},
            found={track_of(row): come[ref]["metadata_acquired"] for row, ref in pairs},
            seconds=seconds,
        )
        ended = sum(1 for ref in refs if come[ref]["status"] in report.ENDED)
        return _way(given, phase, cost, ended), _reuse(ours, where, given)


def _reuse(ours: FleetCrew, where: Shop, given: Workload) -> dict[str, Any]:
    """Tracks per second of those that are known already, and what they cost upstream."""
    calls = _calls(where)
    again, others = _requests(given.rows, "n"), _requests(given.rows, "other-")
    found = {"again": _per_second(len(again), lambda: _served(ours, again))}
    accepted: list[Accepted] = []
    found["other_ids"] = _per_second(len(others), lambda: accepted.extend(_served(ours, others)))
    refs = [each.ref for each in accepted if each.ref is not None]
    standing = report.statuses(ours.fleet, refs)
    ended = sum(1 for ref in refs if standing[ref] in report.ENDED)
    ours.drained(60)
    return {**found, "ended_at_once": round(ended / len(others), 4), "calls": _calls(where) - calls}


def _served(ours: FleetCrew, requests: Sequence[TrackRequest]) -> list[Accepted]:
    """Handed in and planned, here or by the crew."""
    accepted = submit_all(ours.fleet, requests)
    while ours.count(UNPLANNED):
        replan(ours.fleet)
    return accepted


def peer(name: str, where: Shop, given: Workload, processes: int) -> Way:
    """Somebody else's way."""
    tracks = [(number, *track_of(row)) for number, row in enumerate(given.rows)]
    with peers(name, where, speed=None, processes=processes) as theirs:
        before, calls, began = theirs.cost(), _calls(where), time.monotonic()
        theirs.submit(tracks)
        theirs.drained(len(tracks), PATIENCE)
        seconds, cost = time.monotonic() - began, theirs.cost().since(before)
        found = theirs.found()
        phase = Phase(
            subjects=len(tracks),
            calls={"all": _calls(where) - calls},
            found={track_of(row): found.get(number, {}) for number, row in enumerate(given.rows)},
            seconds=seconds,
        )
        return _way(given, phase, cost, len(found))


def _sequential(where: Shop, given: Workload) -> dict[str, float]:
    """One process, one thread, no sleeps: there are no limits here."""
    rows, naive = given.rows[:SEQUENTIAL], Naive(where.upstream)
    calls = _calls(where)
    rate = _per_second(len(rows), lambda: [naive.track(*track_of(row)) for row in rows])
    naive.close()
    return {"tracks_per_second": rate, "calls_per_track": round((_calls(where) - calls) / len(rows), 3)}


def _overhead(where: Shop, given: Workload, options: argparse.Namespace) -> dict[str, Any]:
    ours, reuse = _fleet(where, given, options.speed, options.processes)
    note(f"fleet: {ours.tracks_per_second:.1f} tracks/s, {ours.cpu_ms_per_finding:.2f} ms of CPU per finding")
    figures: dict[str, Any] = {"fleet": asdict(ours), "reuse": reuse, "sequential": _sequential(where, given)}
    for name in options.peers:
        theirs = peer(name, where, given, options.processes)
        note(f"{name}: {theirs.tracks_per_second:.1f} tracks/s, {theirs.cpu_ms_per_finding:.2f} ms of CPU per finding")
        figures[name] = asdict(theirs)
    return figures


# --- what is said about them ----------------------------------------------------------------------------------------


def _checks(figures: Mapping[str, Any]) -> list[Check]:
    checks = []
    if submits := figures.get("submit"):
        checks.append(at_least("submit: tracks per second, bulk", submits["bulk"], SUBMITTED))
    if delays := figures.get("delay"):
        checks.append(at_least("delay: share of an empty task's rate", delays["ratio"], DELAYED))
    if overhead := figures.get("overhead"):
        checks += _overhead_checks(overhead)
    return checks


def _overhead_checks(overhead: Mapping[str, Any]) -> list[Check]:
    fleet, reuse = overhead["fleet"], overhead["reuse"]
    checks = [
        at_least("reuse: tracks per second, the same ids", reuse["again"], REUSED),
        at_least("reuse: tracks per second, other ids", reuse["other_ids"], REUSED),
        at_most("reuse: calls", reuse["calls"], 0),
        at_least("fleet: share that has ended", fleet["ended"], 1.0),
    ]
    for name, least in TIMES.items():
        if (theirs := overhead.get(name)) is None:
            continue
        times = round(fleet["tracks_per_second"] / theirs["tracks_per_second"], 2) if theirs["ended"] == 1 else None
        checks.append(at_least(f"tracks per second, times {NAMES[name]}'s", times, least))
        lost = max(
            (100 * (share - fleet["coverage"].get(f, 0.0)) for f, share in theirs["coverage"].items()), default=0
        )
        checks.append(at_most(f"points of coverage below {NAMES[name]}, worst field", round(lost, 2), LOST))
    if plain := overhead.get("plain_celery"):
        share = round(fleet["cpu_ms_per_finding"] / plain["cpu_ms_per_finding"], 3)
        checks.append(at_most("CPU per finding, share of plain Celery's", share, CPU_SHARE))
    return checks


def _grids(figures: Mapping[str, Any]) -> list[Grid]:
    plain = {part: figures[part] for part in ("submit", "delay") if part in figures}
    grids = [Grid(part, ("figure", ">value"), list(values.items())) for part, values in plain.items()]
    if overhead := figures.get("overhead"):
        ways = {name: overhead[name] for name in ("fleet", *PEERS) if name in overhead}
        told = ("tracks_per_second", "calls_per_track", "findings", "cpu_workers", "cpu_servers", "cpu_ms_per_finding")
        rows = [(NAMES.get(name, name), *(way[each] for each in told)) for name, way in ways.items()]
        grids.append(Grid("Whole runs without limits", ("way", *(f">{each}" for each in told)), rows))
        fields = sorted({name for way in ways.values() for name in way["coverage"]})
        cover = [
            (field, *(round(100 * way["coverage"].get(field, 0.0), 1) for way in ways.values())) for field in fields
        ]
        grids.append(
            Grid("Percent of existing tracks that have a field", ("field", *(f">{name}" for name in ways)), cover)
        )
        grids.append(Grid("Asked again", ("figure", ">value"), list(overhead["reuse"].items())))
    return grids


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of `linernotes bench throughput`."""
    parser.add_argument("--parts", type=_parts, default=PARTS, help=f"which to measure [{','.join(PARTS)}]")
    parser.add_argument("--rows", type=int, default=500, help="tracks of a whole run [%(default)s]")
    parser.add_argument("--submits", type=int, default=20_000, help="tracks to submit [%(default)s]")
    parser.add_argument("--messages", type=int, default=2_000, help="of each round of `delay` [%(default)s]")
    parser.add_argument("--listens", type=Path, help="scrobbles.csv[.gz]: the tracks to ask for")
    parser.add_argument("--peers", type=_peers, default=PEERS, help=f"of {','.join(PEERS)}, or none [all]")
    parser.add_argument("--processes", type=int, default=2, help="worker processes, of each way [%(default)s]")
    parser.add_argument("--speed", type=float, default=50.0, help="divides the upstreams' latencies [%(default)s]")
    parser.add_argument("--seed", type=int, default=1)


def _parts(given: str) -> tuple[str, ...]:
    return _of(PARTS, "part", given)


def _peers(given: str) -> tuple[str, ...]:
    asked = () if given == "none" else _of(PEERS, "peer", given)
    if lacking := missing_peers(asked):
        raise argparse.ArgumentTypeError(f"{', '.join(lacking)}: not installed; pip install -e '.[bench]'")
    return asked


def _of(known: Sequence[str], what: str, given: str) -> tuple[str, ...]:
    asked = tuple(given.split(","))
    if unknown := [name for name in asked if name not in known]:
        raise argparse.ArgumentTypeError(f"there is no {what} {unknown[0]!r}; there are {', '.join(known)}")
    return asked


def run(options: argparse.Namespace) -> Report:
    """Measures the parts asked for."""
    figures: dict[str, Any] = {}
    if lacking := missing_peers(options.peers):
        note(f"{', '.join(lacking)}: not installed, and left out; pip install -e '.[bench]'")
        options.peers = tuple(name for name in options.peers if name not in lacking)
    with shop(unlimited=True, speed=options.speed, listens=options.listens) as where:
        world = World.build(None, options.listens)
        given = choose(world, options.listens, rows=options.rows, sample=1, seed=options.seed)
        if "submit" in options.parts:
            figures["submit"] = _submits(where, many(given.rows, options.submits), options.speed)
        if "delay" in options.parts:
            figures["delay"] = delays(where.servers.addresses.broker_url, given.rows, options.messages)
        if "overhead" in options.parts:
            figures["overhead"] = _overhead(where, given, options)
    return Report("throughput", figures, _checks(figures), _grids(figures))


if __name__ == "__main__":
    sys.exit(start("throughput", sys.argv[1:]))
