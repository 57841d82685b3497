"""ListenBrainz: the cheapest source by far, since its calls hold hundreds of lookups (api.listenbrainz.org/1/).

lookup            names -> MusicBrainz ids, 50 a call; only names that are equal once normalised, no guessing
lookup_fuzzy      the same for one, with guessing, and with everything that `metadata` knows
metadata          recording ids -> ISRC, date, length, genres, performer, album, cover

Limit: 30 calls in each 10 s of the clock, per IP; a refusal names its wait only in X-RateLimit-Reset-In. Unknown ids
are absent from the reply; a malformed one makes it refuse the whole call. Facts: reference, upstreams 1.3 and 3.6.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from enrichment.domain.matching import Side
from enrichment.domain.outcomes import Answer, Judgement, Verdict
from enrichment.domain.questions import Budget, Freshness, Keys, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.sources import links
from enrichment.sources.base import Ask, Line, Reply, Site, Source, judge_http
from enrichment.sources.countries import code_of
from enrichment.sources.reading import (
    Api,
    Json,
    Told,
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
    text,
    texts,
    whole,
)

LONGEST_NAMES = 250
"""Characters of artist, title and album together; one row above it makes ListenBrainz refuse the whole call."""

_SURE = {
    "": 0.9,  # it is MusicBrainz' data, up to a day old
    "album.release_date": 0.7,  # the year of one release, not of the first
    "country": 0.7,  # an area by name, of which we keep those that are countries
    "external_urls": 0.7,  # of each kind of link only one survives there
    "genres": 0.85,
    "isrc": 0.85,
}

_LINKED = ("spotify_id", "deezer_id", "discogs_id", "wikidata_id")
_PERFORMER = ("musicbrainz_id", "name", "country", "country_code", "genres", "external_urls", *_LINKED)
_NAMED = ("musicbrainz_id", "title", "artist_name", "album_title")
_NAMED_ALBUM = ("album.title", "album.musicbrainz_release_id")
_RECORDING = fields_of(
    Kind.TRACK,
    *_NAMED,
    *_NAMED_ALBUM,
    *("artists", "duration_ms", "isrc", "release_date", "genres", "external_urls", "spotify_id", "deezer_id"),
    *("album.artist_name", "album.musicbrainz_release_group_id", "album.cover_art_url", "album.release_date"),
    "album.genres",
    *(f"performer.{name}" for name in _PERFORMER),
)
_TOKEN = ("LISTENBRAINZ_TOKEN",)


class Client(Api):
    """The API, with the base URL of the covers that it names by id."""

    def __init__(self, line: Line) -> None:
        token = line.secrets.get("LISTENBRAINZ_TOKEN")
        super().__init__(line, {"authorization": f"Token {token}"} if token else None)
        self.covers = line.site("coverartarchive")


class ListenBrainz(Source[Client]):
    """Names to ids, and ids to facts, in batches."""

    name = "listenbrainz"
    url = "https://api.listenbrainz.org"
    budget = Budget((Limit(27, 10, burst=3),), concurrency=4)
    secrets = _TOKEN
    sites = (Site("coverartarchive", "https://coverartarchive.org"),)
    terms = Terms(
        attribution="Data from ListenBrainz and MusicBrainz",
        url="https://listenbrainz.org",
        licence="core data CC0; genres CC BY-NC-SA 3.0",
    )
    freshness = Freshness(days=30, by_field={"musicbrainz_id": 90, "isrc": 90, "country": 90})
    questions = (
        Question(
            name="metadata",
            kind=Kind.TRACK,
            needs=("musicbrainz_id",),
            uses=("artist_name", "title", "album_title", "isrc"),
            gives=_RECORDING,
            batch=250,  # 1000 fit; so many rows of one reply stay within the deadline and the memory of a worker
        ),
        Question(
            name="lookup",
            kind=Kind.TRACK,
            needs=("artist_name", "title"),
            identifies="musicbrainz_id",
            uses=("album_title",),
            gives=fields_of(Kind.TRACK, *_NAMED, *_NAMED_ALBUM, "performer.musicbrainz_id", "performer.name"),
            batch=50,
            requires=_TOKEN,
        ),
        Question(
            name="lookup_fuzzy",
            kind=Kind.TRACK,
            needs=("artist_name", "title"),
            identifies="musicbrainz_id",
            uses=("album_title", "duration_ms", "isrc"),
            gives=_RECORDING,
            requires=_TOKEN,
        ),
        Question(
            name="artist_metadata",
            kind=Kind.PERFORMER,
            needs=("musicbrainz_id",),
            uses=("name",),
            gives=fields_of(Kind.PERFORMER, *_PERFORMER),
            batch=100,  # bounded by the length of a URL
        ),
        Question(
            name="release_group_metadata",
            kind=Kind.ALBUM,
            needs=("musicbrainz_release_group_id",),
            uses=("artist_name", "title"),
            gives=fields_of(
                Kind.ALBUM,
                *("title", "artist_name", "musicbrainz_release_group_id", "release_date", "cover_art_url", "genres"),
                *(f"performer.{name}" for name in _PERFORMER),
            ),
            batch=100,
        ),
    )

    def client(self, line: Line) -> Client:
        """The API on the wire."""
        return Client(line)

    def ask(self, question: Question, asks: Sequence[Ask], client: Client) -> Sequence[Answer]:
        """One call, whatever the number of lookups."""
        match question.name:
            case "lookup":
                return _lookup(asks, client)
            case "lookup_fuzzy":
                return [_fuzzy(asks[0].keys, client)]
            case "metadata":
                return _metadata(asks, client)
            case "artist_metadata":
                return _artists(asks, client)
            case _:
                return _release_groups(asks, client)

    def judge(self, reply: Reply) -> Judgement:
        """429 says how long to wait in a header of its own."""
        verdict = judge_http(reply)
        if verdict.verdict is Verdict.OUR_RATE:
            wait = reply.headers.get("x-ratelimit-reset-in", "")
            return Judgement(Verdict.OUR_RATE, float(wait) if wait.isdecimal() else 10.0, verdict.message)
        return verdict


# --- names to ids --------------------------------------------------------------------------------------------------


def _names(keys: Keys) -> dict[str, str] | None:
    """A row to look up, or None where ListenBrainz would refuse it. An album that makes it too long is left out."""
    row = {"artist_name": text(keys.get("artist_name")), "recording_name": text(keys.get("title"))}
    if not all(row.values()) or sum(map(len, row.values())) > LONGEST_NAMES:
        return None
    album = text(keys.get("album_title"))
    if album and sum(map(len, row.values())) + len(album) <= LONGEST_NAMES:
        row["release_name"] = album
    return row


def _normal(name: str) -> str:
    """About as ListenBrainz compares names: letters and digits only, without case and diacritics."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return re.sub(r"[\W_]+", "", "".join(char for char in plain if not unicodedata.combining(char)))


def _lookup(asks: Sequence[Ask], client: Client) -> list[Answer]:
    """Of rows that are equal to ListenBrainz only the last is answered there, so one of them is sent.

    The others share its answer; those that name another album wait for a call of their own.
    """
    rows = [_names(ask.keys) for ask in asks]
    sent: dict[str, int] = {}
    for at, row in enumerate(rows):
        if row is not None:
            sent.setdefault(_normal(row["artist_name"] + row["recording_name"]), at)
    if not sent:
        return [_too_long() for _ in asks]
    order = list(sent.values())
    reply = many(client.post("1/metadata/lookup/", {"recordings": [rows[at] for at in order]}))
    found = {order[number]: row for row in reply if 0 <= (number := _number_of(row, reply)) < len(order)}
    return [_looked_up(ask.keys, row, rows, sent, found) for ask, row in zip(asks, rows, strict=True)]


def _number_of(row: Json, reply: Sequence[Json]) -> int:
    """The place of the row that this one answers."""
    index = row.get("index")
    return index if isinstance(index, int) else reply.index(row)


def _looked_up(
    keys: Keys,
    row: dict[str, str] | None,
    rows: Sequence[dict[str, str] | None],
    sent: Mapping[str, int],
    found: Mapping[int, Json],
) -> Answer:
    if row is None:
        return _too_long()
    at = sent[_normal(row["artist_name"] + row["recording_name"])]
    first = rows[at] or {}
    if at not in found or _normal(first.get("release_name", "")) != _normal(row.get("release_name", "")):
        return Answer.cut_off()
    return _mapped(keys, found[at])


def _too_long() -> Answer:
    return Answer.nothing(f"names of more than {LONGEST_NAMES} characters are not looked up")


def _mapped(keys: Keys, row: Json, client: Client | None = None) -> Answer:
    """What a row of a lookup says, with the metadata that the fuzzy one brings along."""
    mbid = text(row.get("recording_mbid"))
    if not mbid:
        return Answer.nothing()
    facts = one(row.get("metadata"))
    recording = one(facts.get("recording"))
    credit = text(row.get("artist_credit_name"))
    side = Side(
        artist=credit,
        title=text(row.get("recording_name")),
        album=text(row.get("release_name")),
        duration_ms=milliseconds(recording.get("length")),
        isrc=tuple(texts(recording.get("isrcs"))),
    )
    index, score, reason = pick(Kind.TRACK, keys, [side])
    if index is None:
        return Answer.nothing(reason)
    told = Told(Kind.TRACK, keys, _SURE, match=score, reason=reason)
    told.tell(musicbrainz_id=mbid, title=side.title, artist_name=credit, album_title=side.album)
    mbids = texts(row.get("artist_mbids"))
    if len(mbids) == 1 and told.by_performer(credit):
        told.tell(Kind.PERFORMER, musicbrainz_id=mbids[0], name=credit)
    if told.on_album(side.album):
        told.tell(Kind.ALBUM, title=side.album, musicbrainz_release_id=row.get("release_mbid"))
    if client is not None:
        _tell_recording(told, facts, client)
    return told.answer()


def _fuzzy(keys: Keys, client: Client) -> Answer:
    names = _names(keys)
    if names is None:
        return _too_long()
    reply = client.get("1", "metadata", "lookup", "", **names, metadata="true", inc="artist tag release")
    return _mapped(keys, one(reply), client)


# --- ids to facts --------------------------------------------------------------------------------------------------


def _known(asks: Sequence[Ask], key: str) -> list[str]:
    """The ids to ask for, without repeats and without what is none."""
    return list(dict.fromkeys(text(ask.keys[key]).lower() for ask in asks if is_mbid(ask.keys[key])))


def _metadata(asks: Sequence[Ask], client: Client) -> list[Answer]:
    mbids = _known(asks, "musicbrainz_id")
    content = {"recording_mbids": mbids, "inc": "artist tag release"}
    rows = one(client.post("1/metadata/recording/", content)) if mbids else {}
    answers = []
    for ask in asks:
        mbid = text(ask.keys["musicbrainz_id"]).lower()
        told = Told(Kind.TRACK, ask.keys, _SURE, reason=f"recording {mbid}")
        if facts := one(rows.get(mbid)):
            told.tell(musicbrainz_id=mbid)
            _tell_recording(told, facts, client)
        answers.append(told.answer())
    return answers


def _artists(asks: Sequence[Ask], client: Client) -> list[Answer]:
    mbids = _known(asks, "musicbrainz_id")
    reply = client.get("1", "metadata", "artist", "", artist_mbids=",".join(mbids), inc="tag") if mbids else []
    rows = {text(row.get("artist_mbid") or row.get("mbid")): row for row in many(reply)}
    answers = []
    for ask in asks:
        mbid = text(ask.keys["musicbrainz_id"]).lower()
        told = Told(Kind.PERFORMER, ask.keys, _SURE, reason=f"artist {mbid}")
        if row := rows.get(mbid):
            _tell_artist(told, None, {"artist_mbid": mbid, **row}, one(row.get("tag")))
        answers.append(told.answer())
    return answers


def _release_groups(asks: Sequence[Ask], client: Client) -> list[Answer]:
    key = "musicbrainz_release_group_id"
    mbids = _known(asks, key)
    params = {"release_group_mbids": ",".join(mbids), "inc": "artist tag release"}
    rows = one(client.get("1", "metadata", "release_group", "", **params)) if mbids else {}
    answers = []
    for ask in asks:
        mbid = text(ask.keys[key]).lower()
        told = Told(Kind.ALBUM, ask.keys, _SURE, reason=f"release group {mbid}")
        if facts := one(rows.get(mbid)):
            _tell_release_group(told, mbid, facts, client)
        answers.append(told.answer())
    return answers


def _tell_recording(told: Told, facts: Json, client: Client) -> None:
    """Everything in a row of the metadata cache."""
    recording, artist, tags = one(facts.get("recording")), one(facts.get("artist")), one(facts.get("tag"))
    credited = many(artist.get("artists"))
    urls = texts(recording.get("url_rels"))
    told.tell(
        title=recording.get("name"),
        artist_name=artist.get("name"),
        artists=people((text(row.get("name")), text(row.get("join_phrase"))) for row in credited),
        duration_ms=milliseconds(recording.get("length")),
        isrc=_isrc_of(recording, told.keys),
        release_date=date(recording.get("first_release_date")),
        genres=_genres(tags.get("recording")) or _genres(tags.get("release_group")),
        external_urls=links.by_kind((url, "") for url in urls),
        **links.ids_in(Kind.TRACK, urls),
    )
    if told.by_performer(_lead(artist)):
        _tell_artist(told, Kind.PERFORMER, credited[0], tags)
    release = one(facts.get("release"))
    title = text(release.get("name"))
    told.tell(album_title=title)
    if told.on_album(title):
        told.tell(
            Kind.ALBUM,
            title=title,
            artist_name=release.get("album_artist_name"),
            musicbrainz_release_id=release.get("mbid"),
            musicbrainz_release_group_id=release.get("release_group_mbid"),
            cover_art_url=_cover(release, client),
            release_date=date(release.get("year")),
            genres=_genres(tags.get("release_group")),
        )


def _tell_artist(told: Told, about: Kind | None, artist: Json, tags: Json) -> None:
    area = text(artist.get("area"))
    code = code_of(area)
    relations = {text(kind): text(url) for kind, url in one(artist.get("rels")).items() if text(url)}
    mbid = text(artist.get("artist_mbid"))
    told.tell(
        about,
        musicbrainz_id=mbid,
        name=artist.get("name"),
        country=area if code else None,
        country_code=code,
        genres=_genres([tag for tag in many(tags.get("artist")) if tag.get("artist_mbid") in (None, mbid)]),
        external_urls=links.by_kind((url, kind) for kind, url in relations.items()),
        **links.ids_in(Kind.PERFORMER, relations.values()),
    )


def _tell_release_group(told: Told, mbid: str, facts: Json, client: Client) -> None:
    group, artist, tags = one(facts.get("release_group")), one(facts.get("artist")), one(facts.get("tag"))
    credited = many(artist.get("artists"))
    told.tell(
        title=group.get("name"),
        artist_name=artist.get("name"),
        musicbrainz_release_group_id=mbid,
        release_date=date(group.get("date")),
        cover_art_url=_cover(group, client) or _cover(one(facts.get("release")), client),
        genres=_genres(tags.get("release_group")),
    )
    if told.by_performer(_lead(artist)):
        _tell_artist(told, Kind.PERFORMER, credited[0], tags)


def _lead(artist: Json) -> str:
    """The name of the first one credited. Old rows name only the credit as a whole, which may be several people."""
    credited = many(artist.get("artists"))
    if not credited:
        return ""
    return text(credited[0].get("name")) or (text(artist.get("name")) if len(credited) == 1 else "")


def _isrc_of(recording: Json, keys: Keys) -> str | None:
    """The ISRC that is known already, where the recording has it, else its first."""
    codes = [code for code in map(isrc, texts(recording.get("isrcs"))) if code]
    known = isrc(keys.get("isrc"))
    return known if known in codes else next(iter(codes), None)


def _genres(tags: Any) -> list[str]:
    """Those of the tags that MusicBrainz counts among its genres, the most voted first."""
    kept = [tag for tag in many(tags) if text(tag.get("genre_mbid"))]
    return genres(tag.get("tag") for tag in sorted(kept, key=lambda tag: -whole(tag.get("count"))))


def _cover(release: Json, client: Client) -> str | None:
    """A picture's address by the Cover Art Archive's ids: no call is needed for it."""
    mbid, number = text(release.get("caa_release_mbid")), text(release.get("caa_id"))
    return f"{client.covers}/release/{mbid}/{number}-500.jpg" if mbid and number else None
