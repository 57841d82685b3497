"""Batches by HTTP: item by item accepted, followed, waited for, cancelled."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from enrichment.services.batches import LARGEST
from service.app import LARGEST_BODY as LARGEST_BODY_ELSEWHERE
from service.routes.batches import LARGEST_BODY
from tests.service.conftest import Api


def tracks(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [
        {"track_id": f"t-{n}", "artist_name": f"Artist {n % 7}", "track_title": f"Track {n}"}
        for n in range(start, start + count)
    ]


def taken(api: Api, given: Any, headers: dict[str, str] | None = None) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", **(headers or {})}
    found = api.http.post("/enrich/batch", content=json.dumps(given), headers=headers)
    assert found.status_code == 202, found.text
    answer: dict[str, Any] = found.json()
    return answer


def test_bad_items_are_told_each_and_the_good_ones_go_on(api: Api) -> None:
    good, *_ = tracks(1)
    bad = [
        {"track_id": "unknown"},
        {"artist_name": "A", "track_title": "T", "priority": 11},
        7,
        None,
        {"\x00\ud800": 1},
        [good],
    ]

    answer = taken(api, [good, *bad])

    assert [item["accepted"] for item in answer["items"]] == [True] + [False] * len(bad)
    assert "'unknown' is not known" in answer["items"][1]["errors"][0]
    assert "priority" in answer["items"][2]["errors"][0]
    assert (answer["total"], answer["accepted"], answer["rejected"]) == (7, 1, 6)


def test_a_batch_is_followed_to_its_end(api: Api) -> None:
    answer = taken(api, [*tracks(5), {"track_id": "unknown"}])
    path = answer["status_url"]

    before = api.http.get(path).json()
    api.bench.settle_down()
    after = api.http.get(path, params={"results": True}).json()

    assert (before["status"], before["in_progress"], before["rejected"]) == ("open", 5, 1)
    assert (after["status"], after["completed"], after["total"]) == ("ended", 5, 6)
    assert [result["status"] for result in after["results"]] == ["completed"] * 5 + ["rejected"]
    assert [result["index"] for result in after["results"]] == list(range(6))
    assert after["results"][3]["track_id"] == "t-3"


def test_results_come_in_pages(api: Api) -> None:
    path = taken(api, tracks(5))["status_url"]

    page = api.http.get(path, params={"results": True, "first": 2, "limit": 2}).json()

    assert [result["track_id"] for result in page["results"]] == ["t-2", "t-3"]


def test_a_batch_that_waits_answers_with_results(api: Api) -> None:
    asked = api.later("POST", "/enrich/batch", json=tracks(20), params={"wait": 50})
    while not asked.done():
        api.bench.settle_down(1)

    assert asked.result().status_code == 200
    results = asked.result().json()["results"]
    assert [result["track_id"] for result in results] == [f"t-{n}" for n in range(20)]
    assert {result["status"] for result in results} == {"completed"}


def test_a_wait_that_is_too_short_answers_with_what_there_is(api: Api) -> None:
    found = api.http.post("/enrich/batch", json=tracks(2), params={"wait": 0.1})

    assert found.status_code == 202
    assert [result["status"] for result in found.json()["results"]] == ["in_progress"] * 2


def test_an_empty_batch_has_ended(api: Api) -> None:
    answer = taken(api, [])

    assert answer["items"] == []
    assert api.http.get(answer["status_url"]).json()["status"] == "ended"


def test_the_same_key_is_the_same_batch(api: Api) -> None:
    headers = {"Idempotency-Key": "nightly 21"}
    first = taken(api, tracks(3), headers=headers)
    again = taken(api, tracks(3), headers=headers)

    assert again["batch_id"] == first["batch_id"]
    assert len(api.bench.rows("SELECT FROM batches")) == 1
    other = api.http.post("/enrich/batch", json=tracks(4), headers=headers)
    assert other.status_code == 409


@pytest.mark.parametrize("body", ["{}", '"x"', "7", "null", "[1", ""])
def test_what_is_no_list_is_422(api: Api, body: str) -> None:
    found = api.http.post("/enrich/batch", content=body, headers={"Content-Type": "application/json"})

    assert found.status_code == 422, found.text


def test_too_many_items_are_413(api: Api) -> None:
    assert api.http.post("/enrich/batch", json=[0] * (LARGEST + 1)).status_code == 413


def test_too_large_a_body_is_413(api: Api) -> None:
    def halves() -> Any:
        yield b"[" + b" " * (LARGEST_BODY // 2)
        yield b" " * LARGEST_BODY + b"]"

    said = api.http.post("/enrich/batch", content=b"[" + b" " * LARGEST_BODY + b"]")
    streamed = api.http.post("/enrich/batch", content=halves())
    usual = api.http.post("/enrich", content=b" " * 1_100_000)

    assert [found.status_code for found in (said, streamed, usual)] == [413, 413, 413]


# --- cancel --------------------------------------------------------------------------------------------------------


def cancelled(api: Api, answer: dict[str, Any]) -> dict[str, Any]:
    found = api.http.post(f"{answer['status_url']}/cancel")
    assert found.status_code == 200, found.text
    said: dict[str, Any] = found.json()
    return said


def test_what_only_the_batch_wanted_ends(api: Api) -> None:
    answer = taken(api, tracks(300))

    found = cancelled(api, answer)

    assert (found["status"], found["failed"], found["in_progress"]) == ("cancelled", 300, 0)
    assert api.bench.rows("SELECT FROM lookups WHERE state <> 'ended'") == []
    (row,) = api.bench.rows("SELECT DISTINCT error_message, is_retriable FROM enrichment_status")
    assert (row.error_message, row.is_retriable) == ("cancelled", True)
    api.bench.settle_down()
    assert api.bench.upstream.asked == []


@pytest.mark.parametrize("first", [True, False], ids=["before the batch", "after it"])
def test_what_others_asked_for_too_goes_on(api: Api, *, first: bool) -> None:
    mine, others = tracks(2)
    if first:
        api.submitted(**others)
    answer = taken(api, [mine, others])
    if not first:
        api.submitted(**others)

    found = cancelled(api, answer)
    api.bench.settle_down()

    assert (found["failed"], found["in_progress"]) == (1, 1)
    standing = api.http.get("/tracks/t-1/enrichment_status").json()
    assert standing["status"] == "completed"


def test_two_batches_of_the_same_tracks(api: Api) -> None:
    first, second = taken(api, tracks(2)), taken(api, tracks(2, start=1))

    assert (cancelled(api, first)["failed"], cancelled(api, second)["failed"]) == (1, 1)
    api.bench.settle_down()
    assert api.http.get("/tracks/t-1/enrichment_status").json()["status"] == "completed"


def test_a_cancelled_track_can_be_asked_for_anew(api: Api) -> None:
    cancelled(api, taken(api, tracks(1)))

    api.submitted(**tracks(1)[0])
    api.bench.settle_down()

    assert api.http.get("/tracks/t-0/enrichment_status").json()["status"] == "completed"


def test_cancelling_is_audited_and_harmless_to_repeat(api: Api) -> None:
    answer = taken(api, tracks(1))
    cancelled(api, answer)
    cancelled(api, answer)

    entries = api.http.get("/audit", params={"target": answer["batch_id"]}).json()
    assert [(entry["action"], entry["outcome"]) for entry in entries] == [("cancel batch", "done")] * 2
    assert all(entry["who"].startswith("token ") for entry in entries)


def test_unknown_batches_are_404(api: Api) -> None:
    number = "00000000-0000-0000-0000-000000000000"
    found = [api.http.get(f"/batches/{number}"), api.http.post(f"/batches/{number}/cancel")]

    assert [each.status_code for each in found] == [404, 404]
    assert api.http.get("/batches/x").status_code == 422


def test_ten_thousand_tracks_are_accepted_in_seconds(api: Api) -> None:
    given = [
        track | {"album_title": f"Album {n % 500}", "correlation_id": "c" * 200}
        for n, track in enumerate(tracks(LARGEST))
    ]
    assert len(json.dumps(given)) > LARGEST_BODY_ELSEWHERE
    found: httpx.Response = api.http.post("/enrich/batch", json=given)

    assert found.status_code == 202, found.text
    assert found.json()["accepted"] == LARGEST
    assert found.elapsed.total_seconds() < 60, "this bound sees a fall off a cliff; bench/ measures"
