"""Schedules: what is done by the clock. Each run is a row, unique by schedule and planned time, so two beats make one.

Beat only ticks. A tick starts a run for every schedule whose planned time has come and brings open runs a bit further;
a run is a job (jobs.py) whose cursor stands in its row, so another process goes on where one has died. Of planned times
that were missed only the last is made up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from cronsim import CronSim, CronSimError
from sqlalchemy import Connection

from enrichment.reservoir import schedules as rows
from enrichment.reservoir.retrying import in_transaction, passes
from enrichment.reservoir.schedules import Held
from enrichment.services.fleet import Fleet
from enrichment.services.jobs import Cursor, Job, Step
from enrichment.services.progress import database_now
from enrichment.services.requests import Conflict, Unknown

WORK_SECONDS = 15.0
"""Of a tick: the rest is for the next one."""
LEASE_SECONDS = 120.0
"""Far longer than a step takes; after that its process counts as dead."""
WAIT_SECONDS = 1.0
OFF = "off"

log = structlog.get_logger()


class NotNow(Conflict):
    """A run of this schedule is open already."""


def leaves_nothing(_cursor: Cursor) -> None:
    """Most runs do nothing that would have to be undone."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Something to be done by the clock. cron: by default, in crontab's five fields. most_seconds: for which a run may
    be open; then it has failed. undo: removes what a failed run has left.
    """

    name: str
    cron: str
    about: str
    job: Job
    most_seconds: float = 20 * 3600.0
    undo: Callable[[Cursor], None] = leaves_nothing


@dataclass(frozen=True, slots=True)
class Plan:
    """When: crontab's five fields in a time zone, "off" for never."""

    cron: str
    zone: ZoneInfo

    def last(self, now: datetime) -> datetime | None:
        """The latest planned time up to now."""
        return self._first(now + timedelta(seconds=1), reverse=True)

    def next(self, now: datetime) -> datetime | None:
        """The first planned time after now."""
        return self._first(now, reverse=False)

    def _first(self, moment: datetime, *, reverse: bool) -> datetime | None:
        if self.cron == OFF:
            return None
        return next(CronSim(self.cron, moment.astimezone(self.zone), reverse=reverse), None)


def read_plan(cron: str, zone: str, variable: str) -> Plan:
    """A plan as the operator writes it. Raises ValueError naming the variable."""
    try:
        plan = Plan(cron, ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"LINERNOTES_TIMEZONE: there is no time zone {zone!r}") from error
    if cron != OFF:
        try:
            CronSim(cron, datetime(2026, 1, 1, tzinfo=plan.zone))
        except CronSimError as error:
            raise ValueError(f"{variable}: {cron!r} is neither five fields of crontab nor {OFF!r} ({error})") from error
    return plan


def crontab(plans: Mapping[str, Plan], command: str) -> list[str]:
    """Lines for cron, for those who run no beat. The same line on two hosts makes one run."""
    by_clock = {name: plan for name, plan in plans.items() if plan.cron != OFF}
    zones = {plan.zone.key for plan in by_clock.values()}
    lines = [f"{plan.cron} {command} schedules run {name} --due" for name, plan in by_clock.items()]
    return [*(f"CRON_TZ={zone}" for zone in zones), *lines]


class Schedules:
    """All schedules of a fleet."""

    def __init__(self, fleet: Fleet, schedules: Mapping[str, Schedule], plans: Mapping[str, Plan]) -> None:
        self.fleet = fleet
        self._schedules = schedules
        self._plans = plans

    def tick(self) -> None:
        """By beat, every 20 s: what is due starts, what is open goes on for some seconds."""
        in_transaction(self.fleet.engine, lambda connection: rows.tick(connection, self._schedules))
        for name in self._schedules:
            self._give_up(name)
            self.start_due(name)
        until = self.fleet.monotonic() + WORK_SECONDS
        for run in in_transaction(self.fleet.engine, rows.open_runs):
            self._advance(run, until)

    def start_due(self, name: str) -> int | None:
        """A run for the latest planned time, its id; None where there was one, or none is due."""
        plan = self._plans[self._known(name)]

        def work(connection: Connection) -> int | None:
            planned = plan.last(database_now(connection))
            return rows.start_due(connection, name, planned) if planned is not None else None

        run = in_transaction(self.fleet.engine, work)
        if run is not None:
            log.info("Schedule started", schedule=name, run=run)
        return run

    def start(self, name: str) -> int:
        """A run out of turn, its id; ticks bring it on. Raises NotNow where one is open, Unknown."""
        self._known(name)
        run = in_transaction(self.fleet.engine, lambda connection: rows.start_now(connection, name))
        if run is None:
            raise NotNow(f"a run of {name} is open already")
        log.info("Schedule started", schedule=name, run=run)
        return run

    def finish(self, run: int) -> dict[str, Any]:
        """Brings a run to its end, however long that takes, in this process or another. Returns it as `run`."""
        while True:
            self._advance(run, self.fleet.monotonic() + WORK_SECONDS)
            found = self.run(run)
            if found["ended_at"] is not None:
                return found
            self.fleet.sleep(WAIT_SECONDS)

    def run(self, run: int) -> dict[str, Any]:
        """`schedule`, `planned_at`, `started_at`, `ended_at`, `outcome` ("done", "failed", None while it is open),
        `error`, `counts`.
        """
        return _shown(in_transaction(self.fleet.engine, lambda connection: rows.run(connection, run)))

    def pause(self, name: str) -> dict[str, Any]:
        """No runs by the clock until somebody resumes it. Returns it as `all` shows it. Raises Unknown."""
        self._known(name)
        in_transaction(self.fleet.engine, lambda connection: rows.pause(connection, name))
        return self._one(name)

    def resume(self, name: str) -> dict[str, Any]:
        """Runs by the clock again. Returns it as `all` shows it. Raises Unknown."""
        self._known(name)
        in_transaction(self.fleet.engine, lambda connection: rows.resume(connection, name))
        return self._one(name)

    def all(self) -> list[dict[str, Any]]:
        """Each schedule: `name`, `about`, `cron`, `timezone`, `paused`, `next_run`, `last_run` (as `run`), `beat_at`
        (when beat last ticked).
        """
        found = in_transaction(self.fleet.engine, lambda connection: rows.standings(connection, self._schedules))
        return [self._standing(row) for row in found]

    def _one(self, name: str) -> dict[str, Any]:
        return next(each for each in self.all() if each["name"] == name)

    def _known(self, name: str) -> str:
        if name not in self._schedules:
            raise Unknown(f"there is no schedule {name!r}; there are {', '.join(self._schedules)}")
        return name

    def _standing(self, row: Any) -> dict[str, Any]:
        plan = self._plans[row.name]
        upcoming = None if row.paused else plan.next(row.now)
        return {
            "name": row.name,
            "about": self._schedules[row.name].about,
            "cron": plan.cron,
            "timezone": plan.zone.key,
            "paused": row.paused,
            "next_run": _iso(upcoming),
            "last_run": _shown(row) if row.id is not None else None,
            "beat_at": _iso(row.ticked_at),
        }

    def _give_up(self, name: str) -> None:
        schedule = self._schedules[name]
        error = f"not done after {schedule.most_seconds / 3600:g} hours"
        given_up = in_transaction(
            self.fleet.engine, lambda connection: rows.give_up(connection, name, schedule.most_seconds, error)
        )
        if given_up is not None:
            log.error("Schedule failed", schedule=name, run=given_up.id, reason=error)
            schedule.undo(given_up.cursor)

    def _advance(self, run: int, until: float) -> None:
        """Steps, until it has ended, waits, or the time is over."""
        held = in_transaction(self.fleet.engine, lambda connection: rows.take(connection, run, LEASE_SECONDS))
        if held is None or held.name not in self._schedules:  # of another version of the program
            return
        while self._step(held, self._schedules[held.name], until):
            pass

    def _step(self, held: Held, schedule: Schedule, until: float) -> bool:
        """One step. Returns whether to go on at once."""
        try:
            step = schedule.job(self.fleet, held.cursor)
        except Exception as error:
            if passes(error):
                raise
            log.exception("Schedule failed", schedule=schedule.name, run=held.id)
            schedule.undo(held.cursor)
            self._keep(held, 0.0, outcome="failed", error=f"{type(error).__name__}: {error}"[:1000])
            return False
        goes_on = step is Step.MORE and self.fleet.monotonic() < until
        outcome = "done" if step is Step.DONE else None
        kept = self._keep(held, LEASE_SECONDS if goes_on else 0.0, outcome=outcome)
        if kept and outcome:
            log.info("Schedule done", schedule=schedule.name, run=held.id, counts=held.cursor.get("counts", {}))
        return kept and goes_on

    def _keep(self, held: Held, seconds: float, *, outcome: str | None, error: str | None = None) -> bool:
        return in_transaction(
            self.fleet.engine, lambda connection: rows.keep(connection, held, seconds, outcome=outcome, error=error)
        )


def _shown(run: Any) -> dict[str, Any]:
    return {
        "schedule": run.name,
        "planned_at": _iso(run.planned_at),
        "started_at": _iso(run.started_at),
        "ended_at": _iso(run.ended_at),
        "outcome": run.outcome,
        "error": run.error,
        "counts": run.cursor.get("counts", {}),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
