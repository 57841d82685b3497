"""Reviews: doubts written, joined, listed, decided; rejections; identifiers that stand on several performers."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from enrichment.domain.subjects import FIELDS, Kind
from enrichment.reservoir.documents import document
from enrichment.reservoir.subjects import Ref

NAMESAKES, SHARED_ID = "namesakes", "shared_id"
MOST_SHARERS = 10

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewReview:
    """A doubt. candidates: as models/reviews.py describes them."""

    ref: Ref
    doubt: str
    source: str
    question: str
    fields: Sequence[str]
    candidates: Sequence[Json]
    reason: str


# What was decided stays so, unless there is somebody whom nobody has judged yet.
_PUT = text("""
INSERT INTO reviews AS r (kind, subject_id, doubt, source, question, fields, candidates, seen, reason)
SELECT kind, subject_id, doubt, source, question, fields, candidates, seen, reason
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS n(kind text, subject_id uuid, doubt text, source text, question text,
    fields text[], candidates jsonb, seen text[], reason text)
ON CONFLICT (subject_id, source, question) DO UPDATE SET state = 'open', doubt = excluded.doubt,
    fields = excluded.fields, candidates = excluded.candidates, reason = excluded.reason, asked_at = clock_timestamp(),
    seen = ARRAY(SELECT DISTINCT id FROM unnest(r.seen || excluded.seen) AS s(id) ORDER BY id)
WHERE r.state = 'open' OR NOT r.seen @> excluded.seen
""")


def put(connection: Connection, reviews: Sequence[NewReview]) -> None:
    """Writes doubts, or joins those that are there. Their subjects must be locked."""
    rows = {(new.ref.id.bytes, new.source, new.question): _row(new) for new in reviews}
    if rows:
        connection.execute(_PUT, {"rows": document([rows[key] for key in sorted(rows)])})


def _row(new: NewReview) -> Json:
    return {
        "kind": new.ref.kind,
        "subject_id": str(new.ref.id),
        "doubt": new.doubt,
        "source": new.source,
        "question": new.question,
        "fields": list(new.fields),
        "candidates": list(new.candidates),
        "seen": sorted({each["id"] for each in new.candidates}),
        "reason": new.reason[:500],
    }


# What somebody decided before stays as the sign of it; the others were never anybody's.
_ANSWERED = text("""
WITH answered AS (
    SELECT r.id, r.decision FROM reviews r JOIN jsonb_to_recordset(CAST(:rows AS jsonb)) AS n(subject_id uuid,
        source text, question text, field text) ON r.subject_id = n.subject_id
    WHERE r.state = 'open' AND r.doubt = 'namesakes'
        AND (n.field = ANY(r.fields) OR r.source = n.source AND r.question = n.question)
), closed AS (
    UPDATE reviews r SET state = 'decided' FROM answered a WHERE r.id = a.id AND a.decision IS NOT NULL
)
DELETE FROM reviews r USING answered a WHERE r.id = a.id AND a.decision IS NULL
""")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known now without a person: an identifier, or what a question asked for."""

    subject_id: uuid.UUID
    source: str = ""
    question: str = ""
    field: str = ""


def drop_answered(connection: Connection, known: Sequence[Known]) -> None:
    """Open doubts that have been answered otherwise are over."""
    rows = [
        {"subject_id": str(each.subject_id), "source": each.source, "question": each.question, "field": each.field}
        for each in known
    ]
    if rows:
        connection.execute(_ANSWERED, {"rows": document(rows)})


# --- one identifier on several performers ---------------------------------------------------------------------------

ID_FIELDS = tuple(name for name in FIELDS[Kind.PERFORMER] if name.endswith("_id"))

_WITH = """(SELECT id, name, image_url, country_code, metadata -> 'external_urls' AS links FROM performers
    WHERE g.field = '{0}' AND {0} = g.value ORDER BY created_at, id LIMIT :most)"""
_SHARERS = text(f"""
SELECT g.field, g.value, p.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS g(field text, value text), LATERAL (
    {" UNION ALL ".join(_WITH.format(name) for name in ID_FIELDS)}
) p
""")  # noqa: S608 - names of our own


def shared(connection: Connection, identifiers: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[Any]]:
    """By (field, value), the performers that have an identifier in common: the oldest first, at most `MOST_SHARERS`."""
    rows = [{"field": field, "value": value} for field, value in sorted(identifiers)]
    found: dict[tuple[str, str], list[Any]] = {}
    if rows:
        for row in connection.execute(_SHARERS, {"rows": document(rows), "most": MOST_SHARERS}):
            found.setdefault((row.field, row.value), []).append(row)
    return {key: sharers for key, sharers in found.items() if len(sharers) > 1}


# --- looked at by people --------------------------------------------------------------------------------------------

_COLUMNS = """
    r.id, r.kind, r.subject_id, coalesce(p.name, t.artist || ' - ' || t.title, a.artist || ' - ' || a.title) AS name,
    r.doubt, r.source, r.question, r.fields, r.reason, r.state, r.created_at, r.asked_at, r.decision, r.chosen,
    r.decided_by, r.decided_at
"""
_NAMED = """
    LEFT JOIN performers p ON r.kind = 'performer' AND p.id = r.subject_id
    LEFT JOIN tracks t ON r.kind = 'track' AND t.id = r.subject_id
    LEFT JOIN albums a ON r.kind = 'album' AND a.id = r.subject_id
"""


def listed(
    connection: Connection,
    *,
    state: str | None = None,
    doubt: str | None = None,
    source: str | None = None,
    subject: uuid.UUID | None = None,
    most: int = 100,
    below: int | None = None,
) -> list[Json]:
    """The newest reviews, with the number of their candidates. below: for the next page, the last one's id."""
    given = {"state": state, "doubt": doubt, "source": source, "subject_id": subject}
    wanted = [f"r.{name} = :{name}" for name, value in given.items() if value is not None]
    wanted += ["r.id < :below"] if below is not None else []
    query = text(
        f"SELECT {_COLUMNS}, jsonb_array_length(r.candidates) AS candidates FROM reviews r {_NAMED} "  # noqa: S608 - names of our own
        f"WHERE {' AND '.join(wanted) or 'true'} ORDER BY r.id DESC LIMIT :most"
    )
    return [dict(row) for row in connection.execute(query, {**given, "below": below, "most": most}).mappings()]


_ONE = text(f"SELECT {_COLUMNS}, r.candidates FROM reviews r {_NAMED} WHERE r.id = :id")  # noqa: S608 - constants
_OPEN = text("SELECT state FROM reviews WHERE id = :id FOR UPDATE")


def one(connection: Connection, number: int) -> Json | None:
    """A review, whole."""
    row = connection.execute(_ONE, {"id": number}).mappings().one_or_none()
    return dict(row) if row is not None else None


def lock_open(connection: Connection, number: int) -> bool:
    """Is this review there and open? Then it is ours until the transaction ends."""
    return connection.execute(_OPEN, {"id": number}).scalar_one_or_none() == "open"


_DECIDE = text("""
UPDATE reviews SET state = 'decided', decision = :decision, chosen = :chosen, decided_by = :who,
    decided_at = clock_timestamp()
WHERE id = :id
""")


def decide(connection: Connection, number: int, decision: str, chosen: str | None, who: str) -> None:
    """A person has decided."""
    connection.execute(_DECIDE, {"id": number, "decision": decision, "chosen": chosen, "who": who})


# --- rejections -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NotThis:
    """An identifier or an address that is not this subject's."""

    ref: Ref
    field: str
    value: str


_REJECT = text("""
INSERT INTO rejections (kind, subject_id, field, value, rejected_by)
SELECT kind, subject_id, field, value, :who
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(kind text, subject_id uuid, field text, value text)
ON CONFLICT DO NOTHING
""")

# The rows stay, as a sign that somebody has stated something once; none of them counts as known any more.
_FORGET = text("""
WITH marked AS (
    SELECT f.subject_id, f.source, f.lookup_id, f.id FROM findings f
    JOIN rejections r ON r.subject_id = f.subject_id AND r.field = f.field
    WHERE f.subject_id = ANY(:subjects) AND CASE WHEN jsonb_typeof(f.value) = 'object'
        THEN EXISTS (SELECT FROM jsonb_each_text(f.value) AS part WHERE part.value = r.value)
        ELSE f.value #>> '{}' = r.value END
)
UPDATE findings f SET value = 'null', stated_at = 'epoch', reason = 'rejected by a person'
FROM marked m
WHERE NOT f.locked AND f.subject_id = m.subject_id AND f.source = m.source
    AND (f.id = m.id OR f.lookup_id = m.lookup_id)
""")


def reject(connection: Connection, rejected: Sequence[NotThis], who: str) -> None:
    """These are not theirs, for ever; what was stated in the same replies is forgotten. Their subjects are locked."""
    rows = [
        {"kind": each.ref.kind, "subject_id": str(each.ref.id), "field": each.field, "value": each.value}
        for each in sorted(rejected, key=lambda each: (each.ref.id.bytes, each.field, each.value))
    ]
    if rows:
        connection.execute(_REJECT, {"rows": document(rows), "who": who})
        connection.execute(_FORGET, {"subjects": sorted({each.ref.id for each in rejected})})


_ACCEPT = text("DELETE FROM rejections WHERE subject_id = :subject AND field = :field AND value = ANY(:given)")


def accept(connection: Connection, ref: Ref, field: str, values: Sequence[str]) -> None:
    """A person has changed their mind: these are theirs after all."""
    connection.execute(_ACCEPT, {"subject": ref.id, "field": field, "given": list(values)})
