"""The turn is taken when the message is, and not looked at again when the request is written, however late that is."""

from enrichment.wire.limiter import Limiter, NotNow, Turn
from workers import process
from workers.app import app


class TakenAtDequeue(Limiter):
    """A turn once given is good for ever."""

    def use(self, turn: Turn) -> NotNow | None:
        """Always now."""
        turn.used = True
        return None


process.parts.limiter = TakenAtDequeue

__all__ = ["app"]
