"""`linernotes keys`: what opens the upstreams is stored, listed, tried, sealed anew and removed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import masters
from cli.failure import Failure
from cli.fleet import Opened, opened
from cli.operator import asked_for, who
from cli.options import AsJson, Data
from cli.show import console, note, print_json, table
from enrichment.reservoir.keys import new_master
from enrichment.services import keys
from enrichment.services.audit import audited

app = typer.Typer(help="Keys of the upstreams, encrypted in the database.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `keys list` shows it: LASTFM_API_KEY.")]


@app.command("set")
def set_command(name: Name, data: Data = None) -> None:
    """Store a key, read from stdin or asked for; running workers have it within seconds.

    There is no option for it: what stands on a command line can be seen by others.
    """
    with opened(data, with_tables=True) as fleet:
        value = asked_for(name)
        with audited(fleet.fleet, who(), "set key", name):
            sources = keys.put(fleet.fleet, name, value)
        standings = fleet.fleet.standings()
    note(f"{name} is stored; {' and '.join(sources)} {'has' if len(sources) == 1 else 'have'} it within seconds")
    for source in sources:
        if source in standings and standings[source].stopped:
            note(f"{source} is stopped ({standings[source].reason}): `linernotes sources resume {source}`")


@app.command("list")
def list_command(data: Data = None, json: AsJson = False) -> None:
    """Every key that a source knows, whether it is set and where, and the last four characters of a long one."""
    with opened(data, with_tables=True) as fleet:
        found = keys.listed(fleet.fleet)
    if json:
        print_json(found)
        return
    rows = [
        (
            each["name"],
            ", ".join(each["sources"]),
            each["problem"] or each["from"] or "not set",
            f"…{each['ending']}" if each["ending"] else None,
            each["changed_at"],
        )
        for each in found
    ]
    console().print(table("Keys", ("name", "sources", "from", "ends in", "stored"), rows))


@app.command("test")
def try_command(name: Name, data: Data = None, json: AsJson = False) -> None:
    """Try a key with one call to its upstream, within its limits. Exit code 1 where it does not open it."""
    with opened(data, with_tables=True) as fleet:
        tried = keys.test(fleet.fleet, name)
    if json:
        print_json([{"source": each.source, "opens": each.opens, "said": each.said} for each in tried])
    for each in () if json else tried:
        verdict = {True: "opens", False: "does not open", None: "could not be tried at"}[each.opens]
        note(f"{name} {verdict} {each.source}: {each.said}")
    if not all(each.opens for each in tried):
        raise typer.Exit(1)


@app.command("rotate")
def rotate_command(data: Data = None) -> None:
    """Seal all stored keys with the first master key; the others are needed no longer.

    The embedded fleet makes itself a new master key and forgets the old one. Elsewhere put a new one in front of
    LINERNOTES_SECRET_KEYS of every process first, and take the old one away afterwards.
    """
    with opened(data, with_tables=True) as fleet, audited(fleet.fleet, who(), "rotate keys", "master key"):
        own = _own_masters(fleet)
        if own is not None:
            masters.add(own)
        count = keys.rotate(fleet.fleet)
        if own is not None:
            masters.drop_old(own)
    note(f"{count} {'key is' if count == 1 else 'keys are'} sealed with the first master key")


def _own_masters(fleet: Opened) -> Path | None:
    """The file of master keys, where it is the embedded fleet's."""
    own = fleet.data.resolve() / masters.NAME
    return own if fleet.settings.secret_keys == str(own) else None


@app.command("remove")
def remove_command(name: Name, data: Data = None) -> None:
    """Forget a stored key. Processes that have one in their environment use that one again."""
    with opened(data, with_tables=True) as fleet, audited(fleet.fleet, who(), "remove key", name):
        if not keys.remove(fleet.fleet, name):
            raise Failure(f"{name} is not stored; `linernotes keys list` shows where it is from")
    note(f"{name} is removed")


@app.command("master")
def master_command() -> None:
    """Print a new master key, for LINERNOTES_SECRET_KEYS. It is kept nowhere."""
    typer.echo(new_master())
