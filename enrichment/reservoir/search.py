"""Subjects found by id, by the beginning of a name, or by how they stand; each on an index, some at a time."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from enrichment.domain.subjects import Kind

LOOKED_AT = 1000
"""Of the subjects whose name begins so; more cannot be told apart by it anyway."""

_SHOWN = {
    Kind.PERFORMER: "t.name AS title, NULL AS artist, t.image_url AS picture",
    Kind.ALBUM: "t.title, t.artist, coalesce(t.cover_art_url, t.temporary_artwork_url) AS picture",
    Kind.TRACK: "t.title, t.artist, coalesce(t.artwork_url, t.temporary_artwork_url) AS picture",
}
_COLUMNS = (
    "t.id, t.external_id, {shown}, t.updated_at, s.status, s.error_message, s.completeness_score, s.requested_at, "
    "s.sources_used"
)


def _begins(column: str, name: str) -> str:
    """A range, which any collation's index can serve; the rest of the condition is for those that sort marks oddly."""
    return f"{column} >= {name} AND {column} < {name} || chr(1114111) AND starts_with({column}, {name})"


_FIRST_PAGE = {"at": "infinity", "id": uuid.UUID(int=2**128 - 1)}

_NEWEST = {
    kind: text(f"""
SELECT {_COLUMNS.format(shown=_SHOWN[kind])}
FROM {kind}s t LEFT JOIN enrichment_status s ON s.kind = '{kind}' AND s.subject_id = t.id
WHERE (t.updated_at, t.id) < (CAST(:at AS timestamptz), :id) ORDER BY t.updated_at DESC, t.id DESC LIMIT :most
""")  # noqa: S608 - constants
    for kind in Kind
}

_OF_STATUS = {
    kind: text(f"""
SELECT {_COLUMNS.format(shown=_SHOWN[kind])}
FROM enrichment_status s JOIN {kind}s t ON t.id = s.subject_id
WHERE s.kind = '{kind}' AND s.status = :status AND (s.requested_at, s.subject_id) < (CAST(:at AS timestamptz), :id)
ORDER BY s.requested_at DESC, s.subject_id DESC LIMIT :most
""")  # noqa: S608 - constants
    for kind in Kind
}

Place = tuple[datetime, uuid.UUID]
"""Where a page ended."""


def newest(connection: Connection, kind: Kind, after: Place | None, most: int) -> Sequence[Any]:
    """Those whose record changed last. after: the `updated_at` and `id` of the page before."""
    return connection.execute(_NEWEST[kind], _page(after) | {"most": most}).all()


def of_status(connection: Connection, kind: Kind, status: str, after: Place | None, most: int) -> Sequence[Any]:
    """Those that stand so, the last asked for first. after: the `requested_at` and `id` of the page before."""
    return connection.execute(_OF_STATUS[kind], _page(after) | {"status": status, "most": most}).all()


def _page(after: Place | None) -> dict[str, Any]:
    return {"at": after[0], "id": after[1]} if after is not None else _FIRST_PAGE


_IDS = {
    Kind.PERFORMER: "external_id spotify_id musicbrainz_id ra_artist_id",
    Kind.ALBUM: "external_id musicbrainz_release_id",
    Kind.TRACK: "external_id isrc spotify_id musicbrainz_id",
}
_BY_ARTIST_AND_TITLE = {
    0: "t.artist_key = w.artist AND " + _begins("t.title_key", "w.title"),
    1: _begins("t.title_key", ":title"),
    2: _begins("t.artist_key", ":name"),
}
_NAMES = {
    Kind.PERFORMER: {1: _begins("t.name_key", ":name")},
    Kind.ALBUM: _BY_ARTIST_AND_TITLE,
    Kind.TRACK: _BY_ARTIST_AND_TITLE,
}
_WAYS = "unnest(CAST(:artists AS text[]), CAST(:titles AS text[])) AS w(artist, title)"


def _found(kind: Kind) -> str:
    """Ids, and how well they match: 0 best."""
    conditions = [(0, f"t.{column} = :given") for column in _IDS[kind].split()] + [(0, "t.id = :id")]
    tables = [(rank, f"{kind}s t", condition) for rank, condition in conditions]
    for rank, condition in _NAMES[kind].items():
        tables.append((rank, f"{_WAYS} JOIN {kind}s t ON true" if "w." in condition else f"{kind}s t", condition))
    found = (f"(SELECT t.id, {rank} AS rank FROM {table} WHERE {how} LIMIT :look)" for rank, table, how in tables)  # noqa: S608 - constants
    return " UNION ALL ".join(found)


_SEARCH = {
    kind: text(f"""
WITH found AS (SELECT id, min(rank) AS rank FROM ({_found(kind)}) every GROUP BY id)
SELECT {_COLUMNS.format(shown=_SHOWN[kind])}
FROM found JOIN {kind}s t ON t.id = found.id
LEFT JOIN enrichment_status s ON s.kind = '{kind}' AND s.subject_id = t.id
WHERE CAST(:status AS text) IS NULL OR s.status = :status
ORDER BY found.rank, {"t.name_key" if kind is Kind.PERFORMER else "t.artist_key, t.title_key"}, t.id LIMIT :most
""")  # noqa: S608 - constants
    for kind in Kind
}


def named(
    connection: Connection, kind: Kind, given: str, keys: Mapping[str, Any], *, status: str | None, most: int
) -> Sequence[Any]:
    """Those of this id, whole matches first, and those whose name, title, or both begin so.

    keys: `name` and `title`, as keys; `artists` and `titles`, the ways to read it as an artist and a title.
    """
    try:
        own: uuid.UUID | None = uuid.UUID(given)
    except ValueError:
        own = None
    values = {"given": given, "id": own, "status": status, "most": most, "look": LOOKED_AT, **keys}
    return connection.execute(_SEARCH[kind], values).all()
