"""The dead-letter queue: what stands in it, and what people do with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from enrichment.domain.orders import LONGEST_ID, Order, id_of
from enrichment.domain.subjects import Lane
from enrichment.reservoir import dead_letters as rows
from enrichment.reservoir.dead_letters import Filter
from enrichment.services import dead_letters, intake
from enrichment.services.dead_letters import Replayed
from enrichment.services.requests import BadRequest
from tests.conftest import Empty
from tests.services.fakes import Alpha, Bench, Beta, Upstream, a_bench

TRACK = ("alpha.track", "unreadable", "an odd answer")


def died(bench: Bench, upstream: Upstream, *titles: str, **more: Any) -> list[int]:
    """Tracks whose first question becomes a dead letter each. Returns the letters' numbers."""
    upstream.answers["track"] = "odd"
    for title in titles:
        bench.track(title, **more)
    bench.settle_down()
    return [row.id for row in bench.rows("SELECT id FROM dead_letters WHERE question = 'track' ORDER BY id")]


def a_message(bench: Bench, request: Any, error: str = "no", body: bytes = b"raw", **more: Any) -> int:
    """A letter of a message that could not be taken."""
    with bench.fleet.engine.begin() as connection:
        rows.message(connection, error, body, request=request, **more)
    return int(bench.rows("SELECT max(id) FROM dead_letters")[0][0])


def numbers(bench: Bench, **which: Any) -> list[int]:
    """Those found, the newest first."""
    return [letter["id"] for letter in dead_letters.letters(bench.fleet, Filter(**which))]


def only(*ids: int) -> Filter:
    return Filter(ids=ids)


class TestFind:
    def test_by_source_error_outcome_kind_and_number(self, bench: Bench, upstream: Upstream) -> None:
        one, two = died(bench, upstream, "A", "B")
        message = a_message(bench, {}, "artist_name: is 100 % wrong")
        assert numbers(bench) == [message, two, one]
        assert numbers(bench, source="alpha") == [two, one]
        assert numbers(bench, source="beta") == []
        assert numbers(bench, error="ODD") == [two, one]
        assert numbers(bench, error="100 %") == [message]
        assert numbers(bench, error="100 _") == []
        assert numbers(bench, outcome="try_later") == []
        assert numbers(bench, what="message") == [message]
        assert numbers(bench, ids=(one, 999)) == [one]
        assert numbers(bench, ids=()) == []

    def test_by_age(self, bench: Bench) -> None:
        old, new = a_message(bench, {}), a_message(bench, {})
        bench.run("UPDATE dead_letters SET created_at = created_at - interval '2 days' WHERE id = :id", id=old)
        assert numbers(bench, older=86_400.0) == [old]
        assert numbers(bench, newer=86_400.0) == [new]

    def test_by_subject_in_pages(self, bench: Bench, upstream: Upstream) -> None:
        died(bench, upstream, "A", "B", track_id=None)
        (mine,) = died(bench, upstream, "C", track_id="their-7")[2:]
        which = dead_letters.about(bench.fleet, Filter(), "their-7")
        assert [letter["id"] for letter in dead_letters.letters(bench.fleet, which)] == [mine]
        with pytest.raises(BadRequest, match="no subject has the id 'nobody'"):
            dead_letters.about(bench.fleet, Filter(), "nobody")
        first = dead_letters.letters(bench.fleet, most=2)
        rest = dead_letters.letters(bench.fleet, most=2, below=first[-1]["id"])
        assert [len(first), len(rest)] == [2, 1]


class TestShow:
    def test_a_lookups_request_reply_attempts_and_trace(self, bench: Bench, upstream: Upstream) -> None:
        (letter,) = died(bench, upstream, "A", correlation_id="trace-1")
        shown = dead_letters.letter(bench.fleet, letter)
        assert shown is not None
        assert shown["request"]["keys"] == {"artist_name": "Massive Attack", "title": "A"}
        assert shown["reply"].startswith("HTTP 200 application/json\n")
        assert shown["trace_id"] == "trace-1"
        assert [(each["outcome"], each["findings"]) for each in shown["tried"]] == [("unreadable", 0)]
        assert dead_letters.letter(bench.fleet, letter + 1) is None

    def test_a_message_is_bounded_and_stays_text(self, bench: Bench) -> None:
        body = ("é" * 15_000).encode()
        shown = dead_letters.letter(bench.fleet, a_message(bench, {"task": "x"}, body=body, request_id="message-9"))
        assert shown is not None
        assert (len(shown["body"]), shown["body_bytes"], shown["trace_id"]) == (10_000, 30_000, "message-9")
        odd = dead_letters.letter(bench.fleet, a_message(bench, {}, body=b"\xff\x00"))
        assert odd is not None
        assert odd["body"] == b"\xff\x00"

    def test_secrets_are_removed(self, empty: Empty, upstream: Upstream) -> None:
        class Secretive(Alpha):
            secrets = ("ALPHA_KEY",)

        made = a_bench(empty, upstream, (Secretive(), Beta()), {"ALPHA_KEY": "planted-secret"})
        given = {"task": "enrich_track", "kwargs": {"a": ["planted-secret"]}}
        letter = a_message(made, given, "planted-secret is wrong", b"?key=planted-secret")
        made.run("UPDATE dead_letters SET reply = 'token planted-secret' WHERE id = :id", id=letter)
        shown = dead_letters.letter(made.fleet, letter)
        listed = dead_letters.letters(made.fleet)
        made.close()
        assert "planted-secret" not in repr((shown, listed))
        assert shown is not None
        assert shown["body"].startswith("?key=")

    def test_whatever_cannot_be_stored_is_made_storable(self, bench: Bench) -> None:
        odd = {"a\x00": "b\x00\ud800", "n": float("nan"), "o": object, "l": (1, None, 2.5)}
        shown = dead_letters.letter(bench.fleet, a_message(bench, odd, "NUL\x00\ud800"))
        assert shown is not None
        assert (shown["error"], shown["request"]["a"], shown["request"]["n"]) == ("NUL?", "b?", "nan")
        assert shown["request"]["l"] == [1, None, 2.5]


class TestReplayOfLookups:
    def test_the_answer_is_taken_in_and_twice_is_once(self, bench: Bench, upstream: Upstream) -> None:
        (letter,) = died(bench, upstream, "A")
        upstream.answers["track"] = {"bpm": 78.0}
        upstream.asked.clear()
        assert dead_letters.replay(bench.fleet, only(letter)) == Replayed(1)
        assert dead_letters.replay(bench.fleet, only(letter)) == Replayed(0)
        bench.settle_down()
        assert upstream.questions().count("track") == 1
        assert bench.rows("SELECT bpm FROM tracks") == [(78.0,)]
        assert bench.rows("SELECT status FROM enrichment_status WHERE kind = 'track'") == [("completed",)]
        assert bench.letters() == []

    def test_all_of_a_kind_at_a_rate_on_a_lane(self, bench: Bench, upstream: Upstream) -> None:
        died(bench, upstream, "A", "B", "C", priority=3)
        which = Filter(source="alpha", error="odd")
        assert dead_letters.replay(bench.fleet, which, lane=Lane.CRITICAL, per_second=0.1) == Replayed(3)
        found = bench.rows(
            "SELECT state, priority, batch_limit, round(extract(epoch FROM due_at - clock_timestamp())) AS due"
            " FROM lookups WHERE state <> 'ended' AND question = 'track' ORDER BY id"
        )
        assert [tuple(row) for row in found] == [
            ("waiting", 10, 1, None),
            ("not_due", 10, 1, 10),
            ("not_due", 10, 1, 20),
        ]

    def test_it_joins_what_is_open(self, bench: Bench, upstream: Upstream) -> None:
        (letter,) = died(bench, upstream, "A")
        bench.track("A")
        before = len(bench.lookups())
        assert dead_letters.replay(bench.fleet, only(letter)).done == 1
        assert len(bench.lookups()) == before

    def test_a_lookup_long_deleted_can_still_be_asked(self, bench: Bench, upstream: Upstream) -> None:
        (letter,) = died(bench, upstream, "A")
        bench.run("DELETE FROM lookups")
        assert dead_letters.replay(bench.fleet, only(letter)).done == 1
        assert ("alpha.track", "waiting", None) in bench.lookups()

    def test_edited_keys_are_asked(self, bench: Bench, upstream: Upstream) -> None:
        (letter,) = died(bench, upstream, "A")
        assert dead_letters.edit(bench.fleet, letter, {"title": "Angel"}) == {
            "artist_name": "Massive Attack",
            "title": "Angel",
        }
        with pytest.raises(BadRequest, match=r"alpha\.track needs title"):
            dead_letters.edit(bench.fleet, letter, {"title": ""})
        upstream.answers["track"] = {"bpm": 78.0}
        upstream.asked.clear()
        dead_letters.replay(bench.fleet, only(letter))
        bench.settle_down()
        assert ("track", [{"artist_name": "Massive Attack", "title": "Angel"}]) in upstream.asked
        with pytest.raises(BadRequest, match="no open dead letter"):
            dead_letters.edit(bench.fleet, letter, {"title": "Angel"})


BAD = {"task": "enrich_track", "args": [], "kwargs": {"artist_name": "Air", "track_title": "", "priority": 4}}


class TestReplayOfMessages:
    def test_it_is_edited_and_handed_in_once(self, bench: Bench) -> None:
        letter = a_message(bench, BAD)
        refused = dead_letters.replay(bench.fleet, only(letter)).refused
        assert "track_title" in refused[letter]
        assert numbers(bench) == [letter]
        edited = dead_letters.edit(bench.fleet, letter, {"track_title": "Alpha Beta Gaga"})
        assert edited["kwargs"] == {"artist_name": "Air", "track_title": "Alpha Beta Gaga", "priority": 4}
        assert dead_letters.replay(bench.fleet, only(letter), lane=Lane.LOW_PRIORITY) == Replayed(1)
        assert dead_letters.replay(bench.fleet, only(letter)) == Replayed(0)
        assert bench.rows("SELECT artist, title FROM tracks") == [("Air", "Alpha Beta Gaga")]
        assert bench.rows("SELECT priority FROM enrichment_status WHERE kind = 'track'") == [(2,)]
        assert numbers(bench, state="replayed") == [letter]

    def test_a_raw_one_needs_to_be_edited_whole(self, bench: Bench) -> None:
        letter = a_message(bench, {"headers": {}}, body=b"{")
        assert "edit it first" in dead_letters.replay(bench.fleet, only(letter)).refused[letter]
        with pytest.raises(BadRequest, match="no task of the name 'enrich'"):
            dead_letters.edit(bench.fleet, letter, {"task": "enrich", "kwargs": {"name": "Air"}}, whole=True)
        whole = {"task": "enrich_track", "args": ["Air"], "kwargs": {}}
        with pytest.raises(BadRequest, match="keywords only"):
            dead_letters.edit(bench.fleet, letter, whole, whole=True)
        dead_letters.edit(bench.fleet, letter, {"name": "Air"}, task="enrich_performer")
        assert dead_letters.replay(bench.fleet, Filter(what="message")) == Replayed(1)
        assert bench.rows("SELECT name FROM performers") == [("Air",)]

    def test_at_a_rate(self, bench: Bench) -> None:
        slept: list[float] = []
        bench.fleet.sleep = slept.append
        for name in "ABC":
            a_message(bench, {"task": "enrich_performer", "args": [], "kwargs": {"name": name}})
        assert dead_letters.replay(bench.fleet, Filter(), per_second=4).done == 3
        assert slept == [0.25, 0.25]


class TestClose:
    def test_drop_is_for_good_and_says_why(self, bench: Bench, upstream: Upstream) -> None:
        one, two = died(bench, upstream, "A", "B")
        assert dead_letters.drop(bench.fleet, only(one, 999), "not ours") == 1
        assert dead_letters.drop(bench.fleet, only(one), "again") == 0
        assert dead_letters.replay(bench.fleet, only(one)).done == 0
        assert bench.rows("SELECT state, note FROM dead_letters WHERE id = :id", id=one) == [("dropped", "not ours")]
        assert dead_letters.drop(bench.fleet, Filter(source="alpha"), "all of them") == 1
        assert numbers(bench, state="dropped") == [two, one]

    def test_purge_by_age_and_state(self, bench: Bench) -> None:
        old, dropped, _ = (a_message(bench, {}) for _ in range(3))
        dead_letters.drop(bench.fleet, only(dropped), "no")
        bench.run("UPDATE dead_letters SET created_at = created_at - interval '2 days' WHERE id <> 3")
        assert dead_letters.purge(bench.fleet, 86_400.0, ["dropped"]) == 1
        assert dead_letters.purge(bench.fleet, 86_400.0, ["open"]) == 1
        assert bench.rows("SELECT id FROM dead_letters WHERE id IN (:a, :b)", a=old, b=dropped) == []
        assert len(numbers(bench)) == 1

    def test_more_than_a_chunk(self, bench: Bench) -> None:
        bench.run(
            "INSERT INTO dead_letters (what, outcome, error) SELECT 'message', 'unreadable', 'n ' || n"
            " FROM generate_series(1, 1203) n"
        )
        assert dead_letters.drop(bench.fleet, Filter(error="n 1"), "ones") == 315
        assert dead_letters.drop(bench.fleet, Filter(), "the others") == 888


# --- requests, once -------------------------------------------------------------------------------------------------


@pytest.fixture
def taken(bench: Bench) -> Callable[..., list[str]]:
    """Takes an order, and says what could not be taken."""

    def take(task: str, *args: Any, id_: str | None = "m-1", **kwargs: Any) -> list[str]:
        return [each.error for each in intake.take(bench.fleet, Order(task, args, kwargs, id_)).refused]

    return take


class TestOnce:
    def test_an_id_is_submitted_once(self, bench: Bench, taken: Any) -> None:
        assert taken("enrich_track", artist="Air", title="Run", priority=2) == []
        bench.settle_down()
        bench.run("UPDATE enrichment_status SET requested_at = requested_at - interval '1 day'")
        before = bench.rows("SELECT requested_at, priority FROM enrichment_status")
        assert taken("enrich_track", artist="Air", title="Run", priority=9, force_refresh=True) == []
        assert bench.rows("SELECT requested_at, priority FROM enrichment_status") == before
        assert taken("enrich_track", id_="m-2", artist="Air", title="Run", priority=9) == []
        assert bench.rows("SELECT max(priority) FROM enrichment_status") == [(9,)]

    def test_its_id_is_the_trace_where_there_is_no_other(self, bench: Bench, taken: Any) -> None:
        taken("enrich_performer", "p-1", name="Air")
        assert bench.rows("SELECT correlation_id FROM enrichment_status") == [("m-1",)]
        assert bench.rows("SELECT external_id FROM performers") == [("p-1",)]

    def test_of_a_list_each_item_is_taken_once(self, bench: Bench, taken: Any) -> None:
        tracks = [{"artist": "Air", "title": "Run"}, {"artist": ""}, "nonsense", {"track_id": "unknown"}]
        assert len(taken("enrich_tracks", tracks)) == 3
        assert [row.id for row in bench.rows("SELECT id FROM requests")] == ["m-1/0"]
        bench.run("DELETE FROM requests")
        bench.run("INSERT INTO requests (id) VALUES ('m-1/1')")
        assert len(taken("enrich_tracks", [tracks[0], {"artist": "Air", "title": "Sexy Boy"}])) == 0
        assert bench.rows("SELECT count(*) FROM enrichment_status WHERE kind = 'track'") == [(1,)]

    def test_artwork_is_fetched_once(self, bench: Bench, taken: Any) -> None:
        taken("enrich_album", artist="Air", title="Moon Safari", album_id="a-1", id_=None)
        bench.settle_down()
        for _ in range(2):
            assert taken("fetch_artwork", album_id="a-1") == []
            bench.run("UPDATE lookups SET state = 'ended' WHERE source = 'artwork'")
        assert bench.rows("SELECT count(*) FROM lookups WHERE source = 'artwork' AND NOT blocking") == [(1,)]
        assert taken("fetch_artwork", colour="blue") != []

    @pytest.mark.parametrize("id_", ["x" * 5000, "a\x00b", "\ud800", 7])
    def test_any_id_can_be_kept(self, bench: Bench, id_: Any) -> None:
        kept = id_of(id_)
        assert kept is not None
        assert len(kept) <= LONGEST_ID
        intake.take(bench.fleet, Order("enrich_performer", (), {"name": "Air"}, kept))
        assert bench.rows("SELECT id FROM requests") == [(kept,)]
