"""Deezer's public API (api.deezer.com): ISRC, bpm, covers, pictures and audience, without a key.

Limit: 50 calls in 5 s per IP. Every error comes with HTTP 200 (now and then "no data" with 404), and nothing says how
long to wait. Its dates are those of an edition, off by decades; a bpm of 0 means not known. Facts: reference,
upstreams 1.8 and 3.6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log10
from typing import Any

from enrichment.domain.matching import Performer, Side
from enrichment.domain.outcomes import Answer, Judgement, Verdict
from enrichment.domain.questions import Budget, Chances, Freshness, Keys, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.domain.text import search_text
from enrichment.sources.base import Ask, Line, Reply, Source, judge_http
from enrichment.sources.reading import (
    Api,
    Json,
    Told,
    compact,
    date,
    fields_of,
    fits,
    genres,
    isrc,
    many,
    milliseconds,
    one,
    pick,
    pick_performer,
    text,
    whole,
)

HITS = 25
PAUSE = 5.0
"""Seconds after "Quota limit exceeded": its window is 5 s long and it names no wait."""

_SURE = {
    "": 0.8,
    "deezer_id": 0.95,
    "bpm": 0.7,  # per edition; half or double now and then
    "cover_art_url": 0.75,
    "followers": 0.9,
    "genres": 0.4,  # two dozen names for all music
    "image_url": 0.7,
    "isrc": 0.75,  # that of a remaster as often as of the original
    "popularity": 0.7,
    "release_date": 0.3,  # of the edition: five well-known songs were off by 8 to 45 years
}

_HIT = fields_of(
    Kind.TRACK,
    *("deezer_id", "title", "artist_name", "artists", "album_title", "isrc", "duration_ms", "popularity", "explicit"),
    *("external_urls", "performer.deezer_id", "performer.name", "performer.image_url", "performer.images"),
    *("album.deezer_id", "album.title", "album.cover_art_url", "album.images", "artwork_url"),
)
_TRACK = _HIT | fields_of(Kind.TRACK, "bpm", "release_date", "album.release_date")
_ARTIST = fields_of(Kind.PERFORMER, "deezer_id", "name", "image_url", "images", "followers", "external_urls")
_ALBUM_HIT = fields_of(
    Kind.ALBUM,
    *("deezer_id", "title", "artist_name", "cover_art_url", "images", "external_urls"),
    *("performer.deezer_id", "performer.name", "performer.image_url", "performer.images"),
)
_ALBUM = _ALBUM_HIT | fields_of(Kind.ALBUM, "barcode", "label", "genres", "release_date", "tracklist")

_SIZES = (("xl", 1000), ("big", 500), ("medium", 250), ("small", 56))
_VERDICTS = {
    800: Verdict.ANSWER,  # no data
    4: Verdict.OUR_RATE,
    700: Verdict.SHED,  # service busy
    500: Verdict.BAD_REQUEST,
    501: Verdict.BAD_REQUEST,
    600: Verdict.BAD_REQUEST,
    100: Verdict.REFUSED,
    200: Verdict.REFUSED,
    300: Verdict.REFUSED,
}
"""By the error code in the body."""


class Deezer(Source[Api]):
    """Tracks, artists and albums by id, by code and by name."""

    name = "deezer"
    url = "https://api.deezer.com"
    budget = Budget((Limit(45, 5, burst=4),), concurrency=8)
    terms = Terms(
        attribution="Data from Deezer",
        url="https://www.deezer.com",
        licence="Deezer API terms of use: personal, non-commercial",
        commercial=False,
    )
    chances = Chances(reach=0.9, by_question={"album_upc": 0.6}, yields={"bpm": 0.75, "isrc": 1.0, "label": 0.9})
    freshness = Freshness(days=30, by_field={"deezer_id": 90, "isrc": 90, "bpm": 90, "popularity": 14, "followers": 14})
    questions = (
        Question(
            name="track",
            kind=Kind.TRACK,
            needs=("deezer_id",),
            uses=("artist_name", "album_title"),
            gives=_TRACK,
        ),
        Question(
            name="isrc",
            kind=Kind.TRACK,
            needs=("isrc",),
            identifies="deezer_id",
            uses=("artist_name", "title", "album_title", "duration_ms"),
            gives=_TRACK,
        ),
        Question(
            name="search",
            kind=Kind.TRACK,
            needs=("artist_name", "title"),
            identifies="deezer_id",
            uses=("album_title", "duration_ms", "isrc"),
            gives=_HIT,
        ),
        Question(name="artist", kind=Kind.PERFORMER, needs=("deezer_id",), gives=_ARTIST),
        Question(name="artist_search", kind=Kind.PERFORMER, needs=("name",), identifies="deezer_id", gives=_ARTIST),
        Question(name="album", kind=Kind.ALBUM, needs=("deezer_id",), uses=("artist_name",), gives=_ALBUM),
        Question(
            name="album_upc",
            kind=Kind.ALBUM,
            needs=("barcode",),
            identifies="deezer_id",
            uses=("artist_name", "title"),
            gives=_ALBUM,
        ),
        Question(
            name="album_search",
            kind=Kind.ALBUM,
            needs=("artist_name", "title"),
            identifies="deezer_id",
            gives=_ALBUM_HIT,
        ),
    )

    def client(self, line: Line) -> Api:
        """The API on the wire."""
        return Api(line)

    def ask(self, question: Question, asks: Sequence[Ask], client: Api) -> Sequence[Answer]:
        """One call for the one lookup."""
        return [_ASK[question.name](asks[0].keys, client)]

    def judge(self, reply: Reply) -> Judgement:
        """Errors come with 200 and a code in the body."""
        error = _error_in(reply)
        if not error:
            return judge_http(reply)
        verdict = _VERDICTS.get(whole(error.get("code")), Verdict.FAILING)
        message = f"{text(error.get('type'))}: {text(error.get('message'))}"[:200]
        return Judgement(verdict, PAUSE if verdict is Verdict.OUR_RATE else None, message)


def _error_in(reply: Reply) -> Json:
    """The error object of a reply; empty where it holds none."""
    if b'"error"' not in reply.body[:200]:
        return {}
    try:
        content = reply.json()
    except ValueError:
        return {}
    error = content.get("error") if isinstance(content, dict) else None
    return error if isinstance(error, dict) else {}


def popularity(rank: Any) -> int | None:
    """Deezer's rank, 0 to 1,000,000, as 0 to 100: 100 × log10(1 + rank) / 6.

    Ranks spread over orders of magnitude: 10 becomes 17, 1,000 becomes 50, 100,000 becomes 83.
    """
    number = whole(rank)
    return min(100, round(100 * log10(1 + number) / 6)) if number > 0 else None


# --- asking --------------------------------------------------------------------------------------------------------


def _entity(reply: Any) -> Json | None:
    """A lookup's object, or None where there is no data."""
    found = one(reply)
    if reply is None or "error" in found:
        return None
    if not text(found["id"]):
        raise ValueError("an entity without an id")
    return found


def _hits(reply: Any) -> list[Json]:
    found = one(reply)
    return [] if reply is None or "error" in found else many(found["data"])


def _track(keys: Keys, client: Api) -> Answer:
    return _whole_track(keys, _entity(client.get("track", text(keys["deezer_id"]))), 1.0, "Deezer's own id")


def _isrc(keys: Keys, client: Api) -> Answer:
    code = isrc(keys["isrc"])
    if code is None:
        return Answer.nothing("not an ISRC")
    track = _entity(client.get("track", f"isrc:{code}"))
    if track is None:
        return Answer.nothing()
    taken, score, reason = fits(Kind.TRACK, keys, _side(track))
    return _whole_track(keys, track, score, reason) if taken else Answer.nothing(reason)


def _whole_track(keys: Keys, track: Json | None, match: float, reason: str) -> Answer:
    if track is None:
        return Answer.nothing()
    told = Told(Kind.TRACK, keys, _SURE, match=match, reason=reason)
    _tell_track(told, track)
    return told.answer()


def _search(keys: Keys, client: Api) -> Answer:
    # Plain words find more than its artist:"" track:"" syntax.
    found = _hits(client.get("search", q=_words(keys["artist_name"], keys["title"]), limit=HITS))
    index, score, reason = pick(Kind.TRACK, keys, [_side(row) for row in found])
    return _whole_track(keys, found[index], score, reason) if index is not None else Answer.nothing(reason)


def _artist(keys: Keys, client: Api) -> Answer:
    artist = _entity(client.get("artist", text(keys["deezer_id"])))
    if artist is None:
        return Answer.nothing()
    told = Told(Kind.PERFORMER, keys, _SURE, reason="Deezer's own id")
    _tell_artist(told, None, artist)
    return told.answer()


def _artist_search(keys: Keys, client: Api) -> Answer:
    found = _hits(client.get("search", "artist", q=text(keys["name"]), limit=HITS))
    hits = [Performer(text(row.get("name")), text(row["id"]), fans=whole(row.get("nb_fan"))) for row in found]

    def tell(index: int, score: float, reason: str) -> Told:
        told = Told(Kind.PERFORMER, keys, _SURE, match=score, reason=reason)
        _tell_artist(told, None, found[index])
        return told

    return pick_performer(keys, hits, tell)


def _album(keys: Keys, client: Api) -> Answer:
    return _whole_album(keys, _entity(client.get("album", text(keys["deezer_id"]))), 1.0, "Deezer's own id")


def _album_upc(keys: Keys, client: Api) -> Answer:
    album = _entity(client.get("album", f"upc:{text(keys['barcode'])}"))
    if album is None:
        return Answer.nothing()
    taken, score, reason = fits(Kind.ALBUM, keys, _album_side(album))
    return _whole_album(keys, album, score, reason) if taken else Answer.nothing(reason)


def _album_search(keys: Keys, client: Api) -> Answer:
    found = _hits(client.get("search", "album", q=_words(keys["artist_name"], keys["title"]), limit=HITS))
    index, score, reason = pick(Kind.ALBUM, keys, [_album_side(row) for row in found])
    return _whole_album(keys, found[index], score, reason) if index is not None else Answer.nothing(reason)


def _whole_album(keys: Keys, album: Json | None, match: float, reason: str) -> Answer:
    if album is None:
        return Answer.nothing()
    told = Told(Kind.ALBUM, keys, _SURE, match=match, reason=reason)
    _tell_album(told, album)
    return told.answer()


_ASK: dict[str, Callable[[Keys, Api], Answer]] = {
    "track": _track,
    "isrc": _isrc,
    "search": _search,
    "artist": _artist,
    "artist_search": _artist_search,
    "album": _album,
    "album_upc": _album_upc,
    "album_search": _album_search,
}


def _words(artist: Any, title: Any) -> str:
    return f"{search_text(text(artist))} {search_text(text(title))}"


def _side(track: Json) -> Side:
    code = isrc(track.get("isrc"))
    return Side(
        artist=", ".join(_names(track)),
        title=text(track.get("title")),
        album=text(one(track.get("album")).get("title")),
        duration_ms=milliseconds(track.get("duration"), unit=1000),
        isrc=(code,) if code else (),
    )


def _album_side(album: Json) -> Side:
    return Side(artist=text(one(album.get("artist")).get("name")), title=text(album.get("title")))


# --- reading -------------------------------------------------------------------------------------------------------


def _names(track: Json) -> list[str]:
    """Everybody credited; search hits name only the first."""
    names = [text(person.get("name")) for person in many(track.get("contributors"))]
    return [name for name in names if name] or [text(one(track.get("artist")).get("name"))]


def _tell_track(told: Told, track: Json) -> None:
    artist, album = one(track.get("artist")), one(track.get("album"))
    told.tell(
        deezer_id=track["id"],
        title=track.get("title"),
        artist_name=artist.get("name"),
        artists=_artists(track),
        album_title=album.get("title"),
        isrc=isrc(track.get("isrc")),
        duration_ms=milliseconds(track.get("duration"), unit=1000),
        bpm=_bpm(track.get("bpm")),
        popularity=popularity(track.get("rank")),
        explicit=track.get("explicit_lyrics"),
        release_date=date(track.get("release_date")),
        external_urls=_link(track),
    )
    if told.by_performer(text(artist.get("name"))):
        _tell_artist(told, Kind.PERFORMER, artist)
    if told.on_album(text(album.get("title"))):
        told.tell(
            Kind.ALBUM,
            deezer_id=album.get("id"),
            title=album.get("title"),
            release_date=date(album.get("release_date")),
            cover_art_url=_largest(album, "cover"),
            images=_images(album, "cover"),
        )
    else:
        told.tell(artwork_url=_largest(album, "cover"))


def _artists(track: Json) -> list[Json]:
    people = many(track.get("contributors")) or [one(track.get("artist"))]
    rows = [(text(person.get("name")), text(person.get("role")).lower()) for person in people]
    return [{"name": name, "role": "featured" if role == "featured" else "main"} for name, role in rows if name]


def _bpm(value: Any) -> Any:
    """Beats per minute, or None for 0: not known."""
    return value if isinstance(value, int | float) and value > 0 else None


def _tell_artist(told: Told, about: Kind | None, artist: Json) -> None:
    told.tell(
        about,
        deezer_id=artist.get("id"),
        name=artist.get("name"),
        image_url=_largest(artist, "picture"),
        images=_images(artist, "picture"),
    )
    if about is None:
        told.tell(followers=artist.get("nb_fan"), external_urls=_link(artist))


def _tell_album(told: Told, album: Json) -> None:
    artist = one(album.get("artist"))
    told.tell(
        deezer_id=album["id"],
        title=album.get("title"),
        artist_name=artist.get("name"),
        barcode=album.get("upc"),
        label=album.get("label"),
        genres=genres(genre.get("name") for genre in many(one(album.get("genres")).get("data"))),
        release_date=date(album.get("release_date")),
        cover_art_url=_largest(album, "cover"),
        images=_images(album, "cover"),
        tracklist=_tracklist(many(one(album.get("tracks")).get("data"))),
        external_urls=_link(album),
    )
    if told.by_performer(text(artist.get("name"))):
        _tell_artist(told, Kind.PERFORMER, artist)


def _tracklist(tracks: Sequence[Json]) -> list[Json]:
    return [
        compact(
            {
                "position": position,
                "title": text(track.get("title")),
                "duration_ms": milliseconds(track.get("duration"), unit=1000),
                "isrc": isrc(track.get("isrc")),
            }
        )
        for position, track in enumerate(tracks, start=1)
    ]


def _images(entity: Json, name: str) -> list[Json]:
    """The picture in its sizes, the largest first. One without a hash in its address is the grey default."""
    found = [(text(entity.get(f"{name}_{size}")), pixels) for size, pixels in _SIZES]
    return [{"url": url, "width": px, "height": px} for url, px in found if url and not is_default_picture(url)]


def is_default_picture(url: str) -> bool:
    """Is this the picture that Deezer shows where it has none?"""
    return "/images/artist//" in url or "/images/cover//" in url


def _largest(entity: Json, name: str) -> str | None:
    return next((image["url"] for image in _images(entity, name)), None)


def _link(entity: Json) -> dict[str, str]:
    link = text(entity.get("link"))
    return {"deezer": link} if link else {}
