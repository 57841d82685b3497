"""What several threads want at a time is done in one go; nobody suffers for another's failure."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from enrichment.domain.findings import Finding
from enrichment.domain.outcomes import ANSWER, Answer
from enrichment.reservoir import claims as line
from enrichment.reservoir import settling
from enrichment.reservoir.claims import Claim
from enrichment.reservoir.settling import Settlement
from enrichment.services.refill import refill_all
from enrichment.services.settle import settle
from enrichment.services.together import Together
from enrichment.wire.wire import Result
from tests.services.fakes import Bench
from tests.support import eventually

POISON = 7
"""So many findings nobody can settle."""


def stated(field: str, value: Any, confidence: float = 0.8) -> list[Finding]:
    return [Finding(field, value, confidence)]


def found(field: str, value: Any, confidence: float = 0.8) -> Answer:
    return Answer.found(stated(field, value, confidence))


class Crowd:
    """Threads that come one after another while the first is at work."""

    def __init__(self, together: Together[Any, Any]) -> None:
        self.together = together
        self.served: list[list[Any]] = []
        self._pool = ThreadPoolExecutor(16)

    @contextmanager
    def held(self) -> Iterator[None]:
        """The first is at work for as long as the block lasts."""
        begun, ended = threading.Event(), threading.Event()

        def work(_: Sequence[str]) -> None:
            begun.set()
            ended.wait()

        first = self._pool.submit(self.together.do, "first", work)
        begun.wait()
        try:
            yield
        finally:
            ended.set()
        first.result()

    def comes(self, item: Any, work: Callable[[Sequence[Any]], Any] | None = None, weight: int = 1) -> Future[Any]:
        """One more, who waits."""
        return self.does(self.together.do, item, work or self._serve, weight)

    def does(self, wanted: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """One more, who waits with what this call wants."""
        before = self.together.waiting
        future = self._pool.submit(wanted, *arguments)
        eventually(lambda: self.together.waiting == before + 1)
        return future

    def _serve(self, items: Sequence[Any]) -> int:
        self.served.append(list(items))
        return len(items)

    def close(self) -> None:
        """All have gone."""
        self._pool.shutdown()


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    made = Crowd(Together(100))
    yield made
    made.close()


def test_who_is_alone_waits_for_nobody() -> None:
    together = Together[int, list[int]](10)
    assert together.do(1, list) == [1]
    assert together.do(2, list) == [2]


def test_those_that_come_meanwhile_are_served_at_once_and_one_is_told(crowd: Crowd) -> None:
    with crowd.held():
        comers = [crowd.comes(name) for name in "abc"]
    assert [each.result() for each in comers] == [3, None, None]
    assert crowd.served == [["a", "b", "c"]]
    assert crowd.together.waiting == 0


def test_at_most_so_much_at_once(crowd: Crowd) -> None:
    with crowd.held():
        comers = [crowd.comes(name, weight=weight) for name, weight in (("a", 60), ("b", 40), ("c", 1), ("d", 400))]
        comers.append(crowd.comes("e"))
    assert [each.result() for each in comers] == [2, None, 1, 1, 1]
    assert crowd.served == [["a", "b"], ["c"], ["d"], ["e"]]


def test_one_that_fails_fails_alone(crowd: Crowd) -> None:
    def work(items: Sequence[str]) -> str:
        if "bad" in items:
            raise ValueError(f"bad among {len(items)}")
        return "".join(items)

    with crowd.held():
        comers = [crowd.comes(name, work) for name in ("a", "bad", "c")]
    assert (comers[0].result(), comers[2].result()) == ("a", "c")
    with pytest.raises(ValueError, match="bad among 1"):
        comers[1].result()
    assert crowd.together.do("next", work) == "next"


def test_a_database_that_is_away_is_away_for_all(crowd: Crowd) -> None:
    tried = []

    def work(items: Sequence[str]) -> None:
        tried.append(list(items))
        raise OperationalError("SELECT", {}, Exception("server closed the connection"))

    with crowd.held():
        comers = [crowd.comes(name, work) for name in "ab"]
    for each in comers:
        with pytest.raises(OperationalError):
            each.result()
    assert tried == [["a", "b"]]


def test_a_database_that_is_there_and_will_not_is_asked_for_each(crowd: Crowd) -> None:
    class TooLongError(Exception):
        sqlstate = "54000"

    def work(items: Sequence[str]) -> str:
        if "bad" in items:
            raise OperationalError("INSERT", {}, TooLongError())
        return "done"

    with crowd.held():
        comers = [crowd.comes(name, work) for name in ("bad", "b")]
    with pytest.raises(OperationalError):
        comers[0].result()
    assert comers[1].result() == "done"


def test_a_thread_that_is_told_to_end_leaves_nobody_waiting(crowd: Crowd) -> None:
    def work(_: Sequence[str]) -> None:
        raise SystemExit

    with crowd.held():
        comers = [crowd.comes(name, work) for name in "ab"]
    for each in comers:
        with pytest.raises(SystemExit):
            each.result()
    assert crowd.together.do("next", list) == ["next"]


class TestSettles:
    """Calls that are answered at a time."""

    @pytest.fixture
    def crowd(self, bench: Bench) -> Iterator[Crowd]:
        """Others of the bench's fleet."""
        made = Crowd(bench.fleet.settles)
        yield made
        made.close()

    @pytest.fixture
    def fenced(self, bench: Bench) -> list[list[str]]:
        """The questions of each transaction that has settled any, from now on."""
        kept: list[list[str]] = []

        def fence(connection: Connection, settlements: Sequence[Settlement], worker: uuid.UUID) -> set[int]:
            kept.append(sorted(each.claim.question for each in settlements))
            if any(each.findings == POISON for each in settlements):
                raise ValueError("poison")
            return settling.apply(connection, settlements, worker)

        bench.fleet.fence = fence
        return kept

    def _claimed(self, bench: Bench) -> dict[str, list[Claim]]:
        """What waits at Alpha, by question: a call each."""
        found = {}
        with bench.fleet.engine.begin() as connection:
            while held := line.claim(connection, "alpha", bench.fleet.sizes("alpha"), bench.fleet.worker.id):
                found[held[0].question] = held
        return found

    def _settled(self, bench: Bench, crowd: Crowd, held: Sequence[Claim], *said: Answer) -> Future[Any]:
        return crowd.does(settle, bench.fleet, held, Result(ANSWER, said))

    def test_are_one_transaction(self, bench: Bench, crowd: Crowd, fenced: list[list[str]]) -> None:
        track = bench.track()
        held = self._claimed(bench)
        with crowd.held():
            of_track = self._settled(bench, crowd, held["track"], found("bpm", 78.0))
            of_performer = self._settled(bench, crowd, held["performer"], found("genres", ["trip hop"]))
        of_track.result()
        assert of_performer.result().sources == frozenset()
        assert fenced == [["performer", "track"]]
        assert set(bench.lookups()) == {("alpha.track", "ended", "found"), ("alpha.performer", "ended", "found")}
        assert bench.rows("SELECT DISTINCT count(*) OVER () FROM settles GROUP BY claim_token") == [(2,)]
        (row,) = bench.rows("SELECT bpm, metadata -> 'genres' FROM tracks WHERE id = :id", id=track)
        assert tuple(row) == (78.0, ["trip hop"])
        assert bench.status(track).status == "completed"

    def test_two_answers_about_one_track_are_merged_together(
        self, bench: Bench, crowd: Crowd, fenced: list[list[str]]
    ) -> None:
        track = bench.track(isrc="GBAAA9800322")
        held = self._claimed(bench)
        with bench.fleet.engine.begin() as connection:
            by_isrc = line.claim(connection, "beta", bench.fleet.sizes("beta"), bench.fleet.worker.id)
        with crowd.held():
            calls = [
                self._settled(bench, crowd, held["track"], found("bpm", 78.0, 0.6)),
                self._settled(bench, crowd, by_isrc, found("bpm", 79.0, 0.9)),
            ]
        for each in calls:
            each.result()
        assert fenced == [["by_isrc", "track"]]
        assert bench.rows("SELECT bpm FROM tracks WHERE id = :id", id=track) == [(79.0,)]

    def test_a_claim_that_was_lost_meanwhile_writes_nothing_and_the_other_all(self, bench: Bench, crowd: Crowd) -> None:
        track = bench.track()
        held = self._claimed(bench)
        bench.run("UPDATE lookups SET claim_token = gen_random_uuid() WHERE question = 'performer'")
        with crowd.held():
            calls = [
                self._settled(bench, crowd, held["performer"], found("genres", ["hip trop"])),
                self._settled(bench, crowd, held["track"], found("bpm", 78.0)),
            ]
        for each in calls:
            each.result()
        assert set(bench.lookups()) == {("alpha.track", "ended", "found"), ("alpha.performer", "claimed", None)}
        (row,) = bench.rows("SELECT bpm, metadata -> 'genres' FROM tracks WHERE id = :id", id=track)
        assert tuple(row) == (78.0, None)

    def test_one_that_cannot_be_settled_takes_no_other_along(
        self, bench: Bench, crowd: Crowd, fenced: list[list[str]]
    ) -> None:
        bench.track()
        held = self._claimed(bench)
        with crowd.held():
            bad = self._settled(bench, crowd, held["performer"], Answer.found(stated("genres", ["x"]) * POISON))
            good = self._settled(bench, crowd, held["track"], found("bpm", 78.0))
        with pytest.raises(ValueError, match="poison"):
            bad.result()
        good.result()
        assert fenced == [["performer", "track"], ["performer"], ["track"]]
        assert set(bench.lookups()) == {("alpha.track", "ended", "found"), ("alpha.performer", "claimed", None)}

    def test_a_critical_answer_waits_for_nobody(self, bench: Bench, crowd: Crowd, fenced: list[list[str]]) -> None:
        bench.track(priority=10)
        held = self._claimed(bench)
        with crowd.held():
            settle(bench.fleet, held["track"], Result(ANSWER, (found("bpm", 78.0),)))
            assert fenced == [["track"]]


def test_refills_that_are_wanted_meanwhile_are_one(bench: Bench) -> None:
    bench.track(isrc="GBAAA9800322")
    bench.lose_messages()
    looks: list[str] = []
    event.listen(bench.fleet.engine, "before_cursor_execute", lambda *given: looks.append(given[2]))
    crowd = Crowd(bench.fleet.refills)
    with crowd.held():
        others = [crowd.does(refill_all, bench.fleet, [source]) for source in ("alpha", "beta", "alpha")]
        refill_all(bench.fleet, ["alpha"], critical=True)
        assert {source for source, _ in bench.tickets} == {"alpha"}, "a critical one waits for nobody"
        bench.lose_messages()
        bench.fleet.forget()
        looks.clear()
    for each in others:
        each.result()
    crowd.close()
    assert sum("LATERAL" in look for look in looks) == 1
    assert {source for source, _ in bench.tickets} == {"alpha", "beta"}
