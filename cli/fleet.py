"""Which fleet a command works on, and the processes it starts for it.

1. the one that LINERNOTES_DATABASE_URL and LINERNOTES_REDIS_URL name
2. a running `linernotes up` of the data folder (its `fleet.json` says what it was started with)
3. the servers of the data folder, started for the duration of the command
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cli import handover, masters
from cli.failure import Failure, of_settings
from enrichment.bootstrap import ROOT, Parts, build, migrate, register_sources
from enrichment.embedded import Program, Servers, Supervisor
from enrichment.publishing import make_sender
from enrichment.reservoir.keys import VARIABLE as MASTERS
from enrichment.services.fleet import Fleet
from enrichment.settings import PREFIX, Settings, load

WORKERS, THREADS = 2, 32
START_SECONDS = 40.0
BEHIND = ("nice", "-n", "5")
"""Workers wait for upstreams anyway; the service, whose callers wait for it, and the servers have the CPU first."""
QUEUES = "fetch,critical,default,low_priority"


@dataclass(slots=True)
class Opened:
    """A fleet in use. environment: what its programs need besides our variables. servers: None where URLs name them."""

    fleet: Fleet
    settings: Settings
    environment: Mapping[str, str]
    data: Path
    servers: Servers | None

    @property
    def is_ours(self) -> bool:
        """Have we started the servers, so that nobody else works with them?"""
        return self.servers is not None and self.servers.owned

    @property
    def has_workers(self) -> bool:
        """Does any worker live?"""
        return not self.is_ours and self.fleet.threads() > 0


def settings_of(environ: Mapping[str, str] | None = None, **changes: Any) -> Settings:
    """The settings. Raises Failure naming the variable that cannot be read."""
    try:
        return load(environ, **changes)
    except ValueError as error:
        raise of_settings(error) from error


@contextmanager
def opened(data: Path | None, *, with_tables: bool = False) -> Iterator[Opened]:
    """The fleet to work on. with_tables: bring its tables up to date, also where URLs name its database."""
    settings = settings_of()
    folder = (data or settings.data).expanduser()
    if settings.database_url or settings.redis_url:
        if with_tables and settings.database_url:
            migrate(settings.database_url)
        made = _opened(settings, {}, folder, None)
        try:
            yield made
        finally:
            made.fleet.close()
        return
    with Servers.start(folder) as servers:
        yield joined(servers)


def joined(servers: Servers, extra: Mapping[str, str] | None = None) -> Opened:
    """The fleet on embedded servers, its tables up to date where they are ours. extra: further variables."""
    if servers.owned:
        handover.forget(servers.data)
        given = dict(extra or {})
    else:
        given = {**handover.read(servers.data), **(extra or {})}
    environment = given | servers.addresses.environment() | {f"{PREFIX}DATA": str(servers.data.resolve())}
    if not {**_environ(), **given}.get(MASTERS):
        environment[MASTERS] = str(masters.made(servers.data.resolve()))
    settings = settings_of({**_environ(), **environment})
    if servers.owned:
        migrate(settings.database_url)
    return _opened(settings, environment, servers.data, servers)


def _environ() -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in settings_of().environ.items()}


def _opened(settings: Settings, environment: Mapping[str, str], data: Path, servers: Servers | None) -> Opened:
    try:
        fleet = build(settings, Parts(send_fetch=make_sender(settings.broker_url) if settings.broker_url else None))
    except ValueError as error:
        raise of_settings(error) from error
    with fleet.engine.connect():  # a database that is away is told at once; later on it is waited for
        pass
    register_sources(fleet)
    fleet.standings()  # keys are from the database
    return Opened(fleet, settings, environment, data, servers)


def worker_programs(opened: Opened, count: int = WORKERS, threads: int = THREADS) -> list[Program]:
    """Workers of this fleet, as programs for a Supervisor."""
    return [_worker(f"worker-{number + 1}", opened, threads) for number in range(count)]


def _worker(name: str, opened: Opened, threads: int) -> Program:
    command = [*BEHIND, *celery("worker", "-P", "threads", "-c", str(threads), "-n", f"{name}-{os.getpid()}@%h")]
    command += ["--without-gossip", "--without-mingle", "-Q", QUEUES, "--loglevel", "INFO"]
    return Program(name, command, {**importable(), **opened.environment, "LINERNOTES_THREADS": str(threads)})


def beat_program(opened: Opened) -> Program:
    """Beat, which ticks for the schedules."""
    command = celery("beat", "--schedule", str(opened.data / "beat"), "--pidfile", "", "--loglevel", "INFO")
    return Program("beat", command, {**importable(), **opened.environment}, grace=5.0)


def flower_program(opened: Opened, port: int, password: str) -> Program:
    """Flower on this port of the loopback address, for the user `linernotes` with this password."""
    command = celery("flower", "--address=127.0.0.1", f"--port={port}")
    environ = {**importable(), **opened.environment, "FLOWER_BASIC_AUTH": f"linernotes:{password}"}
    return Program("flower", command, environ, grace=5.0)


def celery(*arguments: str) -> list[str]:
    """A command of the fleet's Celery application."""
    return [sys.executable, "-m", "celery", "-A", "workers", *arguments]


def importable() -> dict[str, str]:
    """Wherever we are called from, children find `celeryconfig` beside the packages."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}


@contextmanager
def supervised(opened: Opened, programs: Sequence[Program]) -> Iterator[Supervisor]:
    """These programs, kept running until the end."""
    # A Supervisor asks of servers where their data is and which of them to watch; those elsewhere are not ours.
    servers = opened.servers or cast("Servers", _Elsewhere(opened.data.resolve()))
    with Supervisor(programs, servers) as supervisor:
        yield supervisor


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    data: Path
    owned: bool = False
    all: tuple[()] = ()


def wait_for_workers(opened: Opened, count: int, seconds: float = START_SECONDS) -> None:
    """Until so many workers live. Raises Failure."""
    until = time.monotonic() + seconds
    while True:
        opened.fleet.forget()
        if opened.fleet.threads() >= count:
            return
        if time.monotonic() > until:
            raise Failure(f"no worker has come up in {seconds:g} s; their logs are in {opened.data / 'logs'}")
        time.sleep(0.1)
