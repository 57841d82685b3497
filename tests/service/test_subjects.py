"""What is known, how far a subject has come, its place in line, and what has changed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from enrichment.services import standing
from enrichment.services.tokens import Scope
from tests.service.conftest import Api
from tests.support import eventually


def test_a_report_has_provenance(api: Api) -> None:
    api.submitted()
    api.bench.settle_down()

    found = api.http.get("/tracks/4711").json()

    assert found["fields"]["isrc"] == "GBAAA9800322"
    (isrc,) = [each for each in found["findings"] if each["field"] == "isrc"]
    assert (isrc["source"], isrc["confidence"]) == ("alpha", 0.8)
    assert isrc["reason"]
    assert found["terms"]["alpha"]["attribution"] == "Fake"
    assert {each["question"] for each in found["lookups"]} == {"track", "by_isrc"}


@pytest.mark.parametrize("kind", ["tracks", "performers", "albums"])
def test_unknown_ids_are_404(api: Api, kind: str) -> None:
    assert api.http.get(f"/{kind}/9").status_code == 404
    assert api.http.get(f"/{kind}/9/enrichment_status").status_code == 404


@pytest.mark.parametrize("odd", ["%00", "x" * 201, "%20", ""])
def test_what_is_no_id_is_422(api: Api, odd: str) -> None:
    found = api.http.get(f"/tracks/{odd}")

    assert found.status_code == 422
    assert found.json()["detail"][0]["loc"] == ["path", "id"]


# --- standing ------------------------------------------------------------------------------------------------------


def test_a_standing_that_has_ended(api: Api) -> None:
    api.submitted(album_title="Mezzanine")
    api.bench.settle_down()

    found = api.http.get("/tracks/4711/enrichment_status").json()

    assert found["status"] == "completed"
    assert found["has_artwork"] is True
    assert found["sources_used"] == ["alpha", "beta"]
    assert (found["position"], found["estimated_completion"], found["open"]) == (None, None, [])


def test_a_subject_that_nobody_has_asked_for(api: Api) -> None:
    api.bench.run("INSERT INTO performers (external_id, name) VALUES ('p-1', 'Somebody')")

    found = api.http.get("/performers/p-1/enrichment_status").json()

    assert found["status"] is None


def in_line(api: Api, track: str) -> dict[str, Any]:
    found: dict[str, Any] = api.http.get(f"/tracks/{track}/enrichment_status").json()
    return found


def test_the_place_in_line(api: Api) -> None:
    for n, priority in enumerate((5, 5, 9, 5)):
        api.submitted(track_id=f"t-{n}", track_title=f"Track {n}", priority=priority)

    places = [
        next(each["position"] for each in in_line(api, f"t-{n}")["open"] if each["question"] == "track")
        for n in range(4)
    ]

    assert places == [3, 4, 2, 5], "what is asked about the performer of all four goes first"


def test_the_estimate_follows_the_rate(api: Api) -> None:
    api.submitted()
    first = in_line(api, "4711")
    api.fleet.limiter.pause("alpha", 100, "slow down", ours=True)
    api.fleet.forget()

    second = in_line(api, "4711")

    later = datetime.fromisoformat(second["estimated_completion"]) - datetime.fromisoformat(
        first["estimated_completion"]
    )
    assert timedelta(seconds=95) < later < timedelta(seconds=110)


def test_nobody_can_tell_where_a_source_is_stopped(api: Api) -> None:
    api.submitted()
    standing.pause(api.fleet, "alpha", 10**6, "banned", ours=False)

    assert in_line(api, "4711")["estimated_completion"] is None


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_progress_as_server_sent_events(api: Api) -> None:
    api.submitted()
    headers = {"Accept": "text/event-stream"}
    with api.http.stream("GET", "/tracks/4711/enrichment_status", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        told = events(stream.iter_lines())
        assert next(told)["status"] == "in_progress"
        api.bench.settle_down()
        rest = list(told)

    assert rest[-1]["status"] == "completed"


def test_streams_hold_no_connection(api: Api) -> None:
    """Nor a thread: the service has eight connections."""
    api.submitted()
    headers = api.token(Scope.READ) | {"Accept": "text/event-stream"}
    with httpx.Client(base_url=api.url, headers=headers, limits=httpx.Limits()) as http:
        streams = [http.stream("GET", "/tracks/4711/enrichment_status") for _ in range(200)]
        opened = [stream.__enter__() for stream in streams]
        told = [events(each.iter_lines()) for each in opened]
        assert {each.status_code for each in opened} == {200}
        assert {next(each)["status"] for each in told} == {"in_progress"}
        api.bench.settle_down()
        assert {list(each)[-1]["status"] for each in told} == {"completed"}
        for stream in streams:
            stream.__exit__(None, None, None)


# --- changes -------------------------------------------------------------------------------------------------------


def followed(api: Api, since: str, count: int) -> list[dict[str, Any]]:
    """A mirror that asks again and again, until it has seen so many."""
    seen: list[dict[str, Any]] = []
    next_ = since

    def look() -> bool:
        nonlocal next_
        page = api.http.get("/changes", params={"since": next_, "limit": 2})
        assert page.status_code == 200, page.text
        seen.extend(page.json()["changes"])
        next_ = page.json()["next"]
        return len(seen) >= count and not page.json()["more"]

    eventually(look, 10, "all changes are told")
    return seen


def test_a_mirror_sees_every_change_once(api: Api) -> None:
    api.submitted()
    api.submitted(track_id="4712", track_title="Angel")
    api.bench.settle_down()

    whole = followed(api, "1970-01-01", 3)

    assert sorted(each["kind"] for each in whole) == ["performer", "track", "track"]
    assert len({each["id"] for each in whole}) == 3
    (track,) = [each for each in whole if each.get("track_id") == "4711"]
    assert track["fields"]["isrc"] == "GBAAA9800322"


def test_nothing_has_changed_since(api: Api) -> None:
    api.submitted()
    api.bench.settle_down()
    last = followed(api, "1970-01-01", 2)[-1]
    since = f"{last['changed_at'].replace('+00:00', 'Z')},{last['id']}"

    again = api.http.get("/changes", params={"since": since}).json()

    assert again == {"changes": [], "next": since, "more": False}


def test_a_change_that_commits_late_is_not_missed(api: Api) -> None:
    """An older transaction is still under way: nothing that is newer is told before it."""
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with api.fleet.engine.begin() as connection:
            connection.execute(text("INSERT INTO performers (name) VALUES ('slow')"))
            begun.set()
            go_on.wait(30)

    thread = threading.Thread(target=slow)
    thread.start()
    assert begun.wait(30)
    api.bench.run("INSERT INTO performers (name) VALUES ('quick')")
    before = api.http.get("/changes").json()
    go_on.set()
    thread.join()

    after = followed(api, before["next"], 2)

    assert before["changes"] == []
    assert [each["fields"]["name"] for each in after] == ["slow", "quick"]


@pytest.mark.parametrize(
    "since", ["2026-11-21T07:00:00+00:00", "2026-11-21T07:00:00 00:00", "2026-11-21", "0001-01-01T00:00:00+23:00"]
)
def test_moments_are_understood(api: Api, since: str) -> None:
    assert api.http.get("/changes", params={"since": since}).status_code == 200


@pytest.mark.parametrize(
    "since",
    [
        "yesterday",
        "2026-11-21,x",
        "9999-99-99",
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
def test_what_is_no_moment_is_422(api: Api, since: str) -> None:
    found = api.http.get("/changes", params={"since": since})

    assert found.status_code == 422
    assert "since" in found.json()["detail"]
