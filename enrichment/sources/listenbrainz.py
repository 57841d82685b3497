"""ListenBrainz: the cheapest source by far, since its calls hold hundreds of lookups (api.listenbrainz.org/1/).

lookup            names -> MusicBrainz ids, 50 a call; only names that are equal once normalised, no guessing. Without a
                  token the labs are asked
lookup_fuzzy      the same for one, with guessing, and with everything that `metadata` knows
metadata          recording ids -> ISRC, date, length, genres, performer, album, cover
popularity        ids -> listens and listeners, of which we make a popularity; the same for artists and release groups
spotify, country  what the labs know by ids, and for Spotify by names

Limit: 30 calls in each 10 s of the clock, per IP; a refusal names its wait only in X-RateLimit-Reset-In. Unknown ids
are absent from the reply; a malformed one makes it refuse the whole call. Facts: reference, upstreams 1.3 and 3.6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log10

from enrichment.domain.matching import Side
from enrichment.domain.outcomes import Answer, Judgement, Verdict
from enrichment.domain.questions import Budget, Chances, Freshness, Keys, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.sources import listenbrainz_labs as labs
from enrichment.sources.base import Ask, Line, Reply, Site, Source
from enrichment.sources.listenbrainz_labs import known, normal
from enrichment.sources.listenbrainz_rows import tell_artist, tell_recording, tell_release_group
from enrichment.sources.reading import (
    Api,
    Json,
    Told,
    by_mbid,
    fields_of,
    judge_window,
    many,
    milliseconds,
    one,
    pick,
    text,
    texts,
    whole,
)

WINDOW = 10.0
"""Seconds of the clock in which calls are counted."""

LONGEST_NAMES = 250
"""Characters of artist, title and album together; one row above it makes ListenBrainz refuse the whole call."""

_SURE = {
    "": 0.9,  # it is MusicBrainz' data, up to a day old
    "album.release_date": 0.7,  # the year of one release, not of the first
    "country": 0.7,  # an area by name, of which we keep those that are countries
    "external_urls": 0.7,  # of each kind of link only one survives there
    "followers": 0.3,  # who listened is not who follows: better than nothing
    "genres": 0.85,
    "isrc": 0.85,
    "popularity": 0.85,
}

MOST_LISTENERS = {"recording": 200_000, "artist": 400_000, "release_group": 250_000}
"""Listeners of the most heard: what a popularity of 100 stands for. Estimates: the documentation's example of a widely
heard recording has 129,454 of them."""

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
_MBID = ("musicbrainz_id",)


class Client:
    """The API and the labs, with the base URL of the covers that they name by id."""

    def __init__(self, line: Line) -> None:
        token = line.secrets.get("LISTENBRAINZ_TOKEN")
        self.api = Api(line, {"authorization": f"Token {token}"} if token else None)
        self.known_user = bool(token)
        self.covers = line.site("coverartarchive")
        self._labs = Api(line, base_url=line.site("labs"))

    def labs(self, data_set: str, rows: Sequence[Mapping[str, str]]) -> list[Json]:
        """The rows that a data set of the labs has for these; without any there is no call."""
        if not rows:
            return []
        return many(self._labs.post(f"{data_set}/json", rows))


class ListenBrainz(Source[Client]):
    """Names to ids, and ids to facts, in batches."""

    name = "listenbrainz"
    url = "https://api.listenbrainz.org"
    budget = Budget((Limit(27, 10, burst=3),), concurrency=4)
    secrets = _TOKEN
    sites = (Site("coverartarchive", "https://coverartarchive.org"), Site("labs", "https://labs.api.listenbrainz.org"))
    terms = Terms(
        attribution="Data from ListenBrainz and MusicBrainz", url="https://listenbrainz.org", licence="CC0"
    ).but_for("genres", licence="CC BY-NC-SA 3.0", commercial=False)
    chances = Chances(
        reach=0.85,
        by_question={
            "metadata": 0.98,
            "artist_metadata": 0.98,
            "release_group_metadata": 0.98,
            "popularity": 0.9,
            "artist_popularity": 0.95,
            "release_group_popularity": 0.9,
            "country": 0.8,
            "spotify": 0.7,
            "spotify_by_names": 0.6,
            "lookup": 0.75,
        },
        yields={"isrc": 0.7, "genres": 0.8, "cover_art_url": 0.7, "spotify_id": 0.9, "deezer_id": 0.1},
        data={"spotify": "labs", "spotify_by_names": "labs"},
    )
    freshness = Freshness(days=30, by_field={"musicbrainz_id": 90, "isrc": 90, "country": 90, "country_code": 90})
    questions = (
        Question(
            name="metadata",
            kind=Kind.TRACK,
            needs=_MBID,
            uses=("artist_name", "title", "album_title", "isrc"),
            gives=_RECORDING,
            batch=250,  # 1000 fit; so many rows of one reply stay within the deadline and the memory of a worker
        ),
        Question(
            name="popularity",
            kind=Kind.TRACK,
            needs=_MBID,
            gives=fields_of(Kind.TRACK, "musicbrainz_id", "popularity"),
            batch=500,  # 1000 fit; what is settled at once is locked at once
        ),
        Question(
            name="spotify",
            kind=Kind.TRACK,
            needs=_MBID,
            uses=("artist_name", "title"),
            gives=fields_of(Kind.TRACK, "spotify_id", *_NAMED),
            batch=labs.MOST,
        ),
        Question(
            name="lookup",
            kind=Kind.TRACK,
            needs=("artist_name", "title"),
            identifies="musicbrainz_id",
            uses=("album_title",),
            gives=fields_of(Kind.TRACK, *_NAMED, *_NAMED_ALBUM, "performer.musicbrainz_id", "performer.name"),
            batch=50,
        ),
        Question(
            name="spotify_by_names",
            kind=Kind.TRACK,
            needs=("artist_name", "title"),
            identifies="spotify_id",
            uses=("album_title",),
            gives=fields_of(Kind.TRACK, "spotify_id"),
            batch=labs.MOST,
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
            needs=_MBID,
            uses=("name",),
            gives=fields_of(Kind.PERFORMER, *_PERFORMER),
            batch=100,  # bounded by the length of a URL
        ),
        Question(
            name="artist_popularity",
            kind=Kind.PERFORMER,
            needs=_MBID,
            gives=fields_of(Kind.PERFORMER, "musicbrainz_id", "popularity", "followers"),
            batch=500,
        ),
        Question(
            name="country",
            kind=Kind.PERFORMER,
            needs=_MBID,
            gives=fields_of(Kind.PERFORMER, "musicbrainz_id", "name", "country", "country_code"),
            batch=labs.MOST,
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
        Question(
            name="release_group_popularity",
            kind=Kind.ALBUM,
            needs=("musicbrainz_release_group_id",),
            gives=fields_of(Kind.ALBUM, "musicbrainz_release_group_id", "popularity"),
            batch=500,
        ),
    )

    def ids(self, kind: Kind, given: str) -> Sequence[Mapping[str, str]]:
        """MBIDs."""
        return by_mbid(kind, given)

    def client(self, line: Line) -> Client:
        """The API on the wire."""
        return Client(line)

    def ask(self, question: Question, asks: Sequence[Ask], client: Client) -> Sequence[Answer]:
        """One call, whatever the number of lookups."""
        return _ASK[question.name](asks, client)

    def judge(self, reply: Reply) -> Judgement:
        """429 says in a header of its own how long to wait. 404 with a page: the labs no longer have this data set."""
        if reply.status == 404 and b"<html" in reply.body[:2000].lower():
            return Judgement(Verdict.UNREADABLE, message=f"a page and HTTP 404 from {reply.url}")
        return judge_window(reply, WINDOW)


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


def _lookup(asks: Sequence[Ask], client: Client) -> list[Answer]:
    """Of rows that are equal to ListenBrainz only the last is answered there, so one of them is sent.

    The others share its answer; those that name another album wait for a call of their own.
    """
    rows = [_names(ask.keys) for ask in asks]
    sent: dict[str, int] = {}
    for at, row in enumerate(rows):
        if row is not None:
            sent.setdefault(_alike(row), at)
    if not sent:
        return [_too_long() for _ in asks]
    order = list(sent.values())
    reply = _lookup_rows([rows[at] or {} for at in order], client)
    found = {order[number]: row for row in reply if 0 <= (number := _number_of(row, reply)) < len(order)}
    answers = []
    for ask, row in zip(asks, rows, strict=True):
        if row is None:
            answers.append(_too_long())
        elif (match := _row_of(row, rows, sent, found)) is None:
            answers.append(Answer.cut_off())
        else:
            answers.append(_mapped(ask.keys, match, client.covers))
    return answers


def _lookup_rows(rows: Sequence[Mapping[str, str]], client: Client) -> list[Json]:
    """The API's answer to a known user. Everybody else asks the labs, which leave out what they do not know."""
    if client.known_user:
        reply = client.api.post("1/metadata/lookup/", {"recordings": rows})
        return _single(reply) if isinstance(reply, dict) else many(reply)
    asked = [{"artist_credit_name": row["artist_name"], "recording_name": row["recording_name"]} for row in rows]
    found = {row.get("index"): row for row in client.labs("acr-lookup", asked)}
    return [{**found.get(number, {}), "index": number} for number in range(len(rows))]


def _single(reply: Json) -> list[Json]:
    """The answer to one lookup as the address gives it to a GET; empty where nothing fits."""
    if reply and "recording_mbid" not in reply:
        raise ValueError(f"neither a match nor none: {str(reply)[:80]!r}")
    return [{**reply, "index": 0}]


def _alike(row: Mapping[str, str]) -> str:
    """What rows share that are equal to ListenBrainz."""
    return normal(row["artist_name"] + row["recording_name"])


def _number_of(row: Json, reply: Sequence[Json]) -> int:
    """The place of the row that this one answers."""
    index = row.get("index")
    return index if isinstance(index, int) else reply.index(row)


def _row_of(
    row: Mapping[str, str], rows: Sequence[Mapping[str, str] | None], sent: Mapping[str, int], found: Mapping[int, Json]
) -> Json | None:
    """The answer to this row, or to the one that was sent in its place; None where it has to be asked again."""
    at = sent[_alike(row)]
    first = rows[at] or {}
    if at not in found or normal(first.get("release_name", "")) != normal(row.get("release_name", "")):
        return None
    return found[at]


def _too_long() -> Answer:
    return Answer.nothing(f"names of more than {LONGEST_NAMES} characters are not looked up")


def _mapped(keys: Keys, row: Json, covers: str) -> Answer:
    """What a row of a lookup says, with the metadata where it came along."""
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
    tell_recording(told, facts, covers)
    return told.answer()


def _fuzzy(asks: Sequence[Ask], client: Client) -> list[Answer]:
    keys = asks[0].keys
    names = _names(keys)
    if names is None:
        return [_too_long()]
    reply = client.api.get("1", "metadata", "lookup", "", **names, metadata="true", inc="artist tag release")
    return [_mapped(keys, one(reply), client.covers)]


# --- ids to facts --------------------------------------------------------------------------------------------------


def _metadata(asks: Sequence[Ask], client: Client) -> list[Answer]:
    mbids = known(asks, "musicbrainz_id")
    content = {"recording_mbids": mbids, "inc": "artist tag release"}
    rows = one(client.api.post("1/metadata/recording/", content)) if mbids else {}
    answers = []
    for ask in asks:
        mbid = text(ask.keys["musicbrainz_id"]).lower()
        told = Told(Kind.TRACK, ask.keys, _SURE, reason=f"recording {mbid}")
        if facts := one(rows.get(mbid)):
            told.tell(musicbrainz_id=mbid)
            tell_recording(told, facts, client.covers)
        answers.append(told.answer())
    return answers


def _artists(asks: Sequence[Ask], client: Client) -> list[Answer]:
    mbids = known(asks, "musicbrainz_id")
    reply = client.api.get("1", "metadata", "artist", "", artist_mbids=",".join(mbids), inc="tag") if mbids else []
    rows = {text(row.get("artist_mbid") or row.get("mbid")): row for row in many(reply)}
    answers = []
    for ask in asks:
        mbid = text(ask.keys["musicbrainz_id"]).lower()
        told = Told(Kind.PERFORMER, ask.keys, _SURE, reason=f"artist {mbid}")
        if row := rows.get(mbid):
            tell_artist(told, None, {"artist_mbid": mbid, **row}, one(row.get("tag")))
        answers.append(told.answer())
    return answers


def _release_groups(asks: Sequence[Ask], client: Client) -> list[Answer]:
    key = "musicbrainz_release_group_id"
    mbids = known(asks, key)
    params = {"release_group_mbids": ",".join(mbids), "inc": "artist tag release"}
    rows = one(client.api.get("1", "metadata", "release_group", "", **params)) if mbids else {}
    answers = []
    for ask in asks:
        mbid = text(ask.keys[key]).lower()
        told = Told(Kind.ALBUM, ask.keys, _SURE, reason=f"release group {mbid}")
        if facts := one(rows.get(mbid)):
            tell_release_group(told, mbid, facts, client.covers)
        answers.append(told.answer())
    return answers


# --- who listens ---------------------------------------------------------------------------------------------------


def _popularity_of(entity: str, key: str, kind: Kind) -> Callable[[Sequence[Ask], Client], list[Answer]]:
    """The question of how much an entity is heard. Nulls stand for one that nobody heard, or that is not known."""

    def ask_all(asks: Sequence[Ask], client: Client) -> list[Answer]:
        mbids = known(asks, key)
        path = f"1/popularity/{entity.replace('_', '-')}"
        rows = many(client.api.post(path, {f"{entity}_mbids": mbids})) if mbids else []
        by_mbid = {text(row.get(f"{entity}_mbid")).lower(): row for row in rows}
        answers = []
        for ask in asks:
            mbid = text(ask.keys[key]).lower()
            listeners = whole(by_mbid.get(mbid, {}).get("total_user_count"))
            told = Told(kind, ask.keys, _SURE, reason=f"{listeners} listeners of {entity.replace('_', ' ')} {mbid}")
            if listeners > 0:
                fields: Json = {key: mbid, "popularity": popularity(entity, listeners), "followers": listeners}
                told.tell(**fields)  # only performers have followers
            answers.append(told.answer())
        return answers

    return ask_all


def popularity(entity: str, listeners: int) -> int:
    """0 to 100 on a log scale: 100 × log(1 + listeners) / log(1 + MOST_LISTENERS)."""
    return min(100, round(100 * log10(1 + listeners) / log10(1 + MOST_LISTENERS[entity])))


_ASK: dict[str, Callable[[Sequence[Ask], Client], list[Answer]]] = {
    "metadata": _metadata,
    "popularity": _popularity_of("recording", "musicbrainz_id", Kind.TRACK),
    "spotify": labs.spotify_by_mbid,
    "lookup": _lookup,
    "spotify_by_names": labs.spotify_by_names,
    "lookup_fuzzy": _fuzzy,
    "artist_metadata": _artists,
    "artist_popularity": _popularity_of("artist", "musicbrainz_id", Kind.PERFORMER),
    "country": labs.countries,
    "release_group_metadata": _release_groups,
    "release_group_popularity": _popularity_of("release_group", "musicbrainz_release_group_id", Kind.ALBUM),
}
