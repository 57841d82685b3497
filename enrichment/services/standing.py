"""How sources stand: what a call teaches the limiter, pauses and stops that outlive Redis, lookups put aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import redis
import structlog
from sqlalchemy import Connection, Engine

from enrichment.domain.outcomes import Judgement, Verdict
from enrichment.reservoir import fleet as fleet_rows
from enrichment.reservoir import lookups
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.lookups import Touched
from enrichment.reservoir.pool import at_once
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref
from enrichment.services.fleet import LONG_PAUSE, STOP, Fleet
from enrichment.wire.limiter import Standing
from enrichment.wire.wire import Result

UNSAID_PAUSE = 5.0
"""Seconds to pause where a refusal does not say how long."""
UNSAID_QUOTA = 3600.0

log = structlog.get_logger()


def learn(fleet: Fleet, source: str, result: Result) -> None:
    """What a call came to, told to the limiter and, where the source has to wait, to PostgreSQL."""
    fleet.tally.called(source, result)
    judgement = result.judgement
    match judgement.verdict:
        case Verdict.ANSWER:
            if result.calls:
                fleet.limiter.succeeded(source, result.seconds)
        case Verdict.OUR_RATE:
            # A Retry-After of 0 from one who says that we ask too fast is no permission.
            pause(fleet, source, judgement.retry_after or UNSAID_PAUSE, judgement.message, ours=True)
        case Verdict.QUOTA:
            pause(fleet, source, judgement.retry_after or UNSAID_QUOTA, judgement.message, ours=False)
        case Verdict.REFUSED:
            pause(fleet, source, fleet_rows.STOPPED_SECONDS, f"stopped: {judgement.message}", ours=False)
        case Verdict.FAILING:
            _failed(fleet, source, judgement)
        case _:
            pass


def _failed(fleet: Fleet, source: str, judgement: Judgement) -> None:
    if judgement.retry_after:
        pause(fleet, source, judgement.retry_after, judgement.message, ours=False)
    if (open_for := fleet.limiter.failed(source, judgement.message)) is not None:
        log.warning("breaker is open", source=source, seconds=round(open_for, 1), reason=judgement.message[:200])


def pause(fleet: Fleet, source: str, seconds: float, reason: str, *, ours: bool) -> None:
    """No calls to a source for so long, fleet-wide; beyond a day it is a stop, and a person has to resume it."""
    stopped = seconds > STOP
    lasts = fleet_rows.STOPPED_SECONDS if stopped else seconds
    left, factor = _pause_limiter(fleet, source, lasts, reason, ours=ours)
    log.warning("source is paused", source=source, seconds=round(left, 1), factor=factor, reason=reason[:200])

    def remember(connection: Connection) -> None:
        fleet_rows.paused(connection, source, left, reason, factor, stopped=stopped)

    in_transaction(fleet.engine, remember)
    fleet.forget()


def _pause_limiter(fleet: Fleet, source: str, seconds: float, reason: str, *, ours: bool) -> tuple[float, float | None]:
    """How long it now lasts, and the rate factor; None where Redis is away: its cold start will hear of the pause."""
    try:
        return fleet.limiter.pause(source, seconds, reason, ours=ours)
    except redis.RedisError as error:
        log.warning("limiter is away", source=source, error=str(error)[:200])
        return seconds, None


def resume(fleet: Fleet, source: str) -> None:
    """A person ends a pause or a stop; what was put aside is taken up by the steward."""
    in_transaction(fleet.engine, lambda connection: fleet_rows.resumed(connection, source))
    fleet.limiter.resume(source)
    fleet.forget()


def reset_breaker(fleet: Fleet, source: str) -> tuple[str, str]:
    """A person closes a breaker: one call goes first. Returns its state before and now.

    A pause that the upstream asked for is no breaker, and stays. After any pause one call goes first, which the limiter
    calls half open too.
    """
    before = fleet.limiter.now(source).breaker
    if before != "closed":
        fleet.limiter.resume(source)
    return before, fleet.limiter.now(source).breaker


def keep_in_step(fleet: Fleet) -> None:
    """By the steward: Redis follows PostgreSQL; lookups of sources that are away are put aside or taken up again."""
    fleet.standings()  # with the keys there are
    with at_once(fleet.engine) as connection:
        standings = fleet_rows.standings(connection)
        deferred = lookups.sources_with(connection, fleet.sources, "deferred")
    for source in fleet.sources:
        known = standings.get(source)
        if known is None:
            continue
        away = known.stopped or known.paused_for > LONG_PAUSE
        if away:
            _hold(fleet, source, known.paused_for if not known.stopped else fleet_rows.STOPPED_SECONDS, known.reason)
        _put_in_line(fleet, source, away=away, some=source in deferred)
        if away != known.deferred:
            _mark(fleet, source, away=away)


def _hold(fleet: Fleet, source: str, seconds: float, reason: str) -> None:
    """A limiter that has lost a long pause is told again."""
    try:
        if fleet.limiter.now(source).paused_for < seconds - 60:
            fleet.limiter.pause(source, seconds, reason, ours=False)
    except redis.RedisError as error:
        log.warning("limiter is away", source=source, error=str(error)[:200])


def _mark(fleet: Fleet, source: str, *, away: bool) -> None:
    in_transaction(fleet.engine, lambda connection: fleet_rows.mark_deferred(connection, source, deferred=away))


def _put_in_line(fleet: Fleet, source: str, *, away: bool, some: bool) -> None:
    """Lookups are put aside where nobody can ask them, and taken up, if there are some, where somebody can again."""
    if away:
        _each_chunk(fleet, lambda connection: lookups.defer(connection, source), back=False)
        return
    if some:
        missing = fleet.missing(source)
        _each_chunk(fleet, lambda connection: lookups.take_up(connection, source, missing), back=True)
    put_aside(fleet, source)


def put_aside(fleet: Fleet, source: str) -> None:
    """What waits for questions that cannot be asked: their keys are gone."""
    if missing := fleet.missing(source):
        _each_chunk(fleet, lambda connection: lookups.defer_waiting(connection, source, missing), back=False)


def _each_chunk(fleet: Fleet, move: Callable[[Connection], Sequence[Touched]], *, back: bool) -> None:
    """Until there is nothing to move; subjects, and what depends on them, are to be planned again."""

    def work(connection: Connection) -> int:
        touched = move(connection)
        rows.reopen(connection, [each.subject_id for each in touched] if back else [])
        rows.record_replans(connection, {Ref(each.kind, each.subject_id): each.priority for each in touched})
        rows.record_dependants(connection, [each.subject_id for each in touched], [])
        return len(touched)

    while in_transaction(fleet.engine, work):
        pass


def for_cold_start(engine: Engine, source: str) -> Standing:
    """What PostgreSQL knows of a source whose limiter state is missing."""
    with at_once(engine) as connection:
        known = fleet_rows.standings(connection).get(source)
    if known is None:
        return Standing()
    paused = fleet_rows.STOPPED_SECONDS if known.stopped else known.paused_for
    return Standing(paused, known.factor, known.reason, known.last_claim_ago)
