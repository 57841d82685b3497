from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from enrichment.domain.outcomes import Outcome, Verdict
from enrichment.sources.base import Ask, Reply
from enrichment.sources.deezer import Deezer, is_default_picture, popularity

SOURCE = Deezer()


def error(code: int, status: int = 200) -> Reply:
    return Reply(status, {}, json.dumps({"error": {"type": "Exception", "message": "what", "code": code}}).encode())


@pytest.mark.parametrize(
    ("reply", "verdict", "wait"),
    [
        (error(4), Verdict.OUR_RATE, 5),
        (error(700), Verdict.SHED, None),
        (error(800), Verdict.ANSWER, None),
        (error(800, 404), Verdict.ANSWER, None),
        (error(500), Verdict.BAD_REQUEST, None),
        (error(501), Verdict.BAD_REQUEST, None),
        (error(600), Verdict.BAD_REQUEST, None),
        (error(200), Verdict.REFUSED, None),
        (error(300), Verdict.REFUSED, None),
        (error(12345), Verdict.FAILING, None),
        (Reply(404, {}, b'{"error":"Not Found"}'), Verdict.ANSWER, None),
        (Reply(200, {}, b'{"id":1,"title":"error"}'), Verdict.ANSWER, None),
        (Reply(503, {}, b"<html>"), Verdict.FAILING, None),
    ],
)
def test_judgement(reply: Reply, verdict: Verdict, wait: float | None) -> None:
    judgement = SOURCE.judge(reply)
    assert (judgement.verdict, judgement.retry_after) == (verdict, wait)


@pytest.mark.parametrize("question", [question.name for question in SOURCE.questions])
def test_no_data_is_nothing_found(question: str, line: Any) -> None:
    known = {"deezer_id": "1", "isrc": "GBAAA9400119", "barcode": "1", "artist_name": "A", "title": "B", "name": "A"}
    for reply in (error(800), error(800, 404), Reply(200, {}, b'{"data":[],"total":0}')):
        if b"data" in reply.body[:8] and "search" not in question:
            continue
        asked = SOURCE.question(question)
        client = SOURCE.client(line(SOURCE, {"": reply}))
        (answer,) = SOURCE.ask(asked, [Ask(1, {name: known[name] for name in asked.needs})], client)
        assert answer.outcome is Outcome.NOTHING_FOUND


def test_popularity() -> None:
    assert [popularity(rank) for rank in (0, None, "x", 10, 1_000, 100_000, 999_999, 5_000_000)] == [
        None,
        None,
        None,
        17,
        50,
        83,
        100,
        100,
    ]


def test_a_bpm_of_zero_is_not_known(ask: Any, told: Any) -> None:
    for bpm, known in ((0, None), (0.0, None), (123, 123), (90.1, 90.1), ("123", None)):
        found = told(ask(SOURCE, "track", {"deezer_id": "1"}, {"/track/1": {"id": 1, "title": "A", "bpm": bpm}}))
        assert found.get("bpm") == known


def test_a_wrong_isrc_is_not_taken(ask: Any) -> None:
    track = {"id": 1, "title": "Something Else", "artist": {"name": "Another"}, "isrc": "GBAAA9400119", "duration": 100}
    keys = {"isrc": "GBAAA9400119", "artist_name": "Portishead", "title": "Strangers", "duration_ms": 238000}
    answer = ask(SOURCE, "isrc", keys, {"/track/isrc:GBAAA9400119": track})
    assert answer.outcome is Outcome.NOTHING_FOUND
    assert answer.note
    assert ask(SOURCE, "isrc", {"isrc": keys["isrc"]}, {"/track/isrc:GBAAA9400119": track}).outcome is Outcome.FOUND


def test_the_default_picture_is_none(ask: Any, told: Any) -> None:
    url = "https://cdn-images.dzcdn.net/images/artist//1000x1000-000000-80-0-0.jpg"
    assert is_default_picture(url)
    found = told(ask(SOURCE, "artist", {"deezer_id": "1"}, {"/artist/1": {"id": 1, "name": "A", "picture_xl": url}}))
    assert found == {"deezer_id": "1", "name": "A"}


def test_dates_of_zeros(ask: Any, told: Any) -> None:
    for given, known in (
        ("0000-00-00", None),
        ("1999-00-00", "1999"),
        ("1999-03-00", "1999-03"),
        ("1999-03-07", "1999-03-07"),
    ):
        found = told(ask(SOURCE, "album", {"deezer_id": "1"}, {"/album/1": {"id": 1, "release_date": given}}))
        assert found.get("release_date") == known


@pytest.fixture(name="exchanges", scope="module")
def _exchanges(recorded: Path) -> dict[str, Reply]:
    """Recorded replies by path and query; the last of each."""
    found = {}
    with gzip.open(recorded / "interactions.jsonl.gz", "rt") as lines:
        for row in map(json.loads, lines):
            request, response = row["request"], row["response"]
            if row["source"] == "deezer" and request["method"] == "GET":
                path = request["url"].removeprefix("https://api.deezer.com")
                found[path] = Reply(response["status"], {}, response["body"].encode())
    return found


def test_recorded_lookups(exchanges: dict[str, Reply], ask: Any, told: Any) -> None:
    track = told(ask(SOURCE, "track", {"deezer_id": "3135556"}, exchanges))
    assert (track["isrc"], track["bpm"], track["duration_ms"]) == ("GBDUW0000059", 123, 224000)
    assert (track["title"], track["artist_name"]) == ("Harder Better Faster Stronger", "Daft Punk")
    assert track["album.deezer_id"] == "302127"
    artist = told(ask(SOURCE, "artist", {"deezer_id": "27"}, exchanges))
    assert artist["name"] == "Daft Punk"
    assert artist["followers"] > 3_000_000
    assert artist["image_url"].endswith("1000x1000-000000-80-0-0.jpg")
    album = told(ask(SOURCE, "album", {"deezer_id": "302127"}, exchanges))
    assert (album["title"], album["barcode"], album["genres"][0]) == ("Discovery", "724384960650", "dance")
    assert len(album["tracklist"]) == 14
    for question, unknown in (("track", "-1"), ("artist", "-1"), ("album", "-1"), ("album", "0")):
        assert ask(SOURCE, question, {"deezer_id": unknown}, exchanges).outcome is Outcome.NOTHING_FOUND


def test_recorded_searches(exchanges: dict[str, Reply], ask: Any, told: Any) -> None:
    by_query = {"/search": exchanges["/search?q=Lou+Doillon"]}
    found = told(ask(SOURCE, "search", {"artist_name": "Lou Doillon", "title": "Where To Start"}, by_query))
    assert (found["deezer_id"], found["performer.deezer_id"]) == ("109213576", "1701297")
    assert "isrc" not in found
    by_query = {"/search/artist": exchanges["/search/artist?q=Daft+Punk"]}
    assert told(ask(SOURCE, "artist_search", {"name": "Daft Punk"}, by_query))["deezer_id"] == "27"
    by_query = {"/search/album": exchanges["/search/album?q=Daft+Punk"]}
    album = told(ask(SOURCE, "album_search", {"artist_name": "Daft Punk", "title": "Discovery"}, by_query))
    assert album["deezer_id"] == "302127"
    by_query = {"/search/artist": exchanges["/search/artist?q=something+very+complicated+without+results"]}
    assert ask(SOURCE, "artist_search", {"name": "something"}, by_query).outcome is Outcome.NOTHING_FOUND


def test_every_recorded_reply_is_judged_and_read(exchanges: dict[str, Reply], ask: Any) -> None:
    for path, reply in exchanges.items():
        kind = path.strip("/").split("/")[0].split("?")[0]
        if kind not in ("track", "artist", "album") or "/" in path.strip("/").split("/", 1)[1].split("?")[0]:
            continue
        deezer_id = path.split("/")[2].split("?")[0]
        answer = ask(SOURCE, kind, {"deezer_id": deezer_id}, {f"/{kind}/{deezer_id}": reply})
        assert answer.outcome is (Outcome.NOTHING_FOUND if b'"error"' in reply.body[:20] else Outcome.FOUND)
