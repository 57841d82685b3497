"""What to do about a server that is away: say so once, and ask only now and then until it is back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

E = TypeVar("E", bound=Exception)


class Outage(Generic[E]):
    """Of one server, begun by failures and ended by any answer.

    patience: failures in a row after which it is left alone. pause: for how many seconds, until one caller tries again.
    """

    def __init__(self, patience: int = 5, pause: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._pause = pause
        self._clock = clock
        self._kinds: set[type[E]] = set()
        self.over()

    def over(self) -> None:
        """It has answered."""
        self._in_a_row = 0
        self._error: E | None = None
        self._left_alone_until = 0.0
        self._kinds.clear()

    def failed(self, error: E) -> bool:
        """It has not. Is this the first failure of its kind in this outage, to be told of?"""
        self._in_a_row += 1
        self._error = error
        self._left_alone_until = self._clock() + self._pause
        is_news = type(error) not in self._kinds
        self._kinds.add(type(error))
        return is_news

    def reason_not_to_ask(self) -> E | None:
        """The last failure, while the server is left alone. None: ask."""
        if self._in_a_row < self._patience:
            return None
        if (now := self._clock()) < self._left_alone_until:
            return self._error
        self._left_alone_until = now + self._pause
        return None
