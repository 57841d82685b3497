"""Terms act: what may be kept for a while only expires, what may not be used commercially is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from enrichment.domain.questions import Terms
from enrichment.domain.subjects import Kind
from enrichment.services import report
from enrichment.services.expiry import drop_expired
from enrichment.services.requests import PerformerRequest, read
from enrichment.services.submit import submit
from tests.conftest import Empty
from tests.services.fakes import Alpha, Bench, Beta, Upstream, a_bench

HOUR, DAY = 3600.0, 86_400.0
CORE = Terms("Data from Alpha", "http://alpha.test", "CC0")


class Lender(Alpha):
    """Its tempo may be kept for six hours, its ISRCs for a week; its genres are not for sale."""

    terms: ClassVar[Terms] = (
        CORE.but_for("bpm", keep_seconds=6 * HOUR)
        .but_for("isrc", keep_seconds=7 * DAY)
        .but_for("genres", licence="CC BY-NC-SA 3.0", commercial=False)
    )


class Private(Beta):
    """Not for sale."""

    terms: ClassVar[Terms] = Terms("Data from Beta", "http://beta.test", "personal use", commercial=False)


MakeBench = Callable[..., Bench]


@pytest.fixture(name="lent_bench")
def _lent_bench(empty: Empty, upstream: Upstream) -> Iterator[MakeBench]:
    """lent_bench(**environ): a fleet with both sources."""
    made: list[Bench] = []

    def make(**environ: str) -> Bench:
        made.append(a_bench(empty, upstream, [Lender(), Private()], environ))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


def record(bench: Bench, track: Any) -> dict[str, Any]:
    found = report.subject_report(bench.fleet, Kind.TRACK, str(track))
    assert found is not None
    return found


def stated(bench: Bench, source: str) -> set[str]:
    """Fields of which the source's statement is still kept."""
    return {
        row.field
        for row in bench.rows("SELECT field FROM findings WHERE source = :source AND value <> 'null'", source=source)
    }


class TestExpiry:
    def test_what_has_expired_is_dropped(self, lent_bench: MakeBench, upstream: Upstream) -> None:
        upstream.answers["by_isrc"] = {"key": "A Minor"}
        bench = lent_bench()
        track = bench.track()
        bench.settle_down()
        assert record(bench, track)["fields"]["bpm"] == 78.0
        bench.age(7 / 24)
        assert "bpm" not in {each["field"] for each in record(bench, track)["findings"]}
        asked = len(upstream.asked)
        bench.settle_down()
        assert "bpm" not in record(bench, track)["fields"]
        assert stated(bench, "alpha") >= {"isrc", "musicbrainz_id"}
        assert "bpm" not in stated(bench, "alpha")
        assert len(upstream.asked) == asked, "what has to be dropped so soon is not asked for unasked"
        assert bench.status(track).status == "completed"

    def test_who_asks_again_gets_it_anew(self, lent_bench: MakeBench, upstream: Upstream) -> None:
        upstream.answers["by_isrc"] = {"key": "A Minor"}
        bench = lent_bench()
        track = bench.track()
        bench.settle_down()
        bench.track()
        bench.settle_down()
        assert upstream.questions().count("track") == 1
        bench.age(7 / 24)
        bench.track()
        bench.settle_down()
        assert upstream.questions().count("track") == 2
        assert record(bench, track)["fields"]["bpm"] == 78.0

    def test_what_the_source_no_longer_says_is_not_asked_for_again_and_again(
        self, lent_bench: MakeBench, upstream: Upstream
    ) -> None:
        upstream.answers["by_isrc"] = {"key": "A Minor"}
        bench = lent_bench()
        bench.track()
        bench.settle_down()
        bench.age(7 / 24)
        upstream.answers["track"] = {"isrc": "GBAAA9800322", "musicbrainz_id": "m-1"}
        for _ in range(3):
            bench.track()
            bench.settle_down()
        assert upstream.questions().count("track") == 2

    def test_what_may_be_kept_for_days_is_refreshed_at_leisure(self, lent_bench: MakeBench, upstream: Upstream) -> None:
        bench = lent_bench()
        track = bench.track(priority=9)
        bench.settle_down()
        bench.age(8)
        upstream.answers["track"] = {"isrc": "GBAAA9800399", "musicbrainz_id": "m-1"}
        bench.steward.round()
        status = bench.status(track)
        assert (status.status, status.refreshing, status.priority) == ("completed", True, 1)
        assert "isrc" not in record(bench, track)["fields"]
        bench.settle_down()
        assert record(bench, track)["fields"]["isrc"] == "GBAAA9800399"
        assert bench.rows("SELECT DISTINCT priority FROM lookups WHERE id > 3 AND source = 'alpha'")[0].priority == 1
        assert not bench.status(track).refreshing

    def test_nothing_remains_where_all_has_expired(self, lent_bench: MakeBench, upstream: Upstream) -> None:
        upstream.answers = {"track": {"bpm": 78.0}}
        bench = lent_bench()
        track = bench.track()
        bench.settle_down()
        assert record(bench, track)["fields"]["bpm"] == 78.0
        bench.age(7 / 24)
        bench.settle_down()
        assert record(bench, track)["fields"].keys() == {"title", "artist_name"}

    def test_what_a_person_has_locked_stays(self, lent_bench: MakeBench) -> None:
        bench = lent_bench()
        track = bench.track()
        bench.settle_down()
        bench.run("UPDATE findings SET locked = true WHERE field = 'bpm' AND source = 'alpha'")
        bench.age(7 / 24)
        bench.settle_down()
        assert record(bench, track)["fields"]["bpm"] == 78.0

    def test_what_comes_from_the_cache_is_as_old_as_its_reply(self, lent_bench: MakeBench, upstream: Upstream) -> None:
        bench = lent_bench()
        bench.track()
        bench.settle_down()
        first = bench.rows("SELECT stated_at FROM findings WHERE field = 'bpm' AND source = 'alpha'")[0].stated_at
        for table in ("lookups", "findings", "enrichment_status"):
            bench.run(f"DELETE FROM {table}")  # noqa: S608 - constants
        bench.track()
        bench.settle_down()
        assert upstream.questions().count("track") == 1
        again = bench.rows("SELECT stated_at FROM findings WHERE field = 'bpm' AND source = 'alpha'")[0].stated_at
        assert (again - first).total_seconds() < 0.5

    def test_a_reply_is_cached_no_longer_than_it_may_be_kept(self, lent_bench: MakeBench) -> None:
        bench = lent_bench()
        bench.track()
        bench.settle_down()
        lives = {bench.redis.ttl(key) for key in bench.redis.keys("enrichment:alpha:*")}
        assert lives
        assert max(lives) <= 6 * HOUR

    def test_the_walk_ends_and_begins_anew(self, lent_bench: MakeBench) -> None:
        bench = lent_bench()
        for title in "ABC":
            bench.track(title)
        bench.settle_down()
        bench.age(7 / 24)
        place = 0
        places: list[int] = []
        while not places or place:
            place = drop_expired(bench.fleet, place, look=4)
            places.append(place)
        assert len(places) > 3
        assert places == [*sorted(places[:-1]), 0]
        assert "bpm" not in stated(bench, "alpha")


class TestCommercialUse:
    def test_it_is_not_asked_for_and_not_kept(self, lent_bench: MakeBench, upstream: Upstream) -> None:
        bench = lent_bench(LINERNOTES_COMMERCIAL="1")
        assert bench.fleet.questions["beta"] == ()
        assert {q.name: q.gives for q in bench.fleet.questions["alpha"]} == {
            "track": {"isrc", "musicbrainz_id", "bpm"},
            "performer": {"musicbrainz_id", "country"},
        }
        track = bench.track()
        bench.settle_down()
        assert "by_isrc" not in upstream.questions()
        assert "genres" not in record(bench, track)["fields"]
        assert stated(bench, "alpha") == {"isrc", "musicbrainz_id", "bpm"}
        submit(bench.fleet, read(PerformerRequest, {"name": "Massive Attack"}))
        bench.settle_down()
        assert stated(bench, "alpha") == {"isrc", "musicbrainz_id", "bpm", "country"}
        assert upstream.questions()[-1] == "performer"

    def test_what_is_there_already_is_left_out(self, lent_bench: MakeBench) -> None:
        bench = lent_bench()
        track = bench.track(album_title="Mezzanine")
        bench.settle_down()
        assert {"genres", "key", "label"} <= record(bench, track)["fields"].keys()
        bench = lent_bench(LINERNOTES_COMMERCIAL="1")
        assert {each["source"] for each in record(bench, track)["findings"]} <= {"alpha", "producer"}
        bench.settle_down()
        assert not {"genres", "key", "label"} & record(bench, track)["fields"].keys()
        assert stated(bench, "beta") == set()
        assert bench.rows("SELECT metadata ->> 'genres' AS genres FROM performers")[0].genres is None
        assert bench.status(track).status == "completed"

    def test_otherwise_all_may_be_used(self, lent_bench: MakeBench) -> None:
        assert len(lent_bench().fleet.questions["beta"]) == 2


def test_a_report_says_on_which_terms(lent_bench: MakeBench) -> None:
    bench = lent_bench()
    track = bench.track()
    bench.settle_down()
    shown = record(bench, track)["terms"]
    assert shown.keys() == {"alpha", "beta"}
    assert (shown["beta"]["attribution"], shown["beta"]["commercial"]) == ("Data from Beta", False)
    assert (shown["alpha"]["licence"], shown["alpha"]["fields"]["genres"]["licence"]) == ("CC0", "CC BY-NC-SA 3.0")
    states = {each["source"]: each["terms"] for each in report.source_states(bench.fleet)}
    assert states == shown
