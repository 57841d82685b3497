"""Requests that arrive together are submitted together.

A thousand callers who ask for the same fifty tracks would otherwise be a thousand transactions that wait for each
other's locks. Whoever comes alone is submitted at once; what comes meanwhile goes in the next transaction.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from enrichment.services.fleet import Fleet
from enrichment.services.requests import Request
from enrichment.services.submit import CHUNK, Accepted, submit_all

AT_ONCE = 2
MOST_WAITING = 10_000
AWAY = (OperationalError, InterfaceError, NoConnection)
"""What the database raises where it cannot be reached."""

log = structlog.get_logger()


class Overloaded(Exception):  # noqa: N818 - it is a state, not a defect
    """More requests wait to be submitted than can be in good time."""


@dataclass(slots=True)
class _Ask:
    request: Request
    id: str | None
    accepted: asyncio.Future[Accepted] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Submitting:
    """Of one event loop."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._asks: deque[_Ask] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads = anyio.CapacityLimiter(AT_ONCE)

    async def submit(self, request: Request, id_: str | None = None) -> Accepted:
        """One request, committed on return. id_: by which it is known if it comes again. Raises Overloaded, and what
        the database raises.
        """
        if len(self._asks) >= MOST_WAITING:
            raise Overloaded
        ask = _Ask(request, id_)
        self._asks.append(ask)
        if len(self._tasks) < AT_ONCE:
            task = asyncio.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await ask.accepted

    async def _drain(self) -> None:
        while self._asks:
            asks = [self._asks.popleft() for _ in range(min(CHUNK, len(self._asks)))]
            try:
                await self._submit(asks)
            except Exception as error:  # noqa: BLE001 - each caller is told
                if len(asks) == 1 or isinstance(error, AWAY):
                    _fail(asks, error)
                    continue
                # One of them may be what nobody has foreseen; it must not fail the others.
                log.warning("submitted one by one", requests=len(asks), error=f"{type(error).__name__}: {error}"[:200])
                for ask in asks:
                    await self._alone(ask)

    async def _alone(self, ask: _Ask) -> None:
        try:
            await self._submit([ask])
        except Exception as error:  # noqa: BLE001 - its caller is told
            _fail([ask], error)

    async def _submit(self, asks: Sequence[_Ask]) -> None:
        requests, ids = [ask.request for ask in asks], [ask.id for ask in asks]
        accepted = await anyio.to_thread.run_sync(submit_all, self._fleet, requests, ids, limiter=self._threads)
        for ask, each in zip(asks, accepted, strict=True):
            if not ask.accepted.done():  # its caller may have gone
                ask.accepted.set_result(each)


def _fail(asks: Sequence[_Ask], error: Exception) -> None:
    for ask in asks:
        if not ask.accepted.done():
            ask.accepted.set_exception(error)
