"""MusicBrainz: the reference for identifiers, dates and countries (musicbrainz.org/ws/2/), asked with musicbrainzngs.

Limit: 1 call a second per IP; faster callers are refused altogether until they slow down. It says 503 to three things:
our rate, its own load (a third of well-behaved searches at bad times), and being ill; and it may just become slow.
Facts: reference, upstreams 1.1, 3.1 and 3.6.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import musicbrainzngs
from musicbrainzngs import musicbrainz as library

from enrichment.domain.matching import Side, same_artist
from enrichment.domain.outcomes import Answer, Judgement, Verdict
from enrichment.domain.questions import Budget, Freshness, Keys, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.domain.text import search_text
from enrichment.sources import links
from enrichment.sources.base import Ask, Line, Reply, Site, Source, judge_http, retry_after
from enrichment.sources.countries import code_of, name_of
from enrichment.sources.mmd import from_xml
from enrichment.sources.reading import (
    Json,
    Told,
    compact,
    date,
    fields_of,
    genres,
    is_mbid,
    isrc,
    many,
    milliseconds,
    one,
    people,
    pick,
    pick_performer,
    text,
    texts,
    whole,
)

if TYPE_CHECKING:
    from urllib.request import Request

HITS = 25

_SURE = {
    "": 0.9,
    "musicbrainz_id": 0.98,
    "musicbrainz_release_id": 0.95,
    "musicbrainz_release_group_id": 0.98,
    "isrc": 0.9,  # curated, but often one of several
    "release_date": 0.95,  # the first release of the recording, which nobody else knows
    "country": 0.95,
    "country_code": 0.95,
    "cover_art_url": 0.9,
    "genres": 0.9,
}
_TAGS = 0.4
"""Tags are anybody's words, "finland" among them; they count only where a server is too old to tell genres."""

_LINKED = ("spotify_id", "deezer_id", "discogs_id", "wikidata_id")
_ALBUM = ("title", "artist_name", "musicbrainz_release_id", "musicbrainz_release_group_id", "release_date", "barcode")
_RECORDING = fields_of(
    Kind.TRACK,
    *("musicbrainz_id", "title", "artist_name", "artists", "album_title", "duration_ms", "isrc", "release_date"),
    *("genres", "external_urls", "spotify_id", "deezer_id", "performer.musicbrainz_id", "performer.name"),
    *(f"album.{name}" for name in _ALBUM),
)
_ARTIST = fields_of(
    Kind.PERFORMER,
    *("musicbrainz_id", "name", "country", "country_code", "genres", "aliases", "external_urls", *_LINKED),
)
_RELEASE = fields_of(
    Kind.ALBUM,
    *(*_ALBUM, "label", "genres", "cover_art_url", "tracklist", "external_urls", "spotify_id", "deezer_id"),
    *("discogs_id", "performer.musicbrainz_id", "performer.name"),
)


# --- the library on the wire ---------------------------------------------------------------------------------------

_line: ContextVar[Line] = ContextVar("the line of the call under way")

_INCLUDES = {
    "artist": ["genres"],
    "recording": ["genres", "release-groups"],
    "release": ["genres"],
    "isrc": ["artist-credits", "url-rels"],
}
"""What MusicBrainz allows and the library, which is older, refuses."""


def _read(_opener: object, request: Request, _body: bytes | None = None) -> bytes:
    """In place of the library's own reading, which retries for a minute and has no time-out.

    The library knows one host per process and no path before /ws/2/, so the address is made here.
    """
    line = _line.get()
    parts = urlsplit(request.full_url)
    request.full_url = f"{line.base_url}{parts.path}?{parts.query}"
    try:
        return line.send_urllib(request)
    except HTTPError as error:
        raise musicbrainzngs.ResponseError(cause=error) from error


def _parse(body: bytes) -> Any:
    """JSON as asked for, or XML: mirrors and recordings answer so."""
    return from_xml(body) if body.lstrip().startswith(b"<") else json.loads(body)


def _prepare() -> None:
    """Make the library fit for threads: without its process-wide lock, its sleeping and its own connections."""
    musicbrainzngs.set_useragent("linernotes", "0.1")  # it refuses to run without; the wire sends its own
    musicbrainzngs.set_rate_limit(False)
    library.ws_format = "json"  # set_format would warn
    musicbrainzngs.set_parser(_parse)
    library._safe_read = _read  # noqa: SLF001 - the only seam it has
    library._mb_request = getattr(library._mb_request, "fun", library._mb_request)  # noqa: SLF001 - unwraps the lock
    for entity, extra in _INCLUDES.items():
        library.VALID_INCLUDES[entity] = list(dict.fromkeys(library.VALID_INCLUDES[entity] + extra))


class Client:
    """musicbrainzngs on a line. Thread-safe."""

    def __init__(self, line: Line) -> None:
        _prepare()
        self._line = line
        self.covers = line.site("coverartarchive")

    def call(self, function: Callable[..., Any], *args: Any, **options: Any) -> Json | None:
        """What a function of the library brings; None where there is no such entity."""
        token = _line.set(self._line)
        try:
            return one(function(*args, **options))
        except musicbrainzngs.ResponseError as error:
            if isinstance(error.cause, HTTPError) and error.cause.code in (404, 410):
                return None
            raise
        finally:
            _line.reset(token)

    def search(self, function: Callable[..., Any], query: str, rows: str) -> list[Json]:
        """The hits of a search. Raises KeyError where the reply holds no list of them."""
        reply = self.call(function, query=query, limit=HITS)
        return many((reply or {})[rows])


class MusicBrainz(Source[Client]):
    """Ids to facts, ISRCs and names to ids."""

    name = "musicbrainz"
    url = "https://musicbrainz.org"
    budget = Budget((Limit(0.95, 1, burst=1),), concurrency=3)
    sites = (Site("coverartarchive", "https://coverartarchive.org"),)
    terms = Terms(
        attribution="Data from MusicBrainz",
        url="https://musicbrainz.org",
        licence="core data CC0; tags, genres and annotations CC BY-NC-SA 3.0",
    )
    freshness = Freshness(
        days=30, by_field={"musicbrainz_id": 90, "isrc": 90, "release_date": 90, "country": 90, "barcode": 90}
    )
    max_seconds = 20.0  # it answers bursts with 6 to 14 s of silence instead of a refusal
    questions = (
        Question(
            name="recording",
            kind=Kind.TRACK,
            needs=("musicbrainz_id",),
            uses=("artist_name", "title", "album_title", "isrc"),
            gives=_RECORDING,
        ),
        Question(
            name="isrc",
            kind=Kind.TRACK,
            needs=("isrc",),
            identifies="musicbrainz_id",
            uses=("artist_name", "title", "duration_ms"),
            gives=_RECORDING - {f"album.{name}" for name in _ALBUM} - {"album_title", "genres"},
        ),
        Question(
            name="search",
            kind=Kind.TRACK,
            needs=("artist_name", "title"),
            identifies="musicbrainz_id",
            uses=("album_title", "duration_ms", "isrc"),
            gives=_RECORDING - {"genres", "external_urls", "spotify_id", "deezer_id"},
        ),
        Question(name="artist", kind=Kind.PERFORMER, needs=("musicbrainz_id",), uses=("name",), gives=_ARTIST),
        Question(
            name="artist_search",
            kind=Kind.PERFORMER,
            needs=("name",),
            identifies="musicbrainz_id",
            gives=_ARTIST - {"genres", "external_urls", *_LINKED},
        ),
        Question(
            name="release",
            kind=Kind.ALBUM,
            needs=("musicbrainz_release_id",),
            uses=("artist_name", "title"),
            gives=_RELEASE,
        ),
        Question(
            name="release_search",
            kind=Kind.ALBUM,
            needs=("artist_name", "title"),
            identifies="musicbrainz_release_id",
            uses=("barcode",),
            gives=_RELEASE
            - {"genres", "tracklist", "cover_art_url", "external_urls", "spotify_id", "deezer_id", "discogs_id"},
        ),
    )

    def client(self, line: Line) -> Client:
        """The library on the wire."""
        return Client(line)

    def ask(self, question: Question, asks: Sequence[Ask], client: Client) -> Sequence[Answer]:
        """One call for the one lookup."""
        return [_ASK[question.name](asks[0].keys, client)]

    def judge(self, reply: Reply) -> Judgement:
        """503 may be our rate, its own load, or an illness; the zone and the words tell."""
        if reply.status != 503:
            return judge_http(reply)
        message = f"HTTP 503: {reply.text[:200]}"
        zone = reply.headers.get("x-ratelimit-zone", "")
        if zone.startswith("ws") or "exceeding the allowable" in message:
            return Judgement(Verdict.OUR_RATE, retry_after(reply) or 1.0, message)
        if zone or "currently busy" in message or retry_after(reply) == 0:
            return Judgement(Verdict.SHED, None, message)
        return Judgement(Verdict.FAILING, retry_after(reply), message)


# --- asking --------------------------------------------------------------------------------------------------------


def _recording(keys: Keys, client: Client) -> Answer:
    mbid = text(keys["musicbrainz_id"])
    if not is_mbid(mbid):
        return _no_mbid(mbid)
    includes = ["artist-credits", "releases", "release-groups", "isrcs", "genres", "url-rels"]
    reply = client.call(musicbrainzngs.get_recording_by_id, mbid, includes=includes)
    if reply is None:
        return Answer.nothing()
    told = Told(Kind.TRACK, keys, _SURE, reason=f"recording {mbid}")
    _tell_recording(told, reply)
    _tell_genres(told, reply)
    return told.answer()


def _isrc(keys: Keys, client: Client) -> Answer:
    code = isrc(keys["isrc"])
    if code is None:
        return Answer.nothing("not an ISRC")
    includes = ["artist-credits", "isrcs", "url-rels"]
    reply = client.call(musicbrainzngs.get_recordings_by_isrc, code, includes=includes)
    if reply is None:
        return Answer.nothing()
    # That it was found by this ISRC is known even where a reply does not repeat it.
    found = [{**row, "isrcs": [*texts(row.get("isrcs")), code]} for row in many(reply["recordings"])]
    return _choose_recording(keys, found)


def _search(keys: Keys, client: Client) -> Answer:
    query = f"recording:({_words(keys['title'])}) AND artist:({_words(keys['artist_name'])})"
    return _choose_recording(keys, client.search(musicbrainzngs.search_recordings, query, "recordings"))


def _choose_recording(keys: Keys, found: Sequence[Json]) -> Answer:
    if len(found) == 1 and not text(keys.get("title")):
        told = Told(Kind.TRACK, keys, _SURE, match=0.9, reason="identifier alone")
        _tell_recording(told, found[0])
        return told.answer()
    index, score, reason = pick(Kind.TRACK, keys, [_side(row) for row in found])
    if index is None:
        return Answer.nothing(reason)
    told = Told(Kind.TRACK, keys, _SURE, match=score, reason=reason)
    _tell_recording(told, found[index])
    return told.answer()


def _artist(keys: Keys, client: Client) -> Answer:
    mbid = text(keys["musicbrainz_id"])
    if not is_mbid(mbid):
        return _no_mbid(mbid)
    reply = client.call(musicbrainzngs.get_artist_by_id, mbid, includes=["url-rels", "genres", "aliases"])
    if reply is None:
        return Answer.nothing()
    told = Told(Kind.PERFORMER, keys, _SURE, reason=f"artist {mbid}")
    _tell_artist(told, reply)
    _tell_genres(told, reply)
    return told.answer()


def _artist_search(keys: Keys, client: Client) -> Answer:
    name = text(keys["name"])
    found = client.search(
        musicbrainzngs.search_artists, f"artist:({_words(name)}) OR alias:({_words(name)})", "artists"
    )
    # Its search score takes the place of an audience: 10 points stand for 10 times as likely.
    weights = [10 ** (whole(row.get("score")) / 10) for row in found]
    index, score, reason = pick_performer(keys, [_nearest(name, row) for row in found], weights)
    if index is None:
        return Answer.nothing(reason)
    told = Told(Kind.PERFORMER, keys, _SURE, match=score, reason=reason)
    _tell_artist(told, found[index])
    return told.answer()


def _release(keys: Keys, client: Client) -> Answer:
    mbid = text(keys["musicbrainz_release_id"])
    if not is_mbid(mbid):
        return _no_mbid(mbid)
    includes = ["recordings", "artist-credits", "isrcs", "labels", "release-groups", "media", "genres"]
    reply = client.call(musicbrainzngs.get_release_by_id, mbid, includes=[*includes, "url-rels"])
    if reply is None:
        return Answer.nothing()
    told = Told(Kind.ALBUM, keys, _SURE, reason=f"release {mbid}")
    _tell_release(told, reply, client)
    _tell_genres(told, reply)
    _tell_genres(told, one(reply.get("release-group")))
    return told.answer()


def _release_search(keys: Keys, client: Client) -> Answer:
    query = f"release:({_words(keys['title'])}) AND artist:({_words(keys['artist_name'])})"
    found = client.search(musicbrainzngs.search_releases, query, "releases")
    barcode = text(keys.get("barcode"))
    found = [row for row in found if barcode and text(row.get("barcode")) == barcode] or found
    sides = [Side(artist=_credit(row), title=text(row.get("title"))) for row in found]
    index, score, reason = pick(Kind.ALBUM, keys, sides)
    if index is None:
        return Answer.nothing(reason)
    told = Told(Kind.ALBUM, keys, _SURE, match=score, reason=reason)
    _tell_release(told, found[index], client)
    return told.answer()


_ASK: dict[str, Callable[[Keys, Client], Answer]] = {
    "recording": _recording,
    "isrc": _isrc,
    "search": _search,
    "artist": _artist,
    "artist_search": _artist_search,
    "release": _release,
    "release_search": _release_search,
}

_LUCENE = re.compile(r'([+\-&|!(){}\[\]^"~*?:\\/])')


def _words(name: Any) -> str:
    """A name as words of a Lucene query. In capitals AND, OR and NOT would be operators."""
    return _LUCENE.sub(r"\\\1", search_text(text(name)) or text(name)).lower()


def _no_mbid(given: str) -> Answer:
    return Answer.nothing(f"{given[:80]!r} is not a MusicBrainz id")


def _nearest(name: str, artist: Json) -> str:
    """The artist's name, or the alias that is nearer to the one asked about."""
    names = [text(artist.get("name")), *(text(alias.get("name")) for alias in many(artist.get("aliases")))]
    return max(names, key=lambda candidate: same_artist(name, candidate))


# --- reading -------------------------------------------------------------------------------------------------------


def _credit(entity: Json) -> str:
    """The artist credit as it is printed."""
    return "".join(_credited(row) + _join(row) for row in many(entity.get("artist-credit")))


def _credited(credit: Json) -> str:
    return text(credit.get("name")) or text(one(credit.get("artist")).get("name"))


def _join(credit: Json) -> str:
    """What joins a name to the next one, with its spaces."""
    return str(credit.get("joinphrase") or "")


def _side(recording: Json) -> Side:
    releases = many(recording.get("releases"))
    return Side(
        artist=_credit(recording),
        title=text(recording.get("title")),
        album=text(releases[0].get("title")) if releases else "",
        duration_ms=milliseconds(recording.get("length")),
        isrc=tuple(texts(recording.get("isrcs"))),
    )


def _tell_recording(told: Told, recording: Json) -> None:
    credited = many(recording.get("artist-credit"))
    codes = [code for code in map(isrc, texts(recording.get("isrcs"))) if code]
    known = isrc(told.keys.get("isrc"))
    told.tell(
        musicbrainz_id=recording["id"],
        title=recording.get("title"),
        artist_name=_credit(recording),
        artists=people((_credited(row), _join(row)) for row in credited),
        duration_ms=milliseconds(recording.get("length")),
        isrc=known if known in codes else next(iter(codes), None),
        release_date=date(recording.get("first-release-date")),
    )
    _tell_links(told, recording)
    releases = many(recording.get("releases"))
    told.tell(release_date=min(filter(None, (date(row.get("date")) for row in releases)), default=None), factor=0.8)
    _tell_performer(told, credited)
    _tell_album(told, releases)


def _tell_album(told: Told, releases: Sequence[Json]) -> None:
    """The release that is the subject's album, or else the one that most people mean."""
    ours = [release for release in releases if told.on_album(text(release.get("title")))]
    if not releases:
        return
    release = min(ours or releases, key=_obscurity)
    told.tell(album_title=release.get("title"))
    if ours:
        _tell_release_names(told, Kind.ALBUM, release)


def _obscurity(release: Json) -> tuple[bool, bool, bool, str]:
    group = one(release.get("release-group"))
    return (
        text(release.get("status")) not in ("Official", ""),
        bool(group.get("secondary-types")),
        text(group.get("primary-type")) not in ("Album", ""),
        date(release.get("date")) or "9999",
    )


def _tell_release_names(told: Told, about: Kind | None, release: Json) -> None:
    group = one(release.get("release-group"))
    told.tell(
        about,
        title=release.get("title"),
        artist_name=_credit(release),
        musicbrainz_release_id=release["id"],
        musicbrainz_release_group_id=group.get("id"),
        release_date=date(group.get("first-release-date")) or date(release.get("date")),
        barcode=release.get("barcode"),
    )


def _tell_release(told: Told, release: Json, client: Client) -> None:
    _tell_release_names(told, None, release)
    mbid = text(release["id"])
    labels = [text(one(info.get("label")).get("name")) for info in many(release.get("label-info"))]
    front = _true(one(release.get("cover-art-archive")).get("front"))
    told.tell(
        label=next(filter(None, labels), None),
        cover_art_url=f"{client.covers}/release/{mbid}/front-500" if front else None,
        tracklist=_tracklist(many(release.get("media"))),
    )
    _tell_links(told, release)
    _tell_performer(told, many(release.get("artist-credit")))


def _tracklist(media: Iterable[Json]) -> list[Json]:
    """The tracks of all media, counted through; videos and the like come after a medium's own."""
    tracks = [track for medium in media for name in ("tracks", "data-tracks") for track in many(medium.get(name))]
    rows = [(track, one(track.get("recording"))) for track in tracks]
    return [
        compact(
            {
                "position": position,
                "title": text(track.get("title")) or text(recording.get("title")),
                "duration_ms": milliseconds(track.get("length")) or milliseconds(recording.get("length")),
                "isrc": next(iter(texts(recording.get("isrcs"))), None),
                "musicbrainz_id": text(recording.get("id")),
            }
        )
        for position, (track, recording) in enumerate(rows, start=1)
    ]


def _tell_artist(told: Told, artist: Json) -> None:
    area = one(artist.get("area"))
    code = text(artist.get("country")) or next(iter(texts(area.get("iso-3166-1-codes"))), "")
    code = code if name_of(code) else code_of(text(area.get("name")))
    # The area may be a city; its country then stands only in the code.
    country = text(area.get("name")) if code_of(text(area.get("name"))) == code else name_of(code)
    aliases = [text(alias.get("name")) for alias in many(artist.get("aliases")) if alias.get("type") != "Search hint"]
    told.tell(
        musicbrainz_id=artist["id"],
        name=artist.get("name"),
        country=country if code else None,
        country_code=code,
        aliases=[alias for alias in dict.fromkeys(aliases) if alias and alias != artist.get("name")],
    )
    _tell_links(told, artist)


def _tell_performer(told: Told, credited: Sequence[Json]) -> None:
    """The performer is the first one credited, where that is the one that was asked about."""
    if credited and told.by_performer(_credited(credited[0])):
        artist = one(credited[0].get("artist"))
        told.tell(Kind.PERFORMER, musicbrainz_id=artist.get("id"), name=_credited(credited[0]))


def _tell_genres(told: Told, entity: Json) -> None:
    """Genres, the most voted first. Searches have only tags."""
    has_genres = "genres" in entity
    voted = [row for row in many(entity.get("genres" if has_genres else "tags")) if whole(row.get("count", 1)) > 0]
    names = (row.get("name") for row in sorted(voted, key=lambda row: -whole(row.get("count"))))
    told.tell(genres=genres(names), factor=1.0 if has_genres else _TAGS)


def _true(value: Any) -> bool:
    """JSON has booleans, XML has words."""
    return value is True or value == "true"


def _tell_links(told: Told, entity: Json) -> None:
    """What the entity's links lead to, and the identifiers in them."""
    current = [row for row in many(entity.get("relations")) if not _true(row.get("ended"))]
    pairs = [(text(one(row.get("url")).get("resource")), text(row.get("type"))) for row in current]
    told.tell(external_urls=links.by_kind(pairs), **links.ids_in(told.kind, (url for url, _ in pairs)))
