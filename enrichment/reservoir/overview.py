"""The fleet at a glance, at a cost that does not grow with it: counts have a bound, shares are of a sample."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from enrichment.domain.subjects import FIELDS, WANTED, Kind
from enrichment.reservoir.documents import document
from models import column_of

BOUND = 2000
"""Lookups of one source and priority are counted so far; beyond, the planner's estimate has to do."""
SAMPLE = 10_000
"""Subjects of a kind that a share is taken of: it is then right to one in a hundred."""
KEPT_DAYS = 30

# Each priority of a source is one stretch of the index of its line, the oldest first.
_LINES = text("""
SELECT s.source, p.priority, counted.rows,
    extract(epoch FROM clock_timestamp() - oldest.created_at)::float AS oldest
FROM unnest(CAST(:sources AS text[])) AS s(source) CROSS JOIN generate_series(1, 10) AS p(priority)
CROSS JOIN LATERAL (
    SELECT created_at FROM lookups l WHERE l.state = 'waiting' AND l.source = s.source AND l.priority = p.priority
    ORDER BY l.id LIMIT 1
) oldest
CROSS JOIN LATERAL (
    SELECT count(*) AS rows FROM (
        SELECT FROM lookups l WHERE l.state = 'waiting' AND l.source = s.source AND l.priority = p.priority LIMIT :bound
    ) bounded
) counted
""")


def lines(connection: Connection, sources: Collection[str]) -> Sequence[Any]:
    """What waits, by `source` and `priority`: `rows`, up to BOUND, and the age of the `oldest` in seconds."""
    return connection.execute(_LINES, {"sources": list(sources), "bound": BOUND}).all()


_ESTIMATE = text("EXPLAIN (FORMAT JSON) SELECT FROM lookups WHERE state = 'waiting' AND source = :source")


def estimated(connection: Connection, source: str) -> int:
    """How many of a source's lookups wait, as the planner's statistics have it."""
    plan = connection.execute(_ESTIMATE, {"source": source}).scalar_one()
    return int(plan[0]["Plan"]["Plan Rows"])


_OTHERS = text("""
SELECT source, state, count(*) AS rows FROM (
    SELECT source, state FROM lookups WHERE state = 'claimed'
    UNION ALL (SELECT source, state FROM lookups WHERE state IN ('not_due', 'gathering') LIMIT 10 * :bound)
    UNION ALL SELECT s.source, 'deferred' FROM unnest(CAST(:sources AS text[])) AS s(source) CROSS JOIN LATERAL (
        SELECT FROM lookups l WHERE l.state = 'deferred' AND l.source = s.source LIMIT :bound
    ) bounded
) found GROUP BY source, state
""")


def others(connection: Connection, sources: Collection[str]) -> Sequence[Any]:
    """Open lookups that are not in line, by `source` and `state`: `rows`, up to a bound."""
    return connection.execute(_OTHERS, {"sources": list(sources), "bound": BOUND}).all()


# A retry that is still to come tells of a fault that is on; else the newest letter does.
_ERRORS = text("""
SELECT DISTINCT ON (source) source, error, extract(epoch FROM clock_timestamp() - at)::float AS ago FROM (
    SELECT source, error, clock_timestamp() AS at FROM (
        SELECT source, error, state FROM lookups WHERE state IN ('not_due', 'gathering') ORDER BY due_at DESC LIMIT 500
    ) due WHERE state = 'not_due' AND error IS NOT NULL
    UNION ALL SELECT s.source, newest.error, newest.created_at
    FROM unnest(CAST(:sources AS text[])) AS s(source) CROSS JOIN LATERAL (
        SELECT error, created_at FROM dead_letters d WHERE d.state = 'open' AND d.source = s.source
        ORDER BY d.id DESC LIMIT 1
    ) newest
) found ORDER BY source, at DESC
""")


def errors(connection: Connection, sources: Collection[str]) -> Sequence[Any]:
    """The last `error` of each `source` that has one, and how many seconds `ago`."""
    return connection.execute(_ERRORS, {"sources": list(sources)}).all()


_LETTERS = text("""
SELECT coalesce(source, what) AS source, outcome, count(*) AS rows FROM (
    SELECT source, what, outcome FROM dead_letters WHERE state = :state LIMIT 100000
) bounded GROUP BY 1, 2 ORDER BY 3 DESC
""")


def letters(connection: Connection, state: str) -> Sequence[Any]:
    """Dead letters in this state by `source` ("message" for a producer's) and `outcome`: `rows`, the most first."""
    return connection.execute(_LETTERS, {"state": state}).all()


_HELD = text("SELECT claimed_by, count(*) AS rows FROM lookups WHERE state = 'claimed' GROUP BY claimed_by")


def held(connection: Connection) -> Mapping[Any, int]:
    """How many lookups each worker holds."""
    return {row.claimed_by: row.rows for row in connection.execute(_HELD)}


# --- coverage -------------------------------------------------------------------------------------------------------

_SIZES = text("SELECT relname, reltuples::bigint AS rows FROM pg_class WHERE oid = ANY(CAST(:tables AS regclass[]))")


def sizes(connection: Connection) -> dict[Kind, int]:
    """How many subjects there are of each kind, as PostgreSQL counted last."""
    found = connection.execute(_SIZES, {"tables": [f"{kind}s" for kind in Kind]})
    rows = {row.relname: max(0, row.rows) for row in found}
    return {kind: rows[f"{kind}s"] for kind in Kind}


def _known(kind: Kind, name: str) -> str:
    column = column_of(name) if FIELDS[kind][name].shape == "scalar" else f"metadata -> '{name}'"
    return f'count({column}) AS "{name}"'


_COVERAGE = {
    kind: text(
        f"SELECT count(*) AS total, {', '.join(_known(kind, name) for name in sorted(WANTED[kind]))} "  # noqa: S608 - constants
        f"FROM {kind}s TABLESAMPLE SYSTEM (:percent)"
    )
    for kind in Kind
}


def coverage(connection: Connection) -> dict[str, dict[str, float]]:
    """By kind, the share of its subjects that have each usually wanted field; of a sample where they are many."""
    found: dict[str, dict[str, float]] = {}
    for kind, rows in sizes(connection).items():
        percent = min(100.0, 100 * SAMPLE / max(1, rows))
        counted = dict(connection.execute(_COVERAGE[kind], {"percent": percent}).mappings().one())
        total = counted.pop("total")
        if total:
            found[kind] = {name: round(known / total, 4) for name, known in counted.items()}
    return found


# --- minutes --------------------------------------------------------------------------------------------------------

_LAST = text("SELECT date_trunc('minute', clock_timestamp()) - interval '1 minute'")
_IS_NOTED = text("SELECT EXISTS (SELECT FROM minutes WHERE at = :at)")

_NOTE = text("""
WITH settled AS (
    SELECT lookup_id, claim_token, outcome FROM settles
    WHERE settled_at >= :at AND settled_at < :at + interval '1 minute'
), gone AS (DELETE FROM minutes WHERE at < :at - make_interval(days => :days))
INSERT INTO minutes (at, calls, outcomes, coverage) VALUES (:at,
    (SELECT coalesce(jsonb_object_agg(source, calls), '{}') FROM (
        SELECT l.source, count(DISTINCT s.claim_token) AS calls FROM settled s JOIN lookups l ON l.id = s.lookup_id
        GROUP BY l.source) c),
    (SELECT coalesce(jsonb_object_agg(outcome, rows), '{}') FROM (
        SELECT outcome, count(*) AS rows FROM settled GROUP BY outcome) o),
    CAST(:coverage AS jsonb)
) ON CONFLICT DO NOTHING
""")


def note_minute(connection: Connection) -> None:
    """The last full minute is kept, unless it is already."""
    at = connection.execute(_LAST).scalar_one()
    if not connection.execute(_IS_NOTED, {"at": at}).scalar_one():
        values = {"at": at, "days": KEPT_DAYS, "coverage": document(coverage(connection))}
        connection.execute(_NOTE, values)


_MINUTES = text("""
SELECT at, calls, outcomes, coverage FROM minutes
WHERE at >= clock_timestamp() - make_interval(mins => :minutes) ORDER BY at
""")


def minutes(connection: Connection, count: int) -> Sequence[Any]:
    """The last so many minutes: `at`, `calls`, `outcomes`, `coverage`. Some may be missing."""
    return connection.execute(_MINUTES, {"minutes": count}).all()


def now(connection: Connection) -> datetime:
    """By the database's clock."""
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment
