"""dramatiq: a group over the sources with a completion callback, its window rate limiter, its retries."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits import WindowRateLimiter
from dramatiq.rate_limits.backends import RedisBackend

from bench.peers import asking
from bench.peers.asking import ASKS, FIRST, LAST

URL = os.environ.get("PEERS_REDIS")
RETRIES = 1_000
"""A turn that has to be waited for counts as a retry there."""
READY = "is ready for action"

_backend = RedisBackend(url=URL)
_broker = RedisBroker(url=URL)
_broker.add_middleware(GroupCallbacks(_backend))
dramatiq.set_broker(_broker)


def command(number: int, threads: int) -> list[str]:  # noqa: ARG001 - as the others
    """Of a worker process, behind the interpreter."""
    return ["-m", "dramatiq", "bench.peers.on_dramatiq", "--processes", "1", "--threads", str(threads)]


def _turn(source: str) -> Any:
    limit = asking.limit_of(source)
    if limit is None:
        return nullcontext()
    return WindowRateLimiter(_backend, f"peer.{source}", limit=max(1, round(limit[0])), window=limit[1]).acquire()


@dramatiq.actor(max_retries=RETRIES, min_backoff=200, max_backoff=5_000)
def fetch(source: str, track: int, artist: str, title: str) -> None:
    """One source."""
    with _turn(source):
        part = asking.ask(source, artist, title)
    asking.keep(track, source, part)


@dramatiq.actor(max_retries=RETRIES, min_backoff=200, max_backoff=5_000)
def follow(track: int, artist: str, title: str) -> None:
    """The source that needs another's answer comes last, and the track is done."""
    parts = asking.parts_of(track)
    with _turn(LAST):
        part = asking.ask(LAST, artist, title, asking.merged(parts))
    asking.end(track, asking.merged({**parts, LAST: part}))


@dramatiq.actor
def enrich(track: int, artist: str, title: str) -> None:
    """All sources at once."""
    group = dramatiq.group([fetch.message(source, track, artist, title) for source in FIRST])
    group.add_completion_callback(follow.message(track, artist, title))
    group.run()


def submit(tracks: Sequence[tuple[int, str, str]], lane: str = "default") -> None:  # noqa: ARG001 - as the others
    """Number, artist and title of each."""
    asking.begin([number for number, _, _ in tracks], len(ASKS))
    for number, artist, title in tracks:
        enrich.send(number, artist, title)
