"""Reading what a producer hands in: CSV or JSONL, row by row. A row that cannot be read does not hinder the others."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cli.failure import Failure
from enrichment.services.requests import BadRequest, TrackRequest, read

COLUMNS = {
    "artist": "artist_name",
    "artist_name": "artist_name",
    "title": "track_title",
    "track": "track_title",
    "track_title": "track_title",
    "track_name": "track_title",
    "album": "album_title",
    "album_title": "album_title",
    "album_name": "album_title",
    "isrc": "existing_isrc",
    "existing_isrc": "existing_isrc",
    "spotify_id": "existing_spotify_id",
    "existing_spotify_id": "existing_spotify_id",
    "musicbrainz_id": "existing_musicbrainz_id",
    "existing_musicbrainz_id": "existing_musicbrainz_id",
    "duration_ms": "duration_ms",
    "id": "track_id",
    "track_id": "track_id",
    "priority": "priority",
    "force_refresh": "force_refresh",
    "correlation_id": "correlation_id",
}
"""Columns (or JSON keys) that are read, in lower case, and what they are called in a request. Others are left out."""

NAMES = ("artist_name", "track_title")

LONGEST_RECORD = 20
"""Lines that one CSV record may span. A quote that is never closed must not swallow the file."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row, from 1 without the header. request: None where it is rejected, for the reasons in `errors`."""

    number: int
    line: int
    request: TrackRequest | None
    errors: tuple[str, ...] = ()
    artist_name: str | None = None
    track_title: str | None = None
    track_id: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """All rows, in order. ignored: columns nobody reads."""

    rows: tuple[Row, ...]
    ignored: tuple[str, ...] = ()


def read_rows(data: bytes, name: str, *, priority: int, force: bool) -> Table:
    """The rows of a file. name: as its format shows in it. Raises Failure where it has no header that we know.

    priority, force: of rows that do not say themselves.
    """
    if data.startswith(b"\x1f\x8b"):
        data, name = unzipped(data, name), name.removesuffix(".gz")
    # What is not UTF-8 stays recognizable, so that only its own rows are rejected.
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    defaults = {"priority": priority, "force_refresh": force}
    if name.endswith((".jsonl", ".ndjson", ".json")) or text.lstrip()[:1] == "{":
        records, ignored = _json_records(text)
    else:
        records, ignored = _csv_records(text, name)
    rows = tuple(_row(number, line, given, defaults) for number, (line, given) in enumerate(records, start=1))
    return Table(rows, tuple(sorted(ignored)))


def unzipped(data: bytes, name: str) -> bytes:
    """What is in a gzip. Raises Failure."""
    try:
        return gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise Failure(f"{name}: looks like gzip but cannot be unpacked ({error})") from error


Given = dict[str, Any] | str
"""A record under the names of a request, or what is wrong with it."""


def _row(number: int, line: int, given: Given, defaults: dict[str, Any]) -> Row:
    if isinstance(given, str):
        return Row(number, line, None, (given,))
    errors, request = _not_utf8(given) or _missing(given), None
    if not errors:
        try:
            request = read(TrackRequest, {**defaults, **given})
        except BadRequest as error:
            errors = [str(error)]
    artist, title, own_id = (_shown(given.get(name)) for name in ("artist_name", "track_title", "track_id"))
    return Row(number, line, request, tuple(errors), artist, title, own_id)


def _shown(value: object) -> str | None:
    """A name as it may be repeated in the output: readable, and not longer than anyone reads."""
    if not isinstance(value, str) or not value.strip():
        return None
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", value[:200])


def _not_utf8(given: dict[str, Any]) -> list[str]:
    return [
        f"{name}: is not valid UTF-8; save the file as UTF-8"
        for name, value in given.items()
        if isinstance(value, str) and any("\udc80" <= char <= "\udcff" for char in value)
    ]


def _missing(given: dict[str, Any]) -> list[str]:
    """Names that are not there or empty. An id does without both, not without one."""
    missing = [name for name in NAMES if _is_blank(given.get(name))]
    if not missing or (len(missing) == len(NAMES) and not _is_blank(given.get("track_id"))):
        return []
    return [f"{name}: is empty; a track needs artist and title, or else the id of a known track" for name in missing]


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _json_records(text: str) -> tuple[list[tuple[int, Given]], set[str]]:
    ignored: set[str] = set()
    records: list[tuple[int, Given]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            records.append((number, _json_record(line, ignored)))
    return records, ignored


def _json_record(line: str, ignored: set[str]) -> Given:
    try:
        given = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"row: is not JSON ({error}); each line holds one object"
    if not isinstance(given, dict):
        return "row: is not a JSON object; each line holds one, with artist and title"
    ignored |= {key for key in given if key.lower() not in COLUMNS}
    return {COLUMNS[key.lower()]: value for key, value in given.items() if key.lower() in COLUMNS and value is not None}


def _csv_records(text: str, name: str) -> tuple[list[tuple[int, Given]], set[str]]:
    lines = [f"{line}\n" for line in text.replace("\r\n", "\n").split("\n")]
    delimiter = delimiter_of(lines[0])
    records = list(split_csv(lines, delimiter))
    if not records:
        return [], set()
    (_, header), *rest = records
    names = [column.strip().lower() for column in header] if isinstance(header, list) else []
    known = {COLUMNS[column] for column in names if column in COLUMNS}
    if not ({"artist_name", "track_title"} <= known or "track_id" in known):
        raise Failure(
            f"{name}: the first line must name the columns, artist and title among them; it reads {lines[0][:100]!r}"
        )
    ignored = {column for column in names if column not in COLUMNS}
    return [(line, _csv_record(names, fields)) for line, fields in rest], ignored


def delimiter_of(header: str) -> str:
    """What separates the columns that a header names."""
    return max(",;\t", key=header.count)


def _csv_record(names: list[str], fields: list[str] | str) -> Given:
    if isinstance(fields, str):
        return fields
    if len(fields) != len(names):
        return f"row: has {len(fields)} fields where the header has {len(names)}; quote fields that hold the separator"
    named = ((COLUMNS[name], value) for name, value in zip(names, fields, strict=True) if name in COLUMNS)
    # A CSV has no other way to say "not known" than an empty field.
    return {name: value for name, value in named if value.strip()}


def split_csv(lines: list[str], delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Records with the line they begin on. One that cannot be read costs its first line only."""
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        fields, used = _record(lines[at : at + LONGEST_RECORD], delimiter)
        yield at + 1, fields
        at += used


def _record(lines: Iterable[str], delimiter: str) -> tuple[list[str] | str, int]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        return next(reader), reader.line_num
    except csv.Error as error:
        return f"row: is not valid CSV ({error}); check its quotes", 1
