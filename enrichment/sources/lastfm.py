"""Last.fm (ws.audioscrobbler.com/2.0/), asked with pylast: audience, tags, biographies and covers, by name.

It counts what people's players sent, so a page stands for a name: performers who share one share the page too. One
getInfo holds everything there is about a thing; there are no batches and no ISRCs. Replies are XML, and JSON where
something in between asked for it. Limit: 5 calls a second averaged over five minutes; since 2026 its terms name no
number and warn against several a second. Errors have codes of their own and any HTTP status; code 6 stands for "not
found" and for a request that lacks something. Facts: reference, upstreams 1.5, 3.3 and 3.6.
"""

from __future__ import annotations

import logging
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Sequence
from math import log10
from typing import Any
from xml.dom.minidom import Document, Element, Text

import httpx2
import pylast

from enrichment.domain.matching import Side
from enrichment.domain.outcomes import ANSWER, Answer, Judgement, Verdict
from enrichment.domain.questions import Budget, Chances, Freshness, Keys, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.domain.text import words
from enrichment.sources.base import Ask, Line, Reply, Source, judge_http, mark, retry_after
from enrichment.sources.reading import (
    Json,
    Told,
    compact,
    fields_of,
    fits,
    genres,
    is_mbid,
    milliseconds,
    one,
    text,
    whole,
)

PLAYS_A_PAGE = 200
"""The most there are."""
PAUSE = 60.0
"""Seconds after "rate limit exceeded", which names no wait: a fifth of the window it is averaged over."""

_SURE = {
    "": 0.7,
    "artists": 0.4,  # one page is one name, several performers or not
    "biography": 0.6,
    "cover_art_url": 0.5,  # 300 pixels
    "duration_ms": 0.5,  # of one of the recordings of this name
    "followers": 0.4,  # who listened, not who follows
    "genres": 0.5,
    "lastfm_url": 0.95,
    "musicbrainz_id": 0.3,  # of a track on some release as often as of the recording
    "performer.musicbrainz_id": 0.4,  # of one of those who have the name
    "musicbrainz_release_id": 0.4,  # of one of the releases of this title
    "popularity": 0.6,
}
_ARTIST_SURE = _SURE | {"musicbrainz_id": 0.4}
_SHARED_PAGE = 0.5
"""What is left of a finding's confidence where the page itself says that it is about several performers."""

_SECRETS = ("LASTFM_API_KEY",)
_TRACK = fields_of(
    Kind.TRACK,
    *("title", "artist_name", "artists", "album_title", "lastfm_url", "musicbrainz_id", "duration_ms", "genres"),
    *("popularity", "external_urls", "performer.name", "performer.musicbrainz_id", "performer.external_urls"),
    *("album.title", "album.artist_name", "album.musicbrainz_release_id", "album.cover_art_url", "album.images"),
    "album.external_urls",
)
_ARTIST = fields_of(
    Kind.PERFORMER,
    *("name", "musicbrainz_id", "genres", "popularity", "followers", "biography", "image_url", "images"),
    "external_urls",
)
_ALBUM = fields_of(
    Kind.ALBUM,
    *("title", "artist_name", "musicbrainz_release_id", "genres", "popularity", "release_date", "cover_art_url"),
    *("images", "tracklist", "external_urls"),
    *("performer.name", "performer.musicbrainz_id", "performer.external_urls"),
)
_DEAR = 1.1
"""What a question costs us, in calls: what others say for one call too is surer, and may be kept without an end."""
_DEAR_BY_MBID = 2.0
"""Of many things Last.fm knows the name and not the MBID: half of these calls are for nothing."""

_VERDICTS = {
    6: Verdict.ANSWER,  # not found; `judge` tells it from a request that lacks something
    7: Verdict.ANSWER,  # no such resource
    29: Verdict.OUR_RATE,
    8: Verdict.SHED,  # backend failed
    11: Verdict.SHED,  # offline
    16: Verdict.SHED,  # temporarily unavailable
    4: Verdict.REFUSED,  # authentication failed
    9: Verdict.REFUSED,  # session key
    10: Verdict.REFUSED,  # API key
    12: Verdict.REFUSED,  # subscribers only
    13: Verdict.REFUSED,  # signature
    14: Verdict.REFUSED,  # token
    17: Verdict.ANSWER,  # login required: this user shows their plays to nobody
    18: Verdict.REFUSED,  # trial expired
    26: Verdict.REFUSED,  # API key suspended
    27: Verdict.REFUSED,  # endpoint removed
    2: Verdict.BAD_REQUEST,  # service
    3: Verdict.BAD_REQUEST,  # method
    5: Verdict.BAD_REQUEST,  # format
}
"""By the error code in the body."""
_XML_ERROR = re.compile(rb"""<error\s+code\s*=\s*["'](\d+)["'][^>]*>([^<]*)""")
_LACKS = re.compile(r"missing|must supply|required", re.IGNORECASE)
"""What code 6 says where the request is to blame, not the thing asked about."""

_PLACEHOLDERS = ("2a96cbd8b46e442fc41c2b86b821562f", "4128a6eb29f94943c9d206c08e625904")
"""In addresses: the grey star, and the disc that stands for a missing cover."""
_SIZE = re.compile(r"/(\d+)(?:s|x(\d+))/[^/]*$")
_MORE = re.compile(r"\s*<a href=[^>]*>\s*Read more .*", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>")
_SEVERAL = re.compile(
    r"\b(?:more than one|multiple|several|many|two|three|four|five|six|\d+)"
    r" (?:different |known )?(?:artists?|bands?|acts?|groups?|musicians?|projects?|performers?)\b"
    r".{0,40}\b(?:name|called|known as)",
    re.IGNORECASE | re.DOTALL,
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_RELEASED = re.compile(rf"(?P<day>\d{{1,2}}) (?P<month>{'|'.join(_MONTHS)}) (?P<year>\d{{4}})\b")


class LastFM(Source["Client"]):
    """Tracks, performers and albums, by name and by MBID."""

    name = "lastfm"
    url = "https://ws.audioscrobbler.com"
    budget = Budget((Limit(4, 1, burst=2),), concurrency=4)
    secrets = _SECRETS
    terms = Terms(
        attribution="Powered by AudioScrobbler",
        url="https://www.last.fm",
        licence="Last.fm API terms of service: non-commercial, at most 100 MB kept; wiki text CC BY-SA",
        commercial=False,
    )
    chances = Chances(
        reach=0.95,
        # Of what it knows by name, by MBID; half of those of tracks are of a track on a release (14,978 listened to).
        by_question={"track_mbid": 0.3, "artist_mbid": 0.78, "album_mbid": 0.55},
        # Its MBIDs are hints: never sure enough to be acted upon.
        yields={"musicbrainz_id": 0.0, "musicbrainz_release_id": 0.0, "genres": 0.6, "duration_ms": 0.7},
    )
    freshness = Freshness(days=30, by_field={"lastfm_url": 90, "biography": 90, "popularity": 14, "followers": 14})
    cache_seconds = 3600.0  # at 4 calls a second a day of replies would be far more than the 100 MB that may be kept
    questions = (
        Question(
            name="track_mbid",
            kind=Kind.TRACK,
            needs=("musicbrainz_id",),
            uses=("artist_name", "title", "album_title"),
            gives=_TRACK,
            calls=_DEAR_BY_MBID,
            requires=_SECRETS,
        ),
        Question(
            name="track",
            kind=Kind.TRACK,
            needs=("artist_name", "title"),
            uses=("album_title",),
            gives=_TRACK,
            calls=_DEAR,
            requires=_SECRETS,
        ),
        Question(
            name="artist_mbid",
            kind=Kind.PERFORMER,
            needs=("musicbrainz_id",),
            uses=("name",),
            gives=_ARTIST,
            calls=_DEAR_BY_MBID,
            requires=_SECRETS,
        ),
        Question(name="artist", kind=Kind.PERFORMER, needs=("name",), gives=_ARTIST, calls=_DEAR, requires=_SECRETS),
        Question(
            name="album_mbid",
            kind=Kind.ALBUM,
            needs=("musicbrainz_release_id",),
            uses=("artist_name", "title"),
            gives=_ALBUM,
            calls=_DEAR_BY_MBID,
            requires=_SECRETS,
        ),
        Question(
            name="album",
            kind=Kind.ALBUM,
            needs=("artist_name", "title"),
            gives=_ALBUM,
            calls=_DEAR,
            requires=_SECRETS,
        ),
    )

    def client(self, line: Line) -> Client:
        """The library on the wire."""
        return Client(line)

    def ask(self, question: Question, asks: Sequence[Ask], client: Client) -> Sequence[Answer]:
        """One call for the one lookup."""
        keys = asks[0].keys
        key = next((need for need in question.needs if need.startswith("musicbrainz")), "")
        return [_by_mbid(question.kind, keys, key, client) if key else _by_name(question.kind, keys, client)]

    def judge(self, reply: Reply) -> Judgement:
        """The code in the body tells; the HTTP status says 200, 400, 403 or 500 for the same thing."""
        code, said = _error_in(reply)
        if not code:
            verdict = judge_http(reply)
            rate = verdict.verdict is Verdict.OUR_RATE and verdict.retry_after is None
            return Judgement(Verdict.OUR_RATE, PAUSE, verdict.message) if rate else verdict
        verdict_of = _VERDICTS.get(code, Verdict.FAILING)
        if code == 6 and _LACKS.search(said):
            verdict_of = Verdict.BAD_REQUEST
        if verdict_of is Verdict.ANSWER:
            return ANSWER
        wait = (retry_after(reply) or PAUSE) if verdict_of is Verdict.OUR_RATE else None
        return Judgement(verdict_of, wait, f"error {code}: {said}"[:200])


def _error_in(reply: Reply) -> tuple[int, str]:
    """The error code of a reply and what it says; 0 where there is none. Errors are short."""
    if match := _XML_ERROR.search(reply.body[:2000]):
        return int(match[1]), match[2].decode("utf-8", "replace").strip()
    if len(reply.body) > 2000 or b'"error"' not in reply.body:
        return 0, ""
    try:
        content = reply.json()
    except ValueError:
        return 0, ""
    found = content if isinstance(content, dict) else {}
    return whole(found.get("error")), text(found.get("message"))


def popularity(listeners: Any) -> int | None:
    """Listeners as 0 to 100: 100 × log10(1 + listeners) / 7.

    Audiences spread over orders of magnitude: 10 becomes 15, 1,000 becomes 43, 100,000 becomes 71, 10,000,000 the most.
    """
    number = whole(listeners)
    return min(100, round(100 * log10(1 + number) / 7)) if number > 0 else None


# --- the library on the wire ---------------------------------------------------------------------------------------


class _NotThere(Exception):  # noqa: N818 - an answer, not an error
    """Last.fm does not know what was asked about."""


class _Transport(httpx2.BaseTransport):
    """What pylast is mounted on: it knows no address but its own, and reads nothing but XML."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._wire = line.httpx2_transport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """On to where Last.fm is. Raises _NotThere for an answer that says so."""
        url = f"{self._line.base_url}{request.url.path}"
        sent = httpx2.Request(request.method, url, headers=request.headers, content=request.read())
        received = self._wire.handle_request(sent)
        reply = Reply(received.status_code, {}, received.read())
        if reply.status in (404, 410) or _error_in(reply)[0]:
            raise _NotThere  # all other errors were judged to be no answers
        return httpx2.Response(reply.status, content=_as_xml(reply))


def _as_xml(reply: Reply) -> bytes:
    """The body, from JSON where it is that. Raises ValueError or TypeError where it is neither."""
    if reply.body.lstrip().startswith(b"<"):
        return reply.body
    return ET.tostring(_element("lfm", {**one(reply.json()), "@attr": {"status": "ok"}}))


def _element(name: str, value: Any) -> ET.Element:
    """One value of Last.fm's JSON as its XML has it: "#text" and "@attr" are what JSON has no place for."""
    made = ET.Element(name)
    if not isinstance(value, dict):
        made.text = text(value)
        return made
    made.text = text(value.get("#text"))
    attributes = value.get("@attr")
    for key, inner in (attributes if isinstance(attributes, dict) else {}).items():
        made.set(key, text(inner))
    for key, inner in value.items():
        if key not in ("#text", "@attr"):
            made.extend(_element(key, each) for each in (inner if isinstance(inner, list) else [inner]))
    return made


class Client:
    """pylast on a line. Thread-safe: it opens a client for each call, and has no limiter or cache unless told so."""

    def __init__(self, line: Line) -> None:
        # It prints every reply into its debug log.
        logging.getLogger("pylast").setLevel(logging.WARNING)
        self._network = pylast.LastFMNetwork(api_key=mark("LASTFM_API_KEY"), proxy={"https://": _Transport(line)})

    def info(self, what: str, **params: str) -> Element | None:
        """What `<what>.getInfo` holds, or None where Last.fm has nothing there.

        Raises ValueError for a reply in another shape, of which pylast makes an IndexError or an AttributeError.
        """
        found = self._asked(f"{what}.getInfo", {**params, "autocorrect": 1})
        if found is None:
            return None
        things = _inside(found, "lfm", what)
        if not things or not _said(things[0], "name"):
            raise ValueError(f"a reply without a {what}")
        return things[0]

    def plays(self, user: str, since: int, until: int, page: int) -> tuple[list[Json], int] | None:
        """A page of what a user has played between two moments (seconds since 1970), the newest first without what is
        being played, and how many pages there are; None where there is no such user, or none who shows it.

        A play: `listened_at`, `artist_name`, `track_name`, `album_name`, `artwork_url`. Raises ValueError as `info`.
        """
        params = {"user": user, "from": since, "to": until, "page": page, "limit": PLAYS_A_PAGE, "extended": 0}
        found = self._asked("user.getRecentTracks", params)
        if found is None:
            return None
        pages = _inside(found, "lfm", "recenttracks")
        if not pages:
            raise ValueError("a reply without plays")
        return [play for each in _inside(pages[0], "track") if (play := _play(each))], whole(
            pages[0].getAttribute("totalPages")
        )

    def _asked(self, method: str, params: dict[str, Any]) -> Document | None:
        try:
            # The library's own getters make a call for each fact, and page by page without an end.
            found: Document = pylast._Request(self._network, method, params).execute()  # noqa: SLF001 - see above
        except pylast.NetworkError as error:
            if isinstance(error.underlying_error, _NotThere):
                return None
            raise error.underlying_error from None
        except (pylast.PyLastError, IndexError, AttributeError) as error:
            raise ValueError(f"not an answer of Last.fm's: {error}") from error
        return found


# --- asking --------------------------------------------------------------------------------------------------------

_CALLED = {Kind.TRACK: "track", Kind.PERFORMER: "artist", Kind.ALBUM: "album"}


def _by_mbid(kind: Kind, keys: Keys, key: str, client: Client) -> Answer:
    mbid = text(keys[key])
    if not is_mbid(mbid):
        return Answer.nothing(f"{mbid[:80]!r} is not an MBID")
    return _told(kind, keys, client.info(_CALLED[kind], mbid=mbid))


def _by_name(kind: Kind, keys: Keys, client: Client) -> Answer:
    if kind is Kind.PERFORMER:
        return _told(kind, keys, client.info("artist", artist=text(keys["name"])))
    names = {"artist": text(keys["artist_name"]), _CALLED[kind]: text(keys["title"])}
    return _told(kind, keys, client.info(_CALLED[kind], **names))


def _told(kind: Kind, keys: Keys, found: Element | None) -> Answer:
    """What the page says, where it is the one that was asked for: Last.fm corrects names, and now and then to others.

    Names alone decide. A page's duration is that of any recording of the name, so it speaks neither for nor against.
    """
    if found is None:
        return Answer.nothing()
    taken, score, reason = fits(kind, {**keys, "duration_ms": None}, _SIDE[kind](found))
    if not taken:
        return Answer.nothing(reason)
    if kind is Kind.PERFORMER and _SEVERAL.search(_said(found, "bio", "summary")[:300]):
        score, reason = score * _SHARED_PAGE, f"{reason}; the page says that several performers have this name"
    told = Told(kind, keys, _ARTIST_SURE if kind is Kind.PERFORMER else _SURE, match=score, reason=reason)
    _TELL[kind](told, found)
    return told.answer()


_SIDE: dict[Kind, Callable[[Element], Side]] = {
    Kind.TRACK: lambda track: Side(
        artist=_said(track, "artist", "name"), title=_said(track, "name"), album=_said(track, "album", "title")
    ),
    Kind.PERFORMER: lambda artist: Side(artist=_said(artist, "name")),
    Kind.ALBUM: lambda album: Side(artist=_said(album, "artist"), title=_said(album, "name")),
}


# --- reading -------------------------------------------------------------------------------------------------------


def _inside(node: Element | Document, *path: str) -> list[Element]:
    """The elements at this path."""
    name, *rest = path
    found = [child for child in node.childNodes if isinstance(child, Element) and child.tagName == name]
    return [inner for child in found for inner in _inside(child, *rest)] if rest else found


def _said(node: Element, *path: str) -> str:
    """The text of the first element at this path, or of the node itself; empty where there is none."""
    found = _inside(node, *path)[:1] if path else [node]
    return text("".join(part.data for each in found for part in each.childNodes if isinstance(part, Text)))


def _mbid(node: Element, *path: str) -> str | None:
    mbid = _said(node, *path, "mbid")
    return mbid if is_mbid(mbid) else None


def _link(node: Element, *path: str) -> dict[str, str]:
    url = _said(node, *path, "url")
    return {"lastfm": url} if url else {}


def _play(track: Element) -> Json | None:
    """A play; None for what is being played, which has no moment yet."""
    moments = _inside(track, "date")
    if not moments:
        return None
    images = _images(_inside(track, "image"))
    return compact(
        {
            "listened_at": whole(moments[0].getAttribute("uts")),
            "artist_name": _said(track, "artist") or _said(track, "artist", "name"),
            "track_name": _said(track, "name"),
            "album_name": _said(track, "album"),
            "artwork_url": images[0]["url"] if images else None,
        }
    )


def _tell_track(told: Told, track: Element) -> None:
    artist, album = _said(track, "artist", "name"), _said(track, "album", "title")
    told.tell(
        title=_said(track, "name"),
        artist_name=artist,
        artists=[{"name": artist, "role": "main"}] if artist else None,
        album_title=album,
        lastfm_url=_said(track, "url"),
        musicbrainz_id=_mbid(track),
        duration_ms=milliseconds(_said(track, "duration")),
        genres=_genres(_inside(track, "toptags", "tag"), artist, _said(track, "name"), album),
        popularity=popularity(_said(track, "listeners")),
        external_urls=_link(track),
    )
    if told.by_performer(artist):
        told.tell(
            Kind.PERFORMER,
            name=artist,
            musicbrainz_id=_mbid(track, "artist"),
            external_urls=_link(track, "artist"),
        )
    if told.on_album(album):
        images = _images(_inside(track, "album", "image"))
        told.tell(
            Kind.ALBUM,
            title=album,
            artist_name=_said(track, "album", "artist"),
            musicbrainz_release_id=_mbid(track, "album"),
            cover_art_url=images[0]["url"] if images else None,
            images=images,
            external_urls=_link(track, "album"),
        )


def _tell_artist(told: Told, artist: Element) -> None:
    images = _images(_inside(artist, "image"))
    listeners = _said(artist, "stats", "listeners")
    told.tell(
        name=_said(artist, "name"),
        musicbrainz_id=_mbid(artist),
        genres=_genres(_inside(artist, "tags", "tag"), _said(artist, "name")),
        popularity=popularity(listeners),
        followers=whole(listeners) or None,
        biography=_prose(_said(artist, "bio", "content")) or _prose(_said(artist, "bio", "summary")),
        image_url=images[0]["url"] if images else None,
        images=images,
        external_urls=_link(artist),
    )


def _tell_album(told: Told, album: Element) -> None:
    artist, images = _said(album, "artist"), _images(_inside(album, "image"))
    tags = _inside(album, "tags", "tag") or _inside(album, "toptags", "tag")
    told.tell(
        title=_said(album, "name"),
        artist_name=artist,
        musicbrainz_release_id=_mbid(album),
        genres=_genres(tags, artist, _said(album, "name")),
        popularity=popularity(_said(album, "listeners")),
        release_date=_released(_said(album, "releasedate")),
        cover_art_url=images[0]["url"] if images else None,
        images=images,
        tracklist=_tracklist(_inside(album, "tracks", "track")),
        external_urls=_link(album),
    )
    if told.by_performer(artist):
        own = [each for each in _inside(album, "tracks", "track", "artist") if _said(each, "name") == artist][:1]
        told.tell(Kind.PERFORMER, name=artist)
        for each in own:
            told.tell(Kind.PERFORMER, musicbrainz_id=_mbid(each), external_urls=_link(each))


_TELL: dict[Kind, Callable[[Told, Element], None]] = {
    Kind.TRACK: _tell_track,
    Kind.PERFORMER: _tell_artist,
    Kind.ALBUM: _tell_album,
}


def _tracklist(tracks: Sequence[Element]) -> list[Json]:
    """An album's tracks, whose durations are in seconds where a track's own page has milliseconds."""
    return [
        compact(
            {
                "position": whole(track.getAttribute("rank")) or position,
                "title": _said(track, "name"),
                "duration_ms": milliseconds(_said(track, "duration"), unit=1000),
                "musicbrainz_id": _mbid(track),
            }
        )
        for position, track in enumerate(tracks, start=1)
    ]


def _genres(tags: Iterable[Element], *own: str) -> list[str]:
    """The genres among the tags. own: names of the thing itself, tags of most things, "Daft Punk" among them."""
    no_genres = {words(name) for name in own}
    names = (_said(tag, "name") for tag in tags)
    return genres((name for name in names if words(name) not in no_genres), tags=True)


def _images(found: Iterable[Element]) -> list[Json]:
    """The picture in its sizes, the largest first, without the placeholders; sizes stand in the addresses."""
    urls = dict.fromkeys(_said(image) for image in found)
    kept = [_image(url) for url in urls if url and not any(hash_ in url for hash_ in _PLACEHOLDERS)]
    return sorted(kept, key=lambda image: -image.get("width", 0))


def _image(url: str) -> Json:
    size = _SIZE.search(url)
    width = int(size[1]) if size else None
    return compact({"url": url, "width": width, "height": int(size[2]) if size and size[2] else width})


def _prose(wiki: str) -> str:
    """A wiki's text without its markup, the link back and the licence that stand at its end."""
    return _MARKUP.sub("", _MORE.sub("", wiki)).strip()


def _released(said: str) -> str | None:
    """An old reply's "6 Apr 1999, 00:00" as YYYY-MM-DD; today's have no date."""
    match = _RELEASED.search(said)
    return f"{match['year']}-{_MONTHS.index(match['month']) + 1:02d}-{int(match['day']):02d}" if match else None
