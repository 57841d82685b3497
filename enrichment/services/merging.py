"""Duplicates: subjects that turn out to be one are proposed, and merged or rejected by a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection

from enrichment.domain.duplicates import IDENTIFIERS, SURE, Known, Proposal, compare, stays
from enrichment.domain.findings import PRODUCER, Statement, origin
from enrichment.domain.subjects import NAMES, Kind
from enrichment.reservoir import changes, findings
from enrichment.reservoir import merging as rows
from enrichment.reservoir import subjects as subject_rows
from enrichment.reservoir.findings import NewFinding
from enrichment.reservoir.identities import subject_lock
from enrichment.reservoir.merging import NewDuplicate, Pair
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref, Subject
from enrichment.services.fleet import Fleet
from enrichment.services.jobs import Cursor, Step, count
from enrichment.services.progress import Advanced, advance, database_now
from enrichment.services.refill import refill_all
from enrichment.services.requests import Conflict, Unknown

READER = "duplicates"
CHUNK, STEP = 500, 2000
"""Changed subjects looked at in a transaction, and in a step of the scheduled job."""
MOST_CERTAIN = 1000
HANDED_IN = 0.9
"""Confidence of a fact that stands in a row without anybody having stated it."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Found:
    """looked: subjects that had changed. proposed: new pairs. withdrawn: pairs that nothing speaks for any more."""

    looked: int = 0
    proposed: int = 0
    withdrawn: int = 0
    merged: int = 0


def find_duplicates(fleet: Fleet, limit: int = 100_000) -> Found:
    """Looks at up to so many subjects that have changed since the last time, the oldest change first.

    Nothing is merged, but what is certain where LINERNOTES_MERGE_CERTAIN says so.
    """
    looked = proposed = withdrawn = 0
    while looked < limit:
        most = min(CHUNK, limit - looked)
        found = in_transaction(fleet.engine, partial(_look, most=most))
        looked, proposed, withdrawn = looked + found.looked, proposed + found.proposed, withdrawn + found.withdrawn
        if found.looked < most:
            break
    return Found(looked, proposed, withdrawn, _merge_certain(fleet) if fleet.merge_certain else 0)


def looking(fleet: Fleet, cursor: Cursor) -> Step:
    """The same as a job, in steps of a second or so."""
    found = find_duplicates(fleet, STEP)
    for what, number in asdict(found).items():
        count(cursor, what, number)
    return Step.MORE if found.looked == STEP else Step.DONE


def _look(connection: Connection, most: int) -> Found:
    moment, after = rows.read_mark(connection, READER)
    complete = changes.complete_until(connection)
    changed = changes.changed(connection, moment, after, complete, most)
    if not changed:
        return Found()
    rows.move_on(connection, READER, changed[-1].updated_at, changed[-1].id)
    proposed = withdrawn = 0
    for kind in Kind:
        added, dropped = _of_kind(connection, kind, {Ref(kind, row.id) for row in changed if row.kind == kind})
        proposed, withdrawn = proposed + added, withdrawn + dropped
    return Found(len(changed), proposed, withdrawn)


def _of_kind(connection: Connection, kind: Kind, changed: set[Ref]) -> tuple[int, int]:
    """New proposals about these subjects, and those that are withdrawn."""
    if not changed:
        return 0, 0
    subjects = [subject for subject in subject_rows.family(connection, changed) if subject.ref in changed]
    pairs = rows.candidates(connection, kind, subjects)
    known = _known(connection, kind, {id_ for pair in pairs for id_ in pair})
    judged = {pair: compare(kind, *(known[id_] for id_ in pair)) for pair in pairs if known.keys() >= set(pair)}
    found = [_new(kind, pair, proposal, known) for pair, proposal in judged.items() if proposal is not None]
    gone = pairs - {each.pair for each in found}
    return rows.propose(connection, found), rows.withdraw(connection, gone)


def _known(connection: Connection, kind: Kind, ids: set[UUID]) -> dict[UUID, Known]:
    stated = findings.of(connection, ids)
    subjects = subject_rows.family(connection, [Ref(kind, id_) for id_ in ids])
    return {
        each.ref.id: Known(each.values, _sure(kind, each.values, stated[each.ref.id]))
        for each in subjects
        if each.ref.id in ids
    }


def _sure(kind: Kind, values: Mapping[str, Any], stated: Sequence[Statement]) -> dict[str, frozenset[str]]:
    return {
        name: frozenset(
            origin(each.source)
            for each in stated
            if (each.field, each.value) == (name, values[name]) and each.confidence >= SURE
        )
        for name in IDENTIFIERS[kind]
        if name in values
    }


def _new(kind: Kind, pair: Pair, proposal: Proposal, known: Mapping[UUID, Known]) -> NewDuplicate:
    evidence = {
        "reasons": proposal.reasons,
        "shared": proposal.shared,
        "unlike": proposal.unlike,
        "match": {"verdict": proposal.match.verdict, "reasons": proposal.match.reasons},
        "subjects": [{"id": str(id_), **{name: known[id_].values[name] for name in NAMES[kind]}} for id_ in pair],
    }
    return NewDuplicate(kind, pair, proposal.match.score, proposal.certain, evidence)


def _merge_certain(fleet: Fleet) -> int:
    numbers = in_transaction(fleet.engine, lambda connection: rows.certain(connection, MOST_CERTAIN))
    return sum(merge(fleet, number, "LINERNOTES_MERGE_CERTAIN")["state"] == "merged" for number in numbers)


def listed(fleet: Fleet, state: str = "proposed", most: int = 100, below: int | None = None) -> list[dict[str, Any]]:
    """The newest pairs in this state ("proposed", "merged", "rejected"), as `shown` has them. below: a number."""
    return in_transaction(
        fleet.engine, lambda connection: [_shown(row) for row in rows.listed(connection, state, most, below)]
    )


def shown(fleet: Fleet, number: int) -> dict[str, Any]:
    """A pair: `id`, `kind`, `state`, `score`, `certain`, `subjects` with `id` and names as they were when it was looked
    at, `reasons`, `shared` and `unlike` identifiers, `match` {`verdict`, `reasons`}, `proposed_at`; once decided
    `decided_at`, `decided_by`, and of those merged `kept`. Raises Unknown.
    """
    row = in_transaction(fleet.engine, lambda connection: rows.one(connection, number))
    if row is None:
        raise Unknown(f"there is no pair {number}; `linernotes duplicates list` shows them")
    return _shown(row)


def _shown(row: Any) -> dict[str, Any]:
    told = {
        "decided_at": row.decided_at.isoformat() if row.decided_at else None,
        "decided_by": row.decided_by,
        "kept": str(row.kept) if row.kept else None,
    }
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "score": row.score,
        "certain": row.certain,
        **row.evidence,
        "proposed_at": row.proposed_at.isoformat(),
        **{name: value for name, value in told.items() if value is not None},
    }


def reject(fleet: Fleet, number: int, who: str) -> dict[str, Any]:
    """These are two, for ever. Raises Unknown, and Conflict where they have been merged."""
    in_transaction(fleet.engine, lambda connection: rows.decide(connection, number, "rejected", who))
    return _decided(fleet, number, "rejected")


def merge(fleet: Fleet, number: int, who: str) -> dict[str, Any]:
    """Makes one of the pair. It keeps the row of the one with a person's lock, else with more findings, else the older.

    Everything of both is the one's afterwards, and the ids and names of the other lead to it. Raises Unknown, and
    Conflict where the pair has been rejected.
    """
    advanced = in_transaction(fleet.engine, lambda connection: _merge(fleet, connection, number, who))
    refill_all(fleet, advanced.sources)
    return _decided(fleet, number, "merged")


def _decided(fleet: Fleet, number: int, wanted: str) -> dict[str, Any]:
    found = shown(fleet, number)
    if found["state"] != wanted:
        raise Conflict(f"pair {number} is {found['state']} already, which stays")
    return found


def _merge(fleet: Fleet, connection: Connection, number: int, who: str) -> Advanced:
    row = rows.one(connection, number)
    if row is None or row.state != "proposed":
        return Advanced(frozenset())
    refs = {Ref(Kind(row.kind), row.first), Ref(Kind(row.kind), row.second)}
    named = [subject for subject in subject_rows.family(connection, refs) if subject.ref in refs]
    subject_rows.lock_names(connection, (name for subject in named for name in subject_lock(subject)))
    pair = {subject.ref.id: subject for subject in subject_rows.lock(connection, refs) if subject.ref in refs}
    if len(pair) < len(refs):
        # Merged with a third meanwhile: the pair is another now. Else another program has deleted one.
        rows.withdraw(connection, [(row.first, row.second)])
        return _merge(fleet, connection, number, who)
    kept, gone = (pair[weight.id] for weight in stays(*rows.weights(connection, Kind(row.kind), pair)))
    if not rows.decide(connection, number, "merged", who, kept.ref.id):
        return Advanced(frozenset())
    _state_all(connection, [kept, gone])
    rows.merge(connection, kept, gone)
    if kept.ref.kind is not Kind.TRACK:
        subject_rows.record_families(connection, [kept.ref])  # tracks of the other one have fields from this one now
    log.info("merged", kind=kept.ref.kind, kept=str(kept.ref.id), gone=str(gone.ref.id), who=who)
    return advance(fleet, connection, subject_rows.lock(connection, [kept.ref]), [kept.ref])


def _state_all(connection: Connection, pair: Sequence[Subject]) -> None:
    """What another program wrote into a row of which nothing is stated counts as handed in: else it would be lost
    beside what is stated of the other.
    """
    stated = findings.of(connection, [subject.ref.id for subject in pair])
    now = database_now(connection)
    findings.keep(
        connection,
        [
            NewFinding(
                subject.ref.kind,
                subject.ref.id,
                Statement(field, value, HANDED_IN, PRODUCER, now, "stood in a row that was merged"),
            )
            for subject in pair
            if not stated[subject.ref.id]
            for field, value in subject.values.items()
            if field not in NAMES[subject.ref.kind]
        ],
    )
