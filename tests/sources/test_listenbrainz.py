from __future__ import annotations

import json
from typing import Any

import pytest

from enrichment.domain.outcomes import Outcome, Verdict
from enrichment.sources.base import Ask, Reply
from enrichment.sources.listenbrainz import ListenBrainz

SOURCE = ListenBrainz()
MBID = "e97f805a-ab48-4c52-855e-07049142113d"
LOOKUP = "/1/metadata/lookup/"


def row(index: int, artist: str, title: str, album: str = "") -> dict[str, Any]:
    return {
        "index": index,
        "artist_credit_name": artist,
        "recording_name": title,
        "release_name": album,
        "recording_mbid": f"{index}{MBID[1:]}",
        "artist_mbids": [MBID],
    }


def lookup(line: Any, reply: Any, *named: tuple[str, str, str]) -> tuple[list[Any], list[dict[str, str]]]:
    """The answers, and the rows that were sent."""
    replay = line(SOURCE, {LOOKUP: reply})
    keys = [{"artist_name": artist, "title": title, "album_title": album} for artist, title, album in named]
    answers = SOURCE.ask(SOURCE.question("lookup"), [Ask(n, k) for n, k in enumerate(keys)], SOURCE.client(replay))
    return list(answers), json.loads(replay.sent[0].body)["recordings"] if replay.sent else []


def test_equal_names_are_sent_once_and_answered_alike(line: Any) -> None:
    reply = [row(0, "Beyoncé", "Halo"), row(1, "Portishead", "Strangers")]
    asked = [("Beyoncé", "Halo", ""), ("BEYONCE", "halo!", ""), ("Portishead", "Strangers", "")]
    answers, sent = lookup(line, reply, *asked)
    assert [row["recording_name"] for row in sent] == ["Halo", "Strangers"]
    assert [answer.outcome for answer in answers] == [Outcome.FOUND] * 3
    assert answers[0] == answers[1] != answers[2]


def test_equal_names_of_another_album_wait_for_their_own_call(line: Any) -> None:
    answers, sent = lookup(line, [row(0, "A", "B", "C")], ("A", "B", "C"), ("A", "B", "D"))
    assert len(sent) == 1
    assert sent[0]["release_name"] == "C"
    assert [answer.outcome for answer in answers] == [Outcome.FOUND, Outcome.OVER_BUDGET]


def test_rows_that_were_cut_off_go_back(line: Any) -> None:
    answers, _ = lookup(line, [row(0, "Aaaaa", "Bbbbb")], ("Aaaaa", "Bbbbb", ""), ("Ccccc", "Ddddd", ""))
    assert [answer.outcome for answer in answers] == [Outcome.FOUND, Outcome.OVER_BUDGET]


def test_unknown_names_are_nothing_found(line: Any) -> None:
    reply = [{"index": 0, "artist_name_arg": "A", "recording_name_arg": "B"}]
    answers, _ = lookup(line, reply, ("A", "B", ""))
    assert answers[0].outcome is Outcome.NOTHING_FOUND


def test_names_that_would_have_the_call_refused_are_not_sent(line: Any) -> None:
    answers, sent = lookup(line, [row(0, "Aaaaa", "Bbbbb")], ("A" * 200, "B" * 51, ""), ("Aaaaa", "Bbbbb", "C" * 300))
    assert sent == [{"artist_name": "Aaaaa", "recording_name": "Bbbbb"}]
    assert [answer.outcome for answer in answers] == [Outcome.NOTHING_FOUND, Outcome.FOUND]
    assert lookup(line, [], ("A" * 10_000, "B", "")) == ([answers[0]], [])


def test_the_token_is_sent_and_only_in_its_header(line: Any) -> None:
    replay = line(SOURCE, {LOOKUP: []})
    SOURCE.ask(SOURCE.question("lookup"), [Ask(1, {"artist_name": "A", "title": "B"})], SOURCE.client(replay))
    (sent,) = replay.sent
    assert sent.headers["authorization"] == "Token secret of LISTENBRAINZ_TOKEN"
    assert sent.headers["content-type"] == "application/json"


def test_ids_that_are_none_are_not_sent(line: Any) -> None:
    replay = line(SOURCE, {"/1/metadata/recording/": {MBID: {"recording": {"name": "B"}}}})
    asks = [
        Ask(1, {"musicbrainz_id": "not an id"}),
        Ask(2, {"musicbrainz_id": MBID.upper()}),
        Ask(3, {"musicbrainz_id": f"0{MBID[1:]}"}),
    ]
    answers = SOURCE.ask(SOURCE.question("metadata"), asks, SOURCE.client(replay))
    assert json.loads(replay.sent[0].body)["recording_mbids"] == [MBID, f"0{MBID[1:]}"]
    assert [answer.outcome for answer in answers] == [Outcome.NOTHING_FOUND, Outcome.FOUND, Outcome.NOTHING_FOUND]
    nowhere = line(SOURCE, {})
    assert SOURCE.ask(SOURCE.question("metadata"), asks[:1], SOURCE.client(nowhere))[0].outcome is Outcome.NOTHING_FOUND
    assert not nowhere.sent


def test_the_credit_of_two_is_not_the_performer(ask: Any, told: Any) -> None:
    people = [{"artist_mbid": MBID, "name": "A", "join_phrase": " & "}, {"artist_mbid": MBID, "name": "B"}]
    facts = {"recording": {"name": "S"}, "artist": {"name": "A & B", "artists": people}}
    replies = {"/1/metadata/recording/": {MBID: facts}}
    keys = {"musicbrainz_id": MBID, "title": "S"}
    assert "performer.musicbrainz_id" not in told(ask(SOURCE, "metadata", {**keys, "artist_name": "A & B"}, replies))
    assert told(ask(SOURCE, "metadata", {**keys, "artist_name": "A feat. B"}, replies))["performer.name"] == "A"


def test_an_area_that_is_a_city_is_no_country(ask: Any, told: Any) -> None:
    reply = [{"artist_mbid": MBID, "name": "A", "area": "Bristol"}]
    assert told(ask(SOURCE, "artist_metadata", {"musicbrainz_id": MBID}, {"/1/metadata/artist/": reply})) == {
        "musicbrainz_id": MBID,
        "name": "A",
    }


@pytest.mark.parametrize(
    ("reply", "verdict", "wait"),
    [
        (Reply(429, {"x-ratelimit-reset-in": "7"}, b"{}"), Verdict.OUR_RATE, 7),
        (Reply(429, {}, b"{}"), Verdict.OUR_RATE, 10),
        (Reply(401, {}, b'{"code":401,"error":"You need to provide an Authorization token."}'), Verdict.REFUSED, None),
        (Reply(400, {}, b'{"code":400}'), Verdict.BAD_REQUEST, None),
        (Reply(500, {}, b""), Verdict.FAILING, None),
        (Reply(200, {}, b"{}"), Verdict.ANSWER, None),
    ],
)
def test_judgement(reply: Reply, verdict: Verdict, wait: float | None) -> None:
    judgement = SOURCE.judge(reply)
    assert (judgement.verdict, judgement.retry_after) == (verdict, wait)
