"""What a call can come to, and what becomes of its lookups, its source and its subjects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from enrichment.domain.outcomes import Judgement, Verdict
from enrichment.domain.questions import Budget, Limit
from enrichment.services import standing
from enrichment.services.fetch import fetch
from enrichment.wire.limiter import Limiter, NotNow
from enrichment.wire.wire import Result
from tests.conftest import Empty
from tests.services.fakes import Alpha, Bench, Beta, Upstream, a_bench
from tests.support import left_of


class TestAnswers:
    def test_found(self, bench: Bench) -> None:
        track = bench.track(album_title="Mezzanine")
        bench.settle_down()
        assert set(bench.lookups()) == {
            (name, "ended", "found") for name in ("alpha.track", "alpha.performer", "beta.album", "beta.by_isrc")
        }
        (row,) = bench.rows("SELECT isrc, bpm, key, label, artwork_url, metadata -> 'genres' AS genres FROM tracks")
        assert tuple(row) == (
            "GBAAA9800322",
            78.0,
            "A Minor",
            "Virgin",
            "http://covers.test/1.jpg",
            ["trip hop"],
        )
        status = bench.status(track)
        assert (status.status, status.sources_used, status.is_retriable) == ("completed", ["alpha", "beta"], False)
        assert status.error_message is None
        assert 0.5 < status.completeness_score < 1

    def test_a_waterfall_stops_when_what_is_wanted_is_there(self, bench: Bench, upstream: Upstream) -> None:
        upstream.answers["track"] = {"isrc": "GBAAA9800322", "musicbrainz_id": "m", "key": "C", "popularity": 1}
        bench.track()
        bench.settle_down()
        assert "by_isrc" in upstream.questions()  # for bpm
        upstream.asked.clear()
        upstream.answers["track"] |= {"bpm": 90.0}
        bench.track("Angel")
        bench.settle_down()
        assert upstream.questions() == ["track"]

    def test_a_batch_is_one_call_with_an_outcome_for_each(self, bench: Bench, upstream: Upstream) -> None:
        upstream.answers["track"] = lambda keys: {"bpm": 1.0} if keys["title"] == "A" else None
        for title in "ABC":
            bench.track(title, priority=3)
        bench.settle_down()
        batches = [len(asks) for question, asks in upstream.asked if question == "track"]
        assert sum(batches) == 3
        assert len(batches) <= 2
        outcomes = bench.rows("SELECT outcome, count(*) FROM lookups WHERE question = 'track' GROUP BY 1 ORDER BY 1")
        assert outcomes == [("found", 1), ("nothing_found", 2)]

    def test_rows_that_a_cap_cut_off_wait_again_at_no_cost(self, bench: Bench, upstream: Upstream) -> None:
        upstream.answers["track"] = lambda keys: {"bpm": 1.0} if keys == upstream.asked[-1][1][0] else "cut"
        for title in "ABC":
            bench.track(title)
        bench.settle_down()
        found = bench.rows("SELECT state, outcome, attempts FROM lookups WHERE question = 'track'")
        assert found == [("ended", "found", 0)] * 3
        assert bench.rows("SELECT count(*) FROM settles WHERE outcome = 'over_budget'") != [(0,)]

    def test_a_lone_one_that_is_cut_off_is_not_asked_for_ever(self, bench: Bench, upstream: Upstream) -> None:
        upstream.answers["track"] = "cut"
        bench.track()
        bench.settle_down()
        assert upstream.questions().count("track") == 1
        assert ("alpha.track", "not_due", "try_later") in bench.lookups()

    def test_an_odd_part_of_a_reply_dies_alone(self, bench: Bench, upstream: Upstream) -> None:
        upstream.answers["track"] = lambda keys: "odd" if keys["title"] == "B" else {"bpm": 1.0}
        tracks = {title: bench.track(title) for title in "AB"}
        bench.settle_down()
        assert bench.letters() == [("alpha.track", "unreadable", "an odd answer")]
        assert bench.status(tracks["A"]).status == "completed"
        assert bench.status(tracks["B"]).status == "failed"
        assert bench.status(tracks["B"]).is_retriable

    def test_the_names_stay_the_producers(self, bench: Bench, upstream: Upstream) -> None:
        upstream.answers["track"] = {"title": "TEARDROP!!", "artist_name": "M. Attack", "bpm": 78.0}
        bench.track()
        bench.settle_down()
        assert bench.rows("SELECT title, artist FROM tracks") == [("Teardrop", "Massive Attack")]

    def test_an_album_that_a_reply_names_is_met_and_asked_about(self, bench: Bench, upstream: Upstream) -> None:
        upstream.answers["track"] = {"bpm": 78.0, "album.title": "Mezzanine", "album.barcode": "724384559922"}
        track = bench.track()
        bench.settle_down()
        (row,) = bench.rows("SELECT a.title, a.barcode, a.label FROM tracks t JOIN albums a ON a.id = t.album_id")
        assert tuple(row) == ("Mezzanine", "724384559922", "Virgin")
        assert bench.rows("SELECT label FROM tracks") == [("Virgin",)]
        assert bench.status(track).status == "completed"

    def test_nul_bytes_at_any_depth_are_left_out(self, bench: Bench, upstream: Upstream) -> None:
        upstream.answers["track"] = {"bpm": 78.0, "genres": ["a\x00b"], "external_urls": {"home\x00": "x\x00"}}
        track = bench.track()
        bench.settle_down()
        assert bench.status(track).status == "completed"


class TestTryLater:
    def test_three_retries_then_a_dead_letter(self, bench: Bench, upstream: Upstream) -> None:
        upstream.refuse("track", 500, "ill")
        bench.fleet.jitter = lambda: 1.0
        track = bench.track()
        for attempt, seconds in ((1, 16.5), (2, 66.0), (3, 330.0)):
            began = bench.now()
            bench.settle_down(2)
            (row,) = bench.rows(
                "SELECT state, outcome, attempts, extract(epoch FROM due_at)::float AS due"
                " FROM lookups WHERE question = 'track'"
            )
            assert (row.state, row.outcome, row.attempts) == ("not_due", "try_later", attempt)
            assert row.due == bench.after(began, seconds)
            assert bench.status(track).status == "in_progress"
            bench.make_due()
        bench.settle_down(2)
        assert ("alpha.track", "ended", "try_later") in bench.lookups()
        ((name, outcome, error),) = bench.letters()
        assert (name, outcome) == ("alpha.track", "try_later")
        assert error == "HTTP 500: ill (after 3 retries)"
        assert upstream.questions().count("track") == 4
        status = bench.status(track)
        assert status.status == "failed"
        assert status.is_retriable
        assert "alpha.track: HTTP 500: ill" in status.error_message

    def test_speed_divides_the_delays(self, empty: Empty, upstream: Upstream) -> None:
        bench = a_bench(empty, upstream, environ={"LINERNOTES_SPEED": "10"})
        bench.fleet.jitter = lambda: 0.0
        upstream.refuse("track", 500)
        bench.track()
        began = bench.now()
        bench.drain()
        (row,) = bench.rows("SELECT extract(epoch FROM due_at)::float AS due FROM lookups WHERE state = 'not_due'")
        assert row.due == bench.after(began, 1.5)
        bench.close()

    def test_it_recovers(self, bench: Bench, upstream: Upstream) -> None:
        upstream.refuse("track", 500)
        track = bench.track()
        bench.settle_down()
        upstream.refusing.clear()
        bench.make_due()
        bench.settle_down()
        assert bench.status(track).status == "completed"
        assert not bench.letters()

    def test_a_dead_one_is_not_asked_again_for_this_request_but_for_the_next(
        self, bench: Bench, upstream: Upstream
    ) -> None:
        upstream.answers["track"] = "odd"
        track = bench.track()
        bench.settle_down()
        bench.settle_down()
        assert upstream.questions().count("track") == 1
        upstream.answers["track"] = {"bpm": 78.0}
        bench.track()
        bench.settle_down()
        assert upstream.questions().count("track") == 2
        assert bench.status(track).status == "completed"


class TestOverBudget:
    def test_our_rate_pauses_the_source_and_costs_no_attempt(self, bench: Bench, upstream: Upstream) -> None:
        upstream.refuse("track", 429, **{"retry-after": "30"})
        track = bench.track()
        began = bench.now()
        bench.settle_down()
        (row,) = bench.rows("SELECT state, outcome, attempts, sheds FROM lookups WHERE question = 'track'")
        assert tuple(row) == ("waiting", "over_budget", 0, 0)
        assert bench.fleet.limiter.now("alpha").paused_for == left_of(30)
        assert upstream.questions().count("track") == 1
        assert bench.rows(
            "SELECT extract(epoch FROM paused_until)::float FROM source_states WHERE source = 'alpha'"
        ) == [(bench.after(began, 30),)]
        upstream.refusing.clear()
        standing.resume(bench.fleet, "alpha")
        bench.settle_down()
        assert bench.status(track).status == "completed"

    def test_a_retry_after_of_nothing_is_no_permission(self, bench: Bench, upstream: Upstream) -> None:
        upstream.refuse("track", 429, **{"retry-after": "0"})
        bench.track()
        bench.drain()
        assert bench.fleet.limiter.now("alpha").paused_for > 3

    def test_the_pause_outlives_redis(self, bench: Bench, upstream: Upstream) -> None:
        upstream.refuse("track", 429, **{"retry-after": "300"})
        bench.track()
        bench.drain()
        asked = len(upstream.asked)
        bench.redis.flushall()
        bench.settle_down()
        assert bench.fleet.limiter.now("alpha").paused_for == left_of(300)
        assert len(upstream.asked) == asked

    def test_one_learnt_while_redis_is_away_is_kept_all_the_same(self, bench: Bench) -> None:
        limiter = bench.fleet.limiter
        nobody = redis.Redis(port=1, retry=Retry(NoBackoff(), 0))
        bench.fleet.limiter = Limiter(nobody, limiter._terms, limiter._standing, "w")
        standing.pause(bench.fleet, "alpha", 300, "429", ours=True)
        bench.fleet.limiter = limiter
        bench.redis.flushall()
        assert limiter.take("alpha") == NotNow(left_of(300), paused=True)
        assert bench.rows("SELECT rate_factor FROM source_states WHERE source = 'alpha'") == [(1.0,)]

    def test_what_sheds_load_is_asked_again_within_seconds_five_times(self, bench: Bench, upstream: Upstream) -> None:
        upstream.refuse("track", 503, "shed")
        bench.fleet.jitter = lambda: 1.0
        bench.track()
        for sheds in range(1, 6):
            began = bench.now()
            bench.settle_down(2)
            (row,) = bench.rows(
                "SELECT sheds, attempts, outcome, extract(epoch FROM due_at)::float AS due"
                " FROM lookups WHERE question = 'track'"
            )
            assert (row.sheds, row.attempts, row.outcome) == (sheds, 0, "over_budget")
            assert row.due == bench.after(began, 4)
            bench.make_due()
        bench.settle_down(2)
        (row,) = bench.rows("SELECT sheds, attempts, outcome FROM lookups WHERE question = 'track'")
        assert tuple(row) == (5, 1, "try_later")
        assert bench.fleet.limiter.now("alpha").paused_for == 0

    def test_what_is_shed_for_longer_waits_for_longer(self, bench: Bench, upstream: Upstream) -> None:
        upstream.refuse("track", 503, "shed", **{"retry-after": "40"})
        bench.track()
        began = bench.now()
        bench.settle_down(2)
        (row,) = bench.rows(
            "SELECT sheds, attempts, extract(epoch FROM due_at)::float AS due FROM lookups WHERE question = 'track'"
        )
        assert (row.sheds, row.attempts) == (1, 0)
        assert row.due == bench.after(began, 40)

    def test_what_its_host_holds_up_waits_for_so_long_and_costs_nothing(self, bench: Bench) -> None:
        bench.track()
        ticket = next(ticket for source, ticket in bench.tickets if source == "alpha")
        wire = bench.fleet.wire

        class Held:
            """The wire, for an address whose host has asked to wait."""

            def ask(self, *_: Any) -> Result:
                return Result(Judgement(Verdict.BLOCKED, 40, "its host has asked us to wait"))

            def close(self) -> None:
                wire.close()

        bench.fleet.wire = Held()  # type: ignore[assignment]  # only these two are used
        began = bench.now()
        assert fetch(bench.fleet, "alpha", ticket).lookups == 2
        rows = bench.rows(
            "SELECT state, sheds, attempts, extract(epoch FROM due_at)::float AS due"
            " FROM lookups WHERE source = 'alpha'"
        )
        assert [(row.state, row.sheds, row.attempts) for row in rows] == [("not_due", 0, 0)] * 2
        assert all(row.due == bench.after(began, 40) for row in rows)
        assert bench.fleet.limiter.now("alpha").paused_for == 0

    def test_the_next_is_asked_with_the_turn_of_what_is_held_up(self, bench: Bench, upstream: Upstream) -> None:
        bench.track()
        bench.track(title="Another")
        ticket = next(ticket for source, ticket in bench.tickets if source == "alpha")
        wire, held, turns = bench.fleet.wire, [Result(Judgement(Verdict.BLOCKED, 40))], []

        class Holding:
            """The wire, that holds back the first."""

            def ask(self, *arguments: Any) -> Result:
                turns.append(arguments[3])
                return held.pop() if held else wire.ask(*arguments)

            def close(self) -> None:
                wire.close()

        bench.fleet.wire = Holding()  # type: ignore[assignment]  # only these two are used
        assert fetch(bench.fleet, "alpha", ticket).outcome == "answer"
        assert len(upstream.asked) == 1
        first, second = turns
        assert first is second

    def test_paused_between_claim_and_write_sends_nothing(self, bench: Bench, upstream: Upstream) -> None:
        bench.track()
        ticket = next(ticket for source, ticket in bench.tickets if source == "alpha")
        wire = bench.fleet.wire

        class Pausing:
            """The wire, with a pause that arrives in the last moment."""

            def ask(self, *arguments: Any) -> Any:
                bench.fleet.limiter.pause("alpha", 60, "429 elsewhere", ours=True)
                return wire.ask(*arguments)

            def close(self) -> None:
                wire.close()

        bench.fleet.wire = Pausing()  # type: ignore[assignment]  # only these two are used
        said = fetch(bench.fleet, "alpha", ticket)
        assert (said.outcome, said.lookups) == ("blocked", 1)
        assert not upstream.asked
        assert all(row == ("waiting", 0) for row in bench.rows("SELECT state, attempts FROM lookups"))
        assert not bench.rows("SELECT FROM settles")


class TestDayQuota:
    @pytest.fixture
    def bench(self, empty: Empty, upstream: Upstream) -> Iterator[Bench]:
        alpha = Alpha()
        alpha.budget = Budget((Limit(10_000, 1, 1000),), per_day=2)
        made = a_bench(empty, upstream, [alpha, Beta()])
        yield made
        made.close()

    def test_a_used_up_quota_pauses_without_a_request(self, bench: Bench, upstream: Upstream) -> None:
        bench.track()
        bench.settle_down()
        bench.track("Angel", "Somebody Else")
        bench.settle_down()
        assert sorted(set(upstream.questions()) - {"by_isrc"}) == ["performer", "track"]
        assert len([question for question in upstream.questions() if question != "by_isrc"]) == 2
        (row,) = bench.rows(
            "SELECT stopped, paused_until - clock_timestamp() <= '24 hours' FROM source_states WHERE source = 'alpha'"
        )
        assert tuple(row) == (False, True)
        assert bench.rows("SELECT calls FROM quota_hours") == [(2,)]
        assert bench.fleet.limiter.now("alpha").paused_for > 22 * 3600
        assert bench.rows("SELECT max(attempts) FROM lookups") == [(0,)]


class TestUnreadable:
    def test_a_refused_batch_is_split_until_one_dies_alone(self, bench: Bench, upstream: Upstream) -> None:
        upstream.poison = "B"
        tracks = {title: bench.track(title, priority=3) for title in "ABC"}
        bench.settle_down()
        assert [letter[:2] for letter in bench.letters()] == [("alpha.track", "unreadable")]
        assert bench.status(tracks["A"]).status == "completed"
        assert bench.status(tracks["C"]).status == "completed"
        assert bench.status(tracks["B"]).status == "failed"
        assert max(row.attempts for row in bench.rows("SELECT attempts FROM lookups")) == 0

    def test_a_source_that_breaks_before_it_asks_dies_alone_too(self, empty: Empty, upstream: Upstream) -> None:
        class Broken(Alpha):
            def ask(self, *_: Any) -> Any:
                raise KeyError("a key this source forgot")

        bench = a_bench(empty, upstream, [Broken(), Beta()])
        track = bench.track()
        bench.settle_down()
        letters, status = bench.letters(), bench.status(track).status
        bench.close()
        assert {(name, outcome) for name, outcome, _ in letters} == {
            ("alpha.track", "unreadable"),
            ("alpha.performer", "unreadable"),
        }
        assert status == "failed"

    def test_a_question_that_is_no_longer_asked(self, bench: Bench) -> None:
        bench.track()
        bench.run("UPDATE lookups SET question = 'former' WHERE question = 'track'")
        bench.settle_down()
        assert ("alpha.former", "ended", "unreadable") in bench.lookups()


class TestRefused:
    def test_stops_the_source_until_a_person_resumes_it(self, bench: Bench, upstream: Upstream) -> None:
        upstream.refuse("track", 401, "bad key")
        upstream.refuse("performer", 401, "bad key")
        partial = bench.track("Kelly Watch the Stars", "Air", album_title="Moon Safari", existing_isrc="FRZ039800212")
        failed = bench.track("Angel")
        bench.settle_down()
        assert len([q for q in upstream.questions() if q in ("track", "performer")]) == 1
        assert len(bench.letters()) == 1
        assert bench.letters()[0][1] == "refused"
        assert {state for name, state, _ in bench.lookups() if name.startswith("alpha")} == {"deferred"}
        assert bench.status(partial).status == "partial"
        assert bench.status(failed).status == "failed"
        assert bench.status(failed).is_retriable
        assert "waits for its source" in bench.status(failed).error_message
        assert bench.rows("SELECT stopped FROM source_states WHERE source = 'alpha'") == [(True,)]
        assert not bench.tickets

        upstream.refusing.clear()
        standing.resume(bench.fleet, "alpha")
        bench.settle_down()
        assert bench.status(partial).status == "completed"
        assert bench.status(failed).status == "completed"
        assert not bench.rows("SELECT FROM lookups WHERE state <> 'ended'")

    def test_what_comes_while_it_is_stopped_is_deferred_at_once(self, bench: Bench, upstream: Upstream) -> None:
        standing.pause(bench.fleet, "alpha", 10**6, "stopped by hand", ours=False)
        track = bench.track(existing_isrc="GBAAA9800322")
        bench.settle_down()
        assert bench.status(track).status == "partial"
        assert upstream.questions() == ["by_isrc"]
        assert ("alpha.track", "deferred", None) in bench.lookups()
        standing.resume(bench.fleet, "alpha")
        bench.settle_down()
        assert bench.status(track).status == "completed"

    def test_one_deferred_by_a_worker_that_had_not_heard_of_the_resume_is_taken_up(self, bench: Bench) -> None:
        standing.pause(bench.fleet, "alpha", 10**6, "stopped by hand", ours=False)
        track = bench.track()
        bench.settle_down()
        standing.resume(bench.fleet, "alpha")
        bench.settle_down()
        late = bench.track("Angel")
        bench.run("UPDATE lookups SET state = 'deferred' WHERE state = 'waiting'")
        bench.lose_messages()
        bench.settle_down()
        assert bench.status(track).status == "completed"
        assert bench.status(late).status == "completed"

    def test_the_stop_outlives_redis_and_can_be_resumed(self, bench: Bench, upstream: Upstream) -> None:
        upstream.refuse("track", 403)
        upstream.refuse("performer", 403)
        track = bench.track()
        bench.settle_down()
        bench.redis.flushall()
        bench.settle_down()
        assert bench.fleet.limiter.now("alpha").paused_for > 10**6
        upstream.refusing.clear()
        standing.resume(bench.fleet, "alpha")
        bench.settle_down()
        assert bench.status(track).status == "completed"

    def test_a_retry_after_of_more_than_a_day_is_a_stop(self, bench: Bench, upstream: Upstream) -> None:
        upstream.refuse("track", 429, **{"retry-after": "90000"})
        upstream.refuse("performer", 429, **{"retry-after": "90000"})
        track = bench.track()
        bench.settle_down()
        assert bench.rows("SELECT stopped FROM source_states WHERE source = 'alpha'") == [(True,)]
        assert bench.status(track).status == "failed"

    def test_a_long_pause_defers_and_its_end_takes_up(self, bench: Bench, upstream: Upstream) -> None:
        upstream.refuse("track", 429, **{"retry-after": "3600"})
        upstream.refuse("performer", 429, **{"retry-after": "3600"})
        track = bench.track()
        bench.settle_down()
        assert bench.status(track).status == "failed"
        upstream.refusing.clear()
        bench.run("UPDATE source_states SET paused_until = clock_timestamp() WHERE source = 'alpha'")
        bench.redis.hset("limiter:{alpha}", "pause", 0)
        bench.fleet.forget()
        bench.settle_down()
        assert bench.status(track).status == "completed"

    def test_a_refresh_does_not_make_the_status_worse(self, bench: Bench, upstream: Upstream) -> None:
        track = bench.track()
        bench.settle_down()
        assert bench.status(track).status == "completed"
        bench.run("UPDATE enrichment_status SET refreshing = true")
        upstream.answers = {}
        bench.age(40)
        bench.run("INSERT INTO replans (kind, subject_id) VALUES ('track', :id)", id=track)
        bench.settle_down()
        status = bench.status(track)
        assert (status.status, status.refreshing) == ("completed", False)
        assert upstream.questions().count("track") == 2

    def test_who_asks_during_a_refresh_is_not_treated_as_one(self, bench: Bench) -> None:
        track = bench.track()
        bench.settle_down()
        bench.run("UPDATE enrichment_status SET refreshing = true, finished_at = NULL")
        bench.run("DELETE FROM findings")
        bench.run("DELETE FROM lookups")
        bench.track(priority=10)
        assert len(bench.lookups(track)) >= 1
        assert not bench.status(track).refreshing
        assert bench.status(track).status == "in_progress"


class TestBreaker:
    def test_an_ill_upstream_is_left_alone(self, empty: Empty, upstream: Upstream) -> None:
        bench = a_bench(empty, upstream, environ={"LINERNOTES_ALPHA_BREAKER_THRESHOLD": "2"})
        upstream.refuse("track", 500)
        upstream.refuse("performer", 500)
        for n in range(9):
            bench.track(f"No {n}", f"Artist {n}")
        bench.settle_down()
        asked, now = upstream.questions(), bench.fleet.limiter.now("alpha")
        bench.close()
        assert len(asked) == 2
        assert now.breaker == "open"

    def test_a_retry_after_of_an_ill_upstream_is_kept(self, bench: Bench, upstream: Upstream) -> None:
        upstream.refuse("track", 503, "busy", **{"retry-after": "77"})
        bench.track()
        bench.drain()
        assert bench.fleet.limiter.now("alpha").paused_for == left_of(77)
