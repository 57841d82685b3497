"""Celery as most people would write it: `rate_limit`, a chord over the sources, a result backend, countdown retries."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from celery import Celery, chord

from bench.peers import asking
from bench.peers.asking import ASKS, FIRST, LAST, Json, Refused

app = Celery("plain", broker=os.environ.get("PEERS_REDIS"), backend=os.environ.get("PEERS_REDIS"))
app.conf.update(task_default_queue="default", broker_connection_retry_on_startup=True, result_expires=3600)

COMMAND = ("-m", "celery", "-A", "bench.peers.plain_celery", "worker", "-P", "threads", "-Q", "critical,default")
READY = "ready."


def command(number: int, threads: int) -> list[str]:
    """Of a worker process, behind the interpreter."""
    return [*COMMAND, "-c", str(threads), "-n", f"plain{number}@%h", "-l", "INFO"]


def _rate(source: str) -> str | None:
    """Celery counts in each worker process for itself."""
    limit = asking.limit_of(source)
    return f"{60 * limit[0] / limit[1] / asking.workers():g}/m" if limit else None


def _fetch_task(source: str) -> Any:
    def fetch(self: Any, artist: str, title: str, found: Json | None = None) -> Json:
        try:
            return {source: asking.ask(source, artist, title, found)}
        except Refused as refused:
            raise self.retry(countdown=refused.seconds, exc=refused) from refused

    return app.task(fetch, name=f"plain.fetch.{source}", bind=True, rate_limit=_rate(source), max_retries=5)


FETCH = {source: _fetch_task(source) for source in ASKS}


@app.task(name="plain.enrich")
def enrich(track: int, artist: str, title: str, lane: str) -> None:
    """All sources at once."""
    header = [FETCH[source].s(artist, title).set(queue=lane) for source in FIRST]
    chord(header)(follow.s(track, artist, title, lane).set(queue=lane))


@app.task(name="plain.follow")
def follow(parts: Sequence[Json], track: int, artist: str, title: str, lane: str) -> None:
    """The source that needs another's answer comes last."""
    known = {source: part for each in parts for source, part in each.items()}
    last = FETCH[LAST].s(artist, title, asking.merged(known)).set(queue=lane)
    (last | store.s(track, known).set(queue=lane)).delay()


@app.task(name="plain.store")
def store(last: Json, track: int, known: Json) -> None:
    """The track is done."""
    asking.end(track, asking.merged({**known, **last}))


def submit(tracks: Sequence[tuple[int, str, str]], lane: str = "default") -> None:
    """Number, artist and title of each."""
    asking.begin([number for number, _, _ in tracks], len(ASKS))
    for number, artist, title in tracks:
        enrich.apply_async((number, artist, title, lane), queue=lane)
