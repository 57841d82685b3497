"""`linernotes dlq`: dead letters are listed, shown, edited, asked again, dropped and purged."""
# ruff: noqa: PLR0917 - a command's parameters are its options; typer passes them by name

from __future__ import annotations

import json as json_
import re
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.failure import Failure
from cli.fleet import Opened, opened
from cli.show import console, note, print_json, table
from enrichment.domain.outcomes import Outcome
from enrichment.domain.subjects import Lane
from enrichment.reservoir.dead_letters import Filter
from enrichment.services import dead_letters

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
SourceIs = Annotated[str | None, typer.Option("--source", help="Of this source.")]
ErrorHas = Annotated[str | None, typer.Option("--error", metavar="TEXT", help="With this in its error.")]
OutcomeIs = Annotated[Reason | None, typer.Option("--outcome", help="That came to this.")]
WhatIs = Annotated[What | None, typer.Option("--what", help="Of lookups, or of messages that could not be taken.")]
SubjectIs = Annotated[str | None, typer.Option("--subject", metavar="ID", help="About this subject: your id, or ours.")]
OlderThan = Annotated[
    float | None, typer.Option("--older-than", metavar="AGE", parser=_age, help="Written before: 90s, 15m, 12h, 30d.")
]
NewerThan = Annotated[float | None, typer.Option("--newer-than", metavar="AGE", parser=_age, help="Written since.")]
Everything = Annotated[bool, typer.Option("--all", help="All open letters.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data folder of the embedded fleet [LINERNOTES_DATA, .linernotes]."),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout instead of tables.")]


@app.command("list")
def list_command(
    source: SourceIs = None,
    error: ErrorHas = None,
    outcome: OutcomeIs = None,
    what: WhatIs = None,
    subject: SubjectIs = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    state: Annotated[State, typer.Option(help="In this state.")] = State.OPEN,
    most: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest first.")] = 100,
    below: Annotated[int | None, typer.Option(metavar="ID", help="Before this one: the next page.")] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """The newest dead letters."""
    which = Filter(None, state.value, what, source, outcome, error, None, older_than, newer_than)
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
    with opened(data) as fleet:
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
def replay_command(
    numbers: Numbers = None,
    source: SourceIs = None,
    error: ErrorHas = None,
    outcome: OutcomeIs = None,
    what: WhatIs = None,
    subject: SubjectIs = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
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
    which = Filter(_ids(numbers), "open", what, source, outcome, error, None, older_than, newer_than)
    _narrowed(which, subject, everything=everything)
    with opened(data) as fleet:
        come = dead_letters.replay(fleet.fleet, _about(fleet, which, subject), lane=lane, per_second=rate)
    for number, why in come.refused.items():
        note(f"dead letter {number}: {why}")
    told = {"refused": [{"id": number, "error": why} for number, why in come.refused.items()]}
    _acted("replayed", come.done, which.ids, told, json=json)


@app.command("drop")
def drop_command(
    numbers: Numbers = None,
    reason: Annotated[str, typer.Option(help="Kept with the letter.")] = "dropped by hand",
    source: SourceIs = None,
    error: ErrorHas = None,
    outcome: OutcomeIs = None,
    what: WhatIs = None,
    subject: SubjectIs = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    everything: Everything = False,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Close open letters without asking again. Exit code 1 where none was closed."""
    which = Filter(_ids(numbers), "open", what, source, outcome, error, None, older_than, newer_than)
    _narrowed(which, subject, everything=everything)
    with opened(data) as fleet:
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
    with opened(data) as fleet:
        gone = sum(
            dead_letters.purge(fleet.fleet, Filter(state=each.value, older=older_than))
            for each in state or (State.REPLAYED, State.DROPPED)
        )
    if json:
        print_json({"purged": gone})
    else:
        note(f"{gone} purged")


def _ids(numbers: Sequence[int] | None) -> tuple[int, ...] | None:
    return tuple(dict.fromkeys(numbers)) if numbers else None


def _narrowed(which: Filter, subject: str | None, *, everything: bool) -> None:
    if which == Filter() and subject is None and not everything:
        raise typer.BadParameter("which letters? Give their numbers, what they have in common, or --all")


def _about(fleet: Opened, which: Filter, subject: str | None) -> Filter:
    return which if subject is None else dead_letters.about(fleet.fleet, which, subject)


def _acted(verb: str, count: int, ids: Sequence[int] | None, more: Mapping[str, Any], *, json: bool) -> None:
    of = len(ids) if ids is not None else count
    if json:
        print_json({verb: count, "asked": of, **more})
    else:
        note(f"{count} of {of} {verb}" + ("; the others are no open letters that could be" if count < of else ""))
    raise typer.Exit(0 if count else 1)
