"""Reading the facts that the world is built from: a catalogue of tracks, MusicBrainz' artists, listening logs."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from simulator import names

SMALL = Path(__file__).parent / "data" / "catalogue.jsonl.gz"
ARTISTS = "musicbrainz_artists.csv.gz"

Row = dict[str, Any]


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path), "utf-8")
    return path.open(encoding="utf-8")


def load(path: str | Path | None = None) -> Iterator[Row]:
    """The rows of a catalogue, one dict a track; without a path those of the small one that ships.

    A row has `spotify_id`, `title`, `artists` [str], `duration_ms`, and of the rest what is known: `album`, `album_id`,
    `album_artists`, `release_date`, `isrc`, `tempo`, `key` 0–11, `mode`, `genres`, `label`, `popularity`, `explicit`,
    `artist_ids`, `artist_mbid`, `disc`, `track_no`, `album_image`, and in the small one `artist_facts` (a list of what
    `artists` gives).
    """
    with _open(Path(path) if path else SMALL) as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def artists(catalogue: str | Path | None) -> dict[str, Row]:
    """MusicBrainz' artists by MBID, from the file beside the catalogue; empty where there is none.

    An artist has `mbid`, `name`, and of the rest what is known: `type`, `gender`, `country`, `begin`, `end`, `area`.
    """
    path = Path(catalogue).parent / ARTISTS if catalogue else None
    if path is None or not path.exists():
        return {}
    columns = {"type": "type", "gender": "gender", "country": "country", "begin_date": "begin", "end_date": "end"}
    found: dict[str, Row] = {}
    with _open(path) as lines:
        for row in csv.DictReader(lines):
            facts: Row = {"mbid": row["id"], "name": row["name"]}
            facts.update({ours: row[theirs] for theirs, ours in columns.items() if row.get(theirs)})
            if row.get("area_name"):
                facts["area"] = row["area_name"]
            found[row["id"]] = facts
    return found


def listens(path: str | Path) -> Iterator[tuple[str, str, str, str]]:
    """The distinct tracks of a listening log, in order: artist, track, album, artist's MBID by Last.fm; the latter two
    may be empty.
    """
    seen: set[tuple[str, str]] = set()
    with _open(Path(path)) as lines:
        for row in csv.DictReader(lines):
            artist, track = row["artist"] or "", row["track"] or ""
            if artist.strip() and track.strip() and (artist, track) not in seen:
                seen.add((artist, track))
                yield artist, track, row.get("album") or "", row.get("artist_mbid") or ""


def small_requests() -> list[Row]:
    """What a producer would submit of the small catalogue: `artist`, `title`, `album`, `duration_ms`, no ids."""
    rows = []
    for row in load():
        guests = {names.squash(name) for name in names.read_title(row["title"]).featured}
        main = [name for name in row["artists"] if names.squash(name) not in guests] or row["artists"]
        request = {"artist": ", ".join(main), "title": row["title"], "duration_ms": row["duration_ms"]}
        if row.get("album"):
            request["album"] = row["album"]
        rows.append(request)
    return rows
