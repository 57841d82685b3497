"""Lookups on their way: planned, gathering, due, deferred, counted."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, text

from enrichment.domain.subjects import Kind
from enrichment.reservoir.documents import document

GATHER_SECONDS = 120.0
"""How long a low_priority lookup waits for its batch to fill. LINERNOTES_SPEED divides it."""


@dataclass(frozen=True, slots=True)
class NewLookup:
    """A lookup as plan() wants it. batched: its question takes several per call."""

    source: str
    question: str
    kind: Kind
    subject_id: uuid.UUID
    priority: int
    keys: Mapping[str, Any]
    batch_key: str = ""
    batched: bool = False
    deferred: bool = False
    blocking: bool = True
    fresh_after: datetime | None = None
    misses: int = 0
    correlation_id: str | None = None


_INSERT = text("""
INSERT INTO lookups (source, question, kind, subject_id, state, priority, keys, batch_key, blocking, due_at,
                     fresh_after, misses, correlation_id)
SELECT source, question, kind, subject_id, state, priority, keys, batch_key, blocking,
       CASE WHEN state = 'gathering' THEN clock_timestamp() + make_interval(secs => :gather) END,
       fresh_after, misses, correlation_id
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(source text, question text, kind text, subject_id uuid, state text,
    priority int, keys jsonb, batch_key text, blocking bool, fresh_after timestamptz, misses int, correlation_id text)
ON CONFLICT (subject_id, source, question) WHERE state <> 'ended'
DO UPDATE SET priority = greatest(lookups.priority, excluded.priority),
    state = CASE WHEN lookups.state = 'gathering' AND excluded.priority >= 4 THEN 'waiting' ELSE lookups.state END
WHERE lookups.priority < excluded.priority
RETURNING source, state
""")


def insert(connection: Connection, lookups: Sequence[NewLookup], gather_seconds: float) -> set[str]:
    """Adds them; a lookup that is open already only rises in priority. Returns the sources that got work."""
    if not lookups:
        return set()
    # Two tracks may ask the same of their album. In one order, or two submits could wait for each other.
    best: dict[tuple[bytes, str, str], NewLookup] = {}
    for new in lookups:
        key = (new.subject_id.bytes, new.source, new.question)
        best[key] = max(best.get(key, new), new, key=lambda each: each.priority)
    ordered = [best[key] for key in sorted(best)]
    rows = connection.execute(_INSERT, {"rows": document([_row(new) for new in ordered]), "gather": gather_seconds})
    return {row.source for row in rows}


def _row(new: NewLookup) -> dict[str, Any]:
    low = new.priority <= 3
    state = "deferred" if new.deferred else "gathering" if low and new.batched else "waiting"
    return {
        "source": new.source,
        "question": new.question,
        "kind": new.kind,
        "subject_id": str(new.subject_id),
        "state": state,
        "priority": new.priority,
        "keys": dict(new.keys),
        "batch_key": new.batch_key,
        "blocking": new.blocking,
        "fresh_after": new.fresh_after.isoformat() if new.fresh_after else None,
        "misses": new.misses,
        "correlation_id": new.correlation_id,
    }


class Asked(NamedTuple):
    """What has become of a question about a subject: its open lookup, else the last that ended."""

    source: str
    question: str
    state: str
    outcome: str | None
    error: str | None
    misses: int
    keys: Mapping[str, Any]
    blocking: bool
    claimed_at: datetime | None
    settled_at: datetime | None
    priority: int


_ASKED = text("""
SELECT DISTINCT ON (subject_id, source, question)
    subject_id, source, question, state, outcome, error, misses, keys, blocking, claimed_at, settled_at, priority
FROM lookups WHERE subject_id = ANY(:subjects)
ORDER BY subject_id, source, question, (state = 'ended'), id DESC
""")


def asked(connection: Connection, subjects: Collection[uuid.UUID]) -> dict[uuid.UUID, list[Asked]]:
    """All questions ever asked about these subjects, the newest of each."""
    found: dict[uuid.UUID, list[Asked]] = {subject: [] for subject in subjects}
    if subjects:
        for row in connection.execute(_ASKED, {"subjects": list(subjects)}).all():
            subject_id, *rest = row
            found[subject_id].append(Asked(*rest))
    return found


MORE_TO_COME = """EXISTS (
    SELECT FROM lookups more WHERE more.subject_id = {id} AND more.blocking AND more.lane = 'low_priority'
      AND more.state IN ('gathering', 'waiting', 'claimed'))"""
"""Is another answer about a subject on its way, for which nobody is in a hurry? id: an expression for the subject's."""

_UNFINISHED = text(f"SELECT id FROM unnest(CAST(:ids AS uuid[])) AS s(id) WHERE {MORE_TO_COME.format(id='s.id')}")  # noqa: S608 - a constant


def with_more_to_come(connection: Connection, subjects: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these subjects about which another answer is on its way."""
    return set(connection.execute(_UNFINISHED, {"ids": list(subjects)}).scalars()) if subjects else set()


_RAISE = text("""
UPDATE lookups SET priority = greatest(priority, :priority),
    state = CASE WHEN state = 'gathering' AND :priority >= 4 THEN 'waiting' ELSE state END
WHERE subject_id = ANY(:subjects) AND blocking AND priority < :priority
  AND state IN ('gathering', 'waiting', 'not_due', 'deferred')
RETURNING source
""")


def raise_priority(connection: Connection, subjects: Collection[uuid.UUID], priority: int) -> set[str]:
    """Open lookups of these subjects rise to at least this priority. Returns the sources whose line has changed."""
    rows = connection.execute(_RAISE, {"subjects": list(subjects), "priority": priority})
    return {row.source for row in rows}


_FORCE = text("""
UPDATE lookups SET fresh_after = :moment
WHERE subject_id = ANY(:subjects) AND blocking AND state IN ('gathering', 'waiting', 'not_due', 'deferred')
""")


def force(connection: Connection, subjects: Collection[uuid.UUID], moment: datetime) -> None:
    """Open lookups of these subjects take no reply from before this moment."""
    if subjects:
        connection.execute(_FORCE, {"subjects": list(subjects), "moment": moment})


_DUE = text("""
WITH due AS (
    SELECT id FROM lookups WHERE state IN ('not_due', 'gathering') AND due_at <= clock_timestamp()
    ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE lookups SET state = 'waiting', due_at = NULL WHERE id IN (SELECT id FROM due) RETURNING source
""")


def bring_due(connection: Connection, most: int = 5000) -> set[str]:
    """Retries whose time has come, and batches that have gathered long enough, wait again. Returns their sources."""
    return {row.source for row in connection.execute(_DUE, {"most": most})}


_FULL = text("""
WITH groups AS (
    SELECT question, batch_key, count(*) AS rows FROM (
        SELECT question, batch_key FROM lookups WHERE source = :source AND state = 'gathering' LIMIT :look
    ) seen GROUP BY question, batch_key
), ready AS (
    SELECT g.question, g.batch_key, g.rows - g.rows % (CAST(:sizes AS jsonb) ->> g.question)::int AS most
    FROM groups g WHERE g.rows >= (CAST(:sizes AS jsonb) ->> g.question)::int
), full_batches AS (
    SELECT picked.id FROM ready, LATERAL (
        SELECT id FROM lookups l WHERE l.source = :source AND l.state = 'gathering'
          AND l.question = ready.question AND l.batch_key = ready.batch_key
        ORDER BY id LIMIT ready.most FOR UPDATE SKIP LOCKED
    ) picked
)
UPDATE lookups SET state = 'waiting', due_at = NULL WHERE id IN (SELECT id FROM full_batches)
""")

_NOTHING_UNDER_WAY = """NOT EXISTS (SELECT FROM lookups WHERE state = 'claimed')
      AND NOT EXISTS (SELECT FROM lookups WHERE state = 'waiting' AND source <> ALL(:away))"""

_IDLE = text(f"""
WITH chosen AS (
    SELECT source FROM unnest(CAST(:sources AS text[])) AS s(source)
    WHERE EXISTS (SELECT FROM lookups l WHERE l.source = s.source AND l.state = 'gathering')
      AND {_NOTHING_UNDER_WAY} AND NOT EXISTS (SELECT FROM replans)
    ORDER BY source LIMIT 1
), rest AS (
    SELECT id FROM lookups WHERE source = (SELECT source FROM chosen) AND state = 'gathering'
    ORDER BY id LIMIT 5000 FOR UPDATE SKIP LOCKED
)
UPDATE lookups SET state = 'waiting', due_at = NULL WHERE id IN (SELECT id FROM rest) RETURNING source
""")  # noqa: S608 - a constant

_AT_REST = text(f"""
SELECT {_NOTHING_UNDER_WAY}
      AND (EXISTS (SELECT FROM replans) OR EXISTS (SELECT FROM lookups WHERE state = 'gathering'))
""")  # noqa: S608 - a constant


def release_full(connection: Connection, source: str, sizes: Mapping[str, int], look: int = 5000) -> None:
    """Gathering lookups that fill a batch may be claimed. look: how many are looked at."""
    connection.execute(_FULL, {"source": source, "sizes": document(dict(sizes)), "look": look})


def release_idle(connection: Connection, sources: Collection[str], away: Collection[str]) -> set[str]:
    """Once nothing else is claimed, claimable or to be planned no batch will become fuller: what gathers for the first
    of these sources may be claimed; what gathers for others may become fuller yet.

    away: sources that are paused; what waits for them does not count. Returns the source, if there is one.
    """
    return set(connection.execute(_IDLE, {"sources": list(sources), "away": list(away)}).scalars())


def is_at_rest(connection: Connection, away: Collection[str]) -> bool:
    """Is nothing claimed or claimable, although something is to be planned or gathers? away: as in `release_idle`."""
    return bool(connection.execute(_AT_REST, {"away": list(away)}).scalar_one())


# From a document, whose length no plan depends on: with arrays each look was planned anew, at twice its own cost.
_LINES = text("""
SELECT source, state, question, count(*) AS rows
FROM jsonb_to_recordset(CAST(:looks AS jsonb)) AS s(source text, most int), LATERAL (
    (SELECT state, question, batch_key FROM lookups WHERE source = s.source AND state = 'waiting' LIMIT s.most)
    UNION ALL
    (SELECT state, question, batch_key FROM lookups WHERE source = s.source AND state = 'gathering' LIMIT s.most)
) line GROUP BY source, state, question, batch_key
""")


@dataclass(slots=True)
class Waiting:
    """How many calls the lookups of a source that could be claimed now would take; full: is a gathering batch full?"""

    calls: int = 0
    full: bool = False


def calls_waiting(
    connection: Connection, sizes: Mapping[str, Mapping[str, int]], most: Mapping[str, int]
) -> dict[str, Waiting]:
    """The lines of these sources. sizes: of the batches of each. Of each at most `most` lookups are looked at, of those
    that wait and of those that gather.
    """
    found = {source: Waiting() for source in most}
    looks = [{"source": source, "most": rows} for source, rows in most.items()]
    for row in connection.execute(_LINES, {"looks": document(looks)}).all():
        batches, rest = divmod(row.rows, sizes[row.source].get(row.question, 1))
        if row.state == "waiting":
            found[row.source].calls += batches + bool(rest)
        elif batches:
            found[row.source].full = True
    return found


# As plain values the states lead to the indexes made for them.
_WITH_SOME = {
    state: text(f"""
    SELECT source FROM unnest(CAST(:sources AS text[])) AS s(source)
    WHERE EXISTS (SELECT FROM lookups l WHERE l.source = s.source AND l.state = '{state}')
    """)  # noqa: S608 - constants
    for state in ("waiting", "deferred")
}


def sources_with(connection: Connection, sources: Collection[str], state: str) -> set[str]:
    """Those of the sources that have lookups in this state, "waiting" or "deferred"."""
    return set(connection.execute(_WITH_SOME[state], {"sources": list(sources)}).scalars())


_DEFER = text("""
WITH rows AS (
    SELECT id FROM lookups WHERE source = :source AND state IN ('waiting', 'gathering', 'not_due')
    ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE lookups SET state = 'deferred', due_at = NULL WHERE id IN (SELECT id FROM rows)
RETURNING kind, subject_id, priority
""")

_UNDEFER = text("""
WITH rows AS (
    SELECT id FROM lookups WHERE source = :source AND state = 'deferred' AND question <> ALL(:but)
    ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE lookups SET state = 'waiting' WHERE id IN (SELECT id FROM rows) RETURNING kind, subject_id, priority
""")

# What gathers or is not due yet comes to wait by itself; for what waits there is an index by question.
_DEFER_WAITING = text("""
WITH rows AS (
    SELECT id FROM lookups WHERE source = :source AND state = 'waiting' AND question = ANY(:questions)
    LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE lookups SET state = 'deferred' WHERE id IN (SELECT id FROM rows) RETURNING kind, subject_id, priority
""")


@dataclass(frozen=True, slots=True)
class Touched:
    """A subject whose lookup has been moved."""

    kind: Kind
    subject_id: uuid.UUID
    priority: int


def defer(connection: Connection, source: str, most: int = 1000) -> list[Touched]:
    """A source is gone for long: some of its lookups no longer hold up their subjects. Call until it returns none."""
    return _touched(connection.execute(_DEFER, {"source": source, "most": most}))


def take_up(connection: Connection, source: str, but: Collection[str] = (), most: int = 1000) -> list[Touched]:
    """A source is back: some of its deferred lookups wait again, but these questions. Call until it returns none."""
    return _touched(connection.execute(_UNDEFER, {"source": source, "but": list(but), "most": most}))


def defer_waiting(connection: Connection, source: str, questions: Collection[str], most: int = 1000) -> list[Touched]:
    """These questions cannot be asked any more: some of those that wait are put aside. Call until it returns none."""
    return _touched(connection.execute(_DEFER_WAITING, {"source": source, "questions": list(questions), "most": most}))


def _touched(found: Iterable[Row[Any]]) -> list[Touched]:
    return [Touched(Kind(row.kind), row.subject_id, row.priority) for row in found]


_SEEN = text("""
SELECT source, lane, state, count(*) AS rows, extract(epoch FROM clock_timestamp() - min(created_at))::float AS oldest
FROM lookups WHERE state <> 'ended' GROUP BY source, lane, state
""")


@dataclass(frozen=True, slots=True)
class Line:
    """How many lookups of a source and lane are in a state; oldest: age in seconds."""

    source: str
    lane: str
    state: str
    rows: int
    oldest: float


def lines(connection: Connection, sources: Iterable[str] | None = None) -> list[Line]:
    """The whole reservoir, counted."""
    wanted = None if sources is None else set(sources)
    found = (Line(*row) for row in connection.execute(_SEEN))
    return sorted((x for x in found if wanted is None or x.source in wanted), key=lambda x: (x.source, x.lane, x.state))
