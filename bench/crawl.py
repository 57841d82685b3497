"""A real Scrapy crawl of 500 tracks against a real fleet: `linernotes bench crawl [OPTIONS]`.

A small site on this machine, the pipeline of `linernotes-client`, and a fleet of its own (`linernotes up --simulate`):

    whole      every item comes out with its enrichment, but for tracks that nobody knows
    stopped    the fleet is stopped when 200 items have been handed in; every item still comes out
"""

from __future__ import annotations

import argparse
import html
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sqlalchemy import text

from bench.report import Grid, Report, at_least, at_most, note, start
from bench.service import Fleet, running
from cli.fleet import importable
from simulator import catalogue

ITEMS, A_PAGE, HANDED_IN = 500, 20, 200
_HANDED_IN = text("SELECT count(*) FROM enrichment_status WHERE kind = 'track'")
# Answered by everybody who was asked, and none was sure: of "Roads - Single Version", where only "Roads" is known.
_NOBODY_KNOWS = text(
    "SELECT external_id FROM tracks t JOIN enrichment_status s ON s.subject_id = t.id AND s.kind = 'track'"
    " WHERE s.status = 'failed' AND NOT s.is_retriable"
    " AND 'nothing_found' = ALL (SELECT outcome FROM lookups WHERE subject_id = t.id)"
)


class Site(BaseHTTPRequestHandler):
    """A page of links to pages of tracks, the first of the catalogue."""

    def do_GET(self) -> None:
        """`/` or `/NUMBER`."""
        number = self.path.strip("/")
        if number:
            first = int(number) * A_PAGE
            rows = itertools.islice(catalogue.small_requests(), first, first + A_PAGE)
            parts = [_row(first + n, row) for n, row in enumerate(rows)]
        else:
            parts = [f'<a class="page" href="/{page}">{page}</a>' for page in range(ITEMS // A_PAGE)]
        content = f"<html><body><table>{''.join(parts)}</table></body></html>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Nowhere."""


def _row(number: int, row: dict[str, Any]) -> str:
    artist, title = html.escape(row["artist"]), html.escape(row["title"])
    return f'<tr class="track" id="t{number}"><td class="artist">{artist}</td><td class="title">{title}</td></tr>'


@contextmanager
def _site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def _crawl(fleet: Fleet, site: str, out: Path) -> Iterator[subprocess.Popen[bytes]]:
    environ = {
        **os.environ,
        **importable(),
        "METADATA_ENRICHMENT_URL": str(fleet.http.base_url),
        "METADATA_ENRICHMENT_TOKEN": fleet.http.headers["authorization"].removeprefix("Bearer "),
    }
    # The suite's crawl, with its own small site, is this one.
    command = [sys.executable, "-m", "tests.client.crawl", site, str(out)]
    with (
        out.with_suffix(".log").open("wb") as log,
        subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=log) as process,  # noqa: S603 - our own
    ):
        yield process


def _came_out(out: Path) -> tuple[set[str], set[str]]:
    """The ids of all items, and of those that are enriched."""
    items = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    plain = {"track_id", "artist_name", "track_name"}
    return {item["track_id"] for item in items}, {item["track_id"] for item in items if item.keys() - plain}


def whole(fleet: Fleet, site: str, out: Path) -> dict[str, float]:
    """To the end."""
    began = time.monotonic()
    with _crawl(fleet, site, out) as crawl:
        crawl.wait()
    spent = round(time.monotonic() - began, 1)
    items, enriched = _came_out(out)
    without, nobody_knows = items - enriched, set(fleet.column(_NOBODY_KNOWS))
    return {
        "items": float(len(items)),
        "enriched": float(len(enriched)),
        "nobody_knows": float(len(without & nobody_knows)),
        "unexplained": float(len(without ^ nobody_knows)),
        "seconds": spent,
    }


def stopped(speed: float, site: str, out: Path) -> dict[str, float]:
    """With a fleet that goes in the middle."""
    with ExitStack() as crawling:
        with running(speed) as fleet:
            crawl = crawling.enter_context(_crawl(fleet, site, out))
            while crawl.poll() is None and fleet.count(_HANDED_IN) < HANDED_IN:
                time.sleep(0.2)
        crawl.wait()
    items, enriched = _came_out(out)
    return {"items": float(len(items)), "enriched": float(len(enriched))}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of `linernotes bench crawl`."""
    parser.add_argument("--speed", type=float, default=20.0, help="of fleet and simulator [%(default)g]")


def run(options: argparse.Namespace) -> Report:
    """Crawls twice."""
    with tempfile.TemporaryDirectory(prefix="crawl-") as folder, _site() as site:
        note("whole")
        with running(options.speed) as fleet:
            first = whole(fleet, site, Path(folder, "whole.jsonl"))
        note("stopped")
        second = stopped(options.speed, site, Path(folder, "stopped.jsonl"))
    checks = [
        at_least("items", first["items"], ITEMS),
        at_most("without enrichment though somebody knows them, or with though nobody does", first["unexplained"], 0),
        at_least("items although the fleet has gone", second["items"], ITEMS),
        at_most("of these enriched", second["enriched"], ITEMS - 1),
    ]
    figures = {"whole": first, "stopped": second}
    return Report(
        "crawl", figures, checks, [Grid(n, ("figure", ">value"), list(f.items())) for n, f in figures.items()]
    )


if __name__ == "__main__":
    sys.exit(start("crawl", sys.argv[1:]))
