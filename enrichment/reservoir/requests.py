"""Requests are taken in once: their ids are unique, and stand in the transaction that submits them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, text

KEPT_SECONDS = 30 * 86_400.0
"""Far longer than any message travels."""

_TAKE_IN = text("""
INSERT INTO requests (id) SELECT unnest(CAST(:ids AS text[])) ON CONFLICT DO NOTHING RETURNING id
""")


def take_in(connection: Connection, ids: Collection[str]) -> set[str]:
    """Those of these requests that nobody has taken in yet. Waits for others that are about to."""
    # In one order, or two transactions could wait for each other.
    return set(connection.execute(_TAKE_IN, {"ids": sorted(set(ids))}).scalars()) if ids else set()


_FORGET = text("""
DELETE FROM requests WHERE id IN (
    SELECT id FROM requests WHERE accepted_at < clock_timestamp() - make_interval(secs => :seconds) LIMIT :most)
""")


def forget(connection: Connection, seconds: float = KEPT_SECONDS, most: int = 10_000) -> int:
    """Ids so old that no message of theirs can come any more. Returns how many."""
    return connection.execute(_FORGET, {"seconds": seconds, "most": most}).rowcount
