"""Prometheus with the configuration we ship: rules and dashboards name what is exported, and work on a living fleet."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from enrichment.embedded.server import free_port
from enrichment.services import standing
from enrichment.services.fleet import STOP
from enrichment.services.listens import Whose, take_listens
from enrichment.services.tokens import Scope
from tests.docs.pages import table_under
from tests.service.conftest import Api, serving
from tests.services.conftest import ALBUM, BY_ISRC, PERFORMER, TRACK
from tests.services.fakes import Upstream
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
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

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
    """Windows of minutes are as many seconds, at most six; nothing has to last before it fires."""
    shutil.copytree(MONITORING / "prometheus", folder / "prometheus")
    for path in (folder / "prometheus").glob("*.yml"):
        text = re.sub(r"for: \d+m", "for: 0s", path.read_text().replace("15s", "1s").replace("10s", "1s"))
        path.write_text(re.sub(r"\[\d+m(:1m)?\]", lambda window: "[6s:1s]" if window[1] else "[6s]", text))
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


@pytest.fixture
def token(api: Api, tmp_path: Path) -> Path:
    """A file with what opens /metrics."""
    path = tmp_path / "token"
    path.write_text(api.token(Scope.READ)["Authorization"].removeprefix("Bearer "))
    return path


@needs_prometheus
def test_prometheus_scrapes_the_fleet_and_every_query_answers(api: Api, token: Path, tmp_path: Path) -> None:
    api.bench.steward.beat()

    with running(tmp_path, api.url.removeprefix("http://"), token) as prometheus:
        ask = prometheus.ask
        eventually(lambda: prometheus.is_ready() and ask("up == 1 and on () enrichment_workers == 1"))
        api.bench.track("Teardrop")
        api.bench.settle_down()
        api.bench.steward.beat()
        eventually(lambda: api.fleet.forget() or ask("enrichment_findings_total > 0"))
        for query in QUERIES:
            ask(query)
        assert ask("sum(max by (status) (tracks_enriched_total))")[0]["value"][1] == "1"


class Troubled:
    """A fleet to which one thing after another happens, and the alerts that Prometheus has raised."""

    def __init__(self, api: Api, upstream: Upstream, prometheus: Prometheus) -> None:
        self._api, self._bench, self._upstream, self._prometheus = api, api.bench, upstream, prometheus
        self.raised: set[str] = set()

    def raises(self, *alerts: str) -> None:
        """Each of them is fired, if only for as long as its window looks back."""
        eventually(lambda: self._firing() and self.raised.issuperset(alerts), 30, f"{alerts}, not {self.raised}")

    def is_quiet(self) -> None:
        """All alerts are over."""
        eventually(lambda: not self._firing(), 30, "all is quiet")

    def _firing(self) -> set[str]:
        self._api.fleet.forget()  # no need to wait until the service looks again
        firing = self._prometheus.firing()
        self.raised |= firing
        return firing

    def nothing_is_found(self) -> None:
        """Whatever is asked is answered in an unknown shape, and a play gets no cover."""
        self._upstream.answers = dict.fromkeys(("track", "by_isrc", "performer", "album"), "odd")
        play = {"artist_name": "Massive Attack", "track_name": "Angel", "listened_at": "2026-01-01T12:00:00Z"}
        take_listens(self._bench.fleet, Whose("anna", "api", live=True), [(1, play)])
        self._bench.run("UPDATE listens SET created_at = created_at - interval '2 minutes'")
        for number in range(12):
            self._bench.track(f"Unknown {number}")
        self._bench.settle_down()
        self._bench.steward.beat()

    def nobody_works(self) -> None:
        """What waits is not asked, neither worker nor beat is there."""
        for number in range(60):
            self._bench.track(f"Song {number}")
        self._bench.track("Urgent", priority=10)
        self._bench.run("UPDATE lookups SET created_at = created_at - interval '2 minutes' WHERE priority = 10")
        self._bench.run("DELETE FROM workers")
        self._bench.run("UPDATE schedules SET ticked_at = ticked_at - interval '5 minutes'")

    def they_are_back(self) -> None:
        """Workers, beat, upstreams; the covers, too, and what had died is seen to."""
        self._upstream.answers = {"track": TRACK, "by_isrc": BY_ISRC, "performer": PERFORMER, "album": ALBUM}
        self._bench.run("DELETE FROM dead_letters")
        self._bench.run("DELETE FROM listens")
        self.beats()
        self._bench.settle_down()
        self._bench.steward.beat()

    def beats(self) -> None:
        """A worker's steward, and the scheduler."""
        self._bench.steward.beat()
        self._bench.run(
            "INSERT INTO schedules (name, ticked_at) VALUES ('purge', clock_timestamp())"
            " ON CONFLICT (name) DO UPDATE SET ticked_at = clock_timestamp()"
        )

    def upstreams_refuse(self) -> None:
        """One says that we ask too often, one is ill; then a person stops the first."""
        fleet = self._bench.fleet
        self._upstream.refuse("track", 429, "slow down")
        self._bench.track("Too soon")
        self._bench.drain()
        for _ in range(5):
            fleet.limiter.failed("beta", "ill")
        standing.pause(fleet, "alpha", 2 * STOP, "its operator asked us to stop", ours=False)
        self._bench.steward.beat()

    def upstreams_are_well(self) -> None:
        """A person resumes both."""
        self._upstream.refusing.clear()
        for source in ("alpha", "beta"):
            standing.resume(self._bench.fleet, source)
            self._bench.fleet.limiter.succeeded(source, 0.1)
        self._bench.settle_down()


@needs_prometheus
def test_every_alert_is_raised_by_its_fault_and_is_over_with_it(
    api: Api, upstream: Upstream, token: Path, tmp_path: Path
) -> None:
    served = ExitStack()
    url = served.enter_context(serving(api.fleet, api.bench.settings))
    with running(tmp_path, url.removeprefix("http://"), token) as prometheus, served:
        fleet = Troubled(api, upstream, prometheus)
        eventually(lambda: prometheus.is_ready() and prometheus.ask("up == 1"))
        fleet.beats()
        fleet.is_quiet()

        fleet.nothing_is_found()
        low = {"LowEnrichmentSuccessRate", "EnrichmentFailureRateHigh", "CacheHitRateLow"}
        fleet.raises(*low, "DeadLettersGrowing", "ArtworkLate")
        fleet.nobody_works()
        fleet.raises("LowUseOfPermittedRate", "OldestCriticalWaits", "NoWorkers", "NoBeat")
        fleet.they_are_back()
        fleet.is_quiet()

        fleet.upstreams_refuse()
        fleet.raises("CallOverLimit", "CircuitBreakerOpen", "SourceStopped")
        fleet.upstreams_are_well()
        fleet.is_quiet()

        served.close()
        fleet.raises("EnrichmentServiceDown")
        with serving(api.fleet, api.bench.settings, port=int(url.rpartition(":")[2])):
            fleet.is_quiet()
        assert fleet.raised == {rule["alert"] for rule in RULES}
