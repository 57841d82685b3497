"""Batches: many tracks handed in at once, followed and cancelled together."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from enrichment.domain.subjects import Status
from enrichment.reservoir import batches as rows
from enrichment.reservoir.batches import Head, Item
from enrichment.reservoir.pool import at_once
from enrichment.reservoir.retrying import in_transaction
from enrichment.services import report
from enrichment.services.fleet import Fleet
from enrichment.services.requests import BadRequest, Request, TrackRequest, read
from enrichment.services.submit import submit_all

log = structlog.get_logger()
LARGEST = 10_000
"""Items of a batch."""
CHUNK = 250


@dataclass(frozen=True, slots=True)
class Taken:
    """A batch that was accepted, item by item."""

    id: uuid.UUID
    items: Sequence[Item]

    @property
    def accepted(self) -> int:
        """How many of its items."""
        return sum(1 for item in self.items if item.ref is not None)


def take(fleet: Fleet, who: str, given: Sequence[Any], batch: uuid.UUID | None = None) -> Taken:
    """Submits the tracks of a batch. Bad items are told each, the good ones go on.

    batch: the id of one that may have been taken before; then nothing is asked again.
    """
    number = batch or uuid.uuid4()
    requests: list[tuple[int, Request]] = []
    items: dict[int, Item] = {}
    for position, each in enumerate(given):
        try:
            requests.append((position, read(TrackRequest, each if isinstance(each, dict) else {"track": each})))
        except BadRequest as error:
            items[position] = Item(position, None, _plain(str(error)))
    log.info("Track enrichment requested", batch_id=str(number), tracks=len(requests))
    accepted = submit_all(
        fleet,
        [request for _, request in requests],
        [f"{number}/{position}" for position, _ in requests] if batch else (),
        batch_id=number,
    )
    for (position, _), outcome in zip(requests, accepted, strict=True):
        items[position] = Item(position, outcome.ref, outcome.error)
    ordered = [items[position] for position in range(len(given))]
    in_transaction(fleet.engine, lambda connection: rows.add(connection, number, who, ordered))
    return Taken(number, ordered)


def _plain(complaint: str) -> str:
    """As PostgreSQL can hold it: a complaint may name a key that nobody could print."""
    return complaint.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def head(fleet: Fleet, batch: uuid.UUID) -> Head | None:
    """Whose it is, and since when."""
    with at_once(fleet.engine) as connection:
        return rows.head(connection, batch)


def progress(fleet: Fleet, batch: Head) -> dict[str, Any]:
    """`batch_id`, `status` (open, ended, cancelled), `total`, and how many items are `accepted`, `rejected`,
    `pending`, `in_progress`, `completed`, `partial`, `failed`.
    """
    with at_once(fleet.engine) as connection:
        counted = rows.counted(connection, batch.id)
    rejected = counted.pop("rejected", 0)
    by_status = {str(status): counted.get(status, 0) for status in Status}
    is_open = by_status[Status.PENDING] + by_status[Status.IN_PROGRESS] > 0
    accepted = sum(by_status.values())
    return {
        "batch_id": str(batch.id),
        "status": "cancelled" if batch.cancelled_at else "open" if is_open else "ended",
        "created_at": batch.created_at.isoformat(),
        "total": accepted + rejected,
        "accepted": accepted,
        "rejected": rejected,
        **by_status,
    }


def results(fleet: Fleet, batch: uuid.UUID, first: int = 0, most: int = 1000) -> list[dict[str, Any]]:
    """What has come of its items, in their order: the contract of POST /enrich, with `index`; of those that were not
    accepted `status` "rejected" and `errors`.
    """
    with at_once(fleet.engine) as connection:
        items = rows.items(connection, batch, first, most)
    come = report.answers(fleet, {item.ref for item in items if item.ref is not None})
    return [
        {"index": item.position, **come[item.ref]}
        if item.ref in come
        else {"index": item.position, "status": "rejected", "errors": [item.error or "unknown"]}
        for item in items
    ]


def cancel(fleet: Fleet, batch: uuid.UUID) -> int:
    """Nobody wants it any more: its open subjects end now, as far as nobody else has asked for them. Returns how many.

    What a source has been asked already is still taken in.
    """
    in_transaction(fleet.engine, lambda connection: rows.mark_cancelled(connection, batch))
    ended = 0
    while count := in_transaction(fleet.engine, partial(_withdraw, batch=batch)):
        ended += count
    return ended


def _withdraw(connection: Connection, batch: uuid.UUID) -> int:
    return rows.withdraw(connection, batch, CHUNK)
