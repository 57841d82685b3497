"""Duplicates: found, proposed, decided; and one subject merged into another, with all that refers to it."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    Uuid,
    and_,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)

from enrichment.domain.duplicates import DURATION_SLACK_MS, IDENTIFIERS, Weight
from enrichment.domain.subjects import Kind
from enrichment.domain.text import name_key
from enrichment.reservoir.documents import document
from enrichment.reservoir.subjects import Ref, Subject
from models import TABLES, Base

MOST_PER_VALUE = 5
"""Of all that share a value so many, the oldest, are paired with each: a wrong id is on many."""
Pair = tuple[uuid.UUID, uuid.UUID]

# --- what was merged ------------------------------------------------------------------------------------------------

_FOLLOWED = text("SELECT kind, old_id, subject_id FROM redirects WHERE old_id = ANY(:ids)")


def followed(connection: Connection, refs: Iterable[Ref]) -> dict[Ref, Ref]:
    """What each of these is now: itself, or the subject that it was merged into."""
    now = {ref: ref for ref in refs}
    for row in connection.execute(_FOLLOWED, {"ids": [ref.id for ref in now]}) if now else ():
        ref = Ref(Kind(row.kind), row.old_id)
        if ref in now:
            now[ref] = Ref(ref.kind, row.subject_id)
    return now


# --- looking --------------------------------------------------------------------------------------------------------

_MARK = text("INSERT INTO read_marks (reader) VALUES (:reader) ON CONFLICT DO NOTHING")
_HOLD = text("SELECT moment, after FROM read_marks WHERE reader = :reader FOR UPDATE")
_MOVE_ON = text("UPDATE read_marks SET moment = :moment, after = :after WHERE reader = :reader")


def read_mark(connection: Connection, reader: str) -> tuple[datetime, uuid.UUID]:
    """How far this reader of changes has come; nobody else reads on until the transaction ends."""
    connection.execute(_MARK, {"reader": reader})
    row = connection.execute(_HOLD, {"reader": reader}).one()
    return row.moment, row.after


def move_on(connection: Connection, reader: str, moment: datetime, after: uuid.UUID) -> None:
    """It has come this far."""
    connection.execute(_MOVE_ON, {"reader": reader, "moment": moment, "after": after})


_SHARING = """
SELECT c.id AS one, found.id AS other FROM {kind}s c, LATERAL (
    SELECT o.id FROM {kind}s o WHERE {how} AND o.id <> c.id ORDER BY o.created_at, o.id LIMIT :most
) found WHERE c.id = ANY(:ids)
"""
_HOW: dict[Kind, list[str]] = {kind: [f"o.{name} = c.{name}" for name in names] for kind, names in IDENTIFIERS.items()}
_HOW[Kind.TRACK].append(f"o.isrc = c.isrc AND abs(o.duration_ms - c.duration_ms) <= {DURATION_SLACK_MS}")
_HOW[Kind.PERFORMER].append("o.metadata ? 'aliases' AND o.metadata -> 'aliases' ? c.name")
_CANDIDATES = {
    kind: text("UNION".join(_SHARING.format(kind=kind, how=how) for how in hows)) for kind, hows in _HOW.items()
}
_OF_NAMES = text("""
SELECT c.id AS one, o.id AS other
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS c(id uuid, name_key text) JOIN performers o USING (name_key)
WHERE o.id <> c.id
""")


def candidates(connection: Connection, kind: Kind, subjects: Sequence[Subject]) -> set[Pair]:
    """Pairs of one of these subjects, all of this kind, and another that shares an identifier, an alias or an ISRC with
    it; and those that were proposed before.
    """
    ids = [subject.ref.id for subject in subjects]
    found = {_pair(*row) for row in connection.execute(_CANDIDATES[kind], {"ids": ids, "most": MOST_PER_VALUE})}
    aliases = [
        {"id": str(subject.ref.id), "name_key": name_key(alias)}
        for subject in subjects
        for alias in subject.values.get("aliases", ())
        if kind is Kind.PERFORMER and isinstance(alias, str)
    ]
    if aliases:
        found |= {_pair(*row) for row in connection.execute(_OF_NAMES, {"rows": document(aliases)})}
    return found | {_pair(*row) for row in connection.execute(_PROPOSED, {"ids": ids})}


def _pair(one: uuid.UUID, other: uuid.UUID) -> Pair:
    return (one, other) if one < other else (other, one)


# --- proposals ------------------------------------------------------------------------------------------------------

_PROPOSED = text("""
SELECT first, second FROM duplicates WHERE state = 'proposed' AND (first = ANY(:ids) OR second = ANY(:ids))
""")

# What a person has decided about a pair stays for ever.
_PROPOSE = text("""
INSERT INTO duplicates (kind, first, second, score, certain, evidence)
SELECT kind, first, second, score, certain, evidence
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
    AS r(kind text, first uuid, second uuid, score float8, certain bool, evidence jsonb)
ON CONFLICT (first, second) DO UPDATE SET score = excluded.score, certain = excluded.certain,
    evidence = excluded.evidence
WHERE duplicates.state = 'proposed'
RETURNING xmax = 0 AS is_new
""")

_WITHDRAW = text("""
DELETE FROM duplicates d USING jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(first uuid, second uuid)
WHERE d.first = r.first AND d.second = r.second AND d.state = 'proposed'
""")


@dataclass(frozen=True, slots=True)
class NewDuplicate:
    """A pair that may be one, the lower id first. score: of names, versions and durations, 0 to 1."""

    kind: Kind
    pair: Pair
    score: float
    certain: bool
    evidence: Mapping[str, Any]


def propose(connection: Connection, found: Sequence[NewDuplicate]) -> int:
    """Keeps them, but those that somebody has decided about. Returns how many are new."""
    rows = [
        {
            "kind": each.kind,
            "first": str(each.pair[0]),
            "second": str(each.pair[1]),
            "score": each.score,
            "certain": each.certain,
            "evidence": each.evidence,
        }
        for each in sorted(found, key=lambda each: each.pair)
    ]
    return sum(row.is_new for row in connection.execute(_PROPOSE, {"rows": document(rows)})) if rows else 0


def withdraw(connection: Connection, pairs: Collection[Pair]) -> int:
    """These are two after all, or one of them is gone. Returns how many had been proposed."""
    rows = [{"first": str(first), "second": str(second)} for first, second in sorted(pairs)]
    return connection.execute(_WITHDRAW, {"rows": document(rows)}).rowcount if rows else 0


_COLUMNS = "id, kind, first, second, state, score, certain, evidence, proposed_at, decided_at, decided_by, kept"
_LISTED = text(f"""
SELECT {_COLUMNS} FROM duplicates WHERE state = :state AND (CAST(:below AS bigint) IS NULL OR id < :below)
ORDER BY id DESC LIMIT :most
""")  # noqa: S608 - constants
_ONE = text(f"SELECT {_COLUMNS} FROM duplicates WHERE id = :number")  # noqa: S608 - constants
_CERTAIN = text("SELECT id FROM duplicates WHERE certain AND state = 'proposed' ORDER BY id LIMIT :most")


def listed(connection: Connection, state: str, most: int, below: int | None = None) -> Sequence[Any]:
    """The newest pairs in this state. below: only those before this number, for the next page."""
    return connection.execute(_LISTED, {"state": state, "most": most, "below": below}).all()


def one(connection: Connection, number: int) -> Any | None:
    """The pair of this number, whatever became of it."""
    return connection.execute(_ONE, {"number": number}).one_or_none()


def certain(connection: Connection, most: int) -> list[int]:
    """Numbers of proposals that need no person."""
    return list(connection.execute(_CERTAIN, {"most": most}).scalars())


_DECIDE = text("""
UPDATE duplicates SET state = :state, kept = :kept, decided_by = :who, decided_at = clock_timestamp()
WHERE id = :number AND state = 'proposed'
""")


def decide(connection: Connection, number: int, state: str, who: str, kept: uuid.UUID | None = None) -> bool:
    """Merged or rejected, once; False where it was decided before."""
    values = {"number": number, "state": state, "kept": kept, "who": who}
    return bool(connection.execute(_DECIDE, values).rowcount)


_WEIGHTS = {
    kind: text(f"""
SELECT t.id, coalesce(bool_or(f.locked), false), count(f.id), t.created_at
FROM {kind}s t LEFT JOIN findings f ON f.subject_id = t.id WHERE t.id = ANY(:ids) GROUP BY t.id
""")  # noqa: S608 - one of three constants
    for kind in Kind
}


def weights(connection: Connection, kind: Kind, ids: Collection[uuid.UUID]) -> list[Weight]:
    """What decides which of them stays."""
    return [Weight(*row) for row in connection.execute(_WEIGHTS[kind], {"ids": list(ids)})]


# --- merging --------------------------------------------------------------------------------------------------------

# Of two statements of a source about a field a person's lock stays, else the newer one. 'null' has been dropped.
_FINDINGS = text("""
DELETE FROM findings WHERE id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER (PARTITION BY field, source
            ORDER BY locked DESC, value = 'null', stated_at DESC, subject_id = :kept DESC) AS place
        FROM findings WHERE subject_id IN (:kept, :gone)
    ) both_ WHERE place > 1
) RETURNING to_jsonb(findings)
""")

# Of two open lookups of a question the one that is nearer to its answer stays, with the greater need of both.
_LOOKUPS = text("""
WITH ranked AS (
    SELECT id, row_number() OVER one AS place, max(priority) OVER same AS priority,
        max(fresh_after) OVER same AS fresh_after, bool_or(blocking) OVER same AS blocking, count(*) OVER same AS rows
    FROM lookups WHERE subject_id IN (:kept, :gone) AND state <> 'ended'
    WINDOW same AS (PARTITION BY source, question),
        one AS (PARTITION BY source, question ORDER BY state <> 'claimed', state = 'deferred', priority DESC, id)
), raised AS (
    UPDATE lookups l SET priority = r.priority, fresh_after = r.fresh_after, blocking = r.blocking,
        state = CASE WHEN l.state = 'gathering' AND r.priority >= 4 THEN 'waiting' ELSE l.state END
    FROM ranked r WHERE l.id = r.id AND r.place = 1 AND r.rows > 1
)
DELETE FROM lookups l USING ranked r WHERE l.id = r.id AND r.place > 1 RETURNING to_jsonb(l)
""")

_OPEN = "{0}.status IN ('pending', 'in_progress')"
_BOTH_WISHES = text(f"""
UPDATE enrichment_status s SET
    status = (SELECT status FROM unnest(ARRAY['in_progress', 'pending', 'completed', 'partial', 'failed'])
              WITH ORDINALITY AS w(status, place) WHERE w.status IN (s.status, g.status) ORDER BY place LIMIT 1),
    priority = CASE WHEN {_OPEN.format("s")} = {_OPEN.format("g")} THEN greatest(s.priority, g.priority)
                    WHEN {_OPEN.format("g")} THEN g.priority ELSE s.priority END,
    requested_at = CASE WHEN {_OPEN.format("s")} = {_OPEN.format("g")} THEN least(s.requested_at, g.requested_at)
                        WHEN {_OPEN.format("g")} THEN g.requested_at ELSE s.requested_at END,
    wanted = ARRAY(SELECT DISTINCT unnest(s.wanted || g.wanted)),
    sources_used = ARRAY(SELECT DISTINCT unnest(s.sources_used || g.sources_used) ORDER BY 1),
    is_retriable = s.is_retriable OR g.is_retriable,
    finished_at = greatest(s.finished_at, g.finished_at),
    forced_at = greatest(s.forced_at, g.forced_at),
    correlation_id = coalesce(s.correlation_id, g.correlation_id),
    batch_id = CASE WHEN s.batch_id = g.batch_id THEN s.batch_id END,
    due_at = CASE WHEN s.due_at IS NOT NULL AND g.due_at IS NOT NULL THEN least(s.due_at, g.due_at) END
FROM enrichment_status g
WHERE s.kind = :kind AND s.subject_id = :kept AND g.kind = :kind AND g.subject_id = :gone
""")  # noqa: S608 - constants

# What a person has decided stays, and is not asked again.
_REVIEWS = text("""
DELETE FROM reviews r USING reviews decided
WHERE r.subject_id = :kept AND decided.subject_id = :gone AND (r.kind, r.source, r.question, r.state, decided.state)
    = (:kind, decided.source, decided.question, 'open', 'decided')
RETURNING to_jsonb(r)
""")

# The status of what has ended is weighed anew, as after a refresh in the background.
_WEIGH_ANEW = text(f"""
UPDATE enrichment_status s SET refreshing = true
WHERE kind = :kind AND subject_id = :kept AND NOT {_OPEN.format("s")}
""")  # noqa: S608 - constants

# What was said of the other one and a third is said of this one and the third; a person's no is stronger.
_OTHER_PAIRS = text("""
WITH others AS (
    DELETE FROM duplicates WHERE :gone IN (first, second) AND state <> 'merged' RETURNING *
), turned AS (
    SELECT *, CASE WHEN first = :gone THEN second ELSE first END AS third FROM others
)
INSERT INTO duplicates (id, kind, first, second, state, score, evidence, proposed_at, decided_at, decided_by)
SELECT id, kind, least(third, :kept), greatest(third, :kept), state, score, evidence, proposed_at, decided_at,
    decided_by
FROM turned
ON CONFLICT (first, second) DO UPDATE SET state = 'rejected', decided_at = excluded.decided_at,
    decided_by = excluded.decided_by
WHERE excluded.state = 'rejected' AND duplicates.state = 'proposed'
""")

_OWN = {
    Kind.PERFORMER: ("external_id", "name_key"),
    Kind.ALBUM: ("external_id", "artist_key", "title_key", "performer_id"),
    Kind.TRACK: ("external_id", "artist_key", "title_key", "performer_id", "album_id"),
}
"""What no finding holds; the one that stays has it of the other where it has none."""
_TAKE_OVER = {
    kind: text(f"""
UPDATE {kind}s k SET {", ".join(f"{name} = coalesce(k.{name}, g.{name})" for name in names)},
    metadata = g.metadata || k.metadata, created_at = least(k.created_at, g.created_at),
    enriched_at = greatest(k.enriched_at, g.enriched_at), updated_at = clock_timestamp()
FROM jsonb_populate_record(NULL::{kind}s, CAST(:row AS jsonb)) g WHERE k.id = :kept
""")  # noqa: S608 - constants
    for kind, names in _OWN.items()
}

_BEFORE = text("SELECT to_jsonb(s) FROM enrichment_status s WHERE kind = :kind AND subject_id IN (:kept, :gone)")

_REDIRECT = text("""
INSERT INTO redirects (kind, old_id, external_id, artist_key, title_key, subject_id, undo)
VALUES (:kind, :gone, :external_id, :artist_key, :title_key, :kept, CAST(:undo AS jsonb))
""")


def merge(connection: Connection, kept: Subject, gone: Subject) -> None:
    """All that is known of `gone`, and all that refers to it, is of `kept` from now on; its row becomes a redirect.

    Both, their names and their parents must have been locked. Fields are to be merged anew afterwards.
    """
    kind = kept.ref.kind
    values = {"kind": kind, "kept": kept.ref.id, "gone": gone.ref.id}
    undo: dict[str, Any] = {
        "before": {"status": list(connection.execute(_BEFORE, values).scalars()), kind: _row(connection, kept.ref)},
        "removed": {"findings": list(connection.execute(_FINDINGS, values).scalars())},
        "moved": {},
    }
    undo["removed"]["lookups"] = list(connection.execute(_LOOKUPS, values).scalars())
    undo["removed"]["reviews"] = list(connection.execute(_REVIEWS, values).scalars())
    connection.execute(_BOTH_WISHES, values)
    for reference in references(kind):
        removed, moved = reference.move(connection, kept.ref.id, gone.ref.id)
        if removed:
            undo["removed"].setdefault(reference.table.name, []).extend(removed)
        if moved:
            undo["moved"][f"{reference.table.name}.{reference.column}"] = moved
    connection.execute(_WEIGH_ANEW, values)
    connection.execute(_OTHER_PAIRS, values)
    _become_one(connection, kept, gone, undo)


def _row(connection: Connection, ref: Ref) -> dict[str, Any]:
    table = table_of(ref.kind)
    row: dict[str, Any] = connection.execute(select(_json(table)).where(table.c.id == ref.id)).scalar_one()
    return row


def _become_one(connection: Connection, kept: Subject, gone: Subject, undo: dict[str, Any]) -> None:
    table, values = table_of(kept.ref.kind), {"kept": kept.ref.id, "gone": gone.ref.id}
    remove = delete(table).where(table.c.id == gone.ref.id).returning(_json(table))
    row = undo["row"] = connection.execute(remove).scalar_one()
    connection.execute(_TAKE_OVER[kept.ref.kind], {**values, "row": document(row)})
    names = {"artist_key": row.get("artist_key", row.get("name_key")), "title_key": row.get("title_key") or ""}
    told = {"kind": kept.ref.kind, "external_id": gone.external_id, "undo": document(undo)}
    connection.execute(_REDIRECT, {**values, **told, **names})


@dataclass(frozen=True, slots=True)
class Reference:
    """A column that names subjects of a kind. by_kind: the row says of which kind its subject is."""

    table: Table
    column: str
    kind: Kind
    by_kind: bool

    def move(self, connection: Connection, kept: uuid.UUID, gone: uuid.UUID) -> tuple[list[Any], list[Any]]:
        """Rows of `gone` become `kept`'s, but where that has such a row already. Returns those removed, whole, and the
        keys of those moved.
        """
        column, key = self.table.c[self.column], self.table.primary_key.columns
        its = and_(column == gone, *([self.table.c.kind == self.kind] if self.by_kind else []))
        removed: list[Any] = []
        if colliding := list(self._colliding(kept)):
            drop = delete(self.table).where(its, or_(*colliding)).returning(_json(self.table))
            removed = list(connection.execute(drop).scalars())
        shift = update(self.table).where(its).values({column: kept}).returning(*key)
        moved = [str(row[0]) if len(row) == 1 else [str(each) for each in row] for row in connection.execute(shift)]
        return removed, moved

    def _colliding(self, kept: uuid.UUID) -> Iterator[ColumnElement[bool]]:
        """For each rule that a subject has one such row: is there that row?"""
        twin = self.table.alias()
        for columns in self._unique():
            if self.column in columns:
                same = [twin.c[name] == self.table.c[name] for name in columns if name != self.column]
                yield exists(select(1).where(twin.c[self.column] == kept, *same))

    def _unique(self) -> Iterator[list[str]]:
        """Columns that are unique together. Open lookups, unique in part, have been joined before."""
        for constraint in self.table.constraints:
            if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
                yield [column.name for column in constraint.columns]
        for index in self.table.indexes:
            if index.unique and index.dialect_options["postgresql"]["where"] is None:
                yield [column.name for column in index.columns]


def _json(table: Any) -> ColumnElement[Any]:
    """The whole row."""
    return func.to_jsonb(literal_column(table.name))


def table_of(kind: Kind) -> Table:
    """The table of a kind of subject."""
    return cast("Table", TABLES[kind].__table__)


def references(kind: Kind) -> list[Reference]:
    """Every column that holds ids of this kind of subject, by its name: `track_id`, or `subject_id` beside `kind`."""
    found = []
    for table in Base.metadata.sorted_tables:
        if {"kind", "subject_id"} <= set(table.c.keys()):
            found.append(Reference(table, "subject_id", kind, by_kind=True))
        if isinstance(getattr(table.c.get(f"{kind}_id"), "type", None), Uuid):
            found.append(Reference(table, f"{kind}_id", kind, by_kind=False))
    return found
