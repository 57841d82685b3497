"""Claiming: which lookups come next, who gets them, and how they come back."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import TextClause, text

from enrichment.reservoir import claims, lookups, settling
from tests.reservoir.conftest import SIZES, Reservoir


class TestOrder:
    def test_by_priority_then_age(self, reservoir: Reservoir) -> None:
        low, old, urgent, young = (reservoir.put(priority) for priority in (1, 5, 10, 5))
        assert [reservoir.ids() for _ in range(5)] == [[urgent], [old], [young], [low], []]

    def test_a_batch_is_filled_from_the_same_question_and_key(self, reservoir: Reservoir) -> None:
        head = reservoir.put(9, "many", batch_key="a")
        reservoir.put(8, "many", batch_key="b")
        reservoir.put(8, "one")
        same = [reservoir.put(4, "many", batch_key="a") for _ in range(3)]
        best = reservoir.put(6, "many", batch_key="a")
        assert reservoir.ids() == [head, best, same[0]]
        assert {reservoir.row(head)["claim_size"], reservoir.row(best)["claim_size"]} == {3}

    def test_what_gathers_rides_along(self, reservoir: Reservoir) -> None:
        gathering = [reservoir.put(2, "many") for _ in range(4)]
        other = reservoir.put(2, "many", batch_key="b")
        head = reservoir.put(5, "many")
        assert reservoir.ids() == [head, *gathering[:2]]
        assert reservoir.ids() == []
        reservoir.run("UPDATE lookups SET due_at = now() WHERE id = :id", id=gathering[2])
        assert reservoir.do(lookups.bring_due) == {"s"}
        assert reservoir.ids() == gathering[2:]
        assert [reservoir.row(each)["due_at"] for each in gathering] == [None] * 4
        assert reservoir.row(other)["state"] == "gathering"

    def test_a_critical_batch_takes_nobody_along(self, reservoir: Reservoir) -> None:
        reservoir.put(2, "many")
        critical = reservoir.put(10, "many")
        assert reservoir.ids() == [critical]

    def test_a_limited_lookup_shares_only_with_its_like(self, reservoir: Reservoir) -> None:
        ids = [reservoir.put(5, "many") for _ in range(5)]
        reservoir.run("UPDATE lookups SET batch_limit = 2 WHERE id = ANY(:ids)", ids=ids[:3])
        assert [reservoir.ids() for _ in range(4)] == [ids[:2], [ids[2]], ids[3:], []]

    def test_low_end_takes_the_oldest_of_the_lowest(self, reservoir: Reservoir) -> None:
        reservoir.put(9)
        old, young = reservoir.put(2), reservoir.put(2)
        assert reservoir.ids(low_end=True) == [old]
        assert reservoir.ids(low_end=True) == [young]

    def test_low_end_lets_a_critical_one_go_first(self, reservoir: Reservoir) -> None:
        reservoir.put(1)
        critical = reservoir.put(10)
        assert reservoir.ids(low_end=True) == [critical]

    def test_sources_are_apart(self, reservoir: Reservoir) -> None:
        reservoir.put()
        with reservoir.engine.begin() as connection:
            assert claims.claim(connection, "t", SIZES, reservoir.worker) == []

    @pytest.mark.parametrize("state", ["gathering", "claimed", "not_due", "deferred", "ended"])
    def test_sees_only_what_waits(self, reservoir: Reservoir, state: str) -> None:
        lookup = reservoir.put()
        reservoir.run("UPDATE lookups SET state = :state WHERE id = :id", state=state, id=lookup)
        assert reservoir.ids() == []
        assert reservoir.ids(low_end=True) == []

    def test_notes_the_moment_for_a_cold_start(self, reservoir: Reservoir) -> None:
        assert reservoir.ids() == []
        assert reservoir.rows("SELECT last_claim_at FROM source_states") == [(None,)]
        reservoir.put()
        reservoir.ids()
        assert reservoir.rows("SELECT clock_timestamp() - last_claim_at < '5 s' FROM source_states") == [(True,)]


class TestManyWorkers:
    def test_two_at_once_get_different_ones_and_nobody_waits(self, reservoir: Reservoir) -> None:
        ids = [reservoir.put() for _ in range(3)]
        reservoir.run("SET lock_timeout = '1s'")
        with reservoir.engine.connect() as one, reservoir.engine.connect() as two:
            # The moment of the last claim is one row for all, which is why a claim is a short transaction of its own.
            two.execute(text("SET lock_timeout = '2s'"))
            first = claims.claim(one, "s", SIZES, uuid.uuid4())
            seen = two.execute(
                text("SELECT id FROM lookups WHERE state = 'waiting' ORDER BY id FOR UPDATE SKIP LOCKED")
            )
            assert [row.id for row in seen] == ids[1:]
            two.rollback()
            one.commit()
            second = claims.claim(two, "s", SIZES, uuid.uuid4())
            two.commit()
        assert [first[0].id, second[0].id] == ids[:2]

    def test_a_locked_head_is_passed_over(self, reservoir: Reservoir) -> None:
        first, second = reservoir.put(9), reservoir.put(5)
        with reservoir.engine.begin() as other:
            other.execute(text("SELECT FROM lookups WHERE id = :id FOR UPDATE"), {"id": first})
            assert reservoir.ids() == [second]


class TestComingBack:
    def test_given_back_keeps_its_place(self, reservoir: Reservoir) -> None:
        first, second = reservoir.put(), reservoir.put()
        held = reservoir.claim()
        reservoir.do(lambda connection: claims.give_back(connection, held))
        assert [reservoir.ids(), reservoir.ids()] == [[first], [second]]
        assert reservoir.row(first)["attempts"] == 0

    def test_a_stale_holder_gives_nothing_back(self, reservoir: Reservoir) -> None:
        lookup = reservoir.put()
        stale = reservoir.claim()
        reservoir.do(lambda connection: claims.give_back(connection, stale))
        held = reservoir.claim()
        reservoir.do(lambda connection: claims.give_back(connection, stale))
        assert reservoir.row(lookup)["state"] == "claimed"
        assert reservoir.row(lookup)["claim_token"] == held[0].token

    @pytest.mark.parametrize(("deaths", "limits"), [(1, [2, 1, 1])])
    def test_deaths_halve_a_batch_until_they_count(self, reservoir: Reservoir, deaths: int, limits: list[int]) -> None:
        sizes = {"many": 4}
        for _ in range(4):
            reservoir.put(5, "many")
        for limit in limits[:2]:
            worker = uuid.uuid4()
            with reservoir.engine.begin() as connection:
                held = claims.claim(connection, "s", sizes, worker)
                assert claims.return_of_the_dead(connection, [worker])
            assert reservoir.row(held[0].id)["batch_limit"] == limit
        worker = uuid.uuid4()
        with reservoir.engine.begin() as connection:
            (alone,) = claims.claim(connection, "s", {"many": 1}, worker)
            (orphan,) = claims.return_of_the_dead(connection, [worker])
        assert (orphan.id, orphan.deaths) == (alone.id, deaths)
        assert reservoir.rows("SELECT sum(deaths) FROM lookups") == [(1,)]

    def test_only_of_the_dead(self, reservoir: Reservoir) -> None:
        ids = [reservoir.put(), reservoir.put()]
        dead, alive = uuid.uuid4(), uuid.uuid4()
        reservoir.claim(dead)
        reservoir.claim(alive)
        assert [o.id for o in reservoir.do(lambda c: claims.return_of_the_dead(c, [dead]))] == ids[:1]
        assert reservoir.row(ids[1])["state"] == "claimed"

    def test_a_lease_that_ended(self, reservoir: Reservoir) -> None:
        lookup, other = reservoir.put(), reservoir.put()
        reservoir.run(
            "INSERT INTO workers (id, host, machine, pid, pid_started, threads, version)"
            " VALUES (:id, '', '', 1, 1, 1, '')",
            id=reservoir.worker,
        )
        reservoir.claim()
        reservoir.claim()
        assert reservoir.do(claims.return_expired) == 0
        reservoir.run("UPDATE lookups SET lease_until = clock_timestamp() WHERE id = :id", id=lookup)
        assert reservoir.do(claims.return_expired) == 1
        assert (reservoir.row(lookup)["state"], reservoir.row(other)["state"]) == ("waiting", "claimed")
        assert reservoir.row(lookup)["deaths"] == 0

    def test_a_killer_ends_as_a_dead_letter_once(self, reservoir: Reservoir) -> None:
        lookup = reservoir.put(7)
        kind, _, priority = reservoir.do(lambda c: settling.end_killer(c, lookup, 3))
        assert (kind, priority) == ("track", 7)
        assert reservoir.do(lambda c: settling.end_killer(c, lookup, 3)) is None
        assert reservoir.row(lookup)["state"] == "ended"
        assert reservoir.rows("SELECT outcome, error, state FROM dead_letters") == [
            ("worker_died", "3 workers died under it", "open")
        ]

    def test_a_killer_that_somebody_has_again_is_left_to_them(self, reservoir: Reservoir) -> None:
        lookup = reservoir.put()
        reservoir.claim()
        assert reservoir.do(lambda c: settling.end_killer(c, lookup, 3)) is None
        assert not reservoir.rows("SELECT FROM dead_letters")

    def test_a_worker_that_leaves_harms_nothing(self, reservoir: Reservoir) -> None:
        lookup = reservoir.put()
        reservoir.claim()
        reservoir.do(lambda c: claims.return_unharmed(c, reservoir.worker))
        assert (reservoir.row(lookup)["state"], reservoir.row(lookup)["deaths"]) == ("waiting", 0)


class TestBigBacklog:
    @pytest.fixture
    def backlog(self, reservoir: Reservoir) -> Reservoir:
        """25,000 waiting, as many gathering, as many ended."""
        reservoir.run("""
            INSERT INTO lookups (source, question, kind, subject_id, state, priority, batch_key)
            SELECT 's', CASE WHEN n % 2 = 0 THEN 'one' ELSE 'many' END, 'track', gen_random_uuid(),
                (ARRAY['ended', 'waiting', 'gathering'])[1 + n % 3], 1 + n % 9, 'k' || n % 100
            FROM generate_series(1, 75000) AS n
        """)
        with reservoir.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE lookups"))
        return reservoir

    @pytest.mark.parametrize(
        ("statement", "indexes"),
        [
            (claims._BEST, {"ix_lookups_line"}),
            (claims._LOW_END, {"ix_lookups_line"}),
            (claims._CLAIM, {"ix_lookups_batch", "ix_lookups_gathering"}),
        ],
        ids=["best", "low end", "batch"],
    )
    def test_a_claim_reads_indexes_only_as_far_as_it_needs(
        self, backlog: Reservoir, statement: TextClause, indexes: set[str]
    ) -> None:
        head = backlog.rows("SELECT id FROM lookups WHERE question = 'many' AND batch_key = 'k7' ORDER BY id LIMIT 1")[
            0
        ]
        values = {"source": "s", "question": "many", "batch_key": "k7", "batch_limit": 0, "head": head.id}
        values |= {"others": 300, "riders": True, "worker": uuid.uuid4(), "token": uuid.uuid4(), "lease": 1.0}
        explain = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}")
        with backlog.engine.connect() as connection:
            wanted = {name: value for name, value in values.items() if name in explain._bindparams}
            nodes = list(_nodes(connection.execute(explain, wanted).scalar_one()[0]["Plan"]))
            connection.rollback()
        on_lookups = [node for node in nodes if node.get("Relation Name") == "lookups" and "Scan" in node["Node Type"]]
        assert indexes <= {node.get("Index Name") for node in on_lookups}
        assert "Seq Scan" not in {node["Node Type"] for node in on_lookups}
        assert max(node["Actual Rows"] * node["Actual Loops"] for node in on_lookups) <= 301

    def test_claims_are_quick(self, backlog: Reservoir) -> None:
        sizes = {"one": 1, "many": 50}
        with backlog.engine.connect() as connection:
            (taken,) = connection.execute(text("SELECT clock_timestamp()")).one()
            for n in range(20):
                assert claims.claim(connection, "s", sizes, backlog.worker, low_end=n % 10 == 9)
                connection.commit()
            (done,) = connection.execute(text("SELECT clock_timestamp()")).one()
        assert (done - taken).total_seconds() / 20 < 0.1


def _nodes(node: dict[str, Any]) -> Any:
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)
