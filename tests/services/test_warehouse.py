"""Artists for a warehouse: enriched 50 a call, landed, ingested, and what is reported of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from enrichment.embedded import Servers
from enrichment.services import landing, warehouse
from enrichment.services.jobs import Cursor, Step
from enrichment.services.landing import Unusable
from enrichment.services.warehouse import MODES, Choice, Ingested
from enrichment.sources.spotify import Spotify
from simulator.server import running
from simulator.truth import World
from tests.conftest import Empty, an_empty
from tests.services.fakes import Bench, a_bench

ROW = {
    "artistId": "4711",
    "artistName": "Massive Attack",
    "genres": ["trip hop", "downtempo"],
    "popularity": 68,
    "followerCount": 3_000_000,
    "images": [{"url": f"https://i.test/{width}", "height": width, "width": width} for width in (160, 640, 320)],
    "externalUrls": {"spotify": "https://open.spotify.com/artist/1"},
    "enrichedAt": "2026-11-01T03:00:00+00:00",
}
ARTISTS = 1_000


def landed(folder: Path, *rows: Any, name: str = "20261101T030000Z_artist_enrichment.jsonl") -> str:
    """A landing file of these rows; text stands in it as it is."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), "utf-8")
    return str(path)


def taken(bench: Bench, path: str) -> Ingested:
    (file,) = warehouse.ingest(bench.fleet, path)
    return file


def enriched(bench: Bench, choice: Choice = MODES["backfill"]) -> Cursor:
    """A run of the job, to its end."""
    cursor: Cursor = {}
    job = warehouse.enriching(choice)
    for _ in range(50):
        step = job(bench.fleet, cursor)
        if step is Step.DONE:
            return cursor
        if step is Step.WAITS:
            bench.make_due()
            bench.settle_down()
    raise AssertionError(f"no end: {cursor}")


class TestIngest:
    def test_the_latest_wins_and_bad_rows_do_not_hinder_good_ones(self, bench: Bench, tmp_path: Path) -> None:
        bench.run("INSERT INTO performers (external_id, name) VALUES ('4711', 'Massive Attack')")
        bench.run(
            "INSERT INTO listens (user_id, listened_at, artist_name, track_name, performer_id)"
            " SELECT 'u', '2026-10-01'::timestamptz + make_interval(days => n), name, 'T', id"
            " FROM performers, generate_series(0, 2) n"
        )
        older = {**ROW, "enrichedAt": "2026-10-01T00:00:00Z", "popularity": 1}
        bad = [
            "no JSON",
            "[1]",
            {**ROW, "artistId": ""},
            {**ROW, "popularity": 101},
            {**ROW, "enrichedAt": "yesterday"},
            {**ROW, "enrichedAt": (datetime.now(UTC) + timedelta(days=400)).isoformat()},
            {**ROW, "genres": ["\x00"]},
            {**ROW, "externalUrls": {"x": "\ud800"}},
        ]
        bare = {"artistId": 12, "artistName": "Nobody", "enrichedAt": "2026-11-01T03:00:00Z", "images": None}
        come = taken(bench, landed(tmp_path, ROW, older, *bad, "", bare))
        assert (come.rows, come.artists, come.bad_count) == (3, 2, len(bad))
        assert [line for line, _ in come.bad] == list(range(3, 3 + len(bad)))
        assert [error.partition(":")[0] for _, error in come.bad][:6] == [
            "not a JSON object",
            "not a JSON object",
            "artistId",
            "popularity",
            "enrichedAt",
            "enrichedAt",
        ]
        (one, other) = bench.rows("SELECT * FROM dim_artists ORDER BY artist")
        assert (one.artist, one.listen_count, one.popularity, one.followers) == ("Massive Attack", 3, 68, 3_000_000)
        assert (one.imageurllarge, one.imageurlmedium, one.imageurlsmall) == (
            "https://i.test/640",
            "https://i.test/320",
            "https://i.test/160",
        )
        assert one.last_listened_at - one.first_listened_at == timedelta(days=2)
        assert (other.artist_id, other.genres, other.listen_count, other.imageurllarge) == ("12", [], 0, None)
        assert bench.rows("SELECT count(*) FROM artist_enrichment_raw") == [(3,)]

    def test_what_was_taken_is_moved_and_older_files_change_nothing(self, bench: Bench, tmp_path: Path) -> None:
        newer = landed(
            tmp_path, {**ROW, "popularity": 70, "enrichedAt": "2026-11-02T00:00:00Z"}, name="2_artist_enrichment.jsonl"
        )
        (tmp_path / "notes.txt").write_text("mine")
        (tmp_path / ".1_artist_enrichment.jsonl.part").write_text("half")
        (dry,) = warehouse.ingest(bench.fleet, str(tmp_path), dry_run=True)
        assert (dry.rows, dry.artists, dry.moved_to) == (1, 1, None)
        assert bench.rows("SELECT count(*) FROM artist_enrichment") == [(0,)]
        assert taken(bench, newer).moved_to == str(tmp_path / "ingested" / "2_artist_enrichment.jsonl")
        assert not Path(newer).exists()
        assert taken(bench, landed(tmp_path, ROW, name="1_artist_enrichment.jsonl")).artists == 0
        assert bench.rows("SELECT popularity FROM artist_enrichment") == [(70,)]
        assert warehouse.ingest(bench.fleet, str(tmp_path)) == []
        assert taken(bench, str(tmp_path / "ingested" / "2_artist_enrichment.jsonl")).rows == 1  # again is harmless
        assert bench.rows("SELECT count(*) FROM artist_enrichment_raw") == [(2,)]

    def test_a_file_without_a_good_row_stays(self, bench: Bench, tmp_path: Path) -> None:
        path = landed(tmp_path, "no JSON")
        assert taken(bench, path).moved_to is None
        assert Path(path).exists()

    @pytest.mark.parametrize(
        ("path", "complaint"),
        [
            ("nowhere", "there is no such file"),
            ("artists.jsonl", "the name tells no kind"),
            ("broken_artist_enrichment.parquet", "cannot be read"),
            ("nothing://there", "Protocol not known"),
        ],
    )
    def test_what_cannot_be_used_is_told(self, bench: Bench, tmp_path: Path, path: str, complaint: str) -> None:
        if "." in path:
            (tmp_path / path).write_text("?")
        with pytest.raises(Unusable, match=complaint):
            warehouse.ingest(bench.fleet, path if "://" in path else str(tmp_path / path))


class TestLanding:
    @pytest.mark.parametrize("form", ["jsonl", "parquet"])
    def test_a_url_and_both_formats(self, bench: Bench, form: str) -> None:
        if form == "parquet":
            pytest.importorskip("pyarrow")
        url = f"memory://{form}"
        bare = {**ROW, "artistId": "12", "popularity": None, "images": [], "externalUrls": {}, "genres": []}
        path = landing.land(url, warehouse.KIND, [ROW, bare], datetime(2026, 11, 1, tzinfo=UTC), form=form)
        assert path == f"memory:///{form}/20261101T000000000000Z_artist_enrichment.{form}"
        assert taken(bench, path).artists == 2
        assert bench.rows(
            "SELECT genres, popularity, external_urls FROM artist_enrichment ORDER BY artist_id DESC"
        ) == [
            (ROW["genres"], 68, ROW["externalUrls"]),
            ([], None, {}),
        ]

    def test_it_is_there_whole_or_not_at_all(self, tmp_path: Path) -> None:
        def rows() -> Iterator[dict[str, Any]]:
            yield ROW
            assert [path.name[0] for path in tmp_path.iterdir()] == ["."]
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            landing.land(str(tmp_path), warehouse.KIND, rows(), datetime.now(UTC))
        assert list(tmp_path.iterdir()) == []
        assert landing.land(str(tmp_path), warehouse.KIND, [], datetime.now(UTC)) is None
        (tmp_path / "file").touch()
        with pytest.raises(Unusable, match="cannot be written to"):
            landing.land(str(tmp_path / "file"), warehouse.KIND, [ROW], datetime.now(UTC))


class TestRuns:
    @pytest.fixture(autouse=True)
    def _artists(self, bench: Bench) -> None:
        bench.upstream.answers["performer"] = lambda keys: (
            {"genres": ["trip hop"]} if keys["name"] != "Nobody" else None
        )
        bench.run(
            "INSERT INTO performers (external_id, name, created_at)"
            " VALUES ('1', 'Massive Attack', now() - interval '8 days'), ('2', 'Portishead', now()),"
            " ('3', 'Nobody', now())"
        )

    def test_enrich_land_ingest_refresh(self, bench: Bench, tmp_path: Path) -> None:
        assert warehouse.coverage(bench.fleet)["pct_missing"] == 100.0
        job, cursor = warehouse.weekly(str(tmp_path)), Cursor()
        for _ in range(20):
            if (step := job(bench.fleet, cursor)) is Step.DONE:
                break
            if step is Step.WAITS:
                bench.settle_down()
        assert cursor["counts"] == {"artists": 3, "failed": 1, "ingested": 2}
        assert warehouse.coverage(bench.fleet) == {
            "artist_count": 3,
            "enriched_artist_count": 2,
            "unenriched_artist_count": 1,
            "pct_missing": 33.33,
        }
        (today,) = warehouse.runs(bench.fleet)
        assert (today["artist_count"], today["artists_with_genres"]) == (2, 2)
        assert warehouse.genres(bench.fleet) == [{"genre": "trip hop", "artist_count": 2}]
        assert [each["artist_id"] for each in warehouse.artists_of(bench.fleet, " Trip Hop")] == ["1", "2"]
        assert warehouse.with_images(bench.fleet) == []
        (nobody,) = warehouse.failed(bench.fleet)
        assert (nobody["artist_id"], nobody["reason"]) == ("3", "no source knows it (asked: alpha)")
        assert warehouse.staleness(bench.fleet) == []
        bench.run("UPDATE artist_enrichment SET enriched_at = now() - interval '91 days' WHERE artist_id = '2'")
        assert [each["days_since_enrichment"] for each in warehouse.staleness(bench.fleet)] == [91]
        assert warehouse.preview(bench.fleet, Choice(stale=True))["artist_count"] == 2

    def test_modes(self, bench: Bench) -> None:
        found = {mode: warehouse.preview(bench.fleet, choice) for mode, choice in MODES.items()}
        assert {mode: each["artist_count"] for mode, each in found.items()} == {"backfill": 3, "incremental": 2}
        assert {each["artist"] for each in found["incremental"]["first"]} == {"Portishead", "Nobody"}
        assert found["backfill"]["estimate"]["calls"] == {"alpha": 3}
        assert bench.upstream.asked == []
        enriched(bench)
        asked = len(bench.upstream.asked)
        enriched(bench)
        assert len(bench.upstream.asked) == asked  # what is fresh is used
        enriched(bench, Choice(force=True))
        assert len(bench.upstream.asked) > asked

    def test_a_failed_week_leaves_nothing_behind(self, bench: Bench, tmp_path: Path) -> None:
        (tmp_path / "ingested").touch()  # so that nothing can be moved there
        job, cursor = warehouse.weekly(str(tmp_path)), Cursor()
        while not cursor.get("enriched"):
            if job(bench.fleet, cursor) is Step.WAITS:
                bench.settle_down()
        with pytest.raises(OSError, match="ingested"):
            job(bench.fleet, cursor)
        assert Path(cursor["file"]).exists()
        warehouse.remove_landed(cursor)
        assert [path.name for path in tmp_path.iterdir()] == ["ingested"]

    def test_a_day_quota_is_kept_and_what_it_takes_is_told(self, bench: Bench, empty: Empty) -> None:
        scarce = a_bench(empty, bench.upstream, environ={"LINERNOTES_ALPHA_BUDGET": "100/1, burst=10, day=2"})
        ahead = warehouse.preview(scarce.fleet, Choice())["estimate"]
        cursor = enriched(scarce)
        scarce.close()
        assert ahead == {"calls": {"alpha": 3}, "seconds": 1.5 * 86_400}
        assert len(bench.upstream.asked) == 2
        assert cursor["counts"] == {"artists": 3}
        assert any("waits for its source" in str(each["reason"]) for each in warehouse.failed(bench.fleet))


def test_fifty_artists_share_a_call(servers: Servers) -> None:
    calls: list[str] = []
    with running(unlimited=True, speed=500.0) as url, httpx.Client() as http, an_empty(servers) as empty:

        def forward(request: httpx.Request) -> httpx.Response:
            calls.append(request.url.path)
            headers = {name: value for name, value in request.headers.items() if name != "host"}
            reply = http.request(request.method, str(request.url), headers=headers, content=request.content)
            return httpx.Response(
                reply.status_code, content=reply.content, headers={"content-type": "application/json"}
            )

        environ = {
            "SPOTIFY_CLIENT_ID": "extended-client",
            "SPOTIFY_CLIENT_SECRET": "simulated-secret",
            "LINERNOTES_SPOTIFY_URL": f"{url}/spotify",
            "LINERNOTES_SPOTIFY_BUDGET": "2000/1, burst=500, concurrency=8",
        }
        bench = a_bench(empty, forward, [Spotify({"mode": "extended"})], environ)  # type: ignore[arg-type]  # it answers as one
        ids = [performer.spotify_id for performer in World.build().performers.values() if performer.spotify_id]
        bench.run(
            "INSERT INTO performers (name, spotify_id)"
            " SELECT 'Artist ' || n, (CAST(:ids AS text[]))[n % :known + 1] FROM generate_series(1, :artists) n",
            ids=ids,
            known=len(ids),
            artists=ARTISTS,
        )
        ahead = warehouse.preview(bench.fleet, Choice())["estimate"]
        enriched(bench)
        done = bench.rows("SELECT count(*) FROM performers WHERE image_url IS NOT NULL AND popularity IS NOT NULL")
        bench.close()
    assert ahead["calls"] == {"spotify": ARTISTS // 50}
    assert ARTISTS // 50 <= sum("/artists" in path for path in calls) <= ARTISTS // 50 + 1
    assert done[0][0] > ARTISTS / 2
