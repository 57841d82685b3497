"""Handing in by HTTP: one track and its result, known subjects, idempotency keys, line-ups."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from tests.service.conftest import Api
from tests.services.fakes import Upstream

TEARDROP = {"track_id": "4711", "artist_name": "Massive Attack", "track_title": "Teardrop"}


def test_a_request_waits_for_its_result(api: Api) -> None:
    asked = api.later("POST", "/enrich", json=TEARDROP | {"correlation_id": "c-1"})
    api.waiters()
    api.bench.settle_down()

    found = asked.result()
    assert found.status_code == 200
    answer = found.json()
    assert answer["track_id"] == "4711"
    assert answer["status"] == "completed"
    assert answer["sources_used"] == ["alpha", "beta"]
    assert answer["metadata_acquired"]["isrc"] == "GBAAA9800322"
    assert answer["metadata_acquired"]["key"] == "A Minor"
    assert answer["errors"] == []
    assert answer["cached"] is False
    assert answer["duration_seconds"] >= 0
    assert answer["timestamp"]


def test_each_request_and_each_batch_is_one_line_of_the_log(api: Api) -> None:
    with capture_logs() as told:
        api.submitted(correlation_id="c-1")
        api.http.post("/enrich/batch", json=[TEARDROP, TEARDROP])

    one, batch = (each for each in told if each["event"] == "Track enrichment requested")
    assert (one["track_id"], one["correlation_id"], batch["tracks"]) == ("4711", "c-1", 2)


def test_what_is_not_ready_in_time_is_pending_and_says_where_to_ask(api: Api) -> None:
    found = api.http.post("/enrich", params={"wait": 0.1}, json=TEARDROP)

    assert found.status_code == 202
    assert found.json()["status"] == "pending"
    assert found.json()["status_url"] == found.headers["location"]
    assert api.http.get(found.headers["location"]).json()["track_id"] == "4711"


def test_asking_for_what_is_known_costs_nothing(api: Api, upstream: Upstream) -> None:
    api.submitted()
    api.bench.settle_down()
    asked = len(upstream.asked)

    found = api.http.post("/enrich", params={"wait": 0}, json={"track_id": "4711"})

    assert found.status_code == 200
    assert found.json()["cached"] is True
    assert len(upstream.asked) == asked


@pytest.mark.parametrize(("wait", "given", "priority"), [(0, {}, 5), (0.01, {}, 10), (0.01, {"priority": 3}, 3)])
def test_priority(api: Api, wait: float, given: dict[str, int], priority: int) -> None:
    api.http.post("/enrich", params={"wait": wait}, json=TEARDROP | given)

    assert [row.priority for row in api.bench.rows("SELECT priority FROM enrichment_status")] == [priority]


def test_a_thousand_askers_of_fifty_tracks_make_fifty_enrichments(api: Api, upstream: Upstream) -> None:
    tracks = [{"track_id": f"t-{n}", "artist_name": "Massive Attack", "track_title": f"Track {n}"} for n in range(50)]
    asked = [api.later("POST", "/enrich", json=tracks[n % 50], params={"wait": 50}) for n in range(1000)]
    while not all(each.done() for each in asked):
        api.bench.settle_down(1)

    assert {each.result().status_code for each in asked} == {200}
    assert {each.result().json()["status"] for each in asked} == {"completed"}
    assert sum(len(asks) for question, asks in upstream.asked if question == "track") == 50


def test_a_known_subject_is_asked_for_by_its_id(api: Api) -> None:
    ours = api.bench.track(track_id="4711")
    api.bench.settle_down()

    asked = api.later("POST", f"/tracks/{ours}/enrich", params={"force_refresh": True})
    api.waiters()
    api.bench.settle_down()

    assert asked.result().status_code == 200
    assert asked.result().json()["track_id"] == "4711"
    assert asked.result().json()["cached"] is False


def test_ids_are_opaque(api: Api) -> None:
    odd = "a/b c?d#e%41é"
    api.submitted(track_id=odd)

    path = "/tracks/a%2Fb%20c%3Fd%23e%2541%C3%A9"
    assert api.http.get(f"{path}/enrichment_status").json()["track_id"] == odd
    assert api.http.get(path).json()["track_id"] == odd
    assert api.http.post(f"{path}/enrich", params={"wait": 0}).json()["track_id"] == odd


@pytest.mark.parametrize("path", ["/tracks/9/enrich", "/performers/9/enrich", "/albums/9/enrich", "/events/9/enrich"])
def test_unknown_ids_are_404(api: Api, path: str) -> None:
    found = api.http.post(path)

    assert found.status_code == 404
    assert "'9' is not known" in found.json()["detail"]


def test_a_line_up(api: Api) -> None:
    api.bench.run("INSERT INTO performers (id, name) SELECT gen_random_uuid(), 'DJ ' || n FROM generate_series(1, 3) n")
    api.bench.run("INSERT INTO events (external_id, title) VALUES ('ra-1', 'Night')")
    api.bench.run(
        "INSERT INTO event_performers (event_id, performer_id, position)"
        " SELECT e.id, p.id, row_number() OVER () FROM events e, performers p"
    )

    found = api.http.post("/events/ra-1/enrich")

    assert found.status_code == 202
    assert found.json() == {"event_id": "ra-1", "count": 3}
    assert len(api.bench.rows("SELECT FROM enrichment_status WHERE kind = 'performer'")) == 3


# --- the same request again ----------------------------------------------------------------------------------------


def test_a_key_makes_it_one_request(api: Api, upstream: Upstream) -> None:
    given = {"json": TEARDROP | {"force_refresh": True}, "headers": {"Idempotency-Key": "k-1"}, "params": {"wait": 0}}
    first = api.http.post("/enrich", **given)
    api.bench.settle_down()
    asked = len(upstream.asked)

    again = api.http.post("/enrich", **given)
    api.bench.settle_down()

    assert first.status_code == 202
    assert again.status_code == 200
    assert len(upstream.asked) == asked


def test_a_key_for_something_else_is_refused(api: Api) -> None:
    headers = {"Idempotency-Key": "k-1"}
    api.http.post("/enrich", json=TEARDROP, headers=headers, params={"wait": 0})

    found = api.http.post("/enrich", json=TEARDROP | {"track_id": "4712"}, headers=headers, params={"wait": 0})

    assert found.status_code == 409
    assert "Idempotency-Key" in found.json()["detail"]


def test_two_callers_may_have_the_same_key(api: Api) -> None:
    headers = {"Idempotency-Key": "k-1"}
    api.http.post("/enrich", json=TEARDROP, headers=headers, params={"wait": 0})

    other = api.token("submit", name="other")
    found = api.http.post("/enrich", json=TEARDROP | {"track_id": "8"}, headers=headers | other, params={"wait": 0})

    assert found.status_code == 202
