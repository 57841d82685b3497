"""The limits, with time passed in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.limits import DOCUMENTED, Aligned, Bucket, Doorman, Limit, Rolling


def passed(limit: Limit, times: list[float]) -> list[float]:
    return [t for t in times if limit.take(t) == 0.0]


@given(st.lists(st.floats(0, 0.9), min_size=1, max_size=80), st.floats(1, 5), st.floats(0.5, 5))
def test_a_bucket_refuses_exactly_what_is_above_its_formula(gaps: list[float], burst: float, rate: float) -> None:
    times = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    limit, kept = Bucket(burst, rate), []
    for t in times:
        counted = [*kept, t]
        fits = all(len(counted) - i <= burst + rate * (t - counted[i]) + 1 + 1e-6 for i in range(len(counted)))
        tight = all(len(counted) - i <= burst + rate * (t - counted[i]) + 1 - 1e-6 for i in range(len(counted)))
        accepted = limit.take(t) == 0.0
        assert accepted <= fits
        assert accepted >= tight
        if accepted:
            kept.append(t)


def test_a_bucket_lets_the_documented_rate_through() -> None:
    assert len(passed(Bucket(1, 1), [n / 1.0 for n in range(100)])) == 100
    assert len(passed(Bucket(1, 1), [n / 2.0 for n in range(100)])) == 51


def test_an_aligned_window_starts_on_the_tens_of_the_clock() -> None:
    limit = Aligned(30, 10)
    assert len(passed(limit, [1005.0] * 40)) == 31
    assert limit.take(1007.5) == pytest.approx(2.5)
    assert limit.left(1007.5) == (30, 0, pytest.approx(2.5))
    assert len(passed(limit, [1010.0] * 40)) == 31


def test_a_rolling_window_forgets_call_by_call() -> None:
    limit = Rolling(50, 5)
    assert len(passed(limit, [n * 0.01 for n in range(60)])) == 51
    assert limit.take(1.0) == pytest.approx(4.0)
    assert limit.take(5.0) == 0.0
    assert limit.take(5.001) > 0.0


@pytest.mark.parametrize("source", DOCUMENTED)
def test_speed_multiplies_every_limit(source: str) -> None:
    limit = DOCUMENTED[source]
    assert limit.faster(20).rate == pytest.approx(20 * limit.rate)


def test_calls_after_the_grace_of_a_refusal_fall_into_its_pause() -> None:
    doorman = Doorman(Bucket(1, 1))
    assert [doorman.judge(0.0)[0] for _ in range(3)] == ["ok", "ok", "over_limit"]
    doorman.pause(0.0, 2.0)
    assert doorman.judge(0.4)[0] == "over_limit", "it was under way when the refusal was written"
    verdict, wait = doorman.judge(1.5)
    assert (verdict, wait) == ("in_pause", pytest.approx(0.5))
    assert doorman.judge(2.0)[0] == "ok"


def test_refused_calls_do_not_prolong_the_refusal() -> None:
    limit = Bucket(1, 1)
    assert passed(limit, [0.0] * 50 + [1.0]) == [0.0, 0.0, 1.0]


def test_without_limits_nobody_is_refused() -> None:
    doorman = Doorman(None)
    assert {doorman.judge(0.0)[0] for _ in range(1000)} == {"ok"}
