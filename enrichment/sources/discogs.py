"""Discogs (api.discogs.com), asked with python3-discogs-client: albums as they were pressed, and who made them.

Limit: 60 calls in any 60 s with a token, 25 without; searches and the addresses of pictures need one. An album is a
release (one pressing) or a master (what its pressings share): their numbers overlap, so a master's `discogs_id` is
written `m4242`, as Discogs' own texts do. Facts: reference, upstreams 1.6, 3.4 and 3.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

import discogs_client
from discogs_client.fetchers import Fetcher

from enrichment.domain.matching import Performer, Side, same_artist
from enrichment.domain.outcomes import Answer, Judgement, Verdict
from enrichment.domain.questions import Budget, Chances, Freshness, Keys, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.domain.text import main_artist, search_text, words
from enrichment.sources import links
from enrichment.sources.base import USER_AGENT, Ask, Line, Reply, Source, judge_http, retry_after
from enrichment.sources.reading import (
    Json,
    Told,
    compact,
    date,
    fields_of,
    fits,
    genres,
    many,
    pick,
    pick_performer,
    text,
    texts,
    whole,
)

HITS = 50
PAUSE = 60.0
"""Seconds after a refusal that names no wait: by then its whole window has passed."""

TOKEN = "DISCOGS_TOKEN"  # noqa: S105 - the name of the variable, not what is in it
PAGES = "https://www.discogs.com"

_DEAR = 1.5
"""What a call costs us, in calls: of all that are asked by name it permits the fewest."""
_PICTURES = ("image_url", "images", "cover_art_url")
"""What its terms call restricted; names, titles, dates, labels, codes, genres, profiles and tracks are CC0."""
_SURE = {
    "": 0.8,
    "discogs_id": 0.95,
    "barcode": 0.7,  # of this pressing
    "cover_art_url": 0.6,
    "genres": 0.7,
    "image_url": 0.5,
    "label": 0.75,
    "release_date": 0.6,  # of this pressing
    "tracklist": 0.75,
}
_ORIGINAL = 1.3
"""How much surer a master's year is than that of a pressing: it is the year of the first one."""
_THUMB = 0.5
"""How much less a picture of 150 pixels is worth."""

_ARTIST_HIT = fields_of(Kind.PERFORMER, "discogs_id", "name", "image_url", "images", "external_urls")
_ARTIST = _ARTIST_HIT | fields_of(Kind.PERFORMER, "aliases", "biography", "spotify_id", "deezer_id", "wikidata_id")
_ALBUM_HIT = fields_of(
    Kind.ALBUM,
    *("discogs_id", "title", "artist_name", "label", "barcode", "release_date", "genres", "cover_art_url", "images"),
    "external_urls",
)
_ALBUM = _ALBUM_HIT | fields_of(Kind.ALBUM, "tracklist", "performer.discogs_id", "performer.name")

_ALBUM_ID = re.compile(r"(?P<kind>[rm]?)(?P<number>[0-9]+)")
_NUMBERED = re.compile(r"(?P<name>.*\S)\s+\([0-9]{1,3}\)")
_THE = re.compile(r"(?P<name>.+), The")
_CREDIT_MARKS = re.compile(r"\s\([0-9]{1,3}\)(?=\*?(?:[\s,]|$))|\*(?=[\s,]|$)")
_CLOCK = re.compile(r"(?:(?P<hours>[0-9]+):)?(?P<minutes>[0-9]+):(?P<seconds>[0-5][0-9])")
_VARIOUS = "Various"


class _NotThere(Exception):  # noqa: N818 - an answer, not an error
    """Discogs has nothing under this number."""


class _Fetcher(Fetcher):  # type: ignore[misc]  # discogs_client has no types
    """The library's requests on the wire: no retries of its own, the token in a header and not in the address."""

    def __init__(self, line: Line) -> None:
        self._session = line.requests_session()
        token = line.secrets.get(TOKEN)
        self._headers = {"authorization": f"Discogs token={token}"} if token else {}

    def fetch(self, _client: Any, method: str, url: str, **_options: Any) -> tuple[bytes, int]:
        """(body, status). Raises _NotThere for a 404, of which the library makes what its body happens to be."""
        reply = self._session.request(method, url, headers=self._headers)
        if reply.status_code in (404, 410):
            raise _NotThere
        return reply.content, reply.status_code


class Client(discogs_client.Client):  # type: ignore[misc]  # discogs_client has no types
    """The library on a line. Thread-safe. Its objects fetch by themselves what they miss: only `data` is read."""

    def __init__(self, line: Line) -> None:
        super().__init__(USER_AGENT)
        self._base_url = line.base_url
        self._fetcher = _Fetcher(line)

    def whole(self, entity: Any) -> Json | None:
        """All that Discogs says of an artist, a release or a master, in one call; None where there is none."""
        try:
            entity.refresh()
        except _NotThere:
            return None
        return dict(entity.data)

    def hits(self, **criteria: Any) -> list[Json]:
        """The hits of a search's first page, in one call."""
        found = self.search(**{name: value for name, value in criteria.items() if value})
        found.per_page = HITS
        try:
            return [dict(hit.data) for hit in found.page(1)]
        except _NotThere:
            return []


class Discogs(Source[Client]):
    """Albums and performers by number and by name, albums by barcode."""

    name = "discogs"
    url = "https://api.discogs.com"
    budget = Budget((Limit(23, 60, burst=1),), concurrency=4)
    secrets = (TOKEN,)
    terms = Terms(
        attribution="Data provided by Discogs",
        url=PAGES,
        licence="CC0",
    ).but_for(*_PICTURES, licence="restricted data by Discogs' API terms of use", keep_seconds=6 * 3600.0)
    chances = Chances(reach=0.6, by_trait={"electronic": 0.8})
    freshness = Freshness(days=60, by_field={"discogs_id": 90, "barcode": 90, "label": 90, "tracklist": 90})
    cache_seconds = 6 * 3600.0
    questions = (
        Question(
            name="album", kind=Kind.ALBUM, needs=("discogs_id",), uses=("artist_name",), gives=_ALBUM, calls=_DEAR
        ),
        Question(
            name="album_barcode",
            kind=Kind.ALBUM,
            needs=("barcode",),
            identifies="discogs_id",
            uses=("artist_name", "title"),
            gives=_ALBUM_HIT,
            calls=_DEAR,
            requires=(TOKEN,),
        ),
        Question(
            name="album_search",
            kind=Kind.ALBUM,
            needs=("artist_name", "title"),
            identifies="discogs_id",
            gives=_ALBUM_HIT,
            calls=_DEAR,
            requires=(TOKEN,),
        ),
        Question(name="artist", kind=Kind.PERFORMER, needs=("discogs_id",), gives=_ARTIST, calls=_DEAR),
        Question(
            name="artist_search",
            kind=Kind.PERFORMER,
            needs=("name",),
            identifies="discogs_id",
            gives=_ARTIST_HIT,
            calls=_DEAR,
            requires=(TOKEN,),
        ),
    )

    def budget_with(self, secrets: Mapping[str, str]) -> Budget:
        """More than twice as much with a token."""
        return Budget((Limit(55, 60, burst=2),), concurrency=4) if secrets.get(TOKEN) else self.budget

    def ids(self, kind: Kind, given: str) -> Sequence[Mapping[str, str]]:
        """Releases and masters are numbered apart; a master's number is written `m4242`."""
        readings = (given, f"m{given}") if kind is Kind.ALBUM and given.isdecimal() else (given,)
        return tuple({"discogs_id": reading} for reading in readings)

    def client(self, line: Line) -> Client:
        """The library on the wire."""
        return Client(line)

    def ask(self, question: Question, asks: Sequence[Ask], client: Client) -> Sequence[Answer]:
        """One call for the one lookup."""
        return [_ASK[question.name](asks[0].keys, client)]

    def judge(self, reply: Reply) -> Judgement:
        """Refusals seldom name a wait, and a search that it cannot parse comes as a failure of the server."""
        judged = judge_http(reply)
        if judged.verdict is Verdict.OUR_RATE:
            return Judgement(Verdict.OUR_RATE, retry_after(reply) or PAUSE, judged.message)
        if reply.status == 500 and b"Malformed query" in reply.body:
            return Judgement(Verdict.BAD_REQUEST, None, judged.message)
        return judged


# --- asking --------------------------------------------------------------------------------------------------------


def _album(keys: Keys, client: Client) -> Answer:
    given = text(keys["discogs_id"])
    match = _ALBUM_ID.fullmatch(given)
    if match is None:
        return Answer.nothing(f"{given[:80]!r} is not a Discogs id")
    master = match["kind"] == "m"
    album = client.whole((client.master if master else client.release)(int(match["number"])))
    if album is None:
        return Answer.nothing()
    told = Told(Kind.ALBUM, keys, _SURE, reason=f"Discogs {'master' if master else 'release'} {match['number']}")
    _tell_album(told, album, master=master)
    return told.answer()


def _album_barcode(keys: Keys, client: Client) -> Answer:
    code = _digits(keys["barcode"])
    if not code:
        return Answer.nothing("not a barcode")
    found = _albums(client.hits(barcode=code))
    sides = [_album_side(keys, hit) for hit in found]
    judged = [fits(Kind.ALBUM, keys, side) for side in sides]
    for side, (taken, score, reason) in zip(sides, judged, strict=True):
        if taken:
            return _told_hit(keys, _alike(found, sides, side), score, reason)
    return Answer.nothing(judged[0][2] if judged else "")


def _album_search(keys: Keys, client: Client) -> Answer:
    artist = main_artist(text(keys["artist_name"]))
    artist = _VARIOUS if same_artist(artist, "Various Artists") == 1.0 else search_text(artist)
    found = _albums(client.hits(artist=artist, release_title=search_text(text(keys["title"]))))
    sides = [_album_side(keys, hit) for hit in found]
    index, score, reason = pick(Kind.ALBUM, keys, sides)
    if index is None:
        return Answer.nothing(reason)
    return _told_hit(keys, _alike(found, sides, sides[index]), score, reason)


def _artist(keys: Keys, client: Client) -> Answer:
    given = text(keys["discogs_id"])
    if not re.fullmatch("[0-9]+", given):
        return Answer.nothing(f"{given[:80]!r} is not a Discogs id")
    artist = client.whole(client.artist(int(given)))
    if artist is None:
        return Answer.nothing()
    told = Told(Kind.PERFORMER, keys, _SURE, reason=f"Discogs artist {given}")
    _tell_artist(told, artist)
    return told.answer()


def _artist_search(keys: Keys, client: Client) -> Answer:
    listed = client.hits(q=search_text(text(keys["name"])), type="artist")
    found = [hit for hit in listed if hit.get("type") == "artist"]
    # Nothing in a hit says which of several of one name people mean: the one numbered (2) may be the famous one.
    hits = [Performer(_name(hit.get("title")), text(_number(hit))) for hit in found]

    def tell(index: int, score: float, reason: str) -> Told:
        told = Told(Kind.PERFORMER, keys, _SURE, match=score, reason=reason)
        hit = found[index]
        told.tell(discogs_id=_number(hit), name=_name(hit["title"]), external_urls=_page(hit))
        _tell_picture(told, "image_url", hit)
        return told

    return pick_performer(keys, hits, tell)


_ASK: dict[str, Callable[[Keys, Client], Answer]] = {
    "album": _album,
    "album_barcode": _album_barcode,
    "album_search": _album_search,
    "artist": _artist,
    "artist_search": _artist_search,
}


# --- hits ----------------------------------------------------------------------------------------------------------


def _albums(hits: Iterable[Json]) -> list[Json]:
    return [hit for hit in hits if hit.get("type") in ("release", "master")]


def _album_side(keys: Keys, hit: Json) -> Side:
    artist, title = _artist_and_title(hit, text(keys.get("artist_name")))
    return Side(artist="Various Artists" if artist == _VARIOUS else artist, title=title)


def _artist_and_title(hit: Json, asked: str) -> tuple[str, str]:
    """A hit's title is "Artist - Title", and either may hold a dash: it is cut where the artist is most like ours."""
    parts = text(hit.get("title")).split(" - ")
    cuts = [(_credit(" - ".join(parts[:at])), " - ".join(parts[at:])) for at in range(1, len(parts))]
    return max(cuts, key=lambda cut: same_artist(asked, cut[0]), default=("", parts[0]))


def _credit(written: str) -> str:
    """Names as a hit writes them: numbered where several share one, starred where printed differently on the sleeve."""
    return _name(_CREDIT_MARKS.sub("", written))


def _alike(hits: Sequence[Json], sides: Sequence[Side], chosen: Side) -> list[Json]:
    """The hits that are the chosen album: its master and its pressings."""
    alike = [hit for hit, side in zip(hits, sides, strict=True) if side == chosen]
    master = next((text(hit.get("id")) for hit in alike if hit["type"] == "master"), None)
    of_it = [hit for hit in alike if master in (text(hit.get("master_id")), text(hit.get("id")))]
    return of_it or alike


def _told_hit(keys: Keys, alike: Sequence[Json], match: float, reason: str) -> Answer:
    """What the oldest pressing says; the master where no pressing is among the hits."""
    pressings = [hit for hit in alike if hit["type"] == "release"] or alike
    hit = min(pressings, key=lambda hit: date(hit.get("year")) or "9999")
    years = [year for each in alike if (year := date(each.get("year")))]
    artist, title = _artist_and_title(hit, text(keys.get("artist_name")))
    told = Told(Kind.ALBUM, keys, _SURE, match=match, reason=reason)
    told.tell(
        discogs_id=_number(hit, master=hit["type"] == "master"),
        title=title,
        artist_name=artist,
        label=_label(_listed(hit.get("label"))),
        barcode=next((code for code in map(_digits, _listed(hit.get("barcode"))) if _is_gtin(code)), None),
        genres=genres([*_listed(hit.get("genre")), *_listed(hit.get("style"))]),
        external_urls=_page(hit),
    )
    told.tell(release_date=min(years, default=None), factor=_ORIGINAL if len(alike) > len(pressings) else 1.0)
    _tell_picture(told, "cover_art_url", hit)
    return told.answer()


def _tell_picture(told: Told, field: str, hit: Json) -> None:
    large, small = _picture(hit.get("cover_image")), _picture(hit.get("thumb"))
    if url := large or small:
        told.tell(factor=1.0 if large else _THUMB, **{field: url, "images": [{"url": url}]})


def _listed(value: Any) -> list[str]:
    """A list of names; a hit of old has one name in its place."""
    return [value] if isinstance(value, str) else texts(value)


# --- reading -------------------------------------------------------------------------------------------------------


def _name(value: Any) -> str:
    """A name without the number that tells it from others of the same, and in its natural order."""
    name = " ".join(text(value).split())
    for mark in (_NUMBERED, _THE):
        if match := mark.fullmatch(name):
            name = f"The {match['name']}" if mark is _THE else match["name"]
    return name


def _number(entity: Json, *, master: bool = False) -> str:
    """The `discogs_id`. Raises ValueError where there is none."""
    number = text(entity["id"])
    if not number:
        raise ValueError("an entity without an id")
    return f"m{number}" if master else number


def _tell_album(told: Told, album: Json, *, master: bool) -> None:
    artists = many(album.get("artists"))
    images = _images(album)
    told.tell(
        discogs_id=_number(album, master=master),
        title=text(album["title"]),
        artist_name=_joined(artists),
        label=_label(text(label.get("name")) for label in many(album.get("labels"))),
        barcode=_barcode(many(album.get("identifiers"))),
        genres=genres([*texts(album.get("genres")), *texts(album.get("styles"))]),
        cover_art_url=next((image["url"] for image in images), None),
        images=images,
        tracklist=_tracklist(many(album.get("tracklist"))),
        external_urls=_page(album),
    )
    told.tell(release_date=date(album.get("released")) or date(album.get("year")), factor=_ORIGINAL if master else 1.0)
    if artists and told.by_performer(_name(artists[0].get("name"))):
        told.tell(Kind.PERFORMER, discogs_id=text(artists[0].get("id")), name=_name(artists[0].get("name")))


def _joined(artists: Sequence[Json]) -> str:
    """The credit as one line: "A, B & C"."""
    credit = ""
    for artist in artists[:-1]:
        join = text(artist.get("join")) or ","
        credit += f"{_name(artist.get('name'))}{'' if join == ',' else ' '}{join} "
    return credit + _name(artists[-1].get("name")) if artists else ""


def _label(names: Iterable[str]) -> str | None:
    """The first label. "Not On Label" says that there is none."""
    return next((_name(name) for name in names if name and not name.startswith("Not On Label")), None)


def _digits(value: Any) -> str:
    """A barcode as digits, from "7 2438 32448-1 2 >"; empty for anything else: hits mix matrix numbers with them."""
    plain = re.sub(r"[\s>-]+", "", text(value))
    return plain if plain.isascii() and plain.isdecimal() else ""


def _is_gtin(code: str) -> bool:
    """Has it a length of barcodes (EAN-8, UPC-A, EAN-13, GTIN-14) and the check digit that belongs to it?"""
    weighted = (int(digit) * (3, 1)[at % 2] for at, digit in enumerate(reversed(code[:-1])))
    return len(code) in (8, 12, 13, 14) and (sum(weighted) + int(code[-1])) % 10 == 0


def _barcode(identifiers: Iterable[Json]) -> str | None:
    """The barcode, the sound one of several notations."""
    codes = [_digits(row.get("value")) for row in identifiers if row.get("type") == "Barcode"]
    return next(filter(_is_gtin, codes), None) or next(filter(None, codes), None)


def _tracklist(rows: Sequence[Json]) -> list[Json]:
    """The tracks, counted through; vinyl's own positions (A1) are not told apart from other sources' counts."""
    placed = any(text(row.get("position")) for row in rows)
    tracks = [track for row in rows for track in _tracks(row, placed=placed)]
    return [
        compact(
            {
                "position": position,
                "title": text(track.get("title")),
                "duration_ms": _milliseconds(track.get("duration")),
            }
        )
        for position, track in enumerate(tracks, start=1)
    ]


def _tracks(row: Json, *, placed: bool) -> list[Json]:
    """A row's tracks: none for a heading, which old replies do not mark, the parts for a work without a place."""
    at, parts = text(row.get("position")), many(row.get("sub_tracks"))
    if parts and not at:
        return parts
    heading = "type_" not in row and placed and not at and not text(row.get("duration"))
    return [] if heading or row.get("type_") == "heading" else [row]


def _milliseconds(value: Any) -> int | None:
    """From "5:08" or "1:02:33"; None for 0 and where it is not known."""
    match = _CLOCK.fullmatch(text(value))
    if match is None:
        return None
    seconds = int(match["hours"] or 0) * 3600 + int(match["minutes"]) * 60 + int(match["seconds"])
    return seconds * 1000 or None


def _images(entity: Json) -> list[Json]:
    """Pictures, the primary one first. Without a token their addresses are empty."""
    rows = sorted(many(entity.get("images")), key=lambda row: row.get("type") != "primary")
    found = [
        compact(
            {
                "url": _picture(row.get("uri")) or _picture(row.get("resource_url")),
                "width": whole(row.get("width")) or None,
                "height": whole(row.get("height")) or None,
            }
        )
        for row in rows
    ]
    return [row for row in found if "url" in row]


def _picture(value: Any) -> str:
    """A picture's address; empty for the blank that stands for none. Old replies have it without the host."""
    url = text(value)
    return urljoin(Discogs.url, url) if url and "/spacer.gif" not in url else ""


def _page(entity: Json) -> dict[str, str]:
    """Its page at Discogs, to which the terms ask us to link. Hits have it without the host."""
    uri = text(entity.get("uri"))
    return {"discogs": urljoin(PAGES, uri)} if uri else {}


def _tell_artist(told: Told, artist: Json) -> None:
    name = _name(artist["name"])
    people = [person for group in ("aliases", "members", "groups") for person in many(artist.get(group))]
    others = [_name(alias.get("name")) for alias in many(artist.get("aliases"))]
    others += [_name(variation) for variation in texts(artist.get("namevariations"))]
    images = _images(artist)
    urls = _links(texts(artist.get("urls")))
    told.tell(
        discogs_id=_number(artist),
        name=name,
        aliases=[other for other in dict.fromkeys(others) if other and other != name],
        biography=plain_text(text(artist.get("profile")), {text(one.get("id")): one.get("name") for one in people}),
        image_url=next((image["url"] for image in images), None),
        images=images,
        external_urls=links.by_kind((url, _relation(url, name)) for url in urls) | _page(artist),
        **links.ids_in(Kind.PERFORMER, urls),
    )


def _links(urls: Iterable[str]) -> list[str]:
    """Links as people wrote them, with a scheme; without what is none, and without other pages at Discogs."""
    found = []
    for url in urls:
        whole_url = url if "//" in url else f"http://{url}"
        try:
            if links.kind_of(whole_url) != "discogs":
                found.append(whole_url)
        except ValueError:  # a stray bracket
            continue
    return found


def _relation(url: str, name: str) -> str:
    """The front page of a host that is called as the performer is theirs; others may be their label's."""
    parts, own = urlsplit(url), "".join(words(name))
    hosts = ["".join(words(part)) for part in (parts.hostname or "").split(".")]
    called_so = any(own in host or host in own for host in hosts if len(host) > 3)
    return "official homepage" if own and called_so and parts.path in ("", "/") else ""


# [a=Name] and [l=Name] are links by name, [a123] by number (r: release, m: master, g, t, u: guides, topics, users).
_BY_NAME = re.compile(r"\[[alu]=(?P<name>[^\]]*[^\]\d][^\]]*)\]", re.IGNORECASE)
_BY_NUMBER = re.compile(r"(?P<gap>[ \t]*)\[(?P<kind>[almrgt])=?(?P<number>[0-9]+)\]", re.IGNORECASE)
_TAGS = re.compile(r"\[(?:/?(?:b|i|u|s|url)|url=[^\]]*|img=[^\]]*)\]", re.IGNORECASE)


def plain_text(profile: str, names: Mapping[str, Any]) -> str:
    """A profile without Discogs' markup. names: of performers by number; a link whose name nobody told is left out."""

    def linked(match: re.Match[str]) -> str:
        name = _name(names.get(match["number"])) if match["kind"].lower() == "a" else ""
        return f"{match['gap']}{name}" if name else ""

    plain = _BY_NAME.sub(lambda match: _name(match["name"]), profile.replace("\r\n", "\n"))
    return re.sub(r"[ \t]*\([ ,]*\)", "", _TAGS.sub("", _BY_NUMBER.sub(linked, plain))).strip()
