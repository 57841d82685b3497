"""Prometheus with the configuration we ship: rules and dashboards name what is exported, and work on a living fleet."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from enrichment.embedded.server import free_port
from enrichment.services import standing
from enrichment.services.tokens import Scope
from tests.docs.pages import table_under
from tests.service.conftest import Api
from tests.support import ROOT, eventually

MONITORING = ROOT / "monitoring"
RULES = yaml.safe_load((MONITORING / "prometheus" / "alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARDS = [json.loads(path.read_text()) for path in sorted((MONITORING / "grafana" / "dashboards").glob("*.json"))]
QUERIES = [target["expr"] for dashboard in DASHBOARDS for panel in dashboard["panels"] for target in panel["targets"]]
WORDS = {"and", "or", "on", "by", "sum", "max", "min", "absent"}

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="Debian's package prometheus is not installed",
)


def metrics_in(query: str) -> set[str]:
    """The metrics that a query reads."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|on) \([^)]*\)", " ", query)
    return set(re.findall(r"[a-z][a-z_]+(?![a-z_]*\()", bare)) - WORDS


def plain(query: str) -> str:
    """Without Grafana's variables."""
    return query.replace("$__rate_interval", "1m").replace("$source", ".*")


def test_what_rules_and_dashboards_read_is_exported(api: Api) -> None:
    exported = {"up"}
    for family in text_string_to_metric_families(api.http.get("/metrics").text):
        exported |= {family.name, *(family.name + end for end in ("_total", "_bucket", "_count", "_sum"))}
    read = {query: metrics_in(query) for query in (*(rule["expr"] for rule in RULES), *QUERIES)}

    assert all(read.values())
    assert {query: names - exported for query, names in read.items() if names - exported} == {}


def test_the_page_names_every_metric(api: Api) -> None:
    rows = table_under("docs/metrics.md", "## What there is")
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)", row[0])}
    families = text_string_to_metric_families(api.http.get("/metrics").text)
    exported = {family.name + "_total" * (family.type == "counter") for family in families}

    assert named == {name for name in exported if not name.startswith("http_request")}
    alerts = table_under("docs/metrics.md", "## Alerts")
    assert {name for row in alerts for name in re.findall(r"`(\w+)`", row[0])} == {rule["alert"] for rule in RULES}


def test_metrics_of_a_query() -> None:
    query = 'histogram_quantile(0.95, max by (api, le) (rate(a_b_bucket{api=~"x_y"}[5m]))) and on (source) c_d > 5'
    assert metrics_in(query) == {"a_b_bucket", "c_d"}


@needs_prometheus
def test_the_rules_do_what_they_say() -> None:
    folder = MONITORING / "prometheus"
    for arguments in (["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603, S607 - Debian's
        assert done.returncode == 0, done.stdout + done.stderr


class Prometheus:
    """One that runs with our configuration, but for the target's address, and with all times a fraction."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def is_ready(self) -> bool:
        """Has it begun?"""
        return self._http.get("/-/ready").status_code == 200

    def ask(self, query: str) -> list[dict[str, Any]]:
        """An instant query's result."""
        answer = self._http.get("/api/v1/query", params={"query": plain(query)})
        assert answer.status_code == 200, (query, answer.text)
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def firing(self) -> set[str]:
        """The alerts that are."""
        alerts = self._http.get("/api/v1/alerts").json()["data"]["alerts"]
        return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}


@contextmanager
def running(folder: Path, target: str, token: Path) -> Iterator[Prometheus]:
    shutil.copytree(MONITORING / "prometheus", folder / "prometheus")
    for path in (folder / "prometheus").glob("*.yml"):
        path.write_text(re.sub(r"for: \d+m", "for: 0s", path.read_text().replace("15s", "1s").replace("10s", "1s")))
    config = folder / "prometheus" / "prometheus.yml"
    text = config.read_text().replace("metadata-enrichment:8020", target)
    config.write_text(text.replace("# authorization:", "authorization:").replace("/etc/prometheus/token", str(token)))
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log) as process,  # noqa: S603 - Debian's
        httpx.Client(base_url=f"http://{address}", trust_env=False) as http,
    ):
        try:
            yield Prometheus(http)
        finally:
            process.terminate()


def answers(ask: Prometheus) -> bool:
    try:
        return ask.is_ready() and bool(ask.ask("up == 1 and on () enrichment_workers == 1"))
    except httpx.TransportError:
        return False


@needs_prometheus
def test_prometheus_scrapes_the_fleet_and_tells_when_something_is_wrong(api: Api, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(api.token(Scope.READ)["Authorization"].removeprefix("Bearer "))
    api.bench.steward.beat()

    def seen(check: Callable[[], object]) -> None:
        """By a scrape or two; those do not have to wait until the service looks again."""
        eventually(lambda: api.fleet.forget() or check(), 20)

    with running(tmp_path, api.url.removeprefix("http://"), token) as prometheus:
        seen(lambda: answers(prometheus))
        api.bench.track("Teardrop")
        api.bench.settle_down()
        api.bench.steward.beat()
        seen(lambda: prometheus.ask("enrichment_findings_total > 0"))
        for query in QUERIES:
            prometheus.ask(query)
        assert prometheus.ask("sum(max by (status) (tracks_enriched_total))")[0]["value"][1] == "1"
        assert "CircuitBreakerOpen" not in prometheus.firing()

        for _ in range(5):
            api.bench.fleet.limiter.failed("beta", "ill")
        seen(lambda: "CircuitBreakerOpen" in prometheus.firing())
        standing.resume(api.bench.fleet, "beta")
        api.bench.fleet.limiter.succeeded("beta", 0.1)
        seen(lambda: "CircuitBreakerOpen" not in prometheus.firing())
