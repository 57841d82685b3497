"""`linernotes backfill`: what nobody has looked for yet is asked for."""
# ruff: noqa: PLR0917 - a command's parameters are its options; typer passes them by name

from __future__ import annotations

import time
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.enrich import with_workers
from cli.fleet import Opened, opened
from cli.options import AsJson, Data
from cli.show import note, print_json
from enrichment.reservoir.warehouse import Choice
from enrichment.services import backfill, warehouse
from enrichment.services.jobs import Cursor, Job, Step
from enrichment.services.warehouse import MODES

LOOK_SECONDS, TELL_SECONDS = 1.0, 10.0

app = typer.Typer(help="Ask for what nobody has looked for yet.", no_args_is_help=True)

Limit = Annotated[int, typer.Option(min=1, max=10_000_000, help="Of each kind at most.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count and show the first ten; ask nobody.")]


class Mode(StrEnum):
    BACKFILL = "backfill"
    INCREMENTAL = "incremental"


class Form(StrEnum):
    JSONL = "jsonl"
    PARQUET = "parquet"


@app.command("tracks")
def tracks_command(
    limit: Limit = backfill.PER_RUN, dry_run: DryRun = False, data: Data = None, json: AsJson = False
) -> None:
    """Tracks that nobody has asked for, rows of other programs among them, and those that have failed."""
    _ask("tracks", limit, data, dry_run=dry_run, json=json)


@app.command("performers")
def performers_command(
    limit: Limit = backfill.PER_RUN, dry_run: DryRun = False, data: Data = None, json: AsJson = False
) -> None:
    """Performers that nobody has asked for, rows of other programs among them, and those that have failed."""
    _ask("performers", limit, data, dry_run=dry_run, json=json)


@app.command("albums")
def albums_command(
    limit: Limit = backfill.PER_RUN, dry_run: DryRun = False, data: Data = None, json: AsJson = False
) -> None:
    """Albums that nobody has asked for, rows of other programs among them, and those that have failed."""
    _ask("albums", limit, data, dry_run=dry_run, json=json)


@app.command("artwork")
def artwork_command(
    limit: Limit = backfill.PER_RUN, dry_run: DryRun = False, data: Data = None, json: AsJson = False
) -> None:
    """Albums and performers without a picture."""
    _ask("artwork", limit, data, dry_run=dry_run, json=json)


def _ask(name: str, limit: int, data: Path | None, *, dry_run: bool, json: bool) -> None:
    target = backfill.TARGETS[name]
    with opened(data, with_tables=True) as fleet:
        if dry_run:
            found = backfill.preview(fleet.fleet, target)
        else:
            cursor: Cursor = {}
            _finish(fleet, backfill.asking(target, limit), cursor)
            found = {"counts": cursor["counts"]}
    if json:
        print_json(found)
        return
    counts = ", ".join(f"{count} {kind}s" for kind, count in found["counts"].items())
    note(f"{counts} would be asked for" if dry_run else f"{counts} accepted; workers enrich them")
    for each in found.get("first", ()):
        note(f"  {each['kind']} {each['id']}  {each['artist']}{' – ' + each['title'] if 'title' in each else ''}")


@app.command("artists")
def artists_command(
    mode: Annotated[
        Mode, typer.Option(help="backfill: all that the warehouse lacks; incremental: those new in the last 7 days.")
    ] = Mode.BACKFILL,
    force: Annotated[
        bool, typer.Option("--force", help="All of them, and ask again, however fresh they may be.")
    ] = False,
    dry_run: DryRun = False,
    output_dir: Annotated[
        str | None, typer.Option(metavar="DIR|URL", help="Where the file is landed; else LINERNOTES_LANDING.")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="Of the file.")] = Form.JSONL,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Enrich artists for a warehouse, wait for the end, and land `{timestamp}_artist_enrichment.jsonl`.

    Where no worker lives some are started meanwhile. Broken off, what was asked for goes on; the next run lands it.
    """
    choice = Choice(force=force, new_days=MODES[mode].new_days)
    with opened(data, with_tables=True) as fleet:
        ahead = warehouse.preview(fleet.fleet, choice)
        _tell(ahead)
        if dry_run:
            shown = ahead
        else:
            shown = _enrich(fleet, choice, output_dir or fleet.settings.landing_folder, form) | {
                "estimate": ahead["estimate"]
            }
    if json:
        print_json(shown)


def _tell(ahead: dict[str, Any]) -> None:
    calls, seconds = ahead["estimate"]["calls"], ahead["estimate"]["seconds"]
    note(f"{ahead['artist_count']} artists; done in {timedelta(seconds=round(seconds))} at the earliest")
    note(f"  calls: {', '.join(f'{source} {number}' for source, number in calls.items()) or 'none'}")
    for each in ahead["first"]:
        note(f"  {each['artist_id']}  {each['artist']}")


def _enrich(fleet: Opened, choice: Choice, folder: str, form: Form) -> dict[str, Any]:
    cursor: Cursor = {}
    with with_workers(fleet):
        _finish(fleet, warehouse.enriching(choice), cursor)
    landed = warehouse.land(fleet.fleet, cursor, folder, form)
    note(f"{landed.artists} artists in {landed.file}" if landed.file else "nobody to land")
    for each in landed.failed[: warehouse.MOST_SHOWN]:
        note(f"  {each['artist_id']}  {each['artist']}: {each['reason']}")
    return {
        "file": landed.file,
        "artist_count": cursor["counts"]["artists"],
        "landed": landed.artists,
        "failed": landed.failed,
    }


def _finish(fleet: Opened, job: Job, cursor: Cursor) -> None:
    """All steps; where it waits for others a person is told now and then how far it has come."""
    told = time.monotonic()
    while (step := job(fleet.fleet, cursor)) is not Step.DONE:
        if step is Step.WAITS:
            time.sleep(LOOK_SECONDS)
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                note(f"the first {cursor.get('ended', 0)} of {cursor['counts']['artists']} have ended")
