"""Events: the import of line-ups, whose performers are enriched; and the performers of one event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from enrichment.domain.subjects import WANTED, Kind
from enrichment.reservoir import events as event_rows
from enrichment.reservoir import findings
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.events import NewEvent, Slot
from enrichment.reservoir.identities import Identity, namesakes, resolve
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref, Wish
from enrichment.services import brought
from enrichment.services.fleet import Fleet
from enrichment.services.line_ups import Billed, Read, read_event
from enrichment.services.progress import database_now, take_over
from enrichment.services.requests import BadRequest, PerformerRequest, Unknown
from enrichment.services.submit import submit_all

PRIORITY = 5
CHUNK = 200
"""Events per transaction of an import."""


@dataclass(slots=True)
class Imported:
    """What came of an import. performers, new: those on its bills, and how many of them were not known before.

    bills: by the event's id, how many are on its bill. rejected: (position from 1, why) of what could not be read.
    """

    bills: dict[str, int] = field(default_factory=dict)
    performers: set[Ref] = field(default_factory=set)
    new: set[Ref] = field(default_factory=set)
    rejected: list[tuple[int, str]] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        """`events`, `performers`, `new_performers`, `billed` (places on bills), `rejected` [{`row`, `error`}]."""
        return {
            "events": len(self.bills),
            "performers": len(self.performers),
            "new_performers": len(self.new),
            "billed": sum(self.bills.values()),
            "rejected": [{"row": row, "error": error} for row, error in self.rejected],
        }


def import_events(
    fleet: Fleet, events: Iterable[Any], priority: int = PRIORITY, request_id: str | None = None
) -> Imported:
    """Events as scrapers hand them over, with their performers, who are enriched by the workers from then on.

    Again is harmless: events are known by their id, performers by RA's id, RA's address or their name. What cannot be
    read is told, the others go on. What an event brings of its performers is in their record when this returns.
    request_id: what the performers' enrichment is followed by.
    """
    imported = Imported()
    for chunk in _in_chunks(_readable(fleet, events, imported)):
        newest = list({read.event.event_id: read for read in chunk}.values())
        work = partial(_import, fleet, reads=newest, priority=priority, request_id=request_id)
        bills, known, new = in_transaction(fleet.engine, work)
        imported.bills |= bills
        imported.performers |= known
        imported.new |= new
    return imported


def enrich_event_performers(
    fleet: Fleet,
    event_id: str,
    priority: int = PRIORITY,
    *,
    force_refresh: bool = False,
    request_id: str | None = None,
) -> int:
    """Asks for every performer on the bill of an event, by the producer's id of it or ours. Returns how many; twice
    with one request_id is once.

    Raises Unknown.
    """
    performers = in_transaction(fleet.engine, lambda connection: event_rows.line_up(connection, event_id))
    if performers is None:
        raise Unknown(f"event_id: {event_id!r} is not known")
    requests = [
        PerformerRequest(performer_id=str(each.id), priority=priority, force_refresh=force_refresh)
        for each in performers
    ]
    ids = [f"{request_id}/{position}" for position in range(len(requests))] if request_id else ()
    return sum(1 for accepted in submit_all(fleet, requests, ids) if accepted.ref is not None)


def _in_chunks(reads: Iterable[Read]) -> Iterator[list[Read]]:
    ahead = iter(reads)
    while chunk := list(islice(ahead, CHUNK)):
        yield chunk


def _readable(fleet: Fleet, events: Iterable[Any], imported: Imported) -> Iterable[Read]:
    for position, given in enumerate(events, start=1):
        try:
            yield read_event(fleet, given)
        except BadRequest as error:
            imported.rejected.append((position, str(error)))


def _import(
    fleet: Fleet, connection: Connection, reads: Sequence[Read], priority: int, request_id: str | None
) -> tuple[dict[str, int], set[Ref], set[Ref]]:
    """One transaction: performers and what came with them, events, bills, and the wish to enrich."""
    named = [billed for read in reads for billed in read.bill]
    refs, new = _performers(connection, named)
    now = database_now(connection)
    subjects = rows.lock(connection, refs.values())
    said = [each for billed in named for each in brought.findings_of(refs[billed.key].id, billed.said, now)]
    findings.keep(connection, said)
    take_over(fleet, connection, subjects)
    events = [_event(read, refs) for read in reads]
    event_rows.put(connection, events)
    wanted = tuple(sorted(WANTED[Kind.PERFORMER]))
    # Begun by a steward: importing does not wait for planning, and does not fail with it.
    wishes = [Wish(subject.ref, wanted, priority, correlation_id=request_id, delay=0.0) for subject in subjects]
    rows.want(connection, wishes)
    return {event.external_id: len(event.bill) for event in events}, {subject.ref for subject in subjects}, new


def _performers(connection: Connection, named: Iterable[Billed]) -> tuple[dict[str, Ref], set[Ref]]:
    """Who they are, by key, and which of them are new: by what Resident Advisor calls them, else by their names."""
    people: dict[str, Billed] = {}
    for billed in named:
        people.setdefault(billed.key, billed)
    rows.lock_names(connection, (f"performer:ra:{key}" for key, billed in people.items() if billed.at_ra))
    refs = _known_to_ra(connection, people)
    others = {key: Identity(Kind.PERFORMER, name=billed.name) for key, billed in people.items() if key not in refs}
    found, new = resolve(connection, list(others.values()))
    refs |= {key: ref for key, ref in zip(others, found, strict=True) if ref is not None}
    apart = _namesakes(connection, {key: (refs[key], people[key]) for key in others if people[key].at_ra})
    return refs | apart, new | set(apart.values())


def _known_to_ra(connection: Connection, people: Mapping[str, Billed]) -> dict[str, Ref]:
    sought = {key: at_ra for key, billed in people.items() if (at_ra := billed.at_ra)}
    known = event_rows.at_ra(connection, sought.values()) if sought else {}
    by_id = {known_as.id: ref for ref, known_as in known.items()}
    by_url = {known_as.url: ref for ref, known_as in known.items()}
    found = {key: by_id.get(at_ra.id or "") or by_url.get(at_ra.url or "") for key, at_ra in sought.items()}
    return {key: ref for key, ref in found.items() if ref is not None and not known[ref].differs(sought[key])}


def _namesakes(connection: Connection, taken: Mapping[str, tuple[Ref, Billed]]) -> dict[str, Ref]:
    """New performers for those whose name belongs to somebody whom RA calls something else."""
    known = event_rows.at_ra(connection, (), {ref for ref, _ in taken.values()}) if taken else {}
    apart = []
    for key, (ref, billed) in taken.items():
        if known[ref].differs(billed.at_ra):
            apart.append(key)
        else:
            known[ref] = billed.at_ra
    return dict(zip(apart, namesakes(connection, [taken[key][1].name for key in apart]), strict=True))


def _event(read: Read, refs: Mapping[str, Ref]) -> NewEvent:
    event = read.event
    slots: dict[Ref, Slot] = {}
    for billed in read.bill:
        ref = refs[billed.key]
        slots.setdefault(ref, Slot(ref, billed.name))
    return NewEvent(
        event.event_id,
        event.title,
        event.venue,
        event.area,
        event.event_date,
        event.url,
        read.metadata,
        list(slots.values()),
    )
