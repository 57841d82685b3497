"""Performers as Resident Advisor imports need them: what to enrich next, and how far it has come.

Counts, queue and bulk functions look at performers whose RA id is known. Their *need* is 1 without picture, 2 without
RA's address, 3 for the rest; another thing than the priority of a request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from enrichment.domain.completeness import completeness
from enrichment.domain.merging import merge
from enrichment.domain.subjects import Kind
from enrichment.reservoir import findings
from enrichment.reservoir import performers as rows
from enrichment.reservoir import requests as taken_in
from enrichment.reservoir import subjects as subject_rows
from enrichment.reservoir.performers import ANY_NEED, NO_IMAGE, NO_URL, NOBODY, THE_REST, Performer
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref
from enrichment.services.fleet import Fleet
from enrichment.services.progress import database_now
from enrichment.services.requests import PerformerRequest, Unknown, read
from enrichment.services.submit import by_text, submit

SCHEDULED, URGENT, BACKFILL = 4, 7, 2
"""Priorities of enrich_batch, enrich_high_priority and enrich_all_pending."""
MOST_IN_QUEUE = 1000
CHUNK = 20_000

log = structlog.get_logger()


def enrich_performer(fleet: Fleet, performer_id: str, priority: int = 5, *, force_refresh: bool = False) -> Ref:
    """Asks for one performer, by the producer's id or ours. Raises Unknown."""
    given = {"performer_id": performer_id, "priority": priority, "force_refresh": force_refresh}
    try:
        return submit(fleet, read(PerformerRequest, given))
    except Unknown as error:
        log.warning("Failed to enrich performer", performer_id=performer_id, reason=str(error))
        raise


def enrich_batch(
    fleet: Fleet,
    batch_size: int = 50,
    delay_seconds: float = 60,
    priority: int = SCHEDULED,
    *,
    request_id: str | None = None,
) -> int:
    """Asks for so many performers that need it, spread over time: the i-th, from 0, starts no earlier than
    i × delay_seconds from now. Returns how many; twice with one request_id is once.
    """
    work = partial(rows.ask, needs=ANY_NEED, most=batch_size, priority=priority, seconds_apart=delay_seconds)
    return _once(fleet, request_id, work)


def enrich_high_priority(
    fleet: Fleet, limit: int = 50, priority: int = URGENT, *, request_id: str | None = None
) -> int:
    """Asks for performers without a picture. Returns how many; twice with one request_id is once."""
    work = partial(rows.ask, needs=NO_IMAGE, most=limit, priority=priority)
    return _once(fleet, request_id, work)


def enrich_all_pending(fleet: Fleet, priority: int = BACKFILL, *, chunk: int = CHUNK) -> int:
    """Asks for every performer that needs it, so many in a transaction. Returns how many."""
    asked, after = 0, NOBODY
    while True:
        work = partial(rows.ask_all, needs=ANY_NEED, most=chunk, priority=priority, after=after)
        count, after = in_transaction(fleet.engine, work)
        asked += count
        if count < chunk:
            return asked


def _once(fleet: Fleet, request_id: str | None, work: Callable[[Connection], int]) -> int:
    def work_once(connection: Connection) -> int:
        if request_id is not None and not taken_in.take_in(connection, [request_id]):
            return 0
        return work(connection)

    return in_transaction(fleet.engine, work_once)


def find_performers_needing_enrichment(fleet: Fleet, limit: int = 100) -> list[Performer]:
    """Those that were never enriched, by need; then those that were and still lack picture or address, the longest ago
    first.
    """
    return in_transaction(fleet.engine, lambda connection: rows.needing(connection, ANY_NEED, limit))


def get_enrichment_queue(fleet: Fleet, limit: int = MOST_IN_QUEUE) -> dict[str, list[Performer]]:
    """`high_priority` (no picture), `medium_priority` (no address), `low_priority` (the rest): at most so many each."""

    def work(connection: Connection) -> dict[str, list[Performer]]:
        needs = {"high_priority": NO_IMAGE, "medium_priority": NO_URL, "low_priority": THE_REST}
        return {name: rows.needing(connection, need, limit) for name, need in needs.items()}

    return in_transaction(fleet.engine, work)


def reset_enrichment(fleet: Fleet, performer_id: str) -> None:
    """Clears enriched_at and what has failed; findings stay, and so does a request that is open. Raises Unknown."""

    def work(connection: Connection) -> None:
        ref = _known(connection, performer_id)
        subject_rows.lock(connection, [ref])
        rows.reset(connection, ref.id)

    in_transaction(fleet.engine, work)


def performer(fleet: Fleet, performer_id: str) -> Performer:
    """By the producer's id or ours. Raises Unknown."""
    return in_transaction(fleet.engine, lambda c: rows.one(c, _known(c, performer_id).id))


def has_ra_artist_id(one: Performer) -> bool:
    """Does Resident Advisor know it by an id?"""
    return one.ra_artist_id is not None


def enriched(one: Performer) -> bool:
    """Has its enrichment ended with something found, and not been reset since?"""
    return one.enriched_at is not None


def shown(one: Performer) -> dict[str, Any]:
    """A performer of these lists: what is known of it by name, `has_ra_artist_id` and `enriched`."""
    known = {name: value for name, value in asdict(one).items() if value is not None and name != "id"}
    return {**known, "has_ra_artist_id": has_ra_artist_id(one), "enriched": enriched(one)}


def enrichment_stats(fleet: Fleet) -> dict[str, int | float]:
    """`total_ra_performers`, `enriched_performers`, `performers_with_images`, `pending_enrichment`,
    `enrichment_percentage`.
    """
    counted = in_transaction(fleet.engine, rows.counts)
    total = sum(counted.values())
    done = sum(count for need, count in counted.items() if need > max(THE_REST))
    return {
        "total_ra_performers": total,
        "enriched_performers": done,
        "performers_with_images": total - sum(counted.get(need, 0) for need in NO_IMAGE),
        "pending_enrichment": total - done,
        "enrichment_percentage": round(100 * done / total, 2) if total else 0.0,
    }


def report_of(one: Performer) -> dict[str, Any]:
    """What `enrichment_report` says, without the provenance."""
    return {
        "performer_id": one.performer_id,
        "performer_name": one.name,
        "has_ra_artist_id": has_ra_artist_id(one),
        "has_image": one.image_url is not None,
        "has_ra_url": one.ra_artist_url is not None,
        "country": one.country,
        "enriched": enriched(one),
        "enriched_at": one.enriched_at.isoformat() if one.enriched_at else None,
        "completeness_score": round(completeness(Kind.PERFORMER, one.facts), 3),
    }


def enrichment_report(fleet: Fleet, performer_id: str) -> dict[str, Any]:
    """`performer_id`, `performer_name`, `has_ra_artist_id`, `has_image`, `has_ra_url`, `country`, `enriched`,
    `enriched_at`, `completeness_score` (0 to 1), and by field the `provenance`: `source`, `confidence`, `stated_at`,
    `reason`. Raises Unknown.
    """

    def work(connection: Connection) -> dict[str, Any]:
        ref = _known(connection, performer_id)
        now = database_now(connection)
        stated = [each for each in findings.of(connection, [ref.id])[ref.id] if fleet.may_use(each, now)]
        provenance = {
            field: {
                "source": merged.source,
                "confidence": merged.confidence,
                "stated_at": merged.stated_at.isoformat(),
                "reason": merged.reason,
            }
            for field, merged in merge(Kind.PERFORMER, stated).items()
        }
        return {**report_of(rows.one(connection, ref.id)), "provenance": provenance}

    return in_transaction(fleet.engine, work)


def _known(connection: Connection, performer_id: str) -> Ref:
    ref = by_text(connection, Kind.PERFORMER, performer_id)
    if ref is None:
        raise Unknown(f"performer_id: {performer_id!r} is not known")
    return ref
