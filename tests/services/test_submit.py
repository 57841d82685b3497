"""Submit: what a request creates, which subject it means, and what it joins."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from enrichment.services.fetch import fetch
from enrichment.services.requests import (
    AlbumRequest,
    BadRequest,
    PerformerRequest,
    Request,
    TrackRequest,
    Unknown,
    read,
)
from enrichment.services.submit import submit, submit_all
from tests.services.fakes import Bench, Upstream


def a_track(**given: Any) -> TrackRequest:
    return read(TrackRequest, {"artist_name": "Massive Attack", "track_title": "Teardrop"} | given)


class TestWhatItCreates:
    def test_subject_status_and_lookups(self, bench: Bench) -> None:
        ref = submit(bench.fleet, a_track(album_title="Mezzanine", priority=7, correlation_id="c-1"))
        ((title, artist, performer, album),) = bench.rows(
            "SELECT t.title, t.artist, p.name, a.title FROM tracks t JOIN performers p ON p.id = t.performer_id"
            " JOIN albums a ON a.id = t.album_id WHERE t.id = :id",
            id=ref.id,
        )
        assert (title, artist, performer, album) == ("Teardrop", "Massive Attack", "Massive Attack", "Mezzanine")
        status = bench.status(ref.id)
        assert (status.status, status.priority, status.correlation_id) == ("in_progress", 7, "c-1")
        assert sorted(name for name, state, _ in bench.lookups() if state == "waiting") == [
            "alpha.performer",
            "alpha.track",
            "beta.album",
        ]
        assert {row.priority for row in bench.rows("SELECT priority FROM lookups")} == {7}

    def test_messages_are_sent_after_the_commit(self, bench: Bench) -> None:
        seen: list[int] = []
        send = bench.fleet.send_fetch
        bench.fleet.send_fetch = lambda source, ticket: (
            seen.append(bench.rows("SELECT count(*) AS n FROM lookups")[0].n),
            send(source, ticket),
        )[-1]
        bench.track()
        assert seen
        assert min(seen) == 2

    def test_nothing_remains_of_a_transaction_that_fails(self, own_bench: Bench) -> None:
        own_bench.run("ALTER TABLE lookups ADD CONSTRAINT no CHECK (source <> 'alpha')")
        with pytest.raises(Exception, match='constraint "no"'):
            submit(own_bench.fleet, a_track())
        assert not own_bench.rows(
            "SELECT FROM tracks UNION ALL SELECT FROM enrichment_status UNION ALL SELECT FROM lookups"
        )
        assert not own_bench.tickets

    def test_low_priority_gathers_and_asks_the_cheapest_question_only(self, bench: Bench) -> None:
        bench.track(priority=2)
        # Nothing else is claimed or claimable, so the batch is released at once.
        assert bench.lookups() == [("alpha.track", "waiting", None)]
        bench.track("Angel", priority=2)
        assert bench.lookups()[1] == ("alpha.track", "gathering", None)

    def test_critical_asks_all_sources_at_once(self, bench: Bench) -> None:
        bench.track(priority=10, existing_isrc="GBAAA9800322")
        assert {name for name, _, _ in bench.lookups()} == {"alpha.track", "alpha.performer", "beta.by_isrc"}

    def test_an_album_and_a_performer(self, bench: Bench) -> None:
        album = submit(bench.fleet, read(AlbumRequest, {"artist": "Air", "title": "Moon Safari"}))
        performer = submit(bench.fleet, read(PerformerRequest, {"name": "Air"}))
        assert [name for name, _, _ in bench.lookups(album.id)] == ["beta.album"]
        assert [name for name, _, _ in bench.lookups(performer.id)] == ["alpha.performer"]
        (row,) = bench.rows("SELECT performer_id FROM albums")
        assert row.performer_id == performer.id


class TestWhichSubject:
    @pytest.mark.parametrize(
        ("artist", "title"),
        [
            ("Massive Attack", "Teardrop"),
            ("MASSIVE ATTACK", "teardrop"),
            ("  Massive Attack ", "Teardrop  "),
        ],
    )
    def test_the_same_names_join(self, bench: Bench, artist: str, title: str) -> None:
        first = bench.track()
        assert bench.track(title, artist) == first
        assert len(bench.rows("SELECT FROM lookups")) == 2

    def test_another_version_is_another_track(self, bench: Bench) -> None:
        assert bench.track() != bench.track("Teardrop (Live)")

    def test_a_producers_id_and_ours_find_it(self, bench: Bench) -> None:
        first = submit(bench.fleet, a_track(track_id="scraper-7"))
        assert submit(bench.fleet, read(TrackRequest, {"track_id": "scraper-7"})) == first
        assert submit(bench.fleet, read(TrackRequest, {"track_id": str(first.id)})) == first

    def test_ours_in_another_spelling_finds_it(self, bench: Bench) -> None:
        first = submit(bench.fleet, a_track())
        assert submit(bench.fleet, read(TrackRequest, {"track_id": str(first.id).upper()})) == first

    def test_an_id_of_another_kind_does_not(self, bench: Bench) -> None:
        submit(bench.fleet, a_track(track_id="7"))
        with pytest.raises(Unknown, match="performer_id: '7' is not known"):
            submit(bench.fleet, read(PerformerRequest, {"performer_id": "7"}))

    @pytest.mark.parametrize("track_id", ["nobody", str(uuid.UUID(int=7))])
    def test_an_unknown_id_alone_is_unknown(self, bench: Bench, track_id: str) -> None:
        with pytest.raises(Unknown, match="is not known, and without names it cannot be created"):
            submit(bench.fleet, read(TrackRequest, {"track_id": track_id}))
        assert not bench.rows("SELECT FROM tracks")

    def test_neither_id_nor_names(self, bench: Bench) -> None:
        with pytest.raises(Unknown, match="neither its id nor its names"):
            submit(bench.fleet, read(TrackRequest, {"artist_name": "Air"}))

    def test_a_subject_without_id_adopts_the_producers(self, bench: Bench) -> None:
        first = submit(bench.fleet, a_track())
        assert submit(bench.fleet, a_track(track_id="x")) == first
        assert submit(bench.fleet, read(TrackRequest, {"track_id": "x"})) == first

    @pytest.mark.parametrize(
        ("first", "second", "same"),
        [
            ({"track_id": "a"}, {"track_id": "b"}, False),
            ({"existing_isrc": "GBAAA9800322"}, {"existing_isrc": "GBAAA9800323"}, False),
            ({"existing_isrc": "GBAAA9800322"}, {}, True),
            ({"duration_ms": 330_000}, {"duration_ms": 341_000}, False),
            ({"duration_ms": 330_000}, {"duration_ms": 339_000}, True),
            ({"duration_ms": 330_000}, {}, True),
        ],
    )
    def test_conflicting_facts_make_twins(
        self, bench: Bench, first: dict[str, Any], second: dict[str, Any], same: bool
    ) -> None:
        one, other = submit(bench.fleet, a_track(**first)), submit(bench.fleet, a_track(**second))
        assert (one == other) is same

    def test_twins_know_what_the_other_knows(self, bench: Bench) -> None:
        submit(bench.fleet, a_track(track_id="a"))
        bench.settle_down()
        before = len(bench.upstream.asked)
        twin = submit(bench.fleet, a_track(track_id="b"))
        bench.settle_down()
        assert bench.rows("SELECT isrc, key FROM tracks WHERE id = :id", id=twin.id) == [("GBAAA9800322", "A Minor")]
        assert len(bench.upstream.asked) == before
        assert bench.status(twin.id).status == "completed"

    def test_what_a_twin_was_asked_in_vain_is_not_asked_again(self, bench: Bench) -> None:
        bench.upstream.answers["track"] = None
        submit(bench.fleet, a_track(track_id="a"))
        bench.settle_down()
        before = len(bench.upstream.asked)
        twin = submit(bench.fleet, a_track(track_id="b"))
        bench.settle_down()
        assert bench.status(twin.id).status == "failed"
        assert len(bench.upstream.asked) == before
        submit(bench.fleet, a_track(track_id="c", track_title="TEARDROP"))
        bench.settle_down()
        assert len(bench.upstream.asked) > before, "with another spelling it is another question"

    @pytest.mark.parametrize(("named", "label"), [(None, "Virgin"), ("Mezzanine", None)])
    def test_the_album_that_a_reply_named_is_the_twins_too(
        self, bench: Bench, named: str | None, label: str | None
    ) -> None:
        """What its producer named is that producer's word."""
        bench.upstream.answers["track"] = {"bpm": 78.0, "album.title": "Mezzanine", "album.barcode": "724384559922"}
        submit(bench.fleet, a_track(track_id="a", album_title=named))
        bench.settle_down()
        before = len(bench.upstream.asked)
        twin = submit(bench.fleet, a_track(track_id="b"))
        bench.settle_down()
        assert bench.rows("SELECT label FROM tracks WHERE id = :id", id=twin.id) == [(label,)]
        assert len(bench.upstream.asked) == before
        bench.run("UPDATE enrichment_status SET holds_until = NULL")
        planned = submit(bench.fleet, a_track(track_id="c"))
        assert bench.rows("SELECT label FROM tracks WHERE id = :id", id=planned.id) == [(label,)]


PICTURE = "https://example.org/cover.jpg"
_STANDING = """
SELECT status, count(DISTINCT s.subject_id), count(DISTINCT l.subject_id)
FROM enrichment_status s LEFT JOIN lookups l ON l.subject_id = s.subject_id GROUP BY status
"""


class TestMany:
    def test_one_that_cannot_be_taken_does_not_hinder_the_others(self, bench: Bench) -> None:
        good, bad, also = submit_all(
            bench.fleet, [a_track(), read(TrackRequest, {"track_id": "nobody"}), a_track(track_title="Angel")]
        )
        assert good.ref is not None
        assert also.ref is not None
        assert bad.ref is None
        assert "is not known" in str(bad.error)

    def test_the_same_subject_twice_in_one_go(self, bench: Bench) -> None:
        one, two = submit_all(bench.fleet, [a_track(priority=2), a_track(priority=8)])
        assert one.ref == two.ref
        assert bench.status(one.ref.id).priority == 8

    def test_one_id_with_two_spellings_in_one_go(self, bench: Bench) -> None:
        one, two = submit_all(
            bench.fleet, [a_track(track_id="x"), a_track(track_id="x", track_title="Teardrop (Mad Professor Mix)")]
        )
        assert one.ref == two.ref
        assert len(bench.rows("SELECT FROM tracks")) == 1

    def test_one_id_with_two_names_of_a_performer(self, bench: Bench) -> None:
        requests = [read(PerformerRequest, {"performer_id": "p", "name": name}) for name in ("Air", "Aïr (FR)")]
        one, two = submit_all(bench.fleet, requests)
        assert one.ref == two.ref

    def test_tracks_of_one_performer_ask_about_it_once(self, bench: Bench) -> None:
        submit_all(bench.fleet, [a_track(track_title=f"No {n}") for n in range(20)])
        found = bench.rows("SELECT question, count(*) FROM lookups GROUP BY 1 ORDER BY 1")
        assert found == [("performer", 1), ("track", 20)]

    def test_what_comes_again_and_again_is_one_of_its_transaction(self, bench: Bench) -> None:
        titles = [f"Title {n % 300}" for n in range(900)]
        accepted = submit_all(bench.fleet, [a_track(track_title=title) for title in titles])
        ((count, transactions),) = bench.rows("SELECT count(*), count(DISTINCT xmin::text) FROM enrichment_status")
        assert (count, transactions) == (300, 4)
        known = {row.id: row.title for row in bench.rows("SELECT id, title FROM tracks")}
        assert [known[each.ref.id] for each in accepted if each.ref] == titles

    def test_more_than_a_chunk_is_planned_by_a_steward(self, bench: Bench) -> None:
        tracks = [a_track(track_title=f"No {n}", priority=3, existing_isrc=f"GBAAA98{n:05d}") for n in range(260)]
        accepted = submit_all(bench.fleet, tracks)
        assert len({each.ref for each in accepted}) == 260
        assert bench.rows(_STANDING) == [("pending", 260, 0)]
        assert not bench.tickets
        bench.steward.round()
        assert bench.rows(_STANDING) == [("in_progress", 260, 260)]
        assert bench.rows("SELECT count(DISTINCT isrc) FROM tracks") == [(260,)]
        assert bench.rows("SELECT count(*) FROM replans") == [(0,)]
        assert bench.tickets

    def test_what_is_urgent_or_particular_is_planned_at_once_in_bulk_too(self, bench: Bench) -> None:
        for number, more in enumerate(({"priority": 10}, {"force_refresh": True}, {"temporary_artwork_url": PICTURE})):
            plain = [a_track(track_title=f"{number} {n}", priority=2) for n in range(250)]
            submit_all(bench.fleet, [*plain, a_track(track_title=f"{number} particular", **more)])
            asked = bench.rows("SELECT t.title FROM lookups l JOIN tracks t ON t.id = l.subject_id")
            assert (f"{number} particular",) in asked
            assert len(asked) == number + 1

    def test_in_bulk_what_is_open_is_joined_and_what_is_fresh_is_reused(self, bench: Bench) -> None:
        known, still = submit(bench.fleet, a_track()), a_track(track_title="Still open", priority=2)
        bench.settle_down()
        waiting = submit(bench.fleet, still)
        calls = len(bench.upstream.asked)
        raised = still.model_copy(update={"priority": 5})
        accepted = submit_all(bench.fleet, [a_track(), raised, *(a_track(track_title=f"No {n}") for n in range(260))])
        assert [each.ref for each in accepted[:2]] == [known, waiting]
        assert bench.status(waiting.id).priority == 5
        assert bench.status(known.id).status == "completed"
        bench.steward.round()
        assert bench.status(waiting.id).status == "in_progress"
        assert len(bench.upstream.asked) == calls


class TestAtOnce:
    """Many producers and workers at the same time, each with connections of its own."""

    def test_the_same_names_create_one_subject(self, bench: Bench) -> None:
        requests = [
            [a_track(track_title=f"No {n % 7}", album_title=f"Album {n % 3}", priority=1 + n % 10)] for n in range(40)
        ]
        with ThreadPoolExecutor(8) as pool:
            refs = [each.ref for (each,) in pool.map(lambda chunk: submit_all(bench.fleet, chunk), requests)]
        assert len(set(refs)) == 7
        assert bench.rows(
            "SELECT (SELECT count(*) FROM tracks), (SELECT count(*) FROM performers), (SELECT count(*) FROM albums)"
        ) == [(7, 1, 3)]

    def test_submits_and_settles_in_every_order_meet_no_deadlock(
        self, bench: Bench, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Threads fetch while others submit tracks that share performers and albums."""
        requests = [
            [
                a_track(artist_name=f"A {(n + m) % 3}", track_title=f"T {n}-{m}", album_title=f"L {m % 2}")
                for m in range(6)
            ]
            for n in range(12)
        ]

        def fetch_some(_: int) -> None:
            with suppress(IndexError):
                while True:
                    fetch(bench.fleet, *bench.tickets.popleft())

        with ThreadPoolExecutor(6) as pool:
            submitted = [pool.submit(submit_all, bench.fleet, chunk) for chunk in requests]
            fetched = [pool.submit(fetch_some, n) for n in range(12)]
            for each in (*submitted, *fetched):
                each.result()
        bench.settle_down()
        assert bench.rows("SELECT status, count(*) FROM enrichment_status GROUP BY 1") == [("completed", 72)]
        assert bench.rows("SELECT lookup_id FROM settles GROUP BY 1 HAVING count(*) > 1") == []
        assert "begun anew" not in capsys.readouterr().out


class TestAskingAgain:
    def test_while_open_raises_lane_and_priority(self, bench: Bench) -> None:
        track = bench.track(priority=1)
        bench.track("Other", priority=1)
        bench.track(priority=9)
        assert bench.status(track).priority == 9
        assert set(bench.rows("SELECT priority, lane, state FROM lookups WHERE subject_id = :id", id=track)) == {
            (9, "default", "waiting")
        }
        bench.track(priority=4)
        assert bench.status(track).priority == 9

    def test_raises_what_is_open_on_the_parents_it_needs(self, bench: Bench) -> None:
        bench.track("Other", priority=1)
        submit(bench.fleet, read(PerformerRequest, {"name": "Massive Attack", "priority": 1}))
        bench.track(priority=10)
        (row,) = bench.rows("SELECT priority, state FROM lookups WHERE question = 'performer'")
        assert row == (10, "waiting")

    def test_within_freshness_asks_nothing_and_ends_at_once(self, bench: Bench) -> None:
        track = bench.track(album_title="Mezzanine")
        bench.settle_down()
        before = len(bench.upstream.asked)
        bench.track()
        status = bench.status(track)
        assert (status.status, status.finished_at is not None) == ("completed", True)
        assert len(bench.upstream.asked) == before
        assert not bench.tickets

    def test_of_somebody_else_a_fresh_finding_is_used(self, bench: Bench) -> None:
        """Whoever asked: the performer's genres are known from another track."""
        bench.track()
        bench.settle_down()
        bench.track("Angel")
        bench.settle_down()
        assert bench.upstream.questions().count("performer") == 1

    def test_after_nothing_was_found_it_is_remembered(self, bench: Bench, upstream: Upstream) -> None:
        upstream.answers = {}
        track = bench.track()
        bench.settle_down()
        assert bench.status(track).status == "failed"
        before = len(upstream.asked)
        bench.track()
        bench.settle_down()
        assert len(upstream.asked) == before
        assert bench.status(track).status == "failed"

    def test_rechecks_grow_from_a_day(self, bench: Bench, upstream: Upstream) -> None:
        upstream.answers = {}
        track = bench.track()
        bench.settle_down()
        for days, asked in ((0.9, 0), (0.2, 1), (1.9, 0), (0.2, 1), (3.9, 0), (0.2, 1)):
            bench.age(days)
            before = upstream.questions().count("track")
            bench.track()
            bench.settle_down()
            assert upstream.questions().count("track") - before == asked, days
        assert max(row.misses for row in bench.rows("SELECT misses FROM lookups WHERE subject_id = :id", id=track)) == 4

    def test_at_leisure_they_begin_after_eight_days(self, bench: Bench, upstream: Upstream) -> None:
        upstream.answers = {}
        bench.track(priority=2)
        bench.settle_down()
        for days, asked in ((7.0, 0), (1.1, 1)):
            bench.age(days)
            before = upstream.questions().count("track")
            bench.track(priority=2)
            bench.settle_down()
            assert upstream.questions().count("track") - before == asked, days

    def test_when_stale_it_is_asked_again(self, bench: Bench, upstream: Upstream) -> None:
        bench.track()
        bench.settle_down()
        bench.age(31)
        before = len(upstream.asked)
        bench.track()
        bench.settle_down()
        assert len(upstream.asked) == 2 * before


class TestForceRefresh:
    def test_asks_again_past_findings_and_cache(self, bench: Bench, upstream: Upstream) -> None:
        track = bench.track()
        bench.settle_down()
        asked = upstream.questions()
        upstream.answers["track"] = {"isrc": "GBAAA9800322", "musicbrainz_id": "m-2", "bpm": 80.0}
        bench.track(force_refresh=True)
        bench.settle_down()
        assert sorted(upstream.questions()) == sorted(asked * 2)
        assert bench.rows("SELECT musicbrainz_id, bpm FROM tracks") == [("m-2", 80.0)]
        assert bench.status(track).status == "completed"

    def test_a_persons_lock_stays(self, bench: Bench) -> None:
        bench.track()
        bench.settle_down()
        bench.run(
            "UPDATE findings SET locked = true, value = '\"m-9\"' WHERE field = 'musicbrainz_id' AND kind = 'track'"
        )
        bench.track(force_refresh=True)
        bench.settle_down()
        assert bench.rows("SELECT musicbrainz_id FROM tracks") == [("m-9",)]

    def test_joins_a_waiting_lookup_that_then_passes_the_cache(self, bench: Bench, upstream: Upstream) -> None:
        """The open lookup was planned without force; its reply must not come from before the force."""
        bench.track()
        bench.settle_down()
        bench.age(31)
        bench.track()
        before = upstream.questions().count("track"), upstream.questions().count("performer")
        bench.track(force_refresh=True)
        bench.settle_down()
        after = upstream.questions().count("track"), upstream.questions().count("performer")
        assert after == (before[0] + 1, before[1] + 1)

    def test_a_call_begun_before_it_does_not_satisfy_it(self, bench: Bench, upstream: Upstream) -> None:
        answer = upstream.answers["track"]

        def forced_meanwhile(_keys: Any) -> Any:
            upstream.answers["track"] = answer
            bench.track(force_refresh=True)
            return answer

        upstream.answers["track"] = forced_meanwhile
        track = bench.track()
        bench.settle_down()
        assert upstream.questions().count("track") == 2
        assert bench.status(track).status == "completed"


BAD: list[tuple[type[Request], dict[str, Any], str]] = [
    (TrackRequest, {"artist_name": ""}, "artist_name: .*at least 1 character"),
    (TrackRequest, {"artist_name": "  "}, "artist_name: .*at least 1 character"),
    (TrackRequest, {"artist_name": None, "priority": 0}, "priority: .*greater than or equal to 1.*got 0"),
    (TrackRequest, {"priority": 11}, "priority: .*less than or equal to 10.*got 11"),
    (TrackRequest, {"priority": "x"}, "priority: .*valid integer.*got 'x'"),
    (TrackRequest, {"track_title": "a\x00b"}, "track_title: .*NUL byte"),
    (TrackRequest, {"track_title": "x" * 10_000}, r"track_title: .*at most 1000 characters.*\(10,002 characters\)"),
    (TrackRequest, {"track_title": "\ud800"}, "track_title: .*nicode"),
    (TrackRequest, {"track_id": "i" * 201}, "track_id: .*at most 200"),
    (TrackRequest, {"duration_ms": -1}, "duration_ms: .*greater than 0"),
    (TrackRequest, {"duration_ms": 10**12}, "duration_ms: .*less than"),
    (TrackRequest, {"titel": "Teardrop"}, "titel: .*not permitted"),
    (PerformerRequest, {"name": ["Air"]}, "name: .*valid string"),
    (AlbumRequest, {"title": {}}, "title: .*valid string"),
]


@pytest.mark.parametrize(("model", "given", "message"), BAD, ids=lambda value: str(value)[:40])
def test_a_bad_request_says_what_is_wrong(model: type[Request], given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest, match=message) as caught:
        read(model, given)
    assert len(str(caught.value)) < 300


def test_all_complaints_come_at_once() -> None:
    with pytest.raises(BadRequest, match=r"priority: .*; .*artist"):
        read(TrackRequest, {"priority": 0, "artist": ""})


def test_other_spellings_and_numbers_are_taken() -> None:
    request = read(TrackRequest, {"track_id": 12, "artist": "Air", "title": "Kelly", "album": "Moon", "priority": "6"})
    assert (request.track_id, request.artist_name, request.album_title) == ("12", "Air", "Moon")
    assert request.priority == 6
