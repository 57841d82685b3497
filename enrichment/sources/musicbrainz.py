"""MusicBrainz: the reference for identifiers, dates and countries (musicbrainz.org/ws/2/), asked with musicbrainzngs.

recording, isrc    one is looked up, which tells most; up to 100 ids or 40 ISRCs are searched for in one call
search             one with any of its words; up to 20 titles, of whatever artists, in one call with all of theirs
…_search           the same with albums and artists
…_by_spotify …     up to 100 addresses at other services -> ids
release            an album with the ISRC, id and length of every track
releases           labels, barcodes and dates of up to 100 albums in one call, without their tracks
release_group      the release of it that people mean; up to 100 in one call

Limit: 1 call a second per IP; faster callers are refused altogether until they slow down. It says 503 to three things:
our rate, its own load (a third of well-behaved searches at bad times), and being ill; and it may just become slow.
Facts: reference, upstreams 1.1, 2.1, 3.1 and 3.6.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit

import musicbrainzngs
from musicbrainzngs import musicbrainz as library

from enrichment.domain.matching import FLOOR, Performer, Side, same_artist
from enrichment.domain.outcomes import Answer, Judgement, Outcome, Verdict
from enrichment.domain.questions import Budget, Chances, Freshness, Keys, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.domain.text import main_artist, parts, search_text
from enrichment.sources import links
from enrichment.sources.base import Ask, Line, Reply, Site, Source, judge_http, retry_after
from enrichment.sources.mmd import from_xml, is_xml
from enrichment.sources.musicbrainz_entities import (
    SURE,
    TELL,
    codes_of,
    credit_of,
    is_true,
    nearest_name,
    obscurity,
    side_of,
    tell_artist,
    tell_genres,
    tell_recording,
    tell_release,
    tell_release_group,
)
from enrichment.sources.reading import (
    Json,
    Told,
    by_mbid,
    date,
    fields_of,
    fits,
    is_mbid,
    isrc,
    many,
    milliseconds,
    one,
    pick,
    pick_performer,
    text,
    whole,
)

if TYPE_CHECKING:
    from urllib.request import Request

HITS = 25
"""Rows of a search for one."""
PAGE = 100
"""Rows of a search for many; MusicBrainz gives no more."""
ISRCS = 40
"""ISRCs in one search: one may be that of several recordings, and all have to fit on the page."""
TITLES = 20
"""Titles in one search; known ones have half a dozen recordings each. What the page then cuts off is asked again."""
NAMES = 20
"""Names of artists in one search; half a dozen artists have the words of most names in theirs."""
ALIKE = 5
"""Points between the search scores of artists of one name."""
ADDRESSES = 100
"""Addresses in one call; MusicBrainz leaves out further ones without a word."""

_LINKED = ("spotify_id", "deezer_id", "discogs_id", "wikidata_id")
_ALBUM = ("title", "artist_name", "musicbrainz_release_id", "musicbrainz_release_group_id", "release_date", "barcode")
_PERFORMER = ("performer.musicbrainz_id", "performer.name", "performer.aliases")
_RECORDING = fields_of(
    Kind.TRACK,
    *("musicbrainz_id", "title", "artist_name", "artists", "album_title", "duration_ms", "isrc", "release_date"),
    *("genres", "external_urls", "spotify_id", "deezer_id", *_PERFORMER, "performer.genres", "album.genres"),
    *(f"album.{name}" for name in _ALBUM),
)
_RECORDING_HIT = _RECORDING - {"genres", "external_urls", "spotify_id", "deezer_id", "performer.genres", "album.genres"}
_ARTIST = fields_of(
    Kind.PERFORMER,
    *("musicbrainz_id", "name", "country", "country_code", "genres", "aliases", "external_urls", *_LINKED),
)
_RELEASE = fields_of(
    Kind.ALBUM,
    *(*_ALBUM, "label", "genres", "cover_art_url", "tracklist", "external_urls", "spotify_id", "deezer_id"),
    *("discogs_id", *_PERFORMER, "performer.genres"),
)
_RELEASE_HIT = _RELEASE - {
    *("genres", "tracklist", "cover_art_url", "external_urls", "spotify_id", "deezer_id", "discogs_id"),
    "performer.genres",
}
_RELEASE_GROUP = fields_of(
    Kind.ALBUM,
    *("title", "artist_name", "musicbrainz_release_id", "musicbrainz_release_group_id", "release_date", "genres"),
    *("external_urls", *_PERFORMER, "performer.genres"),
)

_BY_ADDRESS: dict[str, tuple[Kind, str, str]] = {
    "recording_by_spotify": (Kind.TRACK, "spotify_id", "https://open.spotify.com/track/{}"),
    "recording_by_deezer": (Kind.TRACK, "deezer_id", "https://www.deezer.com/track/{}"),
    "artist_by_spotify": (Kind.PERFORMER, "spotify_id", "https://open.spotify.com/artist/{}"),
    "artist_by_deezer": (Kind.PERFORMER, "deezer_id", "https://www.deezer.com/artist/{}"),
    "artist_by_discogs": (Kind.PERFORMER, "discogs_id", "https://www.discogs.com/artist/{}"),
    "release_by_spotify": (Kind.ALBUM, "spotify_id", "https://open.spotify.com/album/{}"),
    "release_by_deezer": (Kind.ALBUM, "deezer_id", "https://www.deezer.com/album/{}"),
    "release_by_discogs": (Kind.ALBUM, "discogs_id", "https://www.discogs.com/release/{}"),
}
"""Questions by what another service calls it: the kind, the key, and the address as MusicBrainz' editors write it."""
_ENTITY = {Kind.TRACK: "recording", Kind.PERFORMER: "artist", Kind.ALBUM: "release"}


def _by_address(name: str) -> Question:
    kind, key, _ = _BY_ADDRESS[name]
    told = {
        Kind.TRACK: ("musicbrainz_id", "title", "duration_ms"),
        Kind.PERFORMER: ("musicbrainz_id", "name", "country", "country_code"),
        Kind.ALBUM: ("musicbrainz_release_id", "title", "release_date", "barcode"),
    }[kind]
    return Question(
        name=name,
        kind=kind,
        needs=(key,),
        uses={
            Kind.TRACK: ("artist_name", "title", "duration_ms"),
            Kind.PERFORMER: ("name",),
            Kind.ALBUM: ("artist_name", "title"),
        }[kind],
        identifies=told[0],
        gives=fields_of(kind, *told, key, "external_urls"),
        batch=ADDRESSES,
    )


# --- the library on the wire ---------------------------------------------------------------------------------------

_line: ContextVar[Line] = ContextVar("the line of the call under way")

_INCLUDES = {
    "artist": ["genres"],
    "recording": ["genres", "release-groups"],
    "release": ["genres"],
    "release-group": ["genres"],
    "isrc": ["artist-credits", "url-rels"],
}
"""What MusicBrainz allows and the library, which is older, refuses."""


def _read(_opener: object, request: Request, _body: bytes | None = None) -> bytes:
    """In place of the library's own reading, which retries for a minute and has no time-out.

    The library knows one host per process and no path before /ws/2/, so the address is made here; a mirror's may be
    given with that path or without.
    """
    line = _line.get()
    parts = urlsplit(request.full_url)
    request.full_url = f"{line.base_url.removesuffix('/ws/2')}{parts.path}?{parts.query}"
    try:
        return line.send_urllib(request)
    except HTTPError as error:
        raise musicbrainzngs.ResponseError(cause=error) from error


def _parse(body: bytes) -> Any:
    """JSON as asked for, or XML."""
    return from_xml(body) if is_xml(body) else json.loads(body)


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


@dataclass(frozen=True, slots=True)
class Page:
    """The hits of a search. cut: there are more than one page holds."""

    rows: list[Json]
    cut: bool

    def missing(self, note: str = "") -> Answer:
        """The answer to a row of a batch that is not among the hits."""
        return Answer.cut_off() if self.cut else Answer.nothing(note)


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

    def lookup(self, function: Callable[..., Any], wanted: Sequence[str], includes: list[str]) -> dict[str, Json]:
        """The one entity, under the id that was asked for: its own is another where two were merged."""
        replies = ((mbid, self.call(function, mbid, includes=includes)) for mbid in wanted)
        return {mbid: reply for mbid, reply in replies if reply is not None}

    def search(self, function: Callable[..., Any], query: str, rows: str, limit: int = HITS) -> Page:
        """The hits of a search. Raises KeyError where the reply holds no list of them."""
        reply = self.call(function, query=query, limit=limit) or {}
        found = many(reply[rows])
        return Page(found, cut=whole(reply.get("count")) > len(found))

    def addresses(self, wanted: Sequence[str], entity: str) -> list[Json]:
        """Those of the addresses that MusicBrainz knows, each with its relations to entities of this type."""
        reply = self.call(_addresses, wanted, entity)
        if reply is None:
            return []
        return many(reply["urls"]) if "urls" in reply else [reply]


def _addresses(wanted: Sequence[str], entity: str) -> Any:
    """What the library has no function for, since it would make one text of a list: the same parameter many times."""
    parameters = [*(("resource", url) for url in wanted), ("inc", f"{entity}-rels"), ("fmt", library.ws_format)]
    query = urlencode(parameters, safe=":/")  # a hundred fit into the 8 KB that servers take
    url = f"https://{library.hostname}/ws/2/url?{query}"
    return library.parser_fun(_read(None, library._MusicbrainzHttpRequest("GET", url)))  # noqa: SLF001 - as above


class MusicBrainz(Source[Client]):
    """Ids to facts, ISRCs and names to ids."""

    name = "musicbrainz"
    url = "https://musicbrainz.org"
    budget = Budget((Limit(0.95, 1, burst=1),), concurrency=3)
    sites = (Site("coverartarchive", "https://coverartarchive.org"),)
    terms = Terms(
        attribution="Data from MusicBrainz",
        url="https://musicbrainz.org",
        licence="CC0; commercial users of its web service are asked to support MetaBrainz",
    ).but_for("genres", licence="CC BY-NC-SA 3.0", commercial=False)
    chances = Chances(
        reach=0.85,
        by_question={
            "recording": 0.98,
            "artist": 0.98,
            "release": 0.98,
            "releases": 0.98,
            "release_group": 0.98,
            "isrc": 0.6,
            "recording_by_spotify": 0.2,
            "recording_by_deezer": 0.1,
            "artist_by_spotify": 0.4,
            "artist_by_deezer": 0.4,
            "artist_by_discogs": 0.4,
            "release_by_spotify": 0.3,
            "release_by_deezer": 0.2,
            "release_by_discogs": 0.3,
        },
        yields={"isrc": 0.7, "genres": 0.6, "label": 0.8, "barcode": 0.8, "spotify_id": 0.2, "deezer_id": 0.1},
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
            batch=PAGE,
        ),
        Question(
            name="isrc",
            kind=Kind.TRACK,
            needs=("isrc",),
            identifies="musicbrainz_id",
            uses=("artist_name", "title", "album_title", "duration_ms"),
            gives=_RECORDING_HIT | fields_of(Kind.TRACK, "external_urls", "spotify_id", "deezer_id"),
            batch=ISRCS,
        ),
        *map(_by_address, ("recording_by_spotify", "recording_by_deezer")),
        Question(
            name="search",
            kind=Kind.TRACK,
            needs=("artist_name", "title"),
            identifies="musicbrainz_id",
            uses=("album_title", "duration_ms", "isrc", "performer.musicbrainz_id"),
            gives=_RECORDING_HIT,
            batch=TITLES,
        ),
        Question(name="artist", kind=Kind.PERFORMER, needs=("musicbrainz_id",), uses=("name",), gives=_ARTIST),
        *map(_by_address, ("artist_by_spotify", "artist_by_deezer", "artist_by_discogs")),
        Question(
            name="artist_search",
            kind=Kind.PERFORMER,
            needs=("name",),
            uses=("country_code",),
            identifies="musicbrainz_id",
            gives=_ARTIST - {"genres", "external_urls", *_LINKED},
            batch=NAMES,
        ),
        Question(
            name="release",
            kind=Kind.ALBUM,
            needs=("musicbrainz_release_id",),
            uses=("artist_name", "title"),
            gives=_RELEASE,
        ),
        Question(
            name="releases",
            kind=Kind.ALBUM,
            needs=("musicbrainz_release_id",),
            uses=("artist_name", "title"),
            gives=_RELEASE_HIT,
            batch=PAGE,
        ),
        Question(
            name="release_group",
            kind=Kind.ALBUM,
            needs=("musicbrainz_release_group_id",),
            identifies="musicbrainz_release_id",
            uses=("artist_name", "title"),
            gives=_RELEASE_GROUP,
            batch=PAGE,
        ),
        *map(_by_address, ("release_by_spotify", "release_by_deezer", "release_by_discogs")),
        Question(
            name="release_search",
            kind=Kind.ALBUM,
            needs=("artist_name", "title"),
            identifies="musicbrainz_release_id",
            uses=("barcode",),
            gives=_RELEASE_HIT,
            batch=TITLES,
        ),
    )

    def ids(self, kind: Kind, given: str) -> Sequence[Mapping[str, str]]:
        """MBIDs."""
        return by_mbid(kind, given)

    def client(self, line: Line) -> Client:
        """The library on the wire."""
        return Client(line)

    def ask(self, question: Question, asks: Sequence[Ask], client: Client) -> Sequence[Answer]:
        """One call, whatever the number of lookups."""
        if question.batch == 1:
            return [_ALONE[question.name](asks[0].keys, client)]
        answers = _TOGETHER[question.name](asks, client)
        if len(answers) > 1 and all(answer.outcome is Outcome.OVER_BUDGET for answer in answers):
            raise ValueError("a page without a row of any of them: fewer have to share it")
        return answers

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


def _recordings(asks: Sequence[Ask], client: Client) -> list[Answer]:
    """One is looked up, which tells its genres and links too; several are searched for."""
    wanted = _mbids(asks, "musicbrainz_id")
    if len(wanted) > 1:
        page = client.search(musicbrainzngs.search_recordings, f"rid:({' OR '.join(wanted)})", "recordings", PAGE)
        found = {text(row["id"]): row for row in page.rows}
    else:
        includes = ["artist-credits", "releases", "release-groups", "isrcs", "genres", "url-rels"]
        page, found = Page([], cut=False), client.lookup(musicbrainzngs.get_recording_by_id, wanted, includes)
    return [_recording(ask.keys, found, page) for ask in asks]


def _recording(keys: Keys, found: Mapping[str, Json], page: Page) -> Answer:
    mbid = text(keys["musicbrainz_id"]).lower()
    if not is_mbid(mbid):
        return _no_mbid(mbid)
    if mbid not in found:
        return page.missing()
    told = Told(Kind.TRACK, keys, SURE, reason=f"recording {mbid}")
    tell_recording(told, found[mbid])
    if "score" not in found[mbid]:  # a search has tags only
        tell_genres(told, found[mbid])
    return told.answer()


def _isrcs(asks: Sequence[Ask], client: Client) -> list[Answer]:
    """One is looked up, since that needs no index and tells links too; several are searched for."""
    codes = [isrc(ask.keys["isrc"]) for ask in asks]
    wanted = [code for code in dict.fromkeys(codes) if code]
    if len(wanted) > 1:
        query = f"isrc:({' OR '.join(wanted)})"
        page = client.search(musicbrainzngs.search_recordings, query, "recordings", PAGE)
    else:
        page = Page([row for code in wanted for row in _of_isrc(code, client)], cut=False)
    return [_isrc(ask.keys, code, page) for ask, code in zip(asks, codes, strict=True)]


def _of_isrc(code: str, client: Client) -> list[Json]:
    """The recordings of an ISRC. That each has it is known even where a reply does not repeat it."""
    includes = ["artist-credits", "isrcs", "url-rels"]
    reply = client.call(musicbrainzngs.get_recordings_by_isrc, code, includes=includes)
    rows = many(reply["recordings"]) if reply is not None else []
    return [{**row, "isrcs": [*codes_of(row), code]} for row in rows]


def _isrc(keys: Keys, code: str | None, page: Page) -> Answer:
    if code is None:
        return Answer.nothing("not an ISRC")
    found = [row for row in page.rows if code in codes_of(row)]
    if not found and text(keys.get("title")):
        # Whether the index tells the ISRCs that it finds by is not sure; where it does not, the names have to tell.
        found = [row for row in page.rows if not codes_of(row)]
    return _choose_recording(keys, found) if found else page.missing()


def _titles(asks: Sequence[Ask], client: Client) -> list[Answer]:
    page = _search(asks, client, musicbrainzngs.search_recordings, "recording")
    sides = [side_of(row) for row in page.rows]
    return [_title(ask.keys, page, sides) for ask in asks]


def _search(asks: Sequence[Ask], client: Client, function: Callable[..., Any], entity: str) -> Page:
    """One title is searched for by any of its words; several, of whatever artists, by all of theirs."""
    wanted: dict[str, dict[str, Keys]] = {}
    for ask in asks:
        if text(ask.keys["artist_name"]) and text(ask.keys["title"]):
            title = f"{entity}:({_all_words(_plain(entity, text(ask.keys['title'])))})"
            wanted.setdefault(_artist_clause(ask.keys), {}).setdefault(title, ask.keys)
    if sum(map(len, wanted.values())) > 1:
        query = " OR ".join(f"({artist} AND ({' OR '.join(titles)}))" for artist, titles in wanted.items())
        return client.search(function, query, f"{entity}s", PAGE)
    alone = next((keys for titles in wanted.values() for keys in titles.values()), None)
    if alone is None:
        return Page([], cut=False)
    query = f"{entity}:({_words(alone['title'])}) AND artist:({_words(alone['artist_name'])})"
    return Page(client.search(function, query, f"{entity}s").rows, cut=False)


def _plain(entity: str, title: str) -> str:
    """What every spelling of a title has: editions and "- EP" of an album are left out, versions of a track are not."""
    return next(parts(title), (title, ""))[0] if entity == "release" else title


def _artist_clause(keys: Keys) -> str:
    named = f"artist:({_all_words(main_artist(text(keys['artist_name'])))})"
    mbid = text(keys.get("performer.musicbrainz_id"))
    # Both, since an id that somebody handed in may be that of another performer.
    return f"(arid:{mbid} OR {named})" if is_mbid(mbid) else named


def _title(keys: Keys, page: Page, sides: Sequence[Side]) -> Answer:
    """The recording that is meant. One on a page that ends too early may be beyond its end."""
    artist = main_artist(text(keys["artist_name"]))
    if not artist or not text(keys["title"]):
        return Answer.nothing("no names to search for")
    near = [row for row, side in zip(page.rows, sides, strict=True) if same_artist(artist, side.artist) >= FLOOR]
    answer = _choose_recording(keys, near)
    return answer if answer.findings else page.missing(answer.note)


def _choose_recording(keys: Keys, found: Sequence[Json]) -> Answer:
    """The recording that is meant, and not its video where there is another."""
    found = [row for row in found if not is_true(row.get("video"))] or found
    if found and not text(keys.get("title")):
        return _any_of(keys, found)
    index, score, reason = pick(Kind.TRACK, keys, [side_of(row) for row in found])
    if index is None:
        return Answer.nothing(reason)
    return _recording_found(keys, found[index], score, reason)


def _any_of(keys: Keys, found: Sequence[Json]) -> Answer:
    """By the identifier alone: of several the nearest in length, then the earliest."""

    def rank(row: Json) -> tuple[int, str]:
        asked, length = milliseconds(keys.get("duration_ms")), milliseconds(row.get("length"))
        return abs(asked - length) if asked and length else 0, date(row.get("first-release-date")) or "9999"

    match, reason = (0.9, "identifier alone") if len(found) == 1 else (0.7, f"one of {len(found)} of this identifier")
    return _recording_found(keys, min(found, key=rank), match, reason)


def _recording_found(keys: Keys, row: Json, match: float, reason: str) -> Answer:
    told = Told(Kind.TRACK, keys, SURE, match=match, reason=reason)
    tell_recording(told, row)
    return told.answer()


def _linked(asks: Sequence[Ask], client: Client, *, kind: Kind, key: str, address: str) -> list[Answer]:
    """What MusicBrainz links to pages of another service: an unknown one is just not in the reply."""
    known = [text(ask.keys[key]) for ask in asks]
    wanted = [address.format(name) for name in dict.fromkeys(known) if re.fullmatch(r"\w+", name)]
    found: dict[str, list[Json]] = {}
    for row in client.addresses(wanted, _ENTITY[kind]) if wanted else []:
        if name := text(links.ids_in(kind, [text(row["resource"])]).get(key)):
            found.setdefault(name, []).extend(_link_ends(row, _ENTITY[kind]))
    return [_link_end(kind, ask.keys, found.get(name, [])) for ask, name in zip(asks, known, strict=True)]


def _link_ends(row: Json, entity: str) -> Iterable[Json]:
    """The entities on the other side of an address, each as if it told this link itself."""
    for relation in many(row.get("relations")):
        if end := one(relation.get(entity)):
            link = {"type": relation.get("type"), "url": {"resource": row["resource"]}}
            yield {**end, "relations": [link]}


def _link_end(kind: Kind, keys: Keys, found: Sequence[Json]) -> Answer:
    """The one that bears the name, where a name is known; a page may be that of several."""
    judged = [(row, *fits(kind, keys, _named_side(kind, keys, row))) for row in found]
    for row, taken, score, reason in sorted(judged, key=lambda each: -each[2]):
        if taken:
            told = Told(kind, keys, SURE, match=score, reason=f"linked by MusicBrainz; {reason}")
            TELL[kind](told, row)
            return told.answer()
    return Answer.nothing("; ".join(reason for _, _, _, reason in judged[:3]))


def _named_side(kind: Kind, keys: Keys, row: Json) -> Side:
    """The other side of a link as a side to compare. Whose recording or release it is, the reply does not tell."""
    if kind is Kind.PERFORMER:
        return Side(artist=nearest_name(text(keys.get("name")), row))
    artist = credit_of(row) or text(keys.get("artist_name"))
    return Side(artist=artist, title=text(row.get("title")), duration_ms=milliseconds(row.get("length")))


def _artist(keys: Keys, client: Client) -> Answer:
    mbid = text(keys["musicbrainz_id"])
    if not is_mbid(mbid):
        return _no_mbid(mbid)
    reply = client.call(musicbrainzngs.get_artist_by_id, mbid, includes=["url-rels", "genres", "aliases"])
    if reply is None:
        return Answer.nothing()
    told = Told(Kind.PERFORMER, keys, SURE, reason=f"artist {mbid}")
    tell_artist(told, reply)
    tell_genres(told, reply)
    return told.answer()


def _artists(asks: Sequence[Ask], client: Client) -> list[Answer]:
    """One name is searched for by any of its words; several by all of theirs."""
    names = list(dict.fromkeys(text(ask.keys["name"]) for ask in asks))
    if len(names) > 1:
        query = " OR ".join(f"artist:({words}) OR alias:({words})" for words in map(_all_words, names))
        page = client.search(musicbrainzngs.search_artists, query, "artists", PAGE)
    else:
        query = f"artist:({_words(names[0])}) OR alias:({_words(names[0])})"
        page = Page(client.search(musicbrainzngs.search_artists, query, "artists").rows, cut=False)
    return [_artist_found(ask.keys, page) for ask in asks]


def _artist_found(keys: Keys, page: Page) -> Answer:
    """The artist that is meant. Namesakes score alike: where the page ends at their score, there may be others."""
    name = text(keys["name"])
    found = [row for row in page.rows if same_artist(name, nearest_name(name, row)) >= FLOOR]
    best = max((whole(row.get("score")) for row in found), default=0)
    if not found or (page.cut and best <= min(whole(row.get("score")) for row in page.rows) + ALIKE):
        return page.missing("no hits")

    def tell(index: int, score: float, reason: str) -> Told:
        told = Told(Kind.PERFORMER, keys, SURE, match=score, reason=reason)
        tell_artist(told, found[index])
        return told

    return pick_performer(keys, [_performer(name, row, best) for row in found], tell)


def _performer(asked: str, artist: Json, best: int) -> Performer:
    """Its search score takes the place of an audience: 10 points stand for 10 times as likely. best: the highest of
    this name, since others on a page may score higher.
    """
    score = 100 * whole(artist.get("score")) / (best or 100)
    return Performer(
        nearest_name(asked, artist),
        text(artist["id"]),
        country=text(artist.get("country")),
        fans=10 ** (score / 10),
    )


def _release(keys: Keys, client: Client) -> Answer:
    mbid = text(keys["musicbrainz_release_id"])
    if not is_mbid(mbid):
        return _no_mbid(mbid)
    includes = ["recordings", "artist-credits", "isrcs", "labels", "release-groups", "media", "genres"]
    reply = client.call(musicbrainzngs.get_release_by_id, mbid, includes=[*includes, "url-rels"])
    if reply is None:
        return Answer.nothing()
    told = Told(Kind.ALBUM, keys, SURE, reason=f"release {mbid}")
    tell_release(told, reply, client.covers)
    tell_genres(told, reply, one(reply.get("release-group")))
    return told.answer()


def _releases(asks: Sequence[Ask], client: Client) -> list[Answer]:
    wanted = _mbids(asks, "musicbrainz_release_id")
    query = f"reid:({' OR '.join(wanted)})"
    page = client.search(musicbrainzngs.search_releases, query, "releases", PAGE) if wanted else Page([], cut=False)
    found = {text(row["id"]): row for row in page.rows}
    return [_release_hit(ask.keys, found, page, client) for ask in asks]


def _release_hit(keys: Keys, found: Mapping[str, Json], page: Page, client: Client) -> Answer:
    mbid = text(keys["musicbrainz_release_id"]).lower()
    if not is_mbid(mbid):
        return _no_mbid(mbid)
    if mbid not in found:
        return page.missing()
    told = Told(Kind.ALBUM, keys, SURE, reason=f"release {mbid}")
    tell_release(told, found[mbid], client.covers)
    return told.answer()


def _release_groups(asks: Sequence[Ask], client: Client) -> list[Answer]:
    """One is looked up, which tells its genres and links too; several are searched for."""
    wanted = _mbids(asks, "musicbrainz_release_group_id")
    if len(wanted) > 1:
        query = f"rgid:({' OR '.join(wanted)})"
        page = client.search(musicbrainzngs.search_release_groups, query, "release-groups", PAGE)
        found = {text(row["id"]): row for row in page.rows}
    else:
        includes = ["artist-credits", "releases", "genres", "url-rels"]
        page, found = Page([], cut=False), client.lookup(musicbrainzngs.get_release_group_by_id, wanted, includes)
    return [_release_group(ask.keys, found, page) for ask in asks]


def _release_group(keys: Keys, found: Mapping[str, Json], page: Page) -> Answer:
    mbid = text(keys["musicbrainz_release_group_id"]).lower()
    if not is_mbid(mbid):
        return _no_mbid(mbid)
    if mbid not in found:
        return page.missing()
    told = Told(Kind.ALBUM, keys, SURE, reason=f"release group {mbid}")
    tell_release_group(told, found[mbid])
    if "score" not in found[mbid]:
        tell_genres(told, found[mbid])
    return told.answer()


def _albums(asks: Sequence[Ask], client: Client) -> list[Answer]:
    page = _search(asks, client, musicbrainzngs.search_releases, "release")
    rows = sorted(page.rows, key=obscurity)
    sides = [Side(artist=credit_of(row), title=text(row.get("title"))) for row in rows]
    return [_album(ask.keys, Page(rows, page.cut), sides, client) for ask in asks]


def _album(keys: Keys, page: Page, sides: Sequence[Side], client: Client) -> Answer:
    """The release that is meant, by its barcode where there is one. As a recording, it may be beyond the page's end."""
    artist, barcode = main_artist(text(keys["artist_name"])), text(keys.get("barcode"))
    near = [
        (row, side) for row, side in zip(page.rows, sides, strict=True) if same_artist(artist, side.artist) >= FLOOR
    ]
    near = [hit for hit in near if barcode and text(hit[0].get("barcode")) == barcode] or near
    index, score, reason = pick(Kind.ALBUM, keys, [side for _, side in near])
    if index is None:
        return page.missing(reason)
    told = Told(Kind.ALBUM, keys, SURE, match=score, reason=reason)
    tell_release(told, near[index][0], client.covers)
    return told.answer()


_ALONE: dict[str, Callable[[Keys, Client], Answer]] = {
    "artist": _artist,
    "release": _release,
}
_TOGETHER: dict[str, Callable[[Sequence[Ask], Client], list[Answer]]] = {
    "recording": _recordings,
    "isrc": _isrcs,
    "search": _titles,
    "releases": _releases,
    "release_group": _release_groups,
    "release_search": _albums,
    "artist_search": _artists,
    **{
        name: partial(_linked, kind=kind, key=key, address=address)
        for name, (kind, key, address) in _BY_ADDRESS.items()
    },
}

_LUCENE = re.compile(r'([+\-&|!(){}\[\]^"~*?:\\/])')


def _words(name: Any) -> str:
    """A name as words of a Lucene query. In capitals AND, OR and NOT would be operators."""
    return _LUCENE.sub(r"\\\1", search_text(text(name)) or text(name)).lower()


def _all_words(name: Any) -> str:
    """The same, each of them required. Words that one spelling has and the next leaves out are not."""
    plain = _words(name)
    parts = [part for part in plain.split() if any(map(str.isalnum, part))]
    kept = [part for part in parts if part not in ("and", "the")] or parts
    return " ".join(f"+{part}" for part in kept) or plain


def _mbids(asks: Sequence[Ask], key: str) -> list[str]:
    """The ids to ask for, without repeats and without what is none."""
    return list(dict.fromkeys(text(ask.keys[key]).lower() for ask in asks if is_mbid(ask.keys[key])))


def _no_mbid(given: str) -> Answer:
    return Answer.nothing(f"{given[:80]!r} is not a MusicBrainz id")
