"""Schedules: one run for each planned time, whoever ticks; runs that go on, fail, and are seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from enrichment.bootstrap import build_schedules, make_plans
from enrichment.reservoir import schedules as rows
from enrichment.services.fleet import Fleet
from enrichment.services.jobs import Cursor, Step, count
from enrichment.services.requests import Unknown
from enrichment.services.schedules import NotNow, Schedule, Schedules, crontab, read_plan
from enrichment.settings import load
from tests.services.fakes import Bench

PARIS = ZoneInfo("Europe/Paris")


@dataclass
class Work:
    """A job that ends with its third step. broken: it fails. waits: it cannot go on."""

    broken: bool = False
    waits: bool = False
    undone: list[Cursor] = field(default_factory=list)

    def __call__(self, _fleet: Fleet, cursor: Cursor) -> Step:
        count(cursor, "steps", 1)
        cursor["since"] = cursor.get("since", 0) + 1
        if self.broken:
            raise ValueError("it is broken")
        if self.waits:
            return Step.WAITS
        return Step.DONE if cursor["counts"]["steps"] == 3 else Step.MORE


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def schedules(bench: Bench, work: Work) -> Schedules:
    """One schedule, daily at 03:00, known for a week."""
    made = beat(bench, work)
    made.tick()
    bench.run("UPDATE schedules SET since = clock_timestamp() - interval '7 days'")
    return made


def beat(bench: Bench, work: Work) -> Schedules:
    found = {"daily": Schedule("daily", "0 3 * * *", "works", work, undo=work.undone.append)}
    return Schedules(bench.fleet, found, {"daily": read_plan("0 3 * * *", "Europe/Paris", "LINERNOTES_SCHEDULE_DAILY")})


def outcomes(bench: Bench) -> list[tuple[str | None, str | None]]:
    found = bench.rows("SELECT outcome, error FROM schedule_runs ORDER BY id")
    return [(row.outcome, row.error) for row in found]


def test_a_schedule_that_is_new_makes_up_nothing(bench: Bench, work: Work) -> None:
    beat(bench, work).tick()
    assert outcomes(bench) == []


def test_two_beats_make_one_run_and_of_a_missed_week_one_is_made_up(
    bench: Bench, schedules: Schedules, work: Work
) -> None:
    other = beat(bench, work)
    for each in (schedules, other, schedules):
        each.tick()
    assert outcomes(bench) == [("done", None)]
    (shown,) = other.all()
    assert shown["last_run"]["counts"] == {"steps": 3}
    planned, upcoming = (datetime.fromisoformat(each) for each in (shown["last_run"]["planned_at"], shown["next_run"]))
    assert (planned.astimezone(PARIS).hour, planned.astimezone(PARIS).minute) == (3, 0)
    assert planned <= datetime.now(UTC) < upcoming <= planned + timedelta(hours=25)
    assert datetime.now(UTC) - datetime.fromisoformat(shown["beat_at"]) < timedelta(minutes=1)


def test_none_starts_while_the_last_is_open(bench: Bench, schedules: Schedules, work: Work) -> None:
    work.waits = True
    run = schedules.start("daily")
    schedules.tick()
    with pytest.raises(NotNow, match="open already"):
        schedules.start("daily")
    assert schedules.start_due("daily") is None
    work.waits = False
    assert schedules.finish(run)["outcome"] == "done"
    assert schedules.start("daily") > run


def test_a_run_hands_on_how_far_it_has_come(bench: Bench, schedules: Schedules) -> None:
    schedules.finish(schedules.start("daily"))
    schedules.finish(schedules.start("daily"))
    found = [row.cursor for row in bench.rows("SELECT cursor FROM schedule_runs ORDER BY id")]
    assert found == [{"since": 3, "counts": {"steps": 3}}, {"since": 6, "counts": {"steps": 3}}]


def test_a_failed_run_says_why_undoes_and_hinders_no_other(bench: Bench, schedules: Schedules, work: Work) -> None:
    work.broken = True
    schedules.tick()
    schedules.tick()
    assert outcomes(bench) == [("failed", "ValueError: it is broken")]
    assert [cursor["counts"] for cursor in work.undone] == [{"steps": 1}]
    work.broken = False
    assert schedules.finish(schedules.start("daily"))["error"] is None


def test_another_process_goes_on_where_one_has_died(bench: Bench, schedules: Schedules, work: Work) -> None:
    run = schedules.start("daily")
    with bench.fleet.engine.begin() as connection:
        dead = rows.take(connection, run, 120.0)
    assert dead is not None
    work(bench.fleet, dead.cursor)
    with bench.fleet.engine.begin() as connection:
        assert rows.keep(connection, dead, 120.0, outcome=None, error=None)
    schedules.tick()  # not while it may be alive
    assert schedules.run(run)["ended_at"] is None
    bench.run("UPDATE schedule_runs SET lease_until = clock_timestamp()")
    schedules.tick()
    assert schedules.run(run)["counts"] == {"steps": 3}
    with bench.fleet.engine.begin() as connection:
        assert not rows.keep(connection, dead, 0.0, outcome="failed", error="too late")
    assert schedules.run(run)["outcome"] == "done"


def test_a_run_that_never_ends_is_given_up(bench: Bench, schedules: Schedules, work: Work) -> None:
    work.waits = True
    run = schedules.start("daily")
    schedules.tick()
    bench.run("UPDATE schedule_runs SET started_at = started_at - interval '21 hours'")
    schedules.tick()
    assert schedules.run(run)["error"] == "not done after 20 hours"
    assert len(work.undone) == 1


def test_paused_and_resumed(bench: Bench, schedules: Schedules) -> None:
    assert schedules.pause("daily")["next_run"] is None
    schedules.tick()
    assert schedules.resume("daily")["paused"] is False
    schedules.tick()
    assert outcomes(bench) == []  # what was missed meanwhile is not made up
    with pytest.raises(Unknown, match="there are daily"):
        schedules.pause("monthly")


@pytest.mark.parametrize(
    ("now", "last", "upcoming"),
    [
        (datetime(2026, 11, 22, 5, 59, tzinfo=UTC), "2026-11-15T07:00:00+01:00", "2026-11-22T07:00:00+01:00"),
        (datetime(2026, 11, 22, 6, 0, tzinfo=UTC), "2026-11-22T07:00:00+01:00", "2026-11-29T07:00:00+01:00"),
        (datetime(2026, 3, 29, 4, 59, tzinfo=UTC), "2026-03-22T07:00:00+01:00", "2026-03-29T07:00:00+02:00"),
    ],
    ids=["before", "at", "in summer time"],
)
def test_sundays_at_seven_in_paris(now: datetime, last: str, upcoming: str) -> None:
    plan = make_plans(load({}))["weekly_artists"]
    found = plan.last(now), plan.next(now)
    assert [each.isoformat() for each in found if each] == [last, upcoming]


def test_what_the_operator_says() -> None:
    plans = make_plans(load({"LINERNOTES_SCHEDULE_PURGE": "off", "LINERNOTES_TIMEZONE": "UTC"}))
    lines = crontab(plans, "linernotes")
    assert plans["purge"].next(datetime.now(UTC)) is None
    assert lines[:2] == ["CRON_TZ=UTC", "0 3 * * * linernotes schedules run nightly_enrichment --due"]
    assert not any("purge" in line for line in lines)
    with pytest.raises(ValueError, match="LINERNOTES_SCHEDULE_RECHECK: 'at noon' is neither"):
        make_plans(load({"LINERNOTES_SCHEDULE_RECHECK": "at noon"}))
    with pytest.raises(ValueError, match="LINERNOTES_TIMEZONE"):
        make_plans(load({"LINERNOTES_TIMEZONE": "Paris, France"}))


def test_each_schedule_runs_on_an_empty_database(bench: Bench) -> None:
    schedules = build_schedules(bench.fleet, bench.settings)
    names = [each["name"] for each in schedules.all()]
    assert {"nightly_enrichment", "weekly_artists", "artwork_backfill", "popular_tracks"} <= set(names)
    assert {"recheck", "refresh", "purge"} <= set(names)
    for name in names:
        assert schedules.finish(schedules.start(name))["outcome"] == "done", name
