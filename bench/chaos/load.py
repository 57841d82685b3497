"""Producers: mixed lanes, duplicates, submits and `.delay()`; every answer that a caller got is written down."""

from __future__ import annotations

import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import redis
from celery import Celery
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError
from sqlalchemy.exc import DBAPIError

from bench.chaos.rig import Rig
from cli.fleet import QUEUES
from enrichment.bootstrap import Parts, build, register_sources
from enrichment.domain.subjects import lane_of
from enrichment.services.requests import PerformerRequest, Request, TrackRequest, read
from enrichment.services.submit import submit
from enrichment.settings import load
from simulator.catalogue import small_requests

CRITICAL, DEFAULT, LOW = 10, 5, 2
PRIORITIES = (CRITICAL,) + (DEFAULT,) * 6 + (LOW,) * 3
DUPLICATES = 0.05
PERFORMERS = 0.15
DELAYED, POSTED = 0.2, 0.3
"""Shares of what comes by `.delay()` and, of tracks, over HTTP; the rest is submitted."""
PATIENCE = 15.0
CALLERS = 6
TRIES = 3
"""How often a caller that got an error asks again, with the same id."""

_EXCHANGE = Exchange("linernotes", type="direct")  # type: ignore[no-untyped-call]  # kombu has no types


@dataclass
class Ledger:
    """What callers were told. accepted: ids that producers gave. published: those in messages the broker took.

    errors: answers that were errors, by their text. slowest: seconds until the slowest good answer.
    """

    accepted: set[str] = field(default_factory=set)
    asked: int = 0
    published: set[str] = field(default_factory=set)
    errors: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Load:
    """Producers at work from `start` to `stop`."""

    def __init__(self, rig: Rig) -> None:
        self._rig, self._plan = rig, rig.plan
        self.ledger = Ledger()
        self._stop = threading.Event()
        self._callers = ThreadPoolExecutor(CALLERS, thread_name_prefix="caller")
        self._rows = small_requests()
        rig.random.shuffle(self._rows)
        self._given: list[dict[str, Any]] = []
        self._app = Celery("chaos", broker=rig.environ["LINERNOTES_BROKER_URL"], set_as_current=False)
        self._app.config_from_object("celeryconfig")
        self._app.conf.broker_url = rig.environ["LINERNOTES_BROKER_URL"]
        if rig.plan.broker:
            self._app.conf.update(broker_transport=None, broker_transport_options={})
        self._queues = {name: Queue(name, _EXCHANGE, routing_key=name) for name in QUEUES.split(",")}  # type: ignore[no-untyped-call]  # kombu has no types
        settings = load(rig.environ)
        self.fleet = build(settings, Parts(send_fetch=self._send_fetch, threads=CALLERS * 4))
        self.silent = build(settings, Parts(threads=CALLERS))
        """A producer that dies, each time, between its commit and its message."""
        register_sources(self.fleet)
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def start(self) -> None:
        """The backlog first, then so many a second."""
        for _ in range(self._plan.backlog):
            self._callers.submit(self._ask, self.next_request())
        self._ticker.start()

    def stop(self) -> None:
        """No further requests; those under way have been answered."""
        self._stop.set()
        self._ticker.join()
        self._callers.shutdown()

    def close(self) -> None:
        """Gives connections back; whoever still asks is not answered."""
        self._stop.set()
        self._callers.shutdown(wait=False, cancel_futures=True)
        self.fleet.engine.dispose()
        self.silent.engine.dispose()
        self._app.close()

    def _tick(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            self._callers.submit(self._ask, self.next_request())
            due += 1 / self._plan.rate
            self._stop.wait(max(0.0, due - time.monotonic()))

    def next_request(self, priority: int | None = None) -> dict[str, Any]:
        """What the next caller asks: a track, a performer, or what somebody has asked already."""
        chance = self._rig.random
        if self._given and chance.random() < DUPLICATES:
            return chance.choice(self._given)
        number = len(self._given)
        row = self._rows[number % len(self._rows)]
        again = number // len(self._rows)
        artist = row["artist"] if not again else f"{row['artist']} {again}"
        made: dict[str, Any] = {"priority": priority or chance.choice(PRIORITIES)}
        if chance.random() < PERFORMERS:
            made |= {"performer_id": f"p{number}", "name": artist.partition(", ")[0]}
        else:
            made |= {"track_id": f"t{number}", "artist_name": artist, "track_title": row["title"]}
        self._given.append(made)
        return made

    def _ask(self, wish: dict[str, Any]) -> None:
        chance = zlib.crc32(key_of(wish).encode()) / 2**32  # not of the seed's: callers are threads, in any order
        if chance < DELAYED:
            self._delay(wish)
        elif chance < DELAYED + POSTED and "track_id" in wish:
            self.post(wish)
        else:
            self.submit(wish)

    def submit(self, wish: dict[str, Any], *, silent: bool = False) -> None:
        """Handed in until a caller is told that it is accepted, or tired of asking."""
        request: Request = read(TrackRequest if "track_id" in wish else PerformerRequest, wish)
        self._insist(wish, DBAPIError, lambda: submit(self.silent if silent else self.fleet, request))

    def post(self, wish: dict[str, Any]) -> None:
        """The same over HTTP, for a track."""

        def work() -> None:
            url = f"{self._rig.url}/enrich?wait=0"
            httpx.post(url, json=wish, timeout=PATIENCE, trust_env=False).raise_for_status()

        self._insist(wish, httpx.HTTPError, work)

    def _insist(self, wish: dict[str, Any], failure: type[Exception], work: Callable[[], object]) -> None:
        for attempt in range(TRIES):
            started = time.monotonic()
            try:
                work()
            except failure as error:
                with self.ledger.lock:
                    self.ledger.errors[f"{type(error).__name__}: {error}"[:80]] += 1
                self._stop.wait(attempt)
                continue
            with self.ledger.lock:
                self.ledger.asked += 1
                self.ledger.accepted.add(key_of(wish))
                self.ledger.slowest = max(self.ledger.slowest, time.monotonic() - started)
            return

    def _delay(self, wish: dict[str, Any]) -> None:
        task = "enrich_track" if "track_id" in wish else "enrich_performer"
        if self.send(task, wish, lane_of(wish["priority"]).value):
            with self.ledger.lock:
                self.ledger.published.add(key_of(wish))

    def send(self, task: str, kwargs: dict[str, Any], queue: str) -> bool:
        """A message to the fleet. Says whether the broker took it."""
        with suppress(OperationalError, redis.RedisError, OSError):
            self._app.send_task(task, kwargs=kwargs, queue=self._queues[queue], retry=False)
            return True
        return False

    def _send_fetch(self, source: str, ticket: str) -> None:
        self._app.send_task(f"fetch.{source}", kwargs={"ticket": ticket}, queue=self._queues["fetch"], retry=False)


def key_of(wish: dict[str, Any]) -> str:
    """The producer's id in it."""
    return str(wish.get("track_id") or wish.get("performer_id"))


def external_ids(keys: Sequence[str]) -> dict[str, list[str]]:
    """Producers' ids by table."""
    return {
        "tracks": [key for key in keys if key.startswith("t")],
        "performers": [key for key in keys if key.startswith("p")],
    }
