"""What events have brought of their performers: findings that cost no call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from enrichment.domain.findings import Finding, Statement
from enrichment.domain.subjects import Kind
from enrichment.reservoir import findings
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.findings import NewFinding
from enrichment.reservoir.subjects import RA_FACTS, RA_KEYS, Subject
from enrichment.services.fleet import Fleet
from enrichment.sources import residentadvisor

SOURCE = residentadvisor.ResidentAdvisor.name
_FACTS = (*RA_FACTS, "image_url")


def said_of(fleet: Fleet, artist: Mapping[str, Any]) -> list[Finding]:
    """What RA says of a performer, as far as it may be used; nothing where its shape is not known."""
    try:
        said = residentadvisor.findings(artist)
    except (TypeError, ValueError):
        return []
    return [finding for finding in said if fleet.permits(SOURCE, finding.field)]


def findings_of(performer: UUID, said: Sequence[Finding], now: datetime) -> list[NewFinding]:
    """As they are kept."""
    return [
        NewFinding(
            Kind.PERFORMER,
            performer,
            Statement(finding.field, finding.value, finding.confidence, SOURCE, now, finding.reason),
        )
        for finding in said
    ]


def take_up(fleet: Fleet, connection: Connection, subjects: Sequence[Subject]) -> set[UUID]:
    """Keeps what a program that imports events by itself has written into the metadata of these performers alone.

    Returns of whom that was something new.
    """
    said = {subject.ref.id: _in_metadata(fleet, subject) for subject in subjects if subject.ref.kind is Kind.PERFORMER}
    if any(said.values()):
        now = rows.now_and_replans(connection, [])[0]
        findings.keep(connection, [new for id_, told in said.items() for new in findings_of(id_, told, now)])
    return {id_ for id_, told in said.items() if told}


def _in_metadata(fleet: Fleet, performer: Subject) -> list[Finding]:
    facts = {name: performer.metadata[name] for name in _FACTS if performer.metadata.get(name)}
    if not facts.keys() & RA_KEYS or facts.keys() <= performer.values.keys():
        return []
    return [finding for finding in said_of(fleet, facts) if finding.field not in performer.values]
