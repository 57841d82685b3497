"""Waiting for a turn outside of a fetch, for a call that a person asks for."""

from __future__ import annotations

from enrichment.services.fleet import Fleet
from enrichment.wire.limiter import NotNow, Turn


def wait_for_turn(fleet: Fleet, source: str, seconds: float) -> Turn | NotNow:
    """A turn at this source, waited for no longer than that; to be freed. Raises redis.RedisError."""
    until = fleet.monotonic() + seconds
    while not isinstance(got := fleet.limiter.take(source), Turn):
        if fleet.monotonic() + got.after > until:
            return got
        fleet.sleep(got.after)
    return got
