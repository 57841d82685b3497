"""EnrichmentClient and its awaited twin say the same to the service and hear the same."""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from linernotes_client import (
    AsyncEnrichmentClient,
    EnrichmentClient,
    RequestRefused,
    ServiceTimeout,
    ServiceUnavailable,
)
from tests.client.fake_service import ACQUIRED, Service, running

TRACK = {"track_id": "4711", "artist_name": "Portishead", "track_title": "Strangers"}

Ask = Callable[..., Any]


def _sync(service: Service, method: str, *args: Any, **options: Any) -> Any:
    with EnrichmentClient(service.url, **options) as client:
        return getattr(client, method)(*args)


def _awaited(service: Service, method: str, *args: Any, **options: Any) -> Any:
    async def ask() -> Any:
        async with AsyncEnrichmentClient(service.url, **options) as client:
            return await getattr(client, method)(*args)

    return asyncio.run(ask())


@pytest.fixture(params=[_sync, _awaited], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Calls a method of either client."""
    asking: Ask = request.param
    return asking


def test_both_have_the_same_methods() -> None:
    def public(client: type) -> dict[str, Any]:
        return {
            name: inspect.signature(each).parameters
            for name, each in vars(client).items()
            if name[0] != "_" and "close" not in name
        }

    assert public(EnrichmentClient) == public(AsyncEnrichmentClient)


def test_enrich_waits_a_little_less_than_it_has_patience_for(service: Service, ask: Ask) -> None:
    answer = ask(service, "enrich", TRACK)
    assert answer["metadata_acquired"] == {"title": "Strangers", "artist_name": "Portishead", **ACQUIRED}
    (heard,) = service.heard
    assert (heard.method, heard.path, heard.query) == ("POST", "/enrich", {"wait": "55"})
    assert heard.body == TRACK, "no priority: the service's own, 10 for somebody who waits"


@pytest.mark.parametrize(("timeout", "wait"), [(1, "0"), (12, "11"), (600, "120")])
def test_wait_follows_the_time_out(service: Service, timeout: float, wait: str) -> None:
    _sync(service, "enrich", TRACK, timeout=timeout)
    assert service.heard[0].query == {"wait": wait}


def test_not_ready_is_an_answer(service: Service, ask: Ask) -> None:
    assert ask(service, "enrich", TRACK, 0)["status"] == "pending"


@pytest.mark.parametrize(
    ("method", "priority"), [("queue_for_enrichment", 5), ("ensure_enriched", 8)], ids=["queue", "ensure"]
)
def test_submitting_does_not_wait(service: Service, ask: Ask, method: str, priority: int) -> None:
    assert ask(service, method, TRACK)["status"] == "pending"
    heard = service.heard[-1]
    assert (heard.path, heard.query, heard.body) == ("/enrich", {"wait": "0"}, {**TRACK, "priority": priority})


@pytest.mark.parametrize(
    ("status", "submits"),
    [
        ({"status": "pending"}, False),
        ({"status": "in_progress"}, False),
        ({"status": "completed"}, False),
        ({"status": "partial"}, False),
        ({"status": "failed", "is_retriable": False}, False),
        ({"status": "failed", "is_retriable": True}, True),
        ({"status": "failed"}, True),
        (None, True),
    ],
    ids=str,
)
def test_ensure_enriched_submits_only_if_needed(
    service: Service, ask: Ask, status: dict[str, Any] | None, submits: bool
) -> None:
    if status is not None:
        service.statuses["a/b 1"] = status
    answer = ask(service, "ensure_enriched", {**TRACK, "track_id": "a/b 1"})
    assert [each.method for each in service.heard] == (["GET", "POST"] if submits else ["GET"])
    assert service.heard[0].path == "/tracks/a%2Fb%201/enrichment_status"
    assert submits or answer == status


def test_without_an_id_there_is_no_status_to_ask_for(service: Service, ask: Ask) -> None:
    ask(service, "ensure_enriched", {"artist": "Portishead", "title": "Strangers"})
    assert [each.method for each in service.heard] == ["POST"]


def test_scraped_tracks_go_as_one_batch(service: Service, ask: Ask) -> None:
    tracks = [TRACK, {"artist": "Massive Attack", "title": "Teardrop", "priority": 2}, "known-id"]
    (answer,) = ask(service, "enrich_scraped_tracks", tracks)
    assert answer["batch_id"] == "b-1"
    assert service.heard[0].path == "/enrich/batch"
    assert service.heard[0].body == [
        {**TRACK, "priority": 7},
        {"artist_name": "Massive Attack", "track_title": "Teardrop", "priority": 2},
        {"track_id": "known-id", "priority": 7},
    ]
    assert ask(service, "batch", "b-1")["batch_id"] == "b-1"


def test_more_than_the_service_takes_at_once_go_as_several_batches(service: Service) -> None:
    answers = _sync(service, "enrich_batch", (f"t{number}" for number in range(10_001)))
    assert len(answers) == 2
    assert [len(each.body) for each in service.heard] == [10_000, 1]
    assert service.heard[1].body == [{"track_id": "t10000", "priority": 5}]
    assert _sync(service, "enrich_batch", []) == []


def test_the_token_is_shown(ask: Ask) -> None:
    with running(token="t-secret") as service:
        assert ask(service, "status", "4711", token="t-secret") == {}
        with pytest.raises(ServiceUnavailable, match="401"):
            ask(service, "status", "4711")


@pytest.mark.parametrize("status", [500, 502, 503, 429, 403])
def test_a_service_that_is_ill_is_unavailable(service: Service, ask: Ask, status: int) -> None:
    service.answers_with = status
    with pytest.raises(ServiceUnavailable, match=str(status)):
        ask(service, "enrich", TRACK)


@pytest.mark.parametrize("raw", [b"<html>no</html>", b"[1]", b""], ids=str)
def test_something_else_that_answers_in_its_place_is_no_service(service: Service, ask: Ask, raw: bytes) -> None:
    service.raw_answer = raw
    with pytest.raises(ServiceUnavailable):
        ask(service, "enrich", TRACK)


def test_nobody_there(service: Service, ask: Ask) -> None:
    with running() as gone:
        pass
    with pytest.raises(ServiceUnavailable, match=gone.url):
        ask(gone, "enrich", TRACK)


def test_bad_input_is_the_requests_fault(service: Service, ask: Ask) -> None:
    with pytest.raises(RequestRefused, match="priority") as refused:
        ask(service, "enrich", {**TRACK, "priority": 11})
    assert refused.value.status == 422


def test_no_answer_in_time(service: Service, ask: Ask) -> None:
    service.hangs.set()
    with pytest.raises(ServiceTimeout, match=r"within 0\.2 s"):
        ask(service, "enrich_batch", [TRACK], timeout=0.2)


def test_statistics_count_what_came_of_each_call(service: Service) -> None:
    with EnrichmentClient(service.url, timeout=0.2) as client:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(client.queue_for_enrichment, [TRACK] * 20))
        with pytest.raises(RequestRefused):
            client.enrich({"artist": "nobody"})
        service.answers_with = 503
        with pytest.raises(ServiceUnavailable):
            client.enrich(TRACK)
        service.hangs.set()
        with pytest.raises(ServiceTimeout):
            client.enrich_batch([TRACK])
        counted = client.statistics.as_dict()
    assert counted.pop("seconds") > 0
    assert counted == {"calls": 23, "answered": 20, "refused": 1, "unavailable": 1, "timeouts": 1}


def test_everything_can_come_from_the_environment() -> None:
    code = (
        "import linernotes_client as client\n"
        "print(client.ensure_enriched('4711')['status'], client.queue_for_enrichment('4712')['status'])\n"
        "print(client.enrich_scraped_tracks(['4713'])[0]['batch_id'])\n"
    )
    with running(token="t-secret", statuses={"4711": {"status": "partial"}}) as service:
        environ = {
            "PATH": os.environ["PATH"],
            "METADATA_ENRICHMENT_URL": f"{service.url}/",
            "METADATA_ENRICHMENT_TOKEN": "t-secret",
            "http_proxy": "http://127.0.0.1:9",
        }
        said = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
        )
    assert said.stdout.split() == ["partial", "pending", "b-1"]
