"""Probing: what only the upstream can tell of a source (may our app ask in batches?) is asked once for the whole fleet.

A probe that is due counts as work: refill sends a message for it, and the first fetch that has a turn spends it so.
What was found stands in PostgreSQL, and every process takes it over with the standing of the sources.
"""

from __future__ import annotations

import structlog

from enrichment.domain.outcomes import Verdict
from enrichment.reservoir import fleet as fleet_rows
from enrichment.reservoir.retrying import in_transaction
from enrichment.services import standing
from enrichment.services.fleet import Fleet
from enrichment.wire.limiter import Turn

AGAIN_SECONDS = 24 * 3600.0
"""What was found may change: an app gets its quota, or loses it."""
LEASE_SECONDS = 600.0
"""How long nobody else probes; then it is tried again, whatever became of the last one."""

log = structlog.get_logger()


def is_due(fleet: Fleet, source: str) -> bool:
    """Has this source something to find out? Known to within two seconds."""
    if not fleet.unset(source) or not fleet.questions[source]:
        return False
    known = fleet.standings().get(source)
    return known is not None and known.probe_due


def probe(fleet: Fleet, source: str, turn: Turn) -> Verdict | None:
    """Spends the turn on a probe. None where none is due or another worker is at it. Raises redis.RedisError."""
    if not is_due(fleet, source):
        return None
    if not in_transaction(fleet.engine, lambda c: fleet_rows.begin_probe(c, source, LEASE_SECONDS)):
        fleet.forget()
        return None
    result, found = fleet.wire.probe(source, turn)
    standing.learn(fleet, source, result)
    if result.judgement.verdict is Verdict.ANSWER:
        in_transaction(fleet.engine, lambda c: fleet_rows.probed(c, source, found, AGAIN_SECONDS))
        log.info("source is probed", source=source, **found)
    fleet.forget()
    return result.judgement.verdict
