from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from enrichment.domain.outcomes import Answer, Outcome, Verdict
from enrichment.sources.base import Ask, Reply
from enrichment.sources.reccobeats import MOST_IDS, MOST_ISRCS, ReccoBeats

SOURCE = ReccoBeats()
FEATURES, TRACK = "/v1/audio-features", "/v1/track"


def spotify(number: int) -> str:
    return f"{number:022d}"


def features(number: int, **more: Any) -> dict[str, Any]:
    href = f"https://open.spotify.com/track/{spotify(number)}"
    return {"id": "x", "href": href, "isrc": f"GBAAA{number:07d}", "tempo": 100.0 + number, "key": 9, "mode": 0, **more}


def track(number: int, title: str = "Strangers", artist: str = "Portishead", **more: Any) -> dict[str, Any]:
    artists = [{"name": artist, "href": f"https://open.spotify.com/artist/{spotify(number)}"}]
    return {**features(number), "trackTitle": title, "artists": artists, "durationMs": 238_000, **more}


def asked(line: Any, question: str, keys: list[dict[str, Any]], rows: list[Any]) -> tuple[list[Answer], list[str]]:
    """The answers, and the ids that were sent."""
    replay = line(SOURCE, {FEATURES: {"content": rows}, TRACK: {"content": rows}})
    asks = [Ask(number, known) for number, known in enumerate(keys)]
    answers = SOURCE.ask(SOURCE.question(question), asks, SOURCE.client(replay))
    sent = [parse_qs(urlsplit(request.url).query)["ids"][0] for request in replay.sent]
    return list(answers), [one for ids in sent for one in ids.split(",")]


def test_rows_are_recognised_by_their_spotify_id_in_any_order(line: Any, told: Any) -> None:
    numbers = range(1, 1 + MOST_IDS)
    rows = [features(number) for number in numbers if number != 5]
    keys = [{"spotify_id": spotify(number)} for number in numbers]
    answers, sent = asked(line, "features", keys, rows[::-1])
    assert sent == [spotify(number) for number in numbers]
    assert answers[4].outcome is Outcome.NOTHING_FOUND
    assert [told(answer)["bpm"] for at, answer in enumerate(answers) if at != 4] == [row["tempo"] for row in rows]


def test_rows_are_recognised_by_their_isrc_however_it_is_written(line: Any, told: Any) -> None:
    keys = [{"isrc": f"gb-aaa-00-{number:05d}"} for number in range(1, 1 + MOST_ISRCS)]
    rows = [features(number, isrc=f"GB-AAA-00-{number:05d}") for number in range(2, 1 + MOST_ISRCS)]
    answers, sent = asked(line, "features_isrc", keys, rows)
    assert sent == [f"GBAAA{number:07d}" for number in range(1, 1 + MOST_ISRCS)]
    assert answers[0].outcome is Outcome.NOTHING_FOUND
    assert [told(answer)["spotify_id"] for answer in answers[1:]] == [spotify(n) for n in range(2, 1 + MOST_ISRCS)]


@pytest.mark.parametrize("question", ["features", "track"])
def test_what_is_no_id_is_not_sent(question: str, line: Any) -> None:
    nothing, found = asked(line, question, [{"spotify_id": "none"}, {"spotify_id": spotify(1)}], [track(1)])[0]
    assert (nothing.outcome, found.outcome) == (Outcome.NOTHING_FOUND, Outcome.FOUND)
    assert asked(line, question, [{"spotify_id": "none"}], [])[1] == []
    assert asked(line, f"{question}_isrc", [{"isrc": "no code"}], [])[1] == []


def test_the_same_id_is_sent_once(line: Any) -> None:
    answers, sent = asked(line, "features", [{"spotify_id": spotify(1)}] * 3, [features(1)])
    assert sent == [spotify(1)]
    assert answers[0] == answers[1] == answers[2]


def test_an_empty_reply_is_nothing_found_and_another_shape_is_not(line: Any) -> None:
    assert asked(line, "features", [{"spotify_id": spotify(1)}], [])[0][0].outcome is Outcome.NOTHING_FOUND
    for reply in ({}, {"error": "x"}, [features(1)], {"content": {"a": 1}}):
        client = SOURCE.client(line(SOURCE, {FEATURES: reply}))
        with pytest.raises((KeyError, TypeError)):
            SOURCE.ask(SOURCE.question("features"), [Ask(1, {"spotify_id": spotify(1)})], client)


@pytest.mark.parametrize(
    ("row", "key", "camelot"),
    [
        ({"key": 9, "mode": 0}, "A Minor", "8A"),
        ({"key": 0, "mode": 1}, "C Major", "8B"),
        ({"key": "9", "mode": "0"}, "A Minor", "8A"),
        ({"key": 9.0, "mode": 0.0}, "A Minor", "8A"),
        ({"key": -1, "mode": 1}, None, None),
        ({"key": 12, "mode": 1}, None, None),
        ({"key": None, "mode": 1}, None, None),
        ({"key": 9, "mode": None}, None, None),
        ({"key": 9, "mode": -1}, None, None),
    ],
)
def test_keys(row: dict[str, Any], key: str | None, camelot: str | None, line: Any, told: Any) -> None:
    answers, _ = asked(line, "features", [{"spotify_id": spotify(1)}], [features(1, **row)])
    found = told(answers[0])
    assert (found.get("key"), found.get("camelot")) == (key, camelot)


def test_features_that_are_not_known_are_not_told(line: Any, told: Any) -> None:
    row = features(1, tempo=0, energy=None, valence=1.5, liveness="0.25", loudness=-7, danceability=0, speechiness="")
    found = told(asked(line, "features", [{"spotify_id": spotify(1)}], [row])[0][0])
    assert found["audio_features"] == {"liveness": 0.25, "loudness": -7, "danceability": 0}
    assert "bpm" not in found
    assert "audio_features" not in told(asked(line, "features", [{"spotify_id": spotify(1)}], [features(1)])[0][0])


def test_other_tempi_of_an_isrc_are_kept_beside_the_first(line: Any, told: Any) -> None:
    rows = [features(n, isrc="GBAAA9400119", tempo=bpm) for n, bpm in enumerate((87.5, 175.0, 175.1, 87.4, 0))]
    found = told(asked(line, "features_isrc", [{"isrc": "GBAAA9400119"}], rows)[0][0])
    assert (found["bpm"], found["bpm_alternatives"]) == (87.5, [175.0])
    known = {"isrc": "GBAAA9400119", "spotify_id": spotify(1)}
    found = told(asked(line, "features_isrc", [known], rows)[0][0])
    assert (found["bpm"], found["spotify_id"]) == (175.0, spotify(1))
    found = told(asked(line, "features", [{"spotify_id": spotify(1)}], rows)[0][0])
    assert "bpm_alternatives" not in found


def test_of_several_releases_that_of_the_subject_is_taken(line: Any, told: Any) -> None:
    keys = {"isrc": "GBAAA9400119", "artist_name": "Portishead", "title": "Strangers", "duration_ms": 238_000}
    rows = [
        track(1, isrc="GBAAA9400119", popularity=10),
        track(2, isrc="GBAAA9400119", popularity=60),
        track(3, "Strangers (Karaoke Version)", "Karaoke Hits", isrc="GBAAA9400119", popularity=90),
    ]
    found = told(asked(line, "track_isrc", [keys], rows)[0][0])
    assert (found["spotify_id"], found["popularity"]) == (spotify(2), 60)
    assert found["performer.spotify_id"] == spotify(2)
    assert told(asked(line, "track_isrc", [{"isrc": "GBAAA9400119"}], rows)[0][0])["spotify_id"] == spotify(3)


def test_a_wrong_isrc_is_not_taken(line: Any) -> None:
    keys = {"isrc": "GBAAA0000001", "artist_name": "Portishead", "title": "Strangers", "duration_ms": 238_000}
    answers, _ = asked(line, "track_isrc", [keys], [track(1, "Something Else", "Another", durationMs=100_000)])
    assert answers[0].outcome is Outcome.NOTHING_FOUND
    assert answers[0].note


def test_another_performer_is_not_the_subjects(line: Any, told: Any) -> None:
    keys = {"spotify_id": spotify(1), "artist_name": "Somebody"}
    found = told(asked(line, "track", [keys], [track(1)])[0][0])
    assert found["artist_name"] == "Portishead"
    assert not any(name.startswith("performer.") for name in found)


def coded(status: int, code: int, **headers: str) -> Reply:
    return Reply(status, headers, json.dumps({"timestamp": "2026-05-06T00:00:00Z", "error": code}).encode())


@pytest.mark.parametrize(
    ("reply", "verdict", "wait"),
    [
        (coded(429, 4291, **{"retry-after": "3"}), Verdict.OUR_RATE, 3),
        (Reply(429, {}, b""), Verdict.OUR_RATE, None),
        (coded(403, 4291, **{"retry-after": "3"}), Verdict.OUR_RATE, 3),
        (coded(404, 4041), Verdict.ANSWER, None),
        (coded(404, 4042), Verdict.REFUSED, None),
        (coded(400, 4001), Verdict.BAD_REQUEST, None),
        (coded(400, 4004), Verdict.BAD_REQUEST, None),
        (Reply(403, {}, b"<html>"), Verdict.REFUSED, None),
        (Reply(500, {}, b"{}"), Verdict.FAILING, None),
        (Reply(200, {}, b'{"content":[]}'), Verdict.ANSWER, None),
    ],
)
def test_judgement(reply: Reply, verdict: Verdict, wait: float | None) -> None:
    judgement = SOURCE.judge(reply)
    assert (judgement.verdict, judgement.retry_after) == (verdict, wait)
