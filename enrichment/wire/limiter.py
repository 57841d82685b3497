"""The turn: permission to call a source now, from one fleet-wide limiter in Redis (the script is limiter.lua).

A turn is a moment on the source's line and a slot. The moment lies a little ahead; whoever holds the turn waits for it,
claims, and asks once more right before the request is written (`use`), since the source may have been paused meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import inf
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from redis import Redis

    from enrichment.domain.questions import Budget

LUA = files("enrichment.wire").joinpath("limiter.lua").read_text()
TICKET_SECONDS = 4.0
"""A fetch message that has not started by then is given up."""
FULL_WAIT = 0.05
"""Seconds to wait where all slots are taken: when one comes free cannot be known."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What PostgreSQL knows of a source, for a cold start. Seconds; last_claim_ago is None before the first claim."""

    paused_for: float = 0.0
    factor: float = 1.0
    reason: str = ""
    last_claim_ago: float | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What the limiter holds a source to. call_seconds: the longest a call may take, redirects and all."""

    budget: Budget
    call_seconds: float
    breaker_threshold: int = 5
    breaker_seconds: float = 30.0

    @property
    def arguments(self) -> list[str]:
        """The limits as the script takes them."""
        return [str(number) for limit in self.budget.limits for number in (limit.rate, limit.burst)]

    @property
    def interval(self) -> float:
        """Seconds between two calls at the tightest limit."""
        return 1 / self.budget.rate

    @property
    def longest_wait(self) -> float:
        """How long a turn may be waited for: two seconds or one interval, whichever is longer."""
        return max(2.0, self.interval)

    @property
    def stale_after(self) -> float:
        """Seconds after its moment when a turn may no longer be used: late calls must not bunch up."""
        return min(0.2, min((0.5 * limit.burst / limit.rate for limit in self.budget.limits), default=0.2))

    @property
    def late_after(self) -> float:
        """Seconds that may lie between the permission to write a request and its last byte, without a word about it."""
        return max(0.002, min((0.01 * limit.burst / limit.rate for limit in self.budget.limits), default=0.0))


@dataclass(slots=True)
class Turn:
    """A slot and a moment (on the holder's monotonic clock). number: how many turns the source has had.

    asked: when it was asked last whether a request may be written.
    """

    source: str
    name: str
    number: int
    moment: float
    used: bool = False
    asked: float = inf


@dataclass(frozen=True, slots=True)
class NotNow:
    """No turn. after: seconds until it is worth asking again. paused: the whole source waits, not only this caller."""

    after: float
    paused: bool = False


@dataclass(frozen=True, slots=True)
class SourceNow:
    """A source as the limiter sees it; seconds. since: how long ago the last pause began. turns: given, also those that
    came back unused; calls: requests written.
    """

    cold: bool
    paused_for: float
    since: float
    reason: str
    factor: float
    probing: bool
    strikes: int
    in_call: int
    in_flight: int
    latency: float
    turns: int
    calls: int

    @property
    def breaker(self) -> str:
        """The breaker's state as metrics name it."""
        if self.paused_for > 0 and self.reason.startswith("breaker"):
            return "open"
        return "half_open" if self.probing and self.paused_for <= 0 else "closed"


class Limiter:
    """All sources of one fleet. Raises redis.RedisError where Redis does not answer: no turn is given then."""

    def __init__(
        self,
        redis: Redis,
        terms: Callable[[str], Terms],
        standing: Callable[[str], Standing],
        worker: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """terms: of a source. standing: what PostgreSQL knows of it. worker: names our slots and tickets."""
        self._redis = redis
        self._script = redis.register_script(LUA)
        self._terms = terms
        self._standing = standing
        self._worker = worker
        self._monotonic = monotonic
        self._turns = 0

    def close(self) -> None:
        """Gives its connections back."""
        self._redis.close()

    def _call(self, source: str, operation: str, *arguments: object) -> list[bytes | int]:
        base = f"limiter:{{{source}}}"
        keys = [base, f"{base}:slots", f"{base}:tickets"]
        return cast("list[bytes | int]", self._script(keys=keys, args=[operation, *map(str, arguments)]))

    def _warmed(self, source: str, operation: str, *arguments: object) -> list[bytes | int]:
        """The operation, after a cold start where the source's state is missing."""
        reply = self._call(source, operation, *arguments)
        if reply[0] != b"cold":
            return reply
        self.warm(source)
        return self._call(source, operation, *arguments)

    def budget(self, source: str) -> Budget:
        """What the source is held to."""
        return self._terms(source).budget

    def warm(self, source: str) -> None:
        """Cold start: whatever was called before may still be counted by the upstream, so wait for it to end."""
        terms, known = self._terms(source), self._standing(source)
        since = terms.call_seconds - known.last_claim_ago if known.last_claim_ago is not None else 0.0
        pause = max(known.paused_for, since, 0.0)
        reason = known.reason if known.paused_for >= since else "cold start"
        self._call(source, "warm", pause * 1000, known.factor, reason if pause else "", *terms.arguments)

    def take(self, source: str) -> Turn | NotNow:
        """A turn whose moment is near, or how long to wait."""
        terms = self._terms(source)
        self._turns += 1
        name = f"{self._worker}:{self._turns}"
        lease = (terms.call_seconds + 5) * 1000
        asked = self._monotonic()
        reply = self._warmed(
            source, "take", name, terms.longest_wait * 1000, terms.budget.concurrency, lease, *terms.arguments
        )
        if reply[0] == b"turn":
            return Turn(source, name, int(reply[2]), asked + _seconds(reply[1]))
        if reply[0] == b"full":
            return NotNow(FULL_WAIT)
        if reply[0] == b"cold":
            return NotNow(terms.longest_wait, paused=True)
        return NotNow(_seconds(reply[1]), paused=reply[0] == b"paused")

    def use(self, turn: Turn) -> NotNow | None:
        """Right before the request is written. None: write it now. Else wait so long and ask again; or, where paused,
        do not write it.
        """
        terms = self._terms(turn.source)
        turn.asked = self._monotonic()
        again = turn.used or turn.asked - turn.moment > terms.stale_after
        reply = self._warmed(turn.source, "use", int(again), *terms.arguments)
        if reply[0] == b"go":
            turn.used = True
            # Where Redis has stood still, many get their answers in one moment: each asks once more.
            return NotNow(0.0) if self._monotonic() - turn.asked > terms.stale_after else None
        if reply[0] == b"wait":
            wait = _seconds(reply[1])
            turn.moment, turn.used = self._monotonic() + wait, False
            return NotNow(wait)
        return NotNow(_seconds(reply[1]) if len(reply) > 1 else terms.longest_wait, paused=True)

    def hold(self, host: str, seconds: float) -> None:
        """No requests to this host for so long, fleet-wide, whatever else its source may ask. Never shortened."""
        if self.held(host) < seconds:
            self._redis.set(_host(host), "", px=max(1, round(seconds * 1000)))

    def held(self, host: str) -> float:
        """Seconds until this host may be asked again."""
        return max(0, self._redis.pttl(_host(host))) / 1000

    def written(self, turn: Turn) -> None:
        """Right after the request was written: where that took long, the next one has to wait for longer."""
        terms, took = self._terms(turn.source), self._monotonic() - turn.asked
        if took > terms.late_after:
            self._call(turn.source, "late", took * 1000, *terms.arguments)

    def free(self, turn: Turn) -> None:
        """The call has ended, or there was nothing to ask."""
        unused = 0 if turn.used else turn.number
        self._call(turn.source, "free", turn.name, unused, *self._terms(turn.source).arguments)

    def succeeded(self, source: str, seconds: float) -> float:
        """An answer came after so many seconds. Returns the rate factor."""
        reply = self._warmed(source, "succeeded", seconds * 1000)
        return float(reply[1]) if reply[0] == b"ok" else 1.0

    def pause(self, source: str, seconds: float, reason: str, *, ours: bool) -> tuple[float, float]:
        """No turns for so long. Returns the seconds it now lasts (it is never shortened) and the rate factor."""
        reply = self._warmed(source, "pause", seconds * 1000, int(ours), reason)
        return _seconds(reply[1]), float(reply[2])

    def failed(self, source: str, reason: str) -> float | None:
        """The upstream is ill. Returns for how many seconds the breaker is open, None while it is closed."""
        terms = self._terms(source)
        reply = self._warmed(
            source, "failed", terms.breaker_threshold, terms.breaker_seconds * 1000, f"breaker: {reason}"
        )
        return _seconds(reply[1]) if reply[0] == b"open" else None

    def resume(self, source: str) -> None:
        """Ends a pause, a stop or an open breaker, with one turn first."""
        self._warmed(source, "resume")

    def admit(self, source: str, window: int, tickets: Sequence[str]) -> list[str]:
        """Those of the tickets for which the window has room; none while the source is paused."""
        reply = self._warmed(source, "admit", window, TICKET_SECONDS * 1000, *tickets)
        return [_text(name) for name in reply[1:]] if reply[0] == b"ok" else []

    def start(self, source: str, ticket: str) -> bool:
        """The fetch message is here. False where its ticket is gone: then nothing is called."""
        terms = self._terms(source)
        lease = (terms.longest_wait + terms.call_seconds + 10) * 1000
        return self._call(source, "start", ticket, self._worker, lease)[0] == b"ok"

    def finish(self, source: str, ticket: str) -> None:
        """The fetch has ended; its place in the window is free."""
        self._call(source, "finish", ticket, self._worker)

    def bury(self, source: str, worker: str) -> int:
        """Slots and tickets of a dead worker come back. Returns how many."""
        return int(self._call(source, "bury", worker)[1])

    def now(self, source: str) -> SourceNow:
        """The source as it stands."""
        cold, paused, since, reason, factor, probing, strikes, in_call, in_flight, latency, turns, calls = self._call(
            source, "state"
        )
        return SourceNow(
            cold=cold == b"cold",
            paused_for=_seconds(paused),
            since=_seconds(since),
            reason=_text(reason),
            factor=float(factor),
            probing=int(probing) == 1,
            strikes=int(strikes),
            in_call=int(in_call),
            in_flight=int(in_flight),
            latency=_seconds(latency),
            turns=int(turns),
            calls=int(calls),
        )


def _host(host: str) -> str:
    return f"limiter:host:{host}"


def _seconds(milliseconds: bytes | int) -> float:
    return float(milliseconds) / 1000


def _text(value: bytes | int) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
