"""Duplicates are proposed, merged with all that is theirs, or rejected for ever."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import httpx
import pytest

from enrichment.bootstrap import Parts, build
from enrichment.domain.subjects import Kind, Status
from enrichment.reservoir import merging as rows
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref
from enrichment.services import merging, outlook, report
from enrichment.services.fetch import fetch
from enrichment.services.requests import BadRequest, PerformerRequest, TrackRequest, Unknown, read
from enrichment.services.submit import submit
from tests.services.fakes import Bench, Upstream
from tests.support import FakeTransport


def look(bench: Bench) -> merging.Found:
    """As some time after the last change: what a transaction under way may still write is not looked at."""
    for kind in Kind:
        bench.run(f"UPDATE {kind}s SET updated_at = updated_at - interval '1 second'")  # noqa: S608 - a constant
    return merging.find_duplicates(bench.fleet)


def performer(bench: Bench, name: str, external_id: str, **columns: Any) -> uuid.UUID:
    """A row of another program, with our key of its name."""
    id_ = submit(bench.fleet, read(PerformerRequest, {"name": name, "performer_id": external_id})).id
    for column, value in columns.items():
        bench.run(f"UPDATE performers SET {column} = :value WHERE id = :id", value=value, id=id_)  # noqa: S608 - ours
    return id_


def proposals(bench: Bench) -> list[dict[str, Any]]:
    return merging.listed(bench.fleet)


def two_tracks(bench: Bench) -> tuple[uuid.UUID, uuid.UUID]:
    """One recording, handed in by two producers under two names of one artist."""
    first = bench.track("Teardrop", "Massive Attack", track_id="p-1", album_title="Mezzanine", duration_ms=330_000)
    second = bench.track("Teardrop", "Massive Attack feat. Liz", track_id="p-2", duration_ms=331_000)
    return first, second


def states(bench: Bench, *ids: uuid.UUID) -> list[str]:
    return [bench.status(id_).status for id_ in ids]


def test_tracks_of_one_recording_become_one(bench: Bench) -> None:
    first, second = two_tracks(bench)
    bench.settle_down()
    bench.run(
        "INSERT INTO listens (user_id, listened_at, artist_name, track_name, track_id)"
        " VALUES ('u', now(), 'MA', 'Teardrop', :id)",
        id=second,
    )

    found = look(bench)
    (pair,) = proposals(bench)

    assert (found.proposed, found.merged, look(bench).proposed) == (1, 0, 0)
    assert {each["id"] for each in pair["subjects"]} == {str(first), str(second)}
    assert pair["shared"] == {"musicbrainz_id": "m-1"}
    assert "same ISRC: GBAAA9800322, 1.0 s apart" in pair["reasons"]
    assert (pair["match"]["verdict"], pair["certain"]) == ("same", False)

    calls = len(bench.upstream.asked)
    merged = merging.merge(bench.fleet, pair["id"], "a person")
    bench.settle_down()

    assert merging.merge(bench.fleet, pair["id"], "a person") == merged
    assert (merged["state"], merged["kept"], merged["decided_by"]) == ("merged", str(first), "a person")
    assert [(row.id, row.external_id) for row in bench.rows("SELECT id, external_id FROM tracks")] == [(first, "p-1")]
    assert bench.rows("SELECT track_id FROM listens")[0].track_id == first
    for given in ("p-1", "p-2", str(first), str(second)):
        told = report.subject_report(bench.fleet, Kind.TRACK, given)
        assert told is not None
        assert (told["id"], told["status"]) == (str(first), "completed")
        assert outlook.find(bench.fleet, Kind.TRACK, given) == Ref(Kind.TRACK, first)
        assert submit(bench.fleet, read(TrackRequest, {"track_id": given})).id == first
    assert bench.track("Teardrop", "Massive Attack feat. Liz", duration_ms=331_000) == first
    assert bench.drain() == []
    assert len(bench.upstream.asked) == calls, "what both know is not asked for again"


def test_who_asked_before_the_merge_has_the_answer(bench: Bench, upstream: Upstream) -> None:
    first, second = two_tracks(bench)
    bench.settle_down()
    look(bench)
    (pair,) = proposals(bench)
    upstream.answers["track"] = {"isrc": "GBAAA9800322", "bpm": 79.0}
    submit(bench.fleet, read(TrackRequest, {"track_id": "p-2", "force_refresh": True, "priority": 9}))
    asked = Ref(Kind.TRACK, second)

    merging.merge(bench.fleet, pair["id"], "a person")

    assert report.statuses(bench.fleet, [asked]) == {asked: Status.IN_PROGRESS}
    bench.settle_down()
    assert outlook.look(bench.fleet, [asked])[asked].status is Status.COMPLETED
    answer = report.answers(bench.fleet, [asked, Ref(Kind.TRACK, first)])
    assert answer[asked] == answer[Ref(Kind.TRACK, first)]
    assert (answer[asked]["track_id"], answer[asked]["metadata_acquired"]["bpm"]) == ("p-1", 79.0)


def test_open_questions_of_both_are_one_and_an_answer_on_its_way_is_kept(bench: Bench, upstream: Upstream) -> None:
    for name in ("Puff Daddy", "P. Diddy"):
        performer(bench, name, name, spotify_id="sp")
    look(bench)
    (pair,) = proposals(bench)
    assert (pair["match"]["verdict"], pair["shared"]) == ("different", {"spotify_id": "sp"})
    assert [state for _, state, _ in bench.lookups()] == ["waiting", "waiting"]
    merges: list[str] = []

    def answer(_: Any) -> dict[str, Any]:
        if not merges:
            merges.append(merging.merge(bench.fleet, pair["id"], "meanwhile")["kept"])
        return {"country": "US", "musicbrainz_id": "mb"}

    upstream.answers["performer"] = answer
    bench.settle_down()

    (row,) = bench.rows("SELECT id, name, country, musicbrainz_id, spotify_id FROM performers")
    assert merges == [str(row.id)]
    assert (row.country, row.musicbrainz_id, row.spotify_id) == ("US", "mb", "sp")
    assert bench.status(row.id).status == "completed"
    assert [state for _, state, _ in bench.lookups(row.id)] == ["ended"]
    assert upstream.questions() == ["performer"]


def test_everything_moves_and_what_was_moved_is_kept(bench: Bench) -> None:
    kept = performer(bench, "Anetha", "one", metadata=json.dumps({"note": "kept", "aliases": ["Anetha (Paris)"]}))
    gone = performer(bench, "Anetha (Paris)", "two", country="France", metadata=json.dumps({"note": "g", "own": 1}))
    bench.run("INSERT INTO events (id, title) VALUES (:id, 'both'), (gen_random_uuid(), 'one')", id=uuid.UUID(int=1))
    bench.run(
        "INSERT INTO event_performers SELECT e.id, p.id, 1 FROM events e, performers p"
        " WHERE e.title = 'both' OR p.external_id = 'two'"
    )
    bench.run(
        "INSERT INTO findings (kind, subject_id, field, source, value, confidence, stated_at, locked) VALUES"
        " ('performer', :kept, 'country', 'alpha', '\"GB\"', 0.9, now(), false),"
        " ('performer', :gone, 'country', 'alpha', '\"FR\"', 0.5, 'epoch', true)",
        kept=kept,
        gone=gone,
    )
    album = bench.rows("SELECT gen_random_uuid() AS id")[0].id
    bench.run("INSERT INTO albums (id, title, artist, performer_id) VALUES (:id, 'A', 'B', :gone)", id=album, gone=gone)
    bench.run(
        "INSERT INTO reviews (kind, subject_id, doubt, source, question, fields, candidates, seen, reason, state)"
        " SELECT 'performer', id, 'namesakes', 'alpha', 'performer', '{}', '[]', '{}', '',"
        " CASE external_id WHEN 'one' THEN 'decided' ELSE 'open' END FROM performers"
    )
    look(bench)
    (pair,) = proposals(bench)
    assert pair["reasons"] == ["'Anetha' is also known as 'Anetha (Paris)'"]

    survivor = uuid.UUID(merging.merge(bench.fleet, pair["id"], "a person")["kept"])

    assert survivor == gone, "the one with a person's lock stays"
    (row,) = bench.rows("SELECT external_id, country, metadata FROM performers")
    assert (row.external_id, row.country) == ("two", "FR")
    assert (row.metadata["note"], row.metadata["own"]) == ("g", 1)
    assert [
        tuple(each)
        for each in bench.rows(
            "SELECT title, performer_id FROM event_performers JOIN events ON id = event_id ORDER BY title"
        )
    ] == [("both", gone), ("one", gone)]
    assert bench.rows("SELECT performer_id FROM albums")[0].performer_id == gone
    assert [tuple(each) for each in bench.rows("SELECT subject_id, state FROM reviews")] == [(gone, "decided")]
    for kind in Kind:
        for reference in rows.references(kind):
            left = bench.rows(
                f"SELECT FROM {reference.table.name} WHERE {reference.column} = :id",
                id=kept,
            )
            assert left == [], reference
    (undo,) = bench.rows("SELECT undo FROM redirects")
    assert undo.undo["row"]["external_id"] == "one"
    assert [each["value"] for each in undo.undo["removed"]["findings"]] == ["GB"]
    assert [each["event_id"] for each in undo.undo["removed"]["event_performers"]] == [str(uuid.UUID(int=1))]
    assert submit(bench.fleet, read(PerformerRequest, {"name": "Anetha"})).id == gone


def test_every_column_that_names_subjects_has_an_index(bench: Bench) -> None:
    led = {
        (row.table, row.column)
        for row in bench.rows("""
        SELECT c.relname AS table, a.attname AS column FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey[0:1]) AND i.indpred IS NULL
    """)
    }
    named = {(each.table.name, each.column) for kind in Kind for each in rows.references(kind)}

    assert named > {("findings", "subject_id"), ("tracks", "performer_id"), ("listens", "track_id")}
    assert named <= led


def test_what_was_rejected_is_never_proposed_again(bench: Bench) -> None:
    for name in ("Nina", "Niña", "Nena"):
        performer(bench, name, name, spotify_id="sp")
    assert look(bench).proposed == 3
    by_names = {frozenset(each["name"] for each in pair["subjects"]): pair["id"] for pair in proposals(bench)}
    nina = by_names[frozenset({"Nina", "Niña"})]

    merging.reject(bench.fleet, by_names[frozenset({"Nena", "Niña"})], "a person")
    merging.merge(bench.fleet, nina, "a person")
    look(bench)

    assert proposals(bench) == [], "who is not the one is not the other either"
    (left,) = merging.listed(bench.fleet, "rejected")
    assert left["decided_by"] == "a person"
    with pytest.raises(BadRequest, match="rejected already"):
        merging.merge(bench.fleet, left["id"], "another person")
    with pytest.raises(BadRequest, match="merged already"):
        merging.reject(bench.fleet, nina, "another person")
    with pytest.raises(Unknown):
        merging.merge(bench.fleet, 99_999, "a person")


def test_ids_lead_on_however_often_a_subject_is_merged(bench: Bench) -> None:
    ids = [performer(bench, f"Name {n}", f"p-{n}", spotify_id="sp") for n in range(3)]
    look(bench)
    pairs = {frozenset(each["name"] for each in pair["subjects"]): pair["id"] for pair in proposals(bench)}

    merging.merge(bench.fleet, pairs[frozenset({"Name 1", "Name 2"})], "a person")
    merging.merge(bench.fleet, pairs[frozenset({"Name 0", "Name 1"})], "a person")

    refs = [Ref(Kind.PERFORMER, id_) for id_ in ids]
    now = in_transaction(bench.fleet.engine, lambda connection: rows.followed(connection, refs))
    (row,) = bench.rows("SELECT id FROM performers")
    assert set(now.values()) == {Ref(Kind.PERFORMER, row.id)}
    assert proposals(bench) == []


def test_a_pair_that_nothing_speaks_for_any_more_is_withdrawn(bench: Bench) -> None:
    performer(bench, "One", "1", deezer_id="d")
    other = performer(bench, "Two", "2", deezer_id="d")
    assert look(bench).proposed == 1

    bench.run("UPDATE performers SET deezer_id = 'e', updated_at = clock_timestamp() WHERE id = :id", id=other)

    assert look(bench).withdrawn == 1
    assert proposals(bench) == []


@pytest.mark.parametrize(("allowed", "left"), [(False, 2), (True, 1)])
def test_what_is_certain_is_merged_only_where_the_operator_says_so(bench: Bench, allowed: bool, left: int) -> None:
    for external_id in ("1", "2"):
        performer(bench, "Anetha", external_id, spotify_id="sp")
    bench.run(
        "INSERT INTO findings (kind, subject_id, field, source, value, confidence, stated_at)"
        " SELECT 'performer', id, 'spotify_id', source, '\"sp\"', 0.9, now()"
        " FROM performers, unnest(ARRAY['alpha', 'beta']) AS s(source)"
    )
    bench.fleet.merge_certain = allowed

    found = look(bench)

    assert (found.proposed, found.merged) == (1, 2 - left)
    assert bench.rows("SELECT count(*) AS rows FROM performers")[0].rows == left


def test_requests_and_answers_at_the_same_time_lose_nothing(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Threads ask again by every id and name, and fetch, while others merge."""
    for n in range(8):
        for who in ("a", "b"):
            performer(bench, f"Name {n} {who}", f"{n}{who}", spotify_id=f"sp-{n}")
    look(bench)
    parts = Parts(
        send_fetch=lambda source, ticket: bench.tickets.append((source, ticket)),
        http=httpx.Client(transport=FakeTransport(bench.upstream)),
        sources=bench.fleet.sources,
        connections=6,
    )
    fleet = build(bench.settings, parts)

    def ask(given: dict[str, str]) -> uuid.UUID:
        return submit(fleet, read(PerformerRequest, {**given, "force_refresh": True})).id

    def fetch_some(_: int) -> None:
        with suppress(IndexError):
            while True:
                fetch(fleet, *bench.tickets.popleft())

    given = [{"performer_id": f"{n}{who}"} for n in range(8) for who in ("a", "b")]
    named = [{"name": f"Name {n} {who}"} for n in range(8) for who in ("a", "b")]
    with ThreadPoolExecutor(6) as pool:
        done = [
            pool.submit(work, each)
            for works in zip(
                [(ask, each) for each in given],
                [(ask, each) for each in named],
                [(fetch_some, n) for n in range(16)],
                [(partial(merging.merge, fleet, who="one"), pair["id"]) for pair in proposals(bench) * 2],
                strict=True,
            )
            for work, each in works
        ]
        for each in done:
            each.result()
    fleet.close()
    bench.settle_down()

    left = {row.id: row.external_id for row in bench.rows("SELECT id, external_id FROM performers")}
    assert len(left) == 8
    assert {row.subject_id for row in bench.rows("SELECT subject_id FROM enrichment_status")} == set(left)
    assert {row.subject_id for row in bench.rows("SELECT subject_id FROM lookups")} == set(left)
    assert bench.rows("SELECT FROM enrichment_status WHERE status <> 'completed' OR refreshing") == []
    assert {submit(bench.fleet, read(PerformerRequest, each)).id for each in (*given, *named)} == set(left)
    assert "deadlock" not in capsys.readouterr().out
