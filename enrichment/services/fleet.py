"""The parts of a fleet as its services use them. Built in one place: enrichment/bootstrap.py."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine

from enrichment.domain.planning import Steps
from enrichment.domain.questions import Question
from enrichment.reservoir import fleet as fleet_rows
from enrichment.reservoir.fleet import WorkerCard
from enrichment.reservoir.lookups import GATHER_SECONDS
from enrichment.sources.base import Source
from enrichment.wire.limiter import Limiter
from enrichment.wire.wire import Wire

LONG_PAUSE = 900.0
"""Seconds beyond which a pause defers the lookups of its source."""
STOP = 24 * 3600.0
"""Seconds beyond which a pause is a stop."""

SendFetch = Callable[[str, str], None]
"""Publishes a fetch message: source, ticket. None where there is no broker: the workers' stewards send them."""


@dataclass(slots=True)
class Fleet:
    """Everything a service needs.

    sleep: waits, and returns early when the worker is told to stop. monotonic: seconds. speed: LINERNOTES_SPEED.
    """

    engine: Engine
    sources: Mapping[str, Source[Any]]
    questions: Mapping[str, tuple[Question, ...]]
    steps: Steps
    limiter: Limiter
    wire: Wire
    worker: WorkerCard
    send_fetch: SendFetch | None
    speed: float = 1.0
    sleep: Callable[[float], object] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    claim_seconds: float = 0.005
    _kept: dict[str, tuple[float, Any]] = field(default_factory=dict)

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

        def read() -> list[str]:
            standings = fleet_rows.standings(connection).values()
            return [s.source for s in standings if s.stopped or s.paused_for > LONG_PAUSE]

        return frozenset(self.remembered("away", read))

    def threads(self) -> int:
        """Threads of all living workers; known to within two seconds."""
        return int(self.remembered("threads", self._read_threads))

    def _read_threads(self) -> int:
        with self.engine.connect() as connection:
            alive = [card.threads for card, silent in fleet_rows.workers(connection) if silent < 15]
        return sum(alive) or self.worker.threads

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

    def forget(self) -> None:
        """Read everything anew: a source has been stopped or resumed."""
        self._kept.clear()
