from __future__ import annotations

import json
from typing import Any

import pytest

from enrichment.domain.outcomes import Outcome, Verdict
from enrichment.sources.base import Ask, NoAnswer, Reply
from enrichment.sources.itunes import ITunes

SOURCE = ITunes()
EMPTY = b'\n\n\n{\n "resultCount":0,\n "results": []\n}\n\n\n'
SONG = {"trackName": "Levitating", "artistName": "Dua Lipa", "collectionName": "Levitating - Single"}
KEYS = {"artist_name": "Dua Lipa", "title": "Levitating", "name": "Dua Lipa"}


@pytest.mark.parametrize(
    ("reply", "verdict", "wait"),
    [
        (Reply(403, {"content-length": "0"}, b""), Verdict.OUR_RATE, 60),
        (Reply(403, {}, EMPTY), Verdict.OUR_RATE, 60),
        (Reply(403, {"content-type": "text/html"}, b"<html>Forbidden</html>"), Verdict.OUR_RATE, 60),
        (Reply(429, {}, b""), Verdict.OUR_RATE, 60),
        (Reply(429, {"retry-after": "29"}, b""), Verdict.OUR_RATE, 29),
        (Reply(200, {"content-type": "text/javascript; charset=utf-8"}, EMPTY), Verdict.ANSWER, None),
        (Reply(400, {}, b'{"errorMessage":"Invalid value(s) for key(s): [entity]"}'), Verdict.BAD_REQUEST, None),
        (Reply(502, {}, b"<html>"), Verdict.FAILING, None),
    ],
)
def test_judgement(reply: Reply, verdict: Verdict, wait: float | None) -> None:
    judgement = SOURCE.judge(reply)
    assert (judgement.verdict, judgement.retry_after) == (verdict, wait)


@pytest.mark.parametrize("question", [question.name for question in SOURCE.questions])
def test_no_results_are_nothing_found(question: str, ask: Any) -> None:
    reply = Reply(200, {"content-type": "text/javascript; charset=utf-8"}, EMPTY)
    assert ask(SOURCE, question, KEYS, {"/search": reply}).outcome is Outcome.NOTHING_FOUND


@pytest.mark.parametrize("question", [question.name for question in SOURCE.questions])
@pytest.mark.parametrize("reply", [Reply(404, {}, b"<html>"), {"errorMessage": "x"}, {"resultCount": 0}])
def test_what_says_neither_is_unreadable(question: str, reply: Any, line: Any) -> None:
    client = SOURCE.client(line(SOURCE, {"/search": reply}))
    with pytest.raises(KeyError):
        SOURCE.ask(SOURCE.question(question), [Ask(1, KEYS)], client)


def test_a_refusal_with_an_empty_result_is_not_nothing_found(line: Any) -> None:
    client = SOURCE.client(line(SOURCE, {"/search": Reply(403, {}, EMPTY)}))
    with pytest.raises(NoAnswer):
        SOURCE.ask(SOURCE.question("search"), [Ask(1, KEYS)], client)


def test_what_is_asked(line: Any) -> None:
    replay = line(SOURCE, {"/search": Reply(200, {}, EMPTY)})
    keys = {"artist_name": "Dua Lipa feat. DaBaby", "title": "Levitating (Official Video)"}
    SOURCE.ask(SOURCE.question("search"), [Ask(1, keys)], SOURCE.client(replay))
    (sent,) = replay.sent
    query = "term=Dua+Lipa+Levitating&media=music&entity=song&limit=25"
    assert sent.url == f"https://itunes.apple.com/search?{query}"


def song(ask: Any, told: Any, **changes: Any) -> dict[str, Any]:
    reply = {"resultCount": 1, "results": [{**SONG, **changes}]}
    body = json.dumps(reply).encode()
    found: dict[str, Any] = told(ask(SOURCE, "search", KEYS, {"/search": Reply(200, {}, body)}))
    return found


def test_the_store_s_kind_is_no_part_of_an_album_s_title(ask: Any, told: Any) -> None:
    assert song(ask, told)["album_title"] == "Levitating"
    assert song(ask, told, collectionName="Levitating - EP")["album_title"] == "Levitating"
    assert song(ask, told, collectionName="Single - Double")["album_title"] == "Single - Double"


@pytest.mark.parametrize(
    ("stated", "known"), [("explicit", True), ("notExplicit", False), ("cleaned", False), (None, None), ("?", None)]
)
def test_explicitness(stated: Any, known: bool | None, ask: Any, told: Any) -> None:
    assert song(ask, told, trackExplicitness=stated).get("explicit") is known


def test_guests_of_the_title(ask: Any, told: Any) -> None:
    found = song(ask, told, trackName="Levitating (feat. DaBaby)")
    assert found["artists"] == [{"name": "Dua Lipa", "role": "main"}, {"name": "DaBaby", "role": "featured"}]


@pytest.mark.parametrize(
    ("given", "largest"),
    [
        ("https://is1-ssl.mzstatic.com/image/thumb/a.jpg/100x100bb.jpg", "/a.jpg/3000x3000bb.jpg"),
        ("http://a1.mzstatic.com/us/r30/Music/v4/cover.100x100-75.jpg", "/v4/cover.100x100-75.jpg"),
        ("https://is3-ssl.mzstatic.com/image/thumb/source/100x100-75.jpg", "/source/3000x3000-75.jpg"),
        ("", None),
    ],
)
def test_covers_come_in_any_size(given: str, largest: str | None, ask: Any, told: Any) -> None:
    found = song(ask, told, artworkUrl100=given)
    if largest is None:
        assert "artwork_url" not in found
        assert "album.images" not in found
    else:
        assert found["artwork_url"].endswith(largest)
        assert found["album.images"][0] == {"url": found["artwork_url"]}


def test_an_album_of_various_artists_is_not_the_performer_s(ask: Any, told: Any) -> None:
    found = song(ask, told, collectionName="Now 105", collectionArtistName="Various Artists")
    assert (found["artist_name"], found["album.artist_name"]) == ("Dua Lipa", "Various Artists")


def test_a_genre_that_says_nothing(ask: Any, told: Any) -> None:
    assert "genres" not in song(ask, told, primaryGenreName="Music")


def test_of_two_of_one_name_none_is_taken(ask: Any) -> None:
    rows = [{"wrapperType": "artist", "artistName": "Nirvana", "artistId": number} for number in (112018, 256176428)]
    answer = ask(SOURCE, "artist_search", {"name": "Nirvana"}, {"/search": {"resultCount": 2, "results": rows}})
    assert answer.outcome is Outcome.NOTHING_FOUND
    assert answer.note == "2 performers of this name"
