"""A fleet in this process: its fetch messages on a queue, threads that take them, and a steward; no broker, no Celery.

Batches are as full as a real fleet's, not fuller: LINERNOTES_SPEED divides the time that they gather and multiplies the
budgets alike. Where this machine cannot keep up with the budgets fewer lookups come together in that time, not more.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import SimpleQueue

import redis
import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from enrichment.bootstrap import Parts, build, build_steward, make_sources, migrate, register_sources
from enrichment.embedded import Servers, drop_database, new_database
from enrichment.services.fetch import fetch
from enrichment.services.fleet import Fleet
from enrichment.services.requests import Request
from enrichment.services.steward import Steward, retire
from enrichment.services.submit import Accepted, submit_all
from enrichment.settings import load

THREADS = 32
ROUND_SECONDS = 1.0
"""Of a worker's steward; LINERNOTES_SPEED divides it."""
LOOK_SECONDS = 0.2
QUIET_LOOKS = 3
"""How often in a row nothing must be open: between two transactions there may be a moment without a row."""

OPEN = text("""
SELECT (SELECT count(*) FROM lookups WHERE state IN ('gathering', 'waiting', 'claimed', 'not_due'))
    + (SELECT count(*) FROM replans)
""")

log = structlog.get_logger()


class Driven:
    """A fleet at work. To be had by `driven`."""

    def __init__(self, fleet: Fleet, steward: Steward, messages: SimpleQueue[tuple[str, str] | None]) -> None:
        self.fleet = fleet
        self._steward = steward
        self._messages = messages
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._fetches, daemon=True) for _ in range(THREADS)]
        self._threads.append(threading.Thread(target=self._rounds, daemon=True))

    def start(self) -> None:
        """From now on messages are taken."""
        self._steward.beat()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """No more messages; calls under way end."""
        self._stop.set()
        for _ in range(THREADS):
            self._messages.put(None)
        for thread in self._threads:
            thread.join()
        retire(self.fleet)
        self._steward.close()
        self.fleet.close()

    def submit(self, requests: Sequence[Request]) -> list[Accepted]:
        """Hands the requests in, and waits until nothing is open any more."""
        accepted = submit_all(self.fleet, requests)
        quiet = 0
        while quiet < QUIET_LOOKS:
            time.sleep(LOOK_SECONDS)
            quiet = quiet + 1 if self._open() == 0 else 0
        return accepted

    def _open(self) -> int:
        with self.fleet.engine.connect() as connection:
            return int(connection.execute(OPEN).scalar_one())

    def _fetches(self) -> None:
        while (message := self._messages.get()) is not None:
            try:
                fetch(self.fleet, *message)
            except (SQLAlchemyError, redis.RedisError):
                log.exception("a fetch has failed; what it held comes back", source=message[0])

    def _rounds(self) -> None:
        while not self._stop.wait(max(0.05, ROUND_SECONDS / self.fleet.speed)):
            try:
                self._steward.round()
            except (SQLAlchemyError, redis.RedisError):
                log.exception("the steward's round has failed")


@contextmanager
def a_database(servers: Servers, *, migrated: bool = True) -> Iterator[str]:
    """The URL of a database of its own, and emptied Redis servers; nothing of it remains."""
    name = f"bench_{uuid.uuid4().hex[:12]}"
    url = new_database(servers.addresses.database_url, name)
    try:
        for address in (servers.addresses.redis_url, servers.addresses.broker_url):
            with redis.Redis.from_url(address) as client:
                client.flushall()
        if migrated:
            migrate(url)
        yield url
    finally:
        drop_database(servers.addresses.database_url, name)


@contextmanager
def driven(servers: Servers, environ: Mapping[str, str], without: Iterable[str] = ()) -> Iterator[Driven]:
    """A fleet with nothing known, on a database of its own and emptied Redis servers; nothing of it remains.

    environ: settings beside the servers' addresses. without: sources it shall not have.
    """
    with a_database(servers) as url:
        at_work = _build({**servers.addresses.environment(), "LINERNOTES_DATABASE_URL": url, **environ}, without)
        at_work.start()
        try:
            yield at_work
        finally:
            at_work.stop()


def _build(environ: Mapping[str, str], without: Iterable[str]) -> Driven:
    settings = load(environ)
    messages: SimpleQueue[tuple[str, str] | None] = SimpleQueue()
    send: Callable[[str, str], None] = lambda source, ticket: messages.put((source, ticket))  # noqa: E731 - one line
    left_out = set(without)
    sources = {name: source for name, source in make_sources(settings).items() if name not in left_out}
    fleet = build(settings, Parts(send_fetch=send, sources=sources, threads=THREADS))
    register_sources(fleet)
    return Driven(fleet, build_steward(fleet, settings), messages)
