"""The service's clients: `EnrichmentClient` blocks its thread while it asks, `AsyncEnrichmentClient` is awaited."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx

from linernotes_client.calls import (
    Answer,
    Call,
    RequestRefused,
    ServiceTimeout,
    ServiceUnavailable,
    Statistics,
    Steps,
    read,
)
from linernotes_client.tracks import Track, request_of

T = TypeVar("T")

SCRAPED, QUEUED, ENSURED = 7, 5, 8
"""Priorities of the ways in."""

CONNECTIONS = 100
"""In the pool; as many items as Scrapy has under way of one page."""
IDLE = 20
"""Connections kept open for the next call. httpcore 1.0.9 counts all of them over for each: with 100, a crawl of 500
items took 5.4 s in place of 0.8 s."""

LARGEST_BATCH = 10_000
LONGEST_WAIT = 120
CONNECT_SECONDS = 10.0
BRIEF_SECONDS = 10.0
"""For calls that wait for no result."""


class _Client:
    """What both clients share: all but the wire.

    url: of the service; METADATA_ENRICHMENT_URL if not given, else port 8020 of this machine.
    token: METADATA_ENRICHMENT_TOKEN if not given. timeout: seconds that a call may take which waits for a result;
    ENRICHMENT_TIMEOUT if not given, else 60.
    """

    def __init__(self, url: str | None = None, token: str | None = None, timeout: float | None = None) -> None:
        self.url = (url or os.environ.get("METADATA_ENRICHMENT_URL") or "http://127.0.0.1:8020").rstrip("/")
        self.timeout = float(timeout or os.environ.get("ENRICHMENT_TIMEOUT") or 60.0)
        self.statistics = Statistics()
        self._token = token or os.environ.get("METADATA_ENRICHMENT_TOKEN")

    def _options(self) -> dict[str, Any]:
        return {
            "base_url": self.url,
            "headers": {"Authorization": f"Bearer {self._token}"} if self._token else {},
            # Servers drop a connection that is idle for 5 s or more; the last moment before is the wrong one to use it.
            "limits": httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=IDLE, keepalive_expiry=4),
            # The proxies in a crawler's environment are for the sites it crawls.
            "trust_env": False,
        }

    @contextmanager
    def _observed(self, call: Call) -> Iterator[None]:
        """Counts the call. Raises EnrichmentError in place of what httpx raises."""
        began, outcome = time.monotonic(), "unavailable"
        try:
            yield
            outcome = "answered"
        except RequestRefused:
            outcome = "refused"
            raise
        except httpx.ConnectTimeout as error:
            raise ServiceUnavailable(f"{self.url} does not take the connection") from error
        except (httpx.TimeoutException, TimeoutError) as error:
            outcome = "timeouts"
            raise ServiceTimeout(call.seconds) from error
        except httpx.HTTPError as error:
            raise ServiceUnavailable(f"{self.url}: {str(error) or type(error).__name__}") from error
        finally:
            self.statistics.count(outcome, time.monotonic() - began)

    def _enrich(self, track: Track, wait: int | None) -> Steps[Answer]:
        # The service gives up a little earlier than we do, so that what it knows by then still arrives.
        seconds = self.timeout if wait is None else wait + BRIEF_SECONDS
        wait = min(LONGEST_WAIT, int(seconds * 55 / 60)) if wait is None else wait
        return (yield Call("POST", "/enrich", seconds, {"wait": wait}, request_of(track)))

    def _queue(self, track: Track, priority: int) -> Steps[Answer]:
        return (yield Call("POST", "/enrich", BRIEF_SECONDS, {"wait": 0}, request_of(track, priority=priority)))

    def _ensure(self, track: Track) -> Steps[Answer]:
        track_id = request_of(track).get("track_id")
        status = (yield from self._status(track_id)) if track_id else {}
        return status if _is_enough(status) else (yield from self._queue(track, ENSURED))

    def _status(self, track_id: str) -> Steps[Answer]:
        path = f"/tracks/{quote(track_id, safe='')}/enrichment_status"
        return (yield Call("GET", path, BRIEF_SECONDS, may_be_unknown=True))

    def _batch(self, batch_id: str) -> Steps[Answer]:
        return (yield Call("GET", f"/batches/{quote(batch_id, safe='')}", BRIEF_SECONDS))

    def _submit(self, tracks: Iterable[Track], priority: int) -> Steps[list[Answer]]:
        requests = [request_of(track, priority=priority) for track in tracks]
        answers = []
        for start in range(0, len(requests), LARGEST_BATCH):
            batch = requests[start : start + LARGEST_BATCH]
            answers.append((yield Call("POST", "/enrich/batch", self.timeout, content=batch)))
        return answers


def _is_enough(status: Answer) -> bool:
    """Is it on its way, or known, or known to be unknown to all?"""
    if status.get("status") == "failed":
        return status.get("is_retriable") is False
    return status.get("status") is not None


def _limits(call: Call) -> httpx.Timeout:
    return httpx.Timeout(call.seconds, connect=min(CONNECT_SECONDS, call.seconds))


class EnrichmentClient(_Client):
    """For code that may block; safe to share between threads. All methods raise EnrichmentError."""

    def __init__(self, url: str | None = None, token: str | None = None, timeout: float | None = None) -> None:
        super().__init__(url, token, timeout)
        self._http = httpx.Client(**self._options())

    def enrich(self, track: Track, wait: int | None = None) -> Answer:
        """Asks for one track and waits for what is found, `wait` seconds at most: 55 of every 60 of the time-out.

        Not ready by then, its `status` is `pending`; it goes on. Without a priority of its own it is `critical`.
        """
        return self._run(self._enrich(track, wait))

    def enrich_batch(self, tracks: Iterable[Track], priority: int = QUEUED) -> list[Answer]:
        """Submits them, each at its own priority or else this one. One answer per 10,000, with their batch's id."""
        return self._run(self._submit(tracks, priority))

    def batch(self, batch_id: str) -> Answer:
        """How far a batch has come."""
        return self._run(self._batch(batch_id))

    def status(self, track_id: str) -> Answer:
        """How far a track has come; empty where the track is unknown."""
        return self._run(self._status(track_id))

    def enrich_scraped_tracks(self, tracks: Iterable[Track]) -> list[Answer]:
        """As `enrich_batch`, for what was scraped just now: priority 7."""
        return self._run(self._submit(tracks, SCRAPED))

    def queue_for_enrichment(self, track: Track) -> Answer:
        """Submits a track at priority 5 and does not wait for its result."""
        return self._run(self._queue(track, QUEUED))

    def ensure_enriched(self, track: Track) -> Answer:
        """The status of a track that is known or on its way; any other is submitted at priority 8. Does not wait."""
        return self._run(self._ensure(track))

    def close(self) -> None:
        """Ends the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the connections."""
        self.close()

    def _run(self, steps: Steps[T]) -> T:
        try:
            call = next(steps)
            while True:
                call = steps.send(self._ask(call))
        except StopIteration as end:
            result: T = end.value
            return result

    def _ask(self, call: Call) -> Answer:
        with self._observed(call):
            response = self._http.request(
                call.method, call.path, params=dict(call.params), json=call.content, timeout=_limits(call)
            )
            return read(call, response)


class AsyncEnrichmentClient(_Client):
    """For asyncio. All methods raise EnrichmentError; the time-out holds for a call as a whole."""

    def __init__(self, url: str | None = None, token: str | None = None, timeout: float | None = None) -> None:
        super().__init__(url, token, timeout)
        self._http = httpx.AsyncClient(**self._options())

    async def enrich(self, track: Track, wait: int | None = None) -> Answer:
        """As EnrichmentClient.enrich."""
        return await self._run(self._enrich(track, wait))

    async def enrich_batch(self, tracks: Iterable[Track], priority: int = QUEUED) -> list[Answer]:
        """As EnrichmentClient.enrich_batch."""
        return await self._run(self._submit(tracks, priority))

    async def batch(self, batch_id: str) -> Answer:
        """As EnrichmentClient.batch."""
        return await self._run(self._batch(batch_id))

    async def status(self, track_id: str) -> Answer:
        """As EnrichmentClient.status."""
        return await self._run(self._status(track_id))

    async def enrich_scraped_tracks(self, tracks: Iterable[Track]) -> list[Answer]:
        """As EnrichmentClient.enrich_scraped_tracks."""
        return await self._run(self._submit(tracks, SCRAPED))

    async def queue_for_enrichment(self, track: Track) -> Answer:
        """As EnrichmentClient.queue_for_enrichment."""
        return await self._run(self._queue(track, QUEUED))

    async def ensure_enriched(self, track: Track) -> Answer:
        """As EnrichmentClient.ensure_enriched."""
        return await self._run(self._ensure(track))

    async def aclose(self) -> None:
        """Ends the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Closed at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends the connections."""
        await self.aclose()

    async def _run(self, steps: Steps[T]) -> T:
        try:
            call = next(steps)
            while True:
                call = steps.send(await self._ask(call))
        except StopIteration as end:
            result: T = end.value
            return result

    async def _ask(self, call: Call) -> Answer:
        with self._observed(call):
            async with asyncio.timeout(call.seconds):
                response = await self._http.request(
                    call.method, call.path, params=dict(call.params), json=call.content, timeout=_limits(call)
                )
            return read(call, response)
