"""Fetch: a turn, then the best waiting lookups, one call, settle, and the next message."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import redis
import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from enrichment.domain.outcomes import Judgement, Verdict
from enrichment.reservoir import claims as line
from enrichment.reservoir.claims import Claim
from enrichment.services import probing, standing
from enrichment.services.fleet import Fleet
from enrichment.services.progress import Advanced
from enrichment.services.refill import refill_all
from enrichment.services.replan import replan_critical
from enrichment.services.settle import settle
from enrichment.sources.base import Ask
from enrichment.wire.limiter import Turn
from enrichment.wire.wire import Result

log = structlog.get_logger()

LOW_END_EVERY = 20
CLAIM_LEAD = 0.05
"""The most seconds before its moment that a turn's holder claims, so that the request leaves on time."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch message came to, for people who watch tasks."""

    source: str
    lookups: int = 0
    found: int = 0
    outcome: str = "nothing to ask"

    def __str__(self) -> str:
        if not self.lookups:
            return f"{self.source}: {self.outcome}"
        return f"{self.source}: {self.lookups} lookups, {self.found} found ({self.outcome})"


def fetch(fleet: Fleet, source: str, ticket: str) -> Fetched:
    """One fetch message. Raises redis.RedisError and sqlalchemy.exc.DBAPIError; what it held comes back by itself."""
    if not fleet.limiter.start(source, ticket):
        return Fetched(source, outcome="the ticket is gone")
    place = _Place(fleet, source, ticket)
    try:
        place.turn = _turn(fleet, source)
        if fleet.stopping():
            return Fetched(source, outcome="the worker stops")
        if place.turn is None:
            return Fetched(source, outcome="no turn in time")
        if (probed := probing.probe(fleet, source, place.turn)) is not None:
            return Fetched(source, outcome=f"probed: {probed}")
        return _use(fleet, source, place.turn, place)
    finally:
        place.leave()


class _Place:
    """A fetch's place in the window and its slot at the source, left as soon as the upstream has answered."""

    def __init__(self, fleet: Fleet, source: str, ticket: str) -> None:
        self._fleet, self._source, self._ticket = fleet, source, ticket
        self.turn: Turn | None = None
        self._left = False

    def leave(self) -> None:
        """Slot and ticket are free, and the next message is sent; what is left to do needs only our own database."""
        if self._left:
            return
        self._left = True
        try:
            if self.turn is not None:
                self._fleet.limiter.free(self.turn)
            self._fleet.limiter.finish(self._source, self._ticket)
        except redis.RedisError as error:
            # They come back when their leases end; the answer in hand must not be lost over it.
            log.warning("limiter is away", source=self._source, error=str(error)[:200])
        refill_all(self._fleet, [self._source])


def _turn(fleet: Fleet, source: str) -> Turn | None:
    """A turn, waited for until shortly before its moment; None where it would take too long."""
    until = fleet.monotonic() + max(2.0, 1 / fleet.limiter.budget(source).rate)
    while True:
        got = fleet.limiter.take(source)
        if isinstance(got, Turn):
            lead = min(CLAIM_LEAD, fleet.claim_seconds * 1.5)
            fleet.sleep(max(0.0, got.moment - lead - fleet.monotonic()))
            return got
        if got.paused or fleet.stopping() or fleet.monotonic() + got.after > until:
            return None
        fleet.sleep(got.after)


def _use(fleet: Fleet, source: str, turn: Turn, place: _Place) -> Fetched:
    """Claim, ask, settle; again with the turn in hand as long as answers come from the cache."""
    lookups = found = 0
    outcome = "nothing to ask"
    while not turn.used and not fleet.stopping():
        with _claimed(fleet, source, turn) as claims:
            if not claims:
                break
            result = _ask_or_give_back(fleet, source, claims, turn)
            if turn.used or result.judgement.verdict is not Verdict.ANSWER:
                place.leave()
            advanced = _settle(fleet, claims, result)
        refill_all(fleet, advanced.sources)
        lookups += len(claims)
        found += sum(1 for answer in result.answers if answer.findings)
        verdict = result.judgement.verdict
        outcome = f"{verdict}, from the cache" if result.hits and not result.calls else verdict
        if result.judgement.verdict is not Verdict.ANSWER:
            break
    return Fetched(source, lookups, found, outcome)


@contextmanager
def _claimed(fleet: Fleet, source: str, turn: Turn) -> Iterator[list[Claim]]:
    """The next batch, in our hands to the end of the block; what is not settled by then comes back with the next beat.

    Its token is noted before the claim, whose COMMIT may take effect although its answer is lost.
    """
    token = uuid.uuid4()
    fleet.held.add(token)
    try:
        yield _claim(fleet, source, turn, token)
    finally:
        fleet.held.discard(token)


def _claim(fleet: Fleet, source: str, turn: Turn, token: uuid.UUID) -> list[Claim]:
    started = fleet.monotonic()
    low_end = turn.number % LOW_END_EVERY == 0
    with fleet.engine.begin() as connection:
        claims = line.claim(connection, source, fleet.sizes(source), fleet.worker.id, low_end=low_end, token=token)
    fleet.claim_seconds = fleet.claim_seconds * 0.9 + (fleet.monotonic() - started) * 0.1
    return claims


def _ask_or_give_back(fleet: Fleet, source: str, claims: list[Claim], turn: Turn) -> Result:
    try:
        return _ask(fleet, source, claims, turn)
    except redis.RedisError:
        with fleet.engine.begin() as connection:
            line.give_back(connection, claims)
        raise


def _ask(fleet: Fleet, source: str, claims: list[Claim], turn: Turn) -> Result:
    question = next((q for q in fleet.questions[source] if q.name == claims[0].question), None)
    if question is None:
        return Result(_unasked(fleet, claims[0]))
    fresh_after = max((claim.fresh_after for claim in claims if claim.fresh_after), default=None)
    asks = [Ask(claim.id, claim.keys) for claim in claims]
    result = fleet.wire.ask(source, question, asks, turn, fresh_after)
    if result.judgement.verdict is Verdict.REFUSED and fleet.has_other_keys(source, result.place):
        result = replace(result, judgement=replace(result.judgement, verdict=Verdict.SHED))
    try:
        standing.learn(fleet, source, result)
    except redis.RedisError as error:
        log.warning("limiter has not learnt of an answer", source=source, error=str(error)[:200])
    return result


def _unasked(fleet: Fleet, claim: Claim) -> Judgement:
    if claim.question in fleet.missing(claim.source):
        # A key has been taken away a moment ago; what waits for it is put aside.
        return Judgement(Verdict.BLOCKED, message="its key is missing")
    return Judgement(Verdict.UNREADABLE, message=f"{claim.source} has no question {claim.question!r} any more")


def _settle(fleet: Fleet, claims: list[Claim], result: Result) -> Advanced:
    if result.judgement.verdict is Verdict.BLOCKED:
        with fleet.engine.begin() as connection:
            line.give_back(connection, claims)
        if claims[0].question in fleet.missing(claims[0].source):
            standing.put_aside(fleet, claims[0].source)
        return Advanced(frozenset())
    try:
        advanced = settle(fleet, claims, result)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        # An answer that we cannot settle must not come back for ever: it is treated like one that we cannot read.
        log.exception("answer cannot be settled", source=claims[0].source, question=claims[0].question)
        unsettled = Judgement(Verdict.UNREADABLE, message=f"cannot be settled: {type(error).__name__}: {error}"[:500])
        advanced = settle(fleet, claims, replace(result, judgement=unsettled, answers=()))
    if advanced.critical:
        replan_critical(fleet)
    return advanced
