"""`linernotes audit`: what was done by hand, by whom."""
# ruff: noqa: PLR0917 - a command's parameters are its options; typer passes them by name

from __future__ import annotations

from typing import Annotated

import typer

from cli.fleet import opened
from cli.options import AsJson, Data
from cli.show import console, print_json, table
from enrichment.services import audit

app = typer.Typer(help="What was done by hand, by whom and with what outcome.", no_args_is_help=True)


@app.command("list")
def list_command(
    target: Annotated[
        str | None, typer.Option(metavar="NAME", help="What it was done to: a source, a key, a token, a batch.")
    ] = None,
    who: Annotated[str | None, typer.Option(metavar="TEXT", help="With this in its doer.")] = None,
    most: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest first.")] = 100,
    below: Annotated[int | None, typer.Option(metavar="ID", help="Before this one: the next page.")] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """The newest actions. One without an outcome is under way, or its process was killed."""
    with opened(data) as fleet:
        found = audit.entries(fleet.fleet, target, who, most=most, below=below)
    if json:
        print_json(found)
        return
    columns = ("id", "at", "who", "action", "target", "outcome", "details")
    rows = ([each[column] for column in columns] for each in found)
    console().print(table("Audit", columns, rows))
