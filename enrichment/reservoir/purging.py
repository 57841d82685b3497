"""What has grown too old to be kept, deleted in chunks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

DAYS = {
    "dead_letters": 90,
    "audit": 365,
    "settles": 90,
    "quota_hours": 3,
    "batches": 90,
    "schedule_runs": 90,
    "artist_enrichment_raw": 365,
}
"""By table, days that a row is kept: dead letters since somebody acted on them, runs since they ended."""
LOOKUP_DAYS = 30
"""Answers are kept for so long after a newer one to the same question about the same subject."""

_OLD = {
    "dead_letters": "state <> 'open' AND acted_at < {moment}",
    "audit": "at < {moment}",
    "settles": "settled_at < {moment}",
    "quota_hours": "hour < {moment}",
    "batches": "created_at < {moment}",
    "schedule_runs": "ended_at < {moment}",
    "artist_enrichment_raw": "loaded_at < {moment}",
}
_PURGE = {
    table: text(
        f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {old} LIMIT :most))".format(  # noqa: S608 - constants
            moment="clock_timestamp() - make_interval(days => :days)"
        )
    )
    for table, old in _OLD.items()
}


def purge(connection: Connection, table: str, most: int) -> int:
    """Deletes some rows of a table that are older than its days. Returns how many."""
    return connection.execute(_PURGE[table], {"days": DAYS[table], "most": most}).rowcount


# The newest answer to each question is what planning looks at; it stays for good.
_SUPERSEDED = text("""
WITH newer AS MATERIALIZED (
    SELECT id, subject_id, source, question, settled_at FROM lookups
    WHERE state = 'ended' AND outcome = :outcome
        AND settled_at >= CAST(:since AS timestamptz) - make_interval(days => :days)
        AND settled_at < CAST(:until AS timestamptz) - make_interval(days => :days)
    ORDER BY settled_at LIMIT :most
), gone AS (
    DELETE FROM lookups old USING newer n
    WHERE old.subject_id = n.subject_id AND old.source = n.source AND old.question = n.question AND old.id < n.id
        AND old.state = 'ended' RETURNING old.id
)
SELECT (SELECT count(*) FROM gone) AS gone, count(*) AS looked_at,
    max(settled_at) + make_interval(days => :days) AS last FROM newer
""")


def purge_superseded(
    connection: Connection, outcome: str, *, since: datetime, until: datetime, most: int
) -> tuple[int, datetime]:
    """Deletes answers whose successor has come of age since then. Returns how many, and up to when that is all."""
    values = {"outcome": outcome, "since": since, "until": until, "days": LOOKUP_DAYS, "most": most}
    row = connection.execute(_SUPERSEDED, values).one()
    return row.gone, row.last if row.looked_at == most else until
