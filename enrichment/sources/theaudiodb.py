"""TheAudioDB (theaudiodb.com, API v1): bpm, key, pictures, biographies and links of what its members wrote up.

Limit: 30 calls a minute with the public key "123", 100 with a key of one's own (set the budget then); over it 429 and
nothing about how long: a minute. The key stands in the path; an unknown one is answered with 404 and a page in HTML.
Nothing found is 200 with null; every value is text or null, numbers too. The public key gets one row of a search.
Albums are release groups. Facts: reference, upstreams 1.7; TheAudioDB's pages docs_artwork and docs_terms_of_use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from enrichment.domain.matching import Performer, Side
from enrichment.domain.music import from_camelot, read_key
from enrichment.domain.outcomes import Answer, Judgement, Verdict
from enrichment.domain.questions import Budget, Chances, Freshness, Keys, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.domain.text import main_artist, search_text, split_artists
from enrichment.sources import links
from enrichment.sources.base import Ask, Line, Reply, Source, judge_http, mark
from enrichment.sources.countries import code_of, name_of
from enrichment.sources.reading import (
    Api,
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
    pages,
    pick,
    pick_performer,
    tempo,
    text,
    whole,
)

KEY = "THEAUDIODB_API_KEY"
PUBLIC_KEY = "123"
PAUSE = 60.0
"""Seconds after a 429: its page says to wait another minute."""

_SURE = {
    "": 0.7,
    "audio_features": 0.4,
    "barcode": 0.5,
    "bpm": 0.5,
    "country": 0.6,
    "country_code": 0.6,
    "genres": 0.5,
    "isrc": 0.6,
    "key": 0.45,
    "label": 0.5,
    "musicbrainz_id": 0.85,
    "musicbrainz_release_group_id": 0.85,
    "release_date": 0.6,  # a year, of the first release
    "spotify_id": 0.6,
}

_PARENT = ("performer.name", "performer.musicbrainz_id")
_TRACK = fields_of(
    Kind.TRACK,
    *("title", "artist_name", "artists", "album_title", "isrc", "spotify_id", "musicbrainz_id", "duration_ms", "bpm"),
    *("key", "audio_features", "genres", "release_date", "artwork_url", "external_urls", *_PARENT),
    *("album.title", "album.musicbrainz_release_group_id"),
)
_PERFORMER = fields_of(
    Kind.PERFORMER,
    *("name", "musicbrainz_id", "aliases", "genres", "country", "country_code", "biography", "image_url", "images"),
    "external_urls",
)
_ALBUM = fields_of(
    Kind.ALBUM,
    *("title", "artist_name", "musicbrainz_release_group_id", "spotify_id", "barcode", "label", "genres"),
    *("release_date", "cover_art_url", "images", "external_urls", *_PARENT),
)

_PORTRAITS = {
    "strArtistThumb": (700, 700),
    "strArtistWideThumb": (1000, 562),
    "strArtistFanart": (1280, 720),
    "strArtistFanart2": (1280, 720),
    "strArtistFanart3": (1280, 720),
    "strArtistFanart4": (1280, 720),
}
"""Width and height that it asks its members for. Logos, banners and cut-outs are no pictures of the performer."""
_COVERS = {"strAlbumThumbHQ": (None, None), "strAlbumThumb": (700, 700)}
_SITES = ("strWebsite", "strFacebook", "strTwitter", "strLastFMChart")
_PAGES = {
    "strWikidataID": "https://www.wikidata.org/wiki/",
    "strWikipediaID": "https://en.wikipedia.org/wiki/",
    "strAllMusicID": "https://www.allmusic.com/album/",
    "strDiscogsID": "https://www.discogs.com/master/",  # what MusicBrainz' release groups link to
}
"""Where an album's ids at other places lead to."""
_FEATURES = ("danceability", "energy", "valence", "acousticness", "instrumentalness", "liveness", "speechiness")
_SPOTIFY_ID = re.compile(r"[0-9A-Za-z]{22}")
_OPEN_KEY = re.compile(r"(?P<hour>1[0-2]|[1-9])(?P<mode>[dm])")
_BARCODE = re.compile(r"\d{8,14}")

_DEAR = 1.5
"""Its calls are few: 28 a minute."""


class Client(Api):
    """The API on the wire."""

    def __init__(self, line: Line) -> None:
        super().__init__(line)
        self._folder = ("api", "v1", "json", mark(KEY) if KEY in line.secrets else PUBLIC_KEY)

    def rows(self, page: str, name: str, **params: str) -> list[Json]:
        """The rows that a page answers with under this name; none where it says null."""
        reply = self.get(*self._folder, page, **params)
        rows = [] if reply is None else many(one(reply)[name])
        if not all(_text(row, f"id{_NAMES[name]}") for row in rows):
            raise ValueError("a row without an id")
        return rows


_NAMES = {"artists": "Artist", "album": "Album", "track": "Track"}


class TheAudioDB(Source[Client]):
    """Performers, albums and tracks by MusicBrainz id and by name."""

    name = "theaudiodb"
    url = "https://www.theaudiodb.com"
    budget = Budget((Limit(28, 60),), concurrency=2)
    secrets = (KEY,)
    terms = Terms(
        attribution="Data and artwork from TheAudioDB.com",
        url="https://www.theaudiodb.com",
        licence="TheAudioDB terms of use: may be copied and changed; the public key is for development, published and"
        " commercial use needs a paid one",
        commercial=False,
    )
    chances = Chances(
        reach=0.3,
        by_trait={"mainstream": 0.7, "obscure": 0.05},
        yields={"bpm": 0.4, "key": 0.1, "isrc": 0.3, "label": 0.5},
    )
    freshness = Freshness(days=60)
    questions = (
        Question(
            name="track",
            kind=Kind.TRACK,
            needs=("musicbrainz_id",),
            uses=("artist_name", "album_title"),
            gives=_TRACK,
            calls=_DEAR,
        ),
        Question(
            name="track_search",
            kind=Kind.TRACK,
            needs=("artist_name", "title"),
            identifies="musicbrainz_id",
            uses=("album_title", "duration_ms", "isrc"),
            gives=_TRACK,
            calls=_DEAR,
        ),
        Question(name="artist", kind=Kind.PERFORMER, needs=("musicbrainz_id",), gives=_PERFORMER, calls=_DEAR),
        Question(
            name="artist_search",
            kind=Kind.PERFORMER,
            needs=("name",),
            uses=("country_code", "labels", "external_urls"),
            identifies="musicbrainz_id",
            gives=_PERFORMER,
            calls=_DEAR,
        ),
        Question(
            name="album",
            kind=Kind.ALBUM,
            needs=("musicbrainz_release_group_id",),
            uses=("artist_name",),
            gives=_ALBUM,
            calls=_DEAR,
        ),
        Question(
            name="album_search",
            kind=Kind.ALBUM,
            needs=("artist_name", "title"),
            identifies="musicbrainz_release_group_id",
            gives=_ALBUM,
            calls=_DEAR,
        ),
    )

    def client(self, line: Line) -> Client:
        """The API on the wire, with the operator's key or the public one."""
        return Client(line)

    def ask(self, question: Question, asks: Sequence[Ask], client: Client) -> Sequence[Answer]:
        """One call for the one lookup."""
        return [_ASK[question.name](asks[0].keys, client)]

    def judge(self, reply: Reply) -> Judgement:
        """A 404 in HTML is a key it does not know; a 429 names no wait."""
        judgement = judge_http(reply)
        if judgement.verdict is Verdict.OUR_RATE:
            return Judgement(Verdict.OUR_RATE, judgement.retry_after or PAUSE, judgement.message)
        if reply.status == 404 and _is_page(reply):
            return Judgement(Verdict.REFUSED, None, "HTTP 404 with a page: the key or the method is not known")
        return judgement


def _is_page(reply: Reply) -> bool:
    return "html" in reply.headers.get("content-type", "") or reply.body.lstrip()[:1] == b"<"


# --- asking --------------------------------------------------------------------------------------------------------


def _track(keys: Keys, client: Client) -> Answer:
    return _by_mbid(Kind.TRACK, keys, "musicbrainz_id", lambda mbid: client.rows("track-mb.php", "track", i=mbid))


def _artist(keys: Keys, client: Client) -> Answer:
    return _by_mbid(
        Kind.PERFORMER, keys, "musicbrainz_id", lambda mbid: client.rows("artist-mb.php", "artists", i=mbid)
    )


def _album(keys: Keys, client: Client) -> Answer:
    field = "musicbrainz_release_group_id"
    return _by_mbid(Kind.ALBUM, keys, field, lambda mbid: client.rows("album-mb.php", "album", i=mbid))


def _by_mbid(kind: Kind, keys: Keys, field: str, rows: Callable[[str], list[Json]]) -> Answer:
    mbid = text(keys[field])
    if not is_mbid(mbid):
        return Answer.nothing("not a MusicBrainz id")
    found = rows(mbid)
    return _whole(kind, keys, found[0], 1.0, f"MusicBrainz id {mbid}") if found else Answer.nothing()


def _track_search(keys: Keys, client: Client) -> Answer:
    found = client.rows("searchtrack.php", "track", s=_artist_words(keys), t=search_text(text(keys["title"])))
    return _picked(Kind.TRACK, keys, found, [_side(row) for row in found])


def _album_search(keys: Keys, client: Client) -> Answer:
    found = client.rows("searchalbum.php", "album", s=_artist_words(keys), a=search_text(text(keys["title"])))
    sides = [Side(artist=_text(row, "strArtist"), title=_text(row, "strAlbum")) for row in found]
    return _picked(Kind.ALBUM, keys, found, sides)


def _picked(kind: Kind, keys: Keys, found: Sequence[Json], sides: Sequence[Side]) -> Answer:
    index, score, reason = pick(kind, keys, sides)
    return _whole(kind, keys, found[index], score, reason) if index is not None else Answer.nothing(reason)


def _artist_search(keys: Keys, client: Client) -> Answer:
    found = client.rows("search.php", "artists", s=text(keys["name"]))
    return pick_performer(
        keys,
        [_performer(row) for row in found],
        lambda index, score, reason: _told(Kind.PERFORMER, keys, found[index], score, reason),
    )


def _performer(artist: Json) -> Performer:
    """It is searched by other names too ("방탄소년단"), and says nothing of audiences: of two alike none is taken."""
    name, *others = _known_as(artist)
    return Performer(
        name,
        _mbid(artist) or text(artist.get("idArtist")),
        aliases=tuple(others),
        links=pages(_sites(artist)),
        labels=tuple(filter(None, [_text(artist, "strLabel")])),
        country=_country_code(artist),
    )


def _whole(kind: Kind, keys: Keys, row: Json, match: float, reason: str) -> Answer:
    return _told(kind, keys, row, match, reason).answer()


def _told(kind: Kind, keys: Keys, row: Json, match: float, reason: str) -> Told:
    told = Told(kind, keys, _SURE, match=match, reason=reason)
    _TELL[kind](told, row)
    return told


_ASK: dict[str, Callable[[Keys, Client], Answer]] = {
    "track": _track,
    "track_search": _track_search,
    "artist": _artist,
    "artist_search": _artist_search,
    "album": _album,
    "album_search": _album_search,
}


def _artist_words(keys: Keys) -> str:
    return main_artist(text(keys["artist_name"]))


def _side(track: Json) -> Side:
    code = isrc(track.get("strISRC"))
    return Side(
        artist=_text(track, "strArtist"),
        title=_text(track, "strTrack"),
        album=_text(track, "strAlbum"),
        duration_ms=milliseconds(track.get("intDuration")),
        isrc=(code,) if code else (),
    )


# --- reading -------------------------------------------------------------------------------------------------------


def _text(row: Json, name: str) -> str:
    return text(row.get(name))


def _known_as(artist: Json) -> list[str]:
    return [_text(artist, "strArtist"), _text(artist, "strArtistAlternate")]


def _mbid(row: Json, name: str = "strMusicBrainzID") -> str | None:
    mbid = _text(row, name)
    return mbid if is_mbid(mbid) else None


def _spotify_id(row: Json) -> str | None:
    found = _text(row, "strSpotifyID")
    return found if _SPOTIFY_ID.fullmatch(found) else None


def _genres(row: Json) -> list[str]:
    return genres((row.get("strGenre"), row.get("strStyle")))


def _tell_track(told: Told, track: Json) -> None:
    artist, album = _text(track, "strArtist"), _text(track, "strAlbum")
    told.tell(
        title=track.get("strTrack"),
        artist_name=artist,
        artists=[{"name": name, "role": role} for name, role in split_artists(artist)],
        album_title=album,
        isrc=isrc(track.get("strISRC")),
        spotify_id=_spotify_id(track),
        musicbrainz_id=_mbid(track),
        duration_ms=milliseconds(track.get("intDuration")),
        bpm=tempo(track.get("intTempo")),
        key=_key(track),
        audio_features=_audio_features(track),
        genres=_genres(track),
        release_date=date(track.get("intYearReleased")),
        artwork_url=_address(track.get("strTrackThumb")),
        external_urls=links.by_kind([(_address(track.get("strMusicVid")), "")]),
    )
    _tell_parent(told, track)
    if told.on_album(album):
        told.tell(Kind.ALBUM, title=album, musicbrainz_release_group_id=_mbid(track, "strMusicBrainzAlbumID"))


def _tell_parent(told: Told, row: Json) -> None:
    """The performer of a track or an album."""
    name = _text(row, "strArtist")
    if told.by_performer(name):
        told.tell(Kind.PERFORMER, name=name, musicbrainz_id=_mbid(row, "strMusicBrainzArtistID"))


def _tell_performer(told: Told, artist: Json) -> None:
    name, other = _known_as(artist)
    code = _country_code(artist)
    pictures = _pictures(artist, _PORTRAITS)
    told.tell(
        name=name,
        musicbrainz_id=_mbid(artist),
        aliases=[other] if other and other != name else None,
        genres=_genres(artist),
        country=name_of(code),
        country_code=code,
        biography=_biography(artist),
        image_url=pictures[0]["url"] if pictures else None,
        images=pictures,
        external_urls=_sites(artist),
    )


def _sites(artist: Json) -> dict[str, str]:
    sites = [(_address(artist.get(site)), "official homepage" if site == "strWebsite" else "") for site in _SITES]
    return links.by_kind((url, relation) for url, relation in sites if url)


def _tell_album(told: Told, album: Json) -> None:
    pictures = _pictures(album, _COVERS)
    barcode = _text(album, "strUPCID")
    told.tell(
        title=album.get("strAlbum"),
        artist_name=album.get("strArtist"),
        musicbrainz_release_group_id=_mbid(album),
        spotify_id=_spotify_id(album),
        barcode=barcode if _BARCODE.fullmatch(barcode) else None,
        label=album.get("strLabel"),
        genres=_genres(album),
        release_date=date(album.get("intYearReleased")),
        cover_art_url=pictures[0]["url"] if pictures else None,
        images=pictures,
        external_urls=_pages(album),
    )
    _tell_parent(told, album)


def _pages(album: Json) -> dict[str, str]:
    known = ((page, _text(album, name)) for name, page in _PAGES.items())
    return links.by_kind((page + own_id, "") for page, own_id in known if own_id.strip("0"))


_TELL: dict[Kind, Callable[[Told, Json], None]] = {
    Kind.TRACK: _tell_track,
    Kind.PERFORMER: _tell_performer,
    Kind.ALBUM: _tell_album,
}


def _country_code(artist: Json) -> str:
    """Of the code, or of what stands last in "Michigan, USA"."""
    code = _text(artist, "strCountryCode").upper()
    return code if name_of(code) else code_of(_text(artist, "strCountry").rpartition(",")[2])


def _biography(artist: Json) -> str:
    """In English, else in the first language there is."""
    told = [_text(artist, name) for name in sorted(artist) if name.startswith("strBiography")]
    return _text(artist, "strBiographyEN") or next(filter(None, told), "")


def _key(track: Json) -> str | None:
    """From the Open Key, which cannot be misread ("6d" is B major, "1m" A minor), else from the key's name."""
    match = _OPEN_KEY.fullmatch(_text(track, "strOpenKey").lower())
    if match is None:
        return read_key(_text(track, "strKey"))
    return from_camelot(f"{(int(match['hour']) + 6) % 12 + 1}{'B' if match['mode'] == 'd' else 'A'}")


def _audio_features(track: Json) -> dict[str, float]:
    """As shares of 1; it counts to 100. All at 0 is nothing said."""
    given = {name: _text(track, f"int{name.capitalize()}") for name in _FEATURES}
    known = {name: whole(value) for name, value in given.items() if value}
    if not any(known.values()):
        return {}
    return {name: value / 100 for name, value in known.items() if 0 <= value <= 100}


def _pictures(row: Json, sizes: Mapping[str, tuple[int | None, int | None]]) -> list[Json]:
    found = ((_address(row.get(name)), width, height) for name, (width, height) in sizes.items())
    return [compact({"url": url, "width": width, "height": height}) for url, width, height in found if url]


def _address(value: Any) -> str:
    """An address as members write it, "www.litband.com" or whole; "" for what is none ("1")."""
    address = text(value)
    if not re.fullmatch(r"[^\s.]+\.\S+", address):
        return ""
    return address if re.match(r"https?://", address, re.IGNORECASE) else f"https://{address.lstrip('/')}"
