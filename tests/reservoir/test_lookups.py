"""Lookups on their way: inserted, gathering, due, deferred."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from enrichment.domain.subjects import Kind
from enrichment.reservoir import lookups
from enrichment.reservoir.lookups import NewLookup, Waiting
from tests.reservoir.conftest import SIZES, Reservoir


def states(reservoir: Reservoir) -> list[str]:
    return [row.state for row in reservoir.rows("SELECT state FROM lookups ORDER BY id")]


class TestInsert:
    def test_an_open_one_is_not_doubled_but_rises(self, reservoir: Reservoir) -> None:
        subject = uuid.uuid4()
        first = reservoir.put(3, "many", subject)
        assert reservoir.row(first)["state"] == "gathering"
        assert reservoir.put(8, "many", subject) == first
        assert (reservoir.row(first)["priority"], reservoir.row(first)["lane"]) == (8, "default")
        assert reservoir.row(first)["state"] == "waiting"
        assert reservoir.put(2, "many", subject) == first
        assert reservoir.row(first)["priority"] == 8

    def test_an_ended_one_is_history(self, reservoir: Reservoir) -> None:
        subject = uuid.uuid4()
        first = reservoir.put(5, subject=subject)
        reservoir.run("UPDATE lookups SET state = 'ended'")
        assert reservoir.put(5, subject=subject) != first

    def test_the_same_twice_in_one_go_takes_the_higher_priority(self, reservoir: Reservoir) -> None:
        subject = uuid.uuid4()
        new = [NewLookup("s", "one", Kind.ALBUM, subject, priority, {}) for priority in (4, 9, 2)]
        reservoir.do(lambda c: lookups.insert(c, new, 30.0))
        assert [row.priority for row in reservoir.rows("SELECT priority FROM lookups")] == [9]

    @pytest.mark.parametrize(
        ("priority", "question", "deferred", "state"),
        [
            (3, "many", False, "gathering"),
            (3, "one", False, "waiting"),
            (4, "many", False, "waiting"),
            (10, "many", False, "waiting"),
            (3, "many", True, "deferred"),
        ],
    )
    def test_states(self, reservoir: Reservoir, priority: int, question: str, deferred: bool, state: str) -> None:
        lookup = reservoir.put(priority, question, deferred=deferred)
        assert reservoir.row(lookup)["state"] == state

    def test_says_which_sources_got_work(self, reservoir: Reservoir) -> None:
        subject = uuid.uuid4()
        new = NewLookup("s", "one", Kind.TRACK, subject, 5, {})
        assert reservoir.do(lambda c: lookups.insert(c, [new], 30.0)) == {"s"}
        assert reservoir.do(lambda c: lookups.insert(c, [new], 30.0)) == set()
        assert reservoir.do(lambda c: lookups.insert(c, [], 30.0)) == set()


class TestGathering:
    def test_full_batches_are_released_and_the_rest_stays(self, reservoir: Reservoir) -> None:
        for key in "aaaabbb":
            reservoir.put(2, "many", batch_key=key)
        reservoir.put(2, "many", batch_key="c")
        reservoir.do(lambda c: lookups.release_full(c, "s", SIZES))
        assert states(reservoir) == ["waiting"] * 3 + ["gathering"] + ["waiting"] * 3 + ["gathering"]

    @pytest.mark.parametrize(
        ("other", "away", "released"),
        [
            (None, (), True),
            ("ended", (), True),
            ("not_due", (), True),
            ("waiting", (), False),
            ("waiting", ("t",), True),
            ("claimed", ("t",), False),
        ],
    )
    def test_idle_releases_all_once_nothing_else_goes_on(
        self,
        reservoir: Reservoir,
        other: str | None,
        away: tuple[str, ...],
        released: bool,
    ) -> None:
        lookup = reservoir.put(2, "many")
        if other:
            reservoir.run(
                "INSERT INTO lookups (source, question, kind, subject_id, priority, state)"
                " VALUES ('t', 'x', 'track', gen_random_uuid(), 5, :state)",
                state=other,
            )
        freed = reservoir.do(lambda c: lookups.release_idle(c, ["r", "s"], away))
        assert freed == ({"s"} if released else set())
        assert reservoir.row(lookup)["state"] == ("waiting" if released else "gathering")

    def test_rows_that_wait_are_counted_in_calls(self, reservoir: Reservoir) -> None:
        for _ in range(4):
            reservoir.put(5, "many")
        reservoir.put(5, "many", batch_key="other")
        reservoir.put(5, "one")
        reservoir.put(5, "one")
        reservoir.put(2, "many")
        lines = reservoir.do(lambda c: lookups.calls_waiting(c, {"s": SIZES, "t": SIZES}, {"s": 100, "t": 100}))
        assert lines == {"s": Waiting(5), "t": Waiting()}


class TestDue:
    def test_only_what_is_due_waits_again(self, reservoir: Reservoir) -> None:
        due, later, gathered = reservoir.put(), reservoir.put(), reservoir.put(2, "many")
        reservoir.run("UPDATE lookups SET state = 'not_due', due_at = clock_timestamp() WHERE id = :id", id=due)
        reservoir.run(
            "UPDATE lookups SET state = 'not_due', due_at = clock_timestamp() + interval '1 h' WHERE id = :id", id=later
        )
        reservoir.run("UPDATE lookups SET due_at = clock_timestamp() WHERE id = :id", id=gathered)
        assert reservoir.do(lookups.bring_due) == {"s"}
        assert states(reservoir) == ["waiting", "not_due", "waiting"]
        assert reservoir.row(due)["due_at"] is None
        assert reservoir.do(lookups.bring_due) == set()


class TestDeferred:
    def test_put_aside_and_taken_up_in_chunks(self, reservoir: Reservoir) -> None:
        ids = [reservoir.put(), reservoir.put(2, "many"), reservoir.put(), reservoir.put(), reservoir.put()]
        changes: dict[int, str] = {2: "not_due", 3: "claimed", 4: "ended"}
        for index, state in changes.items():
            reservoir.run("UPDATE lookups SET state = :s WHERE id = :id", s=state, id=ids[index])
        assert len(reservoir.do(lambda c: lookups.defer(c, "s", 2))) == 2
        assert len(reservoir.do(lambda c: lookups.defer(c, "s", 2))) == 1
        assert reservoir.do(lambda c: lookups.defer(c, "s", 2)) == []
        assert states(reservoir) == ["deferred"] * 3 + ["claimed", "ended"]
        assert len(reservoir.do(lambda c: lookups.take_up(c, "s"))) == 3
        assert states(reservoir) == ["waiting"] * 3 + ["claimed", "ended"]

    def test_a_deferred_one_is_open(self, reservoir: Reservoir) -> None:
        subject = uuid.uuid4()
        first = reservoir.put(5, subject=subject, deferred=True)
        assert reservoir.put(9, subject=subject) == first
        assert reservoir.row(first)["state"] == "deferred"


def test_raise_priority(reservoir: Reservoir) -> None:
    subject = uuid.uuid4()
    gathering, picture = reservoir.put(2, "many", subject), reservoir.put(2, "one", subject, blocking=False)
    assert reservoir.do(lambda c: lookups.raise_priority(c, [subject], 6)) == {"s"}
    assert (reservoir.row(gathering)["state"], reservoir.row(gathering)["priority"]) == ("waiting", 6)
    assert reservoir.row(picture)["priority"] == 2
    assert reservoir.do(lambda c: lookups.raise_priority(c, [subject], 3)) == set()


def test_asked_shows_the_open_one_else_the_last(reservoir: Reservoir) -> None:
    subject = uuid.uuid4()
    for outcome in ("nothing_found", "found"):
        reservoir.put(5, subject=subject)
        reservoir.run("UPDATE lookups SET state = 'ended', outcome = :o WHERE state <> 'ended'", o=outcome)

    def seen() -> list[Any]:
        return [(each.state, each.outcome) for each in reservoir.do(lambda c: lookups.asked(c, [subject]))[subject]]

    assert seen() == [("ended", "found")]
    reservoir.put(5, subject=subject)
    assert seen() == [("waiting", None)]


def test_lines_count_the_reservoir(reservoir: Reservoir) -> None:
    reservoir.put(10)
    reservoir.put(5)
    reservoir.put(5)
    found = [(line.lane, line.state, line.rows) for line in reservoir.do(lookups.lines)]
    assert found == [("critical", "waiting", 1), ("default", "waiting", 2)]
