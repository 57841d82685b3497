"""Landing files: rows for a warehouse in a folder, or at any URL that fsspec knows (s3://, gs://, …).

`{timestamp}_{kind}.jsonl`, or `.parquet` with the extra `parquet`. A file is there whole or not at all. What has been
taken in is moved to `ingested/` beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Any

from enrichment.services.requests import BadRequest

INGESTED = "ingested"
LANDING_DAYS = 90
"""Files that have been taken in are kept for so long."""
CHUNK = 5_000
"""Rows of a group in Parquet."""

Row = Mapping[str, Any]


class Unusable(BadRequest):
    """A folder or a file that cannot be used; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a landing folder. kind: as its name says, "" where it says none."""

    fs: Any
    path: str
    kind: str

    @property
    def name(self) -> str:
        """Without its folder."""
        return self.path.rpartition("/")[2]

    @property
    def shown(self) -> str:
        """A path on this machine, else the URL."""
        return _shown(self.fs, self.path)

    def rows(self) -> Iterator[tuple[int, Any]]:
        """(line from 1, what stands there); a line that is no JSON is itself, as text. Raises Unusable."""
        try:
            with self.fs.open(self.path, "rb") as content:
                yield from _READ[_format(self.path)](content)
        except (OSError, ValueError) as error:
            raise Unusable(f"{self.shown}: cannot be read ({error})") from error

    def move_ingested(self) -> str:
        """It has been taken in. Returns where it is now."""
        folder = f"{self.path.rpartition('/')[0]}/{INGESTED}"
        self.fs.makedirs(folder, exist_ok=True)
        self.fs.mv(self.path, f"{folder}/{self.name}")
        return _shown(self.fs, f"{folder}/{self.name}")


def land(folder: str, kind: str, rows: Iterable[Row], now: datetime, *, form: str = "jsonl") -> str | None:
    """Writes a file. Returns its path or URL, None where there are no rows. Raises Unusable."""
    ahead = iter(rows)
    first = next(ahead, None)
    if first is None:
        return None
    fs, root = _opened(folder)
    path = f"{root}/{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}_{kind}.{form}"
    part = f"{root}/.{path.rpartition('/')[2]}.part"
    try:
        fs.makedirs(root, exist_ok=True)
        with fs.open(part, "wb") as content:
            _WRITE[form](content, chain([first], ahead))
        fs.mv(part, path)
    except BaseException as error:
        with suppress(OSError):
            fs.rm(part)
        if isinstance(error, OSError):
            raise Unusable(f"{folder}: cannot be written to ({error})") from error
        raise
    return _shown(fs, path)


def files(path: str, kinds: Iterable[str]) -> list[File]:
    """The file, or those of the folder whose kind is one of these, the oldest first. Raises Unusable."""
    fs, root = _opened(path)
    if fs.isfile(root):
        return [File(fs, root, _kind(root, kinds))]
    if not fs.isdir(root):
        raise Unusable(f"{path}: there is no such file or folder")
    found = [File(fs, each, _kind(each, kinds)) for each in sorted(fs.ls(root, detail=False))]
    return [file for file in found if file.kind and not file.name.startswith(".")]


def remove(path: str) -> None:
    """Nobody shall take it in."""
    fs, root = _opened(path)
    with suppress(FileNotFoundError):
        fs.rm(root)


def forget_ingested(folder: str, days: int) -> int:
    """Removes files that were taken in so long ago. Returns how many."""
    fs, root = _opened(folder)
    if not fs.isdir(f"{root}/{INGESTED}"):
        return 0
    before = f"{datetime.now(UTC) - timedelta(days=days):%Y%m%dT%H%M%S}"
    old = [
        each
        for each in fs.ls(f"{root}/{INGESTED}", detail=False)
        if (name := each.rpartition("/")[2])[:8].isdigit() and name < before
    ]
    for each in old:
        fs.rm(each)
    return len(old)


def _opened(url: str) -> tuple[Any, str]:
    import fsspec  # noqa: PLC0415 - slow to import, and most processes land nothing

    try:
        fs, root = fsspec.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise Unusable(f"{url.partition('://')[0]}: {error}") from error
    return fs, root.rstrip("/")


def _shown(fs: Any, path: str) -> str:
    return path if "file" in fs.protocol else str(fs.unstrip_protocol(path))


def _format(path: str) -> str:
    form = path.rpartition(".")[2]
    if form not in _READ:
        raise Unusable(f"{path}: ends in none of {', '.join(f'.{each}' for each in _READ)}")
    return form


def _kind(path: str, kinds: Iterable[str]) -> str:
    stem, _, form = path.rpartition("/")[2].rpartition(".")
    return next((kind for kind in kinds if form in _READ and (stem == kind or stem.endswith(f"_{kind}"))), "")


# --- formats -------------------------------------------------------------------------------------------------------


def _write_jsonl(content: Any, rows: Iterable[Row]) -> None:
    for row in rows:
        content.write(f"{json.dumps(dict(row), ensure_ascii=False)}\n".encode())


def _read_jsonl(content: Any) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(content, start=1):
        if text := line.decode("utf-8", "replace").strip():
            try:
                yield number, json.loads(text)
            except (ValueError, RecursionError):
                yield number, text


def _parquet() -> Any:
    try:
        import pyarrow.parquet  # noqa: PLC0415 - an extra; the rest does without it
    except ImportError as error:
        raise Unusable("Parquet needs the extra: pip install linernotes[parquet]") from error
    return pyarrow


def _write_parquet(content: Any, rows: Iterable[Row]) -> None:
    arrow = _parquet()
    text, whole = arrow.string(), arrow.int64()
    image = arrow.struct({"url": text, "height": whole, "width": whole})
    schema = arrow.schema(
        {
            "artistId": text,
            "artistName": text,
            "genres": arrow.list_(text),
            "popularity": whole,
            "followerCount": whole,
            "images": arrow.list_(image),
            "externalUrls": arrow.map_(text, text),
            "enrichedAt": text,
        }
    )
    with arrow.parquet.ParquetWriter(content, schema) as writer:
        ahead = iter(rows)
        while chunk := list(islice(ahead, CHUNK)):
            writer.write_table(arrow.Table.from_pylist([dict(row) for row in chunk], schema=schema))


def _read_parquet(content: Any) -> Iterator[tuple[int, Any]]:
    number = 0
    for batch in _parquet().parquet.ParquetFile(content).iter_batches(CHUNK):
        for row in batch.to_pylist(maps_as_pydicts="lossy"):
            number += 1
            yield number, {name: value for name, value in row.items() if value is not None}


_WRITE: dict[str, Callable[[Any, Iterable[Row]], None]] = {"jsonl": _write_jsonl, "parquet": _write_parquet}
_READ: dict[str, Callable[[Any], Iterator[tuple[int, Any]]]] = {"jsonl": _read_jsonl, "parquet": _read_parquet}
