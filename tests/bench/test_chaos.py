"""The fault harness in its short form: a whole fleet keeps its promises, and a part that is broken is seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.chaos import FAULTS, control, shop_on, strike
from bench.chaos.controls import CONTROLS
from bench.chaos.faults import Fault
from bench.chaos.load import Load
from bench.chaos.rig import Plan, Rig, Shop
from bench.chaos.verdict import Row
from enrichment.embedded import Servers

SPEED = 4.0
"""Faster, and a machine with other work to do would be late by more than the tightest limit allows."""
SLOW = ("RESIDENTADVISOR", "ITUNES", "THEAUDIODB", "DISCOGS", "WIKIDATA", "SPOTIFY")
FAST = ("DEEZER", "ACOUSTICBRAINZ", "ARTWORK", "COVERARTARCHIVE", "LASTFM")
ALIKE = {f"LINERNOTES_{source}_BUDGET": "1/1" for source in SLOW + FAST}
"""The slow ones allow that for the minute that this lasts; the fast ones leave room to the tightest."""
PLAN = Plan(seconds=1, speed=SPEED, workers=2, threads=64, rate=1, backlog=12, drain=60, environ=ALIKE)


@pytest.fixture(scope="module")
def shop(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The session's servers, with a witness."""
    with shop_on(servers, tmp_path_factory.mktemp("chaos"), SPEED) as made:
        yield made


def _one_of_each(rig: Rig, load: Load, row: Row) -> None:
    for each in CONTROLS.values():
        FAULTS[each.fault].strike(rig, load, row)


def test_a_whole_fleet_keeps_its_promises(shop: Shop) -> None:
    row = strike(shop, PLAN, Fault("short", "one blow of each kind that the controls have", 35, _one_of_each))

    assert row.blows >= len(CONTROLS)
    assert row.drained is not None
    assert row.accepted
    # How soon it recovers depends on the machine, and is measured where nothing else runs.
    checks = [check for check in row.checks(35) if check.what != "short: recovery, seconds"]
    assert len(checks) == len(row.checks(35)) - 1
    assert not [check for check in checks if not check.holds], row.told()


@pytest.mark.parametrize("name", CONTROLS)
def test_what_is_broken_is_seen(shop: Shop, name: str) -> None:
    row, seen = control(shop, PLAN, CONTROLS[name])

    assert seen.holds, row.told()
