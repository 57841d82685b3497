"""The window: for each source just enough fetch messages in flight that a turn never waits for one."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Mapping, Sequence

import redis
import structlog
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import DBAPIError

from enrichment.reservoir import lookups
from enrichment.reservoir.pool import at_once
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
    """Send fetch messages for these sources; a broker, limiter or database that is away only delays them.

    They serve all sources: after one failure the rest is left to the steward, and nobody waits for a time-out twice.
    Several threads of a process that refill at a time look at the lines together; but a critical refill waits for no
    others, and may send one more than the window, so that a critical lookup never waits for a message.
    """
    wanted = fleet.sources.keys() & set(sources)
    if fleet.send_fetch is None or not wanted:
        return
    if critical:
        _refill(fleet, sorted(wanted), spare=1)
    else:
        fleet.refills.do(wanted, lambda several: _refill(fleet, sorted(set().union(*several))))


def _refill(fleet: Fleet, wanted: Sequence[str], spare: int = 0) -> None:
    try:
        rooms = {source: windows(fleet)[source] + spare for source in wanted}
        for source, calls in _calls_waiting(fleet, rooms).items():
            _send(fleet, source, rooms[source], calls)
    except (redis.RedisError, BrokerError, DBAPIError, OSError) as error:
        log.warning("refill must wait", sources=wanted, error=f"{type(error).__name__}: {error}"[:200])


def _send(fleet: Fleet, source: str, room: int, calls: int) -> None:
    """As many fetch messages as the window has room and the line has calls."""
    if fleet.send_fetch is None or not (calls or probing.is_due(fleet, source)):
        return
    for ticket in fleet.limiter.admit(source, room, [uuid.uuid4().hex for _ in range(min(max(1, calls), room))]):
        fleet.send_fetch(source, ticket)


def _calls_waiting(fleet: Fleet, rooms: Mapping[str, int]) -> dict[str, int]:
    """How many calls wait for each source, as far as that matters for this much room.

    A long line is not counted again at once.
    """
    counted = {source: fleet.kept(f"line of {source}", LINE_SECONDS) or 0 for source in rooms}
    short = [source for source, room in rooms.items() if counted[source] <= LONG_LINE * room]
    if not short:
        return counted
    sizes = {source: fleet.sizes(source) for source in short}
    look = {
        source: min(4000, (LONG_LINE + 1) * rooms[source] * max(sizes[source].values(), default=1)) for source in short
    }
    with at_once(fleet.engine) as connection:
        lines = lookups.calls_waiting(connection, sizes, look)
        released = {source for source, line in lines.items() if line.full}
        for source in released:
            lookups.release_full(connection, source, sizes[source])
        if not released and not fleet.held:  # what this process has in hand is under way, and is followed by a look
            away = fleet.away(connection)
            if not any(line.calls for source, line in lines.items() if source not in away):
                released = lookups.release_idle(connection, short, away)
        if released:
            lines |= lookups.calls_waiting(connection, sizes, {source: look[source] for source in released})
    for source, line in lines.items():
        fleet.keep(f"line of {source}", line.calls)
    return counted | {source: line.calls for source, line in lines.items()}


def has_line(fleet: Fleet, source: str) -> bool:
    """Did calls wait when this source was last looked at, a moment ago?"""
    return bool(fleet.kept(f"line of {source}", LINE_SECONDS))


def windows(fleet: Fleet) -> dict[str, int]:
    """How many fetch messages each source may have in flight: rate × (latency + slack), within the fleet's threads."""
    found: dict[str, int] = fleet.remembered("windows", lambda: _windows(fleet), WINDOW_SECONDS)
    return found


def _windows(fleet: Fleet) -> dict[str, int]:
    """Threads are shared among the sources that have work; the others keep the least window, to begin with."""
    with at_once(fleet.engine) as connection:
        busy = lookups.sources_with(connection, fleet.sources, "waiting")
    wanted = {source: _wanted(fleet, source) for source in busy}
    most = fleet.threads() * SHARE_OF_THREADS
    share = min(1.0, most / max(1, sum(wanted.values())))
    return {source: max(LEAST, math.floor(wanted.get(source, LEAST) * share)) for source in fleet.sources}


def _wanted(fleet: Fleet, source: str) -> int:
    rate = fleet.limiter.budget(source).rate
    if math.isinf(rate):
        return LARGEST_UNLIMITED
    return max(LEAST, math.ceil(rate * (fleet.limiter.now(source).latency + SLACK_SECONDS)))
