"""`linernotes schedules`: what is done by the clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.failure import Failure, of_settings
from cli.fleet import opened, settings_of
from cli.operator import who
from cli.options import AsJson, Data
from cli.show import console, note, print_json, table
from enrichment.bootstrap import build_schedules, make_plans
from enrichment.services.audit import audited
from enrichment.services.schedules import Schedules, crontab

app = typer.Typer(help="What is done by the clock: list, run, pause and resume.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `schedules list` names it.")]


@contextmanager
def _schedules(data: Path | None) -> Iterator[Schedules]:
    with opened(data, with_tables=True) as fleet:
        try:
            yield build_schedules(fleet.fleet, fleet.settings)
        except ValueError as error:
            raise of_settings(error) from error


@app.command("list")
def list_command(data: Data = None, json: AsJson = False) -> None:
    """Every schedule with its last and next run, and when beat last ticked."""
    with _schedules(data) as schedules:
        found = schedules.all()
    if json:
        print_json(found)
        return
    columns = ("name", "cron", "timezone", "paused", "next_run", "beat_at")
    rows = ([*(each[column] for column in columns), _last(each["last_run"]), each["about"]] for each in found)
    console().print(table("Schedules", (*columns, "last run", "what it does"), rows))


def _last(run: dict[str, Any] | None) -> str:
    return f"{run['planned_at']}: {run['error'] or run['outcome'] or 'open'}" if run else ""


@app.command("run")
def run_command(
    name: Name,
    due: Annotated[
        bool, typer.Option("--due", help="Only if its planned time has come and nobody has made that run: for cron.")
    ] = False,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Make a run now, and wait for its end. Exit code 1 if it has failed."""
    with _schedules(data) as schedules:
        if due:
            run = schedules.start_due(name)
        else:
            with audited(schedules.fleet, who(), "run", name):
                run = schedules.start(name)
        if run is None:
            note(f"{name}: nothing is due")
            return
        come = schedules.finish(run)
    if json:
        print_json(come)
    if come["outcome"] != "done":
        raise Failure(f"{name}: {come['error']}")
    note(f"{name}: done, {', '.join(f'{count} {what}' for what, count in come['counts'].items()) or 'nothing to do'}")


@app.command("pause")
def pause_command(name: Name, data: Data = None) -> None:
    """No runs by the clock until somebody resumes it. A run that is open goes on."""
    with _schedules(data) as schedules, audited(schedules.fleet, who(), "pause", name):
        schedules.pause(name)
    note(f"{name} is paused")


@app.command("resume")
def resume_command(name: Name, data: Data = None) -> None:
    """Runs by the clock again. What was missed is not made up."""
    with _schedules(data) as schedules, audited(schedules.fleet, who(), "resume", name):
        schedules.resume(name)
    note(f"{name} runs by the clock")


@app.command("cron")
def cron_command() -> None:
    """Lines for a crontab, for those who run no beat. On several hosts the same line makes one run."""
    try:
        typer.echo("\n".join(crontab(make_plans(settings_of()), "linernotes")))
    except ValueError as error:
        raise of_settings(error) from error
