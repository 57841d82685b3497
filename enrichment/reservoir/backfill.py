"""What nobody has looked for yet, what has failed, and what has grown old: found in chunks, and asked for."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, text

from enrichment.domain.subjects import Kind
from enrichment.reservoir.documents import document
from enrichment.reservoir.subjects import Ref

MANY = 32_767
"""No more misses in a row than this."""
NOBODY = uuid.UUID(int=0)
"""Before all ids."""

Lacking = Literal["enrichment", "picture"]
"""What subjects are walked for; each has an index of those that lack it."""
LACKS: dict[Lacking, str] = {"enrichment": "enriched_at IS NULL", "picture": "NOT metadata ? 'artwork'"}

KEY = {Kind.TRACK: "artist_key", Kind.ALBUM: "artist_key", Kind.PERFORMER: "name_key"}
"""Columns that only we fill in: another program's rows are known by their absence."""

# Without a status nobody has asked. What has failed is left alone for a day, what is pending for an hour: a pending one
# that another program has written is on nobody's list.
_UNASKED = """
s.subject_id IS NULL
OR s.status = 'failed' AND s.is_retriable AND s.finished_at < clock_timestamp() - interval '1 day'
OR s.status = 'pending' AND s.due_at IS NULL AND s.requested_at < clock_timestamp() - interval '1 hour'
"""
_WALK = {
    (kind, lacking): text(f"""
WITH slice AS MATERIALIZED (
    SELECT id, {KEY[kind]} IS NULL AS foreign_row FROM {kind}s WHERE {lacks} AND id > :after ORDER BY id LIMIT :look
)
SELECT t.id, t.foreign_row, ({_UNASKED}) AS unasked
FROM slice t LEFT JOIN enrichment_status s ON s.kind = '{kind}' AND s.subject_id = t.id ORDER BY t.id
""")  # noqa: S608 - constants
    for kind in Kind
    for lacking, lacks in LACKS.items()
}
_COUNT = {
    (kind, lacking): text(f"""
SELECT count(*) FROM {kind}s t LEFT JOIN enrichment_status s ON s.kind = '{kind}' AND s.subject_id = t.id
WHERE {lacks} AND ({_UNASKED})
""")  # noqa: S608 - constants
    for kind in Kind
    for lacking, lacks in LACKS.items()
}
_FIRST = {
    (kind, lacking): text(f"""
SELECT t.id FROM {kind}s t LEFT JOIN enrichment_status s ON s.kind = '{kind}' AND s.subject_id = t.id
WHERE {lacks} AND ({_UNASKED}) ORDER BY t.id LIMIT :most
""")  # noqa: S608 - constants
    for kind in Kind
    for lacking, lacks in LACKS.items()
}


@dataclass(frozen=True, slots=True)
class Found:
    """A subject to be asked for. foreign: another program has written its row."""

    ref: Ref
    foreign: bool


def unasked(
    connection: Connection, kind: Kind, lacking: Lacking, *, after: uuid.UUID, look: int, most: int
) -> tuple[list[Found], uuid.UUID | None]:
    """Of the next `look` subjects behind this id the first `most` to ask for, and where to go on; None at the end."""
    walked = connection.execute(_WALK[kind, lacking], {"after": after, "look": look}).all()
    wanted = [row for row in walked if row.unasked]
    found = [Found(Ref(kind, row.id), row.foreign_row) for row in wanted[:most]]
    if len(wanted) > most:
        return found, wanted[most - 1].id if most else after
    return found, walked[-1].id if len(walked) == look else None


def count_unasked(connection: Connection, kind: Kind, lacking: Lacking) -> int:
    """How many there are to ask for."""
    return int(connection.execute(_COUNT[kind, lacking]).scalar_one())


def first_unasked(connection: Connection, kind: Kind, lacking: Lacking, most: int) -> list[Ref]:
    """The first of them."""
    return [Ref(kind, id_) for id_ in connection.execute(_FIRST[kind, lacking], {"most": most}).scalars()]


_NAMES = {
    Kind.PERFORMER: text(
        "SELECT id, name AS artist, NULL AS title, NULL AS album FROM performers WHERE id = ANY(:ids)"
    ),
    Kind.ALBUM: text("SELECT id, artist, title, NULL FROM albums WHERE id = ANY(:ids)"),
    Kind.TRACK: text("SELECT id, artist, title, album_title FROM tracks WHERE id = ANY(:ids)"),
}


@dataclass(frozen=True, slots=True)
class Named:
    """A row's names. artist: of a performer its own. album: of a track, where it says one."""

    id: uuid.UUID
    artist: str
    title: str | None
    album: str | None

    def shown(self) -> dict[str, str]:
        """What a person recognizes it by."""
        return {"artist": self.artist, **({"title": self.title} if self.title else {})}


def names(connection: Connection, kind: Kind, ids: Collection[uuid.UUID]) -> list[Named]:
    """What these rows are called."""
    return [Named(*row) for row in connection.execute(_NAMES[kind], {"ids": list(ids)})]


_KEYED = {
    Kind.PERFORMER: "name_key = r.artist_key",
    Kind.ALBUM: """artist_key = r.artist_key, title_key = r.title_key,
    performer_id = coalesce(s.performer_id, r.performer_id)""",
    Kind.TRACK: """artist_key = r.artist_key, title_key = r.title_key,
    performer_id = coalesce(s.performer_id, r.performer_id), album_id = coalesce(s.album_id, r.album_id)""",
}
_ADOPT = {
    kind: text(f"""
UPDATE {kind}s s SET {columns} FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, artist_key text,
    title_key text, performer_id uuid, album_id uuid)
WHERE s.id = r.id
""")  # noqa: S608 - constants
    for kind, columns in _KEYED.items()
}


@dataclass(frozen=True, slots=True)
class Keyed:
    """What our own rows have besides their names: keys to find them by, and parents."""

    id: str
    artist_key: str
    title_key: str
    performer_id: str | None = None
    album_id: str | None = None


def adopt(connection: Connection, kind: Kind, rows: Sequence[Keyed]) -> None:
    """These rows, locked, are like ours from now on; parents that they have stay."""
    connection.execute(_ADOPT[kind], {"rows": document([asdict(row) for row in rows])})


@dataclass(frozen=True, slots=True)
class Rule:
    """When answers grow old: those of these sources, missed so many times in a row, after so many seconds."""

    sources: list[str]
    seconds: float
    lowest: int = 0
    highest: int = MANY


_OLD = text("""
SELECT l.subject_id, l.settled_at + make_interval(secs => r.seconds) AS old_at
FROM jsonb_to_recordset(CAST(:rules AS jsonb)) AS r(sources text[], seconds float8, lowest int, highest int)
CROSS JOIN LATERAL (
    SELECT subject_id, settled_at FROM lookups
    WHERE state = 'ended' AND outcome = :outcome AND source = ANY(r.sources) AND misses BETWEEN r.lowest AND r.highest
        AND settled_at >= CAST(:since AS timestamptz) - make_interval(secs => r.seconds)
        AND settled_at < CAST(:until AS timestamptz) - make_interval(secs => r.seconds)
    ORDER BY settled_at LIMIT :most
) l ORDER BY old_at LIMIT :most
""")


def grown_old(
    connection: Connection, outcome: str, rules: Sequence[Rule], *, since: datetime, until: datetime, most: int
) -> tuple[set[uuid.UUID], datetime]:
    """Subjects with an answer of this outcome that has grown old since then, and up to when that is all of them.

    most: more than can have been settled at one moment, or it would not come to an end.
    """
    values = {"rules": document([asdict(rule) for rule in rules]), "outcome": outcome, "most": most}
    rows = connection.execute(_OLD, values | {"since": since, "until": until}).all()
    return {row.subject_id for row in rows}, rows[-1].old_at if len(rows) == most else until


# Who is being written to right now is planned anyway; so nobody waits for us, nor we for them.
_REFRESH = text("""
WITH family AS (
    SELECT unnest(CAST(:ids AS uuid[])) AS id
    UNION SELECT id FROM tracks WHERE performer_id = ANY(:ids)
    UNION SELECT id FROM tracks WHERE album_id = ANY(:ids)
), ended AS MATERIALIZED (
    SELECT s.kind, s.subject_id FROM enrichment_status s JOIN family f ON f.id = s.subject_id
    WHERE s.kind IN ('album', 'performer', 'track') AND s.status IN ('completed', 'partial', 'failed')
        AND NOT s.refreshing
    ORDER BY s.subject_id FOR NO KEY UPDATE OF s SKIP LOCKED
), refreshed AS (
    UPDATE enrichment_status s SET refreshing = true, priority = least(s.priority, :priority)
    FROM ended e WHERE s.kind = e.kind AND s.subject_id = e.subject_id RETURNING s.kind, s.subject_id
), planned AS (
    INSERT INTO replans (kind, subject_id, priority)
    SELECT kind, subject_id, :priority FROM refreshed ORDER BY subject_id ON CONFLICT DO NOTHING
)
SELECT count(*) FROM refreshed
""")


def refresh(connection: Connection, ids: Collection[uuid.UUID], priority: int) -> int:
    """These subjects, and the tracks of those performers and albums, are refreshed in the background as far as they
    need it. Returns how many; those that nobody has asked for, or that are open, are left alone.
    """
    values = {"ids": list(ids), "priority": priority}
    return int(connection.execute(_REFRESH, values).scalar_one()) if ids else 0


_MOST_PLAYED = text("""
SELECT p.track_id AS id, t.artist_key IS NULL AS foreign_row, s.subject_id IS NULL AS unasked
FROM (
    SELECT track_id FROM listens WHERE track_id IS NOT NULL GROUP BY track_id ORDER BY count(*) DESC, track_id
    LIMIT :most
) p JOIN tracks t ON t.id = p.track_id
LEFT JOIN enrichment_status s ON s.kind = 'track' AND s.subject_id = p.track_id
""")


def most_played(connection: Connection, most: int) -> tuple[list[Found], list[Ref]]:
    """So many of the most played tracks: those that nobody has asked for, and the others."""
    played = connection.execute(_MOST_PLAYED, {"most": most}).all()
    new = [Found(Ref(Kind.TRACK, row.id), row.foreign_row) for row in played if row.unasked]
    return new, [Ref(Kind.TRACK, row.id) for row in played if not row.unasked]
