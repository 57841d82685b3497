"""What a worker does with a producer's task, and with a fetch message. A few lines each: the services do the work."""

from __future__ import annotations

from typing import Any

import redis
import structlog
from celery import signals
from celery.app.task import Context
from celery.exceptions import Reject
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from enrichment.domain.orders import Order
from enrichment.reservoir.retrying import passes
from enrichment.services import fetch as fetching
from enrichment.services import intake
from workers import deliveries, process
from workers.overdue import leave_journal
from workers.unreadable import refuse

log = structlog.get_logger()


def submit(order: Order, message: Context) -> str:
    """A producer's order. Raises celery.exceptions.Reject, back to its queue, where the database is away."""
    with structlog.contextvars.bound_contextvars(correlation_id=order.trace_id):
        try:
            taken = intake.take(process.fleet(), order)
        except SQLAlchemyError as error:
            if not passes(error):
                raise
            log.warning("the database is away", error=str(error)[:200])
            if message.delivery_info and message.delivery_info.get("redelivered"):
                deliveries.ended(message.id)
            raise Reject(reason="the database is away", requeue=True) from error
        for refusal in taken.refused:
            refuse(refusal.order, refusal.error)
        leave_journal(message.id)
        return taken.said


def give_up(order: Order, error: Exception, id_: str) -> None:
    """What cannot be taken for a reason that nobody has foreseen."""
    refuse(order, f"{type(error).__name__}: {error}")
    leave_journal(id_)


def fetch(source: str, ticket: str) -> str:
    """One fetch of a source, under a window's ticket."""
    try:
        return str(fetching.fetch(process.fleet(), source, ticket))
    except (redis.RedisError, DBAPIError) as error:
        # What this fetch held comes back through the steward; there is nothing to retry here.
        log.warning("fetch was cut short", source=source, error=f"{type(error).__name__}: {error}"[:200])
        return f"{source}: cut short by {type(error).__name__}"


@signals.task_revoked.connect
def taken_back(request: Any = None, **_: Any) -> None:
    """By a person."""
    leave_journal(getattr(request, "id", None))
