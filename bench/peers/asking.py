"""What all peers share: the calls themselves (those of `bench.naive`), their limits, and the row a track ends in.

Their processes are told by variables: PEERS_UPSTREAM is the simulator's URL, PEERS_DATABASE and PEERS_REDIS are theirs
alone, PEERS_SPEED is how fast its limits run (empty: there are none), PEERS_WORKERS is how many processes share them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import httpx
from psycopg_pool import ConnectionPool

from bench.naive import (
    Get,
    Json,
    Naive,
    _deezer,
    _discogs,
    _itunes,
    _lastfm,
    _musicbrainz,
    _reccobeats,
    _spotify,
    _theaudiodb,
)

ASKS: Mapping[str, Callable[[Get, str, str, Json], Json]] = {
    "musicbrainz": _musicbrainz,
    "spotify": _spotify,
    "deezer": _deezer,
    "lastfm": _lastfm,
    "discogs": _discogs,
    "itunes": _itunes,
    "theaudiodb": _theaudiodb,
    "reccobeats": _reccobeats,
}
"""In the order in which a field's first source has it."""
LAST = "reccobeats"
"""It needs what Spotify has found."""
FIRST = tuple(name for name in ASKS if name != LAST)

LIMITS: Mapping[str, tuple[int, int]] = {
    "musicbrainz": (1, 1),
    "spotify": (30, 30),
    "deezer": (45, 5),
    "lastfm": (4, 1),
    "discogs": (55, 60),
    "itunes": (18, 60),
    "theaudiodb": (28, 60),
    "reccobeats": (1, 1),
}
"""Tasks a source may begin in so many seconds. Some make two or three calls, which few people would count."""

PATIENCE = 2.0
"""Seconds to wait after a refusal that names none."""


class Refused(Exception):  # noqa: N818 - what the upstream did
    """Too many calls. seconds: how long to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"refused for {seconds:g} s")
        self.seconds = seconds


class Asker(Naive):
    """Asks as `Naive` does, and raises Refused where it is told to wait."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._client.event_hooks = {"response": [_judge]}


def _judge(reply: httpx.Response) -> None:
    if reply.status_code in {429, 503} or b"Quota limit exceeded" in reply.read():
        raise Refused(float(reply.headers.get("retry-after") or PATIENCE))


@cache
def asker() -> Asker:
    """Of this process."""
    return Asker(os.environ["PEERS_UPSTREAM"])


def ask(source: str, artist: str, title: str, found: Json | None = None) -> Json:
    """What one source says of a track. Raises Refused."""
    return ASKS[source](asker().get, artist, title, found or {})


def merged(parts: Mapping[str, Json]) -> Json:
    """The first source to name a field has it."""
    found: Json = {}
    for source in ASKS:
        for name, value in parts.get(source, {}).items():
            if value not in (None, "", [], {}, 0):
                found.setdefault(name, value)
    return found


def speed() -> float | None:
    """How fast the limits run; None where there are none."""
    given = os.environ.get("PEERS_SPEED")
    return float(given) if given else None


def limit_of(source: str) -> tuple[float, int] | None:
    """Tasks per so many seconds; None for as many as can be."""
    factor = speed()
    calls, seconds = LIMITS[source]
    return None if factor is None else (calls * factor, seconds)


def workers() -> int:
    """Processes that share the limits."""
    return int(os.environ.get("PEERS_WORKERS", "1"))


# --- the rows ------------------------------------------------------------------------------------------------------

TABLE = """
CREATE TABLE IF NOT EXISTS peer_tracks (
    id int PRIMARY KEY, parts jsonb NOT NULL DEFAULT '{}', missing int NOT NULL, found jsonb, ended_at timestamptz
)
"""
_BEGIN = "INSERT INTO peer_tracks (id, missing) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_KEEP = """
UPDATE peer_tracks SET parts = parts || jsonb_build_object(%s::text, %s::jsonb), missing = missing - 1
WHERE id = %s RETURNING missing, parts
"""
_END = "UPDATE peer_tracks SET found = %s::jsonb, ended_at = clock_timestamp() WHERE id = %s"
_PARTS = "SELECT parts FROM peer_tracks WHERE id = %s"


@cache
def pool() -> ConnectionPool[Any]:
    """Connections of this process."""
    return ConnectionPool(
        os.environ["PEERS_DATABASE"], min_size=1, max_size=8, kwargs={"autocommit": True}, timeout=60, open=True
    )


def _rows(statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with pool().connection() as connection:
        cursor = connection.execute(statement, values)  # type: ignore[arg-type]  # constants of this module
        return cursor.fetchall() if cursor.description else []


def begin(tracks: Sequence[int], missing: int) -> None:
    """A row for each track that is asked for. missing: how many parts it waits for."""
    with pool().connection() as connection, connection.cursor() as cursor:
        cursor.execute(TABLE)
        cursor.executemany(_BEGIN, [(track, missing) for track in tracks])


def keep(track: int, source: str, part: Json) -> tuple[int, Mapping[str, Json]]:
    """A source's part. Returns how many are missing, and all that are there."""
    ((missing, parts),) = _rows(_KEEP, (source, json.dumps(part), track))
    return missing, parts


def parts_of(track: int) -> Mapping[str, Json]:
    """All parts that are there, by source."""
    parts: Mapping[str, Json] = _rows(_PARTS, (track,))[0][0]
    return parts


def end(track: int, found: Json) -> None:
    """The track is done."""
    _rows(_END, (json.dumps(found), track))
