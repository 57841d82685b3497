from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from simulator import limits, shares
from simulator.truth import Performer, Recording, World
from simulator.upstreams import Part, Shelf
from simulator.upstreams.theaudiodb import POPULAR, TheAudioDB
from simulator.wire import Request

FREE, PAID = "/theaudiodb/api/v1/json/123", "/theaudiodb/api/v1/json/845921"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def part(world: World) -> Part:
    return TheAudioDB(Part("theaudiodb", Shelf(world))).part


@pytest.fixture(scope="module")
def artist(part: Part) -> Performer:
    known = (one for one in part.shelf.performers if part.has_performer(one) and len(one.albums) > 1)
    return next(one for one in known if shares.knows("theaudiodb", "mbid", one.key))


def rows(http: httpx.Client, path: str, **params: str) -> Any:
    reply = http.get(path, params=params)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert "retry-after" not in reply.headers
    ((name, found),) = reply.json().items()
    assert name in ("artists", "album", "track")
    for row in found or ():
        assert all(value is None or isinstance(value, str) for value in row.values()), "every value is text or null"
    return found


def recorded(data: Path, name: str) -> Any:
    (found,) = json.loads((data / "recorded" / "theaudiodb" / name).read_text("utf-8")).values()
    return found[0]


def test_an_artist_has_the_recorded_keys(http: httpx.Client, data: Path, artist: Performer) -> None:
    (row,) = rows(http, f"{FREE}/artist-mb.php", i=artist.mbid)
    assert row.keys() >= recorded(data, "project2react__tadb_artist_lit.json").keys()


def test_an_album_has_the_recorded_keys(http: httpx.Client, data: Path, artist: Performer) -> None:
    (row,) = rows(http, f"{FREE}/searchalbum.php", s=artist.name, a=artist.albums[0].title)
    assert row.keys() >= recorded(data, "textindex_65799856829__tadb_searchalbum_cold.json").keys()


def test_it_tells_the_truth_of_an_artist(http: httpx.Client, artist: Performer) -> None:
    (row,) = rows(http, f"{FREE}/search.php", s=artist.name.upper())
    assert (row["strArtist"], row["strMusicBrainzID"]) == (artist.name, artist.mbid)
    assert row["strGenre"].lower() == artist.genres[0]
    assert rows(http, f"{FREE}/artist-mb.php", i=artist.mbid) == [row]


def test_albums_are_release_groups(http: httpx.Client, part: Part) -> None:
    said = [
        (album, rows(http, f"{FREE}/album-mb.php", i=album.group_mbid))
        for album in part.shelf.albums[:60]
        if part.has_album(album)
    ]
    assert any(found is None for _, found in said), "of some it does not know the MBID"
    known = [(album, found[0]) for album, found in said if found]
    assert known
    for album, row in known:
        assert (row["strAlbum"], row["strMusicBrainzID"]) == (album.title, album.group_mbid)
        assert row["intYearReleased"] in (album.date[:4], "0")
    assert rows(http, f"{FREE}/album-mb.php", i=known[0][0].mbid) is None


def test_tracks_by_mbid_and_by_name(http: httpx.Client, part: Part) -> None:
    known = [one for one in part.shelf.recordings if part.has(one)]
    said = {one: rows(http, f"{FREE}/track-mb.php", i=one.mbid) for one in known[:80]}
    found: dict[Recording, Any] = {recording: row[0] for recording, row in said.items() if row}
    assert 0.7 < len(found) / len(said) < 1
    assert {row["intTempo"] is None for row in found.values()} == {True, False}
    assert {row["strISRC"] is None for row in found.values()} == {True, False}
    recording, row = next(iter(found.items()))
    assert int(row["intDuration"]) == recording.tracks[0].duration_ms
    (by_name,) = rows(http, f"{FREE}/searchtrack.php", s=recording.artists[0].name, t=recording.title)
    assert by_name["strTrack"] == recording.title


def test_siblings_are_among_the_hits_of_a_paid_key(http: httpx.Client, part: Part) -> None:
    live = next(one for one in part.shelf.recordings if one.sibling == "live" and part.has(one))
    title = live.title.partition(" (")[0]
    found = rows(http, f"{PAID}/searchtrack.php", s=live.artists[0].name, t=title)
    assert {title, live.title} <= {row["strTrack"] for row in found}
    assert found[0]["strTrack"] == title


def test_the_public_key_gets_one_row(http: httpx.Client, artist: Performer) -> None:
    assert len(rows(http, f"{PAID}/searchalbum.php", s=artist.name)) > 1
    assert len(rows(http, f"{FREE}/searchalbum.php", s=artist.name)) == 1


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("artist-mb.php", {"i": UNKNOWN}),
        ("album-mb.php", {"i": UNKNOWN}),
        ("track-mb.php", {"i": "no uuid"}),
        ("search.php", {"s": "zzzz qqqq"}),
        ("search.php", {}),
        ("searchtrack.php", {"s": "zzzz", "t": "qqqq"}),
        ("searchalbum.php", {"s": "zzzz"}),
    ],
)
def test_nothing_found_is_null(http: httpx.Client, method: str, params: dict[str, str]) -> None:
    assert rows(http, f"{FREE}/{method}", **params) is None


@pytest.mark.parametrize(
    "path",
    [
        "/theaudiodb/api/v1/json/2/search.php",
        "/theaudiodb/api/v1/json/search.php",
        f"{FREE}/artist-links.php",
        "/theaudiodb/",
        "/theaudiodb/api/v2/json/search/artist/x",
    ],
)
def test_unknown_keys_and_methods_get_a_page(http: httpx.Client, path: str) -> None:
    reply = http.get(path, params={"s": "bowie"})
    assert (reply.status_code, reply.headers["content-type"]) == (404, "text/html")
    assert reply.content.startswith(b"<!DOCTYPE html")


def test_it_is_found_when_only_the_host_is_named(http: httpx.Client, artist: Performer) -> None:
    assert rows(http, "/api/v1/json/123/search.php", s=artist.name)


def test_pictures_are_there(http: httpx.Client, url: str, part: Part) -> None:
    known = (one for one in part.shelf.performers if part.has_performer(one))
    found = (rows(http, f"{FREE}/search.php", s=one.name)[0] for one in known)
    row = next(row for row in found if row["strArtistThumb"] and row["strArtistFanart"])
    for name, size in (("strArtistThumb", (700, 700)), ("strArtistFanart", (1280, 720))):
        assert re.fullmatch(rf"{url}/artwork/images/media/artist/\w+/[0-9a-f]+\.jpg", row[name])
        assert Image.open(io.BytesIO(http.get(row[name]).content)).size == size
    assert http.get(f"{url}/artwork/images/media/artist/thumb/none.jpg").status_code == 404


@pytest.mark.parametrize(("what", "popular"), [("recording", False), ("popular", True)])
def test_its_share_is_one_of_performers(part: Part, what: str, popular: bool) -> None:
    some = [one for one in part.shelf.performers if (one.popularity >= POPULAR) is popular]
    leads = {recording.artists[0] for recording in part.shelf.recordings if part.has(recording)}
    led = {recording.artists[0] for recording in part.shelf.recordings}
    share = len(leads.intersection(some)) / len(led.intersection(some))
    assert share == pytest.approx(shares.SHARES["theaudiodb", what], abs=0.07)


def test_refusals(world: World) -> None:
    upstream = TheAudioDB(Part("theaudiodb", Shelf(world)))
    refusal = upstream.refuse(60, Request("GET", "/api/v1/json/123/search.php"))
    assert (refusal.status, refusal.headers["content-type"]) == (429, "text/html")
    assert "retry-after" not in refusal.headers
    assert not upstream.names_wait
    limit = limits.DOCUMENTED["theaudiodb"].faster(1)
    assert (limit.burst, limit.rate) == (30, 0.5)
