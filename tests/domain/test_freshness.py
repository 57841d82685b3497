"""How long statements hold, and when to ask again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment.domain.findings import Statement
from enrichment.domain.freshness import is_fresh, recheck_at, satisfies

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("age", "fresh"),
    [(timedelta(0), True), (timedelta(days=7) - SECOND, True), (timedelta(days=7), False), (timedelta(days=90), False)],
)
def test_a_statement_is_fresh_for_its_days(age: timedelta, fresh: bool) -> None:
    assert is_fresh(Statement("isrc", "X", 0.9, "deezer", NOW - age), 7, NOW) is fresh


@pytest.mark.parametrize(
    ("misses", "days"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 32), (10_000, 32)]
)
def test_what_nobody_knew_is_asked_again_ever_more_rarely(misses: int, days: int) -> None:
    assert recheck_at(NOW, misses) == NOW + timedelta(days=days)


@given(st.integers(0, 1000))
def test_more_misses_never_mean_sooner(misses: int) -> None:
    assert recheck_at(NOW, misses) <= recheck_at(NOW, misses + 1)


@pytest.mark.parametrize(
    ("stated_at", "forced_at", "does"),
    [(NOW, None, True), (NOW, NOW, True), (NOW - SECOND, NOW, False), (NOW + SECOND, NOW, True)],
)
def test_a_forced_refresh_is_not_satisfied_by_what_was_said_before(
    stated_at: datetime, forced_at: datetime | None, does: bool
) -> None:
    assert satisfies(stated_at, forced_at) is does
