"""Backfills: rows of other programs, what has failed, what has grown old, what is played most."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import text

from enrichment.services import backfill, purge
from enrichment.services.backfill import EVERYTHING, TARGETS, asking
from enrichment.services.jobs import Cursor, Job, Step
from tests.services.fakes import Bench


def finish(bench: Bench, job: Job, cursor: Cursor | None = None) -> dict[str, Any]:
    """Every step of a job. Returns its counts."""
    cursor = {} if cursor is None else cursor
    for _ in range(100):
        if job(bench.fleet, cursor) is Step.DONE:
            counts: dict[str, Any] = cursor["counts"]
            return counts
    raise AssertionError(f"no end: {cursor}")


def settled(bench: Bench) -> None:
    for _ in range(4):
        bench.make_due()
        bench.settle_down()


class TestRowsOfOtherPrograms:
    def test_become_like_ours_and_are_enriched(self, bench: Bench) -> None:
        bench.run(
            "INSERT INTO tracks (title, artist, album_title, spotify_id)"
            " VALUES ('Teardrop', 'Massive Attack', 'Mezzanine', 's-1')"
        )
        bench.run("INSERT INTO performers (name, deezer_id) VALUES ('Portishead', 'd-1')")
        bench.run("INSERT INTO albums (title, artist) VALUES ('Dummy', 'Portishead')")
        # Album and performer of the track come into being with it.
        assert finish(bench, asking(EVERYTHING)) == {"track": 1, "performer": 2, "album": 2}
        settled(bench)
        (track,) = bench.rows(
            "SELECT t.*, a.title AS album, p.name AS performer FROM tracks t"
            " JOIN albums a ON a.id = t.album_id JOIN performers p ON p.id = t.performer_id"
        )
        assert (track.album, track.performer, track.isrc) == ("Mezzanine", "Massive Attack", "GBAAA9800322")
        assert track.spotify_id == "s-1"  # nobody has stated it but the row
        assert bench.rows("SELECT deezer_id FROM performers WHERE name = 'Portishead'") == [("d-1",)]
        assert {status for (status,) in bench.rows("SELECT status FROM enrichment_status")} == {"completed"}
        same = bench.track(track_id=str(track.id))
        assert same == bench.track(), "found by its names too"
        assert finish(bench, asking(EVERYTHING)) == {"track": 0, "performer": 0, "album": 0}

    def test_a_limit_is_kept_and_the_next_run_goes_on(self, bench: Bench) -> None:
        bench.run("INSERT INTO tracks (title, artist) SELECT 'T' || n, 'A' FROM generate_series(1, 5) n")
        preview = backfill.preview(bench.fleet, TARGETS["tracks"], most=2)
        assert preview["counts"] == {"track": 5}
        assert [set(each) for each in preview["first"]] == [{"kind", "id", "artist", "title"}] * 2
        assert bench.rows("SELECT count(*) FROM enrichment_status") == [(0,)]
        assert [finish(bench, asking(TARGETS["tracks"], most=2)) for _ in range(4)] == [
            {"track": 2},
            {"track": 2},
            {"track": 1},
            {"track": 0},
        ]

    def test_what_has_failed_or_was_forgotten_is_asked_for_again(self, bench: Bench) -> None:
        for status, retriable, ago in (
            ("failed", True, 25),
            ("failed", True, 23),
            ("failed", False, 99),
            ("pending", True, 2),
            ("completed", True, 99),
        ):
            id_ = uuid.uuid4()
            bench.run("INSERT INTO tracks (id, title, artist) VALUES (:id, :title, 'A')", id=id_, title=str(id_))
            bench.run(
                "INSERT INTO enrichment_status (kind, subject_id, status, is_retriable, requested_at, finished_at)"
                " SELECT 'track', :id, :status, :retriable, moment, moment"
                " FROM (SELECT clock_timestamp() - make_interval(hours => :ago) AS moment) long_ago",
                id=id_,
                status=status,
                retriable=retriable,
                ago=ago,
            )
        assert finish(bench, asking(TARGETS["tracks"])) == {"track": 2}
        settled(bench)
        assert dict(bench.rows("SELECT status, count(*) FROM enrichment_status GROUP BY 1")) == {
            "completed": 3,
            "failed": 2,
        }

    def test_pictures(self, bench: Bench) -> None:
        bench.run("INSERT INTO albums (title, artist, enriched_at) VALUES ('Dummy', 'Portishead', now())")
        bench.run("""INSERT INTO albums (title, artist, metadata) VALUES ('Third', 'Portishead', '{"artwork": {}}')""")
        assert finish(bench, asking(TARGETS["artwork"])) == {"album": 1, "performer": 1}


class TestWhatHasGrownOld:
    def test_nothing_found_is_asked_again_after_a_day(self, bench: Bench) -> None:
        bench.upstream.answers = {"track": {"bpm": 78.0}, "performer": None}
        track = bench.track()
        settled(bench)
        before = len(bench.upstream.asked)
        assert finish(bench, backfill.recheck) == {"refreshed": 0}
        bench.age(1.1)
        bench.upstream.answers["performer"] = {"genres": ["trip hop"]}
        assert finish(bench, backfill.recheck) == {"refreshed": 1}
        settled(bench)
        assert bench.upstream.questions()[before:] == ["performer"]
        assert bench.status(track).status == "completed"
        assert bench.rows("SELECT metadata -> 'genres' FROM tracks") == [(["trip hop"],)]

    def test_what_is_known_is_asked_again_before_it_goes_stale(self, bench: Bench) -> None:
        track = bench.track(album_title="Mezzanine")
        settled(bench)
        asked = len(bench.upstream.asked)
        bench.age(0.8 * 30)
        assert finish(bench, backfill.refresh) == {"refreshed": 0}
        bench.age(0.1 * 30)
        cursor: Cursor = {}
        assert finish(bench, backfill.refresh, cursor) == {"refreshed": 1}
        settled(bench)
        assert set(bench.upstream.questions()[asked:]) == {"track", "by_isrc", "performer", "album"}
        assert bench.status(track).status == "completed"
        asked = len(bench.upstream.asked)
        assert finish(bench, backfill.refresh, {"since": cursor["since"]}) == {"refreshed": 0}
        settled(bench)
        assert len(bench.upstream.asked) == asked

    def test_the_most_played(self, bench: Bench) -> None:
        bench.run(
            "INSERT INTO tracks (title, artist) VALUES ('Teardrop', 'Massive Attack'), ('Angel', 'Massive Attack')"
        )
        bench.run(
            "INSERT INTO listens (user_id, listened_at, artist_name, track_name, track_id)"
            " SELECT 'u', now() - make_interval(secs => n), artist, title, id FROM tracks, generate_series(1, 3) n"
        )
        assert finish(bench, backfill.popular_tracks) == {"asked": 2}
        settled(bench)
        bench.age(29)
        asked = len(bench.upstream.asked)
        assert finish(bench, backfill.popular_tracks) == {"asked": 0, "refreshed": 2}
        settled(bench)
        assert len(bench.upstream.asked) > asked


def test_purge(bench: Bench, tmp_path: Any) -> None:
    bench.track()
    settled(bench)
    kept = bench.rows("SELECT count(*) FROM lookups")
    bench.age(29)
    finish(bench, backfill.refresh)
    settled(bench)
    bench.age(40)
    bench.run("INSERT INTO audit (at, who, action, target) VALUES (now() - interval '366 days', 'a', 'b', 'c')")
    bench.run("INSERT INTO audit (who, action, target) VALUES ('a', 'b', 'c')")
    folder = tmp_path / "ingested"
    folder.mkdir()
    names = ["20200101T000000000000Z_artist_enrichment.jsonl", "29990101T000000000000Z_artist_enrichment.jsonl", "mine"]
    for name in names:
        (folder / name).touch()
    job = purge.purging(str(tmp_path))
    counts = finish(bench, job)
    assert counts["audit"] == 1
    assert counts["lookups"] == kept[0][0]
    assert bench.rows("SELECT count(*) FROM lookups") == kept  # the newest answer to each question
    assert counts["files"] == 1
    assert sorted(path.name for path in folder.iterdir()) == sorted(names[1:])
    with bench.fleet.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM audit")).scalar_one() == 1
    assert set(finish(bench, job).values()) == {0}
