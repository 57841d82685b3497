"""The steward's round: whatever was lost on the way comes back. Every step is harmless to do twice."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import psutil
import structlog
from redis import Redis
from sqlalchemy import Connection

from enrichment.domain.subjects import Kind
from enrichment.reservoir import claims, lookups, settling
from enrichment.reservoir import fleet as fleet_rows
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.fleet import WorkerCard
from enrichment.reservoir.pool import at_once
from enrichment.reservoir.subjects import Ref
from enrichment.services import expiry, overview, standing
from enrichment.services.fleet import Fleet
from enrichment.services.refill import refill_all
from enrichment.services.replan import CHUNK, CHUNKS, replan_all
from enrichment.services.settle import KILLER_DEATHS

DEAD_AFTER = 15.0
"""Seconds without a heartbeat after which a worker on another machine is taken for dead."""
LOCK_SECONDS = 3
"""How long a steward that dies in its round keeps the others from theirs; two at once only do the work twice."""

log = structlog.get_logger()


class Steward:
    """One per worker; one of the fleet does the round at a time."""

    def __init__(self, fleet: Fleet, redis: Redis, machine: str) -> None:
        """machine: which kernel's pids we can see."""
        self._fleet = fleet
        self._redis = redis
        self._machine = machine
        self._beating_since: float | None = None
        self._looked_until = 0

    def close(self) -> None:
        """Gives its connection back."""
        self._redis.close()

    def round(self) -> None:
        """Heartbeat, and the round if no other steward is at it. Raises what PostgreSQL and Redis raise."""
        self.beat()
        self._free()
        if not self._redis.set("steward", str(self._fleet.worker.id), nx=True, ex=LOCK_SECONDS):
            return
        try:
            self._work()
        finally:
            self._redis.delete("steward")

    def beat(self) -> None:
        """The worker lives, and gives back what nobody in it knows to hold.

        Before its first claim, too: what an unknown worker holds comes back only late.
        """
        fleet = self._fleet
        try:
            with fleet.engine.begin() as connection:
                fleet_rows.beat(connection, fleet.worker)
                claims.return_unknown(connection, fleet.worker.id, fleet.held.copy())
        except Exception:
            self._beating_since = None
            raise
        if self._beating_since is None:
            self._beating_since = fleet.monotonic()
        fleet.tally.hand_over(fleet.engine)

    def _free(self) -> None:
        while self._fleet.unfreed:
            self._fleet.unfreed[0]()
            self._fleet.unfreed.popleft()

    def _work(self) -> None:
        steps: list[Callable[[], object]] = [
            self._bury,
            self._return_expired,
            self._bring_due,
            lambda: standing.keep_in_step(self._fleet),
            self._drop_expired,
            self._begin_due,
            lambda: replan_all(self._fleet),
            lambda: refill_all(self._fleet, self._fleet.sources),
            lambda: overview.note_minute(self._fleet),
        ]
        for step in steps:
            step()

    def _bury(self) -> None:
        """What dead workers held comes back at its old place."""
        with at_once(self._fleet.engine) as connection:
            known = fleet_rows.workers(connection)
        dead = [card for card, silent in known if self._is_dead(card, silent)]
        if not dead:
            return
        for source in self._fleet.sources:
            for card in dead:
                self._fleet.limiter.bury(source, str(card.id))
        with self._fleet.engine.begin() as connection:
            orphans = claims.return_of_the_dead(connection, [card.id for card in dead])
            for orphan in orphans:
                if orphan.deaths >= KILLER_DEATHS:
                    self._end_killer(connection, orphan)
            fleet_rows.forget(connection, [card.id for card in dead])
        log.warning("workers are dead", workers=[str(card.id) for card in dead], lookups=len(orphans))

    def _is_dead(self, card: WorkerCard, silent: float) -> bool:
        if card.id == self._fleet.worker.id:
            return False
        if card.machine == self._machine:
            return not _lives(card)
        # After an outage of the database every heartbeat is old: judge only after beating for that long ourselves.
        since = self._beating_since
        return since is not None and silent > DEAD_AFTER and self._fleet.monotonic() - since > DEAD_AFTER

    def _end_killer(self, connection: Connection, orphan: claims.Orphan) -> None:
        ended = settling.end_killer(connection, orphan.id, orphan.deaths)
        if ended is not None:
            kind, subject, priority = ended
            rows.record_replans(connection, {Ref(Kind(kind), subject): priority})
            rows.record_dependants(connection, [subject], [])

    def _return_expired(self) -> None:
        with self._fleet.engine.begin() as connection:
            claims.return_expired(connection)

    def _bring_due(self) -> None:
        with self._fleet.engine.begin() as connection:
            due = lookups.bring_due(connection)
        refill_all(self._fleet, due)  # now: the rest of the round may take its time

    def _drop_expired(self) -> None:
        self._looked_until = expiry.drop_expired(self._fleet, self._looked_until)

    def _begin_due(self) -> None:
        with self._fleet.engine.begin() as connection:
            rows.begin_due(connection, CHUNK * CHUNKS)


def _lives(card: WorkerCard) -> bool:
    """Is this pid still the process that beat under it?"""
    try:
        process = psutil.Process(card.pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - card.pid_started) < 2
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def retire(fleet: Fleet) -> None:
    """A worker leaves in good order: what it still holds comes back at once, and what it has counted counts."""
    fleet.tally.hand_over(fleet.engine)
    for source in fleet.sources:
        fleet.limiter.bury(source, str(fleet.worker.id))
    with fleet.engine.begin() as connection:
        claims.return_unharmed(connection, fleet.worker.id)
        fleet_rows.forget(connection, [fleet.worker.id])


def new_card(host: str, machine: str, threads: int, version: str) -> WorkerCard:
    """The calling process, as the fleet will know it."""
    process = psutil.Process()
    return WorkerCard(uuid.uuid4(), host, machine, process.pid, process.create_time(), threads, version)
