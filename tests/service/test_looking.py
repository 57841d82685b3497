"""Health, statistics, metrics."""

from __future__ import annotations

import httpx
import pytest

from enrichment.embedded.server import free_port
from enrichment.services import standing
from enrichment.settings import load
from tests.service.conftest import Api, a_fleet, serving
from tests.services.fakes import Bench


def test_health_of_a_fleet_that_works(api: Api) -> None:
    api.submitted()
    api.bench.settle_down()

    found = api.http.get("/health")

    assert found.status_code == 200
    health = found.json()
    assert health["status"] == "healthy"
    assert [health[part]["status"] for part in ("database", "broker", "limiter", "workers")] == ["healthy"] * 4
    assert set(health["api_clients"]) == {"alpha", "beta"}
    alpha = health["api_clients"]["alpha"]
    assert (alpha["status"], alpha["breaker"], alpha["paused_for"]) == ("healthy", "closed", 0)
    assert alpha["last_success"] is not None


def test_health_without_workers_is_degraded(api: Api) -> None:
    found = api.http.get("/health")

    assert (found.status_code, found.json()["status"]) == (200, "degraded")
    assert found.json()["workers"]["alive"] == 0


@pytest.mark.parametrize(("seconds", "said"), [(10, "paused"), (10**6, "stopped")])
def test_health_shows_sources_that_rest(api: Api, seconds: float, said: str) -> None:
    api.bench.steward.beat()
    standing.pause(api.bench.fleet, "alpha", seconds, "key 4711 was refused", ours=False)

    found = api.http.get("/health")

    assert found.json()["api_clients"]["alpha"]["status"] == said
    assert found.json()["status"] == ("degraded" if said == "stopped" else "healthy")
    assert "4711" not in found.text


@pytest.mark.parametrize("away", ["LINERNOTES_DATABASE_URL", "LINERNOTES_REDIS_URL", "LINERNOTES_BROKER_URL"])
def test_health_where_a_server_is_away(bench: Bench, away: str) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    url = f"postgresql://u:secret@{nowhere}/x" if "DATABASE" in away else f"redis://:secret@{nowhere}/0"
    environ = {name: value.get_secret_value() for name, value in bench.settings.environ.items()}
    settings = load(environ | {away: url})
    with serving(a_fleet(bench, settings), settings) as address:
        found = httpx.get(f"{address}/health", timeout=30)

    part = {"LINERNOTES_DATABASE_URL": "database", "LINERNOTES_REDIS_URL": "limiter", "LINERNOTES_BROKER_URL": "broker"}
    assert found.json()[part[away]]["status"] == "unhealthy"
    assert found.json()["status"] == ("unhealthy" if "DATABASE" in away else "degraded")
    assert found.status_code == (503 if "DATABASE" in away else 200)
    assert "secret" not in found.text


def test_statistics(api: Api) -> None:
    api.submitted()
    api.bench.settle_down()

    found = api.http.get("/stats").json()

    assert found["track_stats"]["coverage_percentages"]["isrc"] == 100.0
    assert {"spotify_id", "audio_features"} <= set(found["track_stats"]["coverage_percentages"])
    assert found["track_stats"]["statuses"]["completed"] == 1
    assert found["findings"]["alpha"] > 0
    assert found["dead_letters"] == {}


def test_metrics(api: Api) -> None:
    api.submitted()
    api.http.get("/tracks/4711")
    for _ in range(5):
        api.bench.fleet.limiter.failed("beta", "ill")

    found = api.http.get("/metrics")

    assert found.headers["content-type"].startswith("text/plain")
    lines = found.text.splitlines()
    for name in ("enrichment_circuit_breaker_state", "circuit_breaker_state"):
        assert f'{name}{{api="alpha",state="closed"}} 1.0' in lines
        assert f'{name}{{api="beta",state="open"}} 1.0' in lines
    assert 'enrichment_lookups{lane="default",source="alpha",state="waiting"} 2.0' in lines
    assert 'http_requests_total{method="GET",route="/tracks/{id:path}",status="200"} 1.0' in lines
    assert not any("4711" in line for line in lines)
