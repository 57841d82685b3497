"""Worker processes at work on embedded servers, ours and other people's, and what they cost."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import Engine, create_engine, text

from bench.chaos.rig import Shop, Worker
from bench.driving import OPEN, a_database
from cli.fleet import importable
from cli.upstream import simulated
from enrichment.bootstrap import ROOT, Parts, build, make_sources, register_sources, settle_in
from enrichment.embedded import Program, Servers, temporary_servers
from enrichment.embedded.child import stop_all
from enrichment.embedded.server import poll
from enrichment.embedded.supervisor import ProgramChild
from enrichment.publishing import make_sender
from enrichment.services.fleet import Fleet
from enrichment.settings import load
from simulator.server import running

READY_SECONDS = 60.0
PROCESSES, THREADS = 2, 32
PLENTY = "100000/1 burst=100000 concurrency=64"


@contextmanager
def shop(**options: Any) -> Iterator[Shop]:
    """Servers and a simulator, of which nothing remains. options: the simulator's."""
    with temporary_servers() as servers, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        log = Path(folder) / "witness.jsonl"
        with running(log=log, **options) as upstream:
            yield Shop(servers, upstream, log)


def environ_of(where: Shop, speed: float, *, unlimited: bool = False) -> dict[str, str]:
    """Settings of a fleet there, with every key there is, at the simulator's speed. unlimited: as its upstreams are."""
    found = simulated(load(), int(where.upstream.rpartition(":")[2]), speed)
    found |= dict.fromkeys((secret for each in make_sources(load({})).values() for secret in each.secrets), "extended")
    found |= {"LINERNOTES_SPOTIFY_MODE": "extended"}
    if unlimited:
        found |= {f"LINERNOTES_{name.upper()}_BUDGET": PLENTY for name in make_sources(load({}))}
    return {**found, **where.servers.addresses.environment()}


def seen_calls(upstream: str) -> dict[str, int]:
    """Requests that a simulator has seen so far, by source."""
    reply = httpx.get(f"{upstream}/_simulator/stats", timeout=30, trust_env=False)
    return {name: seen["requests"] for name, seen in reply.json()["sources"].items()}


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of worker processes and of the servers."""

    workers: float
    servers: float

    @property
    def all(self) -> float:
        """Both."""
        return self.workers + self.servers

    def since(self, before: Cost) -> Cost:
        """The difference to an earlier cost."""
        return Cost(self.workers - before.workers, self.servers - before.servers)


def _cpu(pids: Sequence[int | None]) -> float:
    spent = 0.0
    for pid in filter(None, pids):
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            for each in (process, *process.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    times = each.cpu_times()
                    spent += times.user + times.system
            # Those that have ended: PostgreSQL's backends above all.
            spent += process.cpu_times().children_user + process.cpu_times().children_system
    return spent


class Crew:
    """Processes that work. To be had by `crew` and `peers`."""

    def __init__(self, servers: Servers, workers: Sequence[ProgramChild], engine: Engine) -> None:
        self.workers, self.engine = workers, engine
        self._servers = servers

    def cost(self) -> Cost:
        """So far."""
        return Cost(_cpu([each.pid for each in self.workers]), _cpu([each.pid for each in self._servers.all]))

    def resident(self) -> list[float]:
        """MiB of each worker process."""
        pids = [each.pid for each in self.workers]
        return [psutil.Process(pid).memory_info().rss / 2**20 for pid in pids if pid]

    def start(self, ready: str) -> None:
        """Returns when all have said that they are ready."""
        for each in self.workers:
            each.spawn()
        if not poll(lambda: all(ready in each.log_tail(500) for each in self.workers), READY_SECONDS):
            raise RuntimeError(f"no worker has come up; the log ends with\n{self.workers[0].log_tail()}")

    def stop(self) -> None:
        """Ends them side by side."""
        stop_all(self.workers)
        self.engine.dispose()

    def count(self, query: str, **values: Any) -> int:
        """A number that a query finds."""
        with self.engine.connect() as connection:
            return int(connection.execute(text(query), values).scalar_one())


class FleetCrew(Crew):
    """Our workers. fleet: ours in this process, which submits."""

    def __init__(self, where: Shop, environ: Mapping[str, str], workers: Sequence[Worker], fleet: Fleet) -> None:
        super().__init__(where.servers, workers, create_engine(environ["LINERNOTES_DATABASE_URL"], pool_size=2))
        self.environ, self.fleet = environ, fleet

    def drained(self, seconds: float) -> bool:
        """Waits until nothing is open, at most so long."""
        until, quiet = time.monotonic() + seconds, 0
        while quiet < 2 and time.monotonic() < until:
            time.sleep(0.1)
            with self.engine.connect() as connection:
                quiet = quiet + 1 if connection.execute(OPEN).scalar_one() == 0 else 0
        return quiet == 2

    def stop(self) -> None:
        """And gives connections back."""
        super().stop()
        self.fleet.close()


@contextmanager
def crew(
    where: Shop,
    environ: Mapping[str, str],
    *,
    processes: int = PROCESSES,
    threads: int = THREADS,
    started: bool = True,
) -> Iterator[FleetCrew]:
    """A fleet with nothing known on a database of its own, and its worker processes.

    started: else by `start`.
    """
    with a_database(where.servers) as url, ExitStack() as stack:
        full = {**environ, "LINERNOTES_DATABASE_URL": url, "LINERNOTES_THREADS": str(threads)}
        settings = load(full)
        fleet = build(settings, Parts(send_fetch=make_sender(settings.broker_url), threads=processes * threads))
        register_sources(fleet)
        settle_in()
        names = [f"w{number}-{uuid.uuid4().hex[:6]}" for number in range(processes)]
        workers = [Worker(name, "workers", full, threads, where.servers.data) for name in names]
        made = FleetCrew(where, full, workers, fleet)
        stack.callback(made.stop)
        if started:
            made.start("ready.")
        yield made


# --- peers ----------------------------------------------------------------------------------------------------------

PEERS = ("plain_celery", "on_dramatiq", "on_procrastinate")
NEEDS = {"plain_celery": "celery", "on_dramatiq": "dramatiq", "on_procrastinate": "procrastinate"}


def missing_peers(names: Sequence[str]) -> list[str]:
    """Those whose library is not installed."""
    return [name for name in names if importlib.util.find_spec(NEEDS[name]) is None]


class PeerCrew(Crew):
    """Somebody else's workers."""

    def __init__(self, name: str, where: Shop, environ: Mapping[str, str], workers: Sequence[ProgramChild]) -> None:
        super().__init__(where.servers, workers, create_engine(_psycopg(environ["PEERS_DATABASE"]), pool_size=2))
        self._name, self._environ = name, environ

    def submit(self, tracks: Sequence[tuple[int, str, str]], lane: str = "default") -> None:
        """Hands them in, from a process of its own."""
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".json") as file:
            json.dump(tracks, file)
            file.flush()
            _run_peer(self._name, self._environ, file.name, lane)

    def drained(self, tracks: int, seconds: float) -> bool:
        """Waits until so many tracks have ended, at most so long."""
        done = lambda: self.count("SELECT count(*) FROM peer_tracks WHERE ended_at IS NOT NULL") >= tracks  # noqa: E731
        return poll(done, seconds)

    def has_ended(self, track: int) -> bool:
        """Is this one done?"""
        return bool(self.count("SELECT count(*) FROM peer_tracks WHERE id = :id AND ended_at IS NOT NULL", id=track))

    def found(self) -> dict[int, dict[str, Any]]:
        """What was found, by number."""
        with self.engine.connect() as connection:
            rows = connection.execute(text("SELECT id, found FROM peer_tracks WHERE found IS NOT NULL"))
            return {row.id: row.found for row in rows}


@contextmanager
def peers(
    name: str, where: Shop, *, speed: float | None, processes: int = PROCESSES, threads: int = THREADS
) -> Iterator[PeerCrew]:
    """Another way's worker processes on a database and a broker of their own. speed: of its limits, None for none."""
    module = importlib.import_module(f"bench.peers.{name}")
    with a_database(where.servers, migrated=False) as url, ExitStack() as stack:
        environ = {
            "PEERS_UPSTREAM": where.upstream,
            "PEERS_DATABASE": url.replace("postgresql+psycopg://", "postgresql://"),
            "PEERS_REDIS": where.servers.addresses.broker_url,
            "PEERS_SPEED": "" if speed is None else str(speed),
            "PEERS_WORKERS": str(processes),
            **importable(),
        }
        _run_peer(name, environ)
        programs = [
            Program(
                f"{name}-{number}-{uuid.uuid4().hex[:6]}",
                [sys.executable, *module.command(number, threads)],
                environ,
                grace=5.0,
            )
            for number in range(processes)
        ]
        made = PeerCrew(name, where, environ, [ProgramChild(each, where.servers.data) for each in programs])
        stack.callback(made.stop)
        made.start(module.READY)
        yield made


def _psycopg(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


def _run_peer(name: str, environ: Mapping[str, str], *arguments: str) -> None:
    command = [sys.executable, "-m", "bench.peers", name, *arguments]
    done = subprocess.run(  # noqa: S603 - our own module
        command, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{name} has failed:\n{done.stderr[-2000:]}")
