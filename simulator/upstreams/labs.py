"""ListenBrainz' labs: data sets behind one form of question, a JSON list of objects and a JSON list of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from simulator import names, shares
from simulator.truth import Recording
from simulator.upstreams import metabrainz
from simulator.upstreams.base import Part
from simulator.wire import Reply, Request, json_reply

MOST = 100
"""Rows that come back unless `count` says otherwise, from those data sets that count."""

Json = dict[str, Any]


class Exact(NamedTuple):
    """Recordings by the squashed line of artist and title: MusicBrainz', and all whose names Spotify may have."""

    musicbrainz: dict[str, Recording]
    spotify: dict[str, Recording]


class _BadInput(Exception):  # noqa: N818 - named as what the service answers
    pass


def answer(part: Part, exact: Exact, request: Request) -> Reply:
    """The reply of `/<data set>/json`. part: what ListenBrainz knows."""
    data_set = request.path.strip("/").removesuffix("/json")
    fetch = _DATA_SETS.get(data_set)
    if fetch is None:
        page = b"<!doctype html>\n<html><title>ListenBrainz datasets</title><body>Query not found.</body></html>"
        return Reply(404, page, {"content-type": "text/html; charset=utf-8"})
    asked = request.json() if request.method == "POST" else [{k: v[-1] for k, v in request.args.items()}]
    try:
        rows = fetch(part, exact, _objects(asked), request.number("count", MOST, 1, 1000))
    except _BadInput as problem:
        told = f"<!doctype html>\n<html lang=en><title>400 Bad Request</title><p>{problem}</p>"
        return Reply(400, told.encode(), {"content-type": "text/html; charset=utf-8"})
    return json_reply(rows, content_type="application/json", items=max(1, len(asked)))


def _objects(asked: Any) -> list[Json]:
    if not isinstance(asked, list) or not all(isinstance(one, dict) for one in asked):
        raise _BadInput("type object argument after ** must be a mapping")
    return asked


def _mbid(row: Json, name: str) -> str:
    try:
        return str(UUID(str(row[name])))
    except (KeyError, ValueError) as error:
        raise _BadInput(f"1 validation error: {name} value is not a valid uuid") from error


def _text(row: Json, name: str) -> str:
    if not isinstance(row.get(name), str):
        raise _BadInput(f"1 validation error: {name} field required")
    return str(row[name])


def _countries(part: Part, _exact: Exact, asked: list[Json], count: int) -> list[Json]:
    mbids = {_mbid(row, "artist_mbid") for row in asked}
    found = [part.world.performer_by_mbid[mbid] for mbid in sorted(mbids) if mbid in part.world.performer_by_mbid]
    return [
        {
            "artist_mbid": performer.mbid,
            "artist_name": performer.name,
            "country_code": metabrainz.country(performer)[0],
            "area_id": 1 + sum(performer.area.encode()),
        }
        for performer in found[:count]
        if part.has_performer(performer) and metabrainz.country(performer)[1]
    ]


def spotify_ids(recording: Recording) -> list[str]:
    """The tracks that ListenBrainz' index of Spotify has under the recording's names, best first."""
    both = shares.knows("spotify", "recording", recording.key) and shares.knows("labs", "spotify", recording.key)
    return list(dict.fromkeys(track.spotify_id for track in recording.tracks)) if both else []


def _spotify_by_mbid(part: Part, _exact: Exact, asked: list[Json], _count: int) -> list[Json]:
    rows = []
    for mbid in [_mbid(row, "recording_mbid") for row in asked]:
        recording = part.world.by_mbid.get(mbid)
        if recording is not None and part.has(recording):
            rows.append(_show(mbid, recording.credit, recording.tracks[0].album.title, recording.title, recording))
    return rows


def _spotify_by_names(_part: Part, exact: Exact, asked: list[Json], _count: int) -> list[Json]:
    rows = []
    for row in asked:
        artist, release, track = (_text(row, name) for name in ("artist_name", "release_name", "track_name"))
        rows.append(_show(None, artist, release, track, exact.spotify.get(names.squash(artist + track))))
    return rows


def _show(mbid: str | None, artist: str, release: str, track: str, recording: Recording | None) -> Json:
    ids = spotify_ids(recording) if recording else []
    return {
        "recording_mbid": mbid,
        "artist_name": artist,
        "release_name": release,
        "track_name": track,
        "spotify_track_ids": ids,
    }


def _lookup(part: Part, exact: Exact, asked: list[Json], _count: int) -> list[Json]:
    """Of equal names only the last is answered, and only those that are known."""
    last: dict[str, tuple[int, str, str]] = {}
    for index, row in enumerate(asked):
        artist, title = _text(row, "artist_credit_name"), _text(row, "recording_name")
        last[names.squash(artist + title)] = (index, artist, title)
    rows = []
    for key, (index, artist, title) in last.items():
        recording = exact.musicbrainz.get(key)
        if recording is not None and part.has(recording):
            rows.append({"index": index, "artist_credit_arg": artist, "recording_arg": title, **_match(recording)})
    return rows


def _match(recording: Recording) -> Json:
    album = recording.tracks[0].album
    return {
        "artist_credit_name": recording.credit,
        "release_name": album.title,
        "recording_name": metabrainz.title(recording),
        "artist_credit_id": 1 + sum(recording.credit.encode()),
        "artist_mbids": [artist.mbid for artist in recording.artists],
        "release_mbid": album.mbid,
        "recording_mbid": recording.mbid,
    }


_DATA_SETS: dict[str, Callable[[Part, Exact, list[Json], int], list[Json]]] = {
    "artist-country-code-from-artist-mbid": _countries,
    "spotify-id-from-mbid": _spotify_by_mbid,
    "spotify-id-from-metadata": _spotify_by_names,
    "acr-lookup": _lookup,
}
