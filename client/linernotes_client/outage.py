"""What to do about a server that is away: say so once, and ask only now and then until it is back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

E = TypeVar("E", bound=Exception)


class Outage(Generic[E]):
    """Of one server: begun by a failure, ended by an answer to what was asked after the last failure.

    patience: failures in a row after which it is left alone. pause: for how many seconds, until one caller tries again.
    """

    def __init__(self, patience: int = 5, pause: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.now = clock
        self._patience = patience
        self._pause = pause
        self._in_a_row = 0
        self._last: E | None = None
        self._last_at = 0.0
        self._left_alone_until = 0.0
        self._kinds: set[type[E]] = set()

    def failed(self, error: E) -> bool:
        """Is this the first failure of its kind in this outage, to be told of?"""
        self._in_a_row += 1
        self._last, self._last_at = error, self.now()
        self._left_alone_until = self._last_at + self._pause
        is_news = type(error) not in self._kinds
        self._kinds.add(type(error))
        return is_news

    def answered(self, asked: float) -> None:
        """asked: when. A server that goes away may still have answered others a moment before."""
        if asked >= self._last_at:
            self._in_a_row = 0
            self._kinds.clear()

    def reason_not_to_ask(self) -> E | None:
        """The last failure, while the server is left alone. None: ask."""
        if self._in_a_row < self._patience:
            return None
        if (now := self.now()) < self._left_alone_until:
            return self._last
        self._left_alone_until = now + self._pause
        return None
