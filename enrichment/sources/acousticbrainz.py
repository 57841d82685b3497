"""AcousticBrainz: tempo and key by MusicBrainz ids, in batches; nothing later than 2022 (acousticbrainz.org/api/v1/).

low_level    recording ids -> tempo, key, length, 25 a call
high_level   recording ids -> what its classifiers make of the sound, 25 a call

A recording has been submitted once or many times; the first submission is read. Unknown ids are absent from the reply;
a malformed one, or a 26th, makes it refuse the whole call. Limit: 100 calls in each 10 s of the clock, per IP; a
refusal names its wait in X-RateLimit-Reset-In. Not read: the tags, which are those of one submitter's file (the date of
its edition, whatever genre), and the classifiers of genre and mood, which are noise. Facts: reference, upstreams 1.11
and 3.6; acousticbrainz-server, webserver/views/api/v1/core.py and errors.py, at 3b92d44.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from enrichment.domain.music import camelot, read_key
from enrichment.domain.outcomes import Answer, Judgement
from enrichment.domain.questions import Budget, Chances, Freshness, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.sources.base import Ask, Line, Reply, Source
from enrichment.sources.reading import (
    Api,
    Json,
    Told,
    fields_of,
    fraction,
    is_mbid,
    judge_window,
    number,
    one,
    tempo,
    text,
)

MOST_IDS = 25
WINDOW = 10.0
"""Seconds over which it counts calls."""
_LEAVES = "rhythm.bpm;tonal.key_key;tonal.key_scale;tonal.key_strength"
"""What is asked for of a document of 20 kB; its length comes along always."""

_SURE = {
    "": 0.6,
    "audio_features": 0.3,  # probabilities of two classes, not measures
    "key": 0.65,
    "camelot": 0.65,
}


class AcousticBrainz(Source[Api]):
    """What was computed from the sound of recordings, until 2022."""

    name = "acousticbrainz"
    url = "https://acousticbrainz.org"
    budget = Budget((Limit(90, 10, burst=5),), concurrency=4)
    terms = Terms(
        attribution="Data from AcousticBrainz",
        url="https://acousticbrainz.org",
        licence="CC0",
    )
    chances = Chances(reach=0.5, by_trait={"recent": 0.01}, yields={"key": 0.9})  # of all recordings; frozen in 2022
    freshness = Freshness(days=90)
    questions = (
        Question(
            name="low_level",
            kind=Kind.TRACK,
            needs=("musicbrainz_id",),
            gives=fields_of(Kind.TRACK, "bpm", "key", "camelot", "duration_ms"),
            batch=MOST_IDS,
        ),
        Question(
            name="high_level",
            kind=Kind.TRACK,
            needs=("musicbrainz_id",),
            gives=fields_of(Kind.TRACK, "audio_features"),
            batch=MOST_IDS,
            calls=3.0,  # 9 kB a recording for three weak numbers: asked after all others
        ),
    )

    def ids(self, _kind: Kind, given: str) -> Sequence[Mapping[str, str]]:
        """It is asked by MBIDs."""
        return ({"musicbrainz_id": given},)

    def client(self, line: Line) -> Api:
        """The API on the wire."""
        return Api(line)

    def ask(self, question: Question, asks: Sequence[Ask], client: Api) -> Sequence[Answer]:
        """One call, whatever the number of lookups."""
        tell = _tell_low_level if question.name == "low_level" else _tell_high_level
        leaves = _LEAVES if question.name == "low_level" else None
        mbids = [_mbid(ask) for ask in asks]
        sent = ";".join(dict.fromkeys(filter(None, mbids)))
        path = question.name.replace("_", "-")
        reply = client.get("api", "v1", path, recording_ids=sent, features=leaves) if sent else None
        documents = one(reply)
        answers = []
        for ask, mbid in zip(asks, mbids, strict=True):
            told = Told(Kind.TRACK, ask.keys, _SURE, reason=f"recording {mbid}")
            tell(told, _first(documents.get(mbid)))
            answers.append(told.answer())
        return answers

    def judge(self, reply: Reply) -> Judgement:
        """429 says how long to wait in a header of its own."""
        return judge_window(reply, WINDOW)


def _mbid(ask: Ask) -> str:
    """The id as replies have it, "" for what is none."""
    known = ask.keys["musicbrainz_id"]
    return text(known).lower() if is_mbid(known) else ""


def _first(submissions: Any) -> Json:
    """The document of the first submission, of those that the reply has by number; empty where there is none."""
    found = one(submissions)
    return one(found[min(found, key=_place)]) if found else {}


def _place(offset: str) -> float:
    return float(offset) if offset.isdecimal() else float("inf")


def _tell_low_level(told: Told, document: Json) -> None:
    tonal, properties = one(document.get("tonal")), one(one(document.get("metadata")).get("audio_properties"))
    length = number(properties.get("length"))
    told.tell(
        bpm=tempo(one(document.get("rhythm")).get("bpm")),
        duration_ms=length * 1000 if length and length > 0 else None,
    )
    key = _key(tonal)
    strength = fraction(tonal.get("key_strength"))
    told.tell(factor=0.5 + (0.5 if strength is None else strength) / 2, key=key, camelot=camelot(key) if key else None)


def _key(tonal: Json) -> str | None:
    """From "A#" and "minor"; either alone is no key."""
    step, scale = text(tonal.get("key_key")), text(tonal.get("key_scale"))
    return read_key(f"{step} {scale}") if step and scale else None


def _tell_high_level(told: Told, document: Json) -> None:
    classifiers = one(document.get("highlevel"))

    def chance(classifier: str, outcome: str) -> float | None:
        return fraction(one(one(classifiers.get(classifier)).get("all")).get(outcome))

    features = {
        "danceability": chance("danceability", "danceable"),
        "acousticness": chance("mood_acoustic", "acoustic"),
        "instrumentalness": chance("voice_instrumental", "instrumental"),
    }
    told.tell(audio_features={name: value for name, value in features.items() if value is not None})
