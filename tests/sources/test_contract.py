"""What holds for every source there is, and for every one that will be. Nothing here names a source.

`replies/<source>.<question>.json` holds one reply of the upstream in its real shape: `keys` that are known, the `path`
asked for, the `reply`, replies `besides` it, and what the source `finds` in it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import musicbrainzngs
import pytest
import requests
import spotipy
from discogs_client.exceptions import DiscogsAPIError
from spotipy.oauth2 import SpotifyOauthError

from enrichment.domain.outcomes import Answer, Judgement, Outcome, Verdict
from enrichment.domain.questions import COMPANY, Question
from enrichment.domain.subjects import FIELDS, Kind, clean_value
from enrichment.sources.base import Ask, NoAnswer, Reply, Source
from enrichment.sources.registry import builtin_sources

SOURCES = builtin_sources({"spotify": {"mode": "grandfathered"}, "residentadvisor": {"mode": "graphql"}})
QUESTIONS = [(source, question) for source in SOURCES.values() for question in source.questions]
REPLIES = sorted((Path(__file__).parent / "replies").glob("*.json"))
READABLE = (ValueError, KeyError, TypeError, NoAnswer)
"""What a source may raise for a reply that it cannot read, beside the errors of its client library."""
LIBRARIES = (
    musicbrainzngs.MusicBrainzError,
    spotipy.SpotifyException,
    SpotifyOauthError,
    DiscogsAPIError,
    requests.RequestException,
    httpx.HTTPError,
)
GARBAGE = {
    "HTML": b"<!DOCTYPE html><html><body><h1>Sorry</h1></body></html>",
    "truncated JSON": b'{"id": 1, "data": [{"id":',
    "empty": b"",
    "NULs": b"\x00" * 64,
    "null": b"null",
    "a number": b"17",
    "a text": b'"gateway"',
    "invalid UTF-8": b'{"id": "\xff\xfe"',
    "XML of somebody else": b"<?xml version='1.0'?><rss><channel/></rss>",
}
KNOWN = {
    "musicbrainz_id": "e97f805a-ab48-4c52-855e-07049142113d",
    "musicbrainz_release_id": "76df3287-6cda-33eb-8e9a-044b5e15ffdd",
    "musicbrainz_release_group_id": "48140466-cff6-3222-bd55-63c27e43190d",
    "spotify_id": "1cTZMwcBJT0Ka3UJPXOeeN",
    "deezer_id": "1043317",
    "discogs_id": "29302",
    "wikidata_id": "Q191352",
    "ra_artist_id": "943",
    "ra_artist_url": "https://ra.co/dj/carlcox",
    "isrc": "GBAAA9400119",
    "barcode": "042282855329",
    "artist_name": "Portishead",
    "name": "Portishead",
    "title": "Strangers",
    "album_title": "Dummy",
    "duration_ms": 238000,
    "country_code": "GB",
    "external_urls": {"homepage": "https://www.portishead.co.uk/"},
    "titles": ["Strangers"],
    "labels": ["Go! Beat"],
    "companions": ["Massive Attack"],
    "cover_art_url": "https://example.org/cover.jpg",
    "image_url": "https://example.org/portrait.jpg",
}


def title(value: Any) -> str:
    """A short name for a test's parameter."""
    if isinstance(value, Source | Question):
        return value.name
    return value.name.removesuffix(".json") if isinstance(value, Path) else ""


def keys_of(question: Question) -> dict[str, Any]:
    return {name: KNOWN[name.rpartition(".")[2]] for name in (*question.needs, *question.uses)}


class SaysOne:
    """Replies that are the same for every path."""

    def __init__(self, reply: Any) -> None:
        self.reply = reply

    def __iter__(self) -> Iterator[str]:
        return iter([""])

    def __getitem__(self, path: str) -> Any:
        return self.reply


@pytest.mark.parametrize("source", SOURCES.values(), ids=title)
def test_a_source_declares_itself(source: Source[Any]) -> None:
    assert source.name == type(source).name
    assert source.name.isidentifier()
    assert source.name.islower()
    assert not source.url.endswith("/")
    assert 0 < source.budget.rate < 1000
    assert source.budget.concurrency >= 1
    assert source.max_seconds > 0
    assert source.questions
    assert len({question.name for question in source.questions}) == len(source.questions)
    assert 7 <= source.freshness.days <= 90
    assert all(7 <= days <= 90 for days in source.freshness.by_field.values())
    assert source.terms.licence


@pytest.mark.parametrize(("source", "question"), QUESTIONS, ids=title)
def test_a_question_names_known_fields(source: Source[Any], question: Question) -> None:
    for name in (*question.needs, *(set(question.uses) - COMPANY), *question.gives):
        about, _, field = name.rpartition(".")
        assert field in FIELDS[Kind(about) if about else question.kind], name
    assert question.needs
    assert question.gives
    assert question.batch >= 1
    assert question.calls > 0
    assert set(question.requires) <= set(source.secrets)
    assert source.question(question.name) is question
    assert question in source.questions_for(question.kind)


@pytest.mark.parametrize("source", SOURCES.values(), ids=title)
def test_ids_are_asked_for_before_names(source: Source[Any]) -> None:
    names = {"artist_name", "title", "name"}
    for kind in Kind:
        by_name = [bool(names & set(question.needs)) for question in source.questions_for(kind)]
        assert by_name == sorted(by_name), kind


@pytest.mark.parametrize("file", REPLIES, ids=title)
def test_it_finds_what_a_reply_holds(file: Path, line: Any, told: Any) -> None:
    known = json.loads(file.read_text())
    source = SOURCES[file.name.split(".")[0]]
    question = source.question(file.name.split(".")[1])
    replay = line(source, {known["path"]: known["reply"], **known.get("besides", {})})
    (answer,) = source.ask(question, [Ask(1, known["keys"])], source.client(replay))
    assert told(answer) == known["finds"]
    assert set(known["finds"]) <= question.gives
    assert_well_formed(question, answer)
    assert known["path"].rstrip("/") in replay.sent[-1].url


@pytest.mark.parametrize(("source", "question"), [pair for pair in QUESTIONS if pair[0].url], ids=title)
def test_every_question_has_a_reply(source: Source[Any], question: Question) -> None:
    assert Path(__file__).parent / "replies" / f"{source.name}.{question.name}.json" in REPLIES


def assert_well_formed(question: Question, answer: Answer) -> None:
    for finding in answer.findings:
        kind = finding.about or question.kind
        assert clean_value(kind, finding.field, finding.value) == finding.value
        assert 0 < finding.confidence <= 1
        assert finding.reason
        assert "\x00" not in json.dumps(finding.value)
    assert len({(finding.about, finding.field) for finding in answer.findings}) == len(answer.findings)


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize(("source", "question"), QUESTIONS, ids=title)
def test_garbage_is_neither_found_nor_not_found(
    source: Source[Any], question: Question, garbage: bytes, line: Any
) -> None:
    client = source.client(line(source, SaysOne(garbage)))
    if not source.url:  # pictures come from anywhere; what is none is no error
        (answer,) = source.ask(question, [Ask(1, keys_of(question))], client)
        assert answer.outcome is Outcome.NOTHING_FOUND
        return
    with pytest.raises(READABLE + LIBRARIES):
        source.ask(question, [Ask(1, keys_of(question))], client)


WRONG = (None, 5, 1e400, "x", "", True, [], {}, [None], ["x", 5], {"x": []})


def mutations(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in a JSON document."""
    yield path
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inner:
        yield from mutations(value, (*path, key))


def put(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(content)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


@pytest.mark.parametrize("file", REPLIES, ids=title)
def test_a_wrong_type_anywhere_is_survived(file: Path, line: Any) -> None:
    known = json.loads(file.read_text())
    source = SOURCES[file.name.split(".")[0]]
    question = source.question(file.name.split(".")[1])
    replies = dict(known.get("besides", {}))
    client = source.client(line(source, replies))
    for path in mutations(known["reply"]):
        for wrong in WRONG:
            replies[known["path"]] = put(known["reply"], path, wrong)
            try:
                (answer,) = source.ask(question, [Ask(1, known["keys"])], client)
            except READABLE + LIBRARIES:
                continue
            assert_well_formed(question, answer)


LONE = [pair for pair in QUESTIONS if pair[1].batch == 1 and "search" not in pair[1].name]


@pytest.mark.parametrize(("source", "question"), LONE, ids=title)
def test_not_there_is_an_answer(source: Source[Any], question: Question, ask: Any) -> None:
    token = {"access_token": "t", "token_type": "Bearer", "expires_in": 3600}
    answer = ask(source, question.name, keys_of(question), {"/api/token": token})
    assert answer.outcome is Outcome.NOTHING_FOUND


@pytest.mark.parametrize(("source", "question"), QUESTIONS, ids=title)
def test_a_refusal_passes(source: Source[Any], question: Question, line: Any) -> None:
    client = source.client(line(source, SaysOne(Reply(503, {}, b"down"))))
    with pytest.raises(NoAnswer) as caught:
        source.ask(question, [Ask(1, keys_of(question))], client)
    assert caught.value.judgement.verdict in (Verdict.FAILING, Verdict.SHED)


@pytest.mark.parametrize("source", SOURCES.values(), ids=title)
@pytest.mark.parametrize("status", [200, 301, 304, 400, 401, 403, 404, 408, 410, 418, 429, 500, 502, 503, 504])
@pytest.mark.parametrize(
    "body", [b"", b"\x00\xff", b"{}", b"null", b'{"error":', b'{"error":"x"}', b'{"error":{"code":"x"}}']
)
def test_every_reply_can_be_judged(source: Source[Any], status: int, body: bytes) -> None:
    verdict = source.judge(Reply(status, {"retry-after": "soon", "x-ratelimit-reset-in": "soon"}, body))
    assert isinstance(verdict, Judgement)
    assert (verdict.verdict is Verdict.ANSWER) or status >= 400 or b"error" in body
    assert verdict.verdict is not Verdict.ANSWER or status < 500


@pytest.mark.parametrize(("source", "question"), [pair for pair in QUESTIONS if pair[1].batch > 1], ids=title)
def test_a_batch_is_one_call_and_answers_each_in_order(source: Source[Any], question: Question, line: Any) -> None:
    file = Path(__file__).parent / "replies" / f"{source.name}.{question.name}.json"
    known = json.loads(file.read_text())
    replay = line(source, {known["path"]: known["reply"], **known.get("besides", {})})
    unknown = {name: "not an id" if name in question.needs and name.endswith("_id") else "" for name in known["keys"]}
    asks = [Ask(1, unknown), Ask(2, known["keys"]), Ask(3, known["keys"])]
    nothing, first, second = source.ask(question, asks, source.client(replay))
    assert nothing.outcome is Outcome.NOTHING_FOUND
    assert first == second
    assert first.outcome is Outcome.FOUND
    assert len([request for request in replay.sent if "token" not in request.url]) == 1


@pytest.mark.parametrize(("source", "question"), QUESTIONS, ids=title)
def test_secrets_stay_out_of_addresses_and_answers(source: Source[Any], question: Question, line: Any) -> None:
    replay = line(source, SaysOne({"access_token": "t", "expires_in": 3600}))
    try:
        answers = source.ask(question, [Ask(1, keys_of(question))], source.client(replay))
    except READABLE + LIBRARIES as error:
        answers = [str(error)]
    assert "secret of" not in str(answers)
    assert all("secret" not in request.url for request in replay.sent)
    assert all(not request.cache for request in replay.sent if "token" in request.url)
