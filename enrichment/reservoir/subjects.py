"""Subjects and their status: locked, read, created, written."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, TextClause, text

from enrichment.domain.subjects import FIELDS, INHERITED, Kind, Status
from enrichment.reservoir.documents import document
from enrichment.reservoir.lookups import MORE_TO_COME
from models import TABLES, column_of

CRITICAL = 10

RA_KEYS = frozenset({"ra_artist_id", "ra_artist_url"})
"""Who has one of them is known to Resident Advisor."""
RA_FACTS = (*sorted(RA_KEYS), "country", "country_code")
"""Stand in the metadata of those performers too, where other programs read them."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A subject by kind and our own id."""

    kind: Kind
    id: uuid.UUID


@dataclass(slots=True)
class Subject:
    """A subject's row: its fields as merged last, its parents, and how its enrichment stands (None: nobody asked).

    external_id: what its producer calls it.
    """

    ref: Ref
    values: dict[str, Any]
    parents: dict[Kind, uuid.UUID]
    metadata: dict[str, Any]
    external_id: str | None = None
    enriched_at: datetime | None = None
    standing: Standing | None = None

    @property
    def family(self) -> list[uuid.UUID]:
        """Its own id and its parents'."""
        return [self.ref.id, *self.parents.values()]


@dataclass(slots=True)
class Standing:
    """A row of enrichment_status."""

    status: Status
    wanted: frozenset[str]
    priority: int
    requested_at: datetime
    forced_at: datetime | None
    refreshing: bool
    sources_used: list[str] = field(default_factory=list)
    correlation_id: str | None = None
    due_at: datetime | None = None
    completeness: float = 0.0

    @property
    def is_open(self) -> bool:
        """Does anybody wait for it?"""
        return self.status in (Status.PENDING, Status.IN_PROGRESS) or self.refreshing

    def has_begun(self, now: datetime) -> bool:
        """Has the moment come before which it must not begin?"""
        return self.due_at is None or self.due_at <= now

    def is_as(self, new: NewStatus) -> bool:
        """Is there nothing new in this? An end always is."""
        told = (new.status, new.completeness, list(new.sources_used), new.refreshing)
        known = (self.status, self.completeness, self.sources_used, self.refreshing)
        return told == known and not new.finished and self.due_at is None


_ADVISORY = text("""
SELECT pg_advisory_xact_lock(name) FROM (SELECT unnest(CAST(:names AS bigint[])) AS name ORDER BY 1) names
""")


def lock_names(connection: Connection, names: Iterable[str]) -> None:
    """Whoever creates a subject of one of these names waits for us, and we for them."""
    digests = (hashlib.blake2b(name.encode(), digest_size=8).digest() for name in set(names))
    numbers = sorted(int.from_bytes(digest, "big", signed=True) for digest in digests)
    if numbers:
        connection.execute(_ADVISORY, {"names": numbers})


_PARENTS = text("""
SELECT t.performer_id, t.album_id, a.performer_id AS of_album
FROM tracks t LEFT JOIN albums a ON a.id = t.album_id WHERE t.id = ANY(:tracks)
UNION ALL SELECT performer_id, NULL, NULL FROM albums WHERE id = ANY(:albums)
""")


def lock(connection: Connection, refs: Iterable[Ref]) -> list[Subject]:
    """Locks these subjects and their parents, in the order of all, and reads them. Missing ones are left out."""
    wanted = set(refs)
    wanted |= _parents_of(connection, wanted)
    subjects = _fetched(connection, wanted, _LOCK)
    # Read before locking, since locks go from parents to children: a link may have been made in between.
    linked = {Ref(kind, id_) for subject in subjects for kind, id_ in subject.parents.items()}
    return subjects if linked <= wanted else lock(connection, wanted | linked)


def _parents_of(connection: Connection, refs: set[Ref]) -> set[Ref]:
    ids = {kind: [ref.id for ref in refs if ref.kind is kind] for kind in (Kind.TRACK, Kind.ALBUM)}
    found: set[Ref] = set()
    if any(ids.values()):
        for row in connection.execute(_PARENTS, {"tracks": ids[Kind.TRACK], "albums": ids[Kind.ALBUM]}).all():
            found |= {Ref(Kind.PERFORMER, id_) for id_ in (row.performer_id, row.of_album) if id_}
            found |= {Ref(Kind.ALBUM, row.album_id)} if row.album_id else set()
    return found


_READ = {
    kind: "SELECT {columns} FROM {table} WHERE id = ANY(:ids) ORDER BY id".format(  # noqa: S608 - names of our own
        columns=", ".join(table.__table__.columns.keys()), table=table.__tablename__
    )
    for kind, table in TABLES.items()
}
# NO KEY UPDATE: creating a track takes a share of its performer's and album's key before its locks.
_LOCK = {kind: text(f"{query} FOR NO KEY UPDATE") for kind, query in _READ.items()}
_LOOK = {kind: text(query) for kind, query in _READ.items()}


_HOLD = {
    kind: text(f"SELECT id FROM {kind}s WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")  # noqa: S608 - one of three constants
    for kind in TABLES
}


def hold(connection: Connection, refs: Collection[Ref]) -> None:
    """Locks these subjects, in the order of all, and neither reads them nor locks their parents."""
    for kind, query in _HOLD.items():
        if ids := [ref.id for ref in refs if ref.kind is kind]:
            connection.execute(query, {"ids": ids})


def family(connection: Connection, refs: Iterable[Ref]) -> list[Subject]:
    """These subjects and their parents as they are known now, without a lock. Missing ones are left out."""
    wanted = set(refs)
    return _fetched(connection, wanted | _parents_of(connection, wanted), _LOOK)


def _fetched(connection: Connection, refs: set[Ref], queries: Mapping[Kind, TextClause]) -> list[Subject]:
    subjects: list[Subject] = []
    for kind, query in queries.items():
        ids = sorted(ref.id for ref in refs if ref.kind is kind)
        if ids:
            subjects += [_subject(kind, row) for row in connection.execute(query, {"ids": ids}).mappings().all()]
    refresh_standings(connection, subjects)
    return subjects


def _subject(kind: Kind, row: Mapping[Any, Any]) -> Subject:
    metadata = dict(row["metadata"])
    values: dict[str, Any] = {}
    for name, spec in FIELDS[kind].items():
        value = row[column_of(name)] if spec.shape == "scalar" else metadata.get(name)
        if value is not None:
            values[name] = value
    parents = {
        parent: row[column]
        for parent, column in ((Kind.PERFORMER, "performer_id"), (Kind.ALBUM, "album_id"))
        if row.get(column) is not None
    }
    return Subject(Ref(kind, row["id"]), values, parents, metadata, row["external_id"], row["enriched_at"])


_STANDINGS = text("""
SELECT kind, subject_id, status, wanted, priority, requested_at, forced_at, refreshing, sources_used, correlation_id,
    due_at, completeness_score
FROM enrichment_status WHERE subject_id = ANY(:ids)
""")


def refresh_standings(connection: Connection, subjects: Sequence[Subject]) -> None:
    """Reads how these subjects stand."""
    by_ref = {subject.ref: subject for subject in subjects}
    for row in connection.execute(_STANDINGS, {"ids": [ref.id for ref in by_ref]}).all():
        subject = by_ref.get(Ref(Kind(row.kind), row.subject_id))
        if subject is not None:
            subject.standing = Standing(
                Status(row.status),
                frozenset(row.wanted),
                row.priority,
                row.requested_at,
                row.forced_at,
                row.refreshing,
                list(row.sources_used),
                row.correlation_id,
                row.due_at,
                row.completeness_score,
            )


_LINK = text("""
UPDATE tracks t SET album_id = r.album_id
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, album_id uuid) WHERE t.id = r.id
""")


def link_albums(connection: Connection, albums: Mapping[uuid.UUID, uuid.UUID]) -> None:
    """These tracks (locked) belong to these albums."""
    rows = [{"id": str(track), "album_id": str(album)} for track, album in albums.items()]
    if rows:
        connection.execute(_LINK, {"rows": document(rows)})


NAMES = frozenset({"title", "artist", "name"})
"""The producer's: a merge without any statement of them leaves them as they are."""


def scalars(kind: Kind) -> set[str]:
    """Columns that hold a field each."""
    return {column_of(name) for name, spec in FIELDS[kind].items() if spec.shape == "scalar"}


def _written(kind: Kind) -> TextClause:
    table = TABLES[kind].__table__
    others = {"performer_id", "album_id", "metadata", "updated_at", "enriched_at"}
    columns = [column.name for column in table.columns if column.name in scalars(kind) | others]
    assigned = [f"{name} = coalesce(r.{name}, t.{name})" if name in NAMES else f"{name} = r.{name}" for name in columns]
    if passed_on := [name for parent, name in INHERITED[Kind.TRACK].values() if parent is kind]:
        before, after = (", ".join(_read_from(row, kind, name) for name in passed_on) for row in "tr")
        changed = f"({before}) IS DISTINCT FROM ({after})"
        assigned.append(f"passed_on_at = CASE WHEN {changed} THEN r.updated_at ELSE t.passed_on_at END")
    return text(
        f"UPDATE {table} t SET {', '.join(assigned)} "  # noqa: S608 - names of our own
        f"FROM jsonb_populate_recordset(CAST(NULL AS {table}), CAST(:rows AS jsonb)) r WHERE t.id = r.id"
    )


def _read_from(row: str, kind: Kind, name: str) -> str:
    return f"{row}.{column_of(name)}" if FIELDS[kind][name].shape == "scalar" else f"{row}.metadata -> '{name}'"


_WRITE = {kind: _written(kind) for kind in TABLES}


def write(connection: Connection, changed: Sequence[Subject], now: datetime, *, enriched: bool = True) -> None:
    """The merged fields, and the parents, of these subjects. enriched: did somebody look for them?"""
    for kind, query in _WRITE.items():
        if rows := [_columns(subject, now, enriched=enriched) for subject in changed if subject.ref.kind is kind]:
            connection.execute(query, {"rows": document(rows)})


def _columns(subject: Subject, now: datetime, *, enriched: bool) -> dict[str, Any]:
    kind = subject.ref.kind
    enriched_at = now if enriched else subject.enriched_at
    columns: dict[str, Any] = {"id": subject.ref.id, "updated_at": now, "enriched_at": enriched_at}
    metadata = dict(subject.metadata)
    for name, spec in FIELDS[kind].items():
        value = subject.values.get(name)
        if spec.shape == "scalar":
            columns[column_of(name)] = value
        elif value is None:
            metadata.pop(name, None)
        else:
            metadata[name] = value
    columns["metadata"] = metadata
    if kind is Kind.PERFORMER:
        columns["metadata"] = _attributed(metadata, subject.values, enriched_at)
    else:
        columns["performer_id"] = subject.parents.get(Kind.PERFORMER)
    if kind is Kind.TRACK:
        columns["album_id"] = subject.parents.get(Kind.ALBUM)
    return columns


def _attributed(metadata: dict[str, Any], known: dict[str, Any], enriched_at: datetime | None) -> dict[str, Any]:
    """The metadata of a performer; of one that Resident Advisor knows with its facts, and where they are from."""
    facts = {name: known[name] for name in RA_FACTS if name in known}
    if not facts.keys() & RA_KEYS:
        return metadata
    others = {name: value for name, value in metadata.items() if name not in RA_FACTS}
    moment = {"enriched_at": enriched_at.isoformat()} if enriched_at is not None else {}
    return {"source": "resident_advisor", **others, **facts, **moment}


_MARK = text("""
UPDATE performers SET enriched_at = :now, metadata = CASE
    WHEN metadata ? 'source' THEN metadata || jsonb_build_object('enriched_at', CAST(:iso AS text)) ELSE metadata END
WHERE id = ANY(:ids)
""")


def mark_enriched(connection: Connection, performers: Collection[uuid.UUID], now: datetime) -> None:
    """The enrichment of these performers has ended with something found."""
    if performers:
        connection.execute(_MARK, {"ids": list(performers), "now": now, "iso": now.isoformat()})


_STATUS = text("""
UPDATE enrichment_status s SET status = r.status, is_retriable = r.is_retriable, error_message = r.error_message,
    sources_used = r.sources_used, completeness_score = r.completeness_score, refreshing = r.refreshing, due_at = NULL,
    holds_from = :now, holds_until = r.holds_until, steps = :steps,
    finished_at = CASE WHEN r.finished THEN CAST(:now AS timestamptz) ELSE s.finished_at END
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(kind text, subject_id uuid, status text, is_retriable bool,
    error_message text, sources_used text[], completeness_score float8, refreshing bool, finished bool,
    holds_until timestamptz)
WHERE s.kind = r.kind AND s.subject_id = r.subject_id
""")


@dataclass(frozen=True, slots=True)
class NewStatus:
    """How a subject stands after an advance. holds_until: see models/status.py."""

    ref: Ref
    status: Status
    completeness: float
    sources_used: tuple[str, ...]
    finished: bool = False
    is_retriable: bool = True
    error: str | None = None
    refreshing: bool = False
    holds_until: datetime | None = None


def write_statuses(connection: Connection, statuses: Sequence[NewStatus], now: datetime, steps: int) -> None:
    """All of them in one statement. steps: digest of what could be asked."""
    rows = [
        {
            "kind": new.ref.kind,
            "subject_id": str(new.ref.id),
            "status": new.status,
            "is_retriable": new.is_retriable,
            "error_message": new.error,
            "sources_used": list(new.sources_used),
            "completeness_score": new.completeness,
            "refreshing": new.refreshing,
            "finished": new.finished,
            "holds_until": new.holds_until.isoformat() if new.holds_until else None,
        }
        for new in statuses
    ]
    if rows:
        connection.execute(_STATUS, {"rows": document(rows), "now": now, "steps": steps})


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of a subject. delay: seconds from now before which it must not begin, None for at once."""

    ref: Ref
    wanted: tuple[str, ...]
    priority: int
    forced_at: datetime | None = None
    correlation_id: str | None = None
    batch_id: uuid.UUID | None = None
    delay: float | None = None

    def joined(self, other: Wish) -> Wish:
        """Both wishes in one."""
        return Wish(
            self.ref,
            tuple(sorted({*self.wanted, *other.wanted})),
            max(self.priority, other.priority),
            other.forced_at or self.forced_at,
            self.correlation_id or other.correlation_id,
            self.batch_id if self.batch_id == other.batch_id else None,
            None if self.delay is None or other.delay is None else min(self.delay, other.delay),
        )

    def row(self) -> dict[str, Any]:
        """As statements take it."""
        return {
            "kind": self.ref.kind,
            "subject_id": str(self.ref.id),
            "wanted": list(self.wanted),
            "priority": self.priority,
            "forced_at": self.forced_at.isoformat() if self.forced_at else None,
            "correlation_id": self.correlation_id,
            "batch_id": str(self.batch_id) if self.batch_id else None,
            "delay": self.delay,
        }


_WANT = """
INSERT INTO enrichment_status AS s (kind, subject_id, wanted, priority, forced_at, correlation_id, batch_id, due_at)
SELECT kind, subject_id, wanted, priority, forced_at, correlation_id, batch_id,
    clock_timestamp() + make_interval(secs => delay)
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(kind text, subject_id uuid, wanted text[], priority int,
    forced_at timestamptz, correlation_id text, batch_id uuid, delay float8)
"""

# What is open is joined: wishes add up and the priority rises, from that moment on. What has ended begins anew.
ASKED_AGAIN = """
ON CONFLICT (kind, subject_id) DO UPDATE SET
    wanted = (SELECT array_agg(DISTINCT name) FROM unnest(s.wanted || excluded.wanted) AS w(name)),
    priority = CASE WHEN s.status IN ('pending', 'in_progress') THEN greatest(s.priority, excluded.priority)
                    ELSE excluded.priority END,
    forced_at = coalesce(excluded.forced_at, s.forced_at),
    correlation_id = coalesce(excluded.correlation_id, s.correlation_id),
    batch_id = CASE WHEN s.batch_id = excluded.batch_id OR s.status NOT IN ('pending', 'in_progress')
                    THEN excluded.batch_id END,
    due_at = CASE WHEN s.status NOT IN ('pending', 'in_progress') THEN excluded.due_at
                  WHEN s.due_at IS NOT NULL AND excluded.due_at IS NOT NULL THEN least(s.due_at, excluded.due_at) END,
    requested_at = CASE WHEN s.status IN ('pending', 'in_progress') AND s.priority >= excluded.priority
                        THEN s.requested_at ELSE clock_timestamp() END,
    finished_at = CASE WHEN s.status IN ('pending', 'in_progress') THEN s.finished_at END,
    status = CASE WHEN s.status = 'in_progress' THEN s.status ELSE 'pending' END,
    refreshing = false,
    holds_until = NULL
"""

_WANT_OR_JOIN = text(_WANT + ASKED_AGAIN)


def want(connection: Connection, wishes: Sequence[Wish]) -> None:
    """Status rows for these subjects, each of which must be there once only."""
    rows = [wish.row() for wish in sorted(wishes, key=lambda wish: wish.ref.id.bytes)]
    if rows:
        connection.execute(_WANT_OR_JOIN, {"rows": document(rows)})


_DEPENDANTS = text(f"""
INSERT INTO replans (kind, subject_id, priority)
SELECT 'track', t.id, s.priority
FROM tracks t JOIN enrichment_status s ON s.kind = 'track' AND s.subject_id = t.id
    AND (s.status IN ('pending', 'in_progress') OR s.refreshing)
WHERE (t.performer_id = ANY(:parents) OR t.album_id = ANY(:parents)) AND t.id <> ALL(:but)
    AND (s.priority >= 4 OR NOT {MORE_TO_COME.format(id="t.id")})
ORDER BY t.id
ON CONFLICT (kind, subject_id) DO UPDATE SET priority = greatest(replans.priority, excluded.priority)
RETURNING priority
""")  # noqa: S608 - a constant


def record_dependants(connection: Connection, parents: Collection[uuid.UUID], but: Collection[uuid.UUID]) -> bool:
    """Tracks that somebody waits for are to be planned again, since their performer or album has changed;
    but at low priority those of which another answer is on its way are planned with that.

    Returns whether any of them is critical.
    """
    if not parents:
        return False
    rows = connection.execute(_DEPENDANTS, {"parents": list(parents), "but": list(but)}).scalars().all()
    return any(priority == CRITICAL for priority in rows)


_RECORD = text("""
INSERT INTO replans (kind, subject_id, priority)
SELECT kind, subject_id, priority
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(kind text, subject_id uuid, priority int)
ON CONFLICT (kind, subject_id) DO UPDATE SET priority = greatest(replans.priority, excluded.priority)
""")


def record_replans(connection: Connection, refs: Mapping[Ref, int]) -> None:
    """These subjects (by priority) are to be planned again."""
    rows = [
        {"kind": ref.kind, "subject_id": str(ref.id), "priority": priority}
        for ref, priority in sorted(refs.items(), key=lambda item: item[0].id.bytes)
    ]
    if rows:
        connection.execute(_RECORD, {"rows": document(rows)})


# A background refresh: the status stays as it is while the answers that were missing come in.
_REOPEN = text("""
UPDATE enrichment_status s SET refreshing = true
WHERE s.status IN ('partial', 'failed', 'completed') AND (s.subject_id = ANY(:ids) OR s.subject_id IN (
    SELECT id FROM tracks WHERE performer_id = ANY(:ids) OR album_id = ANY(:ids)))
""")


def reopen(connection: Connection, ids: Collection[uuid.UUID]) -> None:
    """Subjects that ended without an answer that can be had now."""
    if ids:
        connection.execute(_REOPEN, {"ids": list(ids)})


_RENEW = text("""
UPDATE enrichment_status s SET refreshing = true, priority = least(s.priority, :priority)
WHERE s.status IN ('partial', 'failed', 'completed') AND (s.subject_id = ANY(:ids) OR s.subject_id IN (
    SELECT id FROM tracks WHERE performer_id = ANY(:ids) OR album_id = ANY(:ids)))
""")


def renew(connection: Connection, ids: Collection[uuid.UUID], priority: int) -> None:
    """Subjects that have lost what was known of them, and their tracks, are refreshed at leisure."""
    if ids:
        connection.execute(_RENEW, {"ids": list(ids), "priority": priority})


_RECORD_FAMILIES = text("""
INSERT INTO replans (kind, subject_id, priority)
SELECT kind, id, 1 FROM (
    SELECT kind, subject_id AS id FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS uuid[])) AS own(kind, subject_id)
    UNION SELECT 'track', id FROM tracks WHERE performer_id = ANY(:ids) OR album_id = ANY(:ids)
) family ORDER BY id
ON CONFLICT (kind, subject_id) DO NOTHING
""")


def record_families(connection: Connection, refs: Collection[Ref]) -> None:
    """These subjects and all their tracks are to be merged and planned again, whether or not anybody waits for them."""
    values = {"kinds": [ref.kind for ref in refs], "ids": [ref.id for ref in refs]}
    if refs:
        connection.execute(_RECORD_FAMILIES, values)


# They stay due until a replan has begun them, so that nothing is lost on the way.
_BEGIN = text("""
INSERT INTO replans (kind, subject_id, priority)
SELECT kind, subject_id, priority FROM (
    SELECT kind, subject_id, priority FROM enrichment_status
    WHERE status = 'pending' AND due_at <= clock_timestamp() ORDER BY due_at LIMIT :most
) due ORDER BY subject_id
ON CONFLICT (kind, subject_id) DO NOTHING
""")


def begin_due(connection: Connection, most: int) -> int:
    """Requests whose moment has come are to be planned, those first that have waited longest. Returns how many."""
    return connection.execute(_BEGIN, {"most": most}).rowcount


# Their subjects must be locked before their rows, so another kind of lock says who is at which.
_URGENT = text("""
WITH urgent AS MATERIALIZED (
    SELECT kind, subject_id FROM replans WHERE priority >= :lowest ORDER BY priority DESC, recorded_at LIMIT :look
)
SELECT kind, subject_id FROM urgent
WHERE :waits OR pg_try_advisory_xact_lock(hashtext('replans'), hashtext(CAST(subject_id AS text))) LIMIT :most
""")

_TAKE = text("DELETE FROM replans WHERE subject_id = ANY(:ids) RETURNING kind, subject_id")


def urgent_replans(connection: Connection, most: int, lowest: int = 1) -> list[Ref]:
    """The most urgent recorded replans, looked at only: their subjects must be locked before they are taken.

    Those that another transaction is at are left to it, but for critical ones: it may have begun too early.
    """
    waits = lowest >= CRITICAL
    rows = connection.execute(_URGENT, {"most": most, "look": 4 * most, "lowest": lowest, "waits": waits})
    return [Ref(Kind(row.kind), row.subject_id) for row in rows]


def take_replans(connection: Connection, refs: Iterable[Ref]) -> list[Ref]:
    """Those of these recorded replans that nobody else has taken; they are back if the transaction fails."""
    rows = connection.execute(_TAKE, {"ids": [ref.id for ref in refs]})
    return [Ref(Kind(row.kind), row.subject_id) for row in rows]


_PENDING = text("""
SELECT clock_timestamp() AS now, ARRAY(SELECT subject_id FROM replans WHERE subject_id = ANY(:ids)) AS pending
""")


def now_and_replans(connection: Connection, ids: Collection[uuid.UUID]) -> tuple[datetime, set[uuid.UUID]]:
    """The database's time, and those of the subjects that are still to be planned again."""
    row = connection.execute(_PENDING, {"ids": list(ids)}).one()
    return row.now, set(row.pending)
