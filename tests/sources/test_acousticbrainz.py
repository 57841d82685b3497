from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from enrichment.domain.outcomes import Answer, Outcome, Verdict
from enrichment.sources.acousticbrainz import MOST_IDS, AcousticBrainz
from enrichment.sources.base import Ask, Reply

SOURCE = AcousticBrainz()


def mbid(number: int) -> str:
    return f"e8afe383-1478-497e-90b1-{number:012x}"


def document(bpm: Any = 120.5, **tonal: Any) -> dict[str, Any]:
    return {"rhythm": {"bpm": bpm}, "tonal": tonal, "metadata": {"audio_properties": {"length": 0}}}


def asked(line: Any, ids: list[str], reply: Any, question: str = "low_level") -> tuple[list[Answer], dict[str, Any]]:
    """The answers, and what was sent."""
    replay = line(SOURCE, {f"/api/v1/{question.replace('_', '-')}": reply})
    asks = [Ask(number, {"musicbrainz_id": known}) for number, known in enumerate(ids)]
    answers = SOURCE.ask(SOURCE.question(question), asks, SOURCE.client(replay))
    return list(answers), parse_qs(urlsplit(replay.sent[0].url).query) if replay.sent else {}


def test_a_batch_is_one_call_that_asks_for_little(line: Any, told: Any) -> None:
    ids = [mbid(number) for number in range(MOST_IDS)]
    reply = {known: {"0": document(100 + at)} for at, known in enumerate(ids) if at != 3} | {"mbid_mapping": {}}
    answers, sent = asked(line, ids, dict(reversed(reply.items())))
    assert sent["recording_ids"] == [";".join(ids)]
    assert sent["features"] == ["rhythm.bpm;tonal.key_key;tonal.key_scale;tonal.key_strength"]
    assert answers[3].outcome is Outcome.NOTHING_FOUND
    assert [told(answer)["bpm"] for at, answer in enumerate(answers) if at != 3] == [
        100 + at for at in range(MOST_IDS) if at != 3
    ]
    assert "features" not in asked(line, ids, {}, "high_level")[1]


def test_ids_are_sent_once_in_lower_case_and_only_where_they_are_some(line: Any) -> None:
    answers, sent = asked(line, ["none", mbid(10).upper(), mbid(10)], {mbid(10): {"0": document()}})
    assert sent["recording_ids"] == [mbid(10)]
    assert [answer.outcome for answer in answers] == [Outcome.NOTHING_FOUND, Outcome.FOUND, Outcome.FOUND]
    assert asked(line, ["none"], {}) == ([answers[0]], {})


def test_the_first_submission_is_read(line: Any, told: Any) -> None:
    submissions = {"10": document(90), "2": document(100), "x": document(110)}
    assert told(asked(line, [mbid(1)], {mbid(1): submissions})[0][0]) == {"bpm": 100}
    nones: tuple[Any, ...] = (
        {},
        None,
        {"0": None},
        {"0": {}},
        {"0": document(None)},
        {"0": {"rhythm": None, "tonal": None}},
    )
    for none in nones:
        assert asked(line, [mbid(1)], {mbid(1): none})[0][0].outcome is Outcome.NOTHING_FOUND


@pytest.mark.parametrize(
    ("tonal", "key", "camelot"),
    [
        ({"key_key": "A#", "key_scale": "minor"}, "Bb Minor", "3A"),
        ({"key_key": "Bb", "key_scale": "major"}, "Bb Major", "6B"),
        ({"key_key": "A#"}, None, None),
        ({"key_scale": "minor"}, None, None),
        ({"key_key": None, "key_scale": None}, None, None),
        ({"key_key": "H", "key_scale": "minor"}, None, None),
    ],
)
def test_keys(tonal: dict[str, Any], key: str | None, camelot: str | None, line: Any, told: Any) -> None:
    found = told(asked(line, [mbid(1)], {mbid(1): {"0": document(**tonal)}})[0][0])
    assert (found.get("key"), found.get("camelot")) == (key, camelot)


def test_a_clear_key_is_surer_than_a_vague_one(line: Any) -> None:
    def sure(**strength: Any) -> float:
        tonal = {"key_key": "A", "key_scale": "minor", **strength}
        (answer,), _ = asked(line, [mbid(1)], {mbid(1): {"0": document(**tonal)}})
        return next(found.confidence for found in answer.findings if found.field == "key")

    assert sure(key_strength=0.9) > sure() == sure(key_strength=None) > sure(key_strength=0.2) > 0


def test_probabilities_of_classifiers(line: Any, told: Any) -> None:
    chances = {"danceability": {"all": {"danceable": 0.25}}, "mood_acoustic": {"all": {"acoustic": 7}}}
    answers, _ = asked(line, [mbid(1)], {mbid(1): {"0": {"highlevel": chances}}}, "high_level")
    assert told(answers[0]) == {"audio_features": {"danceability": 0.25}}
    answers, _ = asked(line, [mbid(1)], {mbid(1): {"0": {"highlevel": {}}}}, "high_level")
    assert answers[0].outcome is Outcome.NOTHING_FOUND


@pytest.mark.parametrize(
    ("reply", "verdict", "wait"),
    [
        (Reply(429, {"x-ratelimit-reset-in": "7"}, b"{}"), Verdict.OUR_RATE, 7),
        (Reply(429, {}, b"{}"), Verdict.OUR_RATE, 10),
        (Reply(400, {}, b'{"message":"More than 25 recordings not allowed per request"}'), Verdict.BAD_REQUEST, None),
        (Reply(404, {}, b'{"message":"Not found"}'), Verdict.ANSWER, None),
        (Reply(500, {}, b'{"message":"An unknown error occurred"}'), Verdict.FAILING, None),
        (Reply(503, {}, b"<html>"), Verdict.FAILING, None),
    ],
)
def test_judgement(reply: Reply, verdict: Verdict, wait: float | None) -> None:
    judgement = SOURCE.judge(reply)
    assert (judgement.verdict, judgement.retry_after) == (verdict, wait)
