"""Fetch: a turn, then the best waiting lookups, one call, settle, and the next message."""

from __future__ import annotations

from dataclasses import dataclass

from enrichment.domain.outcomes import Judgement, Verdict
from enrichment.reservoir import claims as line
from enrichment.reservoir.claims import Claim
from enrichment.services import standing
from enrichment.services.fleet import Fleet
from enrichment.services.progress import Advanced
from enrichment.services.refill import refill_all
from enrichment.services.replan import replan_critical
from enrichment.services.settle import settle
from enrichment.sources.base import Ask
from enrichment.wire.limiter import Turn
from enrichment.wire.wire import Result

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
    touched = frozenset({source})
    try:
        turn = _turn(fleet, source)
        if turn is None:
            return Fetched(source, outcome="no turn in time")
        try:
            fetched, touched = _use(fleet, source, turn)
        finally:
            _free(fleet, turn)
        return fetched
    finally:
        fleet.limiter.finish(source, ticket)
        refill_all(fleet, touched | {source})


def _turn(fleet: Fleet, source: str) -> Turn | None:
    """A turn, waited for until shortly before its moment; None where it would take too long."""
    until = fleet.monotonic() + max(2.0, 1 / fleet.limiter.budget(source).rate)
    while True:
        got = fleet.limiter.take(source)
        if isinstance(got, Turn):
            lead = min(CLAIM_LEAD, fleet.claim_seconds * 1.5)
            fleet.sleep(max(0.0, got.moment - lead - fleet.monotonic()))
            return got
        if got.paused or fleet.monotonic() + got.after > until:
            return None
        fleet.sleep(got.after)


def _use(fleet: Fleet, source: str, turn: Turn) -> tuple[Fetched, frozenset[str]]:
    """Claim, ask, settle; again with the turn in hand as long as answers come from the cache."""
    touched: set[str] = {source}
    lookups = found = 0
    outcome = "nothing to ask"
    while not turn.used:
        claims = _claim(fleet, source, turn)
        if not claims:
            break
        result = _ask(fleet, source, claims, turn)
        if turn.used:
            # The upstream is done with us: its slot need not wait for our database.
            _free(fleet, turn)
        advanced = _settle(fleet, claims, result)
        touched |= advanced.sources
        lookups += len(claims)
        found += sum(1 for answer in result.answers if answer.findings)
        outcome = result.judgement.verdict if result.calls else f"{result.judgement.verdict}, from the cache"
        if result.judgement.verdict is not Verdict.ANSWER:
            break
    return Fetched(source, lookups, found, outcome), frozenset(touched)


def _free(fleet: Fleet, turn: Turn) -> None:
    if not turn.freed:
        fleet.limiter.free(turn)


def _claim(fleet: Fleet, source: str, turn: Turn) -> list[Claim]:
    started = fleet.monotonic()
    low_end = turn.number % LOW_END_EVERY == 0
    with fleet.engine.begin() as connection:
        claims = line.claim(connection, source, fleet.sizes(source), fleet.worker.id, low_end=low_end)
    fleet.claim_seconds = fleet.claim_seconds * 0.9 + (fleet.monotonic() - started) * 0.1
    return claims


def _ask(fleet: Fleet, source: str, claims: list[Claim], turn: Turn) -> Result:
    question = next((q for q in fleet.questions[source] if q.name == claims[0].question), None)
    if question is None:
        return Result(
            Judgement(Verdict.UNREADABLE, message=f"{source} has no question {claims[0].question!r} any more")
        )
    fresh_after = max((claim.fresh_after for claim in claims if claim.fresh_after), default=None)
    asks = [Ask(claim.id, claim.keys) for claim in claims]
    result = fleet.wire.ask(source, question, asks, turn, fresh_after)
    standing.learn(fleet, source, result)
    return result


def _settle(fleet: Fleet, claims: list[Claim], result: Result) -> Advanced:
    if result.judgement.verdict is Verdict.BLOCKED:
        with fleet.engine.begin() as connection:
            line.give_back(connection, claims)
        return Advanced(frozenset())
    advanced = settle(fleet, claims, result)
    if advanced.critical:
        replan_critical(fleet)
    return advanced
