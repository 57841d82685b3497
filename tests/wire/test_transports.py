from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import httpx2
import pylast
import pytest
import requests
import spotipy

from enrichment.domain.outcomes import Judgement, Verdict
from enrichment.sources.base import NoAnswer, Reply
from enrichment.wire import transports

URL = "https://api.example.org/v1/thing"


@dataclass
class Wire:
    """A `send` that answers with one reply, or refuses."""

    reply: Reply | NoAnswer
    sent: list[tuple[str, str, dict[str, str], bytes, bool]] = field(default_factory=list)

    def send(self, method: str, url: str, *, headers: Any = None, body: bytes = b"", cache: bool = True) -> Reply:
        self.sent.append((method, url, dict(headers or {}), body, cache))
        if isinstance(self.reply, NoAnswer):
            raise self.reply
        return self.reply


Exchange = tuple[int, dict[str, str], bytes]


def by_httpx(wire: Wire, method: str, headers: dict[str, str], body: bytes) -> Exchange:
    reply = transports.httpx_client(wire.send).request(method, URL, params={"q": "a b"}, headers=headers, content=body)
    return reply.status_code, dict(reply.headers), reply.content


def by_httpx2(wire: Wire, method: str, headers: dict[str, str], body: bytes) -> Exchange:
    with httpx2.Client(transport=transports.httpx2_transport(wire.send)) as client:
        reply = client.request(method, URL, params={"q": "a b"}, headers=headers, content=body)
    return reply.status_code, dict(reply.headers), reply.content


def by_requests(wire: Wire, method: str, headers: dict[str, str], body: bytes) -> Exchange:
    session = transports.requests_session(wire.send)
    session.close()  # spotipy does, from the outside
    reply = session.request(method, URL, params={"q": "a b"}, headers=headers, data=body, timeout=5)
    return reply.status_code, {name.lower(): value for name, value in reply.headers.items()}, reply.content


def by_urllib(wire: Wire, method: str, headers: dict[str, str], body: bytes) -> Exchange:
    request = Request(f"{URL}?q=a+b", data=body or None, headers={"User-Agent": "x", **headers}, method=method)  # noqa: S310 - never opened
    try:
        return 200, {"x-kind": "thing"}, transports.send_urllib(wire.send, request)
    except HTTPError as error:
        return error.code, dict(error.headers.items()), error.read()


LIBRARIES = [by_httpx, by_httpx2, by_requests, by_urllib]
Library = Callable[[Wire, str, dict[str, str], bytes], Exchange]


@pytest.fixture(params=LIBRARIES, ids=lambda library: library.__name__)
def library(request: pytest.FixtureRequest) -> Library:
    """One way of asking."""
    return request.param


def test_a_request_arrives_without_what_the_library_adds(library: Library) -> None:
    wire = Wire(Reply(200, {"x-kind": "thing"}, b"{}"))
    headers = {"Authorization": "Token t", "Accept": "application/json", "Content-Type": "application/json"}
    library(wire, "POST", headers, b'{"a": 1}')
    ((method, url, sent, body, cache),) = wire.sent
    assert (method, body, cache) == ("POST", b'{"a": 1}', True)
    assert url in (f"{URL}?q=a%20b", f"{URL}?q=a+b")
    assert sent == {"authorization": "Token t", "accept": "application/json", "content-type": "application/json"}


def test_a_plain_get_has_no_headers(library: Library) -> None:
    wire = Wire(Reply(200, {}, b"{}"))
    library(wire, "GET", {}, b"")
    assert wire.sent[0][2:] == ({}, b"", True)


@pytest.mark.parametrize("status", [200, 404])
def test_an_answer_reaches_the_library_whole(library: Library, status: int) -> None:
    body = '{"name": "Björk"}'.encode()
    headers = {"x-kind": "thing", "content-encoding": "gzip", "content-length": "3", "transfer-encoding": "chunked"}
    code, seen, content = library(Wire(Reply(status, headers, body)), "GET", {}, b"")
    assert (code, content) == (status, body)
    assert seen["x-kind"] == "thing"
    assert "content-encoding" not in seen


def test_a_refusal_passes_through_the_library(library: Library) -> None:
    refusal = NoAnswer(Judgement(Verdict.OUR_RATE, 7, "slow down"), Reply(429, {}, b""))
    with pytest.raises(NoAnswer) as caught:
        library(Wire(refusal), "GET", {}, b"")
    assert caught.value is refusal


def test_what_must_not_be_stored_is_not_cached(library: Library) -> None:
    wire = Wire(Reply(200, {}, b"{}"))
    library(wire, "POST", {"Cache-Control": "no-store"}, b"secret")
    assert wire.sent[0][4] is False
    assert "cache-control" not in wire.sent[0][2]


def test_requests_sees_a_reply_like_its_own() -> None:
    reply = Reply(404, {"content-type": "application/json; charset=utf-8"}, b'{"a": "\xc3\xa9"}', f"{URL}/moved")
    response = transports.requests_session(Wire(reply).send).get(URL, timeout=5)
    assert response.json() == {"a": "é"}
    assert (response.url, response.reason, response.encoding) == (f"{URL}/moved", "Not Found", "utf-8")
    with pytest.raises(requests.HTTPError):
        response.raise_for_status()


def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    wire = Wire(Reply(200, {}, b"{}"))
    for library in (by_httpx, by_requests):
        library(wire, "GET", {}, b"")
    assert len(wire.sent) == 2


def test_spotipy_may_be_collected_and_the_session_lives() -> None:
    wire = Wire(Reply(200, {}, b'{"id": "x"}'))
    session = transports.requests_session(wire.send)
    spotify = spotipy.Spotify(auth="t", requests_session=session)
    assert spotify.track("0" * 22) == {"id": "x"}
    del spotify
    assert spotipy.Spotify(auth="t", requests_session=session).track("0" * 22) == {"id": "x"}
    assert wire.sent[0][2] == {"authorization": "Bearer t", "content-type": "application/json"}


def test_pylast_closes_its_clients_and_the_transport_lives() -> None:
    wire = Wire(Reply(200, {}, b'<lfm status="ok"><track><name>A</name></track></lfm>'))
    network = pylast.LastFMNetwork(api_key="k", proxy={"https://": transports.httpx2_transport(wire.send)})
    for _ in range(2):
        document = pylast._Request(network, "track.getInfo", {"artist": "B", "track": "A"}).execute(cacheable=False)
        assert document.getElementsByTagName("name")[0].firstChild.data == "A"
    assert [sent[1] for sent in wire.sent] == ["https://ws.audioscrobbler.com/2.0/"] * 2
