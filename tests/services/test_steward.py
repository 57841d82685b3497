"""The steward: what was lost on the way comes back; and how subjects that depend on each other end."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from enrichment.embedded import Servers
from enrichment.reservoir import claims
from enrichment.reservoir import fleet as fleet_rows
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.claims import Claim
from enrichment.services.fetch import fetch
from enrichment.services.replan import replan
from enrichment.services.steward import Steward, new_card, retire
from enrichment.services.submit import submit_all
from enrichment.wire.limiter import Limiter, Turn
from tests.services.fakes import Bench, Upstream
from tests.services.test_submit import a_track
from tests.support import left_of


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing until it is killed."""
    process = subprocess.Popen(["sleep", "600"])  # noqa: S607 - any `sleep` does
    yield process
    process.kill()
    process.wait()


def a_worker(bench: Bench, **changes: Any) -> uuid.UUID:
    """Another worker of the fleet that has just beaten. Returns its id."""
    card = replace(new_card("elsewhere", bench.fleet.worker.machine, 8, "0"), **changes)
    with bench.fleet.engine.begin() as connection:
        fleet_rows.beat(connection, card)
    return card.id


def claimed_by(bench: Bench, worker: uuid.UUID, source: str = "alpha") -> list[Claim]:
    with bench.fleet.engine.begin() as connection:
        return claims.claim(connection, source, bench.fleet.sizes(source), worker)


def silent(bench: Bench, worker: uuid.UUID, seconds: float) -> None:
    bench.run("UPDATE workers SET beat_at = beat_at - make_interval(secs => :s) WHERE id = :id", s=seconds, id=worker)


class TestDeadWorkers:
    def test_a_killed_ones_claims_slots_and_tickets_come_back(
        self, bench: Bench, sleeper: subprocess.Popen[bytes]
    ) -> None:
        worker = a_worker(bench, pid=sleeper.pid, pid_started=psutil.Process(sleeper.pid).create_time())
        track = bench.track()
        bench.lose_messages()
        held = claimed_by(bench, worker)
        bench.redis.zadd("limiter:{alpha}:slots", {f"{worker}:1": 10**15})
        bench.redis.zadd("limiter:{alpha}:tickets", {f"{worker}:t": 10**15})
        bench.steward.round()
        assert [row.state for row in bench.rows("SELECT state FROM lookups WHERE id = :id", id=held[0].id)] == [
            "claimed"
        ]
        sleeper.kill()
        sleeper.wait()
        bench.steward.round()
        assert bench.rows("SELECT state, deaths, batch_limit FROM lookups WHERE id = :id", id=held[0].id) == [
            ("waiting", 1, 0)
        ]
        assert not bench.rows("SELECT FROM workers WHERE id = :id", id=worker)
        assert not bench.redis.zscore("limiter:{alpha}:slots", f"{worker}:1")
        assert not bench.redis.zscore("limiter:{alpha}:tickets", f"{worker}:t")
        bench.settle_down()
        assert bench.status(track).status == "completed"

    def test_a_pid_of_somebody_else_is_no_sign_of_life(self, bench: Bench) -> None:
        worker = a_worker(bench, pid=os.getpid(), pid_started=1.0)
        bench.steward.round()
        assert not bench.rows("SELECT FROM workers WHERE id = :id", id=worker)

    def test_three_deaths_under_a_lone_lookup_make_a_dead_letter(self, bench: Bench) -> None:
        track = bench.track()
        for _ in range(3):
            bench.lose_messages()
            worker = a_worker(bench, pid=2**22 + 1)
            bench.run("UPDATE lookups SET state = 'waiting' WHERE state = 'gathering'")
            assert [c for c in claimed_by(bench, worker) if c.question == "track"] or claimed_by(bench, worker)
            bench.steward.round()
        assert ("alpha.track", "worker_died", "3 workers died under it") in bench.letters()
        bench.settle_down()
        status = bench.status(track)
        assert status.status == "failed"
        assert "workers died" in status.error_message

    def test_a_batch_is_halved_and_nothing_counted(self, bench: Bench) -> None:
        submit_all(bench.fleet, [a_track(track_title=title) for title in "ABC"])
        bench.run("DELETE FROM lookups WHERE question <> 'track'")
        for size, limit in ((3, 1), (1, 1)):
            worker = a_worker(bench, pid=2**22 + 1)
            held = claimed_by(bench, worker)
            assert len(held) == size
            bench.steward.round()
            assert {tuple(row) for row in bench.rows("SELECT batch_limit FROM lookups WHERE question = 'track'")} == {
                (limit,)
            }
        assert [row.deaths for row in bench.rows("SELECT deaths FROM lookups ORDER BY deaths")] == [0, 0, 1]

    def test_on_another_machine_silence_counts_after_we_have_beaten_for_as_long(self, bench: Bench) -> None:
        now = [100.0]
        bench.fleet.monotonic = lambda: now[0]
        steward = Steward(bench.fleet, bench.redis, bench.fleet.worker.machine)
        worker = a_worker(bench, machine="another kernel", pid=2**22 + 1)
        silent(bench, worker, 100)
        steward.round()
        assert bench.rows("SELECT FROM workers WHERE id = :id", id=worker)
        now[0] += 16
        steward.round()
        assert not bench.rows("SELECT FROM workers WHERE id = :id", id=worker)

    def test_after_a_database_outage_nobody_is_dead_for_one_heartbeat(self, bench: Bench) -> None:
        now = [100.0]
        bench.fleet.monotonic = lambda: now[0]
        steward = Steward(bench.fleet, bench.redis, bench.fleet.worker.machine)
        worker = a_worker(bench, machine="another kernel")
        steward.round()
        engine, bench.fleet.engine = bench.fleet.engine, bench.fleet.engine.execution_options()
        bench.fleet.engine = _Away()  # type: ignore[assignment]  # a database that does not answer
        now[0] += 60
        with pytest.raises(OperationalError):
            steward.round()
        bench.fleet.engine = engine
        silent(bench, worker, 61)
        now[0] += 1
        steward.round()
        assert bench.rows("SELECT FROM workers WHERE id = :id", id=worker)
        now[0] += 16
        steward.round()
        assert not bench.rows("SELECT FROM workers WHERE id = :id", id=worker)

    def test_one_that_leaves_in_order_gives_back_unharmed(self, bench: Bench) -> None:
        bench.track()
        claimed_by(bench, bench.fleet.worker.id)
        held = bench.fleet.limiter.take("alpha")
        assert isinstance(held, Turn)
        bench.steward.round()
        retire(bench.fleet)
        assert set(bench.rows("SELECT state, deaths FROM lookups")) == {("waiting", 0)}
        assert bench.fleet.limiter.now("alpha").in_call == 0
        assert not bench.rows("SELECT FROM workers")


class _Away:
    def begin(self) -> Any:
        raise OperationalError("begin", {}, Exception("the database is away"))


class TestRounds:
    def test_retries_come_back_when_due(self, bench: Bench, upstream: Upstream) -> None:
        upstream.refuse("track", 500)
        bench.track()
        bench.drain()
        bench.steward.round()
        assert ("alpha.track", "not_due", "try_later") in bench.lookups()
        bench.make_due()
        bench.steward.round()
        assert ("alpha.track", "waiting", "try_later") in bench.lookups()

    def test_lost_messages_are_sent_again(self, bench: Bench) -> None:
        track = bench.track()
        bench.lose_messages()
        bench.settle_down()
        assert bench.status(track).status == "completed"

    def test_a_flushed_redis_only_delays(self, bench: Bench) -> None:
        track = bench.track()
        bench.redis.flushall()
        assert all(said.outcome == "the ticket is gone" for said in bench.drain())
        bench.settle_down()
        assert bench.status(track).status == "completed"

    def test_an_expired_claim_of_a_living_worker_comes_back(self, bench: Bench) -> None:
        bench.track()
        bench.steward.round()
        held = claimed_by(bench, bench.fleet.worker.id)
        bench.run("UPDATE lookups SET lease_until = clock_timestamp() - interval '1 s' WHERE state = 'claimed'")
        bench.lose_messages()
        bench.steward.round()
        assert bench.rows("SELECT state, deaths FROM lookups WHERE id = :id", id=held[0].id) == [("waiting", 0)]

    def test_a_claim_that_its_worker_does_not_know_of_comes_back_with_the_beat(self, bench: Bench) -> None:
        bench.track()
        (held, *_) = claimed_by(bench, bench.fleet.worker.id)
        state = "SELECT state, deaths, attempts FROM lookups WHERE id = :id"
        bench.fleet.held.add(held.token)
        bench.steward.beat()
        assert bench.rows(state, id=held.id) == [("claimed", 0, 0)]
        bench.fleet.held.discard(held.token)  # as after a COMMIT whose answer was lost
        bench.steward.beat()
        assert bench.rows(state, id=held.id) == [("waiting", 0, 0)]

    def test_one_of_the_fleet_does_it_at_a_time(self, bench: Bench) -> None:
        bench.track()
        bench.run("UPDATE lookups SET state = 'not_due', due_at = clock_timestamp()")
        bench.redis.set("steward", "another")
        bench.steward.round()
        assert {state for _, state, _ in bench.lookups()} == {"not_due"}
        assert bench.rows("SELECT FROM workers")
        bench.redis.delete("steward")
        bench.steward.round()
        assert {state for _, state, _ in bench.lookups()} == {"waiting"}

    def test_a_gathering_batch_is_released_after_two_minutes(self, bench: Bench) -> None:
        bench.track("A", priority=2)
        bench.track("B", priority=2)
        (row,) = bench.rows(
            "SELECT extract(epoch FROM due_at - clock_timestamp())::float AS due FROM lookups WHERE state = 'gathering'"
        )
        assert row.due == left_of(120)
        bench.make_due()
        bench.steward.round()
        assert {state for _, state, _ in bench.lookups()} == {"waiting"}

    def test_a_full_batch_is_released_at_once(self, bench: Bench) -> None:
        bench.track("Z", "Somebody", priority=5)
        for title in "ABCD":
            bench.track(title, priority=2)
        states = sorted(state for name, state, _ in bench.lookups() if name == "alpha.track")
        assert states == ["gathering", "waiting", "waiting", "waiting", "waiting"]

    def test_a_second_steward_round_changes_nothing(self, bench: Bench) -> None:
        bench.track(album_title="Mezzanine")
        bench.settle_down()
        before = bench.rows("SELECT * FROM lookups ORDER BY id"), bench.rows("SELECT * FROM enrichment_status")
        bench.steward.round()
        assert (
            bench.rows("SELECT * FROM lookups ORDER BY id"),
            bench.rows("SELECT * FROM enrichment_status"),
        ) == before


class TestWindow:
    def test_is_bounded_and_each_finished_fetch_sends_the_next(self, bench: Bench) -> None:
        submit_all(bench.fleet, [a_track(track_title=f"No {n}", artist_name=f"A {n}") for n in range(12)])
        assert len(bench.tickets) <= 6
        bench.drain()
        assert not bench.rows("SELECT FROM lookups WHERE state = 'waiting'")

    def test_who_gets_no_turn_sends_no_message(self, bench: Bench, upstream: Upstream) -> None:
        """Else they go round and round for as long as the source is paused, or slower than its window is wide."""
        submit_all(bench.fleet, [a_track(track_title=title) for title in "ABC"])
        bench.fleet.limiter.pause("alpha", 60.0, "HTTP 429", ours=True)
        assert {str(done) for done in bench.drain() if done.source == "alpha"} == {"alpha: no turn in time"}
        assert not bench.tickets
        bench.fleet.limiter.resume("alpha")
        bench.settle_down()
        assert upstream.asked
        assert not bench.rows("SELECT FROM lookups WHERE state = 'waiting'")

    def test_a_critical_submit_may_send_one_more(self, bench: Bench) -> None:
        submit_all(bench.fleet, [a_track(track_title=f"No {n}", artist_name=f"A {n}") for n in range(12)])
        before = len([1 for source, _ in bench.tickets if source == "alpha"])
        bench.track("Now", priority=10)
        assert len([1 for source, _ in bench.tickets if source == "alpha"]) == before + 1
        bench.track("Now too", priority=10)
        assert len([1 for source, _ in bench.tickets if source == "alpha"]) == before + 1

    def test_a_broker_that_is_away_only_delays(self, bench: Bench) -> None:
        tried = []

        def away(source: str, _ticket: str) -> None:
            tried.append(source)
            raise redis.ConnectionError("no broker")

        send, bench.fleet.send_fetch = bench.fleet.send_fetch, away
        track = bench.track(album_title="Mezzanine")
        bench.fleet.send_fetch = send
        assert tried == ["alpha"], "whoever submits waits for one time-out, not for one per source"
        assert bench.status(track).status == "in_progress"
        bench.lose_messages()
        bench.settle_down()
        assert bench.status(track).status == "completed"

    def test_a_critical_one_goes_past_the_backlog(self, bench: Bench, upstream: Upstream) -> None:
        submit_all(bench.fleet, [a_track(track_title=f"No {n}", priority=2) for n in range(9)])
        bench.track("Now", "Somebody", priority=10)
        ticket = next(pair for pair in bench.tickets if pair[0] == "alpha")
        bench.tickets.remove(ticket)
        bench.tickets.appendleft(ticket)
        bench.drain()
        first = next(asks for question, asks in upstream.asked if question == "track")
        assert first[0]["title"] == "Now"

    def test_every_twentieth_claim_starts_from_the_low_end(self, bench: Bench, upstream: Upstream) -> None:
        for title, priority in (("High", 9), ("Low", 1)):
            bench.track(title, f"{title} Artist", priority=priority)
        bench.run("UPDATE lookups SET state = 'waiting', batch_limit = 1")
        bench.run("DELETE FROM lookups WHERE question <> 'track'")
        bench.redis.hset("limiter:{alpha}", "turns", "19")
        bench.drain()
        assert [keys["title"] for question, asks in upstream.asked for keys in asks if question == "track"] == [
            "Low",
            "High",
        ]

    def test_a_slot_is_freed_although_redis_was_away_when_the_call_ended(
        self, bench: Bench, upstream: Upstream
    ) -> None:
        limiter = bench.fleet.limiter
        nobody = redis.Redis(port=1, retry=Retry(NoBackoff(), 0))

        def answer(_keys: Any) -> None:
            bench.fleet.limiter = Limiter(nobody, limiter._terms, limiter._standing, "w")

        upstream.answers |= {"track": answer, "performer": answer}
        bench.track()
        fetch(bench.fleet, *bench.tickets.popleft())
        bench.fleet.limiter = limiter
        assert (limiter.now("alpha").in_call, limiter.now("alpha").in_flight) == (1, 2)
        bench.steward.round()
        assert limiter.now("alpha").in_call == 0
        assert not bench.fleet.unfreed


class TestDependants:
    def test_a_track_ends_after_its_albums_lookup(self, bench: Bench) -> None:
        track = bench.track(album_title="Mezzanine")
        later = "UPDATE lookups SET state = 'not_due', due_at = clock_timestamp() + interval '1 h' WHERE question = "
        bench.run(f"{later} 'album'")
        bench.settle_down()
        assert bench.status(track).status == "in_progress"
        bench.make_due()
        bench.settle_down()
        assert bench.status(track).status == "completed"
        assert bench.rows("SELECT label FROM tracks") == [("Virgin",)]
        assert not bench.rows("SELECT FROM replans")

    def test_all_tracks_of_a_performer_learn_from_its_one_answer(self, bench: Bench, upstream: Upstream) -> None:
        submit_all(bench.fleet, [a_track(track_title=f"No {n}") for n in range(12)])
        bench.settle_down()
        assert bench.rows("SELECT DISTINCT metadata -> 'genres' AS genres FROM tracks") == [(["trip hop"],)]
        assert upstream.questions().count("performer") == 1
        assert bench.rows("SELECT DISTINCT status FROM enrichment_status") == [("completed",)]

    def test_critical_ones_do_not_wait_for_the_steward(self, bench: Bench) -> None:
        track = bench.track(priority=10, album_title="Mezzanine")
        bench.drain()
        assert bench.status(track).status == "completed"

    def test_an_unanswered_album_makes_its_track_partial(self, bench: Bench, upstream: Upstream) -> None:
        upstream.answers["album"] = "odd"
        track = bench.track(album_title="Mezzanine")
        bench.settle_down()
        status = bench.status(track)
        assert (status.status, status.is_retriable) == ("partial", True)
        assert status.error_message == "beta.album: an odd answer"

    def test_nothing_found_anywhere_is_failed_for_good(self, bench: Bench, upstream: Upstream) -> None:
        upstream.answers = {}
        track = bench.track(album_title="Mezzanine")
        bench.settle_down()
        status = bench.status(track)
        assert (status.status, status.is_retriable) == ("failed", False)
        assert status.error_message == "no source knows it (asked: alpha, beta)"
        assert status.completeness_score == 0

    def test_a_failed_transaction_leaves_the_replan_there(self, own_bench: Bench) -> None:
        track = own_bench.track()
        own_bench.run("INSERT INTO replans (kind, subject_id) VALUES ('track', :id) ON CONFLICT DO NOTHING", id=track)
        own_bench.run("UPDATE enrichment_status SET completeness_score = 0.99")  # which is to be written anew
        own_bench.run("ALTER TABLE enrichment_status ADD CONSTRAINT no CHECK (completeness_score < 0) NOT VALID")
        with pytest.raises(Exception, match='"no"'):
            replan(own_bench.fleet)
        assert own_bench.rows("SELECT FROM replans")

    def test_what_waits_for_its_round_goes_on_without_it_where_nothing_else_is_under_way(self, bench: Bench) -> None:
        track = bench.track(album_title="Mezzanine", priority=1)
        bench.steward.round()
        bench.drain()
        assert bench.status(track).status == "completed"
        assert not bench.rows("SELECT FROM replans")

    def test_two_who_plan_again_take_different_ones_but_for_critical_ones(self, own_bench: Bench) -> None:
        submit_all(own_bench.fleet, [a_track(track_title=f"Song {n}") for n in range(6)])
        own_bench.run("INSERT INTO replans (kind, subject_id, priority) SELECT 'track', id, 10 FROM tracks")
        another = create_engine(own_bench.fleet.engine.url)
        with own_bench.fleet.engine.begin() as one, another.begin() as other:
            taken = [set(rows.urgent_replans(each, 4)) for each in (one, other)]
            critical = set(rows.urgent_replans(other, 6, rows.CRITICAL))
        another.dispose()
        assert [len(refs) for refs in taken] == [4, 2]
        assert critical == taken[0] | taken[1]


def test_audit_has_one_row_for_each_applied_outcome(bench: Bench, upstream: Upstream) -> None:
    upstream.answers["track"] = lambda keys: {"bpm": 1.0} if keys["title"] < "C" else None
    submit_all(bench.fleet, [a_track(track_title=title) for title in "ABCDE"])
    bench.settle_down()
    assert bench.rows("SELECT lookup_id FROM settles GROUP BY lookup_id HAVING count(*) > 1") == []
    assert bench.rows(
        "SELECT count(*) FROM lookups l LEFT JOIN settles s ON s.lookup_id = l.id AND s.outcome = l.outcome"
        " WHERE s.id IS NULL"
    ) == [(0,)]


def test_no_connection_is_held_during_a_call(bench: Bench, servers: Servers, upstream: Upstream) -> None:
    held: list[int] = []

    def look(_keys: Any) -> Any:
        held.append(bench.fleet.engine.pool.checkedout())  # type: ignore[attr-defined]  # of a QueuePool
        return None

    upstream.answers["track"] = look
    bench.track()
    bench.drain()
    assert held == [0]
