"""MusicBrainz' web service 2: searches, lookups and browses, in XML (its default) and JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar

from simulator import dice, mmd, places, shares
from simulator.limits import Limit
from simulator.lucene import Searcher
from simulator.truth import Album, Performer, Recording, Track, group
from simulator.upstreams import metabrainz
from simulator.upstreams.base import Part, Upstream
from simulator.upstreams.coverartarchive import has_cover
from simulator.wire import Reply, Request, json_reply

_MBID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RELATIONS = {
    "area-rels", "artist-rels", "event-rels", "genre-rels", "instrument-rels", "label-rels", "place-rels",
    "recording-rels", "release-group-rels", "release-rels", "series-rels", "url-rels", "work-rels",
}  # fmt: skip
_VOTED = {"tags", "user-tags", "genres", "user-genres", "ratings", "user-ratings"}
_COMMON = {"aliases", "annotation"} | _VOTED | _RELATIONS
_RELEASES = {"releases", "artist-credits", "isrcs", "media", "discids"}
# What each resource allows as `inc`: metabrainz/musicbrainz-server, Controller/WS/2.
_INCS = {
    "artist": _COMMON | _RELEASES | {"recordings", "release-groups", "works", "various-artists"},
    "recording": _COMMON | _RELEASES | {"artists", "release-groups", "work-level-rels"},
    "release": (
        _COMMON
        | _RELEASES
        | {"artists", "labels", "recordings", "release-groups", "collections"}
        | {"recording-level-rels", "work-level-rels", "release-group-level-rels"}
    )
    - {"releases"},
    "release-group": _COMMON | {"artists", "releases", "artist-credits", "media", "discids"},
    "isrc": (_COMMON - {"genres", "user-genres"}) | {"artists", "releases", "isrcs", "artist-credits"},
    "url": _RELATIONS,
}
LINKED = 25
"""Things inside a lookup are cut at this many; browses and searches give at most `MOST`."""
MOST = 100
SHED = 0.03
BUSY = "The MusicBrainz web server is currently busy. Please try again later."
OUR_RATE = (
    "Your requests are exceeding the allowable rate limit. Please see http://wiki.musicbrainz.org/XMLWebService for "
    "more information."
)
NO_AGENT = (
    "Your requests have been blocked because your application has not identified itself. Please set a User-Agent: "
    "https://musicbrainz.org/doc/MusicBrainz_API/Rate_Limiting"
)

Json = dict[str, Any]
_End = tuple[str, Performer | Recording | Album]
"""What an address leads to, and by which kind of link."""


class _Problem(Exception):  # noqa: N818 - an answer of the service
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class MusicBrainz(Upstream):
    """Recordings, releases, release groups, artists, ISRCs and URLs."""

    source = "musicbrainz"
    roots: ClassVar[tuple[str, ...]] = ("/ws/2/",)
    seconds: ClassVar[float] = 0.25
    spread: ClassVar[float] = 0.55

    def __init__(self, part: Part, *, speed: float = 1.0, unlimited: bool = False) -> None:
        super().__init__(part, speed=speed, unlimited=unlimited)
        self._shed: set[int] = set()

    def prepare(self) -> tuple[object, ...]:
        """The indexes."""
        ids = self.world.by_mbid, self.world.performer_by_mbid, self.world.album_by_mbid, self.world.album_by_group
        return ids, self._isrcs, self._urls, self._barcodes, self._recordings, self._releases, self._artists

    def latency(self, request: Request) -> float:
        """As of all, with the tail that is its own: a few answers take seconds."""
        chance = dice.share("tail", request.path, request.query)
        return 1 + 3 * chance / 0.012 if chance < 0.012 else super().latency(request)

    def answer(self, request: Request) -> Reply:
        """As the real one answers this path."""
        as_json = _wants_json(request)
        if not request.headers.get("user-agent", "").strip():
            return _error(403, NO_AGENT, as_json, {"x-ratelimit-who": "ua-missing"})
        try:
            return self._route(request, as_json)
        except _Problem as problem:
            return _error(problem.status, problem.message, as_json)

    def _route(self, request: Request, as_json: bool) -> Reply:
        kind, wanted = [*(part for part in request.path.split("/") if part), "", "", ""][2:4]
        if request.method != "GET":
            raise _Problem(405, "Method Not Allowed")
        if kind not in _INCS:
            raise _Problem(404, "Not Found")
        incs = frozenset(filter(None, re.split(r"[+ ]", request.arg("inc"))))
        if wrong := sorted(incs - _INCS[kind]):
            raise _Problem(400, f"{wrong[0]} is not a valid inc parameter for the {kind} resource.")
        if wanted:
            return _show(kind, self._lookup(kind, wanted, incs), as_json)
        if kind == "url":
            return self._url(request.args.get("resource", []), incs, as_json)
        if "query" in request.args:
            return self._search(kind, request, as_json)
        return self._browse(kind, request, incs, as_json)

    def refuse(self, wait: int, request: Request) -> Reply:
        """503, our rate."""
        zone = {"x-ratelimit-zone": "ws ip=127.0.0.1", "x-ratelimit-limit": "22", "x-ratelimit-remaining": "0"}
        more = {"retry-after": str(wait), "server": "openresty", "x-mb-rate-limiter": "lua"}
        return _error(503, OUR_RATE, _wants_json(request), zone | more)

    def stamps(self, reply: Reply, _limit: Limit | None, now: float) -> dict[str, str]:
        """The counters on good replies are the server's, not the caller's."""
        if reply.status >= 400:
            return {}
        return {
            "x-ratelimit-limit": "1200",
            "x-ratelimit-remaining": str(600 + dice.number(now) % 500),
            "x-ratelimit-reset": str(int(now) + 1),
            "server": "Plack::Handler::Starlet",
        }

    # -- finding

    @cached_property
    def _isrcs(self) -> dict[str, list[Recording]]:
        by_isrc: dict[str, list[Recording]] = {}
        for recording in self.world.recordings.values():
            if self.part.has(recording):
                for isrc in metabrainz.isrcs(self.part, recording):
                    by_isrc.setdefault(isrc, []).append(recording)
        return by_isrc

    @cached_property
    def _urls(self) -> dict[str, list[_End]]:
        """What stands on the other side of the addresses that somebody linked to."""
        part, world, urls = self.part, self.world, dict[str, list[_End]]()
        for performer in filter(part.has_performer, world.performers.values()):
            for kind, address in metabrainz.links(performer):
                urls.setdefault(address, []).append((kind, performer))
        for recording in filter(part.has, world.recordings.values()):
            for kind, address in metabrainz.recording_links(recording):
                urls.setdefault(address, []).append((kind, recording))
        for album in filter(part.has_album, world.albums.values()):
            for kind, address in _album_links(album):
                urls.setdefault(address, []).append((kind, album))
        return urls

    @cached_property
    def _barcodes(self) -> dict[str, list[int]]:
        shelf = self.part.shelf
        return group(range(len(shelf.albums)), lambda n: shelf.albums[n].barcode.lstrip("0"))

    @cached_property
    def _recordings(self) -> Searcher:
        shelf, world = self.part.shelf, self.world
        every = ("title", "artist", "album")

        def place(found: Iterable[Recording]) -> list[int]:
            return [shelf.place[recording.key] for recording in found]

        def of_artist(mbid: str) -> list[int]:
            performer = world.performer_by_mbid.get(mbid)
            return place(dict.fromkeys(track.recording for track in performer.tracks)) if performer else []

        def of_album(albums: dict[str, Album]) -> Callable[[str], list[int]]:
            return lambda mbid: place(t.recording for t in albums[mbid].tracks) if mbid in albums else []

        by_mbid = world.by_mbid
        exact = {
            "rid": lambda mbid: place([by_mbid[mbid]]) if mbid in by_mbid else [],
            "isrc": lambda isrc: place(self._isrcs.get(isrc.upper(), ())),
            "arid": of_artist,
            "reid": of_album(world.album_by_mbid),
            "rgid": of_album(world.album_by_group),
        }
        fields: dict[str, tuple[str, ...]] = {"": every, "release": ("album",)}
        fields |= dict.fromkeys(("recording", "recordingaccent", "alias"), ("title",))
        fields |= dict.fromkeys(("artist", "artistname", "creditname"), ("artist",))
        ranges = {
            "dur": lambda n: float(shelf.recordings[n].duration_ms),
            "qdur": lambda n: float(shelf.recordings[n].duration_ms // 2000),
        }
        return Searcher(shelf.recording_index, fields, exact, ranges)

    @cached_property
    def _releases(self) -> Searcher:
        shelf, world = self.part.shelf, self.world
        place = {album.key: number for number, album in enumerate(shelf.albums)}

        def one(albums: dict[str, Album]) -> Callable[[str], list[int]]:
            return lambda mbid: [place[albums[mbid].key]] if mbid in albums else []

        def of_artist(mbid: str) -> list[int]:
            performer = world.performer_by_mbid.get(mbid)
            return [place[album.key] for album in performer.albums] if performer else []

        exact = {
            "reid": one(world.album_by_mbid),
            "rgid": one(world.album_by_group),
            "arid": of_artist,
            "barcode": lambda code: self._barcodes.get(code.lstrip("0"), []),
        }
        fields: dict[str, tuple[str, ...]] = {"": ("album", "artist")}
        fields |= dict.fromkeys(("release", "releaseaccent", "releasegroup", "releasegroupaccent", "alias"), ("album",))
        fields |= dict.fromkeys(("artist", "artistname", "creditname"), ("artist",))
        return Searcher(shelf.album_index, fields, exact)

    @cached_property
    def _artists(self) -> Searcher:
        shelf = self.part.shelf
        place = {performer.mbid: number for number, performer in enumerate(shelf.performers)}
        exact = {"arid": lambda mbid: [place[mbid]] if mbid in place else []}
        fields = dict.fromkeys(("", "artist", "artistaccent", "name", "alias", "sortname"), ("artist",))
        return Searcher(shelf.performer_index, fields, exact)

    # -- searches

    def _search(self, kind: str, request: Request, as_json: bool) -> Reply:
        query = request.arg("query")
        if not query.strip():
            raise _Problem(400, "Must specify query.")
        if self._sheds(request):
            return self._busy(as_json)
        shelf, part = self.part.shelf, self.part
        searchers: dict[str, tuple[Searcher, Callable[[int], bool], Callable[[int], Json]]] = {
            "recording": (
                self._recordings,
                lambda n: part.has(shelf.recordings[n]),
                lambda n: self._found_recording(shelf.recordings[n]),
            ),
            "release": (
                self._releases,
                lambda n: part.has_album(shelf.albums[n]),
                lambda n: self._found_release(shelf.albums[n]),
            ),
            "release-group": (
                self._releases,
                lambda n: part.has_album(shelf.albums[n]),
                lambda n: self._found_group(shelf.albums[n]),
            ),
            "artist": (
                self._artists,
                lambda n: part.has_performer(shelf.performers[n]),
                lambda n: self._found_artist(shelf.performers[n]),
            ),
        }
        if kind not in searchers:
            raise _Problem(404, "Not Found")
        searcher, allowed, show = searchers[kind]
        scores = searcher.search(query)
        best = sorted(scores.items(), key=lambda hit: (-hit[1], hit[0]))
        top = best[0][1] if best else 1.0
        # A search for a common word finds tens of thousands; only as many are looked at as can be asked for.
        hits = [(n, score) for n, score in best[:2000] if allowed(n)]
        if hits:
            top = hits[0][1]
        limit, offset = request.number("limit", 25, 1, MOST), request.number("offset", 0, 0, 100_000)
        shown = [{"score": max(1, round(100 * s / top)), **show(n)} for n, s in hits[offset : offset + limit]]
        shown = [{"id": one.pop("id"), **one} for one in shown]
        if as_json:
            created = datetime.fromtimestamp(request.now, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            return _json({"created": created, "count": len(hits), "offset": offset, f"{kind}s": shown})
        return _xml(mmd.document(kind, shown, count=len(hits), offset=offset))

    def _sheds(self, request: Request) -> bool:
        """Whether the search servers are too busy for this one: it has nothing to do with the caller, and passes."""
        key = dice.number("shed", request.path, request.query)
        if self.unlimited or key / 2**64 >= SHED or key in self._shed:
            return False
        self._shed.add(key)
        return True

    def _busy(self, as_json: bool) -> Reply:
        zone = {"x-ratelimit-zone": "search-global", "x-ratelimit-who": "search-shed", "x-ratelimit-limit": "1200"}
        more = {"x-ratelimit-remaining": "676", "retry-after": "0", "server": "openresty"}
        reply = _error(503, BUSY, as_json, zone | more)
        reply.verdict = "fault"
        return reply

    # -- lookups

    def _lookup(self, kind: str, wanted: str, incs: frozenset[str]) -> Json:
        if kind == "isrc":
            return self._isrc(wanted, incs)
        if not _MBID.fullmatch(wanted.lower()):
            raise _Problem(400, "Invalid mbid.")
        wanted, world, part = wanted.lower(), self.world, self.part
        if kind == "recording" and (recording := world.by_mbid.get(wanted)) and part.has(recording):
            return self._recording(recording, incs)
        if kind == "artist" and (performer := world.performer_by_mbid.get(wanted)) and part.has_performer(performer):
            return self._artist(performer, incs)
        if kind == "release" and (album := world.album_by_mbid.get(wanted)) and part.has_album(album):
            return self._release(album, incs)
        if kind == "release-group" and (album := world.album_by_group.get(wanted)) and part.has_album(album):
            return self._group(album, incs)
        raise _Problem(404, "Not Found")

    def _isrc(self, wanted: str, incs: frozenset[str]) -> Json:
        if not re.fullmatch(r"[A-Z]{2}[A-Z0-9]{3}\d{7}", wanted):
            raise _Problem(400, "Invalid isrc.")
        found = self._isrcs.get(wanted)
        if not found:
            raise _Problem(404, "Not Found")
        # Observed: `releases` is allowed here and ignored.
        return {"isrc": wanted, "recordings": [self._recording(one, incs - {"releases"}) for one in found]}

    def _url(self, resources: list[str], incs: frozenset[str], as_json: bool) -> Reply:
        if not resources:
            raise _Problem(400, "Must specify a resource.")
        known = (one for one in dict.fromkeys(resources[:MOST]) if one in self._urls)
        shown = [self._show_url(one, incs) for one in known]
        if len(resources) == 1:
            if not shown:
                raise _Problem(404, "Not Found")
            return _show("url", shown[0], as_json)
        reply = (
            _json({"url-count": len(shown), "url-offset": 0, "urls": shown})
            if as_json
            else _xml(mmd.document("url", shown, count=len(shown), offset=0))
        )
        reply.items = min(len(resources), MOST)
        return reply

    def _show_url(self, address: str, incs: frozenset[str]) -> Json:
        relations = []
        for kind, end in self._urls[address]:
            entity, shown = self._end(end)
            if f"{entity}-rels" in incs:
                relation = {**_relation(kind, address), "direction": "backward", "target-type": entity, entity: shown}
                del relation["url"]
                relations.append(relation)
        known: Json = {"id": dice.mbid("url", address), "resource": address}
        return known | ({"relations": relations} if incs else {})

    def _end(self, end: Performer | Recording | Album) -> tuple[str, Json]:
        if isinstance(end, Performer):
            return "artist", {**_brief_artist(end), "country": metabrainz.country(end)[0] or None}
        if isinstance(end, Recording):
            return "recording", self._recording(end, frozenset())
        return "release", self._release_brief(end)

    def _browse(self, kind: str, request: Request, incs: frozenset[str], as_json: bool) -> Reply:
        limit, offset = request.number("limit", 25, 1, MOST), request.number("offset", 0, 0, 100_000)
        found = self._browsed(kind, request)
        shows: dict[str, Callable[[Any, frozenset[str]], Json]] = {
            "recording": self._recording,
            "release": self._release,
            "release-group": self._group,
        }
        shown = [shows[kind](one, incs) for one in found[offset : offset + limit]]
        if as_json:
            return _json({f"{kind}-count": len(found), f"{kind}-offset": offset, f"{kind}s": shown})
        return _xml(mmd.document(kind, shown, count=len(found), offset=offset))

    def _browsed(self, kind: str, request: Request) -> list[Any]:
        artist, release = request.arg("artist").lower(), request.arg("release").lower()
        if release and kind == "recording":
            album = self.world.album_by_mbid.get(release)
            if album is None:
                raise _Problem(404, "Not Found")
            return [track.recording for track in self.part.tracks(album.tracks)]
        if not artist or kind not in ("recording", "release", "release-group"):
            raise _Problem(400, "Invalid query parameters.")
        performer = self.world.performer_by_mbid.get(artist)
        if performer is None or not self.part.has_performer(performer):
            raise _Problem(404, "Not Found")
        if kind == "recording":
            return list(dict.fromkeys(track.recording for track in self.part.tracks(performer.tracks)))
        return [album for album in performer.albums if self.part.has_album(album)]

    # -- the shapes

    def _found_recording(self, recording: Recording) -> Json:
        shown: Json = {
            "id": recording.mbid,
            "title": metabrainz.title(recording),
            "length": metabrainz.length(recording),
            "disambiguation": metabrainz.disambiguation(recording),
            "video": None,
            "artist-credit": _credit(recording.credits),
            "first-release-date": recording.date,
            "releases": [self._release_of(track) for track in _by_album(recording)],
            "isrcs": metabrainz.isrcs(self.part, recording),
            "tags": [{"count": count, "name": name} for name, count in metabrainz.recording_tags(recording)],
        }
        return _without_empty(shown, "length", "disambiguation", "first-release-date", "isrcs", "tags")

    def _release_of(self, track: Track) -> Json:
        album = track.album
        number = str(track.position)
        told = {
            "id": _track_mbid(track),
            "number": number,
            "title": metabrainz.title(track.recording),
            "length": track.duration_ms,
        }
        medium = {
            "id": dice.mbid("medium", album.key, track.disc),
            "position": track.disc,
            "format": _format(album),
            "track": [told],
            "track-count": len(album.tracks),
            "track-offset": max(0, track.position - 1),
        }
        shown = {
            **self._release_head(album),
            "count": 1,
            "artist-credit": _credit([(album.artist, "")]),
            "release-group": _brief_group(album),
            "track-count": len(album.tracks),
            "media": [medium],
        }
        return _without_empty(shown, "date", "release-events", "country", "disambiguation")

    def _release_head(self, album: Album) -> Json:
        country = _release_country(album)
        event = {"date": album.date, "area": _area(country)} if country else {"date": album.date, "area": None}
        return {
            "id": album.mbid,
            "title": album.title,
            "status-id": "4e304316-386d-3409-af2e-78857eec5cfe",
            "status": "Official",
            "disambiguation": "",
            "date": album.date,
            "country": country,
            "release-events": [event] if album.date else [],
        }

    def _release_brief(self, album: Album) -> Json:
        return {
            **self._release_head(album),
            "quality": "normal",
            "packaging": None,
            "packaging-id": None,
            "text-representation": {"language": "eng", "script": "Latn"},
            "barcode": _barcode(album),
        }

    def _found_release(self, album: Album) -> Json:
        tracks = self.part.tracks(album.tracks)
        shown = {
            **self._release_head(album),
            "packaging": None,
            "text-representation": {"language": "eng", "script": "Latn"},
            "artist-credit": _credit([(album.artist, "")]),
            "release-group": _brief_group(album),
            "barcode": _barcode(album),
            "label-info": _labels(album),
            "track-count": len(tracks),
            "media": [{"format": _format(album), "disc-count": 0, "track-count": len(tracks)}],
        }
        return _without_empty(
            shown, "date", "release-events", "country", "disambiguation", "barcode", "label-info", "packaging"
        )

    def _found_group(self, album: Album) -> Json:
        releases = [{"id": album.mbid, "title": album.title, "status": "Official"}]
        tags = [{"count": count, "name": name} for name, count in metabrainz.group_tags(album)]
        shown = {
            **_brief_group(album),
            "first-release-date": album.date,
            "artist-credit": _credit([(album.artist, "")]),
            "releases": releases,
            "count": 1,
            "tags": tags,
        }
        return _without_empty(shown, "first-release-date", "tags")

    def _found_artist(self, performer: Performer) -> Json:
        shown = self._artist(performer, frozenset({"aliases", "tags"}))
        shown["tags"] = [{"count": count, "name": name} for name, count in metabrainz.artist_tags(performer)]
        for empty in ("ipis", "isnis", "end-area", "begin-area", "gender-id"):
            shown.pop(empty, None)
        return _without_empty(shown, "country", "area", "gender", "disambiguation", "aliases", "tags")

    def _artist(self, performer: Performer, incs: frozenset[str]) -> Json:
        code, area = metabrainz.country(performer)
        gender = dice.choose(("Male", "Female"), "gender", performer.key) if performer.type == "Person" else None
        shown: Json = {
            **_brief_artist(performer),
            "gender": gender,
            "gender-id": dice.mbid("gender", gender) if gender else None,
            "country": code or None,
            "area": _area(code, area) if area else None,
            "begin-area": None,
            "end-area": None,
            "life-span": {"begin": performer.begin or None, "end": performer.end or None, "ended": bool(performer.end)},
            "ipis": [],
            "isnis": [],
        }
        if "aliases" in incs:
            shown["aliases"] = [_alias(alias) for alias in performer.aliases]
        shown |= _tagged(incs, metabrainz.artist_tags(performer))
        if "url-rels" in incs:
            shown["relations"] = [_relation(kind, address) for kind, address in metabrainz.links(performer)]
        albums = [album for album in performer.albums if self.part.has_album(album)][:LINKED]
        if "release-groups" in incs:
            shown["release-groups"] = [self._group(album, frozenset()) for album in albums]
        if "releases" in incs:
            shown["releases"] = [self._release(album, frozenset()) for album in albums]
        if "recordings" in incs:
            tracks = self.part.tracks(performer.tracks)[:LINKED]
            shown["recordings"] = [self._recording(track.recording, frozenset()) for track in tracks]
        return shown

    def _recording(self, recording: Recording, incs: frozenset[str]) -> Json:
        shown: Json = {
            "id": recording.mbid,
            "title": metabrainz.title(recording),
            "length": metabrainz.length(recording),
            "disambiguation": metabrainz.disambiguation(recording),
            "video": False,
            "first-release-date": recording.date,
        }
        if incs & {"artists", "artist-credits"}:
            shown["artist-credit"] = _credit(recording.credits, incs)
        if "isrcs" in incs:
            shown["isrcs"] = metabrainz.isrcs(self.part, recording)
        if "releases" in incs:
            releases = [
                self._release(t.album, incs & {"release-groups", "artist-credits", "genres", "tags"})
                for t in _by_album(recording)
            ]
            shown["releases"] = releases[:LINKED]
        if "aliases" in incs:
            shown["aliases"] = []
        if "url-rels" in incs:
            shown["relations"] = [_relation(*link) for link in metabrainz.recording_links(recording)]
        return shown | _tagged(incs, metabrainz.recording_tags(recording))

    def _release(self, album: Album, incs: frozenset[str]) -> Json:
        cover = has_cover(album)
        shown: Json = {
            **self._release_brief(album),
            "asin": None,
            "cover-art-archive": {
                "artwork": cover,
                "count": int(cover),
                "front": cover,
                "back": False,
                "darkened": False,
            },
        }
        if incs & {"artists", "artist-credits"}:
            shown["artist-credit"] = _credit([(album.artist, "")], incs)
        if "labels" in incs:
            shown["label-info"] = _labels(album)
        if "release-groups" in incs:
            shown["release-group"] = self._group(album, incs & {"aliases", "genres", "tags"})
        if incs & {"media", "recordings", "discids"}:
            shown["media"] = self._media(album, incs)
        if "aliases" in incs:
            shown["aliases"] = []
        if "url-rels" in incs:
            shown["relations"] = [_relation(*link) for link in _album_links(album)]
        return shown | _tagged(incs, metabrainz.group_tags(album))

    def _media(self, album: Album, incs: frozenset[str]) -> list[Json]:
        media = []
        for disc, tracks in sorted(group(self.part.tracks(album.tracks), lambda track: track.disc).items()):
            medium: Json = {
                "position": disc,
                "title": "",
                "format": _format(album),
                "format-id": dice.mbid("format", _format(album)),
                "track-count": len(tracks),
                "track-offset": 0,
            }
            if "recordings" in incs:
                ordered = sorted(tracks, key=lambda track: track.position)
                medium["tracks"] = [self._medium_track(track, incs) for track in ordered]
            media.append(medium)
        return media

    def _medium_track(self, track: Track, incs: frozenset[str]) -> Json:
        within = incs & {
            "artists",
            "artist-credits",
            "aliases",
            "isrcs",
            "genres",
            "tags",
            "url-rels" if "recording-level-rels" in incs else "",
        }
        shown: Json = {
            "id": _track_mbid(track),
            "position": track.position,
            "number": str(track.position),
            "title": metabrainz.title(track.recording),
            "length": track.duration_ms,
            "recording": self._recording(track.recording, within),
        }
        if "artist-credits" in incs:
            shown["artist-credit"] = _credit(track.recording.credits, incs)
        return shown

    def _group(self, album: Album, incs: frozenset[str]) -> Json:
        shown: Json = {**_brief_group(album), "disambiguation": "", "first-release-date": album.date}
        if incs & {"artists", "artist-credits"}:
            shown["artist-credit"] = _credit([(album.artist, "")], incs)
        if "releases" in incs:
            shown["releases"] = [self._release(album, incs & {"media"})]
        if "aliases" in incs:
            shown["aliases"] = []
        if "url-rels" in incs:
            shown["relations"] = []
        return shown | _tagged(incs, metabrainz.group_tags(album))


def _wants_json(request: Request) -> bool:
    return request.arg("fmt") == "json" or "application/json" in request.headers.get("accept", "")


def _json(content: Json) -> Reply:
    return json_reply(content)


def _xml(body: bytes, status: int = 200) -> Reply:
    return Reply(status, body, {"content-type": "application/xml; charset=utf-8"})


def _show(kind: str, content: Json, as_json: bool) -> Reply:
    if as_json:
        return _json(content)
    if kind == "isrc":
        content = {"id": content["isrc"], "recordings": content["recordings"]}
    return _xml(mmd.document(kind, content))


def _error(status: int, message: str, as_json: bool, headers: dict[str, str] | None = None) -> Reply:
    reply = _json({"error": message, "help": mmd.HELP}) if as_json else _xml(mmd.error(message))
    reply.status = status
    reply.headers |= headers or {}
    return reply


def _without_empty(shown: Json, *keys: str) -> Json:
    return {key: value for key, value in shown.items() if key not in keys or value not in (None, "", [])}


def _by_album(recording: Recording) -> list[Track]:
    """One track for each album that the recording is on."""
    return list({track.album.key: track for track in reversed(recording.tracks)}.values())[::-1]


def _track_mbid(track: Track) -> str:
    return dice.mbid("track", track.spotify_id)


def _format(album: Album) -> str:
    return "CD" if album.date < "2012" else "Digital Media"


def _release_country(album: Album) -> str | None:
    if dice.share("worldwide", album.key) < 0.5:
        return "XW"
    return album.artist.country if album.artist.country in places.NAMES else None


def _area(code: str, name: str = "") -> Json:
    name = name or ("[Worldwide]" if code == "XW" else places.NAMES[code])
    area: Json = {"id": dice.mbid("area", name), "name": name, "sort-name": name, "disambiguation": ""}
    return area | ({"iso-3166-1-codes": [code]} if code else {})


def _album_links(album: Album) -> list[tuple[str, str]]:
    """The release's links: type and address, as often as MusicBrainz may have them (estimates)."""
    links = (
        ("free streaming", f"https://open.spotify.com/album/{album.spotify_id}", 0.4),
        ("free streaming", f"https://www.deezer.com/album/{album.deezer_id}", 0.3),
    )
    return [(kind, address) for kind, address, chance in links if dice.share("album link", kind, address) < chance]


def _barcode(album: Album) -> str | None:
    return album.barcode if shares.knows("musicbrainz", "barcode", album.key) else None


def _labels(album: Album) -> list[Json]:
    if not shares.knows("musicbrainz", "label", album.key):
        return []
    label = {"id": dice.mbid("label", album.label), "name": album.label, "sort-name": album.label, "disambiguation": ""}
    return [
        {"catalog-number": f"{album.label[:3].upper()}{dice.number('catno', album.key) % 1000:03d}", "label": label}
    ]


def _alias(name: str) -> Json:
    return {
        "name": name,
        "sort-name": name,
        "locale": None,
        "type": "Artist name",
        "primary": None,
        "begin": None,
        "end": None,
    }


def _brief_artist(performer: Performer) -> Json:
    return {
        "id": performer.mbid,
        "name": performer.name,
        "sort-name": performer.sort_name,
        "disambiguation": performer.disambiguation,
        "type": performer.type,
        "type-id": dice.mbid("artist type", performer.type),
    }


def _brief_group(album: Album) -> Json:
    primary = "Single" if album.kind == "single" else "Album"
    secondary = ["Compilation"] if album.kind == "compilation" else []
    return {
        "id": album.group_mbid,
        "title": album.title,
        "primary-type": primary,
        "primary-type-id": dice.mbid("group type", primary),
        "secondary-types": secondary,
        "secondary-type-ids": [dice.mbid("group type", one) for one in secondary],
    }


def _credit(credited: Iterable[tuple[Performer, str]], incs: frozenset[str] = frozenset()) -> list[Json]:
    shown = []
    for performer, join in credited:
        artist = _brief_artist(performer)
        if incs & {"genres", "tags"}:
            artist |= _tagged(incs, metabrainz.artist_tags(performer))
        if "aliases" in incs:
            artist["aliases"] = [_alias(alias) for alias in performer.aliases]
        shown.append({"name": performer.name, "joinphrase": join, "artist": artist})
    return shown


def _tagged(incs: frozenset[str], tags: list[tuple[str, int]]) -> Json:
    shown: Json = {}
    if "tags" in incs:
        shown["tags"] = [{"name": name, "count": count} for name, count in tags]
    if "genres" in incs:
        shown["genres"] = [
            {"id": metabrainz.genre_mbid(name), "name": name, "disambiguation": "", "count": count}
            for name, count in tags
        ]
    return shown


def _relation(kind: str, address: str) -> Json:
    return {
        "type": kind,
        "type-id": dice.mbid("relation", kind),
        "target-type": "url",
        "direction": "forward",
        "begin": None,
        "end": None,
        "ended": False,
        "attributes": [],
        "attribute-values": {},
        "attribute-ids": {},
        "source-credit": "",
        "target-credit": "",
        "url": {"id": dice.mbid("url", address), "resource": address},
    }
