"""Operating by HTTP: breakers, pauses, dead letters; each action stands in the audit."""

from __future__ import annotations

import pytest

from enrichment.services import standing
from tests.service.conftest import Api
from tests.services.fakes import Upstream


def audited(api: Api) -> list[tuple[str, str, str]]:
    entries = api.http.get("/audit").json()
    return [(entry["action"], entry["target"], entry["outcome"]) for entry in entries]


def test_an_open_breaker_is_reset(api: Api) -> None:
    for _ in range(5):
        api.bench.fleet.limiter.failed("alpha", "ill")

    found = api.http.post("/enrich/reset-circuit-breaker/alpha").json()

    assert found["before"] == "open"
    assert found["breaker"] != "open"
    assert audited(api) == [("reset breaker", "alpha", "done")]


def test_a_pause_is_no_breaker(api: Api) -> None:
    standing.pause(api.bench.fleet, "alpha", 600, "Retry-After", ours=True)

    found = api.http.post("/enrich/reset-circuit-breaker/alpha").json()

    assert found["paused_for"] > 590
    assert api.bench.fleet.limiter.now("alpha").paused_for > 590


def test_pause_and_resume(api: Api) -> None:
    paused = api.http.post("/sources/alpha/pause", json={"seconds": 600, "reason": "they asked us to"}).json()
    resumed = api.http.post("/sources/alpha/resume").json()

    assert paused["reason"] == "they asked us to"
    assert 590 < paused["paused_for"] <= 600
    assert resumed["paused_for"] == 0
    assert audited(api) == [("resume", "alpha", "done"), ("pause", "alpha", "done")]
    assert api.http.get("/audit").json()[1]["details"] == {"seconds": 600.0, "reason": "they asked us to"}


@pytest.mark.parametrize(
    "path", ["/sources/nobody/pause", "/sources/nobody/resume", "/enrich/reset-circuit-breaker/nobody"]
)
def test_unknown_sources_are_404(api: Api, path: str) -> None:
    assert api.http.post(path, json={"seconds": 1}).status_code == 404


def test_sources_show_no_secret(api: Api) -> None:
    found = api.http.get("/sources").json()

    assert [each["source"] for each in found] == ["alpha", "beta"]
    assert found[0]["secrets"] == {}


def test_dead_letters_are_seen_replayed_and_dropped(api: Api, upstream: Upstream) -> None:
    upstream.answers["track"] = "odd"
    for n in range(2):
        api.submitted(track_id=f"t-{n}", track_title=f"Track {n}")
    api.bench.settle_down()
    second, first = api.http.get("/dead-letters", params={"source": "alpha"}).json()

    whole = api.http.get(f"/dead-letters/{first['id']}").json()
    upstream.answers["track"] = {"isrc": "GBAAA9800322"}
    replayed = api.http.post("/dead-letters/replay", json={"ids": [first["id"]]}).json()
    dropped = api.http.post("/dead-letters/drop", json={"ids": [second["id"]], "reason": "their bug"}).json()
    api.bench.settle_down()

    assert (whole["source"], whole["outcome"]) == ("alpha", "unreadable")
    assert (replayed["replayed"], dropped["dropped"]) == (1, 1)
    assert api.http.get("/tracks/t-0").json()["fields"]["isrc"] == "GBAAA9800322"
    assert api.http.get("/dead-letters").json() == []
    assert api.http.get("/dead-letters", params={"state": "dropped"}).json()[0]["note"] == "their bug"
    assert audited(api) == [("drop", "dead letters", "done"), ("replay", "dead letters", "done")]


def test_unknown_letters_are_404(api: Api) -> None:
    assert api.http.get("/dead-letters/9").status_code == 404
