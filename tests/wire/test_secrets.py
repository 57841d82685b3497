"""Secrets on the wire: written into the request at the last moment, and taken out of whatever comes back."""

from __future__ import annotations

import httpx
import pytest
import redis

from enrichment.domain.outcomes import Verdict
from enrichment.sources.base import Line
from enrichment.wire.wire import Place
from tests.wire.test_wire import Rig, replies

SECRET = "s3cret"


@pytest.fixture
def rig(empty_redis: redis.Redis) -> Rig:
    return Rig(empty_redis)


def test_a_reply_that_repeats_a_secret_is_kept_without_it(rig: Rig) -> None:
    rig.handler = replies(httpx.Response(200, text=f"next: /x?key={SECRET}"))

    assert rig.ask().answers[0].findings[0].value == "next: /x?key=~KEY~"
    assert rig.ask().answers[0].findings[0].value == "next: /x?key=~KEY~", "from the cache, too"
    assert len(rig.seen) == 1


def test_a_token_is_not_shown_in_the_excerpt(rig: Rig) -> None:
    def how(line: Line) -> str:
        token = line.send("POST", f"{line.base_url}/token", cache=False).text
        return line.send("GET", f"{line.base_url}/x", headers={"authorization": token}).text

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            return httpx.Response(200, text="a-token-for-an-hour")
        raise httpx.ReadTimeout("no answer")

    rig.source.how, rig.handler = how, handler

    result = rig.ask()

    assert result.judgement.verdict is Verdict.FAILING
    assert "a-token" not in repr(result)


def test_other_secrets_are_for_calls_from_then_on(rig: Rig) -> None:
    def how(line: Line) -> str:
        assert rig.wire.open_with("probe", {"KEY": "another"})
        return line.send("GET", f"{line.base_url}/x?key=~KEY~").text

    rig.source.how = how
    rig.handler = lambda request: httpx.Response(403, text=f"{request.url.query.decode()} or another opens nothing")

    under_way = rig.ask()

    assert rig.seen[0].url.query == b"key=s3cret", "the one it began with"
    assert SECRET not in repr(under_way)
    rig.source.how = lambda line: line.send("GET", f"{line.base_url}/x?key=~KEY~").text
    rig.ask()
    assert rig.seen[1].url.query == b"key=another"
    assert not rig.wire.open_with("probe", {"KEY": "another"})


def test_what_is_too_short_to_be_a_secret_is_left_alone() -> None:
    place = Place("http://probe.test", secrets={"SHORT": "123", "LONG": "a/secret"})
    assert place.hidden("123 a/secret a%2Fsecret") == "123 ~LONG~ ~LONG~"
    assert place.hidden_in(b"\xff123 a/secret") == b"\xff123 ~LONG~"
    assert "secret" not in repr(place)
