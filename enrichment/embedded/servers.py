"""The embedded servers of one data folder, and who holds them.

data/lock            held (flock) by the process that started the servers; holds its pid once they answer
data/embedded.json   the password and the ports, for this user alone
data/postgres/       PostgreSQL's files, or a link to where they had to be
data/broker/         Valkey for Celery's messages, kept on disk
data/redis/          Valkey for limiter and cache, not kept
data/logs/           one log for each process
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, Self

import psutil

from enrichment.embedded.account import EmbeddedError
from enrichment.embedded.child import rotate, stop_all
from enrichment.embedded.postgres import FAST, IMMEDIATE, PostgresServer
from enrichment.embedded.redis import BROKER, LIMITER, RedisServer, redis_program
from enrichment.embedded.server import Server, free_port, poll, port_is_free

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60.0
"""Seconds a start waits for an answer; PostgreSQL may have to recover first."""


@dataclass(frozen=True)
class Addresses:
    """Where the servers are; the passwords are in there."""

    database_url: str
    broker_url: str
    redis_url: str

    def environment(self) -> dict[str, str]:
        """The variables that tell the fleet's programs."""
        return {
            "LINERNOTES_DATABASE_URL": self.database_url,
            "LINERNOTES_BROKER_URL": self.broker_url,
            "LINERNOTES_REDIS_URL": self.redis_url,
        }


class Servers:
    """PostgreSQL, broker and redis of one data folder, to be had by `start`. A context manager.

    Who joined the servers of another process uses them and leaves them running.
    """

    def __init__(self, data: Path, hold: _Hold, *, durable: bool, redis_server: str | None) -> None:
        self.data = data
        self._hold = hold
        self._secrets = _Secrets(data / "embedded.json")
        password, program = self._secrets.password, redis_program(redis_server)
        broker = BROKER if durable else {**BROKER, "appendfsync": "no"}
        self.postgres = PostgresServer(data, password, durable=durable)
        self.broker = RedisServer("broker", data, program=program, password=password, settings=broker)
        self.redis = RedisServer("redis", data, program=program, password=password, settings=LIMITER)

    @property
    def owned(self) -> bool:
        """Whether we started them, and have not stopped them."""
        return self._hold.taken

    @property
    def all(self) -> tuple[Server, ...]:
        """The three servers."""
        return (self.postgres, self.broker, self.redis)

    @property
    def addresses(self) -> Addresses:
        """Where they are."""
        return Addresses(self.postgres.url, self.broker.url, self.redis.url)

    @classmethod
    def start(
        cls, data: Path, *, durable: bool = True, redis_server: str | None = None, patience: float = PATIENCE
    ) -> Servers:
        """The servers of this data folder, answering: started, or joined where another process holds the folder.

        durable: False where a crash of the machine may lose everything (tests). redis_server: another program than the
        wheel's Valkey, a path or a name on the path. patience: seconds for each wait. Raises EmbeddedError.
        """
        data = data.expanduser().resolve()
        hold = _Hold(data / "lock")
        try:
            _make_folders(data)
            hold.take_or_join(patience)
            servers = cls(data, hold, durable=durable, redis_server=redis_server)
            servers._come_up(patience)
        except OSError as error:
            hold.leave()
            raise EmbeddedError(f"the data folder {data} cannot be used: {error}") from error
        except BaseException:
            hold.leave()
            raise
        return servers

    def _come_up(self, patience: float) -> None:
        if not self.owned:
            self._join(patience)
        if self.owned:
            self._start_all(patience)
            self._hold.announce()

    def _join(self, patience: float) -> None:
        """Waits for the holder's servers, or inherits the folder: the holder may be dying just now."""
        self._secrets.give_ports(self.all)
        if not poll(lambda: self._hold.take() or all(server.answers() for server in self.all), patience):
            raise EmbeddedError(f"the servers of {self.data}, run by process {self._hold.holder()}, do not answer")

    def _start_all(self, patience: float) -> None:
        """Side by side: each takes its time, and none needs another."""
        try:
            for server in self.all:
                rotate(server.log)
                server.prepare()
                server.clear()
            self._secrets.choose_ports(self.all)
            for server in self.all:
                server.spawn()
            for server in self.all:
                server.wait_ready(patience)
        except BaseException:
            stop_all(self.all)
            raise

    def stop(self) -> None:
        """Stops what we started; data stays. May be called again."""
        if self.owned:
            self._hold.retract()
            stop_all(self.all)
            self._hold.leave()

    def discard(self) -> None:
        """Stops, and deletes the data folder with all that belongs to it."""
        self._must_own()
        self.stop()
        shutil.rmtree(self.postgres.home, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)

    def restart_postgres(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stops PostgreSQL, orderly or as a crash would, and waits until it answers again at the same address."""
        self._must_own()
        self.postgres.restart(PATIENCE, FAST if mode == "fast" else IMMEDIATE)

    def restart_broker(self) -> None:
        """Restarts the broker, which keeps its messages."""
        self._must_own()
        self.broker.restart(PATIENCE)

    def restart_redis(self) -> None:
        """Restarts limiter and cache, which come back empty; also after `kill_redis`."""
        self._must_own()
        self.redis.restart(PATIENCE)

    def kill_redis(self) -> None:
        """Kills limiter and cache with SIGKILL; a Supervisor brings them back."""
        self._must_own()
        self.redis.kill()

    def _must_own(self) -> None:
        if not self.owned:
            raise EmbeddedError(
                f"process {os.getpid()} does not run the servers of {self.data}; this is for their owner"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()


@contextmanager
def temporary_servers(*, durable: bool = False) -> Iterator[Servers]:
    """Servers with nothing in them, of which nothing remains: for tests and benchmarks."""
    data = Path(tempfile.mkdtemp(prefix="linernotes-"))
    data.chmod(0o711)  # PostgreSQL's own user must pass through
    try:
        servers = Servers.start(data, durable=durable)
        try:
            yield servers
        finally:
            servers.discard()
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _make_folders(data: Path) -> None:
    mode = 0o711 if os.geteuid() == 0 else 0o700  # as root, PostgreSQL's own user must pass through
    data.mkdir(mode=mode, parents=True, exist_ok=True)
    (data / "logs").mkdir(mode=0o700, exist_ok=True)


class _Hold:
    """The lock file of a data folder. The system frees it when its holder ends, however that happens."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    @property
    def taken(self) -> bool:
        """Whether we hold it."""
        return self._file is not None

    def take_or_join(self, patience: float) -> None:
        """Takes it, or finds its holder's servers answering; waits while they start or stop."""
        if not poll(lambda: self.take() or self.holder() is not None, patience):
            raise EmbeddedError(
                f"another process has held {self._path} for {patience:g} s; its servers do not answer yet"
            )

    def take(self) -> bool:
        """Takes it if it is free."""
        file = self._path.open("a+", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        self.retract()
        return True

    def announce(self) -> None:
        """Says that the servers answer: others may join."""
        assert self._file is not None
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def retract(self) -> None:
        """Says that others must wait."""
        assert self._file is not None
        self._file.truncate(0)

    def leave(self) -> None:
        """Frees it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def holder(self) -> int | None:
        """The process whose servers answer."""
        pid = int(self._path.read_text("ascii").strip() or 0)
        return pid if pid and psutil.pid_exists(pid) else None  # one that was killed could not retract


class _Secrets:
    """The password and ports of a data folder, in a file for this user alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            if (path.parent / "postgres").exists():
                raise EmbeddedError(f"{path} is gone; it holds the password of the database in {path.parent}")
            self._save(secrets.token_hex(16), {})
        kept = json.loads(path.read_text("ascii"))
        self.password: str = kept["password"]
        self._ports: dict[str, int] = kept["ports"]

    def give_ports(self, servers: tuple[Server, ...]) -> None:
        """Tells servers the ports they have."""
        for server in servers:
            server.port = self._ports[server.name]

    def choose_ports(self, servers: tuple[Server, ...]) -> None:
        """Tells servers the ports they had, or others where those are taken."""
        chosen: dict[str, int] = {}
        for server in servers:
            port = self._ports.get(server.name)
            while port is None or port in chosen.values() or not port_is_free(port):
                port = free_port()
            chosen[server.name] = server.port = port
        if chosen != self._ports:
            self._save(self.password, chosen)

    def _save(self, password: str, ports: dict[str, int]) -> None:
        scratch = self._path.with_suffix(".new")
        scratch.touch(mode=0o600)
        scratch.write_text(json.dumps({"password": password, "ports": ports}), "ascii")
        scratch.replace(self._path)
