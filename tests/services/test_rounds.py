"""Rounds at low_priority: several questions at once; the last answer merges and plans for all of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from enrichment.domain.questions import Question
from enrichment.domain.subjects import Kind
from enrichment.services import batches, standing
from enrichment.services.fetch import fetch
from enrichment.services.refill import refill_all
from tests.conftest import Empty
from tests.services.fakes import Bench, Fake, Upstream, a_bench, names

LOW, DEFAULT = 3, 5


class Codes(Fake):
    """Which recording it is."""

    name = "codes"
    questions = (Question("isrc", Kind.TRACK, ("title",), names("isrc", "performer.country"), batch=50),)


class Sounds(Fake):
    """How it sounds, by its title and by its code."""

    name = "sounds"
    questions = (
        Question("tempo", Kind.TRACK, ("title",), names("bpm"), batch=50),
        Question("key", Kind.TRACK, ("isrc",), names("key"), batch=50),
    )


class Performers(Fake):
    """Who plays it."""

    name = "performers"
    questions = (Question("genres", Kind.PERFORMER, ("name",), names("genres"), batch=50),)


@pytest.fixture
def upstream() -> Upstream:
    """One that knows everything."""
    return Upstream(
        {
            "isrc": {"isrc": "GBAAA9800322", "performer.country": "GB"},
            "tempo": {"bpm": 78.0},
            "key": {"key": "A Minor"},
            "genres": {"genres": ["trip hop"]},
        }
    )


@pytest.fixture
def bench(empty: Empty, upstream: Upstream) -> Iterator[Bench]:
    """A fleet with all of them."""
    made = a_bench(empty, upstream, (Codes(), Sounds(), Performers()))
    yield made
    made.close()


def answered(bench: Bench, source: str) -> None:
    """What gathers for this source, and for no other, is asked and settled."""
    bench.run("UPDATE lookups SET state = 'waiting', due_at = NULL WHERE source = :source", source=source)
    bench.lose_messages()
    refill_all(bench.fleet, [source])
    assert fetch(bench.fleet, *bench.tickets.popleft()).lookups


def asked(bench: Bench, track: Any) -> set[str]:
    return {question for question, _, _ in bench.lookups(track)}


def record(bench: Bench, track: Any) -> dict[str, Any]:
    (row,) = bench.rows("SELECT isrc, bpm, key FROM tracks WHERE id = :id", id=track)
    return {name: value for name, value in row._mapping.items() if value is not None}


ISRC, BPM = {"isrc": "GBAAA9800322"}, {"bpm": 78.0}


def test_what_tells_different_things_is_asked_at_once(bench: Bench) -> None:
    track = bench.track(priority=LOW)
    assert asked(bench, track) == {"codes.isrc", "sounds.tempo"}
    assert asked(bench, None) == {"codes.isrc", "sounds.tempo", "performers.genres"}


def test_the_last_answer_merges_and_plans_for_all(bench: Bench) -> None:
    track = bench.track(priority=LOW)
    answered(bench, "codes")
    assert record(bench, track) == {}
    assert [row.value for row in bench.rows("SELECT value FROM findings WHERE field = 'isrc'")] == ["GBAAA9800322"]
    assert asked(bench, track) == {"codes.isrc", "sounds.tempo"}
    answered(bench, "sounds")
    assert record(bench, track) == {**ISRC, **BPM}
    assert asked(bench, track) == {"codes.isrc", "sounds.tempo", "sounds.key"}


def test_also_where_the_last_one_has_found_nothing(bench: Bench, upstream: Upstream) -> None:
    upstream.answers["tempo"] = None
    track = bench.track(priority=LOW)
    answered(bench, "codes")
    answered(bench, "sounds")
    assert record(bench, track) == ISRC
    assert "sounds.key" in asked(bench, track)


def test_who_is_not_at_leisure_sees_every_answer_at_once(bench: Bench) -> None:
    track = bench.track(priority=DEFAULT)
    answered(bench, "codes")
    assert record(bench, track) == ISRC


def test_nor_does_anybody_who_asks_for_it_meanwhile_wait(bench: Bench) -> None:
    track = bench.track(priority=LOW)
    answered(bench, "codes")
    bench.track(priority=DEFAULT)
    assert record(bench, track) == ISRC


def test_what_the_answer_says_of_the_performer_is_merged_at_once(bench: Bench) -> None:
    bench.track(priority=LOW)
    answered(bench, "performers")
    bench.track("Angel", priority=LOW)
    answered(bench, "codes")
    assert [row.country for row in bench.rows("SELECT country FROM performers")] == ["GB"]


def test_an_answer_that_is_put_off_holds_up_nothing(bench: Bench, upstream: Upstream) -> None:
    upstream.refuse("tempo", 500)
    track = bench.track(priority=LOW)
    answered(bench, "codes")
    answered(bench, "sounds")
    assert ("sounds.tempo", "not_due", "try_later") in bench.lookups(track)
    assert record(bench, track) == ISRC


def test_nor_does_a_source_that_is_stopped(bench: Bench) -> None:
    track = bench.track(priority=LOW)
    answered(bench, "codes")
    standing.pause(bench.fleet, "sounds", 1e9, "stopped by a test", ours=False)
    bench.settle_down()
    assert record(bench, track) == ISRC
    assert bench.status(track).status == "partial"


def test_a_performers_answer_plans_those_of_its_tracks_of_which_nothing_is_on_its_way(bench: Bench) -> None:
    track, other = bench.track(priority=LOW), bench.track("Angel", priority=LOW)
    bench.run("UPDATE lookups SET state = 'ended', outcome = 'nothing_found' WHERE subject_id = :id", id=other)
    answered(bench, "performers")
    assert [row.subject_id for row in bench.rows("SELECT subject_id FROM replans")] == [other]
    bench.settle_down()
    assert bench.status(track).status == "completed"
    ((genres,),) = bench.rows("SELECT metadata -> 'genres' FROM tracks WHERE id = :id", id=track)
    assert genres == ["trip hop"]


def test_a_performers_answer_plans_every_track_that_somebody_waits_for(bench: Bench) -> None:
    track = bench.track(priority=LOW)
    bench.run("UPDATE lookups SET state = 'claimed' WHERE subject_id = :id", id=track)
    bench.track(priority=DEFAULT)  # what is claimed stays at its priority
    answered(bench, "performers")
    assert [row.subject_id for row in bench.rows("SELECT subject_id FROM replans")] == [track]


def test_what_was_found_before_a_batch_was_cancelled_is_merged_too(bench: Bench) -> None:
    given = {"artist_name": "Massive Attack", "track_title": "Teardrop", "priority": LOW}
    batch = batches.take(bench.fleet, "somebody", [given]).id
    ((track,),) = bench.rows("SELECT id FROM tracks")
    answered(bench, "codes")
    assert batches.cancel(bench.fleet, batch) == 1
    bench.settle_down()
    assert record(bench, track) == ISRC
    row = bench.status(track)
    assert (row.status, row.sources_used) == ("partial", ["codes"])


def fetched_nothing(bench: Bench) -> None:
    """A message of a source for which nothing waits."""
    (ticket,) = bench.fleet.limiter.admit("codes", 1, [uuid.uuid4().hex])
    assert fetch(bench.fleet, "codes", ticket).outcome == "nothing to ask"


def test_whoever_has_nothing_left_in_hand_last_sees_that_all_is_at_rest(bench: Bench) -> None:
    others = uuid.uuid4()
    bench.fleet.held.add(others)
    bench.track(priority=LOW)
    fetched_nothing(bench)
    assert not bench.tickets, "another thread's answers may bring more that shares their calls"
    bench.fleet.held.discard(others)
    fetched_nothing(bench)
    assert {source for source, _ in bench.tickets} == {"codes"}


def test_albums_that_replies_name_are_found_or_made_in_one_go(bench: Bench, upstream: Upstream) -> None:
    upstream.answers["isrc"] = lambda keys: {
        "isrc": f"GBAAA980032{len(keys['title'])}",
        "album.title": keys["title"][0],
    }
    tracks = [bench.track(title, priority=LOW) for title in ("Angel", "Atlas one", "Ba", "Black")]
    statements: list[str] = []
    event.listen(bench.fleet.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    answered(bench, "codes")
    assert sum("FROM albums t JOIN names" in each for each in statements) == 1
    assert sum("INSERT INTO albums" in each for each in statements) == 1
    linked = bench.rows(
        "SELECT t.id, a.title, a.artist FROM tracks t JOIN albums a ON a.id = t.album_id ORDER BY t.title"
    )
    assert [row.id for row in linked] == tracks
    assert [row.title for row in linked] == ["A", "A", "B", "B"]
    assert bench.rows("SELECT count(*) FROM albums")[0][0] == 2
