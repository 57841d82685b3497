"""Events and their line-ups."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, text

from enrichment.domain.subjects import Kind
from enrichment.reservoir.documents import document
from enrichment.reservoir.subjects import Ref


@dataclass(frozen=True, slots=True)
class Slot:
    """A performer on a bill. billed_as: as this bill spells it."""

    performer: Ref
    billed_as: str


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event as its producer told it, with its bill in order. metadata: what has no column."""

    external_id: str
    title: str
    venue: str | None
    area: str | None
    event_date: date | None
    url: str | None
    metadata: Mapping[str, Any]
    bill: Sequence[Slot]


_EVENTS = text("""
INSERT INTO events (external_id, title, venue, area, event_date, url, metadata)
SELECT external_id, title, venue, area, event_date, url, metadata
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(external_id text, title text, venue text, area text, event_date date,
    url text, metadata jsonb)
ON CONFLICT (external_id) DO UPDATE SET title = excluded.title, venue = excluded.venue, area = excluded.area,
    event_date = excluded.event_date, url = excluded.url, metadata = excluded.metadata
RETURNING id, external_id
""")

_BILLS = text("""
WITH bills AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(event_id uuid, performer_id uuid, position int,
        billed_as text)
), gone AS (
    DELETE FROM event_performers e WHERE e.event_id = ANY(:events)
    AND NOT EXISTS (SELECT FROM bills b WHERE b.event_id = e.event_id AND b.performer_id = e.performer_id)
)
INSERT INTO event_performers (event_id, performer_id, position, billed_as)
SELECT event_id, performer_id, position, billed_as FROM bills
ON CONFLICT (event_id, performer_id) DO UPDATE SET position = excluded.position, billed_as = excluded.billed_as
""")


def put(connection: Connection, events: Sequence[NewEvent]) -> None:
    """These events as they are now, each given once: new ones are added, others and their bills brought up to date."""
    rows = [_row(event) for event in sorted(events, key=lambda event: event.external_id)]
    ids = {row.external_id: row.id for row in connection.execute(_EVENTS, {"rows": document(rows)})}
    slots = [
        {
            "event_id": str(ids[event.external_id]),
            "performer_id": str(slot.performer.id),
            "position": position,
            "billed_as": slot.billed_as,
        }
        for event in events
        for position, slot in enumerate(event.bill, start=1)
    ]
    connection.execute(_BILLS, {"rows": document(slots), "events": list(ids.values())})


def _row(event: NewEvent) -> dict[str, Any]:
    return {
        "external_id": event.external_id,
        "title": event.title,
        "venue": event.venue,
        "area": event.area,
        "event_date": event.event_date.isoformat() if event.event_date else None,
        "url": event.url,
        "metadata": dict(event.metadata),
    }


_EVENT = text("SELECT id FROM events WHERE external_id = :given OR id = :id ORDER BY external_id = :given DESC LIMIT 1")
_LINE_UP = text("SELECT performer_id FROM event_performers WHERE event_id = :id ORDER BY position")


def line_up(connection: Connection, given: str) -> list[Ref] | None:
    """The performers of an event, by the producer's id of it or ours; None where nobody knows it."""
    try:
        own: uuid.UUID | None = uuid.UUID(given)
    except ValueError:
        own = None
    event = connection.execute(_EVENT, {"given": given, "id": own}).scalar_one_or_none()
    if event is None:
        return None
    return [Ref(Kind.PERFORMER, performer) for performer in connection.execute(_LINE_UP, {"id": event}).scalars()]


_KNOWN_TO_RA = text("""
SELECT id, ra_artist_id, ra_artist_url FROM performers
WHERE ra_artist_id = ANY(:ids) OR ra_artist_url = ANY(:urls) OR id = ANY(:own) ORDER BY created_at DESC, id
""")


@dataclass(frozen=True, slots=True)
class AtRA:
    """What a performer is called by Resident Advisor, as far as that is known."""

    id: str | None = None
    url: str | None = None

    def __bool__(self) -> bool:
        """Is anything known?"""
        return bool(self.id or self.url)

    def differs(self, other: AtRA) -> bool:
        """Are these two performers?"""
        if self.id and other.id:
            return self.id != other.id
        return bool(self.url and other.url and self.url != other.url)


def at_ra(connection: Connection, sought: Collection[AtRA], own: Collection[Ref] = ()) -> dict[Ref, AtRA]:
    """Performers that have one of these ids or addresses, and those named by our own id. The oldest comes last."""
    values = {
        "ids": [each.id for each in sought if each.id],
        "urls": [each.url for each in sought if each.url],
        "own": [ref.id for ref in own],
    }
    rows = connection.execute(_KNOWN_TO_RA, values)
    return {Ref(Kind.PERFORMER, row.id): AtRA(row.ra_artist_id, row.ra_artist_url) for row in rows}
