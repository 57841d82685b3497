"""Findings: kept, read, locked, dropped."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from enrichment.domain.findings import PERSON, Statement, marks
from enrichment.domain.subjects import Kind
from enrichment.reservoir.documents import document
from enrichment.reservoir.subjects import Ref


@dataclass(frozen=True, slots=True)
class NewFinding:
    """A statement about a subject, to be kept."""

    kind: Kind
    subject_id: uuid.UUID
    statement: Statement
    lookup_id: int | None = None


# A reply with an identifier that a person has rejected is about somebody else: nothing of it is kept.
_UPSERT = text("""
WITH given AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(kind text, subject_id uuid, field text, source text,
        value jsonb, confidence float8, reason text, stated_at timestamptz, lookup_id bigint, marks text[], place int)
), rejected AS MATERIALIZED (
    SELECT g.subject_id, g.source, g.lookup_id FROM given g
    JOIN rejections r ON r.subject_id = g.subject_id AND r.field = g.field AND r.value = ANY(g.marks)
)
INSERT INTO findings (kind, subject_id, field, source, value, confidence, reason, stated_at, lookup_id)
SELECT DISTINCT ON (subject_id, field, source) kind, subject_id, field, source, value, confidence, reason, stated_at,
    lookup_id
FROM given g WHERE NOT EXISTS (
    SELECT FROM rejected r WHERE r.subject_id = g.subject_id AND r.source = g.source
        AND r.lookup_id IS NOT DISTINCT FROM g.lookup_id
)
ORDER BY subject_id, field, source, confidence DESC, place
ON CONFLICT (subject_id, field, source) DO UPDATE SET value = excluded.value, confidence = excluded.confidence,
    reason = excluded.reason, stated_at = excluded.stated_at, lookup_id = excluded.lookup_id
WHERE findings.stated_at <= excluded.stated_at AND NOT findings.locked
""")


def keep(connection: Connection, findings: Sequence[NewFinding]) -> None:
    """Each source's newest statement about each field; of two in one go the surer one."""
    if findings:
        rows = [_row(new) | {"place": place} for place, new in enumerate(findings)]
        connection.execute(_UPSERT, {"rows": document(rows)})


def _row(new: NewFinding) -> dict[str, Any]:
    stated = new.statement
    return {
        "kind": new.kind,
        "subject_id": str(new.subject_id),
        "field": stated.field,
        "source": stated.source,
        "value": stated.value,
        "confidence": stated.confidence,
        "reason": stated.reason[:500],
        "stated_at": stated.stated_at.isoformat(),
        "lookup_id": new.lookup_id,
        "marks": marks(stated.field, stated.value),
    }


_LOCK = text("""
INSERT INTO findings (kind, subject_id, field, source, value, confidence, reason, stated_at, locked)
VALUES (:kind, :subject, :field, :source, CAST(:value AS jsonb), 1.0, :reason, clock_timestamp(), true)
ON CONFLICT (subject_id, field, source) DO UPDATE SET value = excluded.value, confidence = excluded.confidence,
    reason = excluded.reason, stated_at = excluded.stated_at, lookup_id = NULL, locked = true
""")


def lock(connection: Connection, ref: Ref, field: str, value: Any, who: str) -> None:
    """A person's word on a field, which wins for ever. The subject must be locked."""
    values = {"kind": ref.kind, "subject": ref.id, "field": field, "source": PERSON, "value": document(value)}
    connection.execute(_LOCK, {**values, "reason": f"locked by {who}"[:500]})


_UNLOCK = text("""
UPDATE findings SET locked = false, value = CASE WHEN source = :person THEN 'null' ELSE value END,
    stated_at = CASE WHEN source = :person THEN 'epoch' ELSE stated_at END
WHERE subject_id = :subject AND field = :field AND locked
""")


def unlock(connection: Connection, ref: Ref, field: str) -> bool:
    """A person's word on a field counts no longer. The subject must be locked. Returns whether there was one."""
    values = {"subject": ref.id, "field": field, "person": PERSON}
    return bool(connection.execute(_UNLOCK, values).rowcount)


# One document for each subject: to read a row for each statement took a tenth of a replan's CPU more.
_OF = text("""
SELECT subject_id,
    json_agg(json_build_array(field, value, confidence, source, stated_at, reason, locked) ORDER BY id) AS stated
FROM findings WHERE subject_id = ANY(:subjects) GROUP BY subject_id
""")


def of(connection: Connection, subjects: Collection[uuid.UUID]) -> dict[uuid.UUID, list[Statement]]:
    """Everything stated about these subjects."""
    found: dict[uuid.UUID, list[Statement]] = {subject: [] for subject in subjects}
    if subjects:
        for row in connection.execute(_OF, {"subjects": list(subjects)}).all():
            found[row.subject_id] = [
                Statement(field, value, float(confidence), source, datetime.fromisoformat(stated_at), reason, locked)
                for field, value, confidence, source, stated_at, reason, locked in row.stated
            ]
    return found


@dataclass(frozen=True, slots=True)
class Rule:
    """What a source's terms say of a field: older than so many seconds, its findings must go.

    renew: is it worth asking for again?
    """

    source: str
    field: str
    seconds: float
    renew: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """A finding that must go."""

    id: int
    kind: Kind
    subject_id: uuid.UUID
    stated_at: datetime
    renew: bool


# A walk in the order of ids costs the same however many findings there are, and needs no index of its own.
_ENDED = text("""
WITH slice AS (
    SELECT id, kind, subject_id, field, source, stated_at FROM findings
    WHERE id > :after AND NOT locked AND value <> 'null' ORDER BY id LIMIT :look
), rules AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rules AS jsonb)) AS r(source text, field text, seconds float8, renew bool)
), ended AS (
    SELECT s.id, s.kind, s.subject_id, s.stated_at, r.renew FROM slice s JOIN rules r USING (source, field)
    WHERE s.stated_at <= clock_timestamp() - make_interval(secs => r.seconds) ORDER BY s.id LIMIT :most
)
SELECT last.id AS last, ended.id, ended.kind, ended.subject_id, ended.stated_at, ended.renew
FROM (SELECT CASE WHEN count(*) = :look THEN max(id) END AS id FROM slice) last
LEFT JOIN ended ON true ORDER BY ended.id
""")


def ended(
    connection: Connection, rules: Sequence[Rule], after: int, look: int, most: int
) -> tuple[list[Ended], int | None]:
    """Of the next `look` findings behind this id the first `most` that must go, and the id up to which that is all of
    them; None at the end of all findings.
    """
    rows = connection.execute(
        _ENDED, {"rules": document([asdict(rule) for rule in rules]), "after": after, "look": look, "most": most}
    ).all()
    found = [
        Ended(row.id, Kind(row.kind), row.subject_id, row.stated_at, row.renew) for row in rows if row.id is not None
    ]
    return found, found[-1].id if len(found) == most else rows[0].last


# The row stays, as a sign that somebody has stated this once: what other programs wrote into a subject looks different.
_DROP = text("""
UPDATE findings f SET value = 'null', reason = 'dropped by the terms of its source'
FROM unnest(CAST(:ids AS bigint[]), CAST(:moments AS timestamptz[])) AS gone(id, stated_at)
WHERE f.id = gone.id AND f.stated_at = gone.stated_at AND NOT f.locked
""")


def drop(connection: Connection, gone: Collection[Ended]) -> None:
    """What these findings say is forgotten, unless they have been renewed. Their subjects must be locked."""
    values = {"ids": [each.id for each in gone], "moments": [each.stated_at for each in gone]}
    connection.execute(_DROP, values)
