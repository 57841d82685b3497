"""Purge: what has grown too old to be kept is deleted. How old that is stands in reservoir/purging.py."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from enrichment.domain.outcomes import ANSWERED
from enrichment.reservoir import purging as rows
from enrichment.reservoir.retrying import in_transaction
from enrichment.services.fleet import Fleet
from enrichment.services.jobs import BEGINNING, Cursor, Job, Step, count
from enrichment.services.landing import LANDING_DAYS, forget_ingested
from enrichment.services.progress import database_now

CHUNK = 5_000


def purging(landing: str) -> Job:
    """Tables, answers that have newer ones, and files in the landing folder. counts: by table, and `files`."""

    def step(fleet: Fleet, cursor: Cursor) -> Step:
        tables: list[str] = cursor.setdefault("tables", list(rows.DAYS))
        if tables:
            gone = in_transaction(fleet.engine, partial(rows.purge, table=tables[0], most=CHUNK))
            count(cursor, tables[0], gone)
            if gone < CHUNK:
                tables.pop(0)
            return Step.MORE
        if not _lookups(fleet, cursor):
            return Step.MORE
        count(cursor, "files", forget_ingested(landing, LANDING_DAYS))
        return Step.DONE

    return step


def _lookups(fleet: Fleet, cursor: Cursor) -> bool:
    """Some of the superseded ones; True where that is all."""
    now = in_transaction(fleet.engine, database_now).isoformat()
    until = datetime.fromisoformat(cursor.setdefault("until", now))
    since = cursor.setdefault("since", dict.fromkeys(sorted(ANSWERED), BEGINNING.isoformat()))
    outcome = min(since, key=lambda name: datetime.fromisoformat(since[name]))
    work = partial(
        rows.purge_superseded,
        outcome=outcome,
        since=datetime.fromisoformat(since[outcome]),
        until=until,
        most=CHUNK,
    )
    gone, last = in_transaction(fleet.engine, work)
    count(cursor, "lookups", gone)
    since[outcome] = last.isoformat()
    return all(datetime.fromisoformat(each) >= until for each in since.values())
