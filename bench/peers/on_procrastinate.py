"""procrastinate: jobs in PostgreSQL, a lock per source as its limiter, its retry strategy."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import procrastinate

from bench.peers import asking
from bench.peers.asking import ASKS, FIRST, LAST, Json

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ.get("PEERS_DATABASE", "")))
AGAIN = procrastinate.RetryStrategy(max_attempts=20, wait=int(asking.PATIENCE))
READY = "Starting worker on"


def command(number: int, threads: int) -> list[str]:
    """Of a worker process, behind the interpreter."""
    options = ["--concurrency", str(threads), "--name", f"peer{number}", "--delete-jobs", "successful"]
    return ["-m", "procrastinate", "--app", "bench.peers.on_procrastinate.app", "worker", *options]


def _asked(source: str, artist: str, title: str, found: Json | None = None) -> Json:
    """Jobs of one lock run one at a time: whoever has it keeps it for as long as the limit says."""
    limit, began = asking.limit_of(source), time.monotonic()
    said = asking.ask(source, artist, title, found)
    if limit is not None:
        time.sleep(max(0.0, limit[1] / limit[0] - (time.monotonic() - began)))
    return said


@app.task(name="fetch", retry=AGAIN)
def fetch(source: str, track: int, artist: str, title: str) -> None:
    """One source; whoever brings the last part of the first ones goes on."""
    missing, _ = asking.keep(track, source, _asked(source, artist, title))
    if missing == 1:
        follow.configure(lock=_lock(LAST)).defer(track=track, artist=artist, title=title)


@app.task(name="follow", retry=AGAIN)
def follow(track: int, artist: str, title: str) -> None:
    """The source that needs another's answer comes last, and the track is done."""
    parts = asking.parts_of(track)
    part = _asked(LAST, artist, title, asking.merged(parts))
    asking.end(track, asking.merged({**parts, LAST: part}))


@app.task(name="enrich")
def enrich(track: int, artist: str, title: str) -> None:
    """All sources at once."""
    for source in FIRST:
        fetch.configure(lock=_lock(source)).defer(source=source, track=track, artist=artist, title=title)


def _lock(source: str) -> str | None:
    return f"peer.{source}" if asking.speed() is not None else None


def submit(tracks: Sequence[tuple[int, str, str]], lane: str = "default") -> None:  # noqa: ARG001 - as the others
    """Number, artist and title of each."""
    asking.begin([number for number, _, _ in tracks], len(ASKS))
    with app.open():
        for number, artist, title in tracks:
            enrich.defer(track=number, artist=artist, title=title)


def prepare() -> None:
    """Its tables."""
    with app.open():
        app.schema_manager.apply_schema()
