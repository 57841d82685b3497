"""What scraping the same sets again a week later costs: `linernotes bench sessions [OPTIONS]`.

Sessions of a DJ's play history or tracklists of sets (`--sets`, JSON lines with `tracks` of `artist` and `title`), else
sets made of the catalogue that ships, are handed in one after another at low_priority, as a scraper does that has just
read a page. When all have ended a week passes: every moment in the database is a week older, and no reply is cached
any more. Then the same pages are scraped again. Upstreams limit nothing, and know what they know of any listening log:
5 % of it is nowhere.

    reuse    the share of the second week's tracks that are served by what is known: nothing is asked about them, their
             performer or their album
    known    the share of tracks that at least one upstream can know which end completed or partial, the worse week
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import redis
from sqlalchemy import DateTime, text, update

from bench.calls import PICTURES, Lab
from bench.driving import Driven, driven
from bench.report import Check, Grid, Report, at_least, note, start
from bench.workload import Track, recording_of, track_of
from enrichment.embedded import Servers, temporary_servers
from enrichment.reservoir.subjects import Ref
from enrichment.services import report
from enrichment.services.requests import BadRequest, TrackRequest, read
from enrichment.services.submit import submit_all
from models import Base
from simulator.catalogue import small_requests
from simulator.server import running
from simulator.truth import World

LOW = 2
WEEK = timedelta(days=7)
SETS, TRACKS_OF_A_SET = 12, 20
"""Sets that are made of the catalogue; some tracks are in several."""
REUSE, KNOWN = 0.70, 0.95
ENDED_WELL = ("completed", "partial")

Session = list[Track]


def sessions_of(path: Path, most: int | None) -> list[Session]:
    """The sets of a file, without the lines that cannot be read."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        return [[track for row in json.loads(line)["tracks"] for track in _track(row)] for line in islice(lines, most)]


def _track(row: dict[str, Any]) -> Iterator[Track]:
    """Tracklist sites write "Artist - Title" into the title, and the artist beside it, or nothing."""
    artist = row["artist"] if isinstance(row["artist"], str) else ", ".join(row["artist"] or ())
    title = row["title"].removeprefix(f"{artist} - ")
    if artist.strip() and title.strip():
        yield artist, title


def made_sessions(seed: int) -> list[Session]:
    """Sets of the catalogue that ships."""
    dice, rows = random.Random(seed), small_requests()
    return [[track_of(row) for row in dice.sample(rows, TRACKS_OF_A_SET)] for _ in range(SETS)]


def as_listens(sessions: Sequence[Session], path: Path) -> None:
    """The log by which the simulator learns of tracks."""
    with path.open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file)
        written.writerow(["user", "ts", "artist", "track", "album", "artist_mbid"])
        written.writerows(["dj", "0", *track, "", ""] for session in sessions for track in session)


class Week:
    """One round of scraping: what came of each track, and the calls it took."""

    def __init__(self, lab: Lab, at_work: Driven, sessions: Sequence[Session]) -> None:
        began, before = time.monotonic(), lab.calls()
        self.since: datetime = report.database_moment(at_work.fleet)
        self.refs: dict[Track, Ref] = {}
        self.refused = 0
        for session in sessions:
            self._scrape(at_work, session)
        at_work.submit([])  # until nothing is open
        statuses = report.statuses(at_work.fleet, self.refs.values())
        self.status = {track: str(statuses[ref]) for track, ref in self.refs.items()}
        made = lab.calls() - before
        made.pop(PICTURES, 0)
        self.calls = dict(made.most_common())
        self.asked = _asked_again(at_work, self.since, list(self.refs.values()))
        self.seconds = time.monotonic() - began

    def _scrape(self, at_work: Driven, session: Session) -> None:
        requests: dict[Track, TrackRequest] = {}
        for artist, title in session:
            try:
                given = {"artist_name": artist, "track_title": title, "priority": LOW}
                requests[artist, title] = read(TrackRequest, given)
            except BadRequest:
                self.refused += 1
        accepted = submit_all(at_work.fleet, list(requests.values()))
        self.refs |= {track: done.ref for track, done in zip(requests, accepted, strict=True) if done.ref is not None}

    def figures(self, known: set[Track]) -> dict[str, Any]:
        """As they stand in the report. known: tracks that an upstream can know."""
        subjects = set(self.refs.values())
        there = [track for track in self.status if track in known]
        well = sum(1 for track in there if self.status[track] in ENDED_WELL)
        return {
            "tracks": len(subjects),
            "refused": self.refused,
            "calls": sum(self.calls.values()),
            "calls_per_track": round(sum(self.calls.values()) / max(1, len(subjects)), 4),
            "asked_about": len(self.asked),
            "reuse": round(1 - len(self.asked) / max(1, len(subjects)), 4),
            "known_by_somebody": len(there),
            "of_those_ended_well": round(well / max(1, len(there)), 4),
            "statuses": dict(Counter(self.status.values())),
            "calls_by_source": self.calls,
            "seconds": round(self.seconds, 1),
        }


_ASKED_AGAIN = text("""
SELECT DISTINCT t.id FROM tracks t JOIN lookups l ON l.subject_id IN (t.id, t.performer_id, t.album_id)
WHERE t.id = ANY(:ids) AND l.created_at >= :since AND l.blocking
""")


def _asked_again(at_work: Driven, since: datetime, refs: Sequence[Ref]) -> list[Any]:
    with at_work.fleet.engine.connect() as connection:
        return list(connection.execute(_ASKED_AGAIN, {"ids": [ref.id for ref in refs], "since": since}).scalars())


def a_week_passes(at_work: Driven, cache_url: str) -> None:
    """For everything but the workers' heartbeats."""
    with at_work.fleet.engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            moments = [column for column in table.c if isinstance(column.type, DateTime) and column.computed is None]
            if moments and table.name != "workers":
                connection.execute(update(table).values({each: each - WEEK for each in moments}))
    with redis.Redis.from_url(cache_url) as client:
        client.flushall()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of `linernotes bench sessions`."""
    parser.add_argument("--sets", type=Path, metavar="FILE", help="play history or tracklists, .jsonl[.gz]")
    parser.add_argument("--most", type=int, metavar="N", help="only the first N sets of the file")
    parser.add_argument("--catalogue", type=Path, help="tracks.jsonl[.gz]; without it the small one that ships")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=20.0, help="how fast time runs [%(default)s]")


def run(options: argparse.Namespace) -> Report:
    """Two weeks of scraping."""
    sessions = sessions_of(options.sets, options.most) if options.sets else made_sessions(options.seed)
    note(f"{len(sessions)} sets, {sum(map(len, sessions))} lines")
    with temporary_servers() as servers:
        return measured(servers, sessions, options.catalogue, options.speed)


def measured(servers: Servers, sessions: Sequence[Session], catalogue: Path | None, speed: float) -> Report:
    """The same on servers that there are."""
    with ExitStack() as stack:
        log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "listens.csv"
        as_listens(sessions, log)
        world = World.build(catalogue, log)
        known = {track for session in sessions for track in session if recording_of(world, *track) is not None}
        url = stack.enter_context(running(catalogue=catalogue, listens=log, unlimited=True, speed=speed))
        lab = Lab(servers, url, speed)
        at_work = stack.enter_context(driven(servers, lab.environ(keys=True)))
        weeks = [Week(lab, at_work, sessions)]
        a_week_passes(at_work, servers.addresses.redis_url)
        weeks.append(Week(lab, at_work, sessions))
    figures = {f"week_{number}": week.figures(known) for number, week in enumerate(weeks, start=1)}
    return Report("sessions", {"sets": len(sessions), **figures}, _checks(figures), [_grid(figures)])


def _checks(figures: dict[str, dict[str, Any]]) -> list[Check]:
    well = min(week["of_those_ended_well"] for week in figures.values())
    return [
        at_least("a week later: share of tracks about which nothing is asked", figures["week_2"]["reuse"], REUSE),
        at_least("share of tracks that somebody knows which end completed or partial", well, KNOWN),
    ]


def _grid(figures: dict[str, dict[str, Any]]) -> Grid:
    names = [name for name, value in figures["week_1"].items() if not isinstance(value, dict)]
    rows = [(name, *(week[name] for week in figures.values())) for name in names]
    return Grid("The same sets twice", ("figure", ">first week", ">a week later"), rows)


if __name__ == "__main__":
    sys.exit(start("sessions", sys.argv[1:]))
