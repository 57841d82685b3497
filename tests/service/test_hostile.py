"""Bad input: always an answer with the field, never a 5xx, and nobody else is harmed."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from tests.service.conftest import Api, a_fleet, serving
from tests.services.fakes import Bench
from tests.support import eventually

GOOD = {"artist_name": "Massive Attack", "track_title": "Teardrop"}
BAD = {
    "no names": ("{}", 404, ""),
    "unknown id": ('{"track_id": "9"}', 404, ""),
    "no JSON": ("{", 422, "body"),
    "no object": ("[1]", 422, "body"),
    "empty": ("", 422, "body"),
    "null": ("null", 422, "body"),
    "NaN": ('{"artist_name": "A", "track_title": "T", "duration_ms": NaN}', 422, "duration_ms"),
    "infinite": ('{"artist_name": "A", "track_title": "T", "duration_ms": 1e999}', 422, "duration_ms"),
    "huge number": ('{"artist_name": "A", "track_title": "T", "duration_ms": ' + "9" * 400 + "}", 422, "duration_ms"),
    "absurd number": ('{"artist_name": "A", "track_title": "T", "duration_ms": ' + "9" * 5000 + "}", 400, ""),
    "deep": ("[" * 100_000, 400, ""),
    "NUL": ('{"artist_name": "A\\u0000", "track_title": "T"}', 422, "artist_name"),
    "lone surrogate": ('{"artist_name": "A", "track_title": "\\ud800"}', 422, "track_title"),
    "odd key": ('{"artist_name": "A", "track_title": "T", "\\ud800": 1}', 422, ""),
    "long name": (json.dumps({**GOOD, "artist_name": "x" * 1001}), 422, "artist_name"),
    "long id": (json.dumps({**GOOD, "track_id": "x" * 201}), 422, "track_id"),
    "priority 0": (json.dumps({**GOOD, "priority": 0}), 422, "priority"),
    "priority 11": (json.dumps({**GOOD, "priority": 11}), 422, "priority"),
    "priority of text": (json.dumps({**GOOD, "priority": "5"}), 422, "priority"),
    "unknown field": (json.dumps({**GOOD, "artist_nmae": "x"}), 422, "artist_nmae"),
    "not UTF-8": (b'{"artist_name": "\xff", "track_title": "T"}', 400, ""),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_requests(api: Api, case: str) -> None:
    body, status, field = BAD[case]

    found = api.http.post("/enrich", params={"wait": 0}, content=body, headers={"Content-Type": "application/json"})

    assert found.status_code == status, found.text
    assert field in found.text
    assert found.json()["detail"]


@pytest.mark.parametrize("wait", ["-1", "121", "NaN", "inf", "1e999", "soon", ""])
def test_bad_waits(api: Api, wait: str) -> None:
    found = api.http.post("/enrich", params={"wait": wait}, json=GOOD)

    assert found.status_code == 422
    assert found.json()["detail"][0]["loc"] == ["query", "wait"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/tracks", "/enrich/", "/docs", "/redoc", "/%00", "/tracks/1/enrich/x%ff"]
)
def test_unknown_paths(api: Api, path: str) -> None:
    assert api.http.get(path).status_code in (404, 405, 422)


def test_numbers_as_ids_and_names_are_text(api: Api) -> None:
    given = {"track_id": 4711, "artist_name": 808, "track_title": 303}

    found = api.http.post("/enrich", params={"wait": 0}, json=given)

    assert found.json()["track_id"] == "4711"
    assert found.json()["metadata_acquired"]["artist_name"] == "808"


def test_a_request_that_is_broken_off_harms_nobody(api: Api) -> None:
    parts = urlsplit(api.url)
    with socket.create_connection((parts.hostname, parts.port)) as raw:
        raw.sendall(b"POST /enrich HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")

    assert api.http.get("/health").status_code == 200


def test_whoever_waits_is_answered_when_the_service_ends(bench: Bench) -> None:
    settings = bench.settings.model_copy(update={"open_to_all": "submit"})
    with ThreadPoolExecutor(1) as threads:
        with serving(a_fleet(bench), settings) as url:
            waiting = threads.submit(httpx.post, f"{url}/enrich", json=GOOD, timeout=60)
            eventually(lambda: bench.tickets, 10, "it is submitted")
        found = waiting.result()

    assert (found.status_code, found.json()["status"]) == (202, "pending")
    assert found.elapsed.total_seconds() < 30
