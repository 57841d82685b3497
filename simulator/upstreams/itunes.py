"""Apple's iTunes Search API: songs, artists and albums of one store, by words and by id; no ISRCs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, ClassVar

from simulator import dice, names, shares
from simulator.truth import Album, Performer, Recording, Track
from simulator.upstreams.base import Upstream
from simulator.wire import Reply, Request

TYPE = "text/javascript; charset=utf-8"
FIRST_ARTIST, FIRST_ALBUM, FIRST_TRACK = 5_000_000, 1_400_000_000, 1_600_000_000
_GENRES = {
    "hip hop": ("Hip-Hop/Rap", 18),
    "rap": ("Hip-Hop/Rap", 18),
    "r&b": ("R&B/Soul", 15),
    "soul": ("R&B/Soul", 15),
    "house": ("House", 1048),
    "techno": ("Techno", 1050),
    "electro": ("Electronic", 7),
    "ambient": ("Electronic", 7),
    "trance": ("Dance", 17),
    "metal": ("Metal", 1153),
    "jazz": ("Jazz", 11),
    "folk": ("Singer/Songwriter", 10),
    "classical": ("Classical", 5),
    "country": ("Country", 6),
    "indie": ("Alternative", 20),
    "rock": ("Rock", 21),
    "punk": ("Punk", 1160),
}
_POP = ("Pop", 14)

Json = dict[str, Any]


def _reply(rows: Sequence[Json]) -> Reply:
    shown = ", \n".join(json.dumps(row, ensure_ascii=False, separators=(", ", ":")) for row in rows)
    body = f'\n\n\n{{\n "resultCount":{len(rows)},\n "results": [\n{shown}]\n}}\n\n\n'
    headers = {"content-type": TYPE, "content-disposition": "attachment; filename=1.txt"}
    return Reply(200, body.encode("utf-8", "replace"), headers | {"cache-control": "max-age=86400"})


def _wrong(key: str) -> Reply:
    content = {"errorMessage": f"Invalid value(s) for key(s): [{key}]", "queryParameters": {}}
    return Reply(400, json.dumps(content).encode(), {"content-type": TYPE})


class ITunes(Upstream):
    """`search` and `lookup`."""

    source = "itunes"
    roots: ClassVar[tuple[str, ...]] = ("/lookup",)  # `/search` is Deezer's where no source is named
    seconds: ClassVar[float] = 0.2
    names_wait: ClassVar[bool] = False

    def prepare(self) -> tuple[object, ...]:
        """Where everything stands."""
        return self._artists, self._albums, self.part.shelf.place

    def answer(self, request: Request) -> Reply:
        """As the real one answers this path."""
        path = request.path.rstrip("/")
        if path == "/search":
            return self._search(request)
        if path == "/lookup":
            return self._lookup(request)
        return Reply(404, b"<html><body><h1>Not Found</h1></body></html>", {"content-type": "text/html"})

    def refuse(self, _wait: int, _request: Request) -> Reply:
        """403 without a body, and nothing about how long."""
        return Reply(403, b"", {"cache-control": "max-age=0, no-cache, no-store", "x-apple-lokamai-no-cache": "true"})

    # -- finding

    @cached_property
    def _artists(self) -> dict[str, int]:
        return {artist.key: FIRST_ARTIST + place for place, artist in enumerate(self.world.performers.values())}

    @cached_property
    def _albums(self) -> dict[str, int]:
        return {album.key: FIRST_ALBUM + place for place, album in enumerate(self.part.shelf.albums)}

    def _number(self, recording: Recording) -> int:
        return FIRST_TRACK + self.part.shelf.place[recording.key]

    def _search(self, request: Request) -> Reply:
        words = names.tokens(request.arg("term"))
        limit = request.number("limit", 50, 1, 200)
        finders: dict[str, Callable[[Sequence[str], int, str], list[Json]]] = {
            "song": self._songs,
            "musicTrack": self._songs,
            "musicArtist": self._performers,
            "album": self._collections,
        }
        entity = request.arg("entity", "musicTrack")
        if entity not in finders:
            return _wrong("entity")
        return _reply(finders[entity](words, limit, request.base))

    def _songs(self, words: Sequence[str], limit: int, base: str) -> list[Json]:
        found = self.part.find_recordings(words, ("title", "artist", "album"), limit, 0.97)
        return [self._song(recording.tracks[0], base) for recording in found]

    def _performers(self, words: Sequence[str], limit: int, _base: str) -> list[Json]:
        return [self._artist(performer) for performer in self.part.find_performers(words, limit)]

    def _collections(self, words: Sequence[str], limit: int, base: str) -> list[Json]:
        return [self._album(album, base) for album in self.part.find_albums(words, limit)]

    def _lookup(self, request: Request) -> Reply:
        ids = [int(one) for one in request.arg("id").split(",") if one.isdecimal()]
        rows = [row for one in ids if (row := self._by_id(one, request.base))]
        return _reply(rows)

    def _by_id(self, number: int, base: str) -> Json | None:
        shelf = self.part.shelf
        if 0 <= (place := number - FIRST_TRACK) < len(shelf.recordings):
            recording = shelf.recordings[place]
            return self._song(recording.tracks[0], base) if self.part.has(recording) else None
        if 0 <= (place := number - FIRST_ALBUM) < len(shelf.albums):
            album = shelf.albums[place]
            return self._album(album, base) if self.part.has_album(album) else None
        performer = next((self.world.performers[key] for key, own in self._artists.items() if own == number), None)
        return self._artist(performer) if performer and self.part.has_performer(performer) else None

    # -- the shapes

    def _artist_page(self, performer: Performer) -> str:
        return _page("artist", performer.name, self._artists[performer.key])

    def _album_page(self, album: Album) -> str:
        return _page("album", album.title, self._albums[album.key])

    def _artist(self, performer: Performer) -> Json:
        genre, number = _genre(performer)
        known = {"amgArtistId": dice.number("amg", performer.key) % 3_000_000} if performer.popularity > 40 else {}
        return {
            "wrapperType": "artist",
            "artistType": "Artist",
            "artistName": performer.name,
            "artistLinkUrl": self._artist_page(performer),
            "artistId": self._artists[performer.key],
            **known,
            "primaryGenreName": genre,
            "primaryGenreId": number,
        }

    def _song(self, track: Track, base: str) -> Json:
        recording, album = track.recording, track.album
        lead = recording.artists[0]
        number = self._number(recording)
        page = f"{self._album_page(album).partition('?')[0]}?i={number}&uo=4"
        title, collection = _title(track), _collection(album)
        sleeve = {"collectionArtistName": album.artist.name} if album.artist is not lead else {}
        date = {"releaseDate": _date(album)} if album.date else {}
        stated = "explicit" if track.explicit else "notExplicit"
        return {
            "wrapperType": "track",
            "kind": "song",
            "artistId": self._artists[lead.key],
            "collectionId": self._albums[album.key],
            "trackId": number,
            "artistName": _credit(recording),
            "collectionName": collection,
            "trackName": title,
            "collectionCensoredName": collection,
            "trackCensoredName": title,
            **sleeve,
            "artistViewUrl": self._artist_page(lead),
            "collectionViewUrl": page,
            "trackViewUrl": page,
            "previewUrl": f"https://audio-ssl.itunes.apple.com/itunes-assets/AudioPreview125/v4/{number}.plus.aac.p.m4a",
            **_covers(album, base, (30, 60, 100)),
            "collectionPrice": 9.99,
            "trackPrice": 1.29,
            **date,
            "collectionExplicitness": stated,
            "trackExplicitness": stated,
            "discCount": 1,
            "discNumber": track.disc,
            "trackCount": len(album.tracks),
            "trackNumber": track.position,
            "trackTimeMillis": track.duration_ms,
            "country": "USA",
            "currency": "USD",
            "primaryGenreName": _genre(lead)[0],
            "isStreamable": True,
        }

    def _album(self, album: Album, base: str) -> Json:
        date = {"releaseDate": _date(album)} if album.date else {}
        return {
            "wrapperType": "collection",
            "collectionType": "Album",
            "artistId": self._artists[album.artist.key],
            "collectionId": self._albums[album.key],
            "artistName": album.artist.name,
            "collectionName": _collection(album),
            "collectionCensoredName": _collection(album),
            "artistViewUrl": self._artist_page(album.artist),
            "collectionViewUrl": self._album_page(album),
            **_covers(album, base, (60, 100)),
            "collectionPrice": 9.99,
            "collectionExplicitness": "explicit" if any(track.explicit for track in album.tracks) else "notExplicit",
            "trackCount": len(album.tracks),
            "copyright": f"℗ {album.date[:4]} {album.label}".replace("  ", " "),
            "country": "USA",
            "currency": "USD",
            **date,
            "primaryGenreName": _genre(album.artist)[0],
        }


def _page(kind: str, name: str, number: int) -> str:
    return f"https://music.apple.com/us/{kind}/{'-'.join(names.tokens(name)) or '-'}/{number}?uo=4"


def _title(track: Track) -> str:
    """Guests in round brackets, a version in square ones behind them."""
    title = names.read_title(track.title)
    guests = f"(feat. {' & '.join(title.featured)})" if title.featured else ""
    version = ", ".join(filter(None, (title.version, title.decoration)))
    rest = f"[{version}]" if guests and version else f"({version})" if version else ""
    return " ".join(filter(None, (title.base, guests, rest)))


def _collection(album: Album) -> str:
    return f"{album.title} - Single" if album.kind == "single" else album.title


def _credit(recording: Recording) -> str:
    """The artists without the guests, whom the title names."""
    main = [artist.name for artist in recording.artists[: len(recording.artists) - recording.guests]]
    return f"{', '.join(main[:-1])} & {main[-1]}" if len(main) > 1 else main[0]


def _covers(album: Album, base: str, sizes: Sequence[int]) -> Json:
    image = f"{base}/artwork/image/thumb/Music/v4/{dice.hexadecimal(32, 'itunes cover', album.key)}/cover.jpg"
    return {f"artworkUrl{size}": f"{image}/{size}x{size}bb.jpg" for size in sizes}


def _date(album: Album) -> str:
    """Of the edition in the store, at midnight in California; of some a later one than the first."""
    year, _, rest = album.date.partition("-")
    if shares.knows("itunes", "edition", album.key):
        year = str(max(int(year), min(2025, int(year) + 1 + dice.number("itunes edition", album.key) % 20)))
    return f"{year}-{f'{rest}-01-01'[:5] if rest else '01-01'}T{dice.choose(('07', '08', '12'), album.key)}:00:00Z"


def _genre(performer: Performer) -> tuple[str, int]:
    return next((found for genre in performer.genres for word, found in _GENRES.items() if word in genre), _POP)
