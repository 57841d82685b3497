"""The one place where everything is wired. Edges call `build`; tests call it with other parts."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import Engine, create_engine, text

from enrichment.reservoir import fleet as fleet_rows
from enrichment.reservoir import settling
from enrichment.reservoir.keys import Keys, Seal
from enrichment.reservoir.pool import make_engine
from enrichment.reservoir.retrying import in_transaction
from enrichment.services import standing
from enrichment.services.calendar import schedules
from enrichment.services.fleet import Fence, Fleet, SendFetch, never
from enrichment.services.schedules import Plan, Schedules, read_plan
from enrichment.services.steward import Steward, new_card
from enrichment.settings import PREFIX, Settings, load
from enrichment.sources.base import Source
from enrichment.sources.registry import builtin_sources
from enrichment.wire.cache import Cache
from enrichment.wire.guard import guarded_transport
from enrichment.wire.limiter import Limiter, Terms
from enrichment.wire.wire import Place, Wire

VERSION = "0.1.0"
ROOT = Path(__file__).resolve().parent.parent
GARBAGE = 10_000
"""So many objects more than have gone, and the collector looks for those that only refer to each other."""


@dataclass(slots=True)
class Parts:
    """What tests, and edges with needs of their own, hand in instead of the usual parts."""

    send_fetch: SendFetch | None = None
    limiter: type[Limiter] = Limiter
    fence: Fence = settling.apply
    sleep: Callable[[float], object] = time.sleep
    http: httpx.Client | None = None
    sources: Mapping[str, Source[Any]] | None = None
    threads: int | None = None
    connections: int | None = None
    stopping: threading.Event | None = None
    """Set when the process is told to stop: whatever only waits gives up then."""


def build(settings: Settings | None = None, parts: Parts | None = None) -> Fleet:
    """A fleet's services, ready to use. Connects to nothing until used.

    Raises ValueError where a setting is missing or cannot be read; the message says which.
    """
    settings = settings or load()
    parts = parts or Parts()
    _require(settings)
    sources = dict(parts.sources if parts.sources is not None else make_sources(settings))
    places = {name: make_place(settings, source, sources) for name, source in sources.items()}
    engine = make_engine(settings.database_url, parts.connections or connections_for(parts.threads or 8))
    card = new_card(socket.gethostname(), machine(), parts.threads or 0, VERSION)
    terms = _Terms(settings, sources, places)
    limiter_redis = make_redis(settings)
    limiter = parts.limiter(limiter_redis, terms, lambda source: standing.for_cold_start(engine, source), str(card.id))
    wire = Wire(
        sources,
        places,
        limiter,
        Cache(limiter_redis),
        parts.http or make_http(settings, places),
        spend_day=_day_quota(engine, terms),
        sleep=parts.sleep,
    )
    return Fleet(
        engine,
        sources,
        limiter,
        wire,
        card,
        parts.send_fetch,
        _keys(settings, sources),
        settings.speed,
        settings.commercial,
        settings.merge_certain,
        parts.stopping.wait if parts.stopping is not None else parts.sleep,
        fence=parts.fence,
        stopping=parts.stopping.is_set if parts.stopping is not None else never,
    )


def build_steward(fleet: Fleet, settings: Settings) -> Steward:
    """A worker's steward."""
    return Steward(fleet, make_redis(settings), fleet.worker.machine)


def build_schedules(fleet: Fleet, settings: Settings) -> Schedules:
    """What is done by the clock. Raises ValueError naming the variable that cannot be read."""
    return Schedules(fleet, schedules(settings.landing_folder), make_plans(settings))


def make_plans(settings: Settings) -> dict[str, Plan]:
    """When each schedule runs. Raises ValueError naming the variable that cannot be read."""
    plans = {}
    for name, schedule in schedules(settings.landing_folder).items():
        variable = f"{PREFIX}SCHEDULE_{name.upper()}"
        plans[name] = read_plan(settings.text(variable) or schedule.cron, settings.timezone, variable)
    return plans


def _require(settings: Settings) -> None:
    for name in ("database_url", "redis_url"):
        if not getattr(settings, name):
            raise ValueError(f"{PREFIX}{name.upper()} is not set; `linernotes up` runs a fleet with servers of its own")


def make_sources(settings: Settings) -> dict[str, Source[Any]]:
    """Every source there is, each with its options."""
    names = {key[len(PREFIX) :].split("_")[0].lower() for key in settings.environ if key.startswith(PREFIX)}
    return builtin_sources({name: settings.source_options(name) for name in names})


def make_place(settings: Settings, source: Source[Any], known: Collection[str] = ()) -> Place:
    """Where this fleet finds a source, and what opens it. known: all sources, since one may point to another."""
    sites = {site.name: settings.site_url(source.name, site.name, site.url, known) for site in source.sites}
    secrets = {name: settings.text(name) for name in source.secrets if settings.text(name)}
    return Place(settings.source_url(source.name, source.url), sites, secrets)


def _keys(settings: Settings, sources: Mapping[str, Source[Any]]) -> Keys:
    names = {name for source in sources.values() for name in source.secrets}
    return Keys(Seal(settings.secret_keys), {name: settings.text(name) for name in names if settings.text(name)})


class _Terms:
    """What the limiter holds each source to; read anew where a source or its keys have been replaced."""

    def __init__(self, settings: Settings, sources: Mapping[str, Source[Any]], places: Mapping[str, Place]) -> None:
        self._settings = settings
        self._sources = sources
        self._places = places
        self._known = {name: (source, places[name], self._read(source)) for name, source in sources.items()}

    def _read(self, source: Source[Any]) -> Terms:
        settings = self._settings
        options = settings.source_options(source.name)
        return Terms(
            settings.source_budget(source.name, source.budget_with(self._places[source.name].secrets)),
            source.max_seconds,
            int(options.get("breaker_threshold", 5)),
            float(options.get("breaker_seconds", 30.0)) / settings.speed,
        )

    def __call__(self, source: str) -> Terms:
        declared, place, terms = self._known[source]
        if declared is not self._sources[source] or place is not self._places[source]:
            declared, place = self._sources[source], self._places[source]
            terms = self._read(declared)
            self._known[source] = (declared, place, terms)
        return terms


def _day_quota(engine: Engine, terms: _Terms) -> Callable[[str], float | None]:
    def spend(source: str) -> float | None:
        per_day = terms(source).budget.per_day
        if per_day is None:
            return None
        return in_transaction(engine, lambda c: fleet_rows.spend_day(c, source, per_day), patience=2.0)

    return spend


def connections_for(threads: int) -> int:
    """Connections that do for so many threads: none is held during a call or a wait, and of many transactions at once
    in one process each only holds its locks for longer.
    """
    return max(4, threads // 4)


def make_redis(settings: Settings) -> redis.Redis:
    """The limiter's and the cache's Redis. No silent retries: an unanswered script may have run."""
    return redis.Redis.from_url(
        settings.redis_url,
        socket_timeout=1.5,  # a submit waits once for a Redis that has frozen
        socket_connect_timeout=1.5,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=15,
    )


def make_http(settings: Settings, places: Mapping[str, Place]) -> httpx.Client:
    """The one client behind all lines."""
    trusted = [url for place in places.values() for url in (place.url, *place.sites.values())]
    transport = guarded_transport([*trusted, settings.upstream_url] if settings.upstream_url else trusted)
    return httpx.Client(transport=transport, follow_redirects=False, trust_env=False)


def migrate(database_url: str) -> None:
    """Brings the database to the newest tables. Two at once wait for each other."""
    import alembic.command  # noqa: PLC0415 - slow to import, and no worker needs it
    from alembic.config import Config  # noqa: PLC0415 - the same

    config = Config(str(ROOT / "alembic.ini"))
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('linernotes migrations'))"))
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "head")
    engine.dispose()


def register_sources(fleet: Fleet) -> None:
    """A row for each source, before the first claim."""
    in_transaction(fleet.engine, lambda connection: fleet_rows.add_sources(connection, tuple(fleet.sources)))


def settle_in() -> None:
    """For a process that has loaded what it needs, and stays: the collector looks through its modules no more, which
    took a sixth of the CPU of a bulk submit, and through what is new less often, a tenth of a worker's.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)


def machine() -> str:
    """Names the kernel, and the namespace, that our pid belongs to: another container has other pids."""
    boot, pids = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if boot.exists() and pids.exists():
        return f"{boot.read_text().strip()}:{pids.readlink()}"
    return socket.gethostname()
