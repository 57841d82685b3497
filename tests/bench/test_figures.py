"""How figures are made of what was seen: windows of calls, shares, chains, and the benches in their smallest form."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import scale
from bench.calls import without_wrong
from bench.chaos.rig import Shop
from bench.crews import missing_peers
from bench.priority import chain
from bench.saturation import calls_in, used_share, worst_excess
from bench.throughput import delays, peer
from bench.workload import choose, many, track_of
from enrichment.embedded import Servers
from simulator.server import running
from simulator.truth import World


class TestWindows:
    @pytest.mark.parametrize("seed", range(20))
    def test_the_worst_window_is_that_of_looking_at_all(self, seed: int) -> None:
        dice = random.Random(seed)
        burst, rate = dice.choice([1, 4]), dice.choice([0.5, 3.0])
        moments = sorted(dice.uniform(0, 10) for _ in range(25))
        all_windows = (
            last - first + 1 - rate * (moments[last] - moments[first])
            for first in range(25)
            for last in range(first, 25)
        )
        assert worst_excess(moments, burst, rate) == pytest.approx(max(all_windows) - burst - 1, abs=1e-3)

    def test_calls_on_time_are_within_and_one_too_many_is_over(self) -> None:
        on_time = [1000 + number / 2 for number in range(50)]
        assert worst_excess(on_time, 1, 2.0) <= 0
        assert worst_excess([*on_time, 1010.1, 1010.2], 1, 2.0) > 0

    def test_the_share_is_that_of_the_calls_permitted(self) -> None:
        calls = [(number / 2, 0.1) for number in range(101)]
        assert used_share(calls, 2.0, 1) == pytest.approx(1.0)
        assert used_share(calls, 4.0, 1) == pytest.approx(0.5)
        assert used_share([(1.0, 0.1)], 2.0, 1) == 0.0

    def test_whoever_permits_one_call_at_once_permits_no_more_than_answers_let(self) -> None:
        calls = [(number * 1.0, 1.0) for number in range(11)]
        assert used_share(calls, 2.0, 1) == pytest.approx(1.0)
        assert used_share(calls, 2.0, 2) == pytest.approx(0.5)


@dataclass(frozen=True)
class Step:
    source: str
    created: float
    settled: float


def test_a_chain_leads_from_the_last_answer_back_to_the_request() -> None:
    first, beside = Step("musicbrainz", 0.0, 1.2), Step("deezer", 0.0, 3.9)
    second, last = Step("spotify", 1.19, 2.5), Step("reccobeats", 2.49, 4.0)
    assert chain([last, beside, first, second]) == [first, second, last]
    assert chain([]) == []


def test_many_tracks_are_distinct_and_begin_with_those_given() -> None:
    rows = [{"artist": "Lamb", "title": "Gorecki"}, {"artist": "Lamb", "title": "Górecki"}]
    made = many(rows, 5)
    assert made[:2] == rows
    assert len({track_of(row) for row in made}) == 5


@pytest.fixture(scope="module")
def shop(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The session's servers, with upstreams that limit nothing."""
    log = tmp_path_factory.mktemp("bench") / "witness.jsonl"
    with running(unlimited=True, speed=100.0, log=log) as upstream:
        yield Shop(servers, upstream, log)


def test_scale_tells_both_lines_and_how_they_compare(shop: Shop) -> None:
    report = scale.measured(shop, rows=2_000, rounds=1)

    lines = report.figures["lines"]
    assert list(lines) == ["1000", "2000"]
    assert all(set(line) == {*scale.CHECKED, "refill"} for line in lines.values())
    assert all(spent > 0 for line in lines.values() for spent in line.values())
    assert report.figures["bytes_per_waiting_lookup"] > 100
    assert len(report.checks) == len(scale.CHECKED)


def test_messages_are_counted_beside_empty_ones(shop: Shop) -> None:
    told = delays(shop.servers.addresses.broker_url, [{"artist": "Lamb", "title": "Gorecki"}], 20)
    assert told["enrich_track"] > 0
    assert told["ratio"] > 0


@pytest.mark.parametrize("name", ["plain_celery", "on_dramatiq", "on_procrastinate"])
def test_a_peer_does_the_same_work(shop: Shop, name: str) -> None:
    if missing_peers([name]):
        pytest.skip("the extra `bench` is not installed")
    given = choose(World.build(None, None), None, rows=3, sample=1, seed=2)

    way = peer(name, shop, given, processes=1)

    assert way.ended == 1.0
    assert way.calls_per_track > 8
    assert way.coverage["isrc"] == 1.0
    assert way.right["spotify_id"] == 1.0
    assert way.findings > 20


@pytest.mark.parametrize(
    ("found", "left"),
    [
        ({"spotify_id": True, "isrc": False, "release_date": True}, {"spotify_id", "release_date", "bpm"}),
        ({"spotify_id": True, "release_date": False}, {"spotify_id", "bpm"}),
        ({"spotify_id": False, "isrc": False, "release_date": True}, set()),
        ({}, {"bpm"}),
    ],
)
def test_what_is_another_recordings_counts_for_nothing(found: dict[str, bool], left: set[str]) -> None:
    recording, other, *_ = World.build(None, None).recordings.values()
    own, wrong = recording.tracks[0], other.tracks[0]
    true = {"spotify_id": own.spotify_id, "isrc": own.isrc, "release_date": own.album.date[:4]}
    false = {"spotify_id": wrong.spotify_id, "isrc": wrong.isrc, "release_date": "1802"}
    told = {name: (true if right else false)[name] for name, right in found.items()}
    assert without_wrong({**told, "bpm": 120.0, "key": None}, recording).keys() == left


def test_the_witness_log_is_read_by_source(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"t": 1.5, "source": "deezer", "seconds": 0.2}\n{"t": 2.5, "source": "dee', "utf-8")
    assert calls_in(log) == {"deezer": [(1.5, 0.2)]}
