"""Who asks again for what holds is answered with it at once, and so is who asks for its twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from enrichment.services.requests import PerformerRequest, read
from enrichment.services.submit import submit, submit_all
from tests.services.fakes import Bench
from tests.services.test_submit import a_track

ALBUM = {"label": "Virgin", "cover_art_url": "https://example.org/cover.jpg"}


def planned_at(bench: Bench, subject: Any) -> Any:
    """Moves with every plan that ends a request, and not where a record answers it."""
    return bench.status(subject).holds_from


def _performer_changes(bench: Bench) -> None:
    bench.upstream.answers["performer"] = {"genres": ["jazz"]}
    submit(bench.fleet, read(PerformerRequest, {"name": "Massive Attack", "force_refresh": True}))
    bench.settle_down()


def _nothing(_: Bench) -> None:
    """Has happened."""


class TestAskedAgain:
    def test_the_record_answers(self, bench: Bench) -> None:
        track = bench.track(priority=5)
        bench.settle_down()
        first, planned = bench.status(track), planned_at(bench, track)
        calls = len(bench.upstream.asked)
        bench.fleet.tally.take()
        batch = [a_track(priority=number, correlation_id="c-2") for number in (1, 3, 5)]
        submit_all(bench.fleet, batch)
        again = bench.status(track)
        assert planned_at(bench, track) == planned
        assert (again.status, again.priority, again.correlation_id) == ("completed", 5, "c-2")
        assert first.finished_at < again.requested_at <= again.finished_at
        assert len(bench.upstream.asked) == calls
        assert bench.rows("SELECT count(*) FROM replans") == [(0,)]
        counted = bench.fleet.tally.take()
        assert counted["enrichment_cache_hits_total", ()] == 1
        assert counted["tracks_enriched_total", ("completed",)] == 1
        assert counted["enrichment_duration_seconds_bucket", ("default", "0.5")] == 1

    def test_also_where_nobody_knows_it(self, bench: Bench) -> None:
        bench.upstream.answers = {}
        track = bench.track(priority=2)
        bench.settle_down()
        failed, planned = bench.status(track), planned_at(bench, track)
        bench.fleet.tally.take()
        bench.track(priority=2)
        assert planned_at(bench, track) == planned
        assert not bench.fleet.tally.take().get(("enrichment_cache_hits_total", ())), "nothing was known of it"
        assert bench.status(track).status == "failed"
        assert bench.status(track).error_message == failed.error_message

    @pytest.mark.parametrize(
        ("more", "happened"),
        [
            ({"priority": 5}, _nothing),
            ({"priority": 10}, _nothing),
            ({"force_refresh": True}, _nothing),
            ({"existing_spotify_id": "6rqhFgbbKwnb9MLmUQDhG6"}, _nothing),
            ({"album_title": "Mezzanine"}, _nothing),
            ({"temporary_artwork_url": "https://example.org/a.jpg"}, _nothing),
            ({}, _performer_changes),
            ({}, lambda bench: bench.age(31)),
            ({}, lambda bench: bench.run("UPDATE enrichment_status SET steps = steps + 1")),
            ({}, lambda bench: bench.run("UPDATE tracks SET updated_at = clock_timestamp()")),
            ({}, lambda bench: bench.run("UPDATE enrichment_status SET wanted = '{bpm}'")),
        ],
    )
    def test_but_it_is_planned_where_anything_may_be_new(
        self, bench: Bench, more: dict[str, Any], happened: Callable[[Bench], None]
    ) -> None:
        track = bench.track(priority=2)
        bench.settle_down()
        happened(bench)
        planned = planned_at(bench, track)
        submit_all(bench.fleet, [a_track(**{"priority": 3} | more)])
        bench.settle_down()
        assert planned_at(bench, track) > planned
        assert bench.status(track).status == "completed"

    def test_who_says_again_what_is_known_says_nothing_new(self, bench: Bench) -> None:
        facts = {"existing_isrc": "GBAAA9800001", "album_title": "Mezzanine", "duration_ms": 331_000}
        track = bench.track(**facts)
        bench.settle_down()
        planned = planned_at(bench, track)
        for known in (facts, {"duration_ms": 331_000}, {}):
            bench.track(**known)
            assert planned_at(bench, track) == planned
        submit_all(bench.fleet, [a_track(**facts), a_track(**facts | {"duration_ms": 332_000})])
        assert planned_at(bench, track) > planned

    def test_what_the_performer_passes_on_comes_with_the_next_request(self, bench: Bench) -> None:
        bench.track()
        bench.settle_down()
        _performer_changes(bench)
        bench.track()
        assert bench.rows("SELECT metadata -> 'genres' FROM tracks") == [(["jazz"],)]

    def test_what_tracks_have_not_from_their_performer_makes_no_difference(self, bench: Bench) -> None:
        track = bench.track()
        bench.settle_down()
        bench.upstream.answers["performer"] = bench.upstream.answers["performer"] | {"country": "GB"}
        submit(bench.fleet, read(PerformerRequest, {"name": "Massive Attack", "force_refresh": True}))
        bench.settle_down()
        assert bench.rows("SELECT country FROM performers") == [("GB",)]
        planned = planned_at(bench, track)
        bench.track()
        assert planned_at(bench, track) == planned

    def test_what_is_asked_for_holds_no_more(self, bench: Bench) -> None:
        """If it is cancelled then, it has ended without an answer."""
        track = bench.track(priority=2)
        bench.settle_down()
        submit_all(
            bench.fleet, [a_track(priority=2, duration_ms=331_000), *(a_track(track_title=f"{n}") for n in range(260))]
        )
        assert bench.status(track).status == "pending"
        assert bench.status(track).holds_until is None


_RECORD = """
SELECT to_jsonb(t) - '{id,external_id,created_at,updated_at,enriched_at}'::text[] AS record, s.status, s.error_message,
    s.is_retriable, s.sources_used, s.wanted, s.completeness_score, s.priority, s.steps
FROM tracks t JOIN enrichment_status s ON s.subject_id = t.id WHERE t.external_id = :id
"""
_KNOWN = """
SELECT field, source, value, confidence, reason FROM findings f JOIN tracks t ON t.id = f.subject_id
WHERE t.external_id = :id ORDER BY 1, 2
"""
_ASKED = """
SELECT source, question, state, outcome, keys, misses FROM lookups l JOIN tracks t ON t.id = l.subject_id
WHERE t.external_id = :id ORDER BY 1, 2
"""


class TestTwins:
    @pytest.mark.parametrize("album", [None, ALBUM])
    @pytest.mark.parametrize("track", [None, {"bpm": 78.0, "isrc": "GBAAA9800322"}])
    @pytest.mark.parametrize(
        "facts", [{}, {"existing_isrc": "GBAAA9800322", "album_title": "Mezzanine", "duration_ms": 331_000}]
    )
    def test_their_record_is_what_planning_would_make_it(
        self, bench: Bench, track: Any, album: Any, facts: dict[str, Any]
    ) -> None:
        bench.upstream.answers |= {"track": track, "album": album}
        bench.track(track_id="known", **facts)
        bench.settle_down()
        calls = len(bench.upstream.asked)
        bench.track(track_id="copied", **facts)
        bench.run("UPDATE enrichment_status SET holds_until = NULL")
        bench.track(track_id="planned", **facts)
        for query in (_RECORD, _KNOWN, _ASKED):
            copied, planned = (bench.rows(query, id=id_) for id_ in ("copied", "planned"))
            assert copied == planned
        assert len(bench.upstream.asked) == calls

    def test_a_copy_holds_as_long_as_its_twin(self, bench: Bench) -> None:
        known = bench.track(track_id="known")
        bench.settle_down()
        copied = bench.track(track_id="copied", priority=3)
        third = bench.track(track_id="third", priority=3)
        assert bench.status(copied).holds_until == bench.status(known).holds_until
        planned = planned_at(bench, copied)
        assert bench.track(track_id="copied", priority=3) == copied
        assert planned_at(bench, copied) == planned
        assert bench.status(third).status == "completed"

    @pytest.mark.parametrize(
        ("known", "new"),
        [
            ({}, {"existing_isrc": "GBAAA9800001"}),
            ({"existing_isrc": "GBAAA9800001"}, {}),
            ({}, {"track_title": "TEARDROP"}),
            ({}, {"artist_name": "massive attack"}),
            ({"priority": 2}, {"priority": 5}),
            ({}, {"force_refresh": True}),
        ],
    )
    def test_what_is_not_the_same_is_planned(self, bench: Bench, known: dict[str, Any], new: dict[str, Any]) -> None:
        submit(bench.fleet, a_track(track_id="known", **known))
        bench.settle_down()
        planned = [a_track(track_id="new", **new), *(a_track(track_title=f"No {n}") for n in range(260))]
        (ref, *_) = (each.ref for each in submit_all(bench.fleet, planned))
        assert ref is not None
        assert bench.status(ref.id).status in {"pending", "in_progress"}

    def test_what_a_person_has_locked_is_that_tracks_alone(self, bench: Bench) -> None:
        bench.track(track_id="known")
        bench.settle_down()
        bench.run("UPDATE findings SET locked = true, value = '80.0' WHERE field = 'bpm'")
        bench.run("UPDATE tracks SET bpm = 80.0")
        bench.track(track_id="new")
        assert bench.rows("SELECT count(*) FROM findings WHERE locked") == [(1,)]

    def test_what_another_program_keeps_beside_it_is_not_copied(self, bench: Bench) -> None:
        bench.track(track_id="known")
        bench.run("UPDATE tracks SET metadata = metadata || '{\"shelf\": 7}'")
        bench.settle_down()
        new = bench.track(track_id="new")
        assert bench.rows("SELECT metadata ? 'shelf', metadata ? 'genres' FROM tracks WHERE id = :id", id=new) == [
            (False, True)
        ]
