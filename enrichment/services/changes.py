"""What has changed since, for those who mirror the records."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from enrichment.domain.subjects import Kind
from enrichment.reservoir import changes as rows
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref
from enrichment.services import report
from enrichment.services.fleet import Fleet
from enrichment.services.requests import BadRequest

_LAST = uuid.UUID(int=2**128 - 1)
"""After every subject of a moment."""


def changes(fleet: Fleet, since: str, most: int) -> dict[str, Any]:
    """Subjects whose record changed after `since`, the oldest change first; each stands there once, as it is now. One
    that was merged into another stands there with `merged_into`, the other's id, and what is known of that.

    since: a moment in ISO 8601 (its zone is UTC where it names none), or `next` of the answer before. `more`: is there
    more already? A change appears once all transactions that are older have ended, so nothing is ever missed.
    Raises BadRequest.
    """
    begin, after = _cursor(since)

    def read(connection: Connection) -> tuple[list[Any], dict[Ref, report.Record]]:
        complete = rows.complete_until(connection)
        found = list(rows.changed(connection, begin, after, complete, most + 1))
        return found, report.records(connection, [_now(row) for row in found[:most]])

    found, known = in_transaction(fleet.engine, read)
    shown, last = found[:most], found[:most][-1:]
    return {
        "changes": [_change(row, known[_now(row)]) for row in shown if _now(row) in known],
        "next": f"{_plain(last[0].updated_at)},{last[0].id}" if last else since,
        "more": len(found) > most,
    }


def moment(said: str) -> datetime:
    """ISO 8601 as a URL has it; its zone is UTC where it names none. Raises ValueError."""
    said = said.upper()
    # A plus sign that nobody has escaped arrives as a space.
    found = datetime.fromisoformat(said.replace(" ", "+") if "T" in said else said)
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    # In UTC the first day of the calendar may lie before it; nothing is older either way.
    with suppress(OverflowError):
        found = found.astimezone(UTC)
    return found


def _now(row: Any) -> Ref:
    return Ref(Kind(row.kind), row.merged_into or row.id)


def _change(row: Any, subject: report.Record) -> dict[str, Any]:
    change = {
        "kind": row.kind,
        f"{row.kind}_id": subject.id,
        "id": str(row.id),
        "changed_at": row.updated_at.isoformat(),
        "fields": subject.values,
    }
    return change | {"merged_into": str(row.merged_into)} if row.merged_into else change


def _plain(moment: datetime) -> str:
    """Without a sign that a URL would have to escape."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _cursor(since: str) -> tuple[datetime, uuid.UUID]:
    said, comma, after = since.partition(",")
    try:
        return moment(said), uuid.UUID(after) if comma else _LAST
    except ValueError as error:
        raise BadRequest(f"since: {since[:60]!r} is neither a moment in ISO 8601 nor `next` of an answer") from error
