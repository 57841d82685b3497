"""`linernotes doctor`: is everything there that a fleet needs, and what is to be done where it is not?"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from cli.failure import EXPECTED, Failure, sentence
from cli.fleet import joined, settings_of
from cli.show import console, print_json, table
from enrichment.bootstrap import ROOT, build, make_place, make_redis, make_sources
from enrichment.embedded import Servers
from enrichment.reservoir import fleet as fleet_rows
from enrichment.services import keys
from enrichment.settings import PREFIX, Settings

CONNECT_SECONDS = 3.0
SKEW_SECONDS = 2.0
BEAT_SECONDS = 120.0
OLDEST_POSTGRES, OLDEST_REDIS = 150_000, (6, 2)


@dataclass(frozen=True, slots=True)
class Check:
    """ok: None for what is worth knowing and no fault. do: what puts it right."""

    what: str
    ok: bool | None
    said: str
    do: str = ""


def doctor(data: Path | None, *, json: bool) -> int:
    """Shows every check. Returns the exit code: 1 where something is wrong."""
    checks = list(_checks(data))
    if json:
        print_json([asdict(check) for check in checks])
    else:
        marks = {True: "ok", None: "note", False: "WRONG"}
        rows = [(marks[check.ok], check.what, check.said, check.do) for check in checks]
        console().print(table("What a fleet needs", ("", "what", "how it is", "what to do"), rows))
    return int(any(check.ok is False for check in checks))


def _checks(data: Path | None) -> Iterator[Check]:
    try:
        with _settings(data) as settings:
            yield Check("settings", True, "can be read")
            for part in (_servers, _fleet, _upstreams):
                yield from part(settings)
    except (Failure, ValueError, *EXPECTED) as error:
        yield Check("settings", False, sentence(error), "docs/operating.md has all settings")


@contextmanager
def _settings(data: Path | None) -> Iterator[Settings]:
    """Of the fleet that the URLs name, else of the data folder's servers."""
    settings = settings_of()
    if settings.database_url or settings.redis_url:
        for name in ("database_url", "redis_url", "broker_url"):
            if not getattr(settings, name):
                raise Failure(f"{PREFIX}{name.upper()} is not set")
        yield settings
        return
    with Servers.start((data or settings.data).expanduser()) as servers:
        yield joined(servers).settings


def _guarded(what: str, do: str, look: Callable[[], Iterable[Check]]) -> list[Check]:
    """What cannot be looked at is wrong."""
    try:
        return list(look())
    except EXPECTED as error:
        return [Check(what, False, sentence(error), do)]


def _servers(settings: Settings) -> Iterator[Check]:
    now = time.time()
    yield from _guarded("database", "start it, or put LINERNOTES_DATABASE_URL right", lambda: _database(settings, now))
    about: dict[str, Any] = {}
    roles = {"limiter": settings.redis_url}
    if settings.broker_url.startswith(("redis://", "rediss://")):
        roles["broker"] = settings.broker_url
    for role, url in roles.items():
        variable = "LINERNOTES_REDIS_URL" if role == "limiter" else "LINERNOTES_BROKER_URL"
        of_role = settings.model_copy(update={"redis_url": url})
        yield from _guarded(
            role,
            f"start it, or put {variable} right",
            lambda of=of_role, r=role: _redis(of, r, about),  # type: ignore[misc]  # bound now
        )
    if len(about) == 2:
        apart = about["limiter"] != about["broker"]
        told = "are two servers" if apart else "are one server"
        yield Check("limiter and broker", apart, told, "" if apart else "one must keep its data, the other must not")


def _database(settings: Settings, now: float) -> Iterator[Check]:
    engine = create_engine(settings.database_url, connect_args={"connect_timeout": 5})
    try:
        with engine.connect() as connection:
            version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
            yield Check(
                "database", version >= OLDEST_POSTGRES, f"PostgreSQL {version // 10_000}", "15 or newer is needed"
            )
            moment = connection.execute(text("SELECT extract(epoch FROM clock_timestamp())::float")).scalar_one()
            yield _clock("PostgreSQL", moment - now - (time.time() - now) / 2)
            yield _migrations(connection)
    finally:
        engine.dispose()


def _migrations(connection: Connection) -> Check:
    newest = ScriptDirectory.from_config(Config(str(ROOT / "alembic.ini"))).get_current_head()
    present = MigrationContext.configure(connection).get_current_revision()
    return Check(
        "tables",
        present == newest,
        f"at {present}, the program is at {newest}",
        "linernotes migrate, or update the program",
    )


def _clock(whose: str, ahead: float) -> Check:
    said = f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    return Check(f"clock of {whose}", abs(ahead) < SKEW_SECONDS, said, "keep all clocks in step (NTP)")


def _redis(settings: Settings, role: str, about: dict[str, Any]) -> Iterator[Check]:
    with make_redis(settings) as client:
        server = cast("dict[str, Any]", client.info())
        about[role] = server["run_id"]
        seconds, micros = cast("tuple[int, int]", client.time())
        said = server.get("valkey_version") or server["redis_version"]
        known = tuple(int(part) for part in str(server["redis_version"]).split(".")[:2])
        yield Check(role, known >= OLDEST_REDIS, f"Redis or Valkey {said}", "6.2 or newer is needed")
        yield _clock(f"the {role}", seconds + micros / 1e6 - time.time())
        yield _persistence(role, server)


def _persistence(role: str, server: Mapping[str, Any]) -> Check:
    keeps, policy = bool(server["aof_enabled"]), server.get("maxmemory_policy", "noeviction")
    if role == "broker":
        right = keeps and policy == "noeviction"
        do = "appendonly yes, maxmemory-policy noeviction: or messages are lost"
    else:
        right = not keeps and not str(policy).startswith("allkeys")
        do = 'save "", appendonly no, maxmemory-policy volatile-ttl: an old state of the limiter would be a lie'
    return Check(f"{role}: what it keeps", right, f"appendonly {'yes' if keeps else 'no'}, {policy}", do)


def _fleet(settings: Settings) -> list[Check]:
    return _guarded("workers", "put the database right first", lambda: _living(settings))


def _living(settings: Settings) -> Iterator[Check]:
    fleet = build(settings)
    try:
        with fleet.engine.connect() as connection:
            alive, silent = fleet_rows.alive(connection), fleet_rows.beat_silent(connection)
        threads = sum(card.threads for card in alive)
        yield Check("workers", None if not alive else True, f"{len(alive)} live, {threads} threads", "start some")
        beats = silent is not None and silent < BEAT_SECONDS
        seen = "has never been seen" if silent is None else f"was seen {silent:.0f} s ago"
        yield Check("beat", True if beats else None, seen, "celery -A workers beat" if not beats else "")
        fleet.standings()
        for key in keys.listed(fleet):
            if key["problem"]:
                yield Check(
                    f"key {key['name']}", False, key["problem"], "its master key belongs in LINERNOTES_SECRET_KEYS"
                )
            elif not key["from"]:
                used = ", ".join(key["sources"])
                yield Check(
                    f"key {key['name']}", None, f"is not set; {used} can do less", f"linernotes keys set {key['name']}"
                )
    finally:
        fleet.close()


def _upstreams(settings: Settings) -> Iterator[Check]:
    """A connection to each, and nothing asked: that would cost a turn."""
    sources = make_sources(settings)
    places = {name: make_place(settings, source, sources).url for name, source in sources.items()}
    with ThreadPoolExecutor(len(places)) as threads:
        yield from threads.map(_upstream, places, places.values())


def _upstream(name: str, url: str) -> Check:
    parts = urlsplit(url)
    if not parts.hostname:  # pictures are anywhere
        return Check(f"upstream {name}", None, "has no address of its own")
    try:
        socket.create_connection((parts.hostname, parts.port or 443), CONNECT_SECONDS).close()
    except OSError as error:
        do = f"is there a way out of this machine to it? {PREFIX}{name.upper()}_URL names another"
        return Check(f"upstream {name}", False, f"{parts.netloc}: {error}", do)
    return Check(f"upstream {name}", True, f"{parts.netloc} can be reached")
