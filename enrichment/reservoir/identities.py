"""Which subject a request means: by the producer's id, by ours, by its names; created where it is new."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, text

from enrichment.domain.subjects import Kind
from enrichment.domain.text import main_artist, name_key, title_key
from enrichment.reservoir.documents import document
from enrichment.reservoir.subjects import Ref, Subject, lock_names

DURATION_SLACK_MS = 10_000
"""Two tracks of the same names whose durations differ by more are two recordings."""


@dataclass(frozen=True)
class Identity:
    """What a request says of its subject. name: the artist's, or the performer's own. title: of the track or album.

    Its keys are asked for again and again, and worked out once.
    """

    kind: Kind
    external_id: str | None = None
    name: str | None = None
    title: str | None = None
    album: str | None = None
    isrc: str | None = None
    duration_ms: int | None = None

    @property
    def is_named(self) -> bool:
        """Are the names there that would create it?"""
        return bool(self.name and (self.kind is Kind.PERFORMER or self.title))

    @cached_property
    def artist_key(self) -> str:
        """Of the main artist."""
        return name_key(main_artist(self.name or ""))

    @cached_property
    def title_key(self) -> str:
        """Of track or album, with its version."""
        return title_key(self.title or "")


def resolve(connection: Connection, identities: Sequence[Identity]) -> tuple[list[Ref | None], set[Ref]]:
    """The subject of each identity, and which of them are new. None: an unknown id without names.

    Takes the advisory locks of all names first, so that nobody else creates the same subject.
    """
    lock_names(connection, (name for identity in identities for name in _lock_names(identity)))
    resolver = _Resolver(connection)
    for kind in (Kind.PERFORMER, Kind.ALBUM, Kind.TRACK):
        resolver.resolve(kind, [identity for identity in dict.fromkeys(identities) if identity.kind is kind])
    return [resolver.refs.get(identity) for identity in identities], resolver.created


def _lock_names(identity: Identity) -> list[str]:
    names = [f"{identity.kind}:id:{identity.external_id}"] if identity.external_id else []
    if identity.is_named:
        names.append(f"performer:{identity.artist_key}")
        if identity.kind is not Kind.PERFORMER:
            names.append(f"{identity.kind}:{identity.artist_key}:{identity.title_key}")
        if identity.album:
            names.append(f"album:{identity.artist_key}:{title_key(identity.album)}")
    return names


# What was merged is found by what it was called; a subject that is called so itself goes first.
_BY_ID = {
    kind: text(f"""
SELECT id, id AS own_id, external_id, false AS merged FROM {kind}s WHERE external_id = ANY(:texts) OR id = ANY(:ids)
UNION ALL SELECT subject_id, old_id, external_id, true FROM redirects
WHERE kind = '{kind}' AND (external_id = ANY(:texts) OR old_id = ANY(:ids)) ORDER BY merged DESC
""")  # noqa: S608 - one of three constants
    for kind in Kind
}

_BY_PERFORMER_NAME = text("""
SELECT id, external_id, name_key AS artist_key, '' AS title_key, NULL AS isrc, NULL AS duration_ms,
    false AS merged, created_at
FROM performers WHERE name_key = ANY(:artists)
UNION ALL SELECT p.id, p.external_id, r.artist_key, '', NULL, NULL, true, r.merged_at
FROM redirects r JOIN performers p ON p.id = r.subject_id WHERE r.kind = 'performer' AND r.artist_key = ANY(:artists)
ORDER BY merged, created_at, id
""")

_BY_NAMES = {
    kind: text(f"""
WITH names AS (
    SELECT DISTINCT * FROM unnest(CAST(:artists AS text[]), CAST(:titles AS text[])) AS names(artist, title)
)
SELECT t.id, t.external_id, t.artist_key, t.title_key, {facts}, false AS merged, t.created_at
FROM {kind}s t JOIN names n ON t.artist_key = n.artist AND t.title_key = n.title
UNION ALL SELECT t.id, t.external_id, r.artist_key, r.title_key, {facts}, true, r.merged_at
FROM redirects r JOIN names n ON r.artist_key = n.artist AND r.title_key = n.title JOIN {kind}s t ON t.id = r.subject_id
WHERE r.kind = '{kind}'
ORDER BY merged, created_at, id
""")  # noqa: S608 - constants
    for kind, facts in (
        (Kind.TRACK, "t.isrc, t.duration_ms"),
        (Kind.ALBUM, "NULL AS isrc, NULL AS duration_ms"),
    )
}

_ADOPT = {
    kind: text(f"""
UPDATE {kind}s s SET external_id = r.external_id
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, external_id text) WHERE s.id = r.id
""")  # noqa: S608 - one of three constants
    for kind in Kind
}

_NEW_PERFORMERS = text("""
INSERT INTO performers (id, external_id, name, name_key)
SELECT id, external_id, name, artist_key
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, external_id text, name text, artist_key text)
""")
_NEW_ALBUMS = text("""
INSERT INTO albums (id, external_id, title, artist, title_key, artist_key, performer_id)
SELECT id, external_id, title, name, title_key, artist_key, performer_id
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, external_id text, title text, name text, title_key text,
    artist_key text, performer_id uuid)
""")
_NEW_TRACKS = text("""
INSERT INTO tracks (id, external_id, title, artist, title_key, artist_key, performer_id, album_id, album_title, isrc,
    duration_ms)
SELECT id, external_id, title, name, title_key, artist_key, performer_id, album_id, album, isrc, duration_ms
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, external_id text, title text, name text, title_key text,
    artist_key text, performer_id uuid, album_id uuid, album text, isrc text, duration_ms int)
""")
_INSERT = {Kind.PERFORMER: _NEW_PERFORMERS, Kind.ALBUM: _NEW_ALBUMS, Kind.TRACK: _NEW_TRACKS}


class _Resolver:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.refs: dict[Identity, Ref] = {}
        self.created: set[Ref] = set()

    def resolve(self, kind: Kind, identities: Sequence[Identity]) -> None:
        """Finds or creates them all, in a handful of statements however many they are."""
        if not identities:
            return
        self._by_id(kind, identities)
        named = [each for each in identities if each not in self.refs and each.is_named]
        if named:
            self._by_names(kind, named)

    def _by_id(self, kind: Kind, identities: Sequence[Identity]) -> None:
        texts = [each.external_id for each in identities if each.external_id]
        if not texts:
            return
        known: dict[str, uuid.UUID] = {}
        found = self._connection.execute(_BY_ID[kind], {"texts": texts, "ids": [u for t in texts if (u := _uuid(t))]})
        for row in found:
            known[str(row.own_id)] = row.id
            if row.external_id is not None:
                known[row.external_id] = row.id
        for each in identities:
            found_id = known.get(each.external_id or "") or known.get(str(_uuid(each.external_id or "")))
            if found_id is not None:
                self.refs[each] = Ref(kind, found_id)

    def _by_names(self, kind: Kind, named: Sequence[Identity]) -> None:
        keys = {each: (each.artist_key, "" if kind is Kind.PERFORMER else each.title_key) for each in named}
        query = _BY_PERFORMER_NAME if kind is Kind.PERFORMER else _BY_NAMES[kind]
        pairs = list(keys.values())
        there: dict[tuple[str, str], list[_Row]] = {}
        found = self._connection.execute(query, {"artists": [a for a, _ in pairs], "titles": [t for _, t in pairs]})
        for row in found:
            there.setdefault((row.artist_key, row.title_key), []).append(_Row(row))
        adopted, new = [], []
        by_id: dict[str, _Row] = {}
        for each in named:
            candidates = there.setdefault(keys[each], [])
            # An id is one subject, whatever names the requests of one go give it.
            match = by_id.get(each.external_id or "") or next((row for row in candidates if row.means(each)), None)
            if match is None:
                match = _Row(None, each)
                candidates.append(match)
                new.append((match, each))
            elif each.external_id and match.external_id is None:
                match.external_id = each.external_id
                adopted.append({"id": str(match.id), "external_id": each.external_id})
            if each.external_id:
                by_id[each.external_id] = match
            self.refs[each] = Ref(kind, match.id)
        if adopted:
            self._connection.execute(_ADOPT[kind], {"rows": document(adopted)})
        if new:
            self._create(kind, new)

    def _create(self, kind: Kind, new: Sequence[tuple[_Row, Identity]]) -> None:
        performers = albums = {}
        if kind is not Kind.PERFORMER:
            performers = self._parents(Kind.PERFORMER, [each for _, each in new])
        if kind is Kind.TRACK:
            albums = self._parents(Kind.ALBUM, [each for _, each in new if each.album])
        values = [
            {
                "id": str(row.id),
                "external_id": row.external_id,
                "name": each.name,
                "title": each.title,
                "artist_key": each.artist_key,
                "title_key": each.title_key,
                "performer_id": performers.get(each),
                "album_id": albums.get(each),
                "album": each.album,
                "isrc": each.isrc,
                "duration_ms": each.duration_ms,
            }
            for row, each in new
        ]
        self._connection.execute(_INSERT[kind], {"rows": document(values)})
        self.created |= {Ref(kind, row.id) for row, _ in new}

    def _parents(self, kind: Kind, children: Sequence[Identity]) -> dict[Identity, str]:
        """The performer or album of each, found or created."""
        means = {
            each: Identity(Kind.PERFORMER, name=main_artist(each.name or "") or each.name)
            if kind is Kind.PERFORMER
            else Identity(Kind.ALBUM, name=each.name, title=each.album)
            for each in children
        }
        self.resolve(kind, [parent for parent in dict.fromkeys(means.values()) if parent not in self.refs])
        return {each: str(self.refs[parent].id) for each, parent in means.items() if parent in self.refs}


class _Row:
    """A subject that has the names of a request."""

    def __init__(self, row: Any, identity: Identity | None = None) -> None:
        if identity is not None:
            self.id, self.external_id = uuid.uuid4(), identity.external_id
            self.isrc, self.duration_ms = identity.isrc, identity.duration_ms
        else:
            self.id, self.external_id = row.id, row.external_id
            self.isrc, self.duration_ms = row.isrc, row.duration_ms

    def means(self, identity: Identity) -> bool:
        """May this be the subject the request means? Another producer's id, ISRC or duration says no."""
        if identity.external_id and self.external_id and identity.external_id != self.external_id:
            return False
        if identity.isrc and self.isrc and identity.isrc != self.isrc:
            return False
        if identity.duration_ms and self.duration_ms:
            return abs(identity.duration_ms - self.duration_ms) <= DURATION_SLACK_MS
        return True


def namesakes(connection: Connection, names: Sequence[str]) -> list[Ref]:
    """New performers of these names, beside those that have them already; the names must have been locked."""
    keys = [Identity(Kind.PERFORMER, name=name).artist_key for name in names]
    new = [{"id": str(uuid.uuid4()), "name": name, "artist_key": key} for name, key in zip(names, keys, strict=True)]
    if new:
        connection.execute(_NEW_PERFORMERS, {"rows": document(new)})
    return [Ref(Kind.PERFORMER, uuid.UUID(row["id"])) for row in new]


def albums_of(connection: Connection, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Ref]:
    """The albums of these artists and titles, created where they are new; their names must have been locked."""
    resolver = _Resolver(connection)
    meant = {pair: Identity(Kind.ALBUM, name=pair[0], title=pair[1]) for pair in names}
    resolver.resolve(Kind.ALBUM, list(meant.values()))
    return {pair: resolver.refs[identity] for pair, identity in meant.items() if identity in resolver.refs}


def subject_lock(subject: Subject) -> list[str]:
    """The names to lock before a subject goes: whoever asks for it by an id or a name comes before or after."""
    kind, named = subject.ref.kind, subject.values.get
    identity = Identity(kind, subject.external_id, named("artist_name") or named("name"), named("title"))
    return [f"{kind}:id:{subject.ref.id}", *_lock_names(identity)]


def album_lock(artist: str, title: str) -> list[str]:
    """The names to lock before `albums_of`."""
    return _lock_names(Identity(Kind.ALBUM, name=artist, title=title))


def _uuid(text_: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text_)
    except ValueError:
        return None
