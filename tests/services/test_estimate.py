"""Estimates: what subjects have taken is what others are expected to take."""

from __future__ import annotations

from typing import Any

import pytest

from enrichment.domain.subjects import WANTED, Kind, Lane
from enrichment.services import estimate as estimates
from enrichment.services.estimate import ENOUGH, Ask, Habits, estimate, shipped_habits, work_of
from enrichment.services.standing import pause
from tests.services.fakes import Bench

TRACKS = ENOUGH + 2


@pytest.fixture
def ended(bench: Bench) -> Bench:
    """A fleet that has enriched some tracks, two of each artist."""
    for number in range(TRACKS):
        bench.track(f"Title {number}", f"Artist {number // 2}", priority=5)
    bench.settle_down(40)
    assert bench.rows("SELECT count(*) AS n FROM enrichment_status WHERE finished_at IS NULL")[0].n == 0
    return bench


def _own(bench: Bench) -> Habits:
    with bench.fleet.engine.connect() as connection:
        return estimates.own_habits(connection)


def _said(bench: Bench, **ask: Any) -> dict[str, Any]:
    bench.fleet.forget()
    return estimate(bench.fleet, Ask(**ask))


def test_what_subjects_have_taken_others_are_expected_to_take(ended: Bench) -> None:
    own = _own(ended)
    assert own.lookups[Kind.TRACK, Lane.DEFAULT]["alpha", "track"] == 1.0
    assert own.lookups["track.performer", Lane.DEFAULT] == {("alpha", "performer"): 1.0}
    assert own.parents["track.performer", Lane.DEFAULT] == 0.5
    assert own.together["alpha", "track"] > 1
    assert (Kind.TRACK, Lane.DEFAULT) in own.own

    made = {row.source: row.n for row in ended.rows("SELECT source, count(*) AS n FROM lookups GROUP BY source")}
    said = _said(ended, counts={Kind.TRACK: TRACKS}, priority=5)
    assert said["measured"] == "this fleet"
    assert {name: each["lookups"] for name, each in said["sources"].items()} == made
    assert said["sources"]["alpha"]["calls"] == TRACKS // 2 + -(-TRACKS // 3)  # performers alone, tracks by threes
    assert _said(ended, counts={Kind.TRACK: 2 * TRACKS}, priority=5)["lookups"] == 2 * said["lookups"]

    # Who has all answers from a twin has taken none.
    ended.track("Title 0", "Artist 0", priority=5, track_id="first")
    ended.track("Title 0", "Artist 0", priority=5, track_id="second")
    ended.settle_down()
    assert _own(ended).lookups == own.lookups

    # A backlog is what its subjects take, less what they have had.
    assert _said(ended)["lookups"] == 0
    for number in range(4):
        ended.track(f"New {number}", f"New artist {number}", priority=5)
    before = _said(ended)
    assert before["subjects"] == {"track": 4, "album": 0, "performer": 0}
    assert before["lookups"] == 4 * 3
    ended.drain()
    assert _said(ended)["lookups"] < before["lookups"]

    # The slowest line bounds it; nobody waits for one that does not move at all.
    pause(ended.fleet, "beta", 500, "a test", ours=False)
    held = _said(ended, counts={Kind.TRACK: 1000}, priority=5)
    assert held["bounded_by"] == "beta"
    assert held["seconds"] > 490
    pause(ended.fleet, "beta", 90_000, "a test", ours=False)
    stopped = _said(ended, counts={Kind.TRACK: 1000}, priority=5)
    assert stopped["put_aside"] == ["beta"]
    assert stopped["sources"]["beta"]["seconds"] is None
    assert stopped["bounded_by"] != "beta"
    assert stopped["seconds"] < 490


def test_what_ships_knows_every_lane_and_kind() -> None:
    known = shipped_habits()
    for lane in Lane:
        work = work_of(known, {Kind.TRACK: 1000}, lane)
        assert 1_000 < sum(work.values()) < 30_000, lane
        assert known.parents["track.performer", lane] > 0
    assert {role for role, _ in known.lookups} >= {*map(str, WANTED), "track.performer", "track.album"}
