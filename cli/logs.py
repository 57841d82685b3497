"""`linernotes log`: what the fleet's processes tell, changed while they run."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.fleet import opened
from cli.operator import who
from cli.options import AsJson, Data
from cli.show import console, note, print_json, table
from enrichment import logs
from enrichment.reservoir import levels
from enrichment.reservoir.retrying import in_transaction
from enrichment.services.audit import audited

app = typer.Typer(help="What the fleet's processes tell in their logs.", no_args_is_help=True)

DEFAULT = "default"


@app.command("level")
def level_command(
    level: Annotated[
        str | None, typer.Argument(metavar="[LEVEL]", help="debug, info, warning, error or default; none shows them.")
    ] = None,
    logger: Annotated[
        str, typer.Option(help="A logger, called as its module is: `enrichment.services`; else all of our code.")
    ] = "",
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Change the level of all running workers, beats and services, within seconds; without LEVEL show what is set.

    It stays so until it is changed again, for processes that start later too. What is not set is at `info`.
    """
    wanted = None if level is None or level.lower() == DEFAULT else level.upper()
    if (complaint := logs.complaint(logger, wanted)) is not None:
        raise typer.BadParameter(complaint)
    with opened(data, with_tables=True) as fleet:
        engine = fleet.fleet.engine
        if level is not None:
            with audited(fleet.fleet, who(), "log level", logger or "ours", level=level.lower()):
                in_transaction(engine, lambda connection: levels.put(connection, logger, wanted))
            note(f"{logger or 'our code'} is at {level.lower()} within seconds")
        with engine.connect() as connection:
            found = levels.read(connection)
    if json:
        print_json(found)
    elif level is None:
        console().print(
            table("Log levels", ("logger", "level"), ((name or "our code", at) for name, at in found.items()))
        )
