"""`linernotes dlq`: dead letters are listed, shown, edited, asked again, dropped and purged."""
# ruff: noqa: PLR0917 - a command's parameters are its options; typer passes them by name

from __future__ import annotations

import inspect
import json as json_
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.failure import Failure
from cli.fleet import Opened, opened
from cli.operator import who
from cli.options import AsJson, Data
from cli.show import console, note, print_json, table
from enrichment.domain.outcomes import Outcome
from enrichment.domain.subjects import Lane
from enrichment.reservoir.dead_letters import Filter
from enrichment.services import dead_letters
from enrichment.services.audit import audited

app = typer.Typer(help="Dead letters: work that ended without success, kept whole.", no_args_is_help=True)


class State(StrEnum):
    """What has become of a dead letter."""

    OPEN = "open"
    REPLAYED = "replayed"
    DROPPED = "dropped"


class What(StrEnum):
    """What it was."""

    LOOKUP = "lookup"
    MESSAGE = "message"


class Reason(StrEnum):
    """What it came to."""

    TRY_LATER = Outcome.TRY_LATER
    REFUSED = Outcome.REFUSED
    UNREADABLE = Outcome.UNREADABLE
    WORKER_DIED = "worker_died"


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def _age(said: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", said.strip())
    if match is None:
        raise typer.BadParameter(f"{said!r} is no age; write 90s, 15m, 12h or 30d")
    return float(match[1]) * _UNITS[match[2]]


Number = Annotated[int, typer.Argument(metavar="ID", help="As `dlq list` shows it.")]
Numbers = Annotated[list[int] | None, typer.Argument(metavar="[ID…]", help="As `dlq list` shows them.")]
Subject = Annotated[str | None, typer.Option("--subject", metavar="ID", help="About this subject: your id, or ours.")]
Everything = Annotated[bool, typer.Option("--all", help="All open letters.")]


def _open(
    source: Annotated[str | None, typer.Option(help="Of this source.")] = None,
    error: Annotated[str | None, typer.Option(metavar="TEXT", help="With this in its error.")] = None,
    outcome: Annotated[Reason | None, typer.Option(help="That came to this.")] = None,
    what: Annotated[What | None, typer.Option(help="Of lookups, or of messages that could not be taken.")] = None,
    older_than: Annotated[
        float | None, typer.Option(metavar="AGE", parser=_age, help="Written before: 90s, 15m, 12h, 30d.")
    ] = None,
    newer_than: Annotated[float | None, typer.Option(metavar="AGE", parser=_age, help="Written since.")] = None,
) -> Filter:
    return Filter(what=what, source=source, outcome=outcome, error=error, older=older_than, newer=newer_than)


def _filtered(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of `_open` in place of its parameter `which`."""
    narrowing = inspect.signature(_open, eval_str=True).parameters
    own = inspect.signature(command, eval_str=True).parameters
    taken = [part for name, each in own.items() for part in (narrowing.values() if name == "which" else [each])]

    @wraps(command)
    def run(**given: Any) -> None:
        which = _open(**{name: given.pop(name) for name in narrowing})
        command(which=which, **given)

    run.__signature__ = inspect.Signature(taken)  # type: ignore[attr-defined]  # typer reads it
    run.__annotations__ = {each.name: each.annotation for each in taken}
    return run


@app.command("list")
@_filtered
def list_command(
    which: Filter,
    subject: Subject = None,
    state: Annotated[State, typer.Option(help="In this state.")] = State.OPEN,
    most: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest first.")] = 100,
    below: Annotated[int | None, typer.Option(metavar="ID", help="Before this one: the next page.")] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """The newest dead letters."""
    which = replace(which, state=state.value)
    with opened(data) as fleet:
        found = dead_letters.letters(fleet.fleet, _about(fleet, which, subject), most=most, below=below)
    if json:
        print_json(found)
        return
    columns = ("id", "what", "source", "question", "kind", "outcome", "attempts", "created_at", "error")
    rows = ([each[column] for column in columns] for each in found)
    console().print(table(f"Dead letters, {state.value}", columns, rows))


@app.command("show")
def show_command(number: Number, data: Data = None, json: AsJson = False) -> None:
    """One dead letter: what was asked, each attempt, what came back, the raw message; keys of sources removed."""
    with opened(data) as fleet:
        found = dead_letters.letter(fleet.fleet, number)
    if found is None:
        raise Failure(f"there is no dead letter {number}; `linernotes dlq list` shows those there are")
    if json:
        print_json(found)
        return
    tried = found.pop("tried")
    rows = ((each["settled_at"], each["outcome"], each["findings"], each["worker"]) for each in tried)
    tables = [table(f"Dead letter {number}", ("", ""), found.items())]
    if tried:
        tables.append(table("Attempts", ("when", "outcome", ">findings", "worker"), rows))
    console().print(*tables, sep="\n\n")


@app.command("edit")
def edit_command(
    number: Number,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A key of the lookup, or a keyword of the message. Repeatable."
        ),
    ] = None,
    task: Annotated[str | None, typer.Option(help="The task that a message should have named.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", metavar="FILE", help="All of it as a JSON object; - is stdin. A message's: task, args, kwargs."
        ),
    ] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Put something else in place of what was asked, for the replay. What was asked first stays in the letter.

    Exit code 1, and nothing changed, where the letter is not open or the result could not be asked.
    """
    if (file is None) == (change is None and task is None):
        raise typer.BadParameter("give --set (and --task), or --file")
    given = _object(file) if file is not None else _settings(change or [])
    with _acting(data, "edit", f"dead letter {number}") as fleet:
        edited = dead_letters.edit(fleet.fleet, number, given, whole=file is not None, task=task)
    if json:
        print_json({"id": number, "edited": edited})
    else:
        console().print(table(f"Dead letter {number} will ask", ("", ""), edited.items()))


def _settings(said: Sequence[str]) -> dict[str, Any]:
    parted = [each.partition("=") for each in said]
    if wrong := next((name for name, equals, _ in parted if not name or not equals), None):
        raise typer.BadParameter(f"{wrong!r} is not NAME=VALUE", param_hint="--set")
    return {name.strip(): value for name, _, value in parted}


def _object(file: Path) -> dict[str, Any]:
    try:
        found = json_.loads(sys.stdin.read() if str(file) == "-" else file.read_text("utf-8"))
    except ValueError as error:
        raise Failure(f"{file}: not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Failure(f"{file}: not a JSON object")
    return found


@app.command("replay")
@_filtered
def replay_command(
    which: Filter,
    numbers: Numbers = None,
    subject: Subject = None,
    everything: Everything = False,
    rate: Annotated[float | None, typer.Option(min=0.001, metavar="N", help="At most so many a second.")] = None,
    lane: Annotated[Lane | None, typer.Option(help="On this lane instead of their own.")] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Ask again what open letters asked, as edited last. Replaying one twice is replaying it once.

    One, many, or all of a kind. Messages that still cannot be taken stay open, and are told. Exit code 1 where none
    could be replayed.
    """
    which = _narrowed(which, numbers, subject, everything=everything)
    with _acting(data, "replay", **which.said(), subject=subject, rate=rate, lane=lane) as fleet:
        come = dead_letters.replay(fleet.fleet, _about(fleet, which, subject), lane=lane, per_second=rate)
    for number, why in come.refused.items():
        note(f"dead letter {number}: {why}")
    told = {"refused": [{"id": number, "error": why} for number, why in come.refused.items()]}
    _acted("replayed", come.done, which.ids, told, json=json)


@app.command("drop")
@_filtered
def drop_command(
    which: Filter,
    numbers: Numbers = None,
    reason: Annotated[str, typer.Option(help="Kept with the letter.")] = "dropped by hand",
    subject: Subject = None,
    everything: Everything = False,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Close open letters without asking again. Exit code 1 where none was closed."""
    which = _narrowed(which, numbers, subject, everything=everything)
    with _acting(data, "drop", **which.said(), subject=subject, reason=reason) as fleet:
        closed = dead_letters.drop(fleet.fleet, _about(fleet, which, subject), reason)
    _acted("dropped", closed, which.ids, {}, json=json)


@app.command("purge")
def purge_command(
    older_than: Annotated[
        float, typer.Option("--older-than", metavar="AGE", parser=_age, help="Written before: 90s, 15m, 12h, 30d.")
    ],
    state: Annotated[
        list[State] | None, typer.Option(help="In this state; else those replayed and dropped. Repeatable.")
    ] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Delete old letters for good. Open ones only where `--state open` says so."""
    states = state or dead_letters.CLOSED
    with _acting(data, "purge", older_than=older_than, states=states) as fleet:
        gone = dead_letters.purge(fleet.fleet, older_than, states)
    if json:
        print_json({"purged": gone})
    else:
        note(f"{gone} purged")


@contextmanager
def _acting(data: Path | None, action: str, target: str = "dead letters", **details: Any) -> Iterator[Opened]:
    """The fleet; what is done to it within stands in the audit."""
    with opened(data) as fleet, audited(fleet.fleet, who(), action, target, **details):
        yield fleet


def _narrowed(which: Filter, numbers: Sequence[int] | None, subject: str | None, *, everything: bool) -> Filter:
    narrowed = replace(which, ids=tuple(dict.fromkeys(numbers)) if numbers else None)
    if narrowed == Filter() and subject is None and not everything:
        raise typer.BadParameter("which letters? Give their numbers, what they have in common, or --all")
    return narrowed


def _about(fleet: Opened, which: Filter, subject: str | None) -> Filter:
    return which if subject is None else dead_letters.about(fleet.fleet, which, subject)


def _acted(verb: str, count: int, ids: Sequence[int] | None, more: Mapping[str, Any], *, json: bool) -> None:
    of = len(ids) if ids is not None else count
    if json:
        print_json({verb: count, "asked": of, **more})
    else:
        note(f"{count} of {of} {verb}" + ("; the others are no open letters that could be" if count < of else ""))
    raise typer.Exit(0 if count else 1)
