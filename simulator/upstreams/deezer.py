"""Deezer's public API: every error comes with HTTP 200; bpm 0 stands for not known."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote_plus

from simulator import dice, names, places, shares
from simulator.truth import Album, Performer, Track
from simulator.upstreams.base import Upstream
from simulator.wire import JSON, Reply, Request

_SIZES = (("small", 56), ("medium", 250), ("big", 500), ("xl", 1000))
_FILTER = re.compile(
    r'\b(?P<field>artist|track|album|label|dur_min|dur_max|bpm_min|bpm_max):(?:"(?P<text>[^"]*)"?|(?P<word>\S+))'
)
_GENRES = {
    "rock": 152,
    "pop": 132,
    "hip hop": 116,
    "rap": 116,
    "electronic": 106,
    "techno": 106,
    "house": 106,
    "dance": 113,
}
_NO_DATA = {"error": {"type": "DataException", "message": "no data", "code": 800}}
_WRONG = {"error": {"type": "ParameterException", "message": "Wrong parameter", "code": 500}}

Json = dict[str, Any]


def _reply(content: Json, status: int = 200, items: int = 1) -> Reply:
    # PHP's json_encode: slashes and everything outside ASCII are escaped.
    body = json.dumps(content, separators=(",", ":")).replace("/", "\\/").encode()
    return Reply(status, body, {"content-type": JSON, "server": "Apache", "x-host": "blm-web-106"}, items)


class Deezer(Upstream):
    """Search, tracks, artists and albums."""

    source = "deezer"
    roots: ClassVar[tuple[str, ...]] = ("/search", "/track/", "/artist/", "/album/", "/genre/")
    seconds: ClassVar[float] = 0.08
    names_wait: ClassVar[bool] = False

    def prepare(self) -> tuple[object, ...]:
        """The indexes by id."""
        return self._tracks, self._isrcs, self._artists, self._upcs

    def answer(self, request: Request) -> Reply:
        """As the real one answers this path."""
        routes: dict[str, Callable[[Request, Sequence[str]], Reply]] = {
            "search": self._search,
            "track": self._track,
            "artist": self._artist,
            "album": self._album,
        }
        first, *rest = [part for part in request.path.split("/") if part] or [""]
        route = routes.get(first)
        if route is None:
            return _reply({"error": "Not Found"}, 404)
        return route(request, rest)

    def refuse(self, _wait: int, _request: Request) -> Reply:
        """HTTP 200, and nothing about how long."""
        return _reply({"error": {"type": "Exception", "message": "Quota limit exceeded", "code": 4}})

    # -- ids

    @cached_property
    def _tracks(self) -> dict[int, Track]:
        return {track.deezer_id: track for track in self.part.tracks(self.world.tracks)}

    @cached_property
    def _isrcs(self) -> dict[str, Track]:
        by_isrc: dict[str, Track] = {}
        for track in self.part.tracks(self.world.tracks):
            by_isrc.setdefault(self.part.isrc(track), track)
        return by_isrc

    @cached_property
    def _artists(self) -> dict[int, Performer]:
        return {p.deezer_id: p for p in self.world.performers.values() if self.part.has_performer(p)}

    @cached_property
    def _albums(self) -> dict[int, Album]:
        return {album.deezer_id: album for album in self.world.albums.values() if self.part.has_album(album)}

    @cached_property
    def _upcs(self) -> dict[str, Album]:
        return {album.barcode: album for album in self._albums.values()}

    # -- search

    def _search(self, request: Request, rest: Sequence[str]) -> Reply:
        what = rest[0] if rest else "track"
        query = request.arg("q")
        if what not in ("track", "artist", "album"):
            return _reply({"data": [], "total": 0})
        if not query.strip():
            return _reply(
                {"error": {"type": "MissingParameterException", "message": "Missing parameters: q", "code": 501}}
            )
        limit = request.number("limit", 25, 0, 100)
        index = request.number("index", 0, 0, 10_000)
        shown: list[Json]
        if what == "artist":
            shown = [self._show_artist(p, request.base) for p in self.part.find_performers(names.tokens(query), 50)]
        elif what == "album":
            shown = [self._show_album_hit(a, request.base) for a in self._find_albums(query)]
        else:
            tracks = self._find(query)
            page = [self._show_hit(track, request.base) for track in tracks[index : index + limit]]
            return self._page(request, page, len(tracks), index, limit)
        return self._page(request, shown[index : index + limit], len(shown), index, limit)

    def _page(self, request: Request, page: list[Json], total: int, index: int, limit: int) -> Reply:
        content: Json = {"data": page, "total": total}
        query = f"q={quote_plus(request.arg('q'))}" + (f"&limit={limit}" if limit != 25 else "")
        if index + limit < total:
            content["next"] = f"{request.base}/deezer{request.path}?{query}&index={index + limit}"
        if index:
            content["prev"] = f"{request.base}/deezer{request.path}?{query}&index={max(0, index - limit)}"
        return _reply(content)

    def _find(self, query: str) -> list[Track]:
        wanted = {
            match["field"]: names.tokens(match["text"] or match["word"] or "") for match in _FILTER.finditer(query)
        }
        plain = names.tokens(_FILTER.sub(" ", query))
        words = [*plain, *(word for field in ("track", "artist", "album") for word in wanted.get(field, ()))]
        fields = ("title", "artist", "album") if "album" in wanted else ("title", "artist")
        # All the words have to be there; a search that finds nothing so is answered loosely half of the time.
        found = self.part.find_recordings(words, fields, 40, 0.97)
        if not found and dice.share("loose", query) < 0.5:
            found = self.part.find_recordings(words, fields, 15, 0.6)
        tracks = [track for recording in found for track in recording.tracks[:3]]
        return [track for track in tracks if _fits(track, wanted)]

    def _find_albums(self, query: str) -> list[Album]:
        wanted = [match["text"] or match["word"] or "" for match in _FILTER.finditer(query)]
        return self.part.find_albums(names.tokens(" ".join([*wanted, _FILTER.sub(" ", query)])), 50)

    # -- lookups

    def _track(self, request: Request, rest: Sequence[str]) -> Reply:
        wanted = rest[0] if rest else ""
        if wanted.startswith("isrc:"):
            track = self._isrcs.get(wanted[5:].upper())
        else:
            track = self._tracks.get(int(wanted)) if wanted.lstrip("-").isdecimal() else None
        return _reply(self._show_track(track, request.base) if track else _NO_DATA)

    def _artist(self, request: Request, rest: Sequence[str]) -> Reply:
        wanted = rest[0] if rest else ""
        performer = self._artists.get(int(wanted)) if wanted.lstrip("-").isdecimal() else None
        if performer is None:
            return _reply(_NO_DATA if wanted.lstrip("-").isdecimal() else _WRONG)
        if len(rest) > 1:
            return self._artist_list(request, performer, rest[1])
        return _reply(self._show_artist(performer, request.base, whole=True))

    def _artist_list(self, request: Request, performer: Performer, what: str) -> Reply:
        if what == "image":
            pictures = self._pictures("picture", "artist", self._picture(performer), "", request.base)
            return Reply(302, b"", {"location": pictures["picture_medium"]})
        if what == "top":
            tracks = sorted(self.part.tracks(performer.tracks), key=lambda track: -track.popularity)
            limit = request.number("limit", 5, 0, 100)
            return _reply({"data": [self._show_hit(t, request.base) for t in tracks[:limit]], "total": len(tracks)})
        if what == "albums":
            albums = [album for album in performer.albums if self.part.has_album(album)]
            index, limit = request.number("index", 0, 0, 10_000), request.number("limit", 25, 0, 100)
            page = [self._show_artist_album(album, request.base) for album in albums[index : index + limit]]
            return _reply({"data": page, "total": len(albums)})
        return _reply({"data": [], "total": 0})

    def _album(self, request: Request, rest: Sequence[str]) -> Reply:
        wanted = rest[0] if rest else ""
        if wanted.startswith("upc:"):
            album = self._upcs.get(wanted[4:]) or self._upcs.get(wanted[4:].lstrip("0"))
        else:
            album = self._albums.get(int(wanted)) if wanted.lstrip("-").isdecimal() else None
        if album is None:
            # Recorded: -1 came with 200, 0 with 404.
            return _reply(_NO_DATA, 404 if wanted == "0" else 200)
        if len(rest) > 1 and rest[1] == "image":
            cover = self._pictures("cover", "cover", _cover(album), "", request.base)["cover_medium"]
            return Reply(302, b"", {"location": cover})
        if len(rest) > 1 and rest[1] == "tracks":
            tracks = [self._show_album_track(track, request.base, True) for track in self.part.tracks(album.tracks)]
            return _reply({"data": tracks, "total": len(tracks)})
        return _reply(self._show_album(album, request.base))

    # -- the shapes

    def _pictures(self, name: str, folder: str, image: str, page: str, base: str) -> Json:
        addresses = {
            f"{name}_{size}": f"{base}/artwork/images/{folder}/{image}/{px}x{px}-000000-80-0-0.jpg"
            for size, px in _SIZES
        }
        return {name: f"{base}/deezer/{page}/image", **addresses}

    def _picture(self, performer: Performer) -> str:
        known = shares.knows("deezer", "picture", performer.key)
        return dice.hexadecimal(32, "deezer artist", performer.key) if known else ""

    def _show_artist(self, performer: Performer, base: str, *, whole: bool = False) -> Json:
        number = performer.deezer_id
        shown: Json = {"id": number, "name": performer.name, "link": f"https://www.deezer.com/artist/{number}"}
        if whole:
            shown["share"] = _share("artist", number)
        shown |= self._pictures("picture", "artist", self._picture(performer), f"artist/{number}", base)
        shown |= {"nb_album": len(performer.albums), "nb_fan": performer.followers * 2 // 3, "radio": True}
        return shown | {"tracklist": f"{base}/deezer/artist/{number}/top?limit=50", "type": "artist"}

    def _brief_artist(self, performer: Performer, base: str) -> Json:
        shown = self._show_artist(performer, base)
        del shown["nb_album"], shown["nb_fan"], shown["radio"]
        return shown

    def _brief_album(self, album: Album, base: str) -> Json:
        number = album.deezer_id
        shown: Json = {"id": number, "title": album.title}
        shown |= self._pictures("cover", "cover", _cover(album), f"album/{number}", base)
        return shown | {
            "md5_image": _cover(album),
            "tracklist": f"{base}/deezer/album/{number}/tracks",
            "type": "album",
        }

    def _head(self, track: Track) -> Json:
        title = names.read_title(track.title)
        number, explicit = track.deezer_id, track.explicit
        guests = f"feat. {' & '.join(title.featured)}" if title.featured else ""
        version = " ".join(f"({part})" for part in (guests, title.version, title.decoration) if part)
        return {
            "id": number,
            "readable": True,
            "title": f"{title.base} {version}".strip(),
            "title_short": title.base,
            "title_version": version,
            "isrc": self.part.isrc(track),
            "link": f"https://www.deezer.com/track/{number}",
            "duration": round(track.duration_ms / 1000),
            "rank": 10_000 + track.popularity * 9_800 + number % 9_000,
            "explicit_lyrics": explicit,
            "explicit_content_lyrics": 1 if explicit else 0,
            "explicit_content_cover": 0,
            "preview": f"https://cdns-preview-1.dzcdn.net/stream/c-{dice.hexadecimal(32, 'preview', number)}-4.mp3",
            "md5_image": _cover(track.album),
        }

    def _show_hit(self, track: Track, base: str) -> Json:
        shown = self._head(track)
        shown["artist"] = self._brief_artist(track.recording.artists[0], base)
        return shown | {"album": self._brief_album(track.album, base), "type": "track"}

    def _show_track(self, track: Track, base: str) -> Json:
        shown = self._head(track)
        artists = track.recording.artists
        contributors = [
            {
                **self._brief_artist(artist, base),
                "share": _share("artist", artist.deezer_id),
                "radio": True,
                "role": "Main",
            }
            for artist in artists
        ]
        album = self._brief_album(track.album, base)
        album |= {
            "link": f"https://www.deezer.com/album/{track.album.deezer_id}",
            "release_date": edition_date(track.album),
        }
        return shown | {
            "share": _share("track", track.deezer_id),
            "track_position": track.position,
            "disk_number": track.disc,
            "release_date": edition_date(track.album),
            "bpm": self._bpm(track),
            "gain": round(-4 - 9 * dice.share("gain", track.deezer_id), 1),
            "available_countries": list(places.MARKETS),
            "contributors": contributors,
            "artist": {
                **self._brief_artist(artists[0], base),
                "share": _share("artist", artists[0].deezer_id),
                "radio": True,
            },
            "album": album,
            "type": "track",
        }

    def _bpm(self, track: Track) -> float:
        if not shares.knows("deezer", "bpm", track.deezer_id):
            return 0
        chance = dice.share("bpm", track.deezer_id)
        factor = 0.5 if chance < 0.03 else 2.0 if chance < 0.05 else 1.0
        return round(track.tempo * factor + (chance - 0.5) / 2, 2)

    def _show_album_track(self, track: Track, base: str, alone: bool) -> Json:
        shown = self._head(track)
        performer = track.recording.artists[0]
        if alone:
            shown |= {"track_position": track.position, "disk_number": track.disc}
        else:
            del shown["isrc"]
        address = f"{base}/deezer/artist/{performer.deezer_id}/top?limit=50"
        shown["artist"] = {"id": performer.deezer_id, "name": performer.name, "tracklist": address, "type": "artist"}
        return shown | {"type": "track"}

    def _show_album_hit(self, album: Album, base: str) -> Json:
        shown = self._brief_album(album, base)
        del shown["type"]
        return shown | {
            "link": f"https://www.deezer.com/album/{album.deezer_id}",
            "genre_id": _genre(album)["id"],
            "nb_tracks": len(album.tracks),
            "record_type": "compile" if album.kind == "compilation" else album.kind,
            "explicit_lyrics": any(track.explicit for track in album.tracks),
            "artist": self._brief_artist(album.artist, base),
            "type": "album",
        }

    def _show_artist_album(self, album: Album, base: str) -> Json:
        shown = self._show_album_hit(album, base)
        del shown["artist"], shown["nb_tracks"]
        return shown | {"fans": album.artist.followers // 20, "release_date": edition_date(album)}

    def _show_album(self, album: Album, base: str) -> Json:
        tracks = self.part.tracks(album.tracks)
        shown = self._show_album_hit(album, base)
        artist = shown.pop("artist")
        main = {**artist, "share": _share("artist", album.artist.deezer_id), "radio": True, "role": "Main"}
        return shown | {
            "upc": album.barcode,
            "share": _share("album", album.deezer_id),
            "genres": {"data": [_genre(album)]},
            "label": album.label,
            "duration": sum(round(track.duration_ms / 1000) for track in tracks),
            "fans": album.artist.followers // 20,
            "release_date": edition_date(album),
            "available": True,
            "explicit_content_lyrics": 0,
            "explicit_content_cover": 0,
            "contributors": [main],
            "artist": artist,
            "nb_tracks": len(tracks),
            "tracks": {"data": [self._show_album_track(track, base, alone=False) for track in tracks]},
        }


def edition_date(album: Album) -> str:
    """The date of the edition that Deezer sells: on a quarter of the albums years after the first."""
    date = (album.date + "-01-01")[:10] if len(album.date) < 10 else album.date
    if not album.date:
        return "0000-00-00"
    if dice.share("edition", album.key) < 0.25:
        year = min(2025, int(date[:4]) + 1 + dice.number("edition", album.key) % 20)
        return f"{max(year, int(date[:4]))}{date[4:]}"
    return date


def _cover(album: Album) -> str:
    return dice.hexadecimal(32, "deezer cover", album.key)


def _share(kind: str, number: int) -> str:
    return f"https://www.deezer.com/{kind}/{number}?utm_source=deezer&utm_content={kind}-{number}&utm_term=0_1763683200&utm_medium=web"


def _genre(album: Album) -> Json:
    genre = next((genre for genre in album.artist.genres if genre in _GENRES), "pop")
    name = {
        "hip hop": "Rap/Hip Hop",
        "rap": "Rap/Hip Hop",
        "electronic": "Electro",
        "techno": "Electro",
        "house": "Electro",
    }
    number = _GENRES[genre]
    picture = f"https://api.deezer.com/genre/{number}/image"
    return {"id": number, "name": name.get(genre, genre.title()), "picture": picture, "type": "genre"}


def _fits(track: Track, wanted: dict[str, list[str]]) -> bool:
    have = {
        "track": names.tokens(track.title) + names.tokens(track.recording.title),
        "artist": [word for artist in track.recording.artists for word in names.tokens(artist.name)],
        "album": names.tokens(track.album.title),
    }
    return all(set(words) <= set(have[field]) for field, words in wanted.items() if field in have)
