"""`linernotes cache`: kept replies, counted and forgotten."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.fleet import opened
from cli.operator import who
from cli.options import AsJson, Data
from cli.show import console, note, print_json, table
from enrichment.services.audit import audited

app = typer.Typer(help="Replies of upstreams that are kept in Redis.", no_args_is_help=True)


@app.command("stats")
def stats_command(data: Data = None, json: AsJson = False) -> None:
    """How many replies are kept, by source, and how full their Redis is. Looks at every key."""
    with opened(data) as fleet:
        cache = fleet.fleet.wire.cache
        sizes, load = cache.sizes(), cache.load()
    if json:
        by_source = {name: {"replies": replies, "bytes": size} for name, (replies, size) in sorted(sizes.items())}
        print_json({"sources": by_source, "server": asdict(load)})
        return
    rows = [(name, *counted) for name, counted in sorted(sizes.items())]
    console().print(
        table("Kept replies", ("source", ">replies", ">bytes"), rows),
        table("Their Redis", ("", ">"), asdict(load).items()),
        sep="\n\n",
    )


@app.command("clear")
def clear_command(
    source: Annotated[str | None, typer.Argument(metavar="[SOURCE]", help="Else those of all.")] = None,
    data: Data = None,
) -> None:
    """Forget kept replies. What was found stays; the same questions cost calls again."""
    with opened(data) as fleet:
        if source is not None and source not in fleet.fleet.sources:
            raise typer.BadParameter(f"there is no source {source!r}; there are {', '.join(fleet.fleet.sources)}")
        with audited(fleet.fleet, who(), "clear cache", source or "all"):
            replies = fleet.fleet.wire.cache.clear(source)
    note(f"{replies} kept replies are forgotten")
