"""The share of permitted calls that was used: time counts only while work waits."""

from __future__ import annotations

import pytest

from enrichment.services.report import Sighting, Usage, Witnessed


def busy(turns: int, in_call: int = 0) -> Sighting:
    return Sighting(waiting=100, in_call=in_call, in_flight=3, turns=turns)


def idle(turns: int) -> Sighting:
    return Sighting(waiting=0, in_call=0, in_flight=0, turns=turns)


def test_all_of_the_permitted_calls() -> None:
    usage = Usage({"a": 2.0})
    for second in range(11):
        usage.add(float(second), {"a": busy(turns=2 * second)})
    assert usage.share("a") == pytest.approx(1.0)


def test_time_without_work_and_calls_in_it_do_not_count() -> None:
    usage = Usage({"a": 2.0})
    usage.add(0.0, {"a": idle(0)})
    usage.add(100.0, {"a": busy(50)})
    usage.add(110.0, {"a": busy(60)})
    usage.add(120.0, {"a": idle(60)})
    assert usage.share("a") == pytest.approx(0.5)


def test_a_pause_does_not_count() -> None:
    usage = Usage({"a": 2.0})
    usage.add(0.0, {"a": busy(0)})
    usage.add(10.0, {"a": busy(20)})
    usage.add(11.0, {"a": Sighting(100, 0, 0, 20, paused_for=5.0)})
    usage.add(20.0, {"a": busy(20)})
    assert usage.share("a") == pytest.approx(1.0)


def test_turns_whose_calls_have_not_ended_are_no_calls_yet() -> None:
    usage = Usage({"a": 2.0})
    usage.add(0.0, {"a": busy(0)})
    usage.add(10.0, {"a": busy(20, in_call=5)})
    assert usage.share("a") == pytest.approx(0.75)


def test_a_limiter_that_began_anew_and_a_time_nobody_looked_do_not_count() -> None:
    usage = Usage({"a": 2.0})
    usage.add(0.0, {"a": busy(500)})
    usage.add(5.0, {"a": busy(3)})
    usage.add(15.0, {"a": busy(23)})
    usage.interrupt()
    usage.add(50.0, {"a": busy(23)})
    assert usage.share("a") == pytest.approx(1.0)


def test_a_share_of_hardly_anything_is_none() -> None:
    usage = Usage({"a": 2.0, "unlimited": float("inf")})
    usage.add(0.0, {"a": busy(0), "unlimited": busy(0)})
    usage.add(5.0, {"a": busy(1), "unlimited": busy(100)})
    assert usage.share("a") is None
    assert usage.share("unlimited") is None


def test_what_a_log_has_counted_since() -> None:
    assert Witnessed(5, 3).since(Witnessed(4, 1)) == Witnessed(1, 2)
    assert Witnessed(5, 3).since(None) == Witnessed(5, 3)


def test_a_line_that_may_have_run_out_in_between_does_not_count() -> None:
    usage = Usage({"a": 5.0})
    usage.add(0.0, {"a": Sighting(waiting=30, in_call=0, in_flight=3, turns=0)})
    usage.add(5.0, {"a": Sighting(waiting=30, in_call=0, in_flight=3, turns=25)})
    usage.add(25.0, {"a": Sighting(waiting=30, in_call=0, in_flight=3, turns=40)})
    assert usage.share("a") == pytest.approx(1.0)
