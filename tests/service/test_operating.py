"""Operating by HTTP: breakers, pauses, dead letters; each action stands in the audit."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from enrichment.reservoir import dead_letters as rows
from enrichment.reservoir.dead_letters import Filter
from enrichment.services import dead_letters, standing
from enrichment.wire.limiter import NotNow, Turn
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


def test_letters_of_a_kind_are_edited_replayed_at_a_rate_dropped_and_purged(api: Api) -> None:
    with api.bench.fleet.engine.begin() as connection:
        for number, artist in enumerate(("Air", "Moby", "", "Nina")):
            kwargs = {"artist_name": artist, "track_title": f"Title {number}"}
            asked = {"task": "enrich_track", "args": [], "kwargs": kwargs}
            rows.message(connection, f"bad artist {number}", b"[]", request=asked, correlation_id=f"c-{number}")

    def letters(**which: object) -> list[int]:
        return [each["id"] for each in api.http.get("/dead-letters", params=which).json()]

    def act(action: str, **given: object) -> dict[str, object]:
        answer: dict[str, object] = api.http.post(f"/dead-letters/{action}", json=given).json()
        return answer

    assert letters(error="ARTIST", what="message", outcome="unreadable", newer_than=3600) == [4, 3, 2, 1]
    assert letters(older_than=3600) == letters(source="alpha") == []
    assert letters(limit=1, below=3) == [2]
    refused = act("replay", ids=[3])
    edited = act("3/edit", change={"artist_name": "Björk", "duration_ms": 1000})
    began = time.monotonic()
    replayed = act(
        "replay", error="bad artist", outcome="unreadable", newer_than=3600, rate=20, lane="critical", ids=[1, 2, 3]
    )
    dropped = act("drop", all=True, reason="no more")

    assert refused["replayed"] == 0
    assert "artist_name" in str(refused["refused"])
    assert edited["edited"]["kwargs"]["artist_name"] == "Björk"  # type: ignore[index]  # JSON
    assert replayed == {"replayed": 3, "refused": [], "more": False}
    assert time.monotonic() - began >= 2 / 20
    assert api.bench.rows("SELECT DISTINCT priority FROM enrichment_status") == [(10,)]
    assert dropped == {"dropped": 1}
    assert act("purge", older_than=3600) == {"purged": 0}
    assert act("purge", older_than=0, states=["dropped"]) == {"purged": 1}
    assert [entry[0] for entry in audited(api)] == ["purge", "purge", "drop", "replay", "edit", "replay"]
    assert api.http.get("/audit", params={"who": "tests", "limit": 1, "below": 4}).json()[0]["details"] == {
        "ids": [1, 2, 3],
        "error": "bad artist",
        "outcome": "unreadable",
        "newer_than": 3600.0,
        "rate": 20.0,
        "lane": "critical",
    }


def test_a_replay_ends_when_its_time_is_over(api: Api) -> None:
    with api.fleet.engine.begin() as connection:
        for number in range(3):
            asked = {"task": "enrich_track", "args": [], "kwargs": {"artist_name": "Air", "track_title": f"{number}"}}
            rows.message(connection, "bad", b"[]", request=asked)

    come = dead_letters.replay(api.fleet, Filter(), per_second=0.01, patience=0.0)

    assert (come.done, come.more) == (0, True)


@pytest.mark.parametrize(
    ("action", "given"),
    [
        ("replay", {}),
        ("drop", {"reason": "all of them?"}),
        ("replay", {"ids": []}),
        ("replay", {"all": True, "rate": 0}),
        ("replay", {"all": True, "lane": "fast"}),
        ("drop", {"colour": "blue"}),
        ("purge", {}),
        ("purge", {"older_than": True}),
    ],
)
def test_bad_choices_of_letters(api: Api, action: str, given: dict[str, object]) -> None:
    assert api.http.post(f"/dead-letters/{action}", json=given).status_code == 422


def test_unknown_letters_are_404(api: Api) -> None:
    assert api.http.get("/dead-letters/9").status_code == 404
    assert api.http.get("/dead-letters", params={"subject": "nobody"}).status_code == 404
    assert api.http.post("/dead-letters/9/edit", json={"change": {"a": "b"}}).status_code == 404


def test_what_one_process_does_to_a_source_holds_for_all_at_once(api: Api) -> None:
    """The service acts, and a worker's limiter is asked right afterwards."""
    worker, before = api.bench.fleet, datetime.now(UTC)
    turn = worker.limiter.take("beta")
    assert isinstance(turn, Turn)
    worker.limiter.free(turn)

    api.http.post("/sources/beta/pause", json={"seconds": 90_000, "reason": "a stop"})
    (stopped,) = (each for each in api.http.get("/sources").json() if each["source"] == "beta")
    refused = worker.limiter.take("beta")
    api.http.post("/sources/beta/resume")
    again = worker.limiter.take("beta")

    assert isinstance(refused, NotNow)
    assert refused.paused
    assert (stopped["stopped"], stopped["reason"], stopped["paused_for"]) == (True, "a stop", None)
    assert before <= datetime.fromisoformat(stopped["since"]) <= datetime.now(UTC)
    assert isinstance(again, Turn)
    assert audited(api) == [("resume", "beta", "done"), ("pause", "beta", "done")]
