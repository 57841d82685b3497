"""Retry delays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment.domain.backoff import RETRY_DELAYS, SHED_LIMIT, retry_delay, shed_delay

JITTER = st.floats(0, 1)


@pytest.mark.parametrize(
    ("attempt", "jitter", "delay"),
    [(1, 0, 15), (2, 0, 60), (3, 0, 300), (1, 1, 16.5), (3, 0.5, 315), (4, 0, None), (0, 0, None)],
)
def test_three_retries_then_none(attempt: int, jitter: float, delay: float | None) -> None:
    assert retry_delay(attempt, jitter) == pytest.approx(delay)


@given(JITTER)
def test_jitter_only_adds_and_at_most_a_tenth(jitter: float) -> None:
    for attempt, delay in enumerate(RETRY_DELAYS, 1):
        waited = retry_delay(attempt, jitter)
        assert waited is not None
        assert delay <= waited <= delay * 1.1 + 1e-9


@given(JITTER)
def test_a_shed_lookup_waits_one_to_four_seconds(jitter: float) -> None:
    assert 1 <= shed_delay(jitter) <= 4
    assert SHED_LIMIT == 5
