"""The naive way, for comparison: each source is searched per track, one after another, as most scripts do.

Every reply is believed: the first hit is taken for the track. No batches, nothing reused, no identifier passed on but
to read what the same source's search has found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

Json = dict[str, Any]
THREADS = 8
AGENT = "naive/1.0 ( ops@example.org )"
TOKEN = "any opens the simulator"  # noqa: S105 - no secret


class Naive:
    """Asks the sources of a simulator."""

    def __init__(self, url: str) -> None:
        """url: of the simulator."""
        self.url = url
        self._client = httpx.Client(trust_env=False, timeout=60, headers={"user-agent": AGENT})
        login = self._client.post(
            f"{url}/spotify/api/token", data={"grant_type": "client_credentials"}, auth=("extended-naive", TOKEN)
        )
        self._token = login.json()["access_token"]

    def tracks(self, tracks: Sequence[tuple[str, str]]) -> list[Json]:
        """What is found of each (artist, title), under the names of a track's fields."""
        with ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(lambda track: self.track(*track), tracks))

    def track(self, artist: str, title: str) -> Json:
        """One track; the first source to name a field has it."""
        found: Json = {}
        for ask in (_musicbrainz, _spotify, _deezer, _lastfm, _discogs, _itunes, _theaudiodb, _reccobeats):
            for name, value in ask(self.get, artist, title, found).items():
                if value not in (None, "", [], {}, 0):
                    found.setdefault(name, value)
        return found

    def get(self, path: str, **query: Any) -> Json:
        """One call. Whatever is no JSON object counts as nothing."""
        headers = {"authorization": f"Bearer {self._token}"} if path.startswith("spotify/") else {}
        reply = self._client.get(f"{self.url}/{path}", params=query, headers=headers)
        try:
            body = reply.json() if reply.status_code == 200 else {}
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    def close(self) -> None:
        """Gives the connections back."""
        self._client.close()


Get = Callable[..., Json]


def _first(rows: Any) -> Json:
    return rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}


def _musicbrainz(get: Get, artist: str, title: str, _found: Json) -> Json:
    quoted = f'artist:"{_bare(artist)}" AND recording:"{_bare(title)}"'
    mbid = _first(get("musicbrainz/ws/2/recording", query=quoted, fmt="json", limit=5).get("recordings")).get("id")
    if not mbid:
        return {}
    row = get(f"musicbrainz/ws/2/recording/{mbid}", inc="isrcs+genres+tags+releases+release-groups", fmt="json")
    release = _first(row.get("releases")).get("id")
    cover = get(f"coverartarchive/release/{release}") if release else {}
    return {
        "musicbrainz_id": mbid,
        "isrc": next(iter(row.get("isrcs") or ()), None),
        "duration_ms": row.get("length"),
        "release_date": row.get("first-release-date"),
        "genres": row.get("genres") or row.get("tags"),
        "artwork_url": _first(cover.get("images")).get("image"),
    }


def _bare(words: str) -> str:
    return words.replace("\\", " ").replace('"', " ")


def _spotify(get: Get, artist: str, title: str, _found: Json) -> Json:
    hits = get("spotify/v1/search", q=f"{artist} {title}", type="track", limit=5)
    track = _first((hits.get("tracks") or {}).get("items"))
    if not track:
        return {}
    performer = get(f"spotify/v1/artists/{_first(track.get('artists')).get('id')}")
    album = track.get("album") or {}
    return {
        "spotify_id": track.get("id"),
        "isrc": (track.get("external_ids") or {}).get("isrc"),
        "duration_ms": track.get("duration_ms"),
        "popularity": track.get("popularity"),
        "release_date": album.get("release_date"),
        "artwork_url": _first(album.get("images")).get("url"),
        "genres": performer.get("genres"),
    }


def _deezer(get: Get, artist: str, title: str, _found: Json) -> Json:
    hit = _first(get("deezer/search", q=f"{artist} {title}", limit=5).get("data"))
    if not hit:
        return {}
    track = get(f"deezer/track/{hit.get('id')}")
    return {
        "isrc": track.get("isrc"),
        "bpm": track.get("bpm"),
        "popularity": track.get("rank"),
        "release_date": track.get("release_date"),
        "artwork_url": (track.get("album") or {}).get("cover_xl"),
    }


def _lastfm(get: Get, artist: str, title: str, _found: Json) -> Json:
    asked = {"method": "track.getInfo", "artist": artist, "track": title, "api_key": TOKEN, "format": "json"}
    track = get("lastfm/2.0/", **asked).get("track") or {}
    return {
        "popularity": track.get("listeners"),
        "genres": (track.get("toptags") or {}).get("tag"),
        "duration_ms": int(track.get("duration") or 0),
    }


def _discogs(get: Get, artist: str, title: str, _found: Json) -> Json:
    asked = {"artist": artist, "track": title, "type": "release", "token": TOKEN}
    hit = _first(get("discogs/database/search", **asked).get("results"))
    return {
        "label": _first_text(hit.get("label")),
        "release_date": hit.get("year"),
        "genres": hit.get("style"),
        "artwork_url": hit.get("cover_image"),
    }


def _first_text(values: Any) -> Any:
    return next(iter(values), None) if isinstance(values, list) else None


def _itunes(get: Get, artist: str, title: str, _found: Json) -> Json:
    hit = _first(get("itunes/search", term=f"{artist} {title}", entity="song", limit=5).get("results"))
    return {
        "release_date": hit.get("releaseDate"),
        "genres": hit.get("primaryGenreName"),
        "artwork_url": hit.get("artworkUrl100"),
    }


def _theaudiodb(get: Get, artist: str, title: str, _found: Json) -> Json:
    hit = _first(get("theaudiodb/api/v1/json/123/searchtrack.php", s=artist, t=title).get("track"))
    return {
        "isrc": hit.get("strISRC"),
        "bpm": hit.get("intTempo"),
        "key": hit.get("strKey"),
        "genres": hit.get("strGenre"),
    }


def _reccobeats(get: Get, _artist: str, _title: str, found: Json) -> Json:
    if not found.get("spotify_id"):
        return {}
    row = _first(get("reccobeats/v1/audio-features", ids=found["spotify_id"]).get("content"))
    number = row.get("key", -1)
    return {"bpm": row.get("tempo"), "key": None if number == -1 else str(number), "audio_features": row}
