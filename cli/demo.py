"""`linernotes demo`: the whole fleet on this machine against simulated upstreams, summed up at the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from sqlalchemy import create_engine, text

from cli.failure import Failure
from cli.fleet import (
    THREADS,
    WORKERS,
    Opened,
    flower_program,
    joined,
    settings_of,
    supervised,
    wait_for_workers,
    worker_programs,
)
from cli.follow import Following, Sampler, view
from cli.serve import own_token
from cli.show import console, note, print_json, summary_line, summary_tables
from cli.up import addresses
from cli.upstream import simulated, simulator_program, wait_for_simulator, witnessed
from enrichment.embedded import Servers
from enrichment.embedded.server import free_port
from enrichment.reservoir.subjects import Ref
from enrichment.services import report
from enrichment.services.report import Run
from enrichment.services.requests import AlbumRequest, PerformerRequest, Request, TrackRequest, read
from enrichment.services.submit import submit_all
from simulator.catalogue import small_requests

ROWS = 200
TRACKS_PER_PERFORMER, TRACKS_PER_ALBUM = 5, 8
LONGEST = 600.0
"""Seconds after which a demo that has not ended says so."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a demo runs on. log: the simulator's, in which every request stands with its verdict."""

    folder: Path
    flower: int
    simulator: int
    speed: float

    @property
    def log(self) -> Path:
        """The simulator's log."""
        return self.folder / "logs" / "simulator.jsonl"


def demo(data: Path | None, *, rows: int, speed: float, json: bool) -> int:
    """Returns the exit code: 1 where not all requests have ended."""
    settings = settings_of()
    folder = (data or settings.data).expanduser() / "demo"
    note(f"starting PostgreSQL, Redis, the simulated upstreams and {WORKERS} workers in {folder} …")
    with Servers.start(folder) as servers:
        if not servers.owned:
            raise Failure(
                f"a demo runs on {servers.data} already; wait for its end, or name another folder with --data"
            )
        place = Place(servers.data, free_port(), free_port(), speed)
        _empty(servers, place)
        fleet = joined(servers, simulated(settings, place.simulator, speed))
        token = own_token(fleet)
        programs = [
            simulator_program(place.simulator, speed, place.log),
            *worker_programs(fleet),
            flower_program(fleet, place.flower, token),
        ]
        with supervised(fleet, programs):
            wait_for_simulator(fleet.settings.upstream_url, servers.data / "logs")
            wait_for_workers(fleet, WORKERS * THREADS)
            summary = _run(fleet, demo_requests(rows))
        where = addresses(fleet, place.flower, token)
    _tell(summary, where, place, json=json)
    return 1 if summary["requests"]["open"] else 0


def _empty(servers: Servers, place: Place) -> None:
    """A demo begins with nothing; the last one's data is its to delete."""
    engine = create_engine(servers.addresses.database_url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    for url in (servers.addresses.broker_url, servers.addresses.redis_url):
        with redis.Redis.from_url(url) as client:
            client.flushall()
    place.log.unlink(missing_ok=True)


def demo_requests(rows: int) -> list[Request]:
    """So many tracks from all over the catalogue that ships, and some of their performers and albums."""
    whole = small_requests()
    rows = min(rows, len(whole))
    given = [whole[number * len(whole) // rows] for number in range(rows)]
    tracks = [read(TrackRequest, each) for each in given]
    names = dict.fromkeys(each["artist"].split(", ")[0] for each in given)
    albums = dict.fromkeys((each["artist"].split(", ")[0], each["album"]) for each in given if each.get("album"))
    performers = [read(PerformerRequest, {"name": name}) for name in names]
    titles = [read(AlbumRequest, {"artist": artist, "title": title}) for artist, title in albums]
    return [*tracks, *performers[: -(-rows // TRACKS_PER_PERFORMER)], *titles[: -(-rows // TRACKS_PER_ALBUM)]]


def _run(fleet: Opened, requests: Sequence[Request]) -> dict[str, Any]:
    note(f"submitting {len(requests)} requests")
    started, began = report.database_moment(fleet.fleet), time.monotonic()
    with Sampler(fleet.fleet) as sampler:
        refs: list[Ref] = [each.ref for each in submit_all(fleet.fleet, requests) if each.ref is not None]
        with view(len(set(refs))) as shown:
            Following(fleet.fleet, refs, sampler, shown).wait(LONGEST)
    run = Run(started, refs, sampler.usage, time.monotonic() - began)
    run.witnessed = witnessed(fleet.settings.upstream_url) or {}
    return report.summary(fleet.fleet, run)


def _tell(summary: dict[str, Any], where: dict[str, Any], place: Place, *, json: bool) -> None:
    if json:
        print_json(summary)
        return
    screen = console()
    screen.print(*summary_tables(summary), sep="\n\n")
    over = sum(each["over_limit"] or 0 for each in summary["sources"].values())
    screen.print(f"\n{summary_line(summary)}", highlight=False)
    screen.print(
        f"Calls over a limit, by the upstreams' own log: {over} ({place.log})", highlight=False, soft_wrap=True
    )
    lines = (
        ("data", f"{place.folder} (kept until the next demo; `linernotes stats --data {place.folder}` reads it)"),
        ("logs", where["logs"]),
        ("look into it", f"linernotes up --data {place.folder}, then {where['psql']}"),
        ("Flower", "was up with the workers; `linernotes up` prints its address"),
        ("console", "is at the service of `linernotes up`"),
    )
    for name, value in lines:
        screen.print(f"  {name:<14} {value}", highlight=False, soft_wrap=True, markup=False)
