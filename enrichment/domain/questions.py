"""What a source declares: its budget, its questions and its terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from enrichment.domain.subjects import Kind

Keys = Mapping[str, Any]
"""What is known of a lookup's subject, by field name: `artist_name`, `title`, `isrc`, `musicbrainz_id`, `duration_ms` …
What is known of a track's or album's performer or album has a prefix: `performer.musicbrainz_id`, `album.deezer_id`."""

COMPANY = frozenset({"titles", "labels", "companions"})
"""Keys of a performer that are no fields: titles of its tracks and albums, its labels, and whom it is billed with. They
are read right before it is asked about, where the question uses them."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `calls` in any `seconds`, reached in bursts of at most `burst`.

    Kept by a GCRA, which lets `burst + rate × w` calls through in a window w; for an upstream that counts N per W
    choose burst and calls so that burst + calls × W / seconds <= N.
    """

    calls: float
    seconds: float
    burst: float = 1.0

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds


@dataclass(frozen=True, slots=True)
class Budget:
    """What we allow ourselves at a source: 0.90 to 0.95 of what it documents, so that jitter never crosses its limit.

    per_day: calls in any 24 hours, counted in PostgreSQL; None where the upstream has no day quota.
    """

    limits: tuple[Limit, ...]
    concurrency: int = 8
    per_day: int | None = None

    @property
    def rate(self) -> float:
        """Permitted calls per second: the tightest of the short limits."""
        return min((limit.rate for limit in self.limits), default=inf)

    def faster(self, factor: float) -> Budget:
        """The same budget in a world that runs `factor` times as fast (LINERNOTES_SPEED)."""
        limits = tuple(Limit(limit.calls * factor, limit.seconds, limit.burst) for limit in self.limits)
        day = None if self.per_day is None else round(self.per_day * factor)
        return Budget(limits, self.concurrency, day)


USUAL_GROUP = 2.0
"""How many waiting tracks have one artist, on average: half of all artists of a listening log appear once in it."""


def _alone(_keys: Keys) -> str:
    return ""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One kind of call: what it needs to know, what it can tell, how many subjects share one call.

    name: as it stands in lookups and metrics, without the source ("lookup", "metadata", "artist").
    needs: keys that must be known. uses: keys that help (to verify a match), sent along where known.
    gives: fields it may find, of this kind; fields it may find of the parent carry the prefix `performer.` or `album.`.
    identifies: the identifier it looks for, where it is a search: once that is known there is nothing to search.
    batch: how many lookups fit one call. batch_by: lookups share a call only where this gives the same text
        (the artist's name where one search serves several titles of one artist).
    calls: cost of one full call, in calls; a source whose calls are dear to us (a day quota) says more than 1.
    requires: names of the secrets without which it cannot be asked.
    blocking: False where nobody waits for the answer (a picture's download): a subject ends without it.
    """

    name: str
    kind: Kind
    needs: tuple[str, ...]
    gives: frozenset[str]
    uses: tuple[str, ...] = ()
    identifies: str = ""
    batch: int = 1
    batch_by: Callable[[Keys], str] = _alone
    calls: float = 1.0
    requires: tuple[str, ...] = ()
    blocking: bool = True

    @property
    def cost(self) -> float:
        """Calls per lookup: of a full batch, or of as many as usually have in common what a call is shared by."""
        return self.calls / (self.batch if self.batch_by is _alone else min(self.batch, USUAL_GROUP))


@dataclass(frozen=True, slots=True)
class Chances:
    """What can be expected of a source: shares, 0 to 1, from its documentation, from samples, or estimated.

    reach: of the subjects that exist, those that it answers about, where its question is not named in `by_question`.
    by_trait: the same for subjects with a trait (`TRAITS` in domain/selecting.py).
    yields: of its answers, those that hold a field, where not nearly all do.
    data: questions whose answers are another source's data, by name: their silence is that source's.
    """

    reach: float = 0.9
    by_question: Mapping[str, float] = field(default_factory=dict)
    by_trait: Mapping[str, float] = field(default_factory=dict)
    yields: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)

    def of(self, question: str, traits: Iterable[str] = ()) -> float:
        """The reach of a question for a subject with these traits."""
        usual = self.by_question.get(question, self.reach)
        shares = [self.by_trait[trait] for trait in traits if trait in self.by_trait]
        return usual * max(shares) / self.reach if shares else usual


@dataclass(frozen=True, slots=True)
class Terms:
    """What the upstream's operator asks of those who use its data.

    attribution, url: what to show beside it, and where that links to. licence: of the data, in words.
    commercial: may it be used commercially? keep_seconds: how long it may be kept or shown without being asked for
    again; None: for good.
    by_field: fields under other terms, by name without the prefix of a parent.
    """

    attribution: str
    url: str
    licence: str = ""
    commercial: bool = True
    keep_seconds: float | None = None
    by_field: Mapping[str, Terms] = field(default_factory=dict)

    def but_for(self, *names: str, **changes: Any) -> Terms:
        """The same terms, changed for these fields."""
        apart = replace(self, by_field={}, **changes)
        return replace(self, by_field={**self.by_field, **dict.fromkeys(names, apart)})

    def of(self, name: str) -> Terms:
        """The terms that a field is under; the prefix of a parent does not matter."""
        return self.by_field.get(name.rpartition(".")[2], self)

    def usable(self, name: str, *, commercial: bool) -> float:
        """Seconds that a fleet, commercial or not, may use this field: infinite without an end, 0 for never."""
        return self.keeps([name]) if self.of(name).commercial or not commercial else 0.0

    def keeps(self, names: Iterable[str]) -> float:
        """Seconds that all of these fields may be kept; infinite where the terms set no end."""
        kept = (self.seconds_of(name) for name in names)
        return min((seconds for seconds in kept if seconds is not None), default=inf)

    @property
    def shortest(self) -> float:
        """Seconds that a whole reply may be kept; infinite where the terms set no end."""
        return self.keeps(["", *self.by_field])

    def seconds_of(self, name: str) -> float | None:
        """How long a finding of this field may be kept; None where the terms set no end."""
        return self.of(name).keep_seconds


@dataclass(frozen=True, slots=True)
class Freshness:
    """Days a finding of this source counts as fresh: by field, else `days` (7 to 90)."""

    days: float = 30.0
    by_field: Mapping[str, float] = field(default_factory=dict)

    def days_of(self, name: str) -> float:
        """Days that a finding of this field stays fresh."""
        return self.by_field.get(name, self.days)
