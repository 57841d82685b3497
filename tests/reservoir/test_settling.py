"""The fence, findings, dead letters and day quotas."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from enrichment.domain.findings import Statement
from enrichment.domain.outcomes import Outcome
from enrichment.domain.subjects import Kind
from enrichment.reservoir import claims, findings, settling, twins
from enrichment.reservoir import fleet as fleet_rows
from enrichment.reservoir.findings import NewFinding
from enrichment.reservoir.settling import Move, Settlement
from tests.reservoir.conftest import Reservoir

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def apply(reservoir: Reservoir, *settlements: Settlement) -> set[int]:
    def work(connection: Any) -> set[int]:
        applied = settling.apply(connection, settlements, reservoir.worker)
        settling.write_dead_letters(connection, settlements, applied)
        return applied

    found: set[int] = reservoir.do(work)
    return found


class TestFence:
    def test_applies_once(self, reservoir: Reservoir) -> None:
        lookup = reservoir.put()
        (held,) = reservoir.claim()
        settlement = Settlement(held, Outcome.FOUND, Move.END, findings=2)
        assert apply(reservoir, settlement) == {lookup}
        assert apply(reservoir, settlement) == set()
        assert reservoir.rows("SELECT lookup_id, claim_token, outcome, findings, worker FROM settles") == [
            (lookup, held.token, "found", 2, reservoir.worker)
        ]
        row = reservoir.row(lookup)
        assert (row["state"], row["outcome"], row["claim_token"]) == ("ended", "found", None)
        assert row["settled_at"] is not None

    def test_a_stale_token_applies_nothing(self, reservoir: Reservoir) -> None:
        lookup = reservoir.put()
        (stale,) = reservoir.claim()
        reservoir.do(lambda c: claims.return_of_the_dead(c, [reservoir.worker]))
        (held,) = reservoir.claim()
        assert apply(reservoir, Settlement(stale, Outcome.UNREADABLE, Move.END, died=True)) == set()
        assert reservoir.row(lookup)["state"] == "claimed"
        assert not reservoir.rows("SELECT FROM settles UNION ALL SELECT FROM dead_letters")
        assert apply(reservoir, Settlement(held, Outcome.FOUND, Move.END)) == {lookup}

    def test_a_returned_one_applies_nothing(self, reservoir: Reservoir) -> None:
        reservoir.put()
        (held,) = reservoir.claim()
        reservoir.do(lambda c: claims.give_back(c, [held]))
        assert apply(reservoir, Settlement(held, Outcome.FOUND, Move.END)) == set()

    def test_of_a_batch_only_what_is_still_held(self, reservoir: Reservoir) -> None:
        ids = [reservoir.put(5, "many") for _ in range(3)]
        held = reservoir.claim()
        reservoir.run("UPDATE lookups SET state = 'waiting', claim_token = NULL WHERE id = :id", id=ids[1])
        assert apply(reservoir, *(Settlement(each, Outcome.FOUND, Move.END) for each in held)) == {ids[0], ids[2]}

    @pytest.mark.parametrize(
        ("settlement", "expected"),
        [
            ({"move": Move.LATER, "delay": 60.0, "attempt": True}, {"state": "not_due", "attempts": 1, "sheds": 0}),
            ({"move": Move.LATER, "delay": 2.0, "shed": True}, {"state": "not_due", "attempts": 0, "sheds": 1}),
            ({"move": Move.WAIT, "split": 2}, {"state": "waiting", "batch_limit": 2, "attempts": 0}),
            ({"move": Move.DEFER}, {"state": "deferred"}),
            ({"move": Move.END, "misses": 3}, {"state": "ended", "misses": 3}),
            ({"move": Move.END, "note": "a\x00b"}, {"error": "ab"}),
        ],
    )
    def test_moves(self, reservoir: Reservoir, settlement: dict[str, Any], expected: dict[str, Any]) -> None:
        lookup = reservoir.put()
        (held,) = reservoir.claim()
        apply(reservoir, Settlement(held, Outcome.TRY_LATER, **settlement))
        row = reservoir.row(lookup)
        assert {name: row[name] for name in expected} == expected
        assert (row["due_at"] is not None) == (row["state"] == "not_due")


def stated(
    subject: uuid.UUID, value: Any, *, hours: float = 0, confidence: float = 0.5, source: str = "s"
) -> NewFinding:
    moment = NOW + timedelta(hours=hours)
    return NewFinding(Kind.TRACK, subject, Statement("bpm", value, confidence, source, moment, "said so"))


class TestFindings:
    def values(self, reservoir: Reservoir, subject: uuid.UUID) -> list[Any]:
        return [each.value for each in reservoir.do(lambda c: findings.of(c, [subject]))[subject]]

    def test_the_newest_of_a_source_wins(self, reservoir: Reservoir) -> None:
        subject = uuid.uuid4()
        for value, hours in ((1, 0), (2, 1), (3, -1)):
            new = stated(subject, value, hours=hours)
            reservoir.do(lambda c, new=new: findings.keep(c, [new]))
        assert self.values(reservoir, subject) == [2]

    def test_sources_do_not_overwrite_each_other(self, reservoir: Reservoir) -> None:
        subject = uuid.uuid4()
        both = [stated(subject, 1), stated(subject, 2, source="t")]
        reservoir.do(lambda c: findings.keep(c, both))
        assert sorted(self.values(reservoir, subject)) == [1, 2]

    def test_of_two_at_once_the_surer(self, reservoir: Reservoir) -> None:
        subject = uuid.uuid4()
        two = [stated(subject, 1, confidence=0.9), stated(subject, 2, confidence=0.3)]
        reservoir.do(lambda c: findings.keep(c, two))
        assert self.values(reservoir, subject) == [1]

    def test_a_locked_one_stays(self, reservoir: Reservoir) -> None:
        subject = uuid.uuid4()
        reservoir.do(lambda c: findings.keep(c, [stated(subject, 1)]))
        reservoir.run("UPDATE findings SET locked = true")
        reservoir.do(lambda c: findings.keep(c, [stated(subject, 2, hours=5)]))
        assert self.values(reservoir, subject) == [1]

    @pytest.mark.parametrize(
        ("twin", "taken"),
        [
            ({}, True),
            ({"artist_key": "b", "isrc": None}, False),
            ({"artist_key": "b", "isrc": "I1"}, True),
            ({"isrc": "I2"}, False),
            ({"duration_ms": 206_000}, False),
            ({"duration_ms": 204_000}, True),
            ({"title_key": "u"}, False),
        ],
    )
    def test_taken_from_twins(self, reservoir: Reservoir, twin: dict[str, Any], taken: bool) -> None:
        known, new = uuid.uuid4(), uuid.uuid4()
        about = {"title_key": "t", "artist_key": "a", "isrc": "I1", "duration_ms": 200_000}
        for subject, facts in ((known, about), (new, about | twin)):
            reservoir.run(
                "INSERT INTO tracks (id, title, artist, title_key, artist_key, isrc, duration_ms)"
                " VALUES (:id, 'T', 'A', :title_key, :artist_key, :isrc, :duration_ms)",
                id=subject,
                **facts,
            )
        producers = NewFinding(Kind.TRACK, known, Statement("key", "C", 1, "producer", NOW))
        reservoir.do(lambda c: findings.keep(c, [stated(known, 1), producers]))
        assert reservoir.do(lambda c: twins.take_over(c, [new])) == (1 if taken else 0)


class TestDayQuota:
    def spend(self, reservoir: Reservoir, per_day: int = 3) -> float | None:
        found: float | None = reservoir.do(lambda c: fleet_rows.spend_day(c, "s", per_day))
        return found

    def test_spends_what_there_is(self, reservoir: Reservoir) -> None:
        assert [self.spend(reservoir) for _ in range(3)] == [None] * 3
        wait = self.spend(reservoir)
        assert wait is not None
        assert 23 * 3600 < wait <= 24 * 3600  # above a day it would be a stop
        assert reservoir.rows("SELECT calls FROM quota_hours") == [(3,)]

    def test_the_oldest_hour_leaves_first(self, reservoir: Reservoir) -> None:
        for hours, calls in ((20, 2), (3, 1)):
            reservoir.run(
                "INSERT INTO quota_hours VALUES ('s', date_trunc('hour', clock_timestamp()) - :h * interval '1 h', :n)",
                h=hours,
                n=calls,
            )
        wait = self.spend(reservoir)
        assert wait is not None
        assert 4 * 3600 < wait <= 5 * 3600

    def test_what_is_older_than_a_day_does_not_count(self, reservoir: Reservoir) -> None:
        reservoir.run(
            "INSERT INTO quota_hours VALUES ('s', date_trunc('hour', clock_timestamp()) - interval '25 h', 100)"
        )
        assert self.spend(reservoir) is None


class TestStandings:
    def test_pauses_are_not_shortened_and_stops_stay(self, reservoir: Reservoir) -> None:
        def pause(seconds: float, *, stopped: bool = False) -> fleet_rows.SourceStanding:
            reservoir.do(lambda c: fleet_rows.paused(c, "s", seconds, "why", 0.5, stopped=stopped))
            return reservoir.do(fleet_rows.standings)["s"]  # type: ignore[no-any-return]  # do() is of any type

        assert pause(100).paused_for == pytest.approx(100, abs=1)
        assert pause(1).paused_for == pytest.approx(100, abs=1)
        assert pause(10**9, stopped=True).stopped
        assert pause(5).stopped
        reservoir.do(lambda c: fleet_rows.resumed(c, "s"))
        after = reservoir.do(fleet_rows.standings)["s"]
        assert (after.stopped, after.paused_for, after.factor) == (False, 0, 0.5)
