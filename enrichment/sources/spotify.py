"""Spotify's Web API (api.spotify.com/v1/), asked with spotipy. Nothing may depend on it.

Option `mode`: an app in `development` mode has had no batches, popularity, followers or labels since February 2026, and
a quota of some 800 calls in any 24 h, answered with a wait of half a day; one with `extended` quota has them all; a
`grandfathered` one has had extended quota since before 27 November 2024, and with it the audio features that all
others are refused (developer.spotify.com/blog/2024-11-27-changes-to-the-web-api). Where the operator does not say
which, a probe finds out; until then it is taken for the least. Limit: a rolling window of 30 s whose size is not
published. Facts: reference, upstreams 1.4, 3.2 and 3.6.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Any

import spotipy
from spotipy.cache_handler import MemoryCacheHandler
from spotipy.oauth2 import SpotifyClientCredentials, SpotifyOAuth

from enrichment.domain.matching import Performer, Side
from enrichment.domain.outcomes import Answer, Judgement, Verdict
from enrichment.domain.questions import Budget, Chances, Freshness, Keys, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.domain.text import search_text
from enrichment.sources.base import Ask, Line, NoAnswer, Reply, Site, Source, judge_http
from enrichment.sources.reading import (
    Json,
    Told,
    audio_features,
    compact,
    date,
    fields_of,
    genres,
    isrc,
    key_of,
    many,
    milliseconds,
    one,
    pick,
    pick_performer,
    tempo,
    text,
    texts,
    whole,
)

HITS = 10
"""The most that a search gives in development mode."""

_SURE = {
    "": 0.85,
    "spotify_id": 0.95,
    "cover_art_url": 0.6,  # to be shown with logo and link only, for a while
    "followers": 0.9,
    "image_url": 0.6,
    "popularity": 0.9,
    "release_date": 0.6,  # of this edition
    "bpm": 0.8,
    "key": 0.75,
    "camelot": 0.75,
}
_DEAR = 5.0
"""What a call costs us in development mode, in calls: 800 a day are soon gone."""
_QUOTA_SECONDS = 900.0
"""A wait beyond it is no matter of the short window, whatever reason the reply names or leaves out."""
MODES = ("development", "extended", "grandfathered")
_PROBE, _PROBE_TRACK = "0TnOYISbd1XYRBk9myaseg", "11dFghVXANMlKmJXsNCbNl"
"""An artist and a track from Spotify's own documentation, each asked for as the only one of several."""
_APP = ("SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET")
_ID = re.compile(r"[0-9A-Za-z]{22}")

_TRACK = fields_of(
    Kind.TRACK,
    *("spotify_id", "title", "artist_name", "artists", "album_title", "isrc", "duration_ms", "explicit", "popularity"),
    *("release_date", "external_urls", "performer.spotify_id", "performer.name", "performer.external_urls"),
    *("album.spotify_id", "album.title", "album.artist_name", "album.release_date", "album.images"),
    *("album.cover_art_url", "album.external_urls", "artwork_url"),
)
_FEATURES = fields_of(Kind.TRACK, "bpm", "key", "camelot", "audio_features")
_ARTIST = fields_of(
    Kind.PERFORMER,
    *("spotify_id", "name", "genres", "images", "image_url", "popularity", "followers", "external_urls"),
)
_ALBUM_HIT = fields_of(
    Kind.ALBUM,
    *("spotify_id", "title", "artist_name", "release_date", "images", "cover_art_url", "external_urls"),
    *("performer.spotify_id", "performer.name", "performer.external_urls"),
)
_ALBUM = _ALBUM_HIT | fields_of(Kind.ALBUM, "barcode", "label", "genres", "popularity", "tracklist")
_REMOVED = frozenset({"popularity", "followers", "label"})
"""Fields that development mode lost."""

_QUESTIONS = (
    Question(name="track", kind=Kind.TRACK, needs=("spotify_id",), uses=("artist_name", "album_title"), gives=_TRACK),
    Question(name="features", kind=Kind.TRACK, needs=("spotify_id",), gives=_FEATURES),
    Question(
        name="search_isrc",
        kind=Kind.TRACK,
        needs=("isrc",),
        identifies="spotify_id",
        uses=("artist_name", "title", "album_title", "duration_ms"),
        gives=_TRACK,
    ),
    Question(
        name="search",
        kind=Kind.TRACK,
        needs=("artist_name", "title"),
        identifies="spotify_id",
        uses=("album_title", "duration_ms", "isrc"),
        gives=_TRACK,
    ),
    Question(name="artist", kind=Kind.PERFORMER, needs=("spotify_id",), gives=_ARTIST),
    Question(
        name="artist_search",
        kind=Kind.PERFORMER,
        needs=("name",),
        uses=("titles", "companions"),
        identifies="spotify_id",
        gives=_ARTIST,
    ),
    Question(name="album", kind=Kind.ALBUM, needs=("spotify_id",), uses=("artist_name",), gives=_ALBUM),
    Question(
        name="search_upc",
        kind=Kind.ALBUM,
        needs=("barcode",),
        uses=("artist_name", "title"),
        identifies="spotify_id",
        gives=_ALBUM_HIT,
    ),
    Question(
        name="album_search", kind=Kind.ALBUM, needs=("artist_name", "title"), identifies="spotify_id", gives=_ALBUM_HIT
    ),
)
_BATCHES = {"track": 50, "features": 100, "artist": 50, "album": 20}


def _in_mode(question: Question, mode: str) -> Question:
    """The question as an app in this mode may ask it."""
    if mode == "development":
        return replace(question, gives=question.gives - _REMOVED, calls=_DEAR, requires=_APP)
    return replace(question, batch=_BATCHES.get(question.name, 1), requires=_APP)


# --- the library on the wire ---------------------------------------------------------------------------------------


class _Access:
    """spotipy's access tokens: the app's own, or with SPOTIFY_REFRESH_TOKEN those of a user who has authorised it.

    Asks for one when many threads need one, and never writes it to a file.
    """

    def __init__(self, line: Line) -> None:
        session = line.requests_session()
        session.headers["cache-control"] = "no-store"
        client, secret = (line.secrets.get(name, "") for name in _APP)
        self._first = self._authorised(line.secrets)
        self._kept = MemoryCacheHandler(self._first)
        if self._first is None:
            self._manager: Any = SpotifyClientCredentials(
                client, secret, requests_session=session, cache_handler=self._kept
            )
        else:
            back_to = line.secrets.get("SPOTIFY_REDIRECT_URI", "")
            self._manager = SpotifyOAuth(
                client, secret, back_to, requests_session=session, cache_handler=self._kept, open_browser=False
            )
        self._manager.OAUTH_TOKEN_URL = f"{line.site('accounts')}/api/token"
        self._asking = Lock()

    @staticmethod
    def _authorised(secrets: Mapping[str, str]) -> Json | None:
        """What is known before the first access token: that the last one is no more, and how to get another."""
        refresh = secrets.get("SPOTIFY_REFRESH_TOKEN")
        return {"refresh_token": refresh, "expires_at": 0, "scope": None} if refresh else None

    def get_access_token(self, as_dict: bool = False) -> Any:
        """As spotipy asks for it."""
        with self._asking:
            return self._manager.get_access_token(as_dict=as_dict)

    def forget(self) -> None:
        """The access token is good for nothing any more."""
        self._kept.save_token_to_cache(self._first)


class Client:
    """spotipy on a line. Thread-safe."""

    def __init__(self, line: Line) -> None:
        # It writes tokens to its debug log and calls a 404 an error.
        logging.getLogger("spotipy").setLevel(logging.CRITICAL)
        self._access = _Access(line)
        self._spotify = spotipy.Spotify(auth_manager=self._access, requests_session=line.requests_session())
        self._spotify.prefix = f"{line.base_url}/v1/"

    def call(self, method: str, *args: Any, **options: Any) -> Json | None:
        """What a method of the library brings; None where Spotify has nothing there.

        Raises ValueError for what is not JSON, of which spotipy makes None or an AttributeError.
        """
        try:
            reply = getattr(self._spotify, method)(*args, **options)
        except spotipy.SpotifyException as error:
            if error.http_status in (404, 410):
                return None
            raise
        except AttributeError as error:
            raise ValueError(f"an error in an unknown shape: {error}") from error
        except NoAnswer as no:
            if no.reply is not None and no.reply.status == 401:
                self._access.forget()
            raise
        if not isinstance(reply, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004 - nobody passed a wrong type
        return reply

    def hits(self, words: str, kind: str) -> list[Json]:
        """The hits of a search. Raises KeyError where the reply holds no list of them."""
        return _items(self.found(words, kind), kind)

    def found(self, words: str, kinds: str) -> Json:
        """A search's reply. kinds: with commas."""
        return self.call("search", words, limit=HITS, type=kinds) or {}

    def features(self, ids: Sequence[str]) -> Json | None:
        """The audio features of these tracks. The library's own method does the same, with a warning for each call."""
        return self.call("_get", "audio-features", ids=",".join(ids))

    def mode(self) -> str:
        """What this app may ask for: each mode is refused, with 403, what the next one may."""
        if not _permitted("artists", lambda: self.call("artists", [_PROBE])):
            return "development"
        return "grandfathered" if _permitted("audio_features", lambda: self.features([_PROBE_TRACK])) else "extended"


def _permitted(name: str, call: Callable[[], Json | None]) -> bool:
    try:
        reply = call()
    except NoAnswer as no:
        if no.reply is not None and no.reply.status == 403:
            return False
        raise
    return reply is not None and isinstance(reply[name], list)


class Spotify(Source[Client]):
    """Tracks, artists and albums by id and by name."""

    name = "spotify"
    url = "https://api.spotify.com"
    budget = Budget((Limit(1, 1, burst=2),), concurrency=4, per_day=800)
    secrets = (*_APP, "SPOTIFY_REDIRECT_URI", "SPOTIFY_REFRESH_TOKEN")
    sites = (Site("accounts", "https://accounts.spotify.com"),)
    probes = ("mode",)
    terms = Terms(
        attribution="Data from Spotify, with its logo and a link to the content",
        url="https://open.spotify.com",
        licence="Spotify Developer Terms: no permanent store, no analysis, no training",
        commercial=False,
        keep_seconds=14 * 24 * 3600.0,  # "not indefinitely": the terms name no period, two weeks are ours
    ).but_for("spotify_id", "external_urls", keep_seconds=None)  # what one refreshes and links by
    chances = Chances(
        reach=0.96,
        by_question={"track": 0.99, "features": 0.97, "artist": 0.99, "album": 0.99, "search_upc": 0.7},
        yields={"genres": 0.6},
    )
    freshness = Freshness(days=14)

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        """options: `mode`, one of MODES. Raises ValueError for another."""
        super().__init__(options)
        mode = self.options.get("mode", "development")
        if mode not in MODES:
            raise ValueError(f"LINERNOTES_SPOTIFY_MODE must be one of {', '.join(MODES)}, not {mode!r}")
        may_ask = (question for question in _QUESTIONS if question.name != "features" or mode == "grandfathered")
        self.questions = tuple(_in_mode(question, mode) for question in may_ask)
        if mode != "development":
            self.budget = replace(self.budget, per_day=None)

    def client(self, line: Line) -> Client:
        """The library on the wire."""
        return Client(line)

    def ask(self, question: Question, asks: Sequence[Ask], client: Client) -> Sequence[Answer]:
        """One call: by name for one lookup, by id for as many as the mode allows."""
        if question.name in _SEARCH:
            return [_SEARCH[question.name](asks[0].keys, client)]
        return _features(asks, client) if question.name == "features" else _by_id(question, asks, client)

    def probe(self, client: Client) -> Mapping[str, str]:
        """The mode of this app."""
        return {"mode": client.mode()}

    def judge(self, reply: Reply) -> Judgement:
        """A used-up quota and a stale token look like refusals of other kinds."""
        verdict = judge_http(reply)
        if reply.status == 429 and (b"QUOTA_EXCEEDED" in reply.body or (verdict.retry_after or 0) > _QUOTA_SECONDS):
            return Judgement(Verdict.QUOTA, verdict.retry_after, verdict.message)
        # The body is the same for a token that is missing, wrong or stale; the header tells.
        if reply.status == 401 and "expired" in f"{reply.text} {reply.headers.get('www-authenticate', '')}":
            return Judgement(Verdict.SHED, None, verdict.message)
        if reply.status == 400 and (b"invalid_client" in reply.body or b"invalid_grant" in reply.body):
            return Judgement(Verdict.REFUSED, None, verdict.message)
        return verdict


# --- asking --------------------------------------------------------------------------------------------------------


def _by_id(question: Question, asks: Sequence[Ask], client: Client) -> list[Answer]:
    ids = _ids(asks)
    found: dict[str, Json] = {}
    if len(ids) == 1:
        reply = client.call(question.name, ids[0])
        if reply is not None:
            found[ids[0]] = _with_id(reply)
    elif ids:
        found = _rows(ids, client.call(f"{question.name}s", ids), f"{question.name}s")
    return [_told_by_id(ask.keys, found, partial(_told, question.kind)) for ask in asks]


def _features(asks: Sequence[Ask], client: Client) -> list[Answer]:
    ids = _ids(asks)
    found = _rows(ids, client.features(ids), "audio_features") if ids else {}
    return [_told_by_id(ask.keys, found, _told_features) for ask in asks]


def _ids(asks: Sequence[Ask]) -> list[str]:
    return list(dict.fromkeys(text(ask.keys["spotify_id"]) for ask in asks if _is_id(ask.keys["spotify_id"])))


def _rows(ids: Sequence[str], reply: Json | None, name: str) -> dict[str, Json]:
    """Rows come in the order of the ids, with null for those that are not known; a moved one comes under another id."""
    rows = (reply or {})[name]
    if not isinstance(rows, list) or len(rows) != len(ids):
        raise ValueError(f"{len(ids)} ids were asked for, and the reply does not hold as many rows")
    return {wanted: _with_id(one(row)) for wanted, row in zip(ids, rows, strict=True) if row is not None}


def _with_id(entity: Json) -> Json:
    if not text(entity["id"]):
        raise ValueError("an entity without an id")
    return entity


def _is_id(value: Any) -> bool:
    """Is this an id of Spotify's? One that is not makes it refuse the whole call."""
    return _ID.fullmatch(text(value)) is not None


def _told_by_id(keys: Keys, found: Mapping[str, Json], tell: Callable[[Keys, Json | None], Answer]) -> Answer:
    given = text(keys["spotify_id"])
    if not _is_id(given):
        return Answer.nothing(f"{given[:80]!r} is not a Spotify id")
    return tell(keys, found.get(given))


def _told(kind: Kind, keys: Keys, entity: Json | None, match: float = 1.0, reason: str = "Spotify's own id") -> Answer:
    if entity is None:
        return Answer.nothing()
    told = Told(kind, keys, _SURE, match=match, reason=reason)
    _TELL[kind](told, entity)
    return told.answer()


def _told_features(keys: Keys, row: Json | None) -> Answer:
    if row is None:
        return Answer.nothing()
    told = Told(Kind.TRACK, keys, _SURE, reason="Spotify's own id")
    told.tell(bpm=tempo(row.get("tempo")), audio_features=audio_features(row), **key_of(row))
    return told.answer()


def _choose(kind: Kind, keys: Keys, found: Sequence[Json], sides: Sequence[Side]) -> Answer:
    index, score, reason = pick(kind, keys, sides)
    return _told(kind, keys, found[index], score, reason) if index is not None else Answer.nothing(reason)


def _search_isrc(keys: Keys, client: Client) -> Answer:
    code = isrc(keys["isrc"])
    if code is None:
        return Answer.nothing("not an ISRC")
    found = client.hits(f"isrc:{code}", "track")
    if found and not text(keys.get("title")):
        return _told(Kind.TRACK, keys, found[0], 0.9, "identifier alone")
    return _choose(Kind.TRACK, keys, found, [_track_side(row) for row in found])


def _search(keys: Keys, client: Client) -> Answer:
    found = client.hits(f"track:{_words(keys['title'])} artist:{_words(keys['artist_name'])}", "track")
    return _choose(Kind.TRACK, keys, found, [_track_side(row) for row in found])


def _artist_search(keys: Keys, client: Client) -> Answer:
    # The tracks found by the same words tell performers of one name apart, and cost no call.
    reply = client.found(f"artist:{_words(keys['name'])}", "artist,track")
    found, tracks = _items(reply, "artist"), _items(reply, "track") if "tracks" in reply else []

    def tell(index: int, score: float, reason: str) -> Told:
        told = Told(Kind.PERFORMER, keys, _SURE, match=score, reason=reason)
        _tell_artist(told, found[index])
        return told

    return pick_performer(keys, [_performer(artist, tracks) for artist in found], tell)


def _performer(artist: Json, tracks: Sequence[Json]) -> Performer:
    """With what these tracks tell of it. Its audience are its followers, of whom development mode says nothing."""
    spotify_id = text(artist.get("id"))
    own = [track for track in tracks if spotify_id in (text(one(by).get("id")) for by in many(track.get("artists")))]
    name = text(artist.get("name"))
    return Performer(
        name,
        spotify_id,
        titles=tuple(text(track.get("name")) for track in own),
        companions=tuple(other for track in own for other in _names(track) if other != name),
        fans=whole(one(artist.get("followers")).get("total")),
    )


def _album_search(keys: Keys, client: Client) -> Answer:
    found = client.hits(f"album:{_words(keys['title'])} artist:{_words(keys['artist_name'])}", "album")
    return _choose(Kind.ALBUM, keys, found, [_album_side(row) for row in found])


def _search_upc(keys: Keys, client: Client) -> Answer:
    code = text(keys["barcode"])
    if not code.isdecimal():
        return Answer.nothing("not a barcode")
    found = client.hits(f"upc:{code}", "album")
    if found and not text(keys.get("title")):
        return _told(Kind.ALBUM, keys, found[0], 0.9, "identifier alone")
    return _choose(Kind.ALBUM, keys, found, [_album_side(row) for row in found])


def _album_side(album: Json) -> Side:
    return Side(artist=", ".join(_names(album)), title=text(album.get("name")))


_SEARCH: dict[str, Callable[[Keys, Client], Answer]] = {
    "search_isrc": _search_isrc,
    "search": _search,
    "artist_search": _artist_search,
    "search_upc": _search_upc,
    "album_search": _album_search,
}


def _items(reply: Json, kind: str) -> list[Json]:
    return many(one(reply[f"{kind}s"])["items"])


def _words(name: Any) -> str:
    """A name as words of a query. A colon would start a filter."""
    return search_text(text(name)).replace(":", " ").replace('"', " ")


def _names(entity: Json) -> list[str]:
    return [name for artist in many(entity.get("artists")) if (name := text(artist.get("name")))]


def _track_side(track: Json) -> Side:
    code = isrc(one(track.get("external_ids")).get("isrc"))
    return Side(
        artist=", ".join(_names(track)),
        title=text(track.get("name")),
        album=text(one(track.get("album")).get("name")),
        duration_ms=milliseconds(track.get("duration_ms")),
        isrc=(code,) if code else (),
    )


# --- reading -------------------------------------------------------------------------------------------------------


def _tell_track(told: Told, track: Json) -> None:
    names, album = _names(track), one(track.get("album"))
    told.tell(
        spotify_id=track["id"],
        title=track.get("name"),
        artist_name=", ".join(names),
        artists=[{"name": name, "role": "main"} for name in names],
        album_title=album.get("name"),
        isrc=isrc(one(track.get("external_ids")).get("isrc")),
        duration_ms=milliseconds(track.get("duration_ms")),
        explicit=track.get("explicit"),
        popularity=track.get("popularity"),
        release_date=date(album.get("release_date")),
        external_urls=_links(track),
    )
    _tell_performer(told, track)
    if told.on_album(text(album.get("name"))):
        _tell_release(told, Kind.ALBUM, album)
    else:
        told.tell(artwork_url=_largest(album))


def _tell_performer(told: Told, entity: Json) -> None:
    """The performer is the first one credited, where that is the one that was asked about."""
    credited = many(entity.get("artists"))
    if credited and told.by_performer(text(credited[0].get("name"))):
        _tell_person(told, Kind.PERFORMER, credited[0])


def _tell_person(told: Told, about: Kind | None, artist: Json) -> None:
    told.tell(
        about,
        spotify_id=artist.get("id"),
        name=artist.get("name"),
        genres=genres(texts(artist.get("genres"))),
        images=_images(artist),
        image_url=_largest(artist),
        popularity=artist.get("popularity"),
        followers=one(artist.get("followers")).get("total"),
        external_urls=_links(artist),
    )


def _tell_artist(told: Told, artist: Json) -> None:
    _tell_person(told, None, artist)


def _tell_album(told: Told, album: Json) -> None:
    _tell_release(told, None, album)
    _tell_performer(told, album)


def _tell_release(told: Told, about: Kind | None, album: Json) -> None:
    codes = one(album.get("external_ids"))
    told.tell(
        about,
        spotify_id=album.get("id"),
        title=album.get("name"),
        artist_name=", ".join(_names(album)),
        barcode=codes.get("upc") or codes.get("ean"),
        label=album.get("label"),
        genres=genres(texts(album.get("genres"))),
        release_date=date(album.get("release_date")),
        images=_images(album),
        cover_art_url=_largest(album),
        popularity=album.get("popularity"),
        tracklist=_tracklist(many(one(album.get("tracks")).get("items"))),
        external_urls=_links(album),
    )


_TELL: dict[Kind, Callable[[Told, Json], None]] = {
    Kind.TRACK: _tell_track,
    Kind.PERFORMER: _tell_artist,
    Kind.ALBUM: _tell_album,
}


def _tracklist(tracks: Sequence[Json]) -> list[Json]:
    return [
        compact(
            {
                "position": position,
                "title": text(track.get("name")),
                "duration_ms": milliseconds(track.get("duration_ms")),
                "isrc": isrc(one(track.get("external_ids")).get("isrc")),
            }
        )
        for position, track in enumerate(tracks, start=1)
    ]


def _images(entity: Json) -> list[Json]:
    """Pictures, the largest first. Sizes are null for some."""
    found = [
        compact(
            {
                "url": text(row.get("url")),
                "width": whole(row.get("width")) or None,
                "height": whole(row.get("height")) or None,
            }
        )
        for row in many(entity.get("images"))
    ]
    return sorted((row for row in found if "url" in row), key=lambda row: -row.get("width", 0))


def _largest(entity: Json) -> str | None:
    return next((image["url"] for image in _images(entity)), None)


def _links(entity: Json) -> dict[str, str]:
    return {kind: text(url) for kind, url in one(entity.get("external_urls")).items() if text(url)}
