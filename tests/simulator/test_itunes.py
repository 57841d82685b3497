from __future__ import annotations

import io
from typing import Any

import httpx
import pytest
from PIL import Image

from simulator import limits, names, shares
from simulator.truth import Recording, World
from simulator.upstreams import Part, Shelf
from simulator.upstreams.itunes import ITunes
from simulator.wire import Request

SONG = (
    "wrapperType kind artistId collectionId trackId artistName collectionName trackName collectionCensoredName "
    "trackCensoredName artistViewUrl collectionViewUrl trackViewUrl previewUrl artworkUrl30 artworkUrl60 artworkUrl100 "
    "collectionPrice trackPrice releaseDate collectionExplicitness trackExplicitness discCount discNumber trackCount "
    "trackNumber trackTimeMillis country currency primaryGenreName isStreamable"
)
ALBUM = (
    "wrapperType collectionType artistId collectionId artistName collectionName collectionCensoredName artistViewUrl "
    "collectionViewUrl artworkUrl60 artworkUrl100 collectionPrice collectionExplicitness trackCount copyright country "
    "currency releaseDate primaryGenreName"
)
ARTIST = "wrapperType artistType artistName artistLinkUrl artistId primaryGenreName primaryGenreId"
"""As search results were quoted publicly in 2026 (public index: 59120517506, 62309363796, 71241939491)."""


@pytest.fixture(scope="module")
def part(world: World) -> Part:
    return Part("itunes", Shelf(world))


@pytest.fixture(scope="module")
def recording(part: Part) -> Recording:
    known = (one for one in part.shelf.recordings if part.has(one) and not one.sibling)
    return next(one for one in known if one.date and len(one.artists) == 1 and one.tracks[0].album.date)


def results(http: httpx.Client, path: str = "/itunes/search", **params: Any) -> list[dict[str, Any]]:
    reply = http.get(path, params=params)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
    assert reply.text.startswith("\n\n\n{")
    content = reply.json()
    assert content.keys() == {"resultCount", "results"}
    assert content["resultCount"] == len(content["results"])
    found: list[dict[str, Any]] = content["results"]
    return found


def asked(recording: Recording) -> str:
    return f"{recording.artists[0].name} {recording.title}"


def test_songs(http: httpx.Client, recording: Recording) -> None:
    row = results(http, term=asked(recording), media="music", entity="song", limit=5)[0]
    assert row.keys() >= set(SONG.split())
    assert row["artistName"] == recording.artists[0].name
    assert row["trackName"].startswith(names.read_title(recording.title).base)
    assert row["trackTimeMillis"] == recording.tracks[0].duration_ms
    assert row["releaseDate"].endswith(":00:00Z")
    assert not {"isrc", "ISRC"} & row.keys()
    assert results(http, "/itunes/lookup", id=f"{row['trackId']},99") == [row]


def test_artists_and_albums(http: httpx.Client, recording: Recording) -> None:
    artist, album = recording.artists[0], recording.tracks[0].album
    row = results(http, term=artist.name, media="music", entity="musicArtist")[0]
    assert row.keys() >= set(ARTIST.split())
    assert row["artistName"] == artist.name
    assert results(http, "/itunes/lookup", id=row["artistId"])[0]["artistName"] == artist.name
    rows = results(http, term=f"{artist.name} {album.title}", media="music", entity="album")
    hit = next(one for one in rows if one["collectionName"].removesuffix(" - Single") == album.title)
    assert hit.keys() >= set(ALBUM.split())
    assert results(http, "/itunes/lookup", id=hit["collectionId"]) == [hit]


def test_nothing_found_is_an_empty_list(http: httpx.Client) -> None:
    assert results(http, term="zzzz qqqq", entity="song") == []
    assert results(http, "/itunes/lookup", id="1") == []
    assert results(http, entity="song") == []


def test_what_is_wrong_is_said(http: httpx.Client) -> None:
    reply = http.get("/itunes/search", params={"term": "x", "entity": "nonsense"})
    assert reply.status_code == 400
    assert reply.json()["errorMessage"] == "Invalid value(s) for key(s): [entity]"
    assert http.get("/itunes/elsewhere").status_code == 404


def test_covers_come_as_large_as_they_were_delivered(http: httpx.Client, recording: Recording) -> None:
    cover = results(http, term=asked(recording), entity="song")[0]["artworkUrl100"]
    assert Image.open(io.BytesIO(http.get(cover).content)).size == (100, 100)
    large = Image.open(io.BytesIO(http.get(cover.replace("100x100", "3000x3000")).content)).size
    assert 1400 <= large[0] == large[1] < 2000


def test_siblings_are_among_the_hits(http: httpx.Client, part: Part) -> None:
    karaoke = next(one for one in part.shelf.recordings if one.sibling == "karaoke" and part.has(one))
    title = karaoke.title.partition(" (")[0]
    found = results(http, term=title, entity="song", limit=200)
    assert any(row["artistName"] == "Karaoke Hit Machine" for row in found)


def test_of_some_albums_the_date_is_that_of_an_edition(http: httpx.Client, part: Part) -> None:
    some = [one for one in part.shelf.recordings if part.has(one) and len(one.tracks) == 1 and one.date][:60]
    off = 0
    for one in some:
        row = next((row for row in results(http, term=asked(one), entity="song", limit=3)), None)
        if row is not None and row["trackTimeMillis"] == one.tracks[0].duration_ms:
            assert row["releaseDate"][:4] >= one.date[:4]
            off += row["releaseDate"][:4] != one.date[:4]
    assert 0.15 < off / len(some) < 0.5


def test_its_share(part: Part) -> None:
    originals = [one for one in part.shelf.recordings if not one.sibling]
    share = sum(map(part.has, originals)) / len(originals)
    assert share == pytest.approx(shares.SHARES["itunes", "recording"], abs=0.03)


def test_refusals(world: World) -> None:
    upstream = ITunes(Part("itunes", Shelf(world)))
    refusal = upstream.refuse(60, Request("GET", "/search"))
    assert (refusal.status, refusal.body) == (403, b"")
    assert "retry-after" not in refusal.headers
    assert not upstream.names_wait
    limit = limits.DOCUMENTED["itunes"].faster(1)
    assert limit.burst == 20
    assert limit.rate == pytest.approx(1 / 3)
