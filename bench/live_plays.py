"""How fast live plays have their cover while a backfill is under way: `linernotes bench live_plays [OPTIONS]`.

A user's last plays of a listening log arrive one by one, as they are heard; the plays before them, of all users, are
imported as a backfill first. Simulated upstreams with their real limits and latencies, at speed 1, with all keys.
A play has a cover when the settle that brings one is committed. A minute after the last play it is counted.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.driving import driven
from bench.report import Grid, Report, at_least, at_most, note, start
from enrichment.bootstrap import make_sources
from enrichment.embedded import temporary_servers
from enrichment.services.listens import MINUTE, ArtworkFigures, Whose, artwork_figures, take_listens
from enrichment.settings import load
from simulator.catalogue import small_requests
from simulator.server import running

FIRST_SECONDS, IN_A_MINUTE = 5.0, 0.90
HEAD_START = 15.0
"""Seconds that the backfill has for itself."""

Row = dict[str, Any]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of `linernotes bench live_plays`."""
    parser.add_argument("--listens", type=Path, help="scrobbles.csv[.gz]; else plays of the catalogue that ships")
    parser.add_argument("--user", help="whose plays arrive live; else who has the most")
    parser.add_argument("--plays", type=int, default=50, help="that arrive live [%(default)s]")
    parser.add_argument("--backfill", type=int, default=2000, help="listens imported beside them [%(default)s]")
    parser.add_argument("--every", type=float, default=2.0, help="seconds from one play to the next [%(default)s]")


def run(options: argparse.Namespace) -> Report:
    """Measures; takes the plays' time and a minute and a half."""
    rows = _of_log(options.listens) if options.listens else _of_catalogue()
    plays, others = _split(rows, options.user, options.plays, options.backfill)
    with tempfile.TemporaryDirectory() as folder, temporary_servers() as servers:
        log = _written(Path(folder) / "log.csv", [*plays, *others])
        with running(listens=log) as url, driven(servers, _environ(url)) as at_work:
            imported = take_listens(at_work.fleet, Whose("others", "import"), enumerate(others, start=1))
            note(f"{imported.new} listens are imported; {len(plays)} plays follow")
            time.sleep(HEAD_START)
            began = time.monotonic()
            for number, play in enumerate(plays):
                time.sleep(max(0.0, began + number * options.every - time.monotonic()))
                take_listens(at_work.fleet, Whose("live", "api", live=True), [(1, play)])
            time.sleep(MINUTE + 1)
            return _report(artwork_figures(at_work.fleet), len(plays), imported.new)


def _of_log(path: Path) -> list[Row]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as lines:
        return [row for row in csv.DictReader(lines) if row["artist"].strip() and row["track"].strip()]


def _of_catalogue() -> list[Row]:
    return [
        {"user": "u", "ts": str(1_700_000_000 + 240 * number), "artist": row["artist"], "track": row["title"]}
        | {"album": row.get("album", "")}
        for number, row in enumerate(small_requests())
    ]


def _split(rows: list[Row], user: str | None, plays: int, backfill: int) -> tuple[list[Row], list[Row]]:
    """A user's last plays, and listens to other tracks before them."""
    ((most, _),) = Counter(row["user"] for row in rows).most_common(1)
    own = sorted((row for row in rows if row["user"] == (user or most)), key=lambda row: int(row["ts"]))
    last = own[-plays:]
    tracks = {(row["artist"], row["track"]) for row in last}
    return last, [row for row in reversed(rows) if (row["artist"], row["track"]) not in tracks][:backfill]


def _written(path: Path, rows: list[Row]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["user", "ts", "artist", "track", "album", "artist_mbid"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _environ(url: str) -> dict[str, str]:
    keys = {secret: "simulated" for each in make_sources(load({})).values() for secret in each.secrets}
    return {"LINERNOTES_UPSTREAM_URL": url, **keys}


def _report(found: ArtworkFigures, plays: int, imported: int) -> Report:
    took = sorted(found.first_artwork_seconds)
    p95 = statistics.quantiles(took, n=20)[-1] if len(took) > 1 else None
    figures = {
        "plays": plays,
        "backfill_listens": imported,
        "with_artwork": len(took),
        "known_before": sum(1 for each in took if not each),
        "first_artwork_median_seconds": round(statistics.median(took), 2) if took else None,
        "first_artwork_p95_seconds": round(p95, 2) if p95 is not None else None,
        "artwork_within_a_minute": found.within_a_minute,
    }
    checks = [
        at_most("first_artwork_p95_seconds", figures["first_artwork_p95_seconds"], FIRST_SECONDS),
        at_least("artwork_within_a_minute", found.within_a_minute, IN_A_MINUTE),
    ]
    return Report("live_plays", figures, checks, [Grid("Live plays", ("figure", ">value"), list(figures.items()))])


if __name__ == "__main__":
    sys.exit(start("live_plays", sys.argv[1:]))
