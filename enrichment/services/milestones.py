"""What is told, noted and counted when the enrichment of a subject begins or ends, or a track has its first picture."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import structlog
from sqlalchemy import Connection

from enrichment.domain.subjects import Kind, Status, lane_of
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.holding import Answered
from enrichment.reservoir.subjects import NewStatus, Ref, Subject
from enrichment.services.counting import DURATION, FIRST_ARTWORK, HITS, TASKS, TRACKS, Tally

log = structlog.get_logger()


def begun(subjects: Sequence[Subject], focus: Collection[Ref], now: datetime) -> None:
    """Those of `focus` that are planned for the first time since they were asked for."""
    for subject in subjects:
        standing = subject.standing
        if standing is None or subject.ref not in focus or subject.ref.kind is not Kind.PERFORMER:
            continue
        if subject.values.keys() & rows.RA_KEYS and standing.status is Status.PENDING and standing.has_begun(now):
            log.info("Starting RA artist enrichment", performer_id=known_as(subject), **_followed(subject))


def ended(
    connection: Connection, subjects: Sequence[Subject], statuses: Sequence[NewStatus], now: datetime, counted: Tally
) -> None:
    """Those for which nothing more is asked."""
    by_ref = {subject.ref: subject for subject in subjects}
    for each in statuses:
        standing = by_ref[each.ref].standing
        if each.finished and standing is not None and not standing.refreshing:  # for that nobody waits
            seconds = (now - standing.requested_at).total_seconds()
            _count(counted, each.ref.kind, each.status, standing.priority, seconds)
    finished = [each for each in statuses if each.finished and each.ref.kind is Kind.PERFORMER]
    rows.mark_enriched(connection, [each.ref.id for each in finished if each.status is not Status.FAILED], now)
    for each in finished:
        subject = by_ref[each.ref]
        if each.status is Status.FAILED:
            log.warning(
                "Failed to enrich performer", performer_id=known_as(subject), reason=each.error, **_followed(subject)
            )
        else:
            name = subject.values["name"]
            log.info("Successfully enriched performer", performer_id=known_as(subject), name=name, **_followed(subject))


def answered(counted: Tally, tracks: Sequence[Answered]) -> None:
    """Tracks that were asked for, and whose record holds."""
    for each in tracks:
        if each.status is Status.COMPLETED:
            counted.count(HITS)
        _count(counted, Kind.TRACK, each.status, each.priority, 0.0)
        if each.has_picture:
            counted.observe(FIRST_ARTWORK, seconds=0.0)


def _followed(subject: Subject) -> dict[str, str]:
    """What its producer follows the request by."""
    standing = subject.standing
    return {"correlation_id": standing.correlation_id} if standing is not None and standing.correlation_id else {}


def _count(counted: Tally, kind: Kind, status: Status, priority: int, seconds: float) -> None:
    counted.count(TASKS, status)
    counted.observe(DURATION, lane_of(priority), seconds=seconds)
    if kind is Kind.TRACK:
        counted.count(TRACKS, status)


@contextmanager
def first_pictures(counted: Tally, subjects: Sequence[Subject], now: datetime) -> Iterator[None]:
    """Counts tracks that somebody waits for and that have a picture after the block: a new one, or from the start."""
    before = {subject.ref for subject in subjects if _has_picture(subject)}
    yield
    for subject in subjects:
        standing = subject.standing
        if subject.ref.kind is not Kind.TRACK or standing is None or not standing.is_open or standing.refreshing:
            continue
        if _has_picture(subject) and (subject.ref not in before or standing.status is Status.PENDING):
            counted.observe(FIRST_ARTWORK, seconds=(now - standing.requested_at).total_seconds())


def _has_picture(subject: Subject) -> bool:
    return bool(subject.values.keys() & {"artwork_url", "temporary_artwork_url"})


def known_as(subject: Subject) -> str:
    """The producer's id of it, else ours."""
    return subject.external_id or str(subject.ref.id)
