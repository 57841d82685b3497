"""`linernotes album`: what is known of albums, and their covers."""

from __future__ import annotations

import typer

from cli import inspect
from cli.fleet import opened
from cli.options import AsJson, Data, Id, Priority
from cli.show import note
from enrichment.domain.subjects import Kind
from enrichment.services import artwork

app = typer.Typer(help="Albums: who said what, and their covers.", no_args_is_help=True)


@app.command("report")
def report_command(given: Id, data: Data = None, json: AsJson = False) -> None:
    """What is known of an album, who said so and when, and who was asked."""
    inspect.subject(data, Kind.ALBUM, given, json=json)


@app.command("fetch-artwork")
def fetch_artwork_command(given: Id, priority: Priority = artwork.DEFAULT_PRIORITY, data: Data = None) -> None:
    """Download and check the chosen cover of a known album."""
    with opened(data, with_tables=True) as fleet:
        note(artwork.request_artwork(fleet.fleet, album_id=given, priority=priority))
