"""`linernotes import`: what others have collected comes into the database."""

from __future__ import annotations

import gzip
import json as jsonlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.failure import Failure
from cli.fleet import opened
from cli.listens import read_listens
from cli.options import AsJson, Data
from cli.show import note, print_json
from enrichment.services.events import import_events
from enrichment.services.listens import IMPORTED, Whose, take_listens

MOST_COMPLAINTS = 50

app = typer.Typer(help="Take over what others have collected.", no_args_is_help=True)


@app.command("events")
def events_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL or a JSON list, also gzipped; - is stdin.")],
    priority: Annotated[int, typer.Option(min=1, max=10, help="Of its performers' enrichment.")] = 5,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Import events with their line-ups, as scrapers of Resident Advisor hand them over.

    Performers are made of RA's structured artists (`artists`) and of the line-up as a text (`lineup_raw`, `lineup`).
    What the event brings of them (image, RA's id and address, country) is in their record at once; workers look for the
    rest. The same file again is harmless. Exit code 1 if there were events and none could be read.
    """
    if str(file) != "-" and not file.is_file():
        raise typer.BadParameter(f"there is no file {file}", param_hint="FILE")
    given = list(_objects(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes(), str(file)))
    with opened(data, with_tables=True) as fleet:
        come = import_events(fleet.fleet, given, priority).shown()
    for each in come["rejected"][:MOST_COMPLAINTS]:
        note(f"event {each['row']} rejected: {each['error']}")
    if json:
        print_json(come)
    else:
        note(
            f"{come['events']} events, {come['performers']} performers on their bills, "
            f"{come['new_performers']} of them new; {len(come['rejected'])} events rejected"
        )
    raise typer.Exit(1 if given and not come["events"] else 0)


@app.command("listens")
def listens_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSON or JSONL, also gzipped or ZIP; - is stdin.")],
    user: Annotated[str, typer.Option(help="Whose listens they are.")],
    priority: Annotated[int, typer.Option(min=1, max=10, help="Of their tracks' enrichment.")] = IMPORTED,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Import listens: CSV with a header, exports of ListenBrainz, exports of Last.fm.

    Each is linked to track, performer and album at once; workers enrich them. The same file again is harmless. Exit
    code 1 if there were listens and none could be read.
    """
    if str(file) != "-" and not file.is_file():
        raise typer.BadParameter(f"there is no file {file}", param_hint="FILE")
    if not user.strip():
        raise typer.BadParameter("must not be empty", param_hint="--user")
    given = read_listens(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes(), str(file))
    with opened(data, with_tables=True) as fleet:
        come = take_listens(fleet.fleet, Whose(user, "import", priority=priority), given).shown()
    for each in come["rejected"][:MOST_COMPLAINTS]:
        note(f"line {each['line']} rejected: {each['error']}")
    if json:
        print_json(come)
    else:
        note(f"{come['listens']} new listens, {come['known']} known; {len(come['rejected'])} rejected")
    raise typer.Exit(1 if come["rejected"] and not come["listens"] + come["known"] else 0)


def _objects(content: bytes, name: str) -> Iterable[Any]:
    """What stands in the file, one for each line or item; a line that is no JSON is itself, for its row to be told."""
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError) as error:
            raise Failure(f"{name}: looks like gzip but cannot be unpacked ({error})") from error
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    if text.lstrip()[:1] == "[":
        return _listed(text, name)
    return _lines(text)


def _listed(text: str, name: str) -> list[Any]:
    try:
        return list(jsonlib.loads(text))
    except (ValueError, RecursionError) as error:
        raise Failure(f"{name}: begins as a JSON list but is none ({error})") from error


def _lines(text: str) -> Iterator[Any]:
    for line in text.split("\n"):
        if line.strip():
            try:
                yield jsonlib.loads(line)
            except (ValueError, RecursionError):
                yield line
