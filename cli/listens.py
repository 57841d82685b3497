"""`linernotes listens`, `sync`, and the files that `import listens` reads."""

from __future__ import annotations

import io
import json as jsonlib
import zipfile
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from cli.failure import Failure
from cli.fleet import opened
from cli.options import AsJson, Data
from cli.rows import delimiter_of, split_csv, unzipped
from cli.show import console, note, print_json, table
from enrichment.services import listens
from enrichment.services.listen_shapes import COLUMNS, inside
from enrichment.services.listens import Choice
from enrichment.services.requests import read
from enrichment.services.sync import sync_lastfm

User = Annotated[str, typer.Argument(metavar="USER", help="Whose listens they are.")]

app = typer.Typer(help="What people have listened to.", no_args_is_help=True)
sync = typer.Typer(help="Fetch new listens from where people scrobble.", no_args_is_help=True)


@sync.command("lastfm")
def lastfm_command(
    account: Annotated[str, typer.Argument(metavar="USER", help="The account's name at Last.fm.")],
    user: Annotated[str | None, typer.Option(help="Whose listens they are here; else the same name.")] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Fetch what a Last.fm user has played since the last time, the oldest first. Needs LASTFM_API_KEY.

    What is only being played now is left out. A run that is cut short goes on where it ended.
    """
    with opened(data, with_tables=True) as fleet:
        come = sync_lastfm(fleet.fleet, account, user or account).shown()
    if json:
        print_json(come)
    else:
        note(f"{come['listens']} new listens, {come['known']} known")


@app.command("list")
def list_command(
    user: User,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """A user's last listens, with the picture to be shown for each."""
    with opened(data, with_tables=True) as fleet:
        found = listens.listens_of(fleet.fleet, user, most=limit)
    if json:
        print_json(found)
        return
    columns = ("listened_at", "artist_name", "track_name", "album_name", "metadata_status", "artwork_url")
    console().print(table(f"Listens of {user}", columns, ([each.get(name) for name in columns] for each in found)))


@app.command("cover")
def cover_command(
    user: User,
    url: Annotated[str, typer.Argument(metavar="URL", help="Of the picture.")],
    artist: Annotated[str, typer.Option(help="As the listens have it; case does not matter.")],
    album: Annotated[str, typer.Option(help="As the listens have it; case does not matter.")],
    data: Data = None,
) -> None:
    """Choose the cover that a user sees for an album, now and for later listens."""
    choice = read(Choice, {"artist_name": artist, "album_name": album, "preferred_artwork_url": url})
    with opened(data, with_tables=True) as fleet:
        shown = listens.prefer_artwork(fleet.fleet, user, choice)
    note(f"{shown} listens of {user} show it")


# --- files -----------------------------------------------------------------------------------------------------------

WITHOUT_HEADER = ("artist", "album", "track", "date")
"""The columns of exports that name none."""


def read_listens(content: bytes, name: str) -> Iterator[tuple[int, Any]]:
    """What stands in an export, by its line, or position from 1: a listen, or what is wrong with it. Raises Failure.

    ListenBrainz: the ZIP of its export, its lines, its API's answers. Last.fm: CSV and JSON of the common export tools.
    """
    if content.startswith(b"PK\x03\x04"):
        content = _exported(content, name)
    if content.startswith(b"\x1f\x8b"):
        content = unzipped(content, name)
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    if text.lstrip()[:1] not in ("{", "["):
        return _of_csv(text)
    try:
        whole = jsonlib.loads(text)
    except (ValueError, RecursionError) as error:
        if text.lstrip()[:1] == "[":
            raise Failure(f"{name}: begins as a JSON list but is none ({error})") from error
        return _of_lines(text)
    return enumerate(inside(whole), start=1)


def _exported(content: bytes, name: str) -> bytes:
    """The listens in a ListenBrainz export: one JSON Lines file a month."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            months = sorted(each for each in archive.namelist() if each.startswith("listens/") and each.endswith("l"))
            return b"\n".join(archive.read(each) for each in months)
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError) as error:
        raise Failure(f"{name}: looks like ZIP but cannot be unpacked ({error})") from error


def _of_lines(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, jsonlib.loads(line)
            except (ValueError, RecursionError) as error:
                yield number, f"is not JSON ({error})"


def _of_csv(text: str) -> Iterator[tuple[int, Any]]:
    lines = [f"{line}\n" for line in text.replace("\r\n", "\n").split("\n")]
    records = split_csv(lines, delimiter_of(lines[0]))
    header: Sequence[str] | None = None
    for number, fields in records:
        if header is None:
            header = _header(fields)
            if header is not WITHOUT_HEADER:
                continue
        yield number, _record(header, fields)


def _header(fields: Sequence[str] | str) -> Sequence[str]:
    """What the columns are called: lastfmstats.com puts the user's name behind the last one."""
    names = [each.strip().lower().partition("#")[0] for each in fields] if not isinstance(fields, str) else []
    named = {field for field, known in COLUMNS.items() if set(known) & set(names)}
    if {"listened_at", "artist_name", "track_name"} <= named:
        return names
    if len(names) == len(WITHOUT_HEADER):
        return WITHOUT_HEADER
    raise Failure("the first line must name the columns, a moment, artist and track among them")


def _record(header: Sequence[str], fields: Sequence[str] | str) -> Any:
    if isinstance(fields, str):
        return fields
    if len(fields) != len(header):
        return f"has {len(fields)} fields where the header has {len(header)}; quote fields that hold the separator"
    if any("\udc80" <= char <= "\udcff" for field in fields for char in field):
        return "is not valid UTF-8; save the file as UTF-8"
    return dict(zip(header, fields, strict=True))
