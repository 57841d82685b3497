"""The iTunes Search API (itunes.apple.com): covers, durations, genres and store pages, without a key.

Limit: about 20 calls a minute, "subject to change"; over it 403 (seen with an empty body and with an empty result) or
429, which name no wait. Replies are JSON called text/javascript. It knows no ISRC, and its ids are those of one store:
everything is searched by name. Its dates are those of an edition. Facts: reference, upstreams 1.9 and 3.6; refusals as
reported in Vinelab/iTunes#5 and facundoolano/app-store-scraper#194.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from enrichment.domain.matching import Performer, Side
from enrichment.domain.outcomes import Answer, Judgement, Verdict
from enrichment.domain.questions import Budget, Chances, Freshness, Keys, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.domain.text import main_artist, search_text, split_artists, split_title
from enrichment.sources import links
from enrichment.sources.base import Ask, Line, Reply, Source, judge_http, retry_after
from enrichment.sources.reading import (
    Api,
    Json,
    Told,
    date,
    fields_of,
    genres,
    many,
    milliseconds,
    one,
    pick,
    pick_performer,
    text,
)

HITS = 25
PAUSE = 60.0
"""Seconds after a refusal that names none: what it documents is counted by the minute."""

_SURE = {
    "": 0.75,
    "cover_art_url": 0.7,
    "genres": 0.45,  # one name of some two hundred
    "release_date": 0.35,  # of the edition: a third of fifteen well-known songs were off
}

_TRACK = fields_of(
    Kind.TRACK,
    *("title", "artist_name", "artists", "album_title", "duration_ms", "explicit", "genres", "release_date"),
    *("artwork_url", "external_urls", "performer.name", "performer.external_urls", "album.title", "album.artist_name"),
    *("album.cover_art_url", "album.images", "album.external_urls"),
)
_PERFORMER = fields_of(Kind.PERFORMER, "name", "genres", "external_urls")
_ALBUM = fields_of(
    Kind.ALBUM,
    *("title", "artist_name", "genres", "release_date", "cover_art_url", "images", "external_urls"),
    *("performer.name", "performer.external_urls"),
)

_SIZE = re.compile(r"/\d+x\d+(?P<how>[a-z]*(?:-\d+)?)\.(?=\w+$)")
LARGEST = 3000
"""Pixels that a cover is asked for; it comes as large as it was delivered to the store."""
_SIZES = (600, 100)
_KIND_OF_ALBUM = re.compile(r" - (?:Single|EP)$")
_EXPLICIT = {"explicit": True, "notExplicit": False, "cleaned": False}

_DEAR = 3.0
"""Its calls are few: 18 a minute."""


class ITunes(Source[Api]):
    """Songs, artists and albums of the store, by name."""

    name = "itunes"
    url = "https://itunes.apple.com"
    budget = Budget((Limit(18, 60),), concurrency=2)
    terms = Terms(
        attribution="Provided courtesy of iTunes",
        url="https://music.apple.com",
        licence="iTunes Search API: only to promote what the store sells, beside a badge that links to it",
        commercial=False,
    )
    chances = Chances(reach=0.9)
    freshness = Freshness(days=30, by_field={"duration_ms": 90, "release_date": 90})
    questions = (
        Question(
            name="search",
            kind=Kind.TRACK,
            needs=("artist_name", "title"),
            uses=("album_title", "duration_ms"),
            gives=_TRACK,
            calls=_DEAR,
        ),
        Question(name="artist_search", kind=Kind.PERFORMER, needs=("name",), gives=_PERFORMER, calls=_DEAR),
        Question(name="album_search", kind=Kind.ALBUM, needs=("artist_name", "title"), gives=_ALBUM, calls=_DEAR),
    )

    def client(self, line: Line) -> Api:
        """The API on the wire."""
        return Api(line)

    def ask(self, question: Question, asks: Sequence[Ask], client: Api) -> Sequence[Answer]:
        """One call for the one lookup."""
        return [_ASK[question.name](asks[0].keys, client)]

    def judge(self, reply: Reply) -> Judgement:
        """There is no key that could be refused: 403 is our rate as 429 is, whatever the body says."""
        if reply.status in (403, 429):
            return Judgement(Verdict.OUR_RATE, retry_after(reply) or PAUSE, f"HTTP {reply.status}: {reply.text[:200]}")
        return judge_http(reply)


# --- asking --------------------------------------------------------------------------------------------------------


def _hits(client: Api, entity: str, term: str) -> list[Json]:
    found = one(client.get("search", term=term, media="music", entity=entity, limit=HITS))
    return many(found["results"])


def _search(keys: Keys, client: Api) -> Answer:
    found = [row for row in _hits(client, "song", _words(keys)) if text(row["trackName"])]
    index, score, reason = pick(Kind.TRACK, keys, [_side(row) for row in found])
    if index is None:
        return Answer.nothing(reason)
    told = Told(Kind.TRACK, keys, _SURE, match=score, reason=reason)
    _tell_track(told, found[index])
    return told.answer()


def _artist_search(keys: Keys, client: Api) -> Answer:
    found = [row for row in _hits(client, "musicArtist", text(keys["name"])) if text(row["artistName"])]
    # It says nothing of audiences: of two alike none is taken.
    hits = [Performer(text(row["artistName"]), text(row.get("artistId"))) for row in found]

    def tell(index: int, score: float, reason: str) -> Told:
        told = Told(Kind.PERFORMER, keys, _SURE, match=score, reason=reason)
        artist = found[index]
        told.tell(
            name=artist["artistName"],
            genres=_genres(artist),
            external_urls=_link(artist, "artistLinkUrl") or _link(artist, "artistViewUrl"),
        )
        return told

    return pick_performer(keys, hits, tell)


def _album_search(keys: Keys, client: Api) -> Answer:
    found = [row for row in _hits(client, "album", _words(keys)) if text(row["collectionName"])]
    sides = [Side(artist=text(row.get("artistName")), title=_album_title(row)) for row in found]
    index, score, reason = pick(Kind.ALBUM, keys, sides)
    if index is None:
        return Answer.nothing(reason)
    told = Told(Kind.ALBUM, keys, _SURE, match=score, reason=reason)
    _tell_album(told, found[index])
    return told.answer()


_ASK: dict[str, Callable[[Keys, Api], Answer]] = {
    "search": _search,
    "artist_search": _artist_search,
    "album_search": _album_search,
}


def _words(keys: Keys) -> str:
    return f"{search_text(main_artist(text(keys['artist_name'])))} {search_text(text(keys['title']))}"


def _side(track: Json) -> Side:
    return Side(
        artist=text(track.get("artistName")),
        title=text(track["trackName"]),
        album=_album_title(track),
        duration_ms=milliseconds(track.get("trackTimeMillis")),
    )


# --- reading -------------------------------------------------------------------------------------------------------


def _tell_track(told: Told, track: Json) -> None:
    artist, album, covers = text(track.get("artistName")), _album_title(track), _covers(track)
    told.tell(
        title=track["trackName"],
        artist_name=artist,
        artists=_artists(artist, text(track["trackName"])),
        album_title=album,
        duration_ms=milliseconds(track.get("trackTimeMillis")),
        explicit=_EXPLICIT.get(text(track.get("trackExplicitness"))),
        genres=_genres(track),
        release_date=date(track.get("releaseDate")),
        artwork_url=_largest(covers),
        external_urls=_link(track, "trackViewUrl"),
    )
    _tell_performer(told, track)
    if told.on_album(album):
        told.tell(
            Kind.ALBUM,
            title=album,
            artist_name=text(track.get("collectionArtistName")) or artist,
            cover_art_url=_largest(covers),
            images=covers,
            external_urls=_link(track, "collectionViewUrl"),
        )


def _tell_album(told: Told, album: Json) -> None:
    covers = _covers(album)
    told.tell(
        title=_album_title(album),
        artist_name=album.get("artistName"),
        genres=_genres(album),
        release_date=date(album.get("releaseDate")),
        cover_art_url=_largest(covers),
        images=covers,
        external_urls=_link(album, "collectionViewUrl"),
    )
    _tell_performer(told, album)


def _tell_performer(told: Told, row: Json) -> None:
    name = text(row.get("artistName"))
    if told.by_performer(name):
        told.tell(Kind.PERFORMER, name=name, external_urls=_link(row, "artistViewUrl"))


def _artists(credit: str, title: str) -> list[Json]:
    """Those of the credit, then the guests that only the title names."""
    roles: dict[str, str] = {}
    for name, role in (*split_artists(credit), *((guest, "featured") for guest in split_title(title).featured)):
        roles.setdefault(name, role)
    return [{"name": name, "role": role} for name, role in roles.items()]


def _album_title(row: Json) -> str:
    """Without the kind that the store puts behind it: "Levitating - Single"."""
    return _KIND_OF_ALBUM.sub("", text(row.get("collectionName")))


def _genres(row: Json) -> list[str]:
    return [name for name in genres([row.get("primaryGenreName")]) if name != "music"]


def _covers(row: Json) -> list[Json]:
    """The cover, the largest first; its address names the size that is wanted."""
    url = text(row.get("artworkUrl100")) or text(row.get("artworkUrl60"))
    if not _SIZE.search(url):
        return [{"url": url}] if url else []
    sized = [{"url": _resized(url, size), "width": size, "height": size} for size in _SIZES]
    return [{"url": _resized(url, LARGEST)}, *sized]


def _resized(url: str, size: int) -> str:
    return _SIZE.sub(rf"/{size}x{size}\g<how>.", url)


def _largest(covers: Sequence[Json]) -> str | None:
    return next((cover["url"] for cover in covers), None)


def _link(row: Json, name: str) -> dict[str, str]:
    return links.by_kind([(text(row.get(name)), "")])
