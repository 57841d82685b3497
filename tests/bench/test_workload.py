"""The tracks that are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.workload import choose, recording_of, track_of
from simulator.truth import World

LOG = """user,ts,artist,track,album,artist_mbid
a,1,Massive Attack,Teardrop,Mezzanine,
a,2,Massive Attack,Teardrop,Mezzanine,
a,3,Massive Attack,Angel,,
b,4,Portishead,Glory Box,Dummy,
"""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("log") / "scrobbles.csv"
    file.write_text(LOG, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def world(log: Path) -> World:
    return World.build(None, log)


def test_tracks_of_a_log_are_distinct_and_come_with_their_album(world: World, log: Path):
    chosen = choose(world, log, rows=None, sample=2, seed=1)
    assert sorted(map(track_of, chosen.rows)) == [
        ("Massive Attack", "Angel"),
        ("Massive Attack", "Teardrop"),
        ("Portishead", "Glory Box"),
    ]
    assert {row["title"]: row.get("album") for row in chosen.rows} == {
        "Angel": None,
        "Teardrop": "Mezzanine",
        "Glory Box": "Dummy",
    }
    assert chosen.sample == chosen.rows[:2]
    assert {row["artist"] for row in chosen.of_artist} == {"Massive Attack"}


def test_the_seed_decides_the_order(world: World, log: Path):
    assert choose(world, None, rows=20, sample=5, seed=3) == choose(world, None, rows=20, sample=5, seed=3)
    assert choose(world, None, rows=20, sample=5, seed=3).rows != choose(world, None, rows=20, sample=5, seed=4).rows


def test_every_track_of_the_catalogue_exists(world: World):
    chosen = choose(world, None, rows=None, sample=1, seed=1)
    assert {track_of(row) for row in chosen.rows} <= chosen.existing


def test_what_no_upstream_can_know_does_not_exist(world: World):
    assert recording_of(world, "Massive Attack", "A Title That Nobody Has Recorded") is None
