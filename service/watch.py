"""One look at the database for everybody who waits.

A waiter is a future in this process: it holds no thread and no connection, so thousands of them cost one question every
tenth of a second, and none when nobody waits. PostgreSQL's NOTIFY was not taken: it would make every settle of the
fleet pay (a commit that notifies takes a lock that all others wait for), also where nobody waits; it needs a session of
its own, which connection poolers do not give; and after a broken connection one has to look anyway.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import structlog
from sqlalchemy.exc import SQLAlchemyError

from enrichment.reservoir.subjects import Ref
from enrichment.services import outlook, report
from enrichment.services.fleet import Fleet
from enrichment.services.outlook import Seen

LOOK_SECONDS, LOOK_SHARE = 0.1, 0.1
"""Between two looks, and the most of a thread's time that looking may take."""
ILL_SECONDS = 1.0

log = structlog.get_logger()
Answer = dict[str, Any]


@dataclass(slots=True)
class _Waiter:
    """holds: is this what is waited for? answered: does the waiter want the whole answer, or only what was seen?"""

    holds: Callable[[Seen], bool]
    answered: bool
    future: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Watch:
    """Of one event loop."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._waiters: dict[Ref, list[_Waiter]] = defaultdict(list)
        self._looking: asyncio.Task[None] | None = None
        self._thread = anyio.CapacityLimiter(1)
        self._closed = False

    async def answers(self, refs: Collection[Ref], seconds: float) -> dict[Ref, Answer]:
        """What has come of those of these subjects that end within so many seconds, in the contract of POST /enrich."""
        waiters = {ref: self._waiter(ref, lambda seen: seen.has_ended, answered=True) for ref in refs}
        await self._wait(waiters, seconds)
        return {
            ref: each.future.result() for ref, each in waiters.items() if each.future.done() and each.future.result()
        }

    async def changed(self, ref: Ref, since: Seen | None, seconds: float) -> Seen | None:
        """How the subject stands once that is something else than `since`; None where it stays so for so long."""
        waiter = self._waiter(ref, lambda seen: seen != since, answered=False)
        await self._wait({ref: waiter}, seconds)
        return waiter.future.result() if waiter.future.done() else None

    @property
    def closed(self) -> bool:
        """Is the service about to end?"""
        return self._closed

    def close(self) -> None:
        """The service is about to end: nobody waits any longer. May be called in a signal handler."""
        self._closed = True
        if self._looking is not None:
            self._looking.get_loop().call_soon_threadsafe(self._release)

    def _release(self) -> None:
        for waiters in self._waiters.values():
            for waiter in waiters:
                _resolve(waiter, None)

    def _waiter(self, ref: Ref, holds: Callable[[Seen], bool], *, answered: bool) -> _Waiter:
        waiter = _Waiter(holds, answered)
        self._waiters[ref].append(waiter)
        return waiter

    async def _wait(self, waiters: Mapping[Ref, _Waiter], seconds: float) -> None:
        if waiters and not self._closed:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            await asyncio.wait([waiter.future for waiter in waiters.values()], timeout=seconds)
        for ref, waiter in waiters.items():
            self._waiters[ref].remove(waiter)
            if not self._waiters[ref]:
                del self._waiters[ref]

    async def _look(self) -> None:
        while self._waiters:
            began = time.monotonic()
            try:
                await self._look_once()
                pause = max(LOOK_SECONDS, (time.monotonic() - began) / LOOK_SHARE)
            except SQLAlchemyError as error:
                log.warning("those who wait are not told", error=str(error)[:200])
                pause = ILL_SECONDS
            await asyncio.sleep(pause)

    async def _look_once(self) -> None:
        seen = await self._in_thread(outlook.look, list(self._waiters))
        met = [(ref, each) for ref in seen for each in self._waiters.get(ref, ()) if each.holds(seen[ref])]
        ended = {ref for ref, waiter in met if waiter.answered}
        answers = await self._in_thread(report.answers, ended) if ended else {}
        for ref, waiter in met:
            _resolve(waiter, answers.get(ref) if waiter.answered else seen[ref])

    async def _in_thread(
        self, ask: Callable[[Fleet, Collection[Ref]], dict[Ref, Any]], refs: Collection[Ref]
    ) -> dict[Ref, Any]:
        return await anyio.to_thread.run_sync(ask, self._fleet, refs, limiter=self._thread)


def _resolve(waiter: _Waiter, value: Any) -> None:
    if not waiter.future.done():
        waiter.future.set_result(value)
