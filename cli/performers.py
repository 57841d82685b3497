"""`linernotes performer`: what is known of performers, and what Resident Advisor imports need to do with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from cli import inspect
from cli.fleet import opened
from cli.options import AsJson, Data, Id, Priority
from cli.show import console, note, print_json, table
from enrichment.domain.subjects import Kind
from enrichment.reservoir.performers import Performer
from enrichment.services import artwork, events, performers

app = typer.Typer(help="Performers: who said what, and enriching those of Resident Advisor.", no_args_is_help=True)

Limit = Annotated[int, typer.Option(min=1, max=1_000_000, help="How many at most.")]


@app.command("report")
def report_command(given: Id, data: Data = None, json: AsJson = False) -> None:
    """What is known of a performer, who said so and when, and who was asked."""
    inspect.subject(data, Kind.PERFORMER, given, json=json)


@app.command("enrich")
def enrich_command(
    given: Id,
    priority: Priority = 5,
    force: Annotated[bool, typer.Option("--force", help="Ask again, however fresh what is known may be.")] = False,
    data: Data = None,
) -> None:
    """Ask for one performer."""
    with opened(data, with_tables=True) as fleet:
        performers.enrich_performer(fleet.fleet, given, priority, force_refresh=force)
    _accepted(1)


@app.command("fetch-artwork")
def fetch_artwork_command(given: Id, priority: Priority = artwork.DEFAULT_PRIORITY, data: Data = None) -> None:
    """Download and check the chosen picture of a known performer."""
    with opened(data, with_tables=True) as fleet:
        note(artwork.request_artwork(fleet.fleet, performer_id=given, priority=priority))


@app.command("enrich-event")
def enrich_event_command(
    given: Annotated[str, typer.Argument(metavar="EVENT", help="The event's id.")],
    priority: Priority = events.PRIORITY,
    data: Data = None,
) -> None:
    """Ask for everybody on the bill of an event."""
    with opened(data, with_tables=True) as fleet:
        _accepted(events.enrich_event_performers(fleet.fleet, given, priority))


@app.command("enrich-batch")
def enrich_batch_command(
    batch_size: Limit = 50,
    delay_seconds: Annotated[float, typer.Option(min=0, max=86_400, help="From one to the next.")] = 60,
    data: Data = None,
) -> None:
    """Ask for performers that need it most, spread over time: each one starts so many seconds after the one before."""
    with opened(data, with_tables=True) as fleet:
        _accepted(performers.enrich_batch(fleet.fleet, batch_size, delay_seconds))


@app.command("enrich-high-priority")
def enrich_high_priority_command(limit: Limit = 50, data: Data = None) -> None:
    """Ask for performers without a picture."""
    with opened(data, with_tables=True) as fleet:
        _accepted(performers.enrich_high_priority(fleet.fleet, limit))


@app.command("enrich-all-pending")
def enrich_all_pending_command(data: Data = None) -> None:
    """Ask for every performer that needs it."""
    with opened(data, with_tables=True) as fleet:
        _accepted(performers.enrich_all_pending(fleet.fleet))


def _accepted(count: int) -> None:
    note(f"{count} performers accepted; workers enrich them")


@app.command("reset")
def reset_command(given: Id, data: Data = None) -> None:
    """Forget that a performer was enriched, and what has failed. What was found stays."""
    with opened(data, with_tables=True) as fleet:
        performers.reset_enrichment(fleet.fleet, given)
    note(f"performer {given} counts as never enriched")


@app.command("needing")
def needing_command(limit: Limit = 100, data: Data = None, json: AsJson = False) -> None:
    """Performers with an RA id that need enrichment, those that need it most first."""
    with opened(data) as fleet:
        found = performers.find_performers_needing_enrichment(fleet.fleet, limit)
    if json:
        print_json([performers.shown(each) for each in found])
    else:
        console().print(_table("Performers that need enrichment", found))


@app.command("queue")
def queue_command(limit: Limit = performers.MOST_IN_QUEUE, data: Data = None, json: AsJson = False) -> None:
    """Performers with an RA id by their need: without picture, without RA's address, the rest."""
    with opened(data) as fleet:
        found = performers.get_enrichment_queue(fleet.fleet, limit)
    if json:
        print_json({need: [performers.shown(each) for each in queue] for need, queue in found.items()})
    else:
        console().print(*(_table(need, queue) for need, queue in found.items()), sep="\n\n")


@app.command("stats")
def stats_command(data: Data = None, json: AsJson = False) -> None:
    """How many performers have an RA id, how many of them are enriched, have pictures, and are pending."""
    with opened(data) as fleet:
        found = performers.enrichment_stats(fleet.fleet)
    if json:
        print_json(found)
    else:
        console().print(table("Performers with an RA id", ("", ">"), found.items()))


def _table(title: str, found: Sequence[Performer]) -> Any:
    columns = ("performer_id", "name", "ra_artist_id", "ra_artist_url", "image_url", "country_code", "enriched_at")
    return table(title, columns, ([getattr(each, column) for column in columns] for each in found))
