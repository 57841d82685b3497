"""How long what was said holds, and when to ask again about what nobody knew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf

from enrichment.domain.findings import Statement

LONGEST_RECHECK_DAYS = 32
PATIENT_DAYS = 8
"""Who is in no hurry asks again what nobody knew after so many days at the earliest: sets are scraped every week."""
NEVER = datetime.max.replace(tzinfo=UTC)
REFRESH_SHARE = 0.85
"""Of its days. A background refresh takes what is older for stale, so that it is asked for again in time."""


def stale_at(statement: Statement, days: float) -> datetime:
    """Until when it is fresh, where it is for so many days."""
    return statement.stated_at + timedelta(days=days)


def usable_until(statement: Statement, seconds: float) -> datetime:
    """Until when it may be used, where its source's terms let it be used for so long.

    What a person has locked is that person's word.
    """
    if statement.locked or seconds == inf:
        return NEVER
    return statement.stated_at + timedelta(seconds=seconds)


def may_use(statement: Statement, seconds: float, now: datetime) -> bool:
    """May this statement still be used? What was dropped has no value any more."""
    return statement.value is not None and now < usable_until(statement, seconds)


def satisfies(stated_at: datetime, forced_at: datetime | None) -> bool:
    """Does a statement of this moment do for a request that forced a refresh at `forced_at`?"""
    return forced_at is None or stated_at >= forced_at


def recheck_at(answered_at: datetime, misses: int, *, patient: bool = False) -> datetime:
    """When to ask again a source that knew nothing `misses` times in a row."""
    return answered_at + timedelta(days=max(recheck_days(misses), PATIENT_DAYS if patient else 0))


def recheck_days(misses: int) -> int:
    """Days until a source that knew nothing `misses` times in a row is asked again: 1, doubling to 32."""
    doublings = min(max(misses, 1), 6) - 1
    return min(int(2**doublings), LONGEST_RECHECK_DAYS)
