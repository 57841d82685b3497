"""Events are imported: whom a line-up names, what the event brought of them, and that they are enriched."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.event import listen

from enrichment.domain.orders import Order
from enrichment.domain.text import name_key
from enrichment.services.events import enrich_event_performers, import_events
from enrichment.services.intake import take
from enrichment.services.line_ups import read_event
from enrichment.services.requests import BadRequest, Unknown
from enrichment.sources.residentadvisor import ResidentAdvisor
from tests.conftest import Empty
from tests.services.fakes import Alpha, Bench, Upstream, a_bench

SHARED = Path(__file__).parents[3] / "shared" / "data" / "catalogue" / "ra_events.jsonl.gz"

CARL_COX = {
    "id": "943",
    "name": "Carl Cox",
    "contentUrl": "/dj/carlcox",
    "image": "https://static.ra.co/images/profiles/carlcox.jpg",
    "country": {"name": "United Kingdom", "urlCode": "UK"},
}


def an_event(**more: Any) -> dict[str, Any]:
    return {"event_id": "17", "title": "A Night", "date": "2024-10-05", "venue": "Bunker", **more}


def bill(bench: Bench, given: dict[str, Any]) -> list[str]:
    return [billed.name for billed in read_event(bench.fleet, given).bill]


def events() -> list[dict[str, Any]]:
    if not SHARED.exists():
        pytest.skip("the shared data is not beside the repository")
    with gzip.open(SHARED, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


class TestWhoPlays:
    def test_a_text_with_headings_times_roles_and_tba(self, bench: Bench) -> None:
        lines = ["Main Stage:", "23:00 - 01:00 Anetha", "Funguys (A Made Up b2b Somebody Else)", "DJ Gigola [live]"]
        text = "\n".join([*lines, "", "Floor 2:", "TBA"])
        read = read_event(bench.fleet, an_event(lineup_raw=text))
        assert [billed.name for billed in read.bill] == ["Anetha", "Funguys", "A Made Up", "Somebody Else", "DJ Gigola"]
        assert read.stages == ("Main Stage", "Floor 2")
        assert read.metadata["line_up"] == [{"name": "DJ Gigola", "act": "live"}]

    @pytest.mark.parametrize("text", ["tba", "Line-up: TBA", "15.02.2025", "31", "", None])
    def test_nobody_yet(self, bench: Bench, text: str | None) -> None:
        assert bill(bench, an_event(lineup_raw=text)) == []

    def test_ra_names_some_and_the_text_the_others(self, bench: Bench) -> None:
        artists = [{"name": "Chlär", "contentUrl": "/dj/chlar"}, {"name": "TMS (Dj)"}, {"name": "Only There"}]
        text = "TMS b2b Local Hero, CHLÄR live, 31.12."
        assert bill(bench, an_event(artists=artists, lineup_raw=text)) == [
            "TMS (Dj)",
            "Local Hero",
            "Chlär",
            "Only There",
        ]

    def test_a_name_of_ra_is_not_cut(self, bench: Bench) -> None:
        given = an_event(artists=["Kollektiv & Turm"], lineup_raw="Kollektiv & Turm, A & B")
        assert bill(bench, given) == ["Kollektiv & Turm", "A", "B"]

    def test_an_odd_list_leaves_the_text(self, bench: Bench) -> None:
        assert bill(bench, an_event(artists=[1, 2], lineup_raw="Anetha")) == ["Anetha"]
        assert bill(bench, an_event(artists=[{"name": "Anetha", "country": 7, "image": ["?"]}])) == ["Anetha"]


class TestAnEvent:
    def test_as_ras_graphql_has_it(self, bench: Bench) -> None:
        venue = {"name": "Bassiani", "area": {"name": "Tbilisi"}}
        given = {"id": "1", "event": {"id": 2, "title": "Horoom", "venue": venue, "date": "2025-01-31T00:00:00.000"}}
        event = read_event(bench.fleet, given).event
        assert (event.event_id, event.title, event.venue, str(event.event_date)) == (
            "2",
            "Horoom",
            "Bassiani",
            "2025-01-31",
        )

    @pytest.mark.parametrize(
        ("given", "wrong"),
        [
            ("no event", "is not an object"),
            ({"title": "A Night"}, "event_id"),
            ({"event_id": "1"}, "title"),
            (an_event(date="soon"), "event_date|date"),
            (an_event(event_id="x" * 201), "event_id"),
        ],
    )
    def test_what_cannot_be_read_is_told(self, bench: Bench, given: Any, wrong: str) -> None:
        with pytest.raises(BadRequest, match=wrong):
            read_event(bench.fleet, given)

    def test_the_others_go_on(self, bench: Bench) -> None:
        come = import_events(bench.fleet, [an_event(), {"title": "?"}, an_event(event_id="18")]).shown()
        assert (come["events"], [each["row"] for each in come["rejected"]]) == (2, [2])

    def test_columns_and_the_rest(self, bench: Bench) -> None:
        import_events(bench.fleet, [an_event(area="Berlin", url="https://ra.co/events/17", genre="Tech\x00no")])
        (row,) = bench.rows("SELECT external_id, title, venue, area, event_date::text, url, metadata FROM events")
        told = ("17", "A Night", "Bunker", "Berlin", "2024-10-05", "https://ra.co/events/17", {"genre": "Techno"})
        assert tuple(row) == told


class TestWhatItBrought:
    def test_is_known_at_once_and_costs_no_call(self, bench: Bench) -> None:
        import_events(bench.fleet, [an_event(artists=[CARL_COX])])
        (row,) = bench.rows("SELECT * FROM performers")
        assert (row.name, row.ra_artist_id, row.ra_artist_url) == ("Carl Cox", "943", "https://ra.co/dj/carlcox")
        assert (row.image_url, row.country, row.country_code) == (CARL_COX["image"], "United Kingdom", "GB")
        assert row.enriched_at is None
        facts = {
            "ra_artist_id": "943",
            "ra_artist_url": row.ra_artist_url,
            "country": row.country,
            "country_code": "GB",
        }
        assert row.metadata.items() >= {**facts, "source": "resident_advisor"}.items()
        assert "enriched_at" not in row.metadata
        assert bench.rows("SELECT DISTINCT source FROM findings") == [("residentadvisor",)]
        assert not bench.upstream.asked

    def test_missing_facts_stay_empty(self, bench: Bench) -> None:
        import_events(
            bench.fleet, [an_event(artists=[{"id": "943", "name": "Carl Cox", "image": "", "country": None}])]
        )
        (row,) = bench.rows("SELECT image_url, country, ra_artist_url, metadata FROM performers")
        assert tuple(row[:3]) == (None, None, None)
        assert row.metadata == {"ra_artist_id": "943", "source": "resident_advisor"}

    def test_where_its_terms_forbid_it_nothing_is_kept(self, empty: Empty, upstream: Upstream) -> None:
        bench = a_bench(empty, upstream, [Alpha(), ResidentAdvisor()], {"LINERNOTES_COMMERCIAL": "true"})
        import_events(bench.fleet, [an_event(artists=[CARL_COX])])
        assert bench.rows("SELECT name, ra_artist_id FROM performers") == [("Carl Cox", None)]
        assert not bench.rows("SELECT FROM findings")
        bench.close()


class TestWhoTheyAre:
    def test_once_whatever_the_spelling(self, bench: Bench) -> None:
        names = ["DJ Gigola", "dj gigola", "DJ  GIGOLA"]
        import_events(bench.fleet, [an_event(event_id=name, lineup_raw=name) for name in names])
        assert bench.rows("SELECT name FROM performers") == [("DJ Gigola",)]
        assert len(bench.rows("SELECT FROM event_performers")) == 3

    def test_a_performer_who_is_there_already(self, bench: Bench) -> None:
        bench.track("Teardrop", "Massive Attack")
        come = import_events(bench.fleet, [an_event(lineup_raw="massive attack, Tricky")])
        assert (len(come.performers), len(come.new)) == (2, 1)

    def test_ra_knows_two_of_one_name_apart(self, bench: Bench) -> None:
        lunas = [{"id": str(number), "name": "Luna"} for number in (1, 2)]
        import_events(bench.fleet, [an_event(artists=lunas)])
        import_events(bench.fleet, [an_event(event_id="18", artists=lunas[::-1])])
        assert bench.rows("SELECT name, ra_artist_id FROM performers ORDER BY 2") == [("Luna", "1"), ("Luna", "2")]

    def test_ra_knows_one_under_two_names(self, bench: Bench) -> None:
        one = {"name": "Old Name", "contentUrl": "https://ra.co/dj/same"}
        import_events(bench.fleet, [an_event(artists=[one])])
        import_events(bench.fleet, [an_event(event_id="18", artists=[{**one, "id": "7", "name": "New Name"}])])
        assert bench.rows("SELECT name, ra_artist_id FROM performers") == [("Old Name", "7")]
        assert bench.rows("SELECT billed_as FROM event_performers ORDER BY 1") == [("New Name",), ("Old Name",)]

    def test_a_changed_bill(self, bench: Bench) -> None:
        import_events(bench.fleet, [an_event(lineup_raw="One, Two, Three")])
        import_events(bench.fleet, [an_event(title="Another Night", lineup_raw="Three, Four")])
        query = "SELECT p.name FROM event_performers e JOIN performers p ON p.id = e.performer_id ORDER BY e.position"
        assert [name for (name,) in bench.rows(query)] == ["Three", "Four"]
        assert bench.rows("SELECT title FROM events") == [("Another Night",)]


class TestTheyAreEnriched:
    def test_all_of_the_bill(self, bench: Bench) -> None:
        import_events(bench.fleet, [an_event(artists=[CARL_COX], lineup_raw="Carl Cox, Local Hero")], priority=7)
        bench.settle_down()
        assert bench.upstream.questions() == ["performer", "performer"]
        found = bench.rows(
            "SELECT p.name, s.status, s.priority, p.enriched_at = s.finished_at FROM performers p"
            " JOIN enrichment_status s ON s.subject_id = p.id ORDER BY 1"
        )
        assert [tuple(row) for row in found] == [
            ("Carl Cox", "completed", 7, True),
            ("Local Hero", "completed", 7, True),
        ]
        ((metadata, moment),) = bench.rows("SELECT metadata, enriched_at FROM performers WHERE name = 'Carl Cox'")
        assert metadata["enriched_at"] == moment.isoformat()
        assert metadata["source"] == "resident_advisor"

    def test_again_asks_nobody(self, bench: Bench) -> None:
        for _ in range(2):
            import_events(bench.fleet, [an_event(artists=[CARL_COX])])
            bench.settle_down()
        assert len(bench.upstream.asked) == 1

    def test_a_failure_leaves_what_was_imported(self, bench: Bench) -> None:
        bench.upstream.refuse("performer", 401)
        import_events(bench.fleet, [an_event(artists=[CARL_COX], lineup_raw="Carl Cox, Local Hero")])
        bench.settle_down()
        found = bench.rows(
            "SELECT p.name, p.image_url IS NOT NULL, s.status FROM performers p"
            " JOIN enrichment_status s ON s.subject_id = p.id ORDER BY 1"
        )
        assert [tuple(row) for row in found] == [("Carl Cox", True, "partial"), ("Local Hero", False, "failed")]

    def test_one_event_by_its_id(self, bench: Bench) -> None:
        import_events(bench.fleet, [an_event(lineup_raw="One, Two"), an_event(event_id="18", lineup_raw="Three")])
        bench.settle_down()
        ((own,),) = bench.rows("SELECT id FROM events WHERE external_id = '17'")
        assert enrich_event_performers(bench.fleet, "17") == enrich_event_performers(bench.fleet, str(own)) == 2
        with pytest.raises(Unknown, match="event_id: '19' is not known"):
            enrich_event_performers(bench.fleet, "19")


class TestAsTasks:
    def test_events_are_taken_and_bad_ones_refused_each(self, bench: Bench) -> None:
        taken = take(
            bench.fleet, Order("import_events", ([an_event(lineup_raw="One, Two"), {"title": "?"}],), {}, "m-1")
        )
        assert "'events': 1" in taken.said
        (refusal,) = taken.refused
        assert refusal.order.given == {"events": [{"title": "?"}]}
        assert bench.rows("SELECT DISTINCT correlation_id FROM enrichment_status") == [("m-1",)]

    def test_a_message_that_comes_twice(self, bench: Bench) -> None:
        import_events(bench.fleet, [an_event(lineup_raw="One, Two")])
        bench.settle_down()
        bench.run("TRUNCATE enrichment_status")
        for _ in range(2):
            assert take(bench.fleet, Order("enrich_event_performers", (17,), {"priority": 8}, "m-2")).said == (
                "2 performers accepted"
            )
        assert len(bench.rows("SELECT FROM requests")) == 2

    @pytest.mark.parametrize(
        ("task", "args", "given"),
        [
            ("enrich_event_performers", ("nobody",), {}),
            ("enrich_event_performers", (), {}),
            ("enrich_event_performers", ("17",), {"event_id": "17"}),
            ("enrich_event_performers", ("17",), {"urgent": True}),
            ("import_events", ("no list",), {}),
            ("enrich_batch", (), {"batch_size": -1}),
            ("enrich_batch", (1, 2, 3, 4), {}),
        ],
    )
    def test_what_cannot_be_taken(self, bench: Bench, task: str, args: tuple[Any, ...], given: dict[str, Any]) -> None:
        assert take(bench.fleet, Order(task, args, given)).refused


class TestRealEvents:
    def test_all_of_them(self, bench: Bench) -> None:
        given = events()
        come = import_events(bench.fleet, given)
        assert (len(come.bills), come.rejected) == (len({each["event_id"] for each in given}), [])
        names = [name for (name,) in bench.rows("SELECT name FROM performers")]
        assert len(names) == len(come.new) > 4000
        assert len({name_key(name) for name in names}) == len(names)
        assert not [name for name in names if "tba" in name.lower().split() or name.endswith(":")]
        with_address = {each for event in given for each in event.get("artist_urls") or ()}
        assert {url for (url,) in bench.rows("SELECT ra_artist_url FROM performers WHERE ra_artist_url <> ''")} == (
            with_address
        )

        again = import_events(bench.fleet, given)
        assert (again.performers, again.new, again.bills) == (come.performers, set(), come.bills)

    def test_in_a_handful_of_statements(self, bench: Bench) -> None:
        made: list[str] = []
        listen(bench.fleet.engine, "before_cursor_execute", lambda *told: made.append(told[2]))
        import_events(bench.fleet, events()[:200])
        assert len(bench.rows("SELECT FROM performers")) > 500
        assert len(made) < 30
