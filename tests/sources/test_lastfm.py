from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from enrichment.domain.outcomes import Answer, Outcome, Verdict
from enrichment.sources.base import Ask, NoAnswer, Reply
from enrichment.sources.lastfm import LastFM, popularity

SOURCE = LastFM()
KNOWN = {
    "musicbrainz_id": "8f6bd1e4-fbe1-4f50-aa9b-94c450ec0f11",
    "musicbrainz_release_id": "76df3287-6cda-33eb-8e9a-044b5e15ffdd",
    "artist_name": "Portishead",
    "name": "Portishead",
    "title": "Strangers",
}
STAR = "https://lastfm.freetls.fastly.net/i/u/300x300/2a96cbd8b46e442fc41c2b86b821562f.png"


def xml_error(code: int, said: str = "what", status: int = 200) -> Reply:
    error = f'<lfm status="failed">\n  <error code="{code}">{said}</error>\n</lfm>\n'
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
    return Reply(status, {"content-type": "text/xml; charset=UTF-8"}, body.encode())


def json_error(code: int | str, said: str = "what", status: int = 200) -> Reply:
    body = json.dumps({"message": said, "error": code, "links": []})
    return Reply(status, {"content-type": "application/json"}, body.encode())


def page(content: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8" ?>\n<lfm status="ok">{content}</lfm>\n'.encode()


@pytest.mark.parametrize("error", [xml_error, json_error])
@pytest.mark.parametrize("status", [200, 400, 403, 404, 500])
@pytest.mark.parametrize(
    ("code", "verdict", "wait"),
    [
        (29, Verdict.OUR_RATE, 60),
        (8, Verdict.SHED, None),
        (11, Verdict.SHED, None),
        (16, Verdict.SHED, None),
        (4, Verdict.REFUSED, None),
        (10, Verdict.REFUSED, None),
        (26, Verdict.REFUSED, None),
        (3, Verdict.BAD_REQUEST, None),
        (5, Verdict.BAD_REQUEST, None),
        (99, Verdict.FAILING, None),
    ],
)
def test_the_code_decides_whatever_the_status(
    error: Any, status: int, code: int, verdict: Verdict, wait: float | None
) -> None:
    judgement = SOURCE.judge(error(code, status=status))
    assert (judgement.verdict, judgement.retry_after) == (verdict, wait)
    assert judgement.message == f"error {code}: what"


@pytest.mark.parametrize(
    ("reply", "verdict", "wait"),
    [
        (Reply(429, {"retry-after": "7"}, b"<html>"), Verdict.OUR_RATE, 7),
        (Reply(429, {}, b"<html>"), Verdict.OUR_RATE, 60),
        (json_error("29"), Verdict.OUR_RATE, 60),
        (Reply(200, {"retry-after": "300"}, xml_error(29).body), Verdict.OUR_RATE, 300),
        (Reply(503, {}, b"<html>"), Verdict.FAILING, None),
        (Reply(403, {}, b"<html>"), Verdict.REFUSED, None),
        (Reply(200, {}, page("<track><name>error code 29</name></track>")), Verdict.ANSWER, None),
        (Reply(200, {}, b'{"track": {"name": "\\"error\\":29", "error": 29}}'), Verdict.ANSWER, None),
    ],
)
def test_judgement(reply: Reply, verdict: Verdict, wait: float | None) -> None:
    judgement = SOURCE.judge(reply)
    assert (judgement.verdict, judgement.retry_after) == (verdict, wait)


NOT_THERE = [
    *(error(6, said, status) for error in (xml_error, json_error) for status in (200, 400, 404)
      for said in ("Track not found", "The artist you supplied could not be found", "")),
    xml_error(7, "Invalid resource specified", 400),
    Reply(404, {}, b"<html>"),
]  # fmt: skip


@pytest.mark.parametrize("question", SOURCE.questions, ids=lambda question: question.name)
def test_not_found_in_all_its_shapes(question: Any, ask: Any) -> None:
    keys = {name: KNOWN[name] for name in question.needs}
    for reply in NOT_THERE:
        assert ask(SOURCE, question.name, keys, {"/2.0/": reply}).outcome is Outcome.NOTHING_FOUND


@pytest.mark.parametrize(
    "said", ["Invalid parameters - Your request is missing a required parameter", "Missing required parameter artist"]
)
def test_a_bad_request_does_not_look_like_not_found(said: str, ask: Any) -> None:
    with pytest.raises(NoAnswer) as caught:
        ask(SOURCE, "artist", {"name": "Portishead"}, {"/2.0/": xml_error(6, said, 400)})
    assert caught.value.judgement.verdict is Verdict.BAD_REQUEST


@pytest.mark.parametrize(
    "body",
    [
        page(""),
        page("<track/>"),
        page("<results><artistmatches/></results>"),
        b'<lfm status="failed"></lfm>',
        b'<lfm status="failed"><error code="x"></error></lfm>',
        b"{}",
        b'{"error": "x"}',
        b'{"artist": null}',
    ],
)
def test_another_shape_is_neither_found_nor_not_found(body: bytes, ask: Any) -> None:
    with pytest.raises(ValueError, match=r"not an answer|without a artist"):
        ask(SOURCE, "artist", {"name": "Portishead"}, {"/2.0/": body})


def test_popularity() -> None:
    listeners = (0, None, "x", "10", "1000", "100000", 9_999_999, 50_000_000)
    assert [popularity(number) for number in listeners] == [None, None, None, 15, 43, 71, 100, 100]


def test_the_request_is_pylasts_at_the_address_that_was_set(line: Any) -> None:
    replay = line(SOURCE, {"": page("<track><name>a&amp;b</name></track>")}, base_url="http://127.0.0.1:8/lastfm")
    keys = {"artist_name": "Björk & Co", "title": "A+B"}
    SOURCE.ask(SOURCE.question("track"), [Ask(1, keys)], SOURCE.client(replay))
    (sent,) = replay.sent
    assert (sent.method, sent.url, sent.cache) == ("POST", "http://127.0.0.1:8/lastfm/2.0/", True)
    assert parse_qs(sent.body.decode()) == {
        "method": ["track.getInfo"],
        "artist": ["Björk & Co"],
        "track": ["A+B"],
        "autocorrect": ["1"],
        "api_key": ["~LASTFM_API_KEY~"],
    }
    assert "user-agent" not in sent.headers


def test_the_key_is_written_by_the_wire(line: Any) -> None:
    replay = line(SOURCE, {"": page("<artist><name>Portishead</name></artist>")})
    SOURCE.ask(SOURCE.question("artist"), [Ask(1, {"name": "Portishead"})], SOURCE.client(replay))
    assert "secret of" not in str(replay.sent)


def test_a_correction_to_another_artist_is_not_taken(ask: Any) -> None:
    other = page("<track><name>Strangers</name><artist><name>Portugal. The Man</name></artist></track>")
    for question, keys in (
        ("track", {"artist_name": "Portishead", "title": "Strangers"}),
        ("track_mbid", {"musicbrainz_id": KNOWN["musicbrainz_id"], "artist_name": "Portishead", "title": "Strangers"}),
    ):
        answer = ask(SOURCE, question, keys, {"/2.0/": other})
        assert answer.outcome is Outcome.NOTHING_FOUND
        assert answer.note
    other = page("<artist><name>Portugal. The Man</name></artist>")
    assert ask(SOURCE, "artist", {"name": "Portishead"}, {"/2.0/": other}).outcome is Outcome.NOTHING_FOUND


def test_a_correction_of_the_spelling_is_taken(ask: Any, told: Any) -> None:
    found = told(ask(SOURCE, "artist", {"name": "bjork"}, {"/2.0/": page("<artist><name>Björk</name></artist>")}))
    assert found == {"name": "Björk"}


def test_the_duration_of_a_page_speaks_against_nothing(ask: Any, told: Any) -> None:
    keys = {"artist_name": "Portishead", "title": "Strangers", "duration_ms": 238000}
    content = "<name>Strangers</name><duration>{}</duration><artist><name>Portishead</name></artist>"
    for said, known in (("0", None), ("", None), ("431000", 431000)):
        found = told(ask(SOURCE, "track", keys, {"/2.0/": page(f"<track>{content.format(said)}</track>")}))
        assert found.get("duration_ms") == known


def test_a_page_of_several_performers_is_trusted_less(ask: Any) -> None:
    def answer(bio: str) -> Answer:
        content = f"<artist><name>Nirvana</name><bio><summary>{bio}</summary></bio></artist>"
        found: Answer = ask(SOURCE, "artist", {"name": "Nirvana"}, {"/2.0/": page(content)})
        return found

    for bio in (
        "There are multiple artists that perform under the name Nirvana.",
        "There is more than one artist with this name:",
        "There are at least two bands called Nirvana",
        "There are 3 different artists named Nirvana",
    ):
        assert answer(bio).findings[0].confidence < 0.4
        assert "several performers" in answer(bio).findings[0].reason
    assert answer("Nirvana was a band whose name is a state").findings[0].confidence > 0.6


def test_placeholders_are_no_pictures(ask: Any, told: Any) -> None:
    content = f'<artist><name>A</name><image size="mega">{STAR}</image><image size="small"/></artist>'
    assert told(ask(SOURCE, "artist", {"name": "A"}, {"/2.0/": page(content)})) == {"name": "A"}


def test_tags_that_are_no_genres(ask: Any, told: Any) -> None:
    names = ("Trip-Hop", "seen live", "90s", "1994", "female vocalists", "albums i own", "a", "British", "dummy", "pop")
    tags = "".join(f"<tag><name>{name}</name></tag>" for name in names)
    content = f"<album><name>Dummy</name><artist>Portishead</artist><tags>{tags}</tags></album>"
    found = told(ask(SOURCE, "album", {"artist_name": "Portishead", "title": "Dummy"}, {"/2.0/": page(content)}))
    assert found["genres"] == ["trip hop", "pop"]


def test_a_biography_without_its_small_print(ask: Any, told: Any) -> None:
    link = "&lt;a href=&quot;https://www.last.fm/music/A&quot;&gt;Read more on Last.fm&lt;/a&gt;"
    for bio, known in (
        (f"<summary>Short.</summary><content>&lt;b&gt;Long&lt;/b&gt; &lt;3. {link}. User</content>", "Long <3."),
        (f"<summary>Short. {link}</summary><content></content>", "Short."),
        (f"<summary> {link}</summary><content></content>", None),
        ("<content><![CDATA[Plain]]></content>", "Plain"),
    ):
        content = page(f"<artist><name>A</name><bio>{bio}</bio></artist>")
        assert told(ask(SOURCE, "artist", {"name": "A"}, {"/2.0/": content})).get("biography") == known


def test_an_id_that_is_none_is_not_asked_for(line: Any) -> None:
    replay = line(SOURCE, {})
    (answer,) = SOURCE.ask(SOURCE.question("track_mbid"), [Ask(1, {"musicbrainz_id": "x"})], SOURCE.client(replay))
    assert answer.outcome is Outcome.NOTHING_FOUND
    assert not replay.sent


# --- what others recorded --------------------------------------------------------------------------------------------


@pytest.fixture(name="exchanges", scope="module")
def _exchanges(recorded: Path) -> list[tuple[dict[str, str], Reply]]:
    """Recorded (parameters, reply)."""
    found = []
    with gzip.open(recorded / "interactions.jsonl.gz", "rt") as lines:
        for row in map(json.loads, lines):
            if row["source"] == "lastfm":
                asked = {name: values[-1] for name, values in parse_qs(row["request"]["body"]).items()}
                response = row["response"]
                found.append((asked, Reply(response["status"], {}, response["body"].encode())))
    return found


def question_of(asked: dict[str, str]) -> tuple[str, dict[str, str]] | None:
    """Our question that this request answers, and its keys."""
    what, _, call = asked["method"].partition(".")
    if call != "getInfo" or what not in ("track", "artist", "album"):
        return None
    if "mbid" in asked:
        key = "musicbrainz_release_id" if what == "album" else "musicbrainz_id"
        return f"{what}_mbid", {key: asked["mbid"]}
    if what == "artist":
        return what, {"name": asked["artist"]}
    return what, {"artist_name": asked["artist"], "title": asked[what]}


def test_every_recorded_reply_is_judged_and_read(exchanges: list[tuple[dict[str, str], Reply]], ask: Any) -> None:
    assert len(exchanges) == 86
    read = 0
    for asked, reply in exchanges:
        known = question_of(asked)
        if known is not None:
            assert ask(SOURCE, *known, {"/2.0/": reply}).outcome is Outcome.FOUND, asked
            read += 1
            continue
        try:
            answer = ask(SOURCE, "artist", {"name": "Portishead"}, {"/2.0/": reply})
        except (ValueError, NoAnswer):
            continue  # of another call, or a refusal
        assert (answer.outcome, reply.status) == (Outcome.NOTHING_FOUND, 400)
    assert read == 20


def test_recorded_errors(exchanges: list[tuple[dict[str, str], Reply]]) -> None:
    verdicts = {reply.status: SOURCE.judge(reply).verdict for _, reply in exchanges if b"<error" in reply.body}
    assert verdicts == {403: Verdict.REFUSED, 400: Verdict.ANSWER}


def test_recorded_pages(exchanges: list[tuple[dict[str, str], Reply]], ask: Any, told: Any) -> None:
    def read(method: str, **asked: str) -> dict[str, Any]:
        found = next(
            (params, reply)
            for params, reply in exchanges
            if params["method"] == method and asked.items() <= params.items()
        )
        known = question_of(found[0])
        assert known is not None
        content: dict[str, Any] = told(ask(SOURCE, *known, {"/2.0/": found[1]}))
        return content

    track = read("track.getInfo", artist="Cher", track="Believe")
    assert (track["title"], track["duration_ms"], track["popularity"]) == ("Believe", 238000, 86)
    assert track["musicbrainz_id"] == "8890857b-4816-3063-a410-0e06dbedfc0d"
    assert track["performer.musicbrainz_id"] == "bfcc6d75-a6a5-4bc6-8282-47aec8531818"
    assert (track["genres"], track["album.title"]) == (["pop", "dance"], "Believe")
    assert track["album.cover_art_url"].endswith("/300x300/3b54885952161aaea4ce2965b2db1638.png")
    artist = read("artist.getInfo", artist="John Lennon")
    assert (artist["followers"], artist["genres"][0]) == (3882820, "classic rock")
    assert artist["biography"].startswith("John Winston Ono Lennon (born John Winston Lennon; 9 October 1940")
    assert artist["biography"].endswith("Wedding Album (1969)")
    assert [image["width"] for image in artist["images"]] == [300, 174, 64, 34]
    unheard = read("artist.getInfo", artist="Mr Sizef + Unquote")
    assert (unheard["name"], unheard["followers"], "biography" in unheard) == ("Mr Sizef   Unquote", 6, False)
    album = read("album.getInfo", artist="Radiohead")
    assert (album["musicbrainz_release_id"], len(album["tracklist"])) == ("0b6b4ba0-d36f-47bd-b4ea-6a5b91842d29", 12)
    assert album["tracklist"][1] == {"position": 2, "title": "Paranoid Android", "duration_ms": 383000}
    assert "musicbrainz_release_id" not in read("album.getInfo", mbid="03c91c40-49a6-44a7-90e7-a700edf97a62")
