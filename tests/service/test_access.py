"""Tokens and scopes, what is open without one, and what browsers may not do."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from enrichment.services import tokens
from enrichment.services.tokens import Scope
from service.app import create
from service.context import read_open_to_all
from tests.service.conftest import Api, a_fleet, serving
from tests.services.fakes import Bench

SUBMIT, READ, OPERATE, ADMIN = Scope
CALLS: dict[tuple[str, str], set[Scope]] = {
    ("POST", "/enrich?wait=0"): {SUBMIT},
    ("POST", "/enrich/batch"): {SUBMIT},
    ("POST", "/tracks/4711/enrich?wait=0"): {SUBMIT},
    ("GET", "/tracks/4711"): {READ},
    ("GET", "/tracks/4711/enrichment_status"): {READ},
    ("GET", "/changes"): {READ},
    ("GET", "/stats"): {READ},
    ("GET", "/sources"): {READ},
    ("GET", "/metrics"): {READ},
    ("GET", "/openapi.json"): {READ},
    ("GET", "/dead-letters"): {READ},
    ("GET", "/reviews"): {READ},
    ("PUT", "/tracks/4711/locks/label"): {OPERATE},
    ("DELETE", "/tracks/4711/locks/label"): {OPERATE},
    ("POST", "/enrich/reset-circuit-breaker/alpha"): {OPERATE},
    ("POST", "/sources/alpha/pause"): {OPERATE},
    ("POST", "/sources/alpha/resume"): {OPERATE},
    ("POST", "/dead-letters/drop"): {OPERATE},
    ("POST", "/dead-letters/replay"): {OPERATE},
    ("GET", "/audit"): {ADMIN},
}


def bodies(path: str) -> Any:
    if path.startswith("/enrich?"):
        return {"track_id": "4711", "artist_name": "Portishead", "track_title": "Roads"}
    if path == "/enrich/batch":
        return []
    if "/locks/" in path:
        return {"value": "Virgin"}
    if path.endswith("/pause"):
        return {"seconds": 1}
    return {"ids": [1]} if "dead-letters/" in path else None


def statuses(api: Api, headers: dict[str, str]) -> dict[tuple[str, str], int]:
    with httpx.Client(base_url=api.url, headers=headers) as http:
        return {call: http.request(*call, json=bodies(call[1])).status_code for call in CALLS}


@pytest.mark.parametrize("scope", list(Scope))
def test_each_scope_opens_its_own_and_nothing_else(api: Api, scope: Scope) -> None:
    api.submitted()

    for call, status in statuses(api, api.token(scope)).items():
        expected = status < 300 if scope in {*CALLS[call], ADMIN} else status == 403
        assert expected, (call, status)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ln_wrong", "Basic bG46eA==", "ln_x", "Bearer \xe9"])
def test_without_a_token_nothing_but_health(api: Api, header: str) -> None:
    headers = {"Authorization": header.encode("latin-1")} if header else {}
    with httpx.Client(base_url=api.url, headers=headers) as http:  # type: ignore[arg-type]  # odd bytes are the point
        found = [http.request(*call, json=bodies(call[1])) for call in CALLS]
        graphql = http.post("/graphql", json={"query": "{ __typename }"})
        health = http.get("/health")

    assert {each.status_code for each in (*found, graphql)} == {401}
    assert {each.headers["www-authenticate"] for each in found} == {"Bearer"}
    assert health.status_code == 200


def test_every_route_needs_a_token(api: Api) -> None:
    paths = api.http.get("/openapi.json").json()["paths"]
    routes = [(method, path.replace("{id}", "1").replace("{source}", "1")) for path in paths for method in paths[path]]
    with httpx.Client(base_url=api.url) as http:
        open_ = [path for method, path in routes if http.request(method, path).status_code != 401]

    assert len(routes) > 20
    assert open_ == ["/health"]


def test_a_revoked_token_opens_nothing(api: Api) -> None:
    headers = api.token(READ, name="leaked")
    assert httpx.get(f"{api.url}/stats", headers=headers).status_code == 200

    tokens.revoke(api.fleet, "leaked")

    assert httpx.get(f"{api.url}/stats", headers=headers).status_code == 401


def test_an_expired_token_opens_nothing(api: Api) -> None:
    headers = api.token(READ, name="old")
    api.bench.run("UPDATE access_tokens SET expires_at = now() - interval '1 second' WHERE name = 'old'")
    api.fleet.forget()

    assert httpx.get(f"{api.url}/stats", headers=headers).status_code == 401


def test_no_token_is_kept(api: Api) -> None:
    secret = tokens.make(api.fleet, "kept", [READ]).secret

    (row,) = api.bench.rows("SELECT access_tokens::text AS whole FROM access_tokens WHERE name = 'kept'")
    assert secret not in row.whole
    assert secret[-4:] in row.whole
    assert secret.startswith("ln_")
    assert len(secret) == 46


def test_the_operator_may_open_scopes_to_all(bench: Bench) -> None:
    settings = bench.settings.model_copy(update={"open_to_all": "metrics, submit"})
    with serving(a_fleet(bench), settings) as url:
        given = {"artist_name": "Portishead", "track_title": "Roads"}
        assert httpx.get(f"{url}/metrics").status_code == 200
        assert httpx.post(f"{url}/enrich", params={"wait": 0}, json=given).status_code == 202
        assert httpx.get(f"{url}/stats").status_code == 401
        assert httpx.get(f"{url}/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 200


def test_what_cannot_be_opened_is_told_at_start(bench: Bench) -> None:
    with pytest.raises(ValueError, match="LINERNOTES_OPEN_TO_ALL: everything is none of submit, read"):
        create(bench.settings.model_copy(update={"open_to_all": "read,everything"}), bench.fleet)
    assert read_open_to_all(" read , metrics,") == {"read", "metrics"}


def test_pages_of_other_sites_get_nothing(api: Api) -> None:
    origin = {"Origin": "https://elsewhere.example.org", "Access-Control-Request-Method": "POST"}
    preflight = api.http.options("/enrich", headers=origin)
    answered = api.http.get("/stats", headers=origin)

    assert preflight.status_code == 405
    for found in (preflight, answered):
        assert not [name for name in found.headers if name.startswith("access-control-")]
        assert "set-cookie" not in found.headers
    assert answered.headers["x-content-type-options"] == "nosniff"
