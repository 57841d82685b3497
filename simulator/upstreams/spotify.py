"""Spotify's Web API and its token endpoint, in the modes there are since February 2026.

Client ids that begin with "extended" have extended quota, those with "grandfathered" have had it since before 27
November 2024 and may still ask for audio features; all others are in development mode: no several-ids endpoints,
searches of at most 10, no popularity, followers, label and markets, and a quota of calls in a rolling day.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import deque
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote_plus

from simulator import dice, names, places, shares, sound
from simulator.limits import SPOTIFY_DAY
from simulator.truth import Album, Performer, Track
from simulator.upstreams.artwork import spotify_image
from simulator.upstreams.base import Part, Upstream
from simulator.wire import Reply, Request, json_reply

_FILTER = re.compile(
    r'\b(?P<field>isrc|upc|artist|track|album|year|genre|tag):(?:"(?P<text>[^"]*)"?|(?P<word>\S+(?:\s+(?!\w+:)\S+)*))'
)
_ID = re.compile(r"[0-9A-Za-z]{22}")
_REMOVED = {"popularity", "followers", "label", "available_markets", "linked_from", "album_group"}
_GONE = {"audio-analysis", "recommendations"}
_FEATURES = "audio-features"
"""Gone too, but for apps that had extended quota before 27 November 2024."""
_GONE_IN_DEVELOPMENT = {"browse", "markets", "users", "shows", "episodes", "audiobooks", "chapters"}
TOKEN_SECONDS = 3600
DAY = 86_400.0

Json = dict[str, Any]


def _error(status: int, message: str, **more: str) -> Reply:
    return json_reply({"error": {"status": status, "message": message, **more}}, status)


class Spotify(Upstream):
    """Tokens, search, tracks, artists and albums."""

    source = "spotify"
    roots: ClassVar[tuple[str, ...]] = ("/v1/", "/api/token")
    seconds: ClassVar[float] = 0.12

    def __init__(self, part: Part, *, speed: float = 1.0, unlimited: bool = False) -> None:
        super().__init__(part, speed=speed, unlimited=unlimited)
        self._tokens: dict[str, tuple[str, float]] = {}
        self._day: deque[float] = deque()

    def prepare(self) -> tuple[object, ...]:
        """The indexes by id."""
        return self._tracks, self._analysed, self._artists, self._albums, self._isrcs, self._upcs

    def answer(self, request: Request) -> Reply:
        """As the real one answers this path."""
        if request.path == "/api/token":
            return self._token(request)
        refused = self._authorize(request)
        if isinstance(refused, Reply):
            return refused
        client = refused
        extended = client.startswith(("extended", "grandfathered"))
        if not extended and (over := self._over_quota(request.now)):
            return over
        routes: dict[str, Callable[[Request, Sequence[str], bool], Reply]] = {
            "search": self._search,
            "tracks": self._several("tracks", 50, lambda: self._tracks, self._show_track),
            "artists": self._several("artists", 50, lambda: self._artists, self._show_artist),
            "albums": self._several("albums", 20, lambda: self._albums, self._show_album),
            _FEATURES: self._several("audio_features", 100, lambda: self._analysed, self._show_features),
        }
        first, *rest = [part for part in request.path.removeprefix("/v1").split("/") if part] or [""]
        gone = _GONE if client.startswith("grandfathered") else {*_GONE, _FEATURES}
        if first in gone or (first in _GONE_IN_DEVELOPMENT and not extended):
            return _error(403, "Forbidden")
        route = routes.get(first)
        return route(request, rest, extended) if route else _error(404, "Service not found")

    def refuse(self, wait: int, _request: Request) -> Reply:
        """429 with the seconds to wait."""
        reply = _error(429, "API rate limit exceeded")
        reply.headers["retry-after"] = str(wait)
        return reply

    # -- who may

    def _token(self, request: Request) -> Reply:
        form = {name: values[-1] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        client, secret = _basic(request.headers.get("authorization", "")) or (
            form.get("client_id", ""),
            form.get("client_secret", ""),
        )
        if request.method != "POST":
            return json_reply({"error": "unsupported_method"}, 405)
        if not client or not secret or secret.startswith("wrong"):
            return json_reply({"error": "invalid_client", "error_description": "Invalid client secret"}, 400)
        if form.get("grant_type") not in ("client_credentials", "refresh_token"):
            return json_reply({"error": "unsupported_grant_type", "error_description": "grant_type is missing"}, 400)
        token = "BQ" + dice.hexadecimal(120, "token", client, request.now)
        self._tokens[token] = (client, request.now + TOKEN_SECONDS)
        return json_reply({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS})

    def _authorize(self, request: Request) -> str | Reply:
        """The caller's client id, or why it may not call."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or not token:
            return self._unauthorized("No token provided")
        client, until = self._tokens.get(token, ("", 0.0))
        if not client:
            return self._unauthorized("Invalid access token")
        if request.now >= until:
            return self._unauthorized("The access token expired")
        return client

    def _unauthorized(self, message: str) -> Reply:
        reply = _error(401, message)
        reply.headers["www-authenticate"] = (
            f'Bearer realm="spotify", error="invalid_token", error_description="{message}"'
        )
        return reply

    def _over_quota(self, now: float) -> Reply | None:
        if self.unlimited:
            return None
        while self._day and self._day[0] <= now - DAY:
            self._day.popleft()
        if len(self._day) < SPOTIFY_DAY * self.speed:
            self._day.append(now)
            return None
        # Observed: about half a day, whenever the first call was.
        wait = max(1, round(48_925 / self.speed))
        reply = _error(429, "Too many requests", reason="QUOTA_EXCEEDED")
        reply.headers["retry-after"] = str(wait)
        reply.verdict, reply.wait = "over_limit", float(wait)
        return reply

    # -- ids

    @cached_property
    def _tracks(self) -> dict[str, Track]:
        return {track.spotify_id: track for track in self.part.tracks(self.world.tracks)}

    @cached_property
    def _analysed(self) -> dict[str, Track]:
        return {
            id_: track
            for id_, track in self._tracks.items()
            if shares.knows("spotify", "features", track.recording.key)
        }

    @cached_property
    def _artists(self) -> dict[str, Performer]:
        return {p.spotify_id: p for p in self.world.performers.values() if self.part.has_performer(p)}

    @cached_property
    def _albums(self) -> dict[str, Album]:
        return {album.spotify_id: album for album in self.world.albums.values() if self.part.has_album(album)}

    @cached_property
    def _isrcs(self) -> dict[str, list[Track]]:
        by_isrc: dict[str, list[Track]] = {}
        for track in self._tracks.values():
            by_isrc.setdefault(self.part.isrc(track), []).append(track)
        return by_isrc

    @cached_property
    def _upcs(self) -> dict[str, Album]:
        return {album.barcode: album for album in self._albums.values()}

    # -- search

    def _search(self, request: Request, _: Sequence[str], extended: bool) -> Reply:
        query, kinds = request.arg("q"), request.arg("type").split(",")
        most = 50 if extended else 10
        asked = request.arg("limit")
        if not query.strip():
            return _error(400, "No search query")
        if not set(kinds) <= {"track", "artist", "album", "playlist", "show", "episode"}:
            return _error(400, "Bad search type field")
        if asked and (not asked.isdecimal() or not 1 <= int(asked) <= most):
            return _error(400, "Invalid limit")
        limit = int(asked) if asked else (20 if extended else 5)
        offset = request.number("offset", 0, 0, 1000)
        shown: Json = {}
        for kind in kinds:
            found = self._find(kind, query)
            page = [self._trim(show(thing, request.base), extended) for show, thing in found[offset : offset + limit]]
            more = f"{request.base}/spotify/v1/search?query={quote_plus(query)}&type={kind}&limit={limit}&offset="
            shown[f"{kind}s"] = {
                "href": f"{more}{offset}",
                "items": page,
                "limit": limit,
                "next": f"{more}{offset + limit}" if offset + limit < len(found) else None,
                "offset": offset,
                "previous": f"{more}{max(0, offset - limit)}" if offset else None,
                "total": len(found),
            }
        return json_reply(shown)

    def _find(self, kind: str, query: str) -> list[tuple[Callable[[Any, str], Json], Any]]:
        wanted = {match["field"]: match["text"] or match["word"] or "" for match in _FILTER.finditer(query)}
        plain = names.tokens(_FILTER.sub(" ", query))
        words = [*plain, *(w for field in ("track", "artist", "album") for w in names.tokens(wanted.get(field, "")))]
        if kind == "artist":
            return [(self._show_artist, performer) for performer in self.part.find_performers(words, 20)]
        if kind == "album":
            upc = self._upcs.get(wanted.get("upc", "").lstrip("0")) or self._upcs.get(wanted.get("upc", ""))
            albums = ([upc] if upc else []) if "upc" in wanted else self.part.find_albums(words, 20)
            return [(self._show_album_hit, album) for album in albums]
        if kind != "track":
            return []
        if "isrc" in wanted:
            return [(self._show_track, t) for t in self._isrcs.get(wanted["isrc"].upper().replace("-", ""), ())]
        # Spotify always finds something: it is loose with what is not under a field.
        fields = ("title", "artist", "album") if "album" in wanted else ("title", "artist")
        recordings = self.part.find_recordings(words, fields, 40, 0.9 if wanted else 0.55)
        return [(self._show_track, track) for recording in recordings for track in recording.tracks[:3]]

    # -- lookups

    def _several(
        self, name: str, most: int, shelf: Callable[[], dict[str, Any]], show: Callable[[Any, str], Json]
    ) -> Callable[[Request, Sequence[str], bool], Reply]:
        def lookup(request: Request, rest: Sequence[str], extended: bool) -> Reply:
            if not rest:
                return several(request, extended)
            if not _ID.fullmatch(rest[0]):
                return _error(400, "Invalid base62 id")
            thing = shelf().get(rest[0])
            if thing is None:
                return _error(404, "Resource not found")
            if len(rest) == 1:
                return json_reply(self._trim(show(thing, request.base), extended))
            return self._within(request, thing, rest[1], extended)

        def several(request: Request, extended: bool) -> Reply:
            ids = [one for one in request.arg("ids").split(",") if one]
            if not extended:
                return _error(403, "Forbidden")
            if not ids or len(ids) > most:
                return _error(400, "Too many ids requested" if ids else "Missing required field: ids")
            if not all(_ID.fullmatch(one) for one in ids):
                return _error(400, "Invalid base62 id")
            things = [shelf().get(one) for one in ids]
            return json_reply(
                {name: [show(thing, request.base) if thing else None for thing in things]}, items=len(ids)
            )

        return lookup

    def _within(self, request: Request, thing: Any, what: str, extended: bool) -> Reply:
        if isinstance(thing, Album) and what == "tracks":
            return json_reply(self._trim(self._album_tracks(thing, request), extended))
        if isinstance(thing, Performer) and what == "albums":
            albums = [self._show_album_hit(album, request.base) for album in thing.albums if self.part.has_album(album)]
            return json_reply(self._trim(_page(albums[:20], len(albums), request), extended))
        return _error(403 if what == "top-tracks" and not extended else 404, "Service not found")

    def _album_tracks(self, album: Album, request: Request) -> Json:
        tracks = [self._show_album_track(track, request.base) for track in self.part.tracks(album.tracks)]
        limit, offset = request.number("limit", 20, 1, 50), request.number("offset", 0, 0, 1000)
        return {**_page(tracks[offset : offset + limit], len(tracks), request), "limit": limit, "offset": offset}

    def _trim(self, shown: Any, extended: bool) -> Any:
        """What is left of an object in development mode."""
        if extended:
            return shown
        if isinstance(shown, dict):
            return {name: self._trim(value, extended) for name, value in shown.items() if name not in _REMOVED}
        if isinstance(shown, list):
            return [self._trim(value, extended) for value in shown]
        return shown

    # -- the shapes

    def _brief_artist(self, performer: Performer, base: str) -> Json:
        return {**_head("artist", performer.spotify_id, base), "name": performer.name}

    def _show_artist(self, performer: Performer, base: str) -> Json:
        has_picture = shares.knows("spotify", "picture", performer.key)
        name = "ab6761610000e5eb" + dice.hexadecimal(24, "spotify artist", performer.key)
        sizes = (640, 320, 160) if has_picture else ()
        genres = list(performer.genres) if shares.knows("spotify", "artist_genres", performer.key) else []
        return {
            **_head("artist", performer.spotify_id, base),
            "followers": {"href": None, "total": performer.followers},
            "genres": genres,
            "images": [{"url": spotify_image(base, name, size), "height": size, "width": size} for size in sizes],
            "name": performer.name,
            "popularity": performer.popularity,
        }

    def _show_album_hit(self, album: Album, base: str) -> Json:
        return {
            **_head("album", album.spotify_id, base),
            "album_type": album.kind,
            "total_tracks": len(album.tracks),
            "available_markets": list(places.MARKETS),
            "images": [
                {"url": spotify_image(base, album.image, size), "height": size, "width": size}
                for size in (640, 300, 64)
            ],
            "name": album.title,
            "release_date": album.date or "0000",
            "release_date_precision": {4: "year", 7: "month"}.get(len(album.date or "0000"), "day"),
            "artists": [self._brief_artist(album.artist, base)],
        }

    def _show_album(self, album: Album, base: str) -> Json:
        tracks = [self._show_album_track(track, base) for track in self.part.tracks(album.tracks)]
        href = f"{base}/spotify/v1/albums/{album.spotify_id}/tracks?offset=0&limit=50"
        paging = {"href": href, "items": tracks[:50], "limit": 50, "next": None, "offset": 0, "previous": None}
        return {
            **self._show_album_hit(album, base),
            "tracks": {**paging, "total": len(tracks)},
            "copyrights": [{"text": f"{album.date[:4]} {album.label}", "type": kind} for kind in "CP"],
            "external_ids": {"upc": album.barcode.rjust(13, "0") if len(album.barcode) == 13 else album.barcode},
            "genres": [],
            "label": album.label,
            "popularity": max(track.popularity for track in album.tracks),
        }

    def _show_album_track(self, track: Track, base: str) -> Json:
        return {
            **_head("track", track.spotify_id, base),
            "artists": [self._brief_artist(artist, base) for artist in track.recording.artists],
            "available_markets": list(places.MARKETS),
            "disc_number": track.disc,
            "duration_ms": track.duration_ms,
            "explicit": track.explicit,
            "is_local": False,
            "name": track.title,
            "preview_url": None,
            "track_number": track.position,
        }

    def _show_track(self, track: Track, base: str) -> Json:
        return {
            **self._show_album_track(track, base),
            "album": self._show_album_hit(track.album, base),
            "external_ids": {"isrc": self.part.isrc(track)},
            "popularity": track.popularity,
        }

    def _show_features(self, track: Track, base: str) -> Json:
        api = f"{base}/spotify/v1"
        return {
            **sound.features(track),
            "key": track.key,
            "mode": track.mode,
            "tempo": round(sound.tempo("spotify", track), 3),
            "time_signature": 4,
            "duration_ms": track.duration_ms,
            "type": "audio_features",
            "id": track.spotify_id,
            "uri": f"spotify:track:{track.spotify_id}",
            "track_href": f"{api}/tracks/{track.spotify_id}",
            "analysis_url": f"{api}/audio-analysis/{track.spotify_id}",
        }


def _head(kind: str, number: str, base: str) -> Json:
    return {
        "external_urls": {"spotify": f"https://open.spotify.com/{kind}/{number}"},
        "href": f"{base}/spotify/v1/{kind}s/{number}",
        "id": number,
        "type": kind,
        "uri": f"spotify:{kind}:{number}",
    }


def _page(items: list[Json], total: int, request: Request) -> Json:
    href = f"{request.base}/spotify{request.path}"
    return {"href": href, "items": items, "limit": 20, "next": None, "offset": 0, "previous": None, "total": total}


def _basic(header: str) -> tuple[str, str] | None:
    kind, _, value = header.partition(" ")
    if kind != "Basic":
        return None
    try:
        name, _, secret = base64.b64decode(value).decode("utf-8", "replace").partition(":")
    except binascii.Error:
        return None
    return name, secret
