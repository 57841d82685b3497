"""What a worker took from the broker and did not live to submit: the steward submits it, out of the journal."""

from __future__ import annotations

import time

import redis
import structlog

from enrichment.domain.orders import Order, id_of
from enrichment.reservoir import requests as taken_in
from enrichment.reservoir.retrying import in_transaction, passes
from enrichment.services import intake
from workers import deliveries, journal, process
from workers.messages import is_newer, opened
from workers.unreadable import keep, refuse

AFTER_SECONDS = 5.0
"""A submit takes milliseconds. One too many is harmless: requests are taken in once."""
MOST, SECONDS = 500, 1.0
"""Of one round: the steward has other things to do."""
LOCK, LOCK_SECONDS = "journal:steward", 10
FORGET_EVERY = 3600.0

log = structlog.get_logger()


def leave_journal(id_: str | None) -> None:
    """Its message is in PostgreSQL, or in the dead letters. Where Redis is away the steward finds out later."""
    if id_ is None or not process.has_journal():
        return
    try:
        journal.remove(process.broker_redis(), id_)
    except redis.RedisError as error:
        log.warning("journal is away", error=str(error)[:200])


def submit_overdue() -> int:
    """One round; only one steward of the fleet is at it. Returns how many entries it ended.

    Raises redis.RedisError and sqlalchemy.exc.DBAPIError: the entries stay.
    """
    client = process.broker_redis()
    if not process.has_journal() or not client.set(LOCK, "", nx=True, ex=LOCK_SECONDS):
        return 0
    try:
        return _round(client)
    finally:
        client.delete(LOCK)


def _round(client: redis.Redis) -> int:
    ended, until = 0, time.monotonic() + SECONDS
    for id_, message in journal.older(client, AFTER_SECONDS, MOST):
        if time.monotonic() > until:
            break
        if _end(id_, message):
            journal.remove(client, id_)
            ended += 1
        else:
            journal.later(client, id_)
    if ended:
        log.warning("messages were lost on the way and are submitted", messages=ended)
    return ended


def _end(id_: str, message: bytes | None) -> bool:
    """Submits an entry or makes a dead letter of it; False where it is another version's to understand."""
    if message is None:
        return True
    try:
        headers, order = opened(message)
    except (ValueError, KeyError, TypeError) as error:
        keep(f"cannot be read in the journal: {error}", message, request_id=id_of(id_))
        return True
    if is_newer(headers):
        return False
    if order is None:
        keep("names no task in the journal", message, request_id=id_of(id_))
        return True
    if deliveries.begun_too_often(id_):
        refuse(order, "workers died under it")
        return True
    try:
        _submit(order)
    finally:
        deliveries.ended(id_)
    return True


def _submit(order: Order) -> None:
    try:
        refused = intake.take(process.fleet(), order).refused
    except Exception as error:
        if isinstance(error, redis.RedisError) or passes(error):
            raise
        # Nobody has foreseen it; it must not keep the others waiting.
        log.exception("entry of the journal cannot be submitted", task=order.task)
        refused = (intake.Refusal(order, f"{type(error).__name__}: {error}"),)
    for refusal in refused:
        refuse(refusal.order, refusal.error)


def forget_old_requests() -> None:
    """Their ids are needed no longer."""
    fleet = process.fleet()
    if fleet.kept("old requests are forgotten", FORGET_EVERY) is None:
        in_transaction(fleet.engine, taken_in.forget)
        fleet.keep("old requests are forgotten", True)
