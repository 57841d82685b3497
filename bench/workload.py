"""The tracks that a benchmark asks for, and the truth about them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator import catalogue, names
from simulator.truth import Recording, World

ARTIST_TRACKS = 200

Row = dict[str, Any]
Track = tuple[str, str]
"""Artist and title, as the producer has them."""


def track_of(row: Mapping[str, Any]) -> Track:
    """What tells a track from the others here."""
    return row["artist"], row["title"]


@dataclass(frozen=True, slots=True)
class Workload:
    """rows: what a producer hands in (`artist`, `title`, if known `album`, `duration_ms`); sample: the first of them.

    of_artist: tracks of the artist who has the most. truth: what each track is; None where no upstream can know it.
    """

    rows: list[Row]
    sample: list[Row]
    of_artist: list[Row]
    truth: Mapping[Track, Recording | None]

    @property
    def existing(self) -> set[Track]:
        """Tracks that an upstream can know."""
        return {track for track, recording in self.truth.items() if recording is not None}


def choose(world: World, listens: Path | None, *, rows: int | None, sample: int, seed: int) -> Workload:
    """Distinct tracks of a listening log, else of the catalogue that ships, in an order that the seed decides.

    rows: how many, None for all.
    """
    given = _of_log(listens) if listens else catalogue.small_requests()
    known = list({track_of(row): row for row in given}.values())
    chosen = random.Random(seed).sample(known, min(rows or len(known), len(known)))
    of_artist = _of_one_artist(known)
    truth = {track_of(row): recording_of(world, *track_of(row)) for row in (*chosen, *of_artist)}
    return Workload(chosen, chosen[:sample], of_artist, truth)


def _of_log(listens: Path) -> list[Row]:
    return [
        {"artist": artist, "title": title} | ({"album": album} if album.strip() else {})
        for artist, title, album, _ in catalogue.listens(listens)
    ]


def _of_one_artist(rows: Sequence[Row]) -> list[Row]:
    ((artist, _),) = Counter(row["artist"] for row in rows).most_common(1)
    return [row for row in rows if row["artist"] == artist][:ARTIST_TRACKS]


def recording_of(world: World, artist: str, title: str) -> Recording | None:
    """What the world has under these names, as it reads them itself."""
    read = names.read_title(title)
    version = names.squash(read.version) if read.version else ""
    for name in (names.read_artist(artist)[0], *_beginnings(artist)):
        found = world.recordings.get(f"{names.squash(name)}|{names.squash(read.base)}|{version}")
        if found is not None:
            return found
    return None


def _beginnings(artist: str) -> list[str]:
    """The first of several artists, whose own name may have commas."""
    parts = artist.split(", ")
    return [", ".join(parts[: count + 1]) for count in range(len(parts))]


def many(rows: Sequence[Row], count: int) -> list[Row]:
    """So many distinct tracks: these, then the same of artists whom nobody knows."""
    return [_again(rows[number % len(rows)], number // len(rows)) for number in range(count)]


def _again(row: Row, time: int) -> Row:
    return {**row, "artist": f"{row['artist']} {time + 1}"} if time else row
