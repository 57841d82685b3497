"""The limits that the real services document, and who keeps to them. Time is passed in: seconds, of any clock.

A call is over the limit when the calls of some window w up to it would be more than B + R·w + 1, where the real service
counts so, or more than N + 1 of a window of fixed length, where it counts in windows. Refused calls are not counted.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass

TOLERANCE = 1.0
GRACE = 0.5
"""Calls that were on their way when the refusal was written; later ones should have known."""


class Limit(ABC):
    """One limit. `burst` calls at once and `rate` a second are what it documents."""

    burst: float
    rate: float

    @abstractmethod
    def take(self, now: float) -> float:
        """Count a call: 0 where it is within the limit, else the seconds until one would be."""

    @abstractmethod
    def faster(self, factor: float) -> Limit:
        """A fresh limit in a world that runs `factor` times as fast."""

    @abstractmethod
    def left(self, now: float) -> tuple[int, int, float]:
        """What headers tell: the calls of the window, how many are left, the seconds until it is full again."""


class Bucket(Limit):
    """`rate` calls a second on average, after `burst` at once."""

    def __init__(self, burst: float, rate: float) -> None:
        self.burst, self.rate = burst, rate
        self._tokens, self._at = burst + TOLERANCE, -math.inf

    def _refill(self, now: float) -> None:
        passed = max(0.0, now - self._at)
        self._tokens = min(self.burst + TOLERANCE, self._tokens + passed * self.rate)
        self._at = max(now, self._at)

    def take(self, now: float) -> float:
        """As in Limit."""
        self._refill(now)
        if self._tokens >= 1 - 1e-9:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self.rate

    def faster(self, factor: float) -> Bucket:
        """As in Limit. The burst stays: a burst of one is one at any speed."""
        return Bucket(self.burst, self.rate * factor)

    def left(self, now: float) -> tuple[int, int, float]:
        """As in Limit."""
        self._refill(now)
        return int(self.burst), max(0, int(self._tokens)), max(0.0, (self.burst - self._tokens) / self.rate)


class Aligned(Limit):
    """`calls` in each window of `seconds`, counted from the clock's zero on."""

    def __init__(self, calls: float, seconds: float) -> None:
        self.burst, self.rate = calls, calls / seconds
        self._calls, self._seconds = calls, seconds
        self._window, self._count = -1, 0

    def _roll(self, now: float) -> float:
        window = int(now // self._seconds)
        if window != self._window:
            self._window, self._count = window, 0
        return (window + 1) * self._seconds - now

    def take(self, now: float) -> float:
        """As in Limit."""
        rest = self._roll(now)
        if self._count + 1 > self._calls + TOLERANCE:
            return rest
        self._count += 1
        return 0.0

    def faster(self, factor: float) -> Aligned:
        """As in Limit. The windows stay, more fits into them."""
        return Aligned(self._calls * factor, self._seconds)

    def left(self, now: float) -> tuple[int, int, float]:
        """As in Limit."""
        rest = self._roll(now)
        return int(self._calls), max(0, int(self._calls - self._count)), rest


class Rolling(Limit):
    """`calls` in any `seconds`."""

    def __init__(self, calls: float, seconds: float) -> None:
        self.burst, self.rate = calls, calls / seconds
        self._calls, self._seconds = calls, seconds
        self._times: deque[float] = deque()

    def _forget(self, now: float) -> None:
        while self._times and self._times[0] <= now - self._seconds:
            self._times.popleft()

    def take(self, now: float) -> float:
        """As in Limit."""
        self._forget(now)
        if len(self._times) + 1 > self._calls + TOLERANCE:
            return self._times[0] + self._seconds - now
        self._times.append(now)
        return 0.0

    def faster(self, factor: float) -> Rolling:
        """As in Limit. The window stays, more fits into it."""
        return Rolling(self._calls * factor, self._seconds)

    def left(self, now: float) -> tuple[int, int, float]:
        """As in Limit."""
        self._forget(now)
        rest = self._times[0] + self._seconds - now if self._times else 0.0
        return int(self._calls), max(0, int(self._calls) - len(self._times)), rest


DOCUMENTED: dict[str, Limit] = {
    "musicbrainz": Bucket(1, 1),  # musicbrainz.org/doc/MusicBrainz_API/Rate_Limiting
    "listenbrainz": Aligned(30, 10),  # brainzutils' ratelimit: windows on the clock's tens
    "spotify": Rolling(60, 30),  # a rolling window of 30 s; the number is not published, 2/s is our estimate
    "discogs": Rolling(60, 60),  # discogs.com/developers: in any minute with a token; without one see below
    "deezer": Rolling(50, 5),  # developers.deezer.com: 50 requests in 5 s
    # Wikidata counts 60 s of its own time in a minute; a query for 200 artists takes about 1.5 s of it (estimate).
    "wikidata": Rolling(40, 60),
    "residentadvisor": Rolling(20, 60),  # publishes nothing; estimate
    "coverartarchive": Bucket(10, 10),  # documents none; estimate
    "reccobeats": Bucket(2, 1),  # enforces one and publishes none; estimate
    "acousticbrainz": Aligned(100, 10),  # acousticbrainz-server's configuration: windows on the clock's tens
    "theaudiodb": Rolling(30, 60),  # theaudiodb.com/free_music_api: 30 a minute with the public key
    "itunes": Rolling(20, 60),  # its Search API's page: approximately 20 calls a minute
    "lastfm": Rolling(1500, 300),  # last.fm/api/tos until 2025: 5 requests a second, averaged over 5 minutes
    "artwork": Bucket(20, 20),  # the archive and CDNs behind the pictures; estimate
}

DISCOGS_ANONYMOUS = Rolling(25, 60)
"""What Discogs allows those without a token."""

SPOTIFY_DAY = 1_000
"""Calls in 24 h of an app in development mode, as observed in 2026 (500 to 2,200)."""


@dataclass(slots=True)
class Doorman:
    """Judges the calls to one source: within its limit, over it, or in the pause that a refusal asked for."""

    limit: Limit | None
    refused_at: float = -math.inf
    until: float = -math.inf

    def judge(self, now: float) -> tuple[str, float]:
        """The verdict, and the seconds that a refused caller has to wait."""
        if self.refused_at + GRACE < now < self.until:
            return "in_pause", self.until - now
        if self.limit is None:
            return "ok", 0.0
        wait = self.limit.take(now)
        return ("over_limit", wait) if wait else ("ok", 0.0)

    def pause(self, now: float, seconds: float) -> None:
        """A refusal that names these seconds was written."""
        if now >= self.until:
            self.refused_at = now
        self.until = max(self.until, now + seconds)
