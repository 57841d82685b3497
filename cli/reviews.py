"""`linernotes reviews`, `lock`, `unlock`: a person decides what sources leave open, and that is how it stays."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.failure import Failure
from cli.fleet import opened
from cli.operator import who
from cli.options import AsJson, Data, Id
from cli.show import console, note, print_json, table
from enrichment.domain.subjects import Kind
from enrichment.services import reviews
from enrichment.services.reviews import Decision

app = typer.Typer(help="Doubts that only a person can decide.", no_args_is_help=True)


class State(StrEnum):
    OPEN = "open"
    DECIDED = "decided"


class Doubt(StrEnum):
    NAMESAKES = "namesakes"
    SHARED_ID = "shared_id"


Number = Annotated[int, typer.Argument(metavar="REVIEW", help="Its number, as `reviews list` shows it.")]
KindOf = Annotated[Kind, typer.Argument(metavar="performer|track|album", help="What it is.")]
FieldOf = Annotated[str, typer.Argument(metavar="FIELD", help="As the reports name it: spotify_id, label, genres.")]


@app.command("list")
def list_command(
    state: Annotated[State, typer.Option(help="In this state.")] = State.OPEN,
    *,
    doubt: Annotated[
        Doubt | None, typer.Option(help="Several of one name at a source, or one id on several performers.")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="Of this source.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", metavar="ID", help="About it: your id, or ours.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest first.")] = 100,
    below: Annotated[int | None, typer.Option(min=1, metavar="ID", help="Before this one: the next page.")] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """The newest reviews."""
    with opened(data) as fleet:
        found = reviews.listed(
            fleet.fleet, state=state, doubt=doubt, source=source, subject=subject, most=limit, below=below
        )
    if json:
        print_json(found)
        return
    columns = ("id", "kind", "name", "doubt", "source", "fields", "candidates", "reason", "decision", "decided_by")
    console().print(table(f"Reviews, {state}", columns, ([each[column] for column in columns] for each in found)))


@app.command("show")
def show_command(number: Number, data: Data = None, json: AsJson = False) -> None:
    """One review with its candidates, and what speaks for and against each."""
    with opened(data) as fleet:
        found = reviews.shown(fleet.fleet, number)
    if json:
        print_json(found)
        return
    candidates = found.pop("candidates")
    columns = ("id", "name", "score", "country", "links", "picture", "reasons")
    console().print(
        table(f"Review {number}", ("", ""), found.items()),
        table("Candidates", columns, ([each[column] for column in columns] for each in candidates)),
        sep="\n\n",
    )


@app.command("decide")
def decide_command(
    number: Number,
    *,
    choose: Annotated[str | None, typer.Option("--choose", metavar="ID", help="It is this candidate.")] = None,
    none: Annotated[bool, typer.Option("--none", help="It is none of the candidates, now and ever.")] = False,
    lock: Annotated[bool, typer.Option("--lock", help="Leave the field as it is, for good.")] = False,
    value: Annotated[str | None, typer.Option("--value", help="With --lock: what it is instead.")] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Decide a review, for good: sources do not overrule it. Its subjects are looked up again at once."""
    said = {Decision.CHOOSE: choose is not None, Decision.NONE: none, Decision.LOCK: lock}
    meant = [decision for decision, given in said.items() if given]
    if len(meant) != 1:
        raise typer.BadParameter("give one of --choose, --none, --lock")
    with opened(data, with_tables=True) as fleet:
        found = reviews.decide(fleet.fleet, number, meant[0], who=who(), candidate=choose, value=value)
    _tell(found, f"review {number} is decided: {found['decision']} {found['chosen'] or ''}".rstrip(), json=json)


def lock_command(
    kind: KindOf,
    given: Id,
    field: FieldOf,
    value: Annotated[
        str | None, typer.Argument(metavar="VALUE", help="JSON where it is no text; else the present value.")
    ] = None,
    *,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Lock a field of a subject: it has this value for good, whatever sources say."""
    with opened(data, with_tables=True) as fleet:
        found = reviews.lock(fleet.fleet, kind, given, field, who=who(), value=value)
    _tell(found, f"{field} of {kind} {given} is locked: {found['value']}", json=json)


def unlock_command(kind: KindOf, given: Id, field: FieldOf, data: Data = None) -> None:
    """End the lock of a field: what sources say counts again. Exit code 1 where it was not locked."""
    with opened(data, with_tables=True) as fleet:
        was_locked = reviews.unlock(fleet.fleet, kind, given, field, who=who())
    if not was_locked:
        raise Failure(f"{field} of {kind} {given} is not locked")
    note(f"{field} of {kind} {given} is not locked any more")


def _tell(found: dict[str, Any], said: str, *, json: bool) -> None:
    if json:
        print_json(found)
    else:
        note(said)
