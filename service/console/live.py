"""The overview as it changes: one look at the fleet a second for everybody who watches, and none when nobody does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import anyio
import redis
import structlog
from sqlalchemy.exc import SQLAlchemyError

from enrichment.services.overview import Glance, Overview

EVERY = 1.0
LONGEST = 600.0
"""Seconds; who still watches connects again, as EventSource does by itself."""

log = structlog.get_logger()


class Live:
    """Of one event loop."""

    def __init__(self, overview: Overview) -> None:
        self.overview = overview
        self._watchers: set[asyncio.Queue[Glance | None]] = set()
        self._looking: asyncio.Task[None] | None = None

    async def glances(self, closed: Callable[[], bool]) -> AsyncIterator[Glance | None]:
        """The fleet every second, for a while; None while it cannot be seen. closed: is the service about to end?"""
        queue: asyncio.Queue[Glance | None] = asyncio.Queue(1)
        self._watchers.add(queue)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            until = time.monotonic() + LONGEST
            while not closed() and time.monotonic() < until:
                yield await queue.get()
        finally:
            self._watchers.discard(queue)

    async def _look(self) -> None:
        while self._watchers:
            glance: Glance | None = None
            try:
                glance = await anyio.to_thread.run_sync(self.overview.now)
            except (SQLAlchemyError, redis.RedisError) as error:
                log.warning("the overview cannot be read", error=str(error)[:200])
            for queue in self._watchers:
                if queue.full():
                    queue.get_nowait()  # who is slow misses what is old
                queue.put_nowait(glance)
            await asyncio.sleep(EVERY)
