"""The refusals of each source, on the wire and in the log, with a clock that is handed in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulator.server import Simulator
from simulator.truth import World
from simulator.witness import Witness


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


async def _no_sleep(_: float) -> None:
    return None


class Bench:
    """A simulator in this process, and a client of it."""

    def __init__(self, world: World, log: Path, **options: Any) -> None:
        self.clock, self.log = Clock(), log
        self.witness = Witness(log)
        self.app = Simulator(world, witness=self.witness, clock=self.clock, sleep=_no_sleep, **options)

    def call(self, path: str, method: str = "GET", **more: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://sim") as client:
                return await client.request(method, path, **more)

        return asyncio.run(once())

    def lines(self) -> list[dict[str, Any]]:
        self.witness.flush()
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]


@pytest.fixture
def bench(world: World, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(world, tmp_path / "log.jsonl")
    yield made
    made.witness.close()


def spotify(bench: Bench, client: str) -> dict[str, str]:
    data = {"grant_type": "client_credentials"}
    token = bench.call("/spotify/api/token", "POST", data=data, auth=(client, "secret")).json()["access_token"]
    return {"authorization": f"Bearer {token}"}


def test_musicbrainz_refuses_with_503_and_seconds(bench: Bench) -> None:
    path = "/musicbrainz/ws/2/artist/5441c29d-3602-4898-b1a1-b77fa23b8e50?fmt=json"
    replies = [bench.call(path) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 503]
    refusal = replies[2]
    assert refusal.headers["retry-after"] == "1"
    assert refusal.headers["x-ratelimit-zone"].startswith("ws ip=")
    assert refusal.headers["x-ratelimit-remaining"] == "0"
    assert refusal.json()["error"].startswith("Your requests are exceeding the allowable rate limit.")
    bench.clock.now += 0.8
    assert bench.call(path).status_code == 503, "this refusal names a second again"
    bench.clock.now += 1.0
    assert bench.call(path).status_code == 200
    assert [line["verdict"] for line in bench.lines()] == ["ok", "ok", "over_limit", "in_pause", "ok"]


def test_musicbrainz_refuses_in_xml_who_asks_in_xml(bench: Bench) -> None:
    replies = [bench.call("/musicbrainz/ws/2/artist?query=bowie") for _ in range(4)]
    assert replies[-1].status_code == 503
    assert replies[-1].headers["content-type"].startswith("application/xml")
    assert b"<error><text>Your requests are exceeding" in replies[-1].content


def test_listenbrainz_counts_in_windows_and_tells_on_every_reply(bench: Bench) -> None:
    path = "/listenbrainz/1/metadata/artist/?artist_mbids=5441c29d-3602-4898-b1a1-b77fa23b8e50"
    replies = [bench.call(path) for _ in range(32)]
    assert {reply.status_code for reply in replies[:31]} == {200}
    assert [reply.headers["x-ratelimit-remaining"] for reply in replies[:3]] == ["29", "28", "27"]
    refusal = replies[31]
    assert refusal.status_code == 429
    assert refusal.json()["code"] == 429
    assert "retry-after" not in refusal.headers
    assert refusal.headers["x-ratelimit-reset-in"] == "10"
    bench.clock.now += 10
    assert bench.call(path).status_code == 200


def test_deezer_refuses_with_200_and_code_4(bench: Bench) -> None:
    replies = [bench.call("/deezer/search/artist?q=bowie") for _ in range(52)]
    assert {reply.status_code for reply in replies} == {200}
    assert replies[51].json() == {"error": {"type": "Exception", "message": "Quota limit exceeded", "code": 4}}
    assert bench.lines()[51]["verdict"] == "over_limit"
    bench.clock.now += 5
    assert "data" in bench.call("/deezer/search/artist?q=bowie").json()


def test_spotify_refuses_with_429_and_seconds(bench: Bench) -> None:
    headers = spotify(bench, "extended-app")
    replies = [bench.call("/spotify/v1/search?q=bowie&type=artist", headers=headers) for _ in range(61)]
    assert [reply.status_code for reply in replies[59:]] == [200, 429]
    assert replies[60].headers["retry-after"] == "30"


def test_spotify_in_development_mode_has_a_day_quota(bench: Bench) -> None:
    headers = spotify(bench, "an-app")
    for _ in range(1000):
        bench.clock.now += 0.6
        assert bench.call("/spotify/v1/search?q=bowie&type=artist", headers=headers).status_code == 200
    bench.clock.now += 0.6
    refusal = bench.call("/spotify/v1/search?q=bowie&type=artist", headers=headers)
    assert refusal.status_code == 429
    assert refusal.json()["error"]["reason"] == "QUOTA_EXCEEDED"
    assert int(refusal.headers["retry-after"]) > 40_000
    bench.clock.now += 60
    assert bench.call("/spotify/v1/artists/x", headers=headers).status_code == 429
    assert bench.lines()[-1]["verdict"] == "in_pause"


def test_spotify_wants_a_token_that_it_gave_and_that_is_not_old(bench: Bench) -> None:
    headers = spotify(bench, "extended-app")
    assert bench.call("/spotify/v1/search?q=x&type=track").json()["error"]["message"] == "No token provided"
    made_up = bench.call("/spotify/v1/search?q=x&type=track", headers={"authorization": "Bearer made-up"})
    assert made_up.json()["error"]["message"] == "Invalid access token"
    bench.clock.now += 3601
    old = bench.call("/spotify/v1/search?q=x&type=track", headers=headers)
    assert (old.status_code, old.json()["error"]["message"]) == (401, "The access token expired")
    assert bench.call("/spotify/api/token", "POST", data={}, auth=("", "")).status_code == 400


def test_search_servers_shed_a_few_and_answer_the_same_when_asked_again(bench: Bench) -> None:
    shed = []
    for number in range(400):
        bench.clock.now += 2
        reply = bench.call(f"/musicbrainz/ws/2/recording?query=rain+{number}&fmt=json")
        if reply.status_code == 503:
            shed.append(number)
            assert reply.headers["retry-after"] == "0"
            assert reply.headers["x-ratelimit-zone"] == "search-global"
            assert "currently busy" in reply.json()["error"]
    assert 4 <= len(shed) <= 24
    bench.clock.now += 2
    assert bench.call(f"/musicbrainz/ws/2/recording?query=rain+{shed[0]}&fmt=json").status_code == 200
    assert {line["verdict"] for line in bench.lines()} == {"ok", "fault"}


def test_speed_lets_more_through(world: World, tmp_path: Path) -> None:
    fast = Bench(world, tmp_path / "log.jsonl", speed=20.0)
    for _ in range(200):
        fast.clock.now += 0.05
        assert fast.call("/musicbrainz/ws/2/artist/5441c29d-3602-4898-b1a1-b77fa23b8e50").status_code == 200
    assert fast.app.control_stats()["sources"]["musicbrainz"]["limit"] == {"burst": 1, "rate": 20.0}
    fast.witness.close()


def test_stats_count_and_reset(bench: Bench) -> None:
    for _ in range(3):
        bench.call("/musicbrainz/ws/2/artist/5441c29d-3602-4898-b1a1-b77fa23b8e50")
    stats = bench.call("/_simulator/stats").json()["sources"]["musicbrainz"]
    assert {name: stats[name] for name in ("requests", "ok", "over_limit", "in_pause", "faults", "items")} == {
        "requests": 3, "ok": 2, "over_limit": 1, "in_pause": 0, "faults": 0, "items": 3,
    }  # fmt: skip
    assert stats["first"] == stats["last"] == bench.clock.now
    offset = bench.call("/_simulator/reset", "POST").json()["log"]["offset"]
    assert offset == bench.log.stat().st_size > 0
    assert bench.call("/_simulator/stats").json()["sources"]["musicbrainz"]["requests"] == 0


def test_the_log_has_a_line_for_each_request(bench: Bench) -> None:
    asked = {"recordings": [{"artist_name": "a", "recording_name": "b"}] * 7}
    headers = {"authorization": "Token t"}
    bench.call("/listenbrainz/1/metadata/lookup/", "POST", json=asked, headers=headers)
    (line,) = bench.lines()
    assert 0 < line.pop("seconds") < 10
    assert [line] == [
        {
            "t": bench.clock.now,
            "source": "listenbrainz",
            "method": "POST",
            "path": "/1/metadata/lookup/",
            "status": 200,
            "verdict": "ok",
            "items": 7,
        }
    ]
