"""Labelled rows in the forms that are known, whatever file they come from, and the third of them nobody looks at.

pairs    {"id", "set", "a": side, "b": side, "same": bool}
choices  {"id", "set", "query": side, "candidates": [side with "id"], "right": id, or null where none is}
groups   {"isrc", "variants": [track]}: each two are the same recording
siblings {"recordings": [track]}: two of them are another recording where a title names another version or they are
         more than 15 s apart; nothing is known of the others
tracks   a catalogue, of which `building` makes pairs and choices
lines    {"kind", "input", "expected"}: matter of `bench.matching.parsing`; those of DJs are pairs with their tags too

A side is what `linernotes match` takes. A track has `title`, `artists`, `album`, `duration_ms` and may have `isrc`,
those of a catalogue `spotify_id`.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from bench.matching.building import build
from enrichment.domain.parsing import read_line
from enrichment.domain.text import clean, fold

Row = dict[str, Any]

_NAMES_A_VERSION = re.compile(
    r"\b(?:(?:re)?mix|rmx|edit|live|acoustic|instrumental|karaoke|demo|alternate|rerecord\w*|mono|single version"
    r"|take \d|dub|extended|unplugged|session|acapp?ella|rework)\b"
)
FAR_MS = 15_000


def read(file: Path) -> Iterator[Row]:
    """The rows of a JSONL file, also gzipped."""
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def labelled(rows: Iterable[Row], *, most: int) -> Iterator[Row]:
    """Pairs and choices; groups and siblings as the pairs they hold, once with their ISRCs hidden and once shown; of
    a catalogue what `building` makes of `most` tracks.
    """
    tracks: list[Row] = []
    for row in rows:
        if "spotify_id" in row:
            tracks.append(row)
        yield from _labelled(row)
    yield from build(tracks, most=most)


def _labelled(row: Row) -> Iterator[Row]:
    if "variants" in row and "isrc" in row:
        yield from _of_group(row)
    elif "recordings" in row:
        yield from _of_siblings(row)
    elif row.get("kind") in ("dj_filename", "dj_tracklist_line"):
        yield from _of_line(row)
    elif "candidates" in row or "same" in row:
        yield {"set": "choices" if "candidates" in row else "pairs", **row}


def _of_line(row: Row) -> Iterator[Row]:
    """A line and what its file's own tags, or its site, say. Lines that nobody can look up are left out."""
    told = row["expected"]
    version = f" ({told['mix']})" if told.get("mix") else ""
    side = {"artist": told.get("artist"), "title": f"{told.get('title') or ''}{version}"}
    if side["artist"] and told.get("title") and not read_line(row["input"]).unknown:
        name = "file names and their tags" if row["kind"] == "dj_filename" else "tracklist lines and their tags"
        yield {"id": row["input"], "set": name, "a": {"line": row["input"]}, "b": side, "same": True}


def _of_group(group: Row) -> Iterator[Row]:
    told = [{**track, "isrc": group["isrc"]} for track in group["variants"]]
    for at, (a, b) in enumerate(combinations(told, 2)):
        yield from _both(f"isrc:{group['isrc']}:{at}", "one ISRC", a, b, same=True)


def _of_siblings(group: Row) -> Iterator[Row]:
    for a, b in combinations(group["recordings"], 2):
        far = abs(a["duration_ms"] - b["duration_ms"]) > FAR_MS
        if not far and _versions(a) == _versions(b):
            continue
        name = "siblings far apart" if far else "siblings of another version"
        yield from _both(f"siblings:{a['spotify_id']}:{b['spotify_id']}", name, a, b, same=False)


def _both(row_id: str, name: str, a: Row, b: Row, *, same: bool) -> Iterator[Row]:
    for shown in (False, True):
        told = {"a": _side(a, shown=shown), "b": _side(b, shown=shown), "same": same}
        yield {"id": row_id, "set": f"{name}, ISRC {'shown' if shown else 'hidden'}", **told}


def _versions(track: Row) -> frozenset[str]:
    return frozenset(_NAMES_A_VERSION.findall(fold(clean(track["title"])).replace("-", "")))


def _side(track: Row, *, shown: bool) -> Row:
    told = {"artist": ", ".join(track["artists"]), "title": track["title"], "album": track.get("album")}
    told |= {"duration_ms": track.get("duration_ms"), "isrc": track.get("isrc") if shown else None}
    return {name: value for name, value in told.items() if value}
