"""Events: the performers of a line-up are enriched together."""

from __future__ import annotations

import uuid

from sqlalchemy import Connection, text

from enrichment.reservoir.retrying import in_transaction
from enrichment.services.fleet import Fleet
from enrichment.services.requests import PerformerRequest, Unknown
from enrichment.services.submit import submit_all

_EVENT = text("SELECT id FROM events WHERE external_id = :given OR id = :id ORDER BY external_id = :given DESC LIMIT 1")
_PERFORMERS = text("SELECT performer_id FROM event_performers WHERE event_id = :id ORDER BY position")


def enrich_event_performers(fleet: Fleet, event_id: str, priority: int = 5, *, force_refresh: bool = False) -> int:
    """Asks for every performer on the bill of an event, by the producer's id of it or ours. Returns how many.

    Raises Unknown.
    """
    performers = in_transaction(fleet.engine, lambda connection: _line_up(connection, event_id))
    requests = [
        PerformerRequest(performer_id=each, priority=priority, force_refresh=force_refresh) for each in performers
    ]
    return sum(1 for accepted in submit_all(fleet, requests) if accepted.ref is not None)


def _line_up(connection: Connection, event_id: str) -> list[str]:
    try:
        own: uuid.UUID | None = uuid.UUID(event_id)
    except ValueError:
        own = None
    event = connection.execute(_EVENT, {"given": event_id, "id": own}).scalar_one_or_none()
    if event is None:
        raise Unknown(f"event_id: {event_id!r} is not known")
    return [str(performer) for performer in connection.execute(_PERFORMERS, {"id": event}).scalars()]
