"""Real Scrapy crawls of a small local site: whatever the service does, every item comes out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import redis

from enrichment.embedded import Servers
from tests.client.fake_service import ACQUIRED, Service, running, serving
from tests.support import ROOT

PAGES, ROWS = 25, 20
ITEMS = PAGES * ROWS


class Site(BaseHTTPRequestHandler):
    """A page of links to pages of tracks."""

    def do_GET(self) -> None:
        """`/` or `/NUMBER`."""
        number = self.path.strip("/")
        if number:
            parts = [
                f'<tr class="track" id="t{number}-{row}"><td class="artist">Artist {number}</td>'
                f'<td class="title">Title {row}</td></tr>'
                for row in range(ROWS)
            ]
        else:
            parts = [f'<a class="page" href="/{page}">{page}</a>' for page in range(1, PAGES + 1)]
        content = f"<html><body><table>{''.join(parts)}</table></body></html>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Nowhere."""


@dataclass(frozen=True)
class Crawled:
    """What a crawl left behind. counts: of enrichment/… in its stats."""

    items: list[dict[str, Any]]
    counts: dict[str, int]
    log: str

    @property
    def enriched(self) -> int:
        """How many items have what the service gives."""
        return sum(1 for item in self.items if ACQUIRED.items() <= item.items())

    def lines(self, said: str) -> int:
        """How often the log says so."""
        return self.log.count(said)


Crawl = Callable[..., Crawled]


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """500 tracks on 25 pages."""
    with serving(Site, threading.Event()) as url:
        yield url


@pytest.fixture
def crawl(site: str, tmp_path: Path) -> Crawl:
    """Crawls the site with this service and these variables."""

    def run(service: Service, **variables: str) -> Crawled:
        out = tmp_path / "items.jsonl"
        environ = {"PATH": os.environ["PATH"], "METADATA_ENRICHMENT_URL": service.url, **variables}
        said = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "tests.client.crawl", site, str(out)],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        stats = json.loads(said.stdout)
        counts = {name.removeprefix("enrichment/"): count for name, count in stats.items() if "enrichment/" in name}
        items = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
        assert {item["track_id"] for item in items} == {
            f"t{page}-{row}" for page in range(1, PAGES + 1) for row in range(ROWS)
        }
        assert len(items) == ITEMS
        assert said.stderr.count("APIEnrichmentPipeline initialized in DELEGATION mode") == 1
        assert "Deprecat" not in said.stderr
        assert "] ERROR:" not in said.stderr
        return Crawled(items, counts, said.stderr)

    return run


def test_every_item_has_its_enrichment(crawl: Crawl, service: Service) -> None:
    crawled = crawl(service)
    assert crawled.enriched == ITEMS
    assert crawled.counts == {"success": ITEMS}
    assert {each.body["priority"] for each in service.heard} == {7}
    assert crawled.lines("] WARNING:") == 0


def test_all_items_come_out_when_the_service_stops_in_the_middle(crawl: Crawl) -> None:
    with running(stops_after=200) as service:
        crawled = crawl(service)
    assert 150 < crawled.enriched <= 200
    assert crawled.counts == {"success": crawled.enriched, "failure": ITEMS - crawled.enriched}
    assert crawled.lines("] WARNING:") == crawled.lines("Enrichment service unavailable: ") == 1


def test_all_items_come_out_when_nobody_is_there(crawl: Crawl) -> None:
    with running() as service:
        pass
    crawled = crawl(service)
    assert crawled.counts == {"failure": ITEMS}
    assert crawled.lines("] WARNING:") == crawled.lines("Enrichment service unavailable: ") == 1


def test_all_items_come_out_of_a_service_that_only_makes_errors(crawl: Crawl) -> None:
    with running(answers_with=500) as service:
        crawled = crawl(service)
    assert crawled.counts == {"failure": ITEMS}
    assert crawled.lines("] WARNING:") == crawled.lines("Enrichment service unavailable: 500") == 1
    assert len(service.heard) < ITEMS, "it is not asked for each item what it cannot do"


def test_a_service_that_hangs_does_not_hold_up_the_crawl(crawl: Crawl, service: Service) -> None:
    service.hangs.set()
    crawled = crawl(service, ENRICHMENT_TIMEOUT="1.0")
    assert crawled.counts == {"timeout": ITEMS}
    assert crawled.lines("] WARNING:") == crawled.lines("Enrichment service timeout after 1.0s") == 1


def test_what_is_not_ready_is_left_to_the_fleet(crawl: Crawl) -> None:
    with running(answers_with=202) as service:
        crawled = crawl(service)
    assert crawled.counts == {"empty": ITEMS}
    assert crawled.lines("Service returned no enrichment for: Artist 3 - Title 7") == 1


def test_fallback_hands_the_items_to_the_queue(crawl: Crawl, servers: Servers, empty_redis: redis.Redis) -> None:
    broker_url = servers.addresses.broker_url
    with running(stops_after=200) as service:
        crawled = crawl(service, ENRICHMENT_FALLBACK_ENABLED="true", LINERNOTES_BROKER_URL=broker_url)
    assert crawled.counts["queued"] == crawled.counts["failure"] == ITEMS - crawled.enriched
    with redis.Redis.from_url(broker_url) as broker:
        messages = [json.loads(raw) for raw in broker.lrange("default", 0, -1)]
    assert {each["headers"]["task"] for each in messages} == {"enrich_track"}
    assert len(messages) == crawled.counts["queued"]


def test_fallback_without_a_broker_holds_up_nothing(crawl: Crawl) -> None:
    with running() as service:
        pass
    nobody = "redis://127.0.0.1:9/0"
    crawled = crawl(service, ENRICHMENT_FALLBACK_ENABLED="1", LINERNOTES_BROKER_URL=nobody)
    assert crawled.counts == {"failure": ITEMS}
    assert crawled.lines("Enrichment queue unavailable: ") == 1
    assert crawled.lines("] WARNING:") == 2
