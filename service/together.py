"""What arrives together is done together.

A thousand callers who ask for the same fifty tracks would otherwise be a thousand transactions that wait for each
other's locks, and two hundred who look at a track each would be two hundred questions to the database. Whoever comes
alone is served at once; what comes meanwhile goes together, so that the busier the machine is the less each costs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio
import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

AT_ONCE = 2
MOST_TOGETHER = 250
MOST_WAITING = 10_000
AWAY = (OperationalError, InterfaceError, NoConnection)
"""What the database raises where it cannot be reached."""

log = structlog.get_logger()
Given = TypeVar("Given")
Done = TypeVar("Done")


class Overloaded(Exception):  # noqa: N818 - it is a state, not a defect
    """More is asked than can be done in good time."""


@dataclass(slots=True)
class _Ask(Generic[Given, Done]):
    given: Given
    done: asyncio.Future[Done] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Together(Generic[Given, Done]):
    """One kind of work. Of one event loop."""

    def __init__(self, do: Callable[[Sequence[Given]], Sequence[Done]]) -> None:
        """do: all of them in their order, in a thread."""
        self._do = do
        self._asks: deque[_Ask[Given, Done]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads = anyio.CapacityLimiter(AT_ONCE)

    async def ask(self, given: Given) -> Done:
        """What comes of it. Raises Overloaded, and what the database raises."""
        if len(self._asks) >= MOST_WAITING:
            raise Overloaded
        ask: _Ask[Given, Done] = _Ask(given)
        self._asks.append(ask)
        if len(self._tasks) < AT_ONCE:
            task = asyncio.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await ask.done

    async def _drain(self) -> None:
        while self._asks:
            asks = [self._asks.popleft() for _ in range(min(MOST_TOGETHER, len(self._asks)))]
            try:
                await self._all(asks)
            except Exception as error:  # noqa: BLE001 - each caller is told
                if len(asks) == 1 or isinstance(error, AWAY):
                    _fail(asks, error)
                    continue
                # One of them may be what nobody has foreseen; it must not fail the others.
                log.warning("done one by one", asks=len(asks), error=f"{type(error).__name__}: {error}"[:200])
                for ask in asks:
                    await self._alone(ask)

    async def _alone(self, ask: _Ask[Given, Done]) -> None:
        try:
            await self._all([ask])
        except Exception as error:  # noqa: BLE001 - its caller is told
            _fail([ask], error)

    async def _all(self, asks: Sequence[_Ask[Given, Done]]) -> None:
        given = [ask.given for ask in asks]
        done = await anyio.to_thread.run_sync(self._do, given, limiter=self._threads)
        for ask, each in zip(asks, done, strict=True):
            if not ask.done.done():  # its caller may have gone
                ask.done.set_result(each)


def _fail(asks: Sequence[_Ask[Given, Done]], error: Exception) -> None:
    for ask in asks:
        if not ask.done.done():
            ask.done.set_exception(error)
