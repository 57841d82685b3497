"""Faults on demand, as a client meets them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulator import faults
from simulator.faults import Scenario
from simulator.server import running

PATH = "/deezer/search/artist?q=bowie"


@pytest.fixture
def scenario(http: httpx.Client) -> Iterator[Any]:
    """Sets the rules of the running simulator, and takes them away again."""

    def rules(*rules: dict[str, Any]) -> httpx.Response:
        return http.post("/_simulator/scenario", json=list(rules))

    yield rules
    rules()


def test_a_status_with_headers_and_body(http: httpx.Client, scenario: Any) -> None:
    scenario({"source": "deezer", "fault": "status", "status": 502, "headers": {"X-Why": "test"}, "body": "no"})
    reply = http.get(PATH)
    assert (reply.status_code, reply.headers["x-why"], reply.text) == (502, "test", "no")
    assert http.get("/coverartarchive/release/x").status_code == 400, "the others are well"


@pytest.mark.parametrize("fault", ["reset", "hang", "truncated"])
def test_connections_that_break(http: httpx.Client, scenario: Any, fault: str) -> None:
    scenario({"fault": fault, "seconds": 0.01})
    with pytest.raises(httpx.TransportError):
        http.get(PATH)


def test_bodies_that_are_none(http: httpx.Client, scenario: Any) -> None:
    scenario({"fault": "garbage"})
    with pytest.raises(ValueError, match=r"codec|JSON|Expecting"):
        http.get(PATH).json()
    scenario({"fault": "html", "status": 403})
    page = http.get(PATH)
    assert (page.status_code, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
    scenario({"fault": "empty"})
    assert http.get(PATH).content == b""
    scenario({"fault": "huge", "bytes": 300_000})
    assert len(http.get(PATH).content) == 300_000


def test_a_slow_drip_is_whole_in_the_end(http: httpx.Client, scenario: Any) -> None:
    whole = http.get(PATH).json()
    scenario({"fault": "slow_drip", "seconds": 0.2})
    begin = time.monotonic()
    assert http.get(PATH).json() == whole
    assert time.monotonic() - begin >= 0.15


def test_a_rate_refusal_is_the_sources_own() -> None:
    """On a simulator of its own: who asks within that second breaks the pause."""
    rule = {"source": "musicbrainz", "fault": "rate", "retry_after": 1}
    with running(unlimited=True, speed=500.0) as base, httpx.Client(base_url=base) as http:
        http.post("/_simulator/scenario", json=[rule])
        reply = http.get("/musicbrainz/ws/2/artist?query=x&fmt=json", headers={"user-agent": "t/1 ( t@example.org )"})
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
    assert "exceeding the allowable rate limit" in reply.json()["error"]


def test_rules_that_are_none_are_refused_with_a_reason(scenario: Any) -> None:
    for rules in ([{"fault": "nonsense"}], [{"fault": "reset", "wrong": 1}], [{"fault": "reset", "path": "("}], ["x"]):
        reply = scenario(*rules)
        assert reply.status_code == 400
        assert "rule 0" in reply.json()["error"]


def test_rules_strike_by_time_path_and_share() -> None:
    rules = faults.read(
        [{"fault": "reset", "source": "deezer", "path": "^/track", "from": 10, "until": 20, "share": 0.3}]
    )
    scenario = Scenario(rules)
    assert scenario.fault("deezer", "/search", 15) is None
    assert scenario.fault("spotify", "/track/1", 15) is None
    assert not any(scenario.fault("deezer", "/track/1", seconds) for seconds in (9.9, 20.0))
    struck = sum(scenario.fault("deezer", "/track/1", 15) is not None for _ in range(2000))
    assert struck / 2000 == pytest.approx(0.3, abs=0.04)


def test_a_scenario_file_and_a_log(tmp_path: Path) -> None:
    scenario, log = tmp_path / "scenario.json", tmp_path / "log.jsonl"
    scenario.write_text(json.dumps({"rules": [{"source": "deezer", "fault": "reset"}]}), "utf-8")
    with running(scenario=scenario, log=log, speed=100.0) as base, httpx.Client(base_url=base) as client:
        with pytest.raises(httpx.TransportError):
            client.get(PATH)
        assert client.get("/coverartarchive/release/x").status_code == 400
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    told = [(line["source"], line["status"], line["verdict"]) for line in lines]
    assert told == [("deezer", 0, "fault"), ("coverartarchive", 400, "ok")]


def test_it_says_what_hinders_its_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"No such file"), running(catalogue=tmp_path / "missing.jsonl"):
        pass
