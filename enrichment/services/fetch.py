"""Fetch: a turn, then the best waiting lookups, one call, settle, and the next message."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import redis
import structlog
from sqlalchemy import Connection

from enrichment.domain.outcomes import Judgement, Verdict
from enrichment.domain.questions import COMPANY, Question
from enrichment.reservoir import claims as line
from enrichment.reservoir import company
from enrichment.reservoir.claims import Claim
from enrichment.reservoir.lookups import is_at_rest
from enrichment.reservoir.pool import at_once
from enrichment.reservoir.retrying import passes
from enrichment.services import probing, standing
from enrichment.services.counting import CLAIM
from enrichment.services.fleet import Fleet
from enrichment.services.progress import Advanced
from enrichment.services.refill import has_line, refill_all
from enrichment.services.replan import replan_all, replan_critical
from enrichment.services.settle import settle
from enrichment.sources.base import Ask
from enrichment.tracing import span
from enrichment.wire.limiter import Turn
from enrichment.wire.wire import Result

log = structlog.get_logger()

LOW_END_EVERY = 20
CLAIM_LEAD = 0.05
"""The most seconds before its moment that a turn's holder claims, so that the request leaves on time."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch message came to, for people who watch tasks. kinds: of the subjects asked about."""

    source: str
    kinds: frozenset[str] = frozenset()
    lookups: int = 0
    found: int = 0
    outcome: str = "nothing to ask"

    def __str__(self) -> str:
        if not self.lookups:
            return f"{self.source}: {self.outcome}"
        (what,) = self.kinds if len(self.kinds) == 1 else ("lookup",)
        said = f"{self.source}: {self.lookups} {what}{'s' * (self.lookups != 1)}, {self.found} found"
        return said if self.outcome == Verdict.ANSWER else f"{said} ({self.outcome})"


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
        """Slot and ticket are free, and the next message is sent; what is left to do needs only our own database.

        Who got no turn sends none: at a slow source messages would go round and round. Whoever waits for the next turn
        sends it, or the steward.
        """
        if self._left:
            return
        self._left = True
        try:
            self._free()
        except redis.RedisError as error:
            # The answer in hand must not be lost over it; the steward tries again, or they come back with their leases.
            log.warning("limiter is away", source=self._source, error=str(error)[:200])
            self._fleet.unfreed.append(self._free)
        if self.turn is not None:
            refill_all(self._fleet, [self._source])

    def _free(self) -> None:
        if self.turn is not None:
            self._fleet.limiter.free(self.turn)
        self._fleet.limiter.finish(self._source, self._ticket)


def _turn(fleet: Fleet, source: str) -> Turn | None:
    """A turn, waited for until shortly before its moment; None where it would take too long."""
    until = fleet.monotonic() + max(2.0, 1 / fleet.limiter.budget(source).rate)
    while True:
        got = fleet.limiter.take(source)
        if isinstance(got, Turn):
            lead = min(CLAIM_LEAD, fleet.claim_seconds * 1.5)
            fleet.sleep(max(0.0, got.moment - lead - fleet.monotonic()))
            return got
        if fleet.stopping() or fleet.monotonic() + got.after > until:
            return None
        fleet.sleep(got.after)


def _use(fleet: Fleet, source: str, turn: Turn, place: _Place) -> Fetched:
    """Claim, ask, settle; again with the turn in hand as long as it is not needed."""
    lookups, found, kinds = 0, 0, set[str]()
    outcome, in_hand = "nothing to ask", True
    while in_hand and not fleet.stopping():
        with _claimed(fleet, source, turn) as claims:
            if not claims:
                break
            followed = [claim.correlation_id for claim in claims]
            with span("call", followed, source=source, question=claims[0].question):
                result = _ask_or_give_back(fleet, source, claims, turn)
            in_hand = _is_in_hand(turn, result)
            if not in_hand:
                place.leave()
            with span("settle", followed, source=source, verdict=str(result.judgement.verdict)):
                advanced = _settle(fleet, claims, result)
        refill_all(fleet, advanced.sources)
        lookups += len(claims)
        kinds |= {claim.kind for claim in claims}
        found += sum(1 for answer in result.answers if answer.findings)
        verdict = result.judgement.verdict
        outcome = f"{verdict}, from the cache" if result.hits and not result.calls else verdict
    _go_on(fleet, source)
    return Fetched(source, frozenset(kinds), lookups, found, outcome)


def _go_on(fleet: Fleet, source: str) -> None:
    """Where nothing else is under way, what waits for the steward's next round is done now.

    Whoever has nothing left in hand last looks for all threads of the process, also if it had nothing to ask: the
    others saw its claim in the making.
    """
    if fleet.held or has_line(fleet, source):
        return
    with at_once(fleet.engine) as connection:
        at_rest = is_at_rest(connection, fleet.away(connection))
    if at_rest:
        replan_all(fleet)
        refill_all(fleet, fleet.sources)


def _is_in_hand(turn: Turn, result: Result) -> bool:
    """Is the turn still good? Neither an answer from the cache has needed it, nor what its own host holds up."""
    return not turn.used and (result.judgement.verdict is Verdict.ANSWER or result.judgement.is_held_up)


@contextmanager
def _claimed(fleet: Fleet, source: str, turn: Turn) -> Iterator[list[Claim]]:
    """The next batch, in our hands to the end of the block; what is not settled by then comes back with the next beat.

    Its token is noted before the claim, whose COMMIT may take effect although its answer is lost.
    """
    token = uuid.uuid4()
    fleet.held.add(token)
    try:
        claims = _claim(fleet, source, turn, token)
        with structlog.contextvars.bound_contextvars(**_followed(claims)):
            yield claims
    finally:
        fleet.held.discard(token)


def _followed(claims: list[Claim]) -> dict[str, str]:
    """What lines about this batch can be followed by, where it is about one request alone."""
    ids = {claim.correlation_id for claim in claims}
    one = ids.pop() if len(ids) == 1 else None
    return {"correlation_id": one} if one else {}


def _claim(fleet: Fleet, source: str, turn: Turn, token: uuid.UUID) -> list[Claim]:
    started = fleet.monotonic()
    low_end = turn.number % LOW_END_EVERY == 0
    with fleet.engine.begin() as connection:
        claims = line.claim(connection, source, fleet.sizes(source), fleet.worker.id, low_end=low_end, token=token)
        claims = _with_company(fleet, connection, claims)
    took = fleet.monotonic() - started
    fleet.tally.observe(CLAIM, seconds=took)
    fleet.claim_seconds = fleet.claim_seconds * 0.9 + took * 0.1
    return claims


def _with_company(fleet: Fleet, connection: Connection, claims: list[Claim]) -> list[Claim]:
    """With what tells the performers from others of their name, where the question uses it."""
    question = _question(fleet, claims[0]) if claims else None
    used = COMPANY.intersection(question.uses) if question is not None else ()
    if not used:
        return claims
    known = company.of(connection, [claim.subject_id for claim in claims])
    return [
        replace(claim, keys={**claim.keys, **{name: known.get(claim.subject_id, {}).get(name, []) for name in used}})
        for claim in claims
    ]


def _question(fleet: Fleet, claim: Claim) -> Question | None:
    return next((q for q in fleet.questions[claim.source] if q.name == claim.question), None)


def _ask_or_give_back(fleet: Fleet, source: str, claims: list[Claim], turn: Turn) -> Result:
    try:
        return _ask(fleet, source, claims, turn)
    except redis.RedisError:
        with fleet.engine.begin() as connection:
            line.give_back(connection, claims)
        raise


def _ask(fleet: Fleet, source: str, claims: list[Claim], turn: Turn) -> Result:
    question = _question(fleet, claims[0])
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
    if result.judgement.verdict is Verdict.BLOCKED and not result.judgement.is_held_up:
        with fleet.engine.begin() as connection:
            line.give_back(connection, claims)
        if claims[0].question in fleet.missing(claims[0].source):
            standing.put_aside(fleet, claims[0].source)
        return Advanced(frozenset())
    try:
        advanced = settle(fleet, claims, result)
    except Exception as error:
        if passes(error):
            raise
        # An answer that we cannot settle must not come back for ever: it is treated like one that we cannot read.
        log.exception("answer cannot be settled", source=claims[0].source, question=claims[0].question)
        unsettled = Judgement(Verdict.UNREADABLE, message=f"cannot be settled: {type(error).__name__}: {error}"[:500])
        advanced = settle(fleet, claims, replace(result, judgement=unsettled, answers=()))
    if advanced.critical:
        replan_critical(fleet)
    return advanced
