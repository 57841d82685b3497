"""The parts of a fleet as its services use them. Built in one place: enrichment/bootstrap.py."""

from __future__ import annotations

import random
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf
from typing import Any

import structlog
from sqlalchemy import Connection, Engine

from enrichment import logs
from enrichment.domain.findings import Statement
from enrichment.domain.freshness import may_use, usable_until
from enrichment.domain.planning import Steps
from enrichment.domain.questions import Question
from enrichment.reservoir import fleet as fleet_rows
from enrichment.reservoir import levels, settling
from enrichment.reservoir.fleet import SourceStanding, WorkerCard
from enrichment.reservoir.keys import Keys
from enrichment.reservoir.lookups import GATHER_SECONDS
from enrichment.reservoir.pool import at_once
from enrichment.reservoir.settling import Settlement
from enrichment.services.counting import Tally
from enrichment.services.together import Together
from enrichment.sources.base import Source
from enrichment.wire.limiter import Limiter
from enrichment.wire.wire import Place, Wire

LONG_PAUSE = 900.0
"""Seconds beyond which a pause defers the lookups of its source."""
STOP = 24 * 3600.0
"""Seconds beyond which a pause is a stop."""
SETTLED_TOGETHER = 200
"""Most lookups of several calls that one transaction settles: their subjects are locked meanwhile."""

SendFetch = Callable[[str, str], None]
"""Publishes a fetch message: source, ticket. None where there is no broker: the workers' stewards send them."""

Fence = Callable[[Connection, Sequence[Settlement], uuid.UUID], set[int]]
"""Moves the lookups whose claim is still held by this worker, and says which those are."""

log = structlog.get_logger()


def never() -> bool:
    """For a process that nobody tells to stop."""
    return False


@dataclass(slots=True)
class Fleet:
    """Everything a service needs.

    sources: shared with wire and limiter; one whose probe has found something out is replaced in it.
    keys: what opens the sources, as it changes. questions, steps: what can be asked, with the keys and by the terms
    there are. commercial: LINERNOTES_COMMERCIAL. merge_certain: LINERNOTES_MERGE_CERTAIN.
    held: tokens of the claims that are in this process' hands. unfreed: what frees slots and tickets for which the
    limiter was away. settles, refills: what threads of this process want at a time.
    sleep: waits, and returns early when the worker is told to stop (stopping). monotonic: seconds. speed:
    LINERNOTES_SPEED.
    """

    engine: Engine
    sources: dict[str, Source[Any]]
    limiter: Limiter
    wire: Wire
    worker: WorkerCard
    send_fetch: SendFetch | None
    keys: Keys
    speed: float = 1.0
    commercial: bool = False
    merge_certain: bool = False
    sleep: Callable[[float], object] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    claim_seconds: float = 0.005
    held: set[uuid.UUID] = field(default_factory=set)
    unfreed: deque[Callable[[], None]] = field(default_factory=deque)
    fence: Fence = settling.apply
    stopping: Callable[[], bool] = never
    tally: Tally = field(default_factory=Tally)
    settles: Together[Any, Any] = field(default_factory=lambda: Together(SETTLED_TOGETHER))
    refills: Together[Any, Any] = field(default_factory=lambda: Together(inf))
    questions: Mapping[str, tuple[Question, ...]] = field(init=False)
    steps: Steps = field(init=False)
    _declared: Mapping[str, Source[Any]] = field(init=False)
    _usable: dict[tuple[str, str], float] = field(default_factory=dict)
    _kept: dict[str, tuple[float, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._declared = dict(self.sources)
        self._arrange()

    def _arrange(self) -> None:
        self.questions = {name: self._askable(source) for name, source in self.sources.items()}
        pairs = ((name, question) for name, asked in self.questions.items() for question in asked)
        self.steps = Steps(pairs, {name: source.chances for name, source in self.sources.items()})

    def _askable(self, source: Source[Any]) -> tuple[Question, ...]:
        """The source's questions whose keys are there, with the fields that may be used here."""
        secrets = self.wire.place(source.name).secrets
        possible = [q for q in source.questions if all(secret in secrets for secret in q.requires)]
        used = [(q, frozenset(name for name in q.gives if self.permits(source.name, name))) for q in possible]
        return tuple(replace(q, gives=gives) for q, gives in used if gives)

    def usable(self, source: str, name: str) -> float:
        """Seconds that what this source says of a field may be used here; 0 for never."""
        known = self._usable.get((source, name))
        if known is None:
            terms = self.sources[source].terms if source in self.sources else None
            known = terms.usable(name, commercial=self.commercial) if terms is not None else inf
            self._usable[source, name] = known
        return known

    def permits(self, source: str, name: str) -> bool:
        """May what this source says of this field be used here at all?"""
        return self.usable(source, name) > 0

    def usable_until(self, statement: Statement) -> datetime:
        """Until when this statement may be used here, by its source's terms."""
        return usable_until(statement, self.usable(statement.source, statement.field))

    def may_use(self, statement: Statement, now: datetime) -> bool:
        """May this statement, by its source's terms, be used here and now?"""
        return may_use(statement, self.usable(statement.source, statement.field), now)

    def unset(self, source: str) -> frozenset[str]:
        """Options that a probe may find out: the operator has not set them."""
        declared = self._declared[source]
        return frozenset(declared.probes) - declared.options.keys()

    def _adopt(self, source: str, found: Mapping[str, str]) -> None:
        """The source is as its probe has found it; an option that the operator has set stays."""
        declared = self._declared[source]
        options = {**declared.options, **{name: found[name] for name in self.unset(source) & found.keys()}}
        if options == self.sources[source].options:
            return
        try:
            self.sources[source] = type(declared)(options)
        except ValueError as error:
            # Another version of the program has found what we do not know.
            log.warning("source cannot be as it was probed", source=source, error=str(error)[:200])
            return
        self._arrange()

    def _open_with(self, keys: Mapping[str, str]) -> None:
        """The wire has these keys from now on, and questions come and go with them."""
        changed = [
            source.name
            for source in self.sources.values()
            if self.wire.open_with(source.name, {name: keys[name] for name in source.secrets if name in keys})
        ]
        if changed:
            self._arrange()
            log.info("keys have changed", sources=changed)

    def has_other_keys(self, source: str, place: Place | None) -> bool:
        """Have the keys with which a call was made been replaced meanwhile?"""
        self.forget()
        self.standings()
        return place is not None and self.wire.place(source) is not place

    def missing(self, source: str) -> frozenset[str]:
        """Names of the source's questions that cannot be asked: their keys are missing, or our terms forbid it."""
        declared = {question.name for question in self.sources[source].questions}
        return frozenset(declared - {question.name for question in self.questions[source]})

    def sizes(self, source: str) -> dict[str, int]:
        """How many lookups share a call, by question."""
        return {question.name: question.batch for question in self.questions[source]}

    @property
    def gather_seconds(self) -> float:
        """How long a low_priority batch gathers."""
        return GATHER_SECONDS / self.speed

    def away(self, connection: Connection) -> frozenset[str]:
        """Sources that are stopped, or paused for long; known to within two seconds.

        connection: that of the transaction under way: who takes a second one may wait for ever where all are taken.
        """
        standings = self.standings(connection).values()
        return frozenset(s.source for s in standings if s.stopped or s.paused_for > LONG_PAUSE)

    def standings(self, connection: Connection | None = None) -> Mapping[str, SourceStanding]:
        """How every source stands, known to within two seconds; from then on each is as its probe has found it, and has
        the keys that are stored.
        """
        found: Mapping[str, SourceStanding] = self.remembered("standings", lambda: self._read_standings(connection))
        return found

    def _read_standings(self, connection: Connection | None) -> Mapping[str, SourceStanding]:
        with nullcontext(connection) if connection is not None else at_once(self.engine) as connected:
            standings, keys = fleet_rows.standings(connected), self.keys.read(connected)
            logs.follow(levels.read(connected))
        self._open_with(keys)
        for source in self.sources.keys() & standings.keys():
            self._adopt(source, standings[source].found)
        return standings

    def threads(self) -> int:
        """Threads of all living workers; known to within two seconds."""
        return int(self.remembered("threads", self._read_threads))

    def _read_threads(self) -> int:
        with at_once(self.engine) as connection:
            alive = fleet_rows.alive(connection)
        return sum(card.threads for card in alive) or self.worker.threads

    def remembered(self, name: str, read: Callable[[], Any], seconds: float = 2.0) -> Any:
        """A value that may be a little old."""
        kept = self._kept.get(name)
        if kept is None or self.monotonic() - kept[0] > seconds:
            kept = self._kept[name] = (self.monotonic(), read())
        return kept[1]

    def kept(self, name: str, seconds: float) -> Any:
        """What was kept under this name within so many seconds, else None."""
        moment, value = self._kept.get(name, (0.0, None))
        return value if self.monotonic() - moment <= seconds else None

    def keep(self, name: str, value: Any) -> None:
        """For `kept`."""
        self._kept[name] = (self.monotonic(), value)

    def close(self) -> None:
        """Gives all connections back."""
        self.engine.dispose()
        self.limiter.close()
        self.wire.close()

    def forget(self) -> None:
        """Read everything anew: a source has been stopped or resumed."""
        self._kept.clear()
