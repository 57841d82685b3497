"""The clock's edge: beat ticks, the schedules do the rest."""

from __future__ import annotations

from functools import cache

import structlog
from sqlalchemy.exc import SQLAlchemyError

from enrichment.bootstrap import build_schedules
from enrichment.reservoir.retrying import passes
from enrichment.services.schedules import Schedules
from workers import process
from workers.app import app

log = structlog.get_logger()


@cache
def schedules() -> Schedules:
    """Of this process."""
    return build_schedules(process.fleet(), process.settings())


@app.task(name="tick_schedules")
def tick_schedules() -> None:
    """What is due starts, what is open goes on."""
    try:
        schedules().tick()
    except SQLAlchemyError as error:
        if not passes(error):
            raise
        log.warning("the database is away", error=str(error)[:200])
