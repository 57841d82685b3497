"""What the HTTP service holds up to, beside a working fleet: `linernotes bench service [OPTIONS]`.

A whole fleet of its own (`linernotes up --simulate`: two workers, service, Flower, the simulator), from nothing:

    together   1,000 POST /enrich at once, all for the same 50 tracks: how many enrichments they make
    batch      one batch of 10,000 tracks at low_priority: until it is accepted, and until all have ended
    status     meanwhile, 200 GET …/enrichment_status a second of tracks of that batch

Times of `status` are milliseconds, from the moment that a request was due to the last byte of its answer. Beside them
stands the CPU time that the service spent per request: that is the same on a machine that has other things to do.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import create_engine, text

from bench.report import Grid, Report, at_least, at_most, note, start
from cli.fleet import importable
from simulator import catalogue

SAME, CALLERS = 50, 1000
ACCEPTED_SECONDS, P95_MS = 10.0, 25.0
LOOK_SECONDS = 1.0
CONNECTIONS = 16
"""Over which the status is asked; who is due when all are taken waits, and is counted from when it was due."""

# Asked by SQL, not by the code under test. A cover is downloaded again where a better one has been found since: its
# address is in the keys.
_ENRICHMENTS = text("SELECT count(*) FROM enrichment_status WHERE kind = 'track'")
_ASKED = text(
    "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM lookups GROUP BY source, question, subject_id, keys) l"
)


@dataclass(slots=True)
class Fleet:
    """A running one. service: its process, and those it has started."""

    http: httpx.Client
    database: str
    service: list[psutil.Process]

    def cpu_seconds(self) -> float:
        """What the service has spent so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self.service)

    def column(self, query: Any) -> list[Any]:
        """What the database says."""
        engine = create_engine(self.database.replace("postgresql://", "postgresql+psycopg://"))
        try:
            with engine.connect() as connection:
                return list(connection.execute(query).scalars())
        finally:
            engine.dispose()

    def count(self, query: Any) -> int:
        """The one number that it says."""
        (number,) = self.column(query)
        return int(number)


@contextmanager
def running(speed: float) -> Iterator[Fleet]:
    """A fleet on a folder of its own, of which nothing remains."""
    with tempfile.TemporaryDirectory(prefix="linernotes-bench-") as folder:
        Path(folder).chmod(0o711)  # as root PostgreSQL runs as somebody else
        command = [sys.executable, "-m", "cli.main", "up", "--simulate", "--json", "--data", folder, "--port", "0"]
        command += ["--speed", str(speed)]
        with subprocess.Popen(  # noqa: S603 - our own program
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**_environ(), **importable()}
        ) as process:
            assert process.stdout is not None
            try:
                where = json.loads(process.stdout.readline())
                headers = {"Authorization": f"Bearer {where['token']}"}
                limits = httpx.Limits(max_connections=CALLERS)
                with httpx.Client(base_url=where["service"], headers=headers, timeout=300, limits=limits) as http:
                    yield Fleet(http, where["database_url"], _service_of(process.pid))
            finally:
                process.send_signal(signal.SIGINT)


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("LINERNOTES_")}


def _service_of(pid: int) -> list[psutil.Process]:
    children = psutil.Process(pid).children(recursive=True)
    (parent,) = (each for each in children if each.cmdline()[1:3] == ["-m", "service"])
    return [parent, *parent.children(recursive=True)]


# --- together -------------------------------------------------------------------------------------------------------


def together(fleet: Fleet) -> dict[str, float]:
    """Everybody wants the same, now."""
    songs = [
        {"track_id": f"same-{n}", "artist_name": row["artist"], "track_title": row["title"]}
        for n, row in enumerate(itertools.islice(catalogue.small_requests(), SAME))
    ]
    statuses, seconds = asyncio.run(_all_at_once(fleet, songs))
    return {
        "answered": float(sum(1 for status in statuses if status in (200, 202))),
        "ended": float(statuses.count(200)),
        "enrichments": float(fleet.count(_ENRICHMENTS)),
        "asked_most": float(fleet.count(_ASKED)),
        "seconds": round(seconds, 2),
    }


async def _all_at_once(fleet: Fleet, songs: Sequence[Any]) -> tuple[list[int], float]:
    limits = httpx.Limits(max_connections=CALLERS)
    base, headers = fleet.http.base_url, fleet.http.headers
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=120, limits=limits) as http:
        began = time.monotonic()
        asked = (http.post("/enrich", params={"wait": 60}, json=songs[n % SAME]) for n in range(CALLERS))
        answers = await asyncio.gather(*asked)
        return [answer.status_code for answer in answers], time.monotonic() - began


# --- a batch --------------------------------------------------------------------------------------------------------


def items(listens: Path | None, count: int) -> list[dict[str, Any]]:
    """Tracks with ids of their own: of a listening log, else of the catalogue, as often as it takes."""
    if listens:
        rows = [(artist, title) for artist, title, _, _ in catalogue.listens(listens)]
    else:
        rows = [(row["artist"], row["title"]) for row in catalogue.small_requests()]
    return [
        {"track_id": f"batch-{n}", "artist_name": artist, "track_title": title, "priority": 2}
        for n, (artist, title) in enumerate(itertools.islice(itertools.cycle(rows), count))
    ]


def hand_in(fleet: Fleet, rows: Sequence[Any]) -> tuple[str, dict[str, float]]:
    """One batch. Returns where it stands."""
    began = time.monotonic()
    answer = fleet.http.post("/enrich/batch", json=rows).raise_for_status().json()
    return answer["status_url"], {"accepted": float(answer["accepted"]), "seconds": round(time.monotonic() - began, 2)}


def to_the_end(fleet: Fleet, batch: str, seconds: float) -> dict[str, float]:
    """Until all have ended, or the patience is over."""
    began = time.monotonic()
    while True:
        found = fleet.http.get(batch).raise_for_status().json()
        still, spent = found["pending"] + found["in_progress"], time.monotonic() - began
        if not still or spent > seconds:
            known = {name: float(found[name]) for name in ("completed", "partial", "failed")}
            return {"open": float(still), **known, "seconds": round(spent, 1)}
        time.sleep(LOOK_SECONDS)


# --- status ---------------------------------------------------------------------------------------------------------


class Callers:
    """Connections that stay, each with one request at a time; what they cost should be the service's, not ours."""

    def __init__(self, http: httpx.Client) -> None:
        self._host, self._port = http.base_url.host, http.base_url.port
        self._head = f"Host: {self._host}\r\nAuthorization: {http.headers['authorization']}\r\n\r\n"
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def open(self) -> None:
        """All of them."""
        for _ in range(CONNECTIONS):
            self._free.put_nowait(await asyncio.open_connection(self._host, self._port))

    async def get(self, path: str) -> int:
        """The status of the answer, once all of it is there."""
        reader, writer = await self._free.get()
        writer.write(f"GET {path} HTTP/1.1\r\n{self._head}".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        self._free.put_nowait((reader, writer))
        return int(head.split(b" ", 2)[1])

    async def close(self) -> None:
        """The connections."""
        while not self._free.empty():
            self._free.get_nowait()[1].close()


async def _asked(fleet: Fleet, ids: Sequence[str], rate: float, seconds: float) -> list[tuple[int, float]]:
    """At a steady rate, whatever becomes of those before: (status, milliseconds) of each."""
    callers = Callers(fleet.http)
    await callers.open()
    began = time.monotonic()

    async def ask(number: int) -> tuple[int, float]:
        due = began + number / rate
        await asyncio.sleep(due - time.monotonic())
        status = await callers.get(f"/tracks/{ids[number * 7919 % len(ids)]}/enrichment_status")
        return status, (time.monotonic() - due) * 1000

    answers = await asyncio.gather(*(ask(number) for number in range(int(rate * seconds))))
    await callers.close()
    return list(answers)


def status(fleet: Fleet, ids: Sequence[str], rate: float, seconds: float) -> dict[str, float]:
    """What it takes to tell how tracks stand."""
    before = fleet.cpu_seconds()
    answers = asyncio.run(_asked(fleet, ids, rate, seconds))
    spent = fleet.cpu_seconds() - before
    times = [each for _, each in answers]
    return {
        "asked": float(len(answers)),
        "ok": float(sum(1 for status, _ in answers if status == 200)),
        "median_ms": round(statistics.median(times), 2),
        "p95_ms": round(statistics.quantiles(times, n=20)[-1], 2),
        "cpu_ms": round(1000 * spent / len(answers), 3),
    }


# --- all of it ------------------------------------------------------------------------------------------------------


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of `linernotes bench service`."""
    parser.add_argument("--rows", type=int, default=10_000, help="tracks of the batch [%(default)s]")
    parser.add_argument("--listens", type=Path, metavar="FILE", help="tracks of a listening log, scrobbles.csv[.gz]")
    parser.add_argument("--rate", type=float, default=200.0, help="status requests a second [%(default)g]")
    parser.add_argument("--seconds", type=float, default=30.0, help="for so long [%(default)g]")
    parser.add_argument("--speed", type=float, default=20.0, help="of fleet and simulator [%(default)g]")
    parser.add_argument("--patience", type=float, default=1800.0, help="seconds until all end [%(default)g]")


def run(options: argparse.Namespace) -> Report:
    """Measures."""
    rows = items(options.listens, options.rows)
    with running(options.speed) as fleet:
        note("together")
        same = together(fleet)
        note("batch")
        batch, taken = hand_in(fleet, rows)
        note("status")
        told = status(fleet, [row["track_id"] for row in rows], options.rate, options.seconds)
        note("until the batch has ended")
        ended = to_the_end(fleet, batch, options.patience)
    checks = [
        at_least("requests answered", same["answered"], CALLERS),
        at_least("enrichments they made", same["enrichments"], SAME),
        at_most("and not one more", same["enrichments"], SAME),
        at_most("times that one question was asked of one subject", same["asked_most"], 1),
        at_least("tracks accepted", taken["accepted"], len(rows)),
        at_most("seconds until they were accepted", taken["seconds"], ACCEPTED_SECONDS),
        at_most("tracks that have not ended", ended["open"], 0),
        at_least("status requests answered", told["ok"], told["asked"]),
        at_most("status, p95 ms", told["p95_ms"], P95_MS),
    ]
    figures = {"together": same, "batch": {**taken, "until_ended": ended}, "status": told}
    grids = [Grid(name, ("figure", ">value"), list(found.items())) for name, found in figures.items()]
    return Report("service", figures, checks, grids)


if __name__ == "__main__":
    sys.exit(start("service", sys.argv[1:]))
