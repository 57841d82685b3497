"""Performers of Resident Advisor: who needs enrichment, that asking is spread over time, and what is reported."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
import structlog
from sqlalchemy.event import listen

from enrichment.domain.orders import Order
from enrichment.services import performers
from enrichment.services.events import import_events
from enrichment.services.intake import take
from enrichment.services.requests import PerformerRequest, Unknown, read
from enrichment.services.submit import submit
from tests.services.fakes import Bench
from tests.support import left_of

IMAGE, URL = {"image": "https://static.ra.co/1.jpg"}, {"contentUrl": "/dj/one"}
BOTH = {**IMAGE, **URL}


def known(bench: Bench, name: str, **facts: Any) -> str:
    """A performer that an event has brought, for whom nobody has looked yet. Returns our id of it."""
    artist = {"id": name, "name": name, **facts}
    import_events(bench.fleet, [{"event_id": name, "title": "A Night", "artists": [artist]}])
    bench.run("DELETE FROM enrichment_status WHERE subject_id = (SELECT id FROM performers WHERE name = :n)", n=name)
    ((id_,),) = bench.rows("SELECT id FROM performers WHERE name = :name", name=name)
    return str(id_)


def seconds_until_due(bench: Bench) -> dict[str, float]:
    return dict(
        bench.rows(
            "SELECT p.name, extract(epoch FROM s.due_at - s.requested_at)::float FROM enrichment_status s"
            " JOIN performers p ON p.id = s.subject_id ORDER BY s.due_at"
        )
    )


def names(found: list[performers.Performer]) -> list[str]:
    return [each.name for each in found]


class TestWhoNeedsIt:
    def test_by_need(self, bench: Bench) -> None:
        for name, facts in {"rest": BOTH, "no url": IMAGE, "no image": URL, "nothing": {}}.items():
            known(bench, name, **facts)
        queue = performers.get_enrichment_queue(bench.fleet)
        assert {need: sorted(names(found)) for need, found in queue.items()} == {
            "high_priority": ["no image", "nothing"],
            "medium_priority": ["no url"],
            "low_priority": ["rest"],
        }
        assert names(performers.find_performers_needing_enrichment(bench.fleet, 10))[2:] == ["no url", "rest"]
        assert len(performers.find_performers_needing_enrichment(bench.fleet, 1)) == 1

    def test_once_enriched_only_what_still_lacks_something_and_last(self, bench: Bench) -> None:
        known(bench, "complete", **BOTH)
        known(bench, "no image")
        performers.enrich_all_pending(bench.fleet)
        bench.settle_down()
        known(bench, "new", **BOTH)
        assert names(performers.find_performers_needing_enrichment(bench.fleet)) == ["new", "no image"]

    def test_on_an_index(self, bench: Bench) -> None:
        made: list[tuple[str, Any]] = []
        listen(bench.fleet.engine, "before_cursor_execute", lambda *told: made.append((told[2], told[3])))
        performers.find_performers_needing_enrichment(bench.fleet)
        performers.enrichment_stats(bench.fleet)
        with bench.fleet.engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            for statement, values in made[:2]:
                plan = connection.exec_driver_sql(f"EXPLAIN {statement}", values).scalars().all()
                assert any("ix_performers_ra_need" in line for line in plan), plan

    def test_only_those_with_an_ra_id(self, bench: Bench) -> None:
        submit(bench.fleet, read(PerformerRequest, {"name": "Nobody"}))
        import_events(bench.fleet, [{"event_id": "1", "title": "A", "artists": [{"name": "By Page", **URL}]}])
        assert performers.find_performers_needing_enrichment(bench.fleet) == []
        assert performers.enrichment_stats(bench.fleet)["total_ra_performers"] == 0


class TestMany:
    def test_a_batch_is_spread_over_time(self, bench: Bench) -> None:
        for name in ("one", "two", "three"):
            known(bench, name)
        assert performers.enrich_batch(bench.fleet, batch_size=2, delay_seconds=60) == 2
        first, second = seconds_until_due(bench).values()
        assert (first, second) == (left_of(0), left_of(60))
        bench.settle_down()
        assert len(bench.upstream.asked) == 1
        bench.run("UPDATE enrichment_status SET due_at = due_at - interval '60 seconds'")
        bench.settle_down()
        assert len(bench.upstream.asked) == 2
        assert bench.rows("SELECT DISTINCT status, due_at FROM enrichment_status") == [("completed", None)]

    def test_the_next_batch_takes_the_next_ones(self, bench: Bench) -> None:
        for number in range(4):
            known(bench, f"no {number}")
        counts = [performers.enrich_batch(bench.fleet, 3, 1000), performers.enrich_batch(bench.fleet, 3, 1000)]
        assert counts == [3, 3]
        assert len(bench.rows("SELECT FROM enrichment_status")) == 4

    def test_who_is_asked_for_by_somebody_else_does_not_wait(self, bench: Bench) -> None:
        waiting = known(bench, "one")
        performers.enrich_batch(bench.fleet, delay_seconds=1000)
        bench.run("UPDATE enrichment_status SET due_at = due_at + interval '1 hour'")
        bench.track("A Title", "one")
        bench.settle_down()
        assert "performer" in bench.upstream.questions()
        assert bench.status(waiting).status == "pending"
        performers.enrich_performer(bench.fleet, waiting)
        bench.settle_down()
        assert bench.status(waiting).status == "completed"

    def test_those_without_picture_first(self, bench: Bench) -> None:
        for name, facts in {"rest": BOTH, "no image": URL}.items():
            known(bench, name, **facts)
        assert performers.enrich_high_priority(bench.fleet, 10) == 1
        assert list(seconds_until_due(bench)) == ["no image"]

    def test_all(self, bench: Bench) -> None:
        for number in range(5):
            known(bench, f"no {number}")
        assert performers.enrich_all_pending(bench.fleet, chunk=2) == 5
        bench.settle_down()
        assert performers.enrichment_stats(bench.fleet)["enriched_performers"] == 5

    @pytest.mark.parametrize("ask", [performers.enrich_batch, performers.enrich_high_priority])
    def test_nobody_is_there(self, bench: Bench, ask: Any) -> None:
        assert ask(bench.fleet) == performers.enrich_all_pending(bench.fleet) == 0

    def test_a_message_that_comes_twice_is_one_batch(self, bench: Bench) -> None:
        for number in range(3):
            known(bench, f"no {number}")
        order = Order("enrich_batch", (), {"batch_size": 2, "delay_seconds": 5}, "m-1")
        assert [take(bench.fleet, order).said for _ in range(2)] == ["2 performers accepted", "0 performers accepted"]

    @pytest.mark.parametrize(("task", "count"), [("enrich_high_priority", 2), ("enrich_all_pending", 2)])
    def test_as_tasks(self, bench: Bench, task: str, count: int) -> None:
        for number in range(2):
            known(bench, f"no {number}")
        assert take(bench.fleet, Order(task, (), {}, "m-1")).said == f"{count} performers accepted"


class TestReports:
    def test_one(self, bench: Bench) -> None:
        bench.upstream.answers["performer"] = {"genres": ["techno"]}
        given = known(bench, "943", country={"name": "United Kingdom"}, **BOTH)
        performers.enrich_performer(bench.fleet, given)
        bench.settle_down()
        report = performers.enrichment_report(bench.fleet, given)
        assert report.pop("enriched_at").startswith("20")
        provenance = report.pop("provenance")
        assert provenance["ra_artist_id"]["source"] == provenance["image_url"]["source"] == "residentadvisor"
        assert provenance["genres"]["source"] == "alpha"
        assert report == {
            "performer_id": given,
            "performer_name": "943",
            "has_ra_artist_id": True,
            "has_image": True,
            "has_ra_url": True,
            "country": "United Kingdom",
            "enriched": True,
            "completeness_score": 1.0,
        }
        one = performers.performer(bench.fleet, given)
        assert performers.has_ra_artist_id(one)
        assert performers.enriched(one)
        assert bench.status(uuid.UUID(given)).completeness_score == pytest.approx(1)

    def test_nothing_known(self, bench: Bench) -> None:
        ref = submit(bench.fleet, read(PerformerRequest, {"name": "Nobody", "performer_id": "own-1"}))
        report = performers.enrichment_report(bench.fleet, "own-1")
        assert (report["performer_id"], report["completeness_score"], report["country"]) == ("own-1", 0, None)
        assert not any(
            report[name] for name in ("has_ra_artist_id", "has_image", "has_ra_url", "enriched", "provenance")
        )
        assert performers.enrichment_report(bench.fleet, str(ref.id)) == report

    def test_all(self, bench: Bench) -> None:
        assert performers.enrichment_stats(bench.fleet)["enrichment_percentage"] == 0
        for number in range(3):
            known(bench, f"no {number}", **(BOTH if number else {}))
        performers.enrich_high_priority(bench.fleet)
        bench.settle_down()
        assert performers.enrichment_stats(bench.fleet) == {
            "total_ra_performers": 3,
            "enriched_performers": 1,
            "performers_with_images": 2,
            "pending_enrichment": 2,
            "enrichment_percentage": 33.33,
        }

    @pytest.mark.parametrize("ask", ["enrich_performer", "enrichment_report", "reset_enrichment", "performer"])
    def test_an_unknown_one(self, bench: Bench, ask: str) -> None:
        with pytest.raises(Unknown, match="'nobody' is not known"):
            getattr(performers, ask)(bench.fleet, "nobody")


class TestReset:
    def test_findings_stay_and_it_counts_as_never_enriched(self, bench: Bench) -> None:
        given = known(bench, "one", **BOTH)
        performers.enrich_performer(bench.fleet, given)
        bench.settle_down()
        before = bench.rows("SELECT field, source FROM findings ORDER BY 1, 2")
        assert take(bench.fleet, Order("reset_enrichment", (given,))).said == f"performer {given} reset"
        assert not performers.enriched(performers.performer(bench.fleet, given))
        assert "enriched_at" not in bench.rows("SELECT metadata FROM performers")[0].metadata
        assert bench.rows("SELECT field, source FROM findings ORDER BY 1, 2") == before
        assert performers.enrich_batch(bench.fleet) == 1
        bench.settle_down()
        assert performers.enriched(performers.performer(bench.fleet, given))

    def test_a_failure_is_forgotten(self, bench: Bench) -> None:
        bench.upstream.answers["performer"] = None
        ref = submit(bench.fleet, read(PerformerRequest, {"name": "Nobody"}))
        bench.settle_down()
        assert bench.status(ref.id).status == "failed"
        performers.reset_enrichment(bench.fleet, str(ref.id))
        assert not bench.rows("SELECT FROM enrichment_status")

    def test_an_open_request_goes_on(self, bench: Bench) -> None:
        ref = submit(bench.fleet, read(PerformerRequest, {"name": "Somebody"}))
        performers.reset_enrichment(bench.fleet, str(ref.id))
        assert bench.status(ref.id).status == "in_progress"


class TestWhatOtherProgramsWrote:
    FACTS: ClassVar[Mapping[str, str]] = {
        "ra_artist_id": "943",
        "ra_artist_url": "https://ra.co/dj/carlcox",
        "country": "United Kingdom",
        "country_code": "GB",
        "source": "resident_advisor",
    }

    def insert(self, bench: Bench, facts: Mapping[str, str]) -> str:
        statement = "INSERT INTO performers (name, metadata) VALUES ('Carl Cox', CAST(:facts AS jsonb))"
        bench.run(statement, facts=json.dumps(facts))
        ((id_,),) = bench.rows("SELECT id FROM performers")
        return str(id_)

    def test_facts_in_the_metadata_count(self, bench: Bench) -> None:
        given = self.insert(bench, self.FACTS)
        assert performers.enrichment_stats(bench.fleet)["pending_enrichment"] == 1
        assert performers.enrichment_report(bench.fleet, given)["completeness_score"] == pytest.approx(0.8)

    def test_enriching_takes_them_over(self, bench: Bench) -> None:
        bench.upstream.answers["performer"] = {"genres": ["techno"]}
        given = self.insert(bench, {**self.FACTS, "image_url": "https://static.ra.co/1.jpg"})
        performers.enrich_performer(bench.fleet, given)
        bench.settle_down()
        (row,) = bench.rows("SELECT ra_artist_id, ra_artist_url, image_url, country_code, metadata FROM performers")
        assert tuple(row[:4]) == ("943", self.FACTS["ra_artist_url"], "https://static.ra.co/1.jpg", "GB")
        assert {name: row.metadata[name] for name in self.FACTS} == self.FACTS
        assert performers.enrichment_report(bench.fleet, given)["provenance"]["ra_artist_id"]["source"] == (
            "residentadvisor"
        )

    def test_what_says_it_is_enriched_is(self, bench: Bench) -> None:
        given = self.insert(bench, {**self.FACTS, "enriched_at": "2025-01-15T10:30:00Z"})
        assert performers.enriched(performers.performer(bench.fleet, given))
        assert performers.enrichment_stats(bench.fleet)["enriched_performers"] == 1


class TestItIsTold:
    def test_from_beginning_to_end(self, bench: Bench) -> None:
        given = known(bench, "Carl Cox", **BOTH)
        with structlog.testing.capture_logs() as told:
            performers.enrich_performer(bench.fleet, given)
            bench.settle_down()
        lines = [(line["event"], line["performer_id"]) for line in told if "performer_id" in line]
        assert lines == [("Starting RA artist enrichment", given), ("Successfully enriched performer", given)]
        assert [line["name"] for line in told if line["event"] == "Successfully enriched performer"] == ["Carl Cox"]

    def test_a_failure_with_its_reason(self, bench: Bench) -> None:
        bench.upstream.answers["performer"] = None
        with structlog.testing.capture_logs() as told:
            submit(bench.fleet, read(PerformerRequest, {"name": "Nobody", "performer_id": "own-1"}))
            bench.settle_down()
            with pytest.raises(Unknown):
                performers.enrich_performer(bench.fleet, "own-2")
        failed = [
            (line["performer_id"], line["reason"]) for line in told if line["event"] == "Failed to enrich performer"
        ]
        assert failed == [
            ("own-1", "no source knows it (asked: alpha)"),
            ("own-2", "performer_id: 'own-2' is not known, and without names it cannot be created"),
        ]
