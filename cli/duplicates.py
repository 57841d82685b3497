"""`linernotes duplicates`: subjects that may be one are found, looked at, merged or rejected."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.fleet import opened
from cli.operator import who
from cli.options import AsJson, Data
from cli.show import console, note, print_json, table
from enrichment.services import merging
from enrichment.services.audit import audited

app = typer.Typer(help="Performers, tracks and albums that may be one.", no_args_is_help=True)


class State(StrEnum):
    PROPOSED = "proposed"
    MERGED = "merged"
    REJECTED = "rejected"


Number = Annotated[int, typer.Argument(metavar="PAIR", help="Its number, as `duplicates list` shows it.")]


@app.command("find")
def find_command(
    limit: Annotated[int, typer.Option(min=1, max=10_000_000, help="Changed subjects to look at, at most.")] = 100_000,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Look at what has changed since the last time, and propose pairs that may be one.

    Nothing is merged by this, but what leaves no doubt where LINERNOTES_MERGE_CERTAIN is true.
    """
    with opened(data, with_tables=True) as fleet:
        found = asdict(merging.find_duplicates(fleet.fleet, limit))
    if json:
        print_json(found)
    else:
        note(", ".join(f"{count} {what}" for what, count in found.items()))


@app.command("list")
def list_command(
    state: Annotated[State, typer.Option(help="How they stand.")] = State.PROPOSED,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 100,
    below: Annotated[int | None, typer.Option(min=1, help="For the next page: the last one's number.")] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """The newest pairs."""
    with opened(data) as fleet:
        found = merging.listed(fleet.fleet, state, limit, below)
    if json:
        print_json(found)
    else:
        _print(found)


@app.command("show")
def show_command(number: Number, data: Data = None, json: AsJson = False) -> None:
    """One pair, with what speaks for it and against it."""
    with opened(data) as fleet:
        found = merging.shown(fleet.fleet, number)
    if json:
        print_json(found)
    else:
        console().print(table(f"Pair {number}", ("", ""), _lines(found)))


@app.command("merge")
def merge_command(number: Number, data: Data = None, json: AsJson = False) -> None:
    """Make one of a pair. All ids and names of the other lead to the one that stays."""
    with opened(data, with_tables=True) as fleet, audited(fleet.fleet, who(), "merge duplicates", str(number)):
        merged = merging.merge(fleet.fleet, number, who())
    if json:
        print_json(merged)
    else:
        note(f"pair {number} is one: {merged['kind']} {merged['kept']}")


@app.command("reject")
def reject_command(number: Number, data: Data = None, json: AsJson = False) -> None:
    """These are two; the pair is never proposed again."""
    with opened(data, with_tables=True) as fleet, audited(fleet.fleet, who(), "reject duplicates", str(number)):
        rejected = merging.reject(fleet.fleet, number, who())
    if json:
        print_json(rejected)
    else:
        note(f"pair {number} stays two")


def _print(found: list[dict[str, Any]]) -> None:
    columns = (">pair", "kind", "first", "second", ">score", "why", "against")
    rows = [
        (
            each["id"],
            each["kind"],
            *(_name(subject) for subject in each["subjects"]),
            f"{each['score']:.2f}",
            "; ".join(each["reasons"]),
            ", ".join(each["unlike"]),
        )
        for each in found
    ]
    console().print(table("Duplicates", columns, rows))


def _name(subject: dict[str, str]) -> str:
    return " - ".join(value for name, value in subject.items() if name != "id")


def _lines(found: dict[str, Any]) -> list[tuple[str, Any]]:
    subjects = [("subject", f"{_name(subject)}  {subject['id']}") for subject in found["subjects"]]
    against = [("against", f"{name}: {' and '.join(pair)}") for name, pair in found["unlike"].items()]
    names = [("names", f"{found['match']['verdict']}, {found['score']:.2f}")]
    told = [(name, found[name]) for name in ("state", "kept", "decided_by", "decided_at") if name in found]
    reasons = [("why", reason) for reason in found["reasons"]]
    return [*subjects, *reasons, *against, *names, *((" ", reason) for reason in found["match"]["reasons"]), *told]
