"""Last.fm's web service: pages by name, in XML unless JSON is asked for; errors have codes and any status.

A page stands for a name: performers who share one share the page, and so do all recordings of one title. What it is
asked with `autocorrect=1` it takes for what it knows by a similar spelling, now and then for another thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar, TypeVar
from urllib.parse import parse_qsl, quote_plus
from xml.etree import ElementTree as ET

from simulator import dice, names, shares
from simulator.truth import Album, Performer, Recording, group
from simulator.upstreams.base import Upstream
from simulator.wire import Reply, Request, json_reply

STAR = "2a96cbd8b46e442fc41c2b86b821562f"
"""The picture of every artist, and of every track in a list."""

PLAYS, PLAY_SECONDS, LAST_PLAY = 450, 240, 1_700_000_000
"""How much every user has played, how often, and when last."""
_SIZES = (("small", "34s"), ("medium", "64s"), ("large", "174s"), ("extralarge", "300x300"))
_MORE_SIZES = (*_SIZES, ("mega", "300x300"), ("", "300x300"))
_HABITS = ("seen live", "favorites", "female vocalists", "american", "british", "awesome", "albums I own")
_SMALL_PRINT = (
    "User-contributed text is available under the Creative Commons By-SA License; additional terms may apply."
)
_RATE = (
    "Rate Limit Exceeded - This application has made too many requests in a short period. If this is your API key, see"
    " https://www.last.fm/api/tos#4.4 for information about raising the limit."
)
_HEADERS = {"server": "openresty/1.13.6.2", "via": "1.1 google", "access-control-allow-origin": "*"}

Json = dict[str, Any]
Args = dict[str, str]
T = TypeVar("T")


class _Failure(Exception):  # noqa: N818 - an answer of the service
    def __init__(self, code: int, message: str, status: int) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class Page:
    """A track's page: every recording of this title under this name. The first is the best known."""

    def __init__(self, recordings: Iterable[Recording]) -> None:
        self.recordings = sorted(recordings, key=lambda one: -_popularity(one))
        self.recording = self.recordings[0]
        self.artist = self.recording.artists[0]
        self.album = self.recording.tracks[0].album
        self.title = self.recording.title

    @property
    def key(self) -> str:
        """What chance is thrown by."""
        return self.recording.key

    @property
    def titles(self) -> set[str]:
        """All spellings that it has."""
        return {one.title for one in self.recordings} | {t.title for one in self.recordings for t in one.tracks}

    @property
    def listeners(self) -> int:
        """Some hundreds for the unknown, millions at the top."""
        return int(10 ** (2 + _popularity(self.recording) / 23) * (0.5 + dice.share("lastfm listeners", self.key)))


class LastFM(Upstream):
    """Information on tracks, artists and albums, tags, searches, charts of an artist, corrections."""

    source = "lastfm"
    roots: ClassVar[tuple[str, ...]] = ("/2.0",)
    seconds: ClassVar[float] = 0.2
    spread: ClassVar[float] = 0.45
    names_wait: ClassVar[bool] = False

    def prepare(self) -> tuple[object, ...]:
        """The pages."""
        return self._tracks, self._artists, self._albums, self._track_mbids, self._artist_mbids, self._album_mbids

    def answer(self, request: Request) -> Reply:
        """As the real one answers these parameters, from a query or a form."""
        args = _args(request)
        try:
            self._authorize(args)
            method = self._methods.get(args.get("method", "").lower(), _no_method)
            return _reply(method(args, request.base), args)
        except _Failure as failure:
            return _failed(failure, args)

    def refuse(self, _wait: int, request: Request) -> Reply:
        """Code 29; what status comes with it is reported differently."""
        status = dice.choose((429, 200, 400), "refused", request.now)
        return _failed(_Failure(29, _RATE, status), _args(request))

    def _authorize(self, args: Args) -> None:
        key = args.get("api_key", "")
        if not key:
            raise _Failure(6, "Invalid parameters - Your request is missing a required parameter", 400)
        if key.startswith("wrong"):
            raise _Failure(10, "Invalid API key - You must be granted a valid key by last.fm", 403)
        if key.startswith("suspended"):
            raise _Failure(26, "Suspended API key - Access for your account has been suspended", 403)

    @cached_property
    def _methods(self) -> dict[str, Callable[[Args, str], Json]]:
        return {
            "track.getinfo": lambda args, base: {"track": self._show_track(self._track(args), base)},
            "artist.getinfo": lambda args, base: {"artist": self._show_artist(self._artist(args), base)},
            "album.getinfo": lambda args, base: {"album": self._show_album(self._album(args), base)},
            "track.gettoptags": self._track_tags,
            "artist.gettoptags": self._artist_tags,
            "album.gettoptags": self._album_tags,
            "track.search": self._track_search,
            "artist.search": self._artist_search,
            "album.search": self._album_search,
            "track.getcorrection": self._track_correction,
            "artist.getcorrection": self._artist_correction,
            "artist.getsimilar": self._similar,
            "artist.gettoptracks": self._top_tracks,
            "artist.gettopalbums": self._top_albums,
            "user.getrecenttracks": self._recent_tracks,
        }

    # -- the pages

    @cached_property
    def _tracks(self) -> dict[tuple[str, str], Page]:
        """By name and title, as players send them: with the guests beside the name or in the title."""
        found: dict[tuple[str, str], dict[Recording, None]] = {}
        for recording in filter(self.part.has, self.part.shelf.recordings):
            titles = {recording.title, *(track.title for track in recording.tracks)}
            for name in {recording.artists[0].name, recording.credit}:
                for title in titles:
                    found.setdefault((names.squash(name), names.squash(title)), {})[recording] = None
        return {key: Page(recordings) for key, recordings in found.items()}

    @cached_property
    def _artists(self) -> dict[str, list[Performer]]:
        """By name; of those who share it the best known first."""
        known = sorted(filter(self.part.has_performer, self.part.shelf.performers), key=lambda one: -one.popularity)
        return group(known, lambda performer: names.squash(performer.name))

    @cached_property
    def _albums(self) -> dict[tuple[str, str], Album]:
        found: dict[tuple[str, str], Album] = {}
        for album in filter(self.part.has_album, self.part.shelf.albums):
            found.setdefault((names.squash(album.artist.name), names.squash(album.title)), album)
        return found

    @cached_property
    def _track_mbids(self) -> dict[str, Page]:
        return {mbid: page for page in self._tracks.values() if (mbid := self._track_mbid(page))}

    @cached_property
    def _artist_mbids(self) -> dict[str, list[Performer]]:
        return {mbid: found for found in self._artists.values() if (mbid := self._artist_mbid(found[0]))}

    @cached_property
    def _album_mbids(self) -> dict[str, Album]:
        return {mbid: album for album in self._albums.values() if (mbid := self._album_mbid(album))}

    def _track(self, args: Args) -> Page:
        if mbid := args.get("mbid"):
            page = self._track_mbids.get(mbid.lower())
        else:
            artist, title = _required(args, "artist", "track")
            page = self._tracks.get((names.squash(artist), names.squash(title)))
            if page is None and _corrects(args):
                page = self._miscorrected(artist, title)
            elif page is not None and not _corrects(args) and not _spelled(title, page.titles):
                page = None
        return _found(page, "Track not found", args)

    def _miscorrected(self, artist: str, title: str) -> Page | None:
        """Now and then a title that is not known is taken for another one of the artist's."""
        found = self._artists.get(names.squash(artist))
        if not found or not shares.knows("lastfm", "miscorrected", (artist, title)):
            return None
        other = dice.choose(self.part.tracks(found[0].tracks), "correction", title).recording
        return self._tracks[names.squash(other.artists[0].name), names.squash(other.title)]

    def _artist(self, args: Args) -> list[Performer]:
        if mbid := args.get("mbid"):
            found = self._artist_mbids.get(mbid.lower())
        else:
            (name,) = _required(args, "artist")
            found = self._artists.get(names.squash(name))
            if found and not _corrects(args) and not _spelled(name, (one.name for one in found)):
                found = None
        return _found(found, "The artist you supplied could not be found", args)

    def _album(self, args: Args) -> Album:
        if mbid := args.get("mbid"):
            album = self._album_mbids.get(mbid.lower())
        else:
            artist, title = _required(args, "artist", "album")
            album = self._albums.get((names.squash(artist), names.squash(title)))
            if album and not _corrects(args) and not _spelled(title, (album.title,)):
                album = None
        return _found(album, "Album not found", args)

    # -- identifiers, of what MusicBrainz has

    def _track_mbid(self, page: Page) -> str | None:
        """Of a track on some release as often as of the recording."""
        if not self.part.tells_mbid("track_mbid", page.recording):
            return None
        right = shares.knows("lastfm", "recording_mbid", page.key)
        return page.recording.mbid if right else dice.mbid("track of a release", page.key)

    def _artist_mbid(self, artist: Performer) -> str | None:
        return artist.mbid if self.part.tells_mbid("artist_mbid", artist) else None

    def _album_mbid(self, album: Album) -> str | None:
        return album.mbid if self.part.tells_mbid("album_mbid", album) else None

    def _brief_artist(self, artist: Performer) -> Json:
        return {"name": artist.name, "mbid": self._artist_mbid(artist), "url": _artist_url(artist)}

    # -- information

    def _show_track(self, page: Page, base: str) -> Json:
        artist, album, listeners = page.artist, page.album, page.listeners
        known = shares.knows("lastfm", "duration", page.key)
        shown: Json = {
            "name": page.title,
            "mbid": self._track_mbid(page),
            "url": _track_url(artist, page.title),
            "duration": str(page.recording.duration_ms // 1000 * 1000 if known else 0),
            "streamable": {"#text": "0", "fulltrack": "0"},
            "listeners": str(listeners),
            "playcount": str(_plays(listeners, page.key)),
            "artist": self._brief_artist(artist),
            "album": {
                "artist": album.artist.name,
                "title": album.title,
                "url": _album_url(album),
                "image": _images(_SIZES, _cover(album), base),
            },
            "userplaycount": "0",
            "userloved": "0",
            "toptags": _tags(artist, page.title if shares.knows("lastfm", "track_tags", page.key) else ""),
        }
        if not shares.knows("lastfm", "album", page.key):
            del shown["album"]
        if dice.share("lastfm wiki", page.key) < 0.15:
            shown["wiki"] = _wiki(f"“{page.title}” is a song by {artist.name}.", shown["url"], page.key)
        return shown

    def _show_artist(self, found: Sequence[Performer], base: str) -> Json:
        artist = found[0]
        listeners = sum(_audience(one) for one in found)
        url = _artist_url(artist)
        bio = _wiki(_biography(found), url, artist.key)
        link = {"#text": "", "rel": "original", "href": f"{url}/+wiki"}
        return {
            "name": artist.name,
            "mbid": self._artist_mbid(artist),
            "url": url,
            "image": _images(_MORE_SIZES, STAR, base),
            "streamable": "0",
            "ontour": "0",
            "stats": {"listeners": str(listeners), "playcount": str(_plays(listeners, artist.key))},
            "similar": {
                "artist": [
                    {"name": other.name, "url": _artist_url(other), "image": _images(_MORE_SIZES, STAR, base)}
                    for other in self._alike(artist)[:5]
                ]
            },
            "tags": _tags(artist, artist.name),
            "bio": {"links": {"link": link}, **bio},
        }

    def _show_album(self, album: Album, base: str) -> Json:
        listeners = _audience(album.artist) // (3 + dice.number("share of", album.key) % 20)
        tracks = [
            {
                "@attr": {"rank": str(track.position)},
                "name": track.recording.title,
                "url": f"{_album_url(album)}/{_quoted(track.recording.title)}",
                "duration": str(track.duration_ms // 1000),
                "streamable": {"#text": "0", "fulltrack": "0"},
                "artist": self._brief_artist(track.recording.artists[0]),
            }
            for track in self.part.tracks(album.tracks)
        ]
        shown: Json = {
            "name": album.title,
            "artist": album.artist.name,
            "mbid": self._album_mbid(album),
            "url": _album_url(album),
            "image": _images(_MORE_SIZES, _cover(album), base),
            "listeners": str(max(1, listeners)),
            "playcount": str(_plays(max(1, listeners), album.key)),
            "tracks": {"track": tracks[0] if len(tracks) == 1 else tracks},
            "tags": _tags(album.artist, album.title if shares.knows("lastfm", "album_tags", album.key) else ""),
        }
        if dice.share("lastfm wiki", album.key) < 0.3:
            shown["wiki"] = _wiki(f"{album.title} is an album by {album.artist.name}.", shown["url"], album.key)
        return shown

    # -- tags and corrections

    def _track_tags(self, args: Args, _base: str) -> Json:
        page = self._track(args)
        return _top_tags(page.artist, page.title, artist=page.artist.name, track=page.title)

    def _artist_tags(self, args: Args, _base: str) -> Json:
        artist = self._artist(args)[0]
        return _top_tags(artist, artist.name, artist=artist.name)

    def _album_tags(self, args: Args, _base: str) -> Json:
        album = self._album(args)
        return _top_tags(album.artist, album.title, artist=album.artist.name, album=album.title)

    def _track_correction(self, args: Args, _base: str) -> Json:
        page = self._track({**args, "autocorrect": "1"})
        track = {
            "name": page.title,
            "url": _track_url(page.artist, page.title),
            "artist": self._brief_artist(page.artist),
        }
        attributes = {"index": "0", "artistcorrected": "0", "trackcorrected": "1"}
        return {"corrections": {"correction": {"@attr": attributes, "track": track}}}

    def _artist_correction(self, args: Args, _base: str) -> Json:
        artist = self._artist({**args, "autocorrect": "1"})[0]
        return {"corrections": {"correction": {"@attr": {"index": "0"}, "artist": self._brief_artist(artist)}}}

    # -- searches and lists

    def _track_search(self, args: Args, base: str) -> Json:
        (title,) = _required(args, "track")
        words = names.tokens(f"{title} {args.get('artist', '')}")
        found = self.part.find_recordings(words, ("title", "artist"), 100, 0.6)
        pages = [Page([recording]) for recording in found]
        rows = [
            {
                "name": page.title,
                "artist": page.artist.name,
                "url": _track_url(page.artist, page.title),
                "streamable": "0",
                "listeners": str(page.listeners),
                "image": _images(_SIZES, STAR, base),
                "mbid": self._track_mbid(page) or "",
            }
            for page in pages
        ]
        return _results("track", rows, title, args)

    def _artist_search(self, args: Args, base: str) -> Json:
        (name,) = _required(args, "artist")
        found = self.part.find_performers(names.tokens(name), 100)
        rows = [self._row(one, base, listeners=str(_audience(one))) for one in found]
        return _results("artist", rows, name, args)

    def _album_search(self, args: Args, base: str) -> Json:
        (title,) = _required(args, "album")
        rows = [
            {
                "name": album.title,
                "artist": album.artist.name,
                "url": _album_url(album),
                "image": _images(_SIZES, _cover(album), base),
                "streamable": "0",
                "mbid": self._album_mbid(album) or "",
            }
            for album in self.part.find_albums(names.tokens(title), 100)
        ]
        return _results("album", rows, title, args)

    def _row(self, artist: Performer, base: str, **more: str) -> Json:
        shown = {"name": artist.name, **more, "mbid": self._artist_mbid(artist), "url": _artist_url(artist)}
        return {**shown, "streamable": "0", "image": _images(_MORE_SIZES, STAR, base)}

    def _alike(self, artist: Performer) -> list[Performer]:
        """Others of its genre, by hash."""
        everybody = self.part.shelf.performers
        some = (dice.choose(everybody, "like", number, artist.key) for number in range(40))
        return [
            other for other in dict.fromkeys(some) if other is not artist and set(other.genres) & set(artist.genres)
        ]

    def _similar(self, args: Args, base: str) -> Json:
        artist = self._artist(args)[0]
        others = self._alike(artist)[: _number(args, "limit", 100)]
        rows = [self._row(other, base, match=f"{1 / (1 + place):.6f}") for place, other in enumerate(others)]
        return {"similarartists": {"@attr": {"artist": artist.name}, "artist": rows}}

    def _top_tracks(self, args: Args, base: str) -> Json:
        artist = self._artist(args)[0]
        recordings = dict.fromkeys(track.recording for track in self.part.tracks(artist.tracks))
        pages = sorted((Page([one]) for one in recordings), key=lambda page: -page.listeners)
        rows = [
            {
                "name": page.title,
                "playcount": str(_plays(page.listeners, page.key)),
                "listeners": str(page.listeners),
                "mbid": self._track_mbid(page),
                "url": _track_url(page.artist, page.title),
                "streamable": "0",
                "artist": self._brief_artist(page.artist),
                "image": _images(_SIZES, STAR, base),
            }
            for page in pages
        ]
        return {"toptracks": _page_of("track", rows, artist.name, args)}

    def _recent_tracks(self, args: Args, base: str) -> Json:
        """Made-up plays, the newest first; what is being played stands before them on every page, without a moment."""
        (user,) = _required(args, "user")
        if user.startswith("nobody"):
            raise _Failure(6, "User not found", 404)
        if user.startswith("private"):
            raise _Failure(17, "Login: User required to be logged in", 403)
        since, until = _number(args, "from", 0), _number(args, "to", LAST_PLAY)
        moments = [
            at for at in range(LAST_PLAY, LAST_PLAY - PLAYS * PLAY_SECONDS, -PLAY_SECONDS) if since <= at <= until
        ]
        limit, page = _number(args, "limit", 50), _number(args, "page", 1)
        shown = [self._played(user, at, base) for at in moments[(page - 1) * limit : page * limit]]
        playing = {**self._played(user, LAST_PLAY + PLAY_SECONDS, base), "@attr": {"nowplaying": "true"}, "date": None}
        pages = {"page": str(page), "perPage": str(limit), "totalPages": str(-(-len(moments) // limit))}
        attributes = {"user": user, **pages, "total": str(len(moments))}
        return {"recenttracks": {"@attr": attributes, "track": [playing, *shown]}}

    def _played(self, user: str, at: int, base: str) -> Json:
        page = Page([dice.choose(self.part.shelf.recordings, "play", user, at)])
        return {
            "artist": {"#text": page.artist.name, "mbid": self._artist_mbid(page.artist) or ""},
            "streamable": "0",
            "name": page.title,
            "mbid": self._track_mbid(page) or "",
            "album": {"#text": page.album.title, "mbid": self._album_mbid(page.album) or ""},
            "url": _track_url(page.artist, page.title),
            "image": _images(_SIZES, _cover(page.album), base),
            "date": {"#text": datetime.fromtimestamp(at, UTC).strftime("%d %b %Y, %H:%M"), "uts": str(at)},
        }

    def _top_albums(self, args: Args, base: str) -> Json:
        artist = self._artist(args)[0]
        rows = [
            {
                "name": album.title,
                "playcount": str(_plays(_audience(artist), album.key)),
                "mbid": self._album_mbid(album),
                "url": _album_url(album),
                "artist": self._brief_artist(artist),
                "image": _images(_SIZES, _cover(album), base),
            }
            for album in filter(self.part.has_album, artist.albums)
        ]
        return {"topalbums": _page_of("album", rows, artist.name, args)}


# -- what it was asked


def _args(request: Request) -> Args:
    form = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in request.args.items()} | dict(form)


def _required(args: Args, *wanted: str) -> list[str]:
    values = [args.get(name, "").strip() for name in wanted]
    if not all(values):
        raise _Failure(6, "Invalid parameters - Your request is missing a required parameter", 400)
    return values


def _no_method(_args: Args, _base: str) -> Json:
    raise _Failure(3, "Invalid Method - No method with that name in this package", 400)


def _found(thing: T | None, message: str, args: Args) -> T:
    """The thing, or the failure that says there is none: with 404, 400 or 200."""
    if not thing:
        asked = sorted((name, value) for name, value in args.items() if name != "api_key")
        raise _Failure(6, message, dice.choose((404, 400, 200), "not found", asked))
    return thing


def _corrects(args: Args) -> bool:
    return args.get("autocorrect") == "1"


def _spelled(asked: str, known: Iterable[str]) -> bool:
    """Without corrections only case is forgiven."""
    return asked.lower() in {name.lower() for name in known}


def _number(args: Args, name: str, default: int) -> int:
    return max(1, int(args[name])) if args.get(name, "").isdecimal() else default


# -- what it says


def _reply(content: Json, args: Args) -> Reply:
    if args.get("format") == "json":
        return json_reply(_as_json(content), content_type="application/json", headers=_HEADERS)
    return _xml("ok", _elements(content), 200)


def _failed(failure: _Failure, args: Args) -> Reply:
    if args.get("format") == "json":
        content = {"message": failure.message, "error": failure.code, "links": []}
        return json_reply(content, failure.status, content_type="application/json", headers=_HEADERS)
    error = ET.Element("error", {"code": str(failure.code)})
    error.text = failure.message
    return _xml("failed", [error], failure.status)


def _xml(status: str, inside: Iterable[ET.Element], code: int) -> Reply:
    root = ET.Element("lfm", {"status": status})
    root.extend(inside)
    text = ET.tostring(root, encoding="unicode", short_empty_elements=False)
    body = f'<?xml version="1.0" encoding="UTF-8" ?>\n{text}\n'.encode("utf-8", "replace")
    return Reply(code, body, {"content-type": "text/xml; charset=UTF-8", **_HEADERS})


def _elements(content: Json) -> Iterable[ET.Element]:
    """The same in XML: "@attr" and what stands beside a "#text" are attributes; what is None is left out."""
    for name, value in content.items():
        for each in value if isinstance(value, list) else [value]:
            if each is None or name == "@attr":
                continue
            element = ET.Element(name)
            if isinstance(each, dict) and "#text" in each:
                element.text = each["#text"]
                element.attrib = {key: inner for key, inner in each.items() if key != "#text"}
            elif isinstance(each, dict):
                element.attrib = dict(each.get("@attr", {}))
                element.extend(_elements(each))
            else:
                element.text = each
            element.tail = "\n"
            yield element


def _as_json(value: Any) -> Any:
    """Without what is None; a list of no tags is an empty text."""
    if isinstance(value, list):
        return [_as_json(each) for each in value]
    if isinstance(value, dict):
        return {
            name: "" if name == "tags" and not inner["tag"] else _as_json(inner)
            for name, inner in value.items()
            if inner is not None
        }
    return value


def _results(kind: str, rows: list[Json], asked: str, args: Args) -> Json:
    limit, page = _number(args, "limit", 30), _number(args, "page", 1)
    return {
        "results": {
            "@attr": {"for": asked},
            "opensearch:Query": {"#text": "", "role": "request", "searchTerms": asked, "startPage": str(page)},
            "opensearch:totalResults": str(len(rows)),
            "opensearch:startIndex": str((page - 1) * limit),
            "opensearch:itemsPerPage": str(limit),
            f"{kind}matches": {kind: rows[(page - 1) * limit : page * limit]},
        }
    }


def _page_of(kind: str, rows: list[Json], artist: str, args: Args) -> Json:
    limit, page = _number(args, "limit", 50), _number(args, "page", 1)
    first = (page - 1) * limit
    shown = [{"@attr": {"rank": str(first + place)}, **row} for place, row in enumerate(rows[first : first + limit], 1)]
    pages = {"page": str(page), "perPage": str(limit), "totalPages": str(-(-len(rows) // limit))}
    return {"@attr": {"artist": artist, **pages, "total": str(len(rows))}, kind: shown}


def _popularity(recording: Recording) -> int:
    return max(track.popularity for track in recording.tracks)


def _audience(artist: Performer) -> int:
    """Listeners: some hundreds for the unknown, millions at the top."""
    return int(10 ** (2.3 + artist.popularity / 22) * (0.5 + dice.share("lastfm audience", artist.key)))


def _plays(listeners: int, key: str) -> int:
    return listeners * (3 + dice.number("plays", key) % 40)


def _quoted(name: str) -> str:
    return quote_plus(name)


def _artist_url(artist: Performer) -> str:
    return f"https://www.last.fm/music/{_quoted(artist.name)}"


def _track_url(artist: Performer, title: str) -> str:
    return f"{_artist_url(artist)}/_/{_quoted(title)}"


def _album_url(album: Album) -> str:
    return f"{_artist_url(album.artist)}/{_quoted(album.title)}"


def _cover(album: Album) -> str:
    return dice.hexadecimal(32, "lastfm cover", album.key) if shares.knows("lastfm", "cover", album.key) else ""


def _images(sizes: Iterable[tuple[str, str]], picture: str, base: str) -> list[Json]:
    """The picture's addresses; empty ones where there is none."""
    form = "png" if picture == STAR else "jpg"
    return [
        {"#text": f"{base}/artwork/i/u/{pixels}/{picture}.{form}" if picture else "", "size": size}
        for size, pixels in sizes
    ]


def _tag_names(artist: Performer, thing: str) -> list[str]:
    """Genres first, then what people also write; none without the name of a thing."""
    habit = dice.choose(_HABITS, "habit", thing, artist.key)
    decade = f"{dice.choose((6, 7, 8, 9, 0, 1), 'decade', artist.key)}0s"
    return [*artist.genres[:3], decade, habit, artist.name][:5] if thing else []


def _tags(artist: Performer, thing: str) -> Json:
    return {
        "tag": [{"name": name, "url": f"https://www.last.fm/tag/{_quoted(name)}"} for name in _tag_names(artist, thing)]
    }


def _top_tags(performer: Performer, thing: str, /, **about: str) -> Json:
    rows = [
        {"count": str(100 // (1 + place)), "name": name, "url": f"https://www.last.fm/tag/{_quoted(name)}"}
        for place, name in enumerate(_tag_names(performer, thing))
    ]
    return {"toptags": {"@attr": about, "tag": rows}}


def _biography(found: Sequence[Performer]) -> str:
    artist = found[0]
    if len(found) > 1:
        rows = (f"{n}) {one.genres[0]} from {one.area or 'nowhere'}" for n, one in enumerate(found, start=1))
        return f"There is more than one artist with the name {artist.name}:\n" + "\n".join(rows)
    if not shares.knows("lastfm", "biography", artist.key):
        return ""
    origin = f"{artist.name} makes {artist.genres[0]} and comes from {artist.area or 'nowhere'}."
    return f"{origin}\n\nActive since {artist.begin}."


def _wiki(prose: str, url: str, key: str) -> Json:
    """The text with its link; an empty one has a date of 1970, a summary of only the link, and no content."""
    link = f'<a href="{url}">Read more on Last.fm</a>'
    if not prose:
        return {"published": "01 Jan 1970, 00:00", "summary": f" {link}", "content": ""}
    day = f"{1 + dice.number('day', key) % 28:02d} Mar {2006 + dice.number('year', key) % 19}, 20:12"
    return {"published": day, "summary": f"{prose[:600]} {link}", "content": f"{prose} {link}. {_SMALL_PRINT}"}
