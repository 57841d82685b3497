"""What is told and noted of performers whose enrichment begins or ends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import structlog
from sqlalchemy import Connection

from enrichment.domain.subjects import Kind, Status
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.subjects import NewStatus, Ref, Subject

log = structlog.get_logger()


def begun(subjects: Sequence[Subject], focus: Collection[Ref], now: datetime) -> None:
    """Those of `focus` that are planned for the first time since they were asked for."""
    for subject in subjects:
        standing = subject.standing
        if standing is None or subject.ref not in focus or subject.ref.kind is not Kind.PERFORMER:
            continue
        if subject.values.keys() & rows.RA_KEYS and standing.status is Status.PENDING and standing.has_begun(now):
            log.info("Starting RA artist enrichment", performer_id=known_as(subject))


def ended(connection: Connection, subjects: Sequence[Subject], statuses: Sequence[NewStatus], now: datetime) -> None:
    """Those for which nothing more is asked."""
    by_ref = {subject.ref: subject for subject in subjects}
    finished = [each for each in statuses if each.finished and each.ref.kind is Kind.PERFORMER]
    rows.mark_enriched(connection, [each.ref.id for each in finished if each.status is not Status.FAILED], now)
    for each in finished:
        subject = by_ref[each.ref]
        if each.status is Status.FAILED:
            log.warning("Failed to enrich performer", performer_id=known_as(subject), reason=each.error)
        else:
            log.info("Successfully enriched performer", performer_id=known_as(subject), name=subject.values["name"])


def known_as(subject: Subject) -> str:
    """The producer's id of it, else ours."""
    return subject.external_id or str(subject.ref.id)
