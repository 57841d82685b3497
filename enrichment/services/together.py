"""Together: what several threads of a process want done at a time, one of them does for all, in one transaction."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from enrichment.reservoir.retrying import passes

Item = TypeVar("Item")
Done = TypeVar("Done")

Work = Callable[[Sequence[Item]], Done]


@dataclass(slots=True)
class _Wish(Generic[Item, Done]):
    """One thread's. first: it does the work of all that wait. done: what came of it, told to one of them."""

    item: Item
    weight: int
    woken: threading.Event = field(default_factory=threading.Event)
    first: bool = False
    done: Done | None = None
    error: BaseException | None = None


class Together(Generic[Item, Done]):
    """Whoever comes while others are at it waits; the first of those that wait does it for all of them.

    Where nobody else comes it is done at once: nothing is ever held up so that it is done with others.
    """

    def __init__(self, most: float) -> None:
        """most: weight of what is done at once, unless one item alone weighs more."""
        self._most = most
        self._mutex = threading.Lock()
        self._waiting: deque[_Wish[Item, Done]] = deque()
        self._busy = False

    @property
    def waiting(self) -> int:
        """How many wait for those that are at it."""
        return len(self._waiting)

    def do(self, item: Item, work: Work[Item, Done], weight: int = 1) -> Done | None:
        """The work on this item, and on what else has come meanwhile; returns when it is done.

        One thread of those that were served at once is given what came of it, the others None. Raises what the work
        raises. Where it fails for several, but for a database that is away, each is tried alone, so that none fails for
        another's sake.
        """
        mine = _Wish[Item, Done](item, weight)
        with self._mutex:
            mine.first = not self._busy
            self._busy = True
            self._waiting.append(mine)
        if not mine.first:
            mine.woken.wait()
        if mine.first:
            self._serve(work)
        if mine.error is not None:
            raise mine.error
        return mine.done

    def _serve(self, work: Work[Item, Done]) -> None:
        with self._mutex:
            served = self._next()
        try:
            _attempt(served, work)
        finally:
            with self._mutex:
                self._busy = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].first = True
                    self._waiting[0].woken.set()
            for each in served:
                each.woken.set()

    def _next(self) -> list[_Wish[Item, Done]]:
        served = [self._waiting.popleft()]
        room = self._most - served[0].weight
        while self._waiting and self._waiting[0].weight <= room:
            served.append(self._waiting.popleft())
            room -= served[-1].weight
        return served


def _attempt(served: Sequence[_Wish[Item, Done]], work: Work[Item, Done]) -> None:
    try:
        served[0].done = work([each.item for each in served])
    except BaseException as error:  # noqa: BLE001 - it is raised in the threads whose work this was
        if len(served) > 1 and isinstance(error, Exception) and not passes(error):
            for each in served:
                _attempt([each], work)
        else:
            for each in served:
                each.error = error
