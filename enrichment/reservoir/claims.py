"""Claiming: the best waiting lookups of a source, as many as share one call."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from enrichment.domain.subjects import Kind
from enrichment.reservoir.subjects import CRITICAL

LEASE_SECONDS = 120.0
"""A claim older than this is given back even if its worker lives: far above any call's deadline and its settling."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A lookup in our hands. token: the fence: whoever does not hold it writes nothing."""

    id: int
    source: str
    question: str
    kind: Kind
    subject_id: uuid.UUID
    keys: Mapping[str, Any]
    priority: int
    attempts: int
    sheds: int
    deaths: int
    misses: int
    batch_limit: int
    fresh_after: datetime | None
    token: uuid.UUID
    claimed_at: datetime
    correlation_id: str | None


_HEAD = """
SELECT id, question, batch_key, batch_limit, priority FROM lookups
WHERE source = :source AND state = 'waiting' {only}
ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED
"""

_BEST = text(_HEAD.format(only=""))

# The low end of the line, its oldest first, unless a critical lookup waits.
_LOW_END = text(
    _HEAD.format(
        only="""AND priority = (
    SELECT CASE WHEN max(priority) = 10 THEN 10 ELSE min(priority) END
    FROM lookups WHERE source = :source AND state = 'waiting')"""
    )
)

# The head is found by a statement of its own: with its question and the batch's size as plain values the planner walks
# the index of the batch, instead of sorting all that share the question. Those that gather for the same call ride
# along, or the first to come due would leave alone, and the next one too.
_CLAIM = text("""
WITH others AS MATERIALIZED (
    SELECT id FROM lookups
    WHERE source = :source AND state = 'waiting' AND question = :question AND batch_key = :batch_key
      AND batch_limit = :batch_limit AND id <> :head
    ORDER BY priority DESC, id LIMIT :others FOR UPDATE SKIP LOCKED
),
riders AS MATERIALIZED (
    SELECT id FROM lookups
    WHERE source = :source AND state = 'gathering' AND question = :question AND batch_key = :batch_key AND :riders
    ORDER BY id LIMIT :others - (SELECT count(*) FROM others) FOR UPDATE SKIP LOCKED
),
batch AS MATERIALIZED (
    SELECT CAST(:head AS bigint) AS id UNION ALL SELECT id FROM others UNION ALL SELECT id FROM riders
),
noted AS (UPDATE source_states SET last_claim_at = clock_timestamp() WHERE source = :source)
UPDATE lookups SET state = 'claimed', claimed_at = clock_timestamp(), claimed_by = :worker, claim_token = :token,
    lease_until = clock_timestamp() + make_interval(secs => :lease), due_at = NULL,
    claim_size = (SELECT count(*) FROM batch)
WHERE id IN (SELECT id FROM batch)
RETURNING id, source, question, kind, subject_id, keys, priority, attempts, sheds, deaths, misses, batch_limit,
    fresh_after, claim_token, claimed_at, correlation_id
""")


def claim(
    connection: Connection,
    source: str,
    sizes: Mapping[str, int],
    worker: uuid.UUID,
    *,
    low_end: bool = False,
    token: uuid.UUID | None = None,
) -> list[Claim]:
    """The next batch of a source, best first; empty where nothing waits.

    What gathers fills up a batch that is not full, unless it is critical: a small call is answered sooner.

    sizes: how many lookups share a call, by question. low_end: begin with the lowest priority, so that it stays alive.
    token: the fence, where the caller notes it before it claims; else a new one.
    """
    head = connection.execute(_LOW_END if low_end else _BEST, {"source": source}).one_or_none()
    if head is None:
        return []
    size = min(sizes.get(head.question, 1), head.batch_limit or 1_000_000)
    rows = connection.execute(
        _CLAIM,
        {
            "source": source,
            "question": head.question,
            "batch_key": head.batch_key,
            "batch_limit": head.batch_limit,
            "head": head.id,
            "others": max(0, size - 1),
            "riders": not head.batch_limit and head.priority < CRITICAL,
            "worker": worker,
            "token": token or uuid.uuid4(),
            "lease": LEASE_SECONDS,
        },
    )
    return sorted((_claim(row) for row in rows), key=lambda claim: (-claim.priority, claim.id))


def _claim(row: Row[Any]) -> Claim:
    return Claim(
        id=row.id,
        source=row.source,
        question=row.question,
        kind=Kind(row.kind),
        subject_id=row.subject_id,
        keys=row.keys,
        priority=row.priority,
        attempts=row.attempts,
        sheds=row.sheds,
        deaths=row.deaths,
        misses=row.misses,
        batch_limit=row.batch_limit,
        fresh_after=row.fresh_after,
        token=row.claim_token,
        claimed_at=row.claimed_at,
        correlation_id=row.correlation_id,
    )


_GIVE_BACK = text("""
UPDATE lookups SET state = 'waiting', claim_token = NULL, claimed_by = NULL, lease_until = NULL
WHERE id = ANY(:ids) AND claim_token = :token AND state = 'claimed'
""")


def give_back(connection: Connection, claims: Sequence[Claim]) -> None:
    """Nothing was asked: the lookups wait again at their old place, at no cost."""
    if claims:
        connection.execute(_GIVE_BACK, {"ids": [claim.id for claim in claims], "token": claims[0].token})


# A worker's death under a batch halves it, since one of the batch may have killed it; only deaths under a lone lookup
# are counted against that lookup.
_BURY = text("""
WITH orphans AS (
    SELECT id FROM lookups WHERE state = 'claimed' AND claimed_by = ANY(:workers)
    ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE lookups SET state = 'waiting', claim_token = NULL, claimed_by = NULL, lease_until = NULL,
    deaths = deaths + CASE WHEN claim_size = 1 THEN 1 ELSE 0 END,
    batch_limit = CASE WHEN claim_size > 1 THEN greatest(1, claim_size / 2) ELSE batch_limit END
WHERE id IN (SELECT id FROM orphans)
RETURNING id, source, deaths
""")

_UNHARMED = text("""
UPDATE lookups SET state = 'waiting', claim_token = NULL, claimed_by = NULL, lease_until = NULL
WHERE state = 'claimed' AND claimed_by = :worker
""")


def return_unharmed(connection: Connection, worker: uuid.UUID) -> None:
    """A worker leaves in good order: its claims wait again, and nothing is counted against them."""
    connection.execute(_UNHARMED, {"worker": worker})


_EXPIRED = text("""
WITH expired AS (
    SELECT id FROM lookups l WHERE state = 'claimed' AND (lease_until < clock_timestamp()
        OR claimed_at < clock_timestamp() - interval '15 seconds'
           AND NOT EXISTS (SELECT FROM workers w WHERE w.id = l.claimed_by))
    ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED
)
UPDATE lookups SET state = 'waiting', claim_token = NULL, claimed_by = NULL, lease_until = NULL
WHERE id IN (SELECT id FROM expired) RETURNING source
""")


_UNKNOWN = text("""
UPDATE lookups SET state = 'waiting', claim_token = NULL, claimed_by = NULL, lease_until = NULL
WHERE state = 'claimed' AND claimed_by = :worker AND claim_token <> ALL(:held) AND claimed_at < now()
""")


def return_unknown(connection: Connection, worker: uuid.UUID, held: Collection[uuid.UUID]) -> int:
    """A living worker's claims that nobody in it knows of wait again. held: tokens of those that somebody does, read
    after this transaction has begun: claims made since then are left alone.

    The answer to the COMMIT of a claim was lost, or the database was away for too long when it was to be settled.
    Returns how many.
    """
    return connection.execute(_UNKNOWN, {"worker": worker, "held": list(held)}).rowcount


@dataclass(frozen=True, slots=True)
class Orphan:
    """A lookup that a dead worker held."""

    id: int
    source: str
    deaths: int


def return_of_the_dead(connection: Connection, workers: Iterable[uuid.UUID]) -> list[Orphan]:
    """The claims of dead workers wait again at their old place."""
    rows = connection.execute(_BURY, {"workers": list(workers)})
    return [Orphan(row.id, row.source, row.deaths) for row in rows]


def return_expired(connection: Connection) -> int:
    """Claims that nobody will settle: their worker has given up on them, or no longer stands in `workers`.

    Returns how many.
    """
    return len(connection.execute(_EXPIRED).all())
