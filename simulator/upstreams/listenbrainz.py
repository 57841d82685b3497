"""ListenBrainz: lookups by name and metadata in batches, with its rate limit's headers on every reply."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, ClassVar

from simulator import dice, names
from simulator.limits import Limit
from simulator.truth import Album, Performer, Recording
from simulator.upstreams import labs, metabrainz
from simulator.upstreams.base import Upstream
from simulator.upstreams.coverartarchive import has_cover
from simulator.wire import Reply, Request, json_reply

MOST_LOOKUPS = 50
MOST_ITEMS = 1000
LONGEST_QUERY = 250
_INCS = ("artist", "tag", "release", "recording", "release_group")
_MBID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

Json = dict[str, Any]


class _BadRequest(Exception):  # noqa: N818 - named as the status it becomes
    pass


def _error(status: int, message: str) -> Reply:
    return json_reply({"code": status, "error": message}, status, content_type="application/json")


class ListenBrainz(Upstream):
    """Lookup, metadata and popularity; the labs are under the same address."""

    source = "listenbrainz"
    roots: ClassVar[tuple[str, ...]] = ("/1/",)
    seconds: ClassVar[float] = 0.15

    def prepare(self) -> tuple[object, ...]:
        """The indexes by exact names and by MBID."""
        return self._exact, self._named, self.world.by_mbid, self.world.performer_by_mbid, self.world.album_by_group

    def answer(self, request: Request) -> Reply:
        """As the real one answers this path."""
        routes: dict[tuple[str, str], Callable[[Request], Reply]] = {
            ("POST", "metadata/lookup"): self._lookups,
            ("GET", "metadata/lookup"): self._lookup,
            ("POST", "metadata/recording"): self._recordings_posted,
            ("GET", "metadata/recording"): self._recordings,
            ("GET", "metadata/artist"): self._artists,
            ("GET", "metadata/release_group"): self._groups,
            ("POST", "popularity/recording"): self._popularity("recording"),
            ("POST", "popularity/artist"): self._popularity("artist"),
            ("POST", "popularity/release"): self._popularity("release"),
            ("POST", "popularity/release-group"): self._popularity("release_group"),
        }
        if request.path.rstrip("/").endswith("/json"):
            return labs.answer(self.part, labs.Exact(self._exact, self._named), request)
        route = routes.get((request.method, request.path.removeprefix("/1/").strip("/")))
        if route is None:
            return _error(404, "The requested URL was not found on the server.")
        try:
            return route(request)
        except _BadRequest as bad:
            return _error(400, str(bad))

    def refuse(self, _wait: int, _request: Request) -> Reply:
        """429; how long to wait stands in the headers that every reply has."""
        return _error(
            429,
            "You have exceeded your rate limit. See the X-RateLimit-* response headers for more information on your "
            "current rate limit.",
        )

    def stamps(self, reply: Reply, limit: Limit | None, now: float) -> dict[str, str]:
        """X-RateLimit-*, with the seconds that are left of the window."""
        return metabrainz.window_headers(reply, limit, now) | {"access-control-allow-origin": "*"}

    # -- by name

    @cached_property
    def _exact(self) -> dict[str, Recording]:
        exact: dict[str, Recording] = {}
        for recording in self.world.recordings.values():
            if self.part.has(recording):
                exact.setdefault(names.squash(recording.credit + metabrainz.title(recording)), recording)
        return exact

    @cached_property
    def _named(self) -> dict[str, Recording]:
        """Everything by its names, whether or not MusicBrainz has it: the index of Spotify is made of Spotify's."""
        named: dict[str, Recording] = {}
        for recording in self.world.recordings.values():
            named.setdefault(names.squash(recording.credit + recording.title), recording)
        return named

    def _match(self, artist: str, title: str, release: str) -> tuple[Recording, Album] | None:
        recording = self._exact.get(names.squash(artist + title))
        if recording is None:
            return None
        wanted = names.squash(release)
        albums = [track.album for track in recording.tracks]
        return recording, next((album for album in albums if names.squash(album.title) == wanted), albums[0])

    def _fuzzy(self, artist: str, title: str) -> tuple[Recording, Album] | None:
        read = names.read_title(title)
        words = names.tokens(names.read_artist(artist)[0]) + names.tokens(read.clean)
        for recording in self.part.find_recordings(words, ("title", "artist"), 5, 0.85):
            have = names.tokens(recording.title)
            if len(set(have) & set(words)) >= 0.6 * len(set(have)):
                return recording, recording.tracks[0].album
        return None

    def _authorize(self, request: Request) -> Reply | None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if not kind:
            return _error(401, "You need to provide an Authorization header.")
        if kind.lower() != "token" or not token.strip():
            return _error(401, "Provided Authorization header is invalid.")
        return _error(401, "Invalid authorization token.") if token.startswith("invalid") else None

    def _lookups(self, request: Request) -> Reply:
        if refused := self._authorize(request):
            return refused
        asked = (request.json() or {}).get("recordings") or []
        if not asked:
            raise _BadRequest("recordings is invalid or not present in body")
        if len(asked) > MOST_LOOKUPS:
            raise _BadRequest(f"Number of recordings in request body exceeds maximum permitted. ({MOST_LOOKUPS})")
        results: list[Json] = []
        last: dict[str, int] = {}
        for index, one in enumerate(asked):
            artist, title, release = one.get("artist_name"), one.get("recording_name"), one.get("release_name")
            _check_query(f"Recording {index} ", artist, title, release)
            last[names.squash(artist + title)] = index
            results.append(
                {"artist_name_arg": artist, "recording_name_arg": title, "release_name_arg": release, "index": index}
            )
        # Of names that are the same once normalised only the last is answered.
        for index in last.values():
            args = results[index]
            found = self._match(args["artist_name_arg"], args["recording_name_arg"], args["release_name_arg"] or "")
            if found:
                args |= _show_match(*found)
        return json_reply(results, content_type="application/json", items=len(asked))

    def _lookup(self, request: Request) -> Reply:
        if refused := self._authorize(request):
            return refused
        artist, title, release = (request.arg(name) for name in ("artist_name", "recording_name", "release_name"))
        _check_query("", artist, title, release)
        incs = _incs(request.arg("inc")) if request.arg("metadata").lower() in ("true", "1") else []
        found = self._match(artist, title, release) or self._fuzzy(artist, title)
        if found is None:
            return json_reply({}, content_type="application/json")
        shown = _show_match(*found)
        if request.arg("metadata").lower() in ("true", "1"):
            shown["metadata"] = self._show_recording(found[0], incs)
        return json_reply(shown, content_type="application/json")

    # -- by MBID

    def _recordings(self, request: Request) -> Reply:
        mbids = _mbids(request, "recording_mbids", "Recording")
        return self._show_recordings(mbids, _incs(request.arg("inc")))

    def _recordings_posted(self, request: Request) -> Reply:
        asked = request.json() or {}
        mbids = asked.get("recording_mbids")
        if mbids is None:
            raise _BadRequest("recording_mbids JSON element must be present and contain a list of recording_mbids")
        if bad := next((one for one in mbids if not _MBID.fullmatch(str(one))), None):
            raise _BadRequest(f"recording_mbid {bad} is not valid.")
        if not mbids:
            raise _BadRequest("At least one valid recording_mbid must be present.")
        if len(mbids) > MOST_ITEMS:
            raise _BadRequest(f"Maximum number of recordings_mbids that can be fetched at once is {MOST_ITEMS}")
        return self._show_recordings(mbids, _incs(asked.get("inc") or ""))

    def _show_recordings(self, mbids: list[str], incs: list[str]) -> Reply:
        found = (self.world.by_mbid.get(one.lower()) for one in mbids)
        shown = {one.mbid: self._show_recording(one, incs) for one in found if one and self.part.has(one)}
        return json_reply(shown, content_type="application/json", items=len(mbids))

    def _artists(self, request: Request) -> Reply:
        mbids, incs = _mbids(request, "artist_mbids", "artist"), _incs(request.arg("inc"))
        shown = []
        for performer in filter(None, (self.world.performer_by_mbid.get(one.lower()) for one in mbids)):
            if self.part.has_performer(performer):
                item: Json = {**_show_artist(performer), "mbid": performer.mbid}
                if "tag" in incs:
                    item["tag"] = {"artist": _artist_tags([performer])}
                if "release_group" in incs:
                    item["release_group"] = [_show_group_of(a) for a in performer.albums if self.part.has_album(a)]
                shown.append(item)
        return json_reply(shown, content_type="application/json", items=len(mbids))

    def _groups(self, request: Request) -> Reply:
        mbids, incs = _mbids(request, "release_group_mbids", "Release group"), _incs(request.arg("inc"))
        shown: Json = {}
        for album in filter(None, (self.world.album_by_group.get(one.lower()) for one in mbids)):
            if not self.part.has_album(album):
                continue
            told = {**_cover(album), "date": album.date, "name": album.title, "rels": [], "type": _type(album)}
            parts: Json = {
                "artist": _show_credit([(album.artist, "")], album.artist.name),
                "tag": {
                    "artist": _artist_tags([album.artist]),
                    "release_group": _tags(metabrainz.group_tags(album)),
                },
                "release": told,
                "recording": {},
            }
            wanted = {inc: part for inc, part in parts.items() if inc in incs}
            shown[album.group_mbid] = {"release_group": told, **wanted}
        return json_reply(shown, content_type="application/json", items=len(mbids))

    def _show_recording(self, recording: Recording, incs: list[str]) -> Json:
        told: Json = {"name": metabrainz.title(recording), "rels": []}
        if (length := metabrainz.length(recording)) is not None:
            told["length"] = length
        if recording.date:
            told["first_release_date"] = recording.date
        if isrcs := metabrainz.isrcs(self.part, recording):
            told["isrcs"] = isrcs
        if links := metabrainz.recording_links(recording):
            told["url_rels"] = [{"type": kind, "url": address} for kind, address in links]
        album = recording.tracks[0].album
        shown: Json = {"recording": told}
        if "artist" in incs:
            shown["artist"] = _show_credit(recording.credits, recording.credit)
        if "tag" in incs:
            shown["tag"] = {
                "recording": _tags(metabrainz.recording_tags(recording)),
                "artist": _artist_tags(recording.artists),
                "release_group": _tags(metabrainz.group_tags(album)),
            }
        if "release" in incs:
            year = {"year": int(album.date[:4])} if album.date[:4].isdigit() else {}
            shown["release"] = {
                "album_artist_name": album.artist.name,
                **_cover(album),
                "mbid": album.mbid,
                "name": album.title,
                "release_group_mbid": album.group_mbid,
                **year,
            }
        return shown

    # -- popularity

    def _popularity(self, kind: str) -> Callable[[Request], Reply]:
        def answer(request: Request) -> Reply:
            name = f"{kind}_mbids"
            mbids = (request.json() or {}).get(name)
            if not isinstance(mbids, list) or not mbids:
                raise _BadRequest(f"'{name}' JSON element must be present and contain a list of {name}")
            if bad := next((one for one in mbids if not _MBID.fullmatch(str(one))), None):
                raise _BadRequest(f"{kind}_mbid {bad} is not valid.")
            if len(mbids) > MOST_ITEMS:
                raise _BadRequest(f"Maximum number of {name} that can be fetched at once is {MOST_ITEMS}")
            rows = [{f"{kind}_mbid": one, **self._listeners(kind, one.lower())} for one in mbids]
            return json_reply(rows, content_type="application/json", items=len(mbids))

        return answer

    def _listeners(self, kind: str, mbid: str) -> Json:
        popularity: int | None = None
        if kind == "artist" and (performer := self.world.performer_by_mbid.get(mbid)):
            popularity = performer.popularity
        elif kind == "recording" and (recording := self.world.by_mbid.get(mbid)) and self.part.has(recording):
            popularity = max(track.popularity for track in recording.tracks)
        elif kind.startswith("release"):
            albums = self.world.album_by_mbid if kind == "release" else self.world.album_by_group
            album = albums.get(mbid)
            popularity = max(track.popularity for track in album.tracks) if album else None
        if popularity is None:
            return {"total_listen_count": None, "total_user_count": None}
        # Its documentation's example, a widely heard recording, has 129,454 listeners: what 80 of 100 come to here.
        users = int(10 ** (1.3 + popularity / 22) * (1 + dice.share("listeners", mbid)))
        return {"total_listen_count": users * (3 + dice.number("plays", mbid) % 9), "total_user_count": users}


def _check_query(prefix: str, artist: Any, title: Any, release: Any) -> None:
    for name, value in (("artist_name", artist), ("recording_name", title)):
        if not value:
            where = "present" if prefix else "present in arguments"
            raise _BadRequest(f"{prefix}{name} is invalid or not {where}")
    if len(artist) + len(title) + len(release or "") > LONGEST_QUERY:
        raise _BadRequest(
            f"{prefix}total number of characters in artist_name, recording_name and release_name arguments must be "
            f"less than {LONGEST_QUERY}"
        )


def _incs(text: str) -> list[str]:
    incs = text.split()
    for inc in incs:
        if inc not in _INCS:
            raise _BadRequest(f"invalid inc argument '{inc}'. Must be one of {', '.join(_INCS)}.")
    return incs


def _mbids(request: Request, name: str, what: str) -> list[str]:
    if name not in request.args:
        raise _BadRequest(f"{name} argument must be present and contain a comma separated list of {name}")
    mbids = [one.strip() for one in request.arg(name).split(",")]
    for one in mbids:
        if not _MBID.fullmatch(one):
            raise _BadRequest(f"{what} mbid {one} is not valid.")
    return mbids


def _show_match(recording: Recording, album: Album) -> Json:
    return {
        "artist_credit_name": recording.credit,
        "artist_mbids": [artist.mbid for artist in recording.artists],
        "recording_mbid": recording.mbid,
        "recording_name": metabrainz.title(recording),
        "release_mbid": album.mbid,
        "release_name": album.title,
    }


def _show_artist(performer: Performer, join: str = "") -> Json:
    shown: Json = {"artist_mbid": performer.mbid, "name": performer.name, "type": performer.type}
    if area := metabrainz.country(performer)[1]:
        shown["area"] = area
    if performer.begin[:4].isdigit():
        shown["begin_year"] = int(performer.begin[:4])
    if performer.end[:4].isdigit():
        shown["end_year"] = int(performer.end[:4])
    # A dict by type: of several links of one type the last survives.
    if rels := dict(metabrainz.links(performer)):
        shown["rels"] = rels
    if performer.type == "Person":
        shown["gender"] = dice.choose(("Male", "Female"), "gender", performer.key)
    return shown | ({"join_phrase": join} if join else {})


def _show_credit(credited: Iterable[tuple[Performer, str]], name: str) -> Json:
    artists = [{**_show_artist(artist), "join_phrase": join} for artist, join in credited]
    return {"artist_credit_id": 1 + dice.number("credit", name) % 3_000_000, "artists": artists, "name": name}


def _tags(tags: Iterable[tuple[str, int]]) -> list[Json]:
    return [{"count": count, "genre_mbid": metabrainz.genre_mbid(tag), "tag": tag} for tag, count in tags]


def _artist_tags(performers: Iterable[Performer]) -> list[Json]:
    return [
        {"artist_mbid": performer.mbid, **tag}
        for performer in performers
        for tag in _tags(metabrainz.artist_tags(performer))
    ]


def _cover(album: Album) -> Json:
    return {"caa_id": album.cover_id, "caa_release_mbid": album.mbid} if has_cover(album) else {}


def _type(album: Album) -> str:
    return "Single" if album.kind == "single" else "Album"


def _show_group_of(album: Album) -> Json:
    return {"mbid": album.group_mbid, "name": album.title, "date": album.date, "type": _type(album), **_cover(album)}
