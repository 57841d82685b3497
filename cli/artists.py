"""`linernotes artists`: reports on the warehouse's artists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.fleet import opened
from cli.options import AsJson, Data
from cli.show import console, print_json, table
from enrichment.reservoir.warehouse import STALE_DAYS
from enrichment.services import warehouse
from enrichment.services.fleet import Fleet

app = typer.Typer(help="Reports on the warehouse's artists.", no_args_is_help=True)

Limit = Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most.")]
Days = Annotated[int, typer.Option(min=1, max=36_500, help="How far back.")]

ARTIST = ("artist_id", "artist", "listen_count", "genres", "popularity", "followers", "imageurllarge")


def _report(
    data: Path | None,
    read: Callable[[Fleet], list[dict[str, Any]]],
    title: str,
    columns: tuple[str, ...],
    *,
    json: bool,
) -> None:
    with opened(data, with_tables=True) as fleet:
        found = read(fleet.fleet)
    if json:
        print_json(found)
    else:
        console().print(table(title, columns, ([each[column] for column in columns] for each in found)))


@app.command("coverage")
def coverage_command(data: Data = None, json: AsJson = False) -> None:
    """How many artists the warehouse has, and how many it lacks."""
    with opened(data, with_tables=True) as fleet:
        found = warehouse.coverage(fleet.fleet)
    if json:
        print_json(found)
    else:
        console().print(table("Artists in the warehouse", ("", ">"), found.items()))


@app.command("staleness")
def staleness_command(
    days: Days = STALE_DAYS, limit: Limit = warehouse.MOST_SHOWN, data: Data = None, json: AsJson = False
) -> None:
    """Artists whose enrichment is older, the longest ago first."""
    columns = ("artist_id", "artist", "enriched_at", "days_since_enrichment")
    _report(data, lambda fleet: warehouse.staleness(fleet, days, limit), f"Older than {days} days", columns, json=json)


@app.command("runs")
def runs_command(days: Days = warehouse.RUN_DAYS, data: Data = None, json: AsJson = False) -> None:
    """What each of the last days has enriched."""
    columns = ("enrichment_date", "artist_count", "artists_with_genres", "avg_popularity", "avg_followers")
    _report(data, lambda fleet: warehouse.runs(fleet, days), f"The last {days} days", columns, json=json)


@app.command("genres")
def genres_command(limit: Limit = warehouse.MOST_SHOWN, data: Data = None, json: AsJson = False) -> None:
    """The genres with most artists."""
    columns = ("genre", "artist_count")
    _report(data, lambda fleet: warehouse.genres(fleet, limit), "Genres", columns, json=json)


@app.command("genre")
def genre_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the genre, as `artists genres` shows it.")],
    limit: Limit = warehouse.MOST_SHOWN,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Artists of a genre, those with most followers first."""
    _report(data, lambda fleet: warehouse.artists_of(fleet, name, limit), f"Artists of {name}", ARTIST, json=json)


@app.command("images")
def images_command(limit: Limit = warehouse.MOST_SHOWN, data: Data = None, json: AsJson = False) -> None:
    """Artists with pictures, those with most followers first."""
    _report(data, lambda fleet: warehouse.with_images(fleet, limit), "Artists with pictures", ARTIST, json=json)


@app.command("failed")
def failed_command(limit: Limit = warehouse.MOST_SHOWN, data: Data = None, json: AsJson = False) -> None:
    """Artists that could not be enriched, with the reason."""
    columns = ("artist_id", "artist", "reason", "is_retriable", "finished_at")
    _report(
        data, lambda fleet: warehouse.failed(fleet, limit), "Artists that could not be enriched", columns, json=json
    )
