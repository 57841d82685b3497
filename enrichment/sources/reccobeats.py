"""ReccoBeats: tempo, key and audio features in batches, and Spotify's ids by ISRC (api.reccobeats.com/v1/).

features         Spotify ids -> tempo, key, features, ISRC, 40 a call
features_isrc    ISRCs -> the same and a Spotify id, 20 a call
track            Spotify ids -> names, ISRC, duration, popularity, the performer's Spotify id, 40 a call
track_isrc       ISRCs -> the same and a Spotify id, 40 a call

Replies leave out what it does not know and keep no order: rows are recognised by the Spotify id at the end of `href`,
or by their ISRC, which several releases of one recording share. The rate is not published; a refusal is 429 with a
Retry-After. Names, ISRCs and popularity come from Spotify; the features are its own analysis, in which a tempo is now
and then the half or the double. Facts: reference, upstreams 1.10 and 3.6; its documentation (request-and-response,
rate-limiting, terms-of-service).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from enrichment.domain.matching import Side
from enrichment.domain.music import same_tempo
from enrichment.domain.outcomes import Answer, Judgement, Verdict
from enrichment.domain.questions import Budget, Chances, Freshness, Keys, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.sources import links
from enrichment.sources.base import Ask, Line, Reply, Source, judge_http, retry_after
from enrichment.sources.reading import (
    Api,
    Json,
    Told,
    audio_features,
    fields_of,
    fits,
    isrc,
    key_of,
    many,
    milliseconds,
    one,
    pick,
    tempo,
    text,
    whole,
)

MOST_IDS = 40
"""In one call; what is above it is dropped without a word."""
MOST_ISRCS = 20
"""In one call for features: an ISRC may bring several rows."""

_SURE = {
    "": 0.85,
    "spotify_id": 0.9,
    "bpm": 0.75,
    "bpm_alternatives": 0.6,
    "key": 0.7,
    "camelot": 0.7,
    "isrc": 0.8,
    "popularity": 0.7,  # Spotify's, of an unknown date
}

_FEATURES = fields_of(
    Kind.TRACK,
    *("spotify_id", "isrc", "bpm", "bpm_alternatives", "key", "camelot", "audio_features", "external_urls"),
)
_TRACK = fields_of(
    Kind.TRACK,
    *("spotify_id", "title", "artist_name", "artists", "isrc", "duration_ms", "popularity", "external_urls"),
    *("performer.spotify_id", "performer.name", "performer.external_urls"),
)
_TOO_MANY, _WRONG_PATH = 4291, 4042
"""Of its error codes those that say more than their HTTP status, or might come without it."""


class ReccoBeats(Source[Api]):
    """Audio features and Spotify ids, in batches."""

    name = "reccobeats"
    url = "https://api.reccobeats.com"
    budget = Budget((Limit(0.95, 1, burst=2),), concurrency=3)
    terms = Terms(
        attribution="Audio features from ReccoBeats",
        url="https://reccobeats.com",
        licence="ReccoBeats terms of service: free, for commercial use too; names, ids and popularity are Spotify's",
    )
    chances = Chances(reach=0.7)
    freshness = Freshness(
        days=30, by_field={"spotify_id": 90, "isrc": 90, "bpm": 90, "key": 90, "audio_features": 90, "popularity": 14}
    )
    questions = (
        Question(name="features", kind=Kind.TRACK, needs=("spotify_id",), gives=_FEATURES, batch=MOST_IDS),
        Question(
            name="features_isrc",
            kind=Kind.TRACK,
            needs=("isrc",),
            uses=("spotify_id",),
            gives=_FEATURES,
            batch=MOST_ISRCS,
        ),
        Question(
            name="track",
            kind=Kind.TRACK,
            needs=("spotify_id",),
            uses=("artist_name",),
            gives=_TRACK,
            batch=MOST_IDS,
        ),
        Question(
            name="track_isrc",
            kind=Kind.TRACK,
            needs=("isrc",),
            identifies="spotify_id",
            uses=("artist_name", "title", "duration_ms"),
            gives=_TRACK,
            batch=MOST_IDS,
        ),
    )

    def ids(self, _kind: Kind, given: str) -> Sequence[Mapping[str, str]]:
        """It is asked by Spotify's ids."""
        return ({"spotify_id": given},)

    def client(self, line: Line) -> Api:
        """The API on the wire."""
        return Api(line)

    def ask(self, question: Question, asks: Sequence[Ask], client: Api) -> Sequence[Answer]:
        """One call, whatever the number of lookups."""
        path, read = _WAYS[question.name]
        id_of_ask, id_of_row = (_isrc_in, _isrc_in) if "isrc" in question.needs else (_asked_spotify_id, _spotify_id_of)
        ids = [id_of_ask(ask.keys) for ask in asks]
        sent = list(dict.fromkeys(filter(None, ids)))
        found: dict[str, list[Json]] = {}
        for row in _rows(client.get("v1", path, ids=",".join(sent))) if sent else ():
            found.setdefault(id_of_row(row), []).append(row)
        return [
            read(ask.keys, found[known]) if known and known in found else Answer.nothing()
            for ask, known in zip(asks, ids, strict=True)
        ]

    def judge(self, reply: Reply) -> Judgement:
        """Its own error codes say what the status does not."""
        verdict = judge_http(reply)
        code = _code_in(reply)
        if code == _TOO_MANY:
            return Judgement(Verdict.OUR_RATE, retry_after(reply), f"HTTP {reply.status}: {reply.text[:200]}")
        if code == _WRONG_PATH:
            return Judgement(Verdict.REFUSED, None, f"the endpoint is gone: {reply.text[:200]}")
        return verdict


def _code_in(reply: Reply) -> int:
    """The error code in a reply, 0 where there is none. Its name there is not documented."""
    if reply.status < 400:
        return 0
    try:
        content = reply.json()
    except ValueError:
        return 0
    values = content.values() if isinstance(content, dict) else ()
    return next((code for code in map(whole, values) if code in (_TOO_MANY, _WRONG_PATH)), 0)


def _rows(reply: Any) -> list[Json]:
    """The rows of a reply, the better known of two alike first: the order of replies means nothing."""
    found = many(one(reply)["content"]) if reply is not None else []
    return sorted(found, key=lambda row: (-whole(row.get("popularity")), text(row.get("href"))))


# --- asking --------------------------------------------------------------------------------------------------------


def _isrc_in(content: Mapping[str, Any]) -> str:
    """The ISRC of a lookup or of a row; "" where it has none."""
    return isrc(content.get("isrc")) or ""


def _spotify_id_in(url: str) -> str:
    return str(links.ids_in(Kind.TRACK, [url]).get("spotify_id", ""))


def _spotify_id_of(row: Json) -> str:
    """The Spotify id of a row; its `id` is ReccoBeats' own."""
    return _spotify_id_in(text(row.get("href")))


def _asked_spotify_id(keys: Keys) -> str:
    """The Spotify id that is known; "" for what is none, which might have the whole call refused."""
    known = text(keys.get("spotify_id"))
    return known if _spotify_id_in(f"open.spotify.com/track/{known}") == known else ""


def _by_id(keys: Keys, rows: Sequence[Json]) -> Json | None:
    """The row of the Spotify id that is known."""
    known = _asked_spotify_id(keys)
    return next((row for row in rows if known and _spotify_id_of(row) == known), None)


def _features(keys: Keys, rows: Sequence[Json]) -> Answer:
    """Rows of one ISRC are the same recording: any will do, and tempi that differ are kept beside the first."""
    row = _by_id(keys, rows)
    if row is not None:
        told = Told(Kind.TRACK, keys, _SURE, reason=f"Spotify id {_spotify_id_of(row)}")
    else:
        row = rows[0]
        told = Told(Kind.TRACK, keys, _SURE, match=0.9, reason=f"ISRC {_isrc_in(row)}")
    _tell_features(told, row, rows)
    return told.answer()


def _track(keys: Keys, rows: Sequence[Json]) -> Answer:
    row = _by_id(keys, rows)
    if row is not None:
        told = Told(Kind.TRACK, keys, _SURE, reason=f"Spotify id {_spotify_id_of(row)}")
    else:
        index, score, reason = _fitting(keys, rows)
        if index is None:
            return Answer.nothing(reason)
        row = rows[index]
        told = Told(Kind.TRACK, keys, _SURE, match=score, reason=f"ISRC {_isrc_in(row)}; {reason}")
    _tell_track(told, row)
    return told.answer()


def _fitting(keys: Keys, rows: Sequence[Json]) -> tuple[int | None, float, str]:
    """(index, score, reasons) of the release that fits best, since an ISRC may be wrong; by it alone without names."""
    if len(rows) == 1 or not (text(keys.get("artist_name")) or text(keys.get("title"))):
        taken, score, reason = fits(Kind.TRACK, keys, _side(rows[0]))
        return 0 if taken else None, score, reason
    return pick(Kind.TRACK, keys, [_side(row) for row in rows])


_WAYS: dict[str, tuple[str, Callable[[Keys, Sequence[Json]], Answer]]] = {
    "features": ("audio-features", _features),
    "features_isrc": ("audio-features", _features),
    "track": ("track", _track),
    "track_isrc": ("track", _track),
}
"""Path, and what reads the rows of one lookup."""


# --- reading -------------------------------------------------------------------------------------------------------


def _side(row: Json) -> Side:
    code = isrc(row.get("isrc"))
    return Side(
        artist=", ".join(_names(row)),
        title=text(row.get("trackTitle")),
        duration_ms=milliseconds(row.get("durationMs")),
        isrc=(code,) if code else (),
    )


def _names(row: Json) -> list[str]:
    return [name for artist in many(row.get("artists")) if (name := text(artist.get("name")))]


def _tell_identity(told: Told, row: Json) -> None:
    url = text(row.get("href"))
    told.tell(
        spotify_id=_spotify_id_of(row),
        isrc=isrc(row.get("isrc")),
        external_urls=links.by_kind([(url, "")]),
    )


def _tell_features(told: Told, row: Json, rows: Sequence[Json]) -> None:
    _tell_identity(told, row)
    bpm = tempo(row.get("tempo"))
    told.tell(bpm=bpm, bpm_alternatives=_other_tempi(bpm, rows), audio_features=audio_features(row), **key_of(row))


def _other_tempi(bpm: float | None, rows: Sequence[Json]) -> list[float]:
    """Tempi of the other rows that differ from this one, each once: half or double of it, as a rule."""
    kept = [bpm] if bpm else []
    for other in sorted(filter(None, (tempo(row.get("tempo")) for row in rows))):
        if kept and not any(same_tempo(other, known) for known in kept):
            kept.append(other)
    return kept[1:]


def _tell_track(told: Told, row: Json) -> None:
    names = _names(row)
    _tell_identity(told, row)
    told.tell(
        title=row.get("trackTitle"),
        artist_name=", ".join(names),
        artists=[{"name": name, "role": "main"} for name in names],
        duration_ms=milliseconds(row.get("durationMs")),
        popularity=row.get("popularity"),
    )
    credited = many(row.get("artists"))
    if credited and told.by_performer(text(credited[0].get("name"))):
        url = text(credited[0].get("href"))
        told.tell(
            Kind.PERFORMER,
            name=credited[0].get("name"),
            external_urls=links.by_kind([(url, "")]),
            **links.ids_in(Kind.PERFORMER, [url]),
        )
