"""What faults happen to: servers, a simulator whose log is the witness, worker processes; and when they happened."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis
from celery import Celery
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from bench.chaos.proxy import Proxy, proxied
from bench.report import note
from cli.fleet import QUEUES, importable
from cli.upstream import simulated
from enrichment.bootstrap import migrate
from enrichment.embedded import Program, Servers, drop_database, new_database
from enrichment.embedded.redis import RedisServer
from enrichment.embedded.server import Server, free_port, poll
from enrichment.embedded.supervisor import ProgramChild
from enrichment.settings import load

RESPAWN_SECONDS = 1.0
LANES = QUEUES.split(",")[1:]
READY_SECONDS = 60.0
DRAIN_LOOKS = 3
TABLES = Path(__file__).with_name("audit.sql")

BUDGETS = {
    # The limiter alone shall keep the rate of the tightest source, not a lack of slots.
    "LINERNOTES_MUSICBRAINZ_BUDGET": "0.95/1 concurrency=8",
    # The widest take less than they might, so that their windows leave threads to the others on a machine like this.
    "LINERNOTES_DEEZER_BUDGET": "3/1",
    "LINERNOTES_ACOUSTICBRAINZ_BUDGET": "2/1",
    "LINERNOTES_ARTWORK_BUDGET": "2/1",
    "LINERNOTES_COVERARTARCHIVE_BUDGET": "2/1",
    "LINERNOTES_LASTFM_BUDGET": "2/1",
}

SCHEDULES = {"LINERNOTES_SCHEDULE_RECHECK": "* * * * *"}
"""One runs often enough to be seen."""

_OPEN = text("""
SELECT (SELECT count(*) FROM lookups WHERE state IN ('gathering', 'waiting', 'claimed', 'not_due'))
    + (SELECT count(*) FROM replans)
    + (SELECT count(*) FROM enrichment_status WHERE status IN ('pending', 'in_progress'))
""")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run is made. seconds: of load. rate: requests a second. backlog: requests at the start. drain: seconds.

    broker: the URL of another broker than the embedded one. environ: further variables of the fleet.
    """

    seconds: float = 30.0
    seed: int = 1
    speed: float = 5.0
    workers: int = 3
    threads: int = 48
    rate: float = 2.0
    backlog: int = 40
    drain: float = 150.0
    broker: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shop:
    """What runs share: servers, the simulator and its log."""

    servers: Servers
    upstream: str
    log: Path


@dataclass(slots=True)
class Blow:
    """One stroke of a fault: from when to when, by this machine's clock.

    dead: workers that it killed, by their names in the fleet. thawed: when a frozen worker went on. forgets: it looked
    to the limiter as if an hour had passed, in which nothing was called.
    """

    began: float
    ended: float = 0.0
    dead: tuple[uuid.UUID, ...] = ()
    thawed: float | None = None
    forgets: bool = False


BEHIND = 10
"""Niceness of all that works for the fleet. The witness shares the cores with it: if it had to wait, calls that have
kept their distance would reach it in bunches.
"""
PATIENCE = 60.0


def start(server: Server) -> None:
    """Starts a server again, behind the witness."""
    server.start(PATIENCE)
    _put_behind(server)


def _put_behind(server: Server) -> None:
    if (pid := server.pid) is not None:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            for each in (process, *process.children(recursive=True)):
                each.nice(BEHIND)


class Struck(ProgramChild):
    """A process of the fleet. falls: how often it ended although nobody has killed or stopped it."""

    def __init__(self, name: str, command: Sequence[str], environ: Mapping[str, str], data: Path) -> None:
        behind = ["nice", "-n", str(BEHIND), sys.executable, "-m", *command]
        super().__init__(Program(name, behind, {**importable(), **environ}), data)
        self.falls = 0
        self.ours = False
        """Its end is our doing."""
        self.mortal = False
        """It may end at any time, by poison."""
        self.away = False
        """It is not to be started again yet."""

    def strike(self) -> None:
        """Kill -9."""
        self.ours = True
        self.kill()

    def freeze(self) -> None:
        """Stops all its threads where they are."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets them go on."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGCONT)

    @property
    def failures(self) -> int:
        """How often it fell."""
        return self.falls


class Worker(Struck):
    """A Celery worker."""

    def __init__(self, name: str, app: str, environ: Mapping[str, str], threads: int, data: Path) -> None:
        command = ["celery", "-A", app, "worker", "-P", "threads", "-c", str(threads), "-n", f"{name}@%h"]
        command += ["--without-gossip", "--without-mingle", "-Q", QUEUES, "-l", "INFO"]
        super().__init__(name, command, environ, data)

    @property
    def failures(self) -> int:
        """How often it fell, or has said that it is about to: the process may still wait for its threads."""
        told = self.log.read_text(errors="replace").count("Unrecoverable error") if self.log.exists() else 0
        return max(self.falls, told)

    @property
    def exit_code(self) -> int | None:
        """Of the process that has ended."""
        return None if self._process is None else self._process.poll()

    @property
    def is_ready(self) -> bool:
        """Does it take messages?"""
        return "ready." in self.log_tail(200)


class Rig:
    """A fleet to be struck. To be had by `rigged`."""

    def __init__(self, shop: Shop, plan: Plan, app: str, database_url: str, proxy: Proxy | None) -> None:
        self.shop, self.plan, self.proxy = shop, plan, proxy
        self.random = random.Random(plan.seed)
        self.engine: Engine = create_engine(database_url, pool_pre_ping=True, pool_size=2)
        """Not the fleet's: what is looked at from outside."""
        self.environ = self._environ(database_url)
        self.workers = [
            Worker(_name("worker"), app, self.environ, plan.threads, shop.servers.data) for _ in range(plan.workers)
        ]
        self.port = free_port()
        service = ["service", "--port", str(self.port)]
        self.service = Struck(_name("service"), service, self.environ, shop.servers.data)
        self.beats = [self._beat(app)]
        self.blows: list[Blow] = []
        self.pauses: list[tuple[str, float, float]] = []
        """Sources that we have told to be left alone: from when to when."""
        self.told = 0
        self._ends = 0.0
        self._over = threading.Event()
        self._log_from = 0

    def _environ(self, database_url: str) -> dict[str, str]:
        plan, addresses = self.plan, self.shop.servers.addresses
        if self.proxy is not None:
            database_url = database_url.replace(f":{self.shop.servers.postgres.port}/", f":{self.proxy.port}/")
        port = int(self.shop.upstream.rpartition(":")[2])
        return {
            **simulated(load(), port, plan.speed),
            **addresses.environment(),
            "LINERNOTES_DATABASE_URL": database_url,
            "LINERNOTES_BROKER_URL": plan.broker or addresses.broker_url,
            "LINERNOTES_THREADS": str(plan.threads),
            "LINERNOTES_OPEN_TO_ALL": "submit,read",
            **BUDGETS,
            **SCHEDULES,
            **plan.environ,
        }

    def _beat(self, app: str) -> Struck:
        name = _name("beat")
        kept = self.shop.servers.data / "run" / f"{name}.schedule"
        command = ["celery", "-A", app, "beat", "--schedule", str(kept), "--pidfile", "", "-l", "INFO"]
        return Struck(name, command, self.environ, self.shop.servers.data)

    def another_beat(self) -> None:
        """Beats beside the one there is, as where a deploy forgot the old one."""
        self.beats.append(self._beat("workers"))
        self.beats[-1].spawn()

    @property
    def children(self) -> list[Struck]:
        """Every process of the fleet."""
        return [*self.workers, self.service, *self.beats]

    # --- its life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Workers and service are ready, the witness begins."""
        self.scenario([])
        self._log_from = self._control("POST", "reset")["log"]["offset"]
        for child in self.children:
            child.spawn()
        for worker in self.workers:
            if not poll(lambda worker=worker: worker.is_ready, READY_SECONDS):  # type: ignore[misc]  # bound at once
                raise RuntimeError(f"a worker does not become ready; the end of {worker.log}:\n{worker.log_tail()}")
        if not poll(self.serves, READY_SECONDS):
            raise RuntimeError(f"the service does not become ready; its log ends:\n{self.service.log_tail()}")
        threading.Thread(target=self._keep, daemon=True).start()

    @property
    def url(self) -> str:
        """The service's."""
        return f"http://127.0.0.1:{self.port}"

    def serves(self) -> bool:
        """Does the service answer?"""
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/health", timeout=5, trust_env=False).status_code < 500
        return False

    def stop(self) -> None:
        """Everything of its own has ended."""
        self._over.set()
        for child in self.children:
            child.thaw()
            child.strike()
            child.stop()
        self.engine.dispose()

    def _keep(self) -> None:
        """What has died is started again a little later, as any supervisor would."""
        while not self._over.wait(0.1):
            for child in self.children:
                if child.died() and not child.away:
                    if not (child.ours or child.mortal):
                        child.falls += 1
                        note(f"  {child.name} has ended by itself: {child.log_tail(1)[:200]}")
                    self._over.wait(RESPAWN_SECONDS)
                    child.ours = False
                    with suppress(OSError):
                        child.respawn()

    # --- time -----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The load's time runs from now."""
        self._ends = time.monotonic() + self.plan.seconds

    @property
    def left(self) -> float:
        """Seconds until the load ends."""
        return max(0.0, self._ends - time.monotonic())

    def sleep(self, seconds: float) -> None:
        """Lets time pass."""
        self._over.wait(seconds)

    def every(self, seconds: float, least: int = 1) -> Iterator[int]:
        """Numbers, one each so many seconds until the load ends; at least so many."""
        number = 0
        while number < least or self.left > seconds:
            self.sleep(seconds * self.random.uniform(0.7, 1.0) if number else min(1.0, seconds))
            yield number
            number += 1

    @contextmanager
    def blow(self) -> Iterator[Blow]:
        """One stroke: from now to the end of the block."""
        made = Blow(time.time())
        self.blows.append(made)
        yield made
        made.ended = made.ended or time.time()

    # --- what is to be struck -------------------------------------------------------------------------------------

    @property
    def redises(self) -> list[RedisServer]:
        """The broker, where it is ours, and limiter and cache."""
        servers = self.shop.servers
        return [servers.redis] if self.plan.broker else [servers.broker, servers.redis]

    def busy_worker(self, patience: float = 3.0) -> tuple[Worker, uuid.UUID]:
        """A worker that holds claims just now, with its name in the fleet; any, where none holds one in time."""
        until = time.monotonic() + patience
        while True:
            for pid, name in self._holders():
                for worker in self.workers:
                    if worker.pid == pid:
                        return worker, name
            if time.monotonic() > until:
                return self.random.choice([each for each in self.workers if each.pid]), uuid.UUID(int=0)
            self.sleep(0.005)

    def _holders(self) -> list[tuple[int, uuid.UUID]]:
        query = "SELECT w.pid, w.id FROM workers w WHERE EXISTS (SELECT FROM lookups l WHERE l.claimed_by = w.id)"
        found = [(row.pid, row.id) for row in self.rows(query)]
        self.random.shuffle(found)
        return found

    def scenario(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """What goes wrong at the upstreams from now on."""
        self._control("POST", "scenario", list(rules))

    def _control(self, method: str, action: str, body: Any = None) -> dict[str, Any]:
        url = f"{self.shop.upstream}/_simulator/{action}"
        reply = httpx.request(method, url, json=body, timeout=10, trust_env=False)
        reply.raise_for_status()
        answer: dict[str, Any] = reply.json()
        return answer

    # --- what is to be seen ---------------------------------------------------------------------------------------

    def rows(self, query: str, **values: Any) -> Sequence[Any]:
        """What a query finds, by a connection of our own; nothing while the database is away."""
        try:
            with self.engine.connect() as connection:
                return connection.execute(text(query), values).all()
        except DBAPIError:
            return ()

    def change(self, statement: str, **values: Any) -> None:
        """A change of the database, by a connection of our own."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def witnessed(self) -> list[dict[str, Any]]:
        """The lines of the witness' log since `start`."""
        with self.shop.log.open(encoding="utf-8") as log:
            log.seek(self._log_from)
            return [json.loads(line) for line in log if line.endswith("\n")]

    def open(self) -> int | None:
        """How much is open, published messages among it; None while the database or the broker is away."""
        with suppress(DBAPIError, redis.RedisError), self.engine.connect() as connection:
            return int(connection.execute(_OPEN).scalar_one()) + self._published()
        return None

    def _published(self) -> int:
        if self.plan.broker:
            with Celery("chaos", broker=self.plan.broker, set_as_current=False) as app, app.connection() as connection:
                channel = connection.default_channel
                return sum(int(channel.queue_declare(name, passive=True).message_count) for name in LANES)
        with redis.Redis.from_url(self.shop.servers.broker.url) as client:
            waiting = [client.llen(name) for name in LANES]
            return int(sum(waiting) + client.zcard("journal:since"))

    def drain(self) -> float | None:
        """Waits until nothing is open. Returns after how many seconds, None where it does not happen in time."""
        started, quiet = time.monotonic(), 0
        while time.monotonic() - started < self.plan.drain:
            quiet = quiet + 1 if self.open() == 0 else 0
            if quiet == DRAIN_LOOKS:
                return time.monotonic() - started
            self.sleep(0.3)
        return None

    def memory(self, older: float) -> dict[int, float]:
        """MiB by worker's pid, of those that have lived for more than so many seconds."""
        found = {}
        for pid in filter(None, [worker.pid for worker in self.workers]):
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                if time.time() - process.create_time() > older:
                    found[pid] = process.memory_info().rss / 2**20
        return found


def _name(what: str) -> str:
    return f"{what}-{uuid.uuid4().hex[:6]}"


@contextmanager
def rigged(shop: Shop, plan: Plan, app: str = "workers", *, through_proxy: bool = False) -> Iterator[Rig]:
    """A fleet of its own on an empty database and emptied Redis servers; nothing of it remains."""
    admin = shop.servers.addresses.database_url
    name = f"chaos_{uuid.uuid4().hex[:12]}"
    database_url = new_database(admin, name)
    with ExitStack() as stack:
        stack.callback(drop_database, admin, name)
        for url in (shop.servers.addresses.redis_url, shop.servers.addresses.broker_url):
            with redis.Redis.from_url(url) as client:
                client.flushall()
        if plan.broker:
            with Celery("chaos", broker=plan.broker, set_as_current=False) as app_, app_.connection() as connection:
                for queue in QUEUES.split(","):
                    with suppress(connection.channel_errors):
                        connection.default_channel.queue_purge(queue)
        for server in shop.servers.all:
            _put_behind(server)
        migrate(database_url)
        proxy = stack.enter_context(proxied(shop.servers.postgres.port, plan.seed)) if through_proxy else None
        rig = Rig(shop, plan, app, database_url, proxy)
        with rig.engine.begin() as connection:
            connection.execute(text(TABLES.read_text()))
        stack.callback(rig.stop)
        rig.start()
        yield rig
