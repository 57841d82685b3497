"""Listens are taken in and linked, their covers shown and chosen; what was found for one user serves all."""

from __future__ import annotations

import csv
import gzip
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from enrichment.domain.orders import Order
from enrichment.domain.questions import Question
from enrichment.domain.subjects import Kind
from enrichment.services.artwork import artwork_backfill
from enrichment.services.intake import take
from enrichment.services.listen_shapes import inside, read_listen
from enrichment.services.listens import (
    Choice,
    Taken,
    Whose,
    artwork_figures,
    enrich_listens,
    enrichment_status,
    listens_of,
    prefer_artwork,
    take_listens,
)
from enrichment.services.outlook import Outlook
from enrichment.services.requests import BadRequest, Unknown
from enrichment.services.sync import NoAnswer, sync_lastfm
from enrichment.sources.lastfm import LastFM
from tests.conftest import Empty
from tests.services.fakes import Alpha, Bench, Beta, Fake, Upstream, a_bench, names

SCROBBLES = Path(__file__).parents[3] / "shared" / "data" / "workload" / "scrobbles.csv.gz"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
COVER = "http://covers.test/1.jpg"
CAME = "http://player.test/came.jpg"


def a_play(at: int = 1_700_000_000, **more: Any) -> dict[str, Any]:
    return {
        "listened_at": at,
        "artist_name": "Massive Attack",
        "track_name": "Teardrop",
        "album_name": "Mezzanine",
        **more,
    }


def heard(bench: Bench, *plays: Any, user: str = "ann", live: bool | None = False) -> Taken:
    return take_listens(bench.fleet, Whose(user, "api", live), enumerate(plays, start=1))


class TestShapes:
    @pytest.mark.parametrize(
        "given",
        [
            a_play(),
            a_play("1700000000000"),
            a_play("2023-11-14T22:13:20Z"),
            a_play("14 Nov 2023 22:13") | {"listened_at": "2023-11-15T00:13:20+02:00"},
            {
                "uts": "1700000000",
                "artist": "Massive Attack",
                "track": "Teardrop",
                "album": "Mezzanine",
                "track_mbid": "x",
            },
            {
                "listened_at": 1_700_000_000,
                "track_metadata": {
                    "artist_name": "Massive Attack",
                    "track_name": "Teardrop",
                    "release_name": "Mezzanine",
                    "additional_info": None,
                },
            },
            {
                "artist": {"mbid": "", "#text": "Massive Attack"},
                "name": "Teardrop",
                "album": {"mbid": "", "#text": "Mezzanine"},
                "image": [{"size": "small", "#text": ""}],
                "date": {"uts": "1700000000", "#text": "14 Nov 2023, 22:13"},
            },
            {
                "track": "Teardrop",
                "artist": "Massive Attack",
                "album": "Mezzanine",
                "albumId": "",
                "date": 1700000000000,
            },
        ],
    )
    def test_all_say_the_same(self, given: dict[str, Any]) -> None:
        read = read_listen(given, NOW)
        assert read is not None
        assert read.model_dump(exclude_none=True) == {
            "listened_at": datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
            "artist_name": "Massive Attack",
            "track_name": "Teardrop",
            "album_name": "Mezzanine",
        }

    def test_listenbrainz_says_more(self) -> None:
        more = {
            "isrc": "GBAAA9800322",
            "duration": 329,
            "spotify_id": "https://open.spotify.com/track/67Hna13dN",
            "x": 1,
        }
        told = {"artist_name": "A", "track_name": "T", "additional_info": more, "mbid_mapping": {"recording_mbid": "m"}}
        read = read_listen({"listened_at": 1, "track_metadata": told}, NOW)
        assert read is not None
        assert (read.isrc, read.duration_ms, read.spotify_id, read.musicbrainz_id) == (
            "GBAAA9800322",
            329_000,
            "67Hna13dN",
            "m",
        )

    def test_an_address_is_kept_as_the_wire_writes_it(self) -> None:
        read = read_listen(a_play(artwork_url=" http://covers.test/Björk 1%20a.jpg?s[]=5 "), NOW)
        assert read is not None
        assert read.artwork_url == "http://covers.test/Bj%C3%B6rk%201%20a.jpg?s%5B%5D=5"

    def test_what_is_being_played_is_no_listen(self) -> None:
        assert read_listen({"name": "T", "artist": {"#text": "A"}, "@attr": {"nowplaying": "true"}}, NOW) is None

    @pytest.mark.parametrize(
        ("given", "wrong"),
        [
            ("not JSON", "not JSON"),
            ([1], "is not an object"),
            ({"artist": "A", "track": "T"}, "listened_at: Field required"),
            (a_play("soon"), "neither seconds since 1970 nor a date"),
            (a_play(True), "is no moment"),
            (a_play(float("inf")), "is no moment"),
            (a_play(2_000_000_000), "in the future"),
            (a_play(-5), "before 1970"),
            (a_play(artist_name=" "), "artist_name: Field required"),
            (a_play(track_name="x" * 501), "track_name"),
            (a_play(artwork_url="javascript:alert(1)"), "artwork_url"),
        ],
    )
    def test_what_cannot_be_read_is_told(self, given: Any, wrong: str) -> None:
        with pytest.raises(BadRequest, match=wrong):
            read_listen(given, NOW)

    @pytest.mark.parametrize(
        "wrapped",
        [
            a_play(),
            [a_play()],
            {"listen_type": "import", "payload": [a_play()]},
            {"payload": {"count": 1, "listens": [a_play()]}},
            {"username": "ann", "scrobbles": [a_play()]},
            [{"track": [a_play()], "@attr": {"page": "1"}}],
            {"recenttracks": {"track": a_play(), "@attr": {}}},
        ],
    )
    def test_exports_wrap_them_differently(self, wrapped: Any) -> None:
        assert list(inside(wrapped)) == [a_play()]

    def test_what_is_wrapped_without_end_is_no_export(self) -> None:
        deep: Any = []
        for _ in range(100_000):
            deep = [deep]
        (found,) = inside(deep)
        with pytest.raises(BadRequest, match="is not an object"):
            read_listen(found, NOW)


class TestTakingIn:
    def test_linked_before_anybody_is_asked(self, bench: Bench) -> None:
        taken = heard(bench, a_play(), a_play(1_700_000_300, track_name="Angel"), a_play(1_700_000_600))
        assert taken.shown() == {"listens": 3, "known": 0, "now_playing": 0, "rejected": []}
        found = bench.rows(
            "SELECT t.title, p.name, a.title, l.metadata_status, l.user_id FROM listens l"
            " JOIN tracks t ON t.id = l.track_id JOIN performers p ON p.id = l.performer_id"
            " JOIN albums a ON a.id = l.album_id ORDER BY l.listened_at"
        )
        assert [row[0] for row in found] == ["Teardrop", "Angel", "Teardrop"]
        assert {tuple(row[1:]) for row in found} == {("Massive Attack", "Mezzanine", "in_progress", "ann")}
        assert not bench.upstream.asked

    def test_again_makes_no_second_rows_and_asks_nobody(self, bench: Bench) -> None:
        first = heard(bench, a_play(), a_play())
        bench.settle_down()
        asked = len(bench.upstream.asked)
        again = heard(bench, a_play(), a_play(1_700_000_300))
        assert (first.new, again.new, again.ids[0]) == (1, 1, first.ids[0])
        bench.settle_down()
        assert len(bench.upstream.asked) == asked
        assert bench.rows("SELECT metadata_status, count(*) FROM listens GROUP BY 1") == [("completed", 2)]

    def test_what_one_user_brought_serves_all(self, bench: Bench) -> None:
        heard(bench, a_play())
        bench.settle_down()
        asked = len(bench.upstream.asked)
        heard(bench, a_play(), user="bob", live=True)
        bench.settle_down()
        assert len(bench.upstream.asked) == asked > 0
        assert bench.rows("SELECT user_id, metadata_status FROM listens ORDER BY 1") == [
            ("ann", "completed"),
            ("bob", "completed"),
        ]

    def test_bad_ones_are_told_and_the_others_go_on(self, bench: Bench) -> None:
        playing = {"@attr": {"nowplaying": "true"}}
        taken = heard(bench, a_play(), {"artist": "A"}, "is not JSON", playing, a_play(1_700_000_300))
        assert (taken.new, taken.playing, [line for line, _ in taken.rejected]) == (2, 1, [2, 3])

    def test_one_name_in_two_spellings_of_unicode_is_one_play(self, bench: Bench) -> None:
        taken = heard(bench, a_play(artist_name="Sigur Ro\u0301s"), a_play(artist_name="Sigur R\u00f3s"))
        assert taken.new == 1

    def test_live_by_what_is_said_or_by_the_moment(self, bench: Bench) -> None:
        recent = (datetime.now(UTC) - timedelta(minutes=2)).isoformat()
        heard(bench, a_play(track_name="Old"), a_play(recent, track_name="New"), live=None)
        heard(bench, a_play(track_name="Said"), live=True)
        found = bench.rows(
            "SELECT l.track_name, l.live, s.priority FROM listens l"
            " JOIN enrichment_status s ON s.subject_id = l.track_id ORDER BY 1"
        )
        assert [tuple(row) for row in found] == [("New", True, 6), ("Old", False, 2), ("Said", True, 6)]

    def test_real_ones(self, bench: Bench) -> None:
        if not SCROBBLES.exists():
            pytest.skip("the shared data is not beside the repository")
        with gzip.open(SCROBBLES, "rt", encoding="utf-8", newline="") as lines:
            rows = [row for row, _ in zip(csv.DictReader(lines), range(1000), strict=False)]
        taken = heard(bench, *rows)
        assert (taken.rejected, len(taken.ids)) == ([], taken.new)
        plays = {(row["ts"], row["artist"].strip(), row["track"].strip()) for row in rows}
        assert taken.new == len(plays)
        assert bench.rows(
            "SELECT count(*) FROM listens WHERE track_id IS NULL OR performer_id IS NULL"
            " OR (album_name IS NULL) <> (album_id IS NULL)"
        ) == [(0,)]


class TestCovers:
    def shown(self, bench: Bench, user: str = "ann") -> list[str | None]:
        return [each.get("artwork_url") for each in listens_of(bench.fleet, user)]

    def test_what_came_with_it_is_shown_until_a_better_one_is_found(self, bench: Bench) -> None:
        heard(bench, a_play(artwork_url=CAME), live=True)
        assert self.shown(bench) == [CAME]
        assert bench.rows("SELECT temporary_artwork_url FROM albums") == [(CAME,)]
        bench.settle_down()
        assert self.shown(bench) == [COVER]

    def test_a_picture_of_another_album_is_not_that_of_the_tracks_own(self, bench: Bench) -> None:
        heard(bench, a_play())
        heard(bench, a_play(1_700_000_300, album_name="A Best Of", artwork_url=CAME))
        assert bench.rows("SELECT temporary_artwork_url FROM albums WHERE title = 'Mezzanine'") == [(None,)]
        assert bench.rows("SELECT temporary_artwork_url FROM tracks") == [(CAME,)]

    def test_the_other_albums_cover_is_looked_for_too(self, bench: Bench) -> None:
        heard(bench, a_play())
        heard(bench, a_play(1_700_000_300, album_name="A Best Of"))
        bench.settle_down()
        assert bench.rows("SELECT title, cover_art_url FROM albums ORDER BY 1") == [
            ("A Best Of", COVER),
            ("Mezzanine", COVER),
        ]

    def test_a_chosen_one_stays_and_holds_for_later_listens(self, bench: Bench) -> None:
        chosen = "http://ann.test/mine.jpg"
        heard(bench, a_play(artist_name="Björk", album_name="Début"))
        choice = Choice(artist_name="BJÖRK", album_name="DÉBUT", preferred_artwork_url=chosen)
        assert prefer_artwork(bench.fleet, "ann", choice) == 1
        bench.settle_down()
        heard(bench, a_play(1_700_000_300, artist_name="björk", album_name="début", artwork_url=CAME))
        heard(bench, a_play(artist_name="Björk", album_name="Début"), user="bob")
        assert self.shown(bench) == [chosen, chosen]
        assert self.shown(bench, "bob") == [COVER]
        prefer_artwork(bench.fleet, "ann", choice.model_copy(update={"preferred_artwork_url": CAME}))
        assert self.shown(bench) == [CAME, CAME]
        assert bench.rows("SELECT count(*) FROM user_artwork_preferences") == [(1,)]

    def test_albums_without_cover_are_picked_up(self, bench: Bench) -> None:
        bench.run("INSERT INTO albums (title, artist) VALUES ('Blue Lines', 'Massive Attack'), ('Dummy', 'Portishead')")
        assert [
            artwork_backfill(bench.fleet, limit=1),
            artwork_backfill(bench.fleet),
            artwork_backfill(bench.fleet),
        ] == [
            1,
            1,
            0,
        ]
        bench.settle_down()
        assert bench.rows("SELECT DISTINCT cover_art_url FROM albums") == [(COVER,)]


class Cover(Fake):
    """A second source of covers, dearer than the first."""

    name = "gamma"
    questions = (Question("cover", Kind.TRACK, ("artist_name", "title"), names("artwork_url"), calls=2.0),)


class TestLivePlays:
    @pytest.fixture
    def bench(self, empty: Empty, upstream: Upstream) -> Iterator[Bench]:
        """With two sources of covers."""
        upstream.answers["cover"] = {"artwork_url": "http://covers.test/2.jpg"}
        made = a_bench(empty, upstream, [Alpha(), Beta(), Cover()])
        yield made
        made.close()

    def asked_for_covers(self, bench: Bench) -> list[str]:
        found = bench.rows("SELECT DISTINCT question FROM lookups WHERE question IN ('album', 'cover') ORDER BY 1")
        return [question for (question,) in found]

    def test_all_sources_of_covers_are_asked_at_once(self, bench: Bench) -> None:
        heard(bench, a_play(), live=True)
        assert self.asked_for_covers(bench) == ["album", "cover"]

    def test_an_import_asks_one(self, bench: Bench) -> None:
        heard(bench, a_play())
        bench.settle_down()
        assert self.asked_for_covers(bench) == ["album"]

    def test_five_seconds_later_one_is_enough(self, bench: Bench) -> None:
        bench.upstream.answers["album"] = None
        heard(bench, a_play(), live=True)
        bench.run("DELETE FROM lookups WHERE question = 'cover'")
        bench.run("UPDATE enrichment_status SET requested_at = requested_at - interval '5 seconds'")
        bench.upstream.answers["album"] = {"cover_art_url": COVER}
        bench.settle_down()
        assert self.asked_for_covers(bench) == ["album"]

    def test_a_live_play_hurries_what_a_backfill_has_begun(self, bench: Bench) -> None:
        heard(bench, a_play())
        bench.run("UPDATE enrichment_status SET requested_at = requested_at - interval '1 hour'")
        heard(bench, a_play(), user="bob", live=True)
        assert self.asked_for_covers(bench) == ["album", "cover"]

    def test_figures(self, bench: Bench) -> None:
        heard(bench, a_play(), live=True)
        heard(bench, a_play(artist_name="Nobody", track_name="Nothing", album_name="Nowhere"), live=True)
        assert artwork_figures(bench.fleet).within_a_minute is None
        bench.upstream.answers["album"] = bench.upstream.answers["cover"] = _unless("Nobody", {"cover_art_url": COVER})
        bench.settle_down()
        bench.run("UPDATE listens SET created_at = created_at - interval '61 seconds'")
        assert artwork_figures(bench.fleet).within_a_minute == 0.0
        bench.run("UPDATE lookups SET settled_at = settled_at - interval '58 seconds'")
        found = artwork_figures(bench.fleet)
        assert found.within_a_minute == 0.5
        assert 2 < found.first_artwork_seconds[0] < 60


def _unless(artist: str, found: dict[str, Any]) -> Any:
    return lambda keys: None if keys["artist_name"] == artist else found


class TestStanding:
    def test_as_its_track_stands(self, bench: Bench) -> None:
        (listen,) = heard(bench, a_play()).ids
        outlook = Outlook(bench.fleet)
        begun = enrichment_status(bench.fleet, outlook, listen, "ann")
        assert (begun["status"], begun["has_artwork"]) == ("in_progress", False)
        assert datetime.fromisoformat(begun["estimated_completion"]) > datetime.now(UTC) - timedelta(seconds=60)
        bench.settle_down()
        ended = enrichment_status(bench.fleet, outlook, listen, None)
        assert (ended["status"], ended["has_artwork"], ended["estimated_completion"]) == ("completed", True, None)
        for who in (uuid.uuid4(), listen):
            with pytest.raises(Unknown, match="is not known"):
                enrichment_status(bench.fleet, outlook, who, "bob")


class TestEnrichListens:
    def test_unlinked_ones_are_linked_and_asked_for(self, bench: Bench) -> None:
        bench.run(
            "INSERT INTO listens (user_id, listened_at, artist_name, track_name, album_name) VALUES"
            " ('ann', now(), 'Portishead', 'Roads', 'Dummy'), ('ann', now(), 'Massive Attack', 'Angel', NULL),"
            " ('ann', now(), 'portishead', 'Numb', 'Dummy'), ('ann', now(), '', 'nothing', NULL)"
        )
        ids = [str(id_) for (id_,) in bench.rows("SELECT id FROM listens")]
        for _ in range(2):
            assert take(bench.fleet, Order("enrich_listens", (ids,), {}, "m-1")).said == "3 listens accepted"
        assert bench.rows("SELECT count(DISTINCT performer_id) FROM listens") == [(2,)]
        bench.settle_down()
        assert bench.rows(
            "SELECT metadata_status, count(*), count(track_id), count(performer_id), count(album_id) FROM listens"
            " WHERE artist_name <> '' GROUP BY 1"
        ) == [("completed", 3, 3, 3, 2)]
        assert enrich_listens(bench.fleet, [uuid.uuid4()]) == 0


class LastFMServer:
    """Pages of two plays each, the newest first, after what is being played now."""

    def __init__(self) -> None:
        self.plays = [1_700_000_000 + 300 * number for number in range(5)]
        self.asked: list[dict[str, str]] = []
        self.failing_page = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        form = dict(httpx.QueryParams(request.content.decode()))
        self.asked.append(form)
        if form["user"] == "private":
            return httpx.Response(403, text='<lfm status="failed"><error code="17">Login</error></lfm>')
        page, between = int(form["page"]), [at for at in self.plays if int(form["from"]) <= at <= int(form["to"])]
        if page == self.failing_page:
            return httpx.Response(500, text='<lfm status="failed"><error code="8">Backend</error></lfm>')
        newest = sorted(between, reverse=True)
        tracks = "".join(self._track(f'<date uts="{at}">then</date>', at) for at in newest[2 * page - 2 : 2 * page])
        playing = self._track("", "playing").replace("<track>", '<track nowplaying="true">')
        pages = -(-len(newest) // 2)
        body = f'<lfm status="ok"><recenttracks totalPages="{pages}">{playing}{tracks}</recenttracks></lfm>'
        return httpx.Response(200, text=body)

    def _track(self, date: str, title: Any) -> str:
        image = (
            '<image size="small"></image><image size="extralarge">https://lastfm.test/i/u/300x300/c0ffee.jpg</image>'
        )
        return f'<track><artist mbid="">A</artist><name>{title}</name><album mbid="">B</album>{image}{date}</track>'


class TestSync:
    @pytest.fixture
    def lastfm(self) -> LastFMServer:
        return LastFMServer()

    @pytest.fixture
    def bench(self, empty: Empty, lastfm: LastFMServer) -> Iterator[Bench]:
        made = a_bench(empty, lastfm, [LastFM()], {"LASTFM_API_KEY": "sesame-open"})  # type: ignore[arg-type]  # any handler does
        yield made
        made.close()

    def test_the_first_time_all_then_what_is_new(self, bench: Bench, lastfm: LastFMServer) -> None:
        assert sync_lastfm(bench.fleet, "ann_at_lastfm", "ann").shown()["listens"] == 5
        assert [form["page"] for form in lastfm.asked] == ["1", "3", "2"]
        lastfm.plays.append(1_700_009_000)
        again = sync_lastfm(bench.fleet, "ann_at_lastfm", "ann").shown()
        assert (again["listens"], again["known"]) == (1, 1)
        assert lastfm.asked[-1]["from"] == "1700001200"
        found = bench.rows("SELECT DISTINCT user_id, origin, live, temporary_artwork_url, artist_name FROM listens")
        assert [tuple(row) for row in found] == [
            ("ann", "lastfm", False, "https://lastfm.test/i/u/300x300/c0ffee.jpg", "A")
        ]
        assert not bench.redis.keys("enrichment:*")

    def test_a_run_that_was_cut_short_goes_on(self, bench: Bench, lastfm: LastFMServer) -> None:
        lastfm.failing_page = 2
        with pytest.raises(NoAnswer, match="Backend"):
            sync_lastfm(bench.fleet, "ann", "ann")
        assert bench.rows("SELECT count(*) FROM listens") == [(1,)]
        lastfm.failing_page = 0
        assert sync_lastfm(bench.fleet, "ann", "ann").new == 4

    def test_a_private_user_stops_nobody(self, bench: Bench) -> None:
        said = take(bench.fleet, Order("sync_lastfm", ("private",), {}, "m-1")).said
        assert "shows their plays to nobody" in said
        assert take(bench.fleet, Order("sync_lastfm", ("ann",), {"user": "bob"}, "m-2")).said.startswith(
            "{'listens': 5"
        )
        assert json.dumps("sesame") not in said

    def test_without_a_key(self, empty: Empty, lastfm: LastFMServer) -> None:
        bench = a_bench(empty, lastfm, [LastFM()])  # type: ignore[arg-type]  # any handler does
        with pytest.raises(NoAnswer, match="LASTFM_API_KEY is not set"):
            sync_lastfm(bench.fleet, "ann", "ann")
        bench.close()
