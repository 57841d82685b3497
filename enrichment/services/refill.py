"""The window: for each source just enough fetch messages in flight that a turn never waits for one."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable

import redis
import structlog
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import DBAPIError

from enrichment.reservoir import lookups
from enrichment.services import probing
from enrichment.services.fleet import Fleet

SLACK_SECONDS = 1.0
"""What a fetch message spends on its way and in the database, amply."""
SHARE_OF_THREADS = 0.75
LEAST, LARGEST_UNLIMITED = 2, 16
WINDOW_SECONDS = 1.0
"""How long windows stay as they are."""
LINE_SECONDS, LONG_LINE = 0.2, 2
"""A line of more than so many windows lasts for longer than so many seconds."""

log = structlog.get_logger()


def refill_all(fleet: Fleet, sources: Iterable[str], *, critical: bool = False) -> None:
    """Send fetch messages for each of these sources; a broker, limiter or database that is away only delays them.

    They serve all sources: after one failure the rest is left to the steward, and nobody waits for a time-out twice.
    """
    try:
        for source in sorted(set(sources)):
            refill(fleet, source, critical=critical)
    except (redis.RedisError, BrokerError, DBAPIError, OSError) as error:
        log.warning("refill must wait", source=source, error=f"{type(error).__name__}: {error}"[:200])


def refill(fleet: Fleet, source: str, *, critical: bool = False) -> int:
    """Send as many fetch messages as the window has room and the line has calls. Returns how many.

    critical: one more than the window may be sent, so that a critical lookup never waits for a message.
    """
    if fleet.send_fetch is None or source not in fleet.sources:
        return 0
    room = windows(fleet)[source] + (1 if critical else 0)
    calls = _calls_waiting(fleet, source, room)
    if not calls and not probing.is_due(fleet, source):
        return 0
    tickets = fleet.limiter.admit(source, room, [uuid.uuid4().hex for _ in range(min(max(1, calls), room))])
    for ticket in tickets:
        fleet.send_fetch(source, ticket)
    return len(tickets)


def _calls_waiting(fleet: Fleet, source: str, room: int) -> int:
    """How many calls wait, as far as that matters for this much room. A long line is not counted again at once."""
    known: int | None = fleet.kept(f"line of {source}", LINE_SECONDS)
    if known is not None and known > LONG_LINE * room:
        return known
    sizes = fleet.sizes(source)
    look = min(4000, (LONG_LINE + 1) * room * max(sizes.values(), default=1))
    with fleet.engine.begin() as connection:
        calls, full = lookups.calls_waiting(connection, source, sizes, look)
        if full:
            lookups.release_full(connection, source, sizes)
        if full or (not calls and lookups.release_idle(connection, source, fleet.away(connection))):
            calls, _ = lookups.calls_waiting(connection, source, sizes, look)
    fleet.keep(f"line of {source}", calls)
    return calls


def has_line(fleet: Fleet, source: str) -> bool:
    """Did calls wait when this source was last looked at, a moment ago?"""
    return bool(fleet.kept(f"line of {source}", LINE_SECONDS))


def windows(fleet: Fleet) -> dict[str, int]:
    """How many fetch messages each source may have in flight: rate × (latency + slack), within the fleet's threads."""
    found: dict[str, int] = fleet.remembered("windows", lambda: _windows(fleet), WINDOW_SECONDS)
    return found


def _windows(fleet: Fleet) -> dict[str, int]:
    """Threads are shared among the sources that have work; the others keep the least window, to begin with."""
    with fleet.engine.connect() as connection:
        busy = lookups.sources_waiting(connection, tuple(fleet.sources))
    wanted = {source: _wanted(fleet, source) for source in busy}
    most = fleet.threads() * SHARE_OF_THREADS
    share = min(1.0, most / max(1, sum(wanted.values())))
    return {source: max(LEAST, math.floor(wanted.get(source, LEAST) * share)) for source in fleet.sources}


def _wanted(fleet: Fleet, source: str) -> int:
    rate = fleet.limiter.budget(source).rate
    if math.isinf(rate):
        return LARGEST_UNLIMITED
    return max(LEAST, math.ceil(rate * (fleet.limiter.now(source).latency + SLACK_SECONDS)))
