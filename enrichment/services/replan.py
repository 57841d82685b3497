"""Replan: subjects whose performer, album or source has changed are planned again, in chunks."""

from __future__ import annotations

from sqlalchemy import Connection

from enrichment.reservoir import subjects as rows
from enrichment.reservoir.retrying import in_transaction
from enrichment.services.fleet import Fleet
from enrichment.services.progress import Advanced, advance
from enrichment.services.refill import refill_all

CHUNK = 200
CHUNKS, REPLAN_SECONDS = 20, 2.0
"""Of subjects that are planned again in one go, and how long it may take: the steward has other duties."""


def replan(fleet: Fleet, most: int = CHUNK, lowest: int = 1) -> int:
    """Plans one chunk of recorded subjects again, the most urgent first. Returns how many."""

    def work(connection: Connection) -> tuple[int, Advanced]:
        urgent = rows.urgent_replans(connection, most, lowest)
        if not urgent:
            return 0, Advanced(frozenset())
        subjects = rows.lock(connection, urgent)
        refs = rows.take_replans(connection, urgent)
        advanced = advance(fleet, connection, subjects, refs, {ref.id for ref in refs})
        return len(urgent), advanced

    count, advanced = in_transaction(fleet.engine, work)
    fleet.tally.add(advanced.counted.take())
    refill_all(fleet, advanced.sources)
    return count


def replan_all(fleet: Fleet) -> None:
    """Chunk after chunk, as many as may be in one go."""
    until = fleet.monotonic() + REPLAN_SECONDS
    for _ in range(CHUNKS):
        if replan(fleet) < CHUNK or fleet.monotonic() > until:
            return


def replan_critical(fleet: Fleet) -> None:
    """Critical subjects do not wait for the steward's round."""
    replan(fleet, most=20, lowest=rows.CRITICAL)
