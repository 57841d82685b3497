"""Discogs on the wire: its shapes, its refusals, what it knows, and that its client library reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import discogs_client
import httpx
import pytest
from discogs_client.exceptions import HTTPError

from simulator import limits
from simulator.truth import VARIOUS, World
from simulator.upstreams.base import Part, Shelf
from simulator.upstreams.discogs import INVALID, Discogs, Pressing
from simulator.wire import Request

PREFIX = "discogs_client__discogs_client_tests_res_"
Get = Callable[..., tuple[int, Any]]


@pytest.fixture(name="discogs", scope="module")
def _discogs(world: World) -> Discogs:
    made = Discogs(Part("discogs", Shelf(world)), unlimited=True)
    assert made.prepare()
    return made


@pytest.fixture(name="get", scope="module")
def _get(discogs: Discogs) -> Get:
    """get(path, shown, **query): status and content for who shows this token."""

    def get(path: str, shown: str = "a-token", **query: Any) -> tuple[int, Any]:
        headers = {"authorization": f"Discogs token={shown}"} if shown else {}
        reply = discogs.answer(Request("GET", path, urlencode(query), headers, b"", "http://sim"))
        return reply.status, json.loads(reply.body)

    return get


@pytest.fixture(name="pressings", scope="module")
def _pressings(discogs: Discogs) -> list[Pressing]:
    """Of an album with a master and several pressings."""
    return next(all_of for all_of in discogs._masters.values() if len(all_of) > 1 and all_of[0].barcode)


def shape(value: Any, path: str = "") -> set[str]:
    if isinstance(value, dict):
        return {inner for name, one in value.items() for inner in {f"{path}.{name}", *shape(one, f"{path}.{name}")}}
    return {inner for one in value for inner in shape(one, f"{path}[]")} if isinstance(value, list) else set()


RECORDED: tuple[tuple[str, str, set[str]], ...] = (
    # What is empty with us, or of the past.
    ("releases_1", "/releases/{release}", {".videos[]", ".companies[]", ".extraartists[]"}),
    ("releases_2", "/releases/{release}", {".videos[]", ".extraartists[]"}),
    ("masters_4242", "/masters/{master}", {".videos[]"}),
    ("masters_4242_versions_per_page=50&page=1", "/masters/{master}/versions", set()),
    ("artists_1", "/artists/{artist}", {".aliases", ".namevariations", ".realname"}),
    (
        "artists_1_releases_per_page=50&page=2",
        "/artists/{artist}/releases",
        {"[].format", "[].trackinfo", "[].label", "[].status", ".urls."},
    ),
)


def test_replies_have_the_shape_of_the_recorded(data: Path, get: Get, pressings: list[Pressing]) -> None:
    first = pressings[0]
    numbers = {"release": first.number, "master": first.master, "artist": first.album.artist.discogs_id}
    for name, path, missing in RECORDED:
        status, ours = get(path.format(**numbers))
        assert status == 200
        real = json.loads((data / "recorded" / "discogs" / f"{PREFIX}{name}.json").read_text())
        assert not {one for one in shape(real) - shape(ours) if not any(part in one for part in missing)}, name


def test_hits_have_the_shape_of_the_recorded(data: Path, get: Get, pressings: list[Pressing]) -> None:
    name = "database_search_q=trash80&per_page=50&page=1"
    real = json.loads((data / "recorded" / "discogs" / f"{PREFIX}{name}.json").read_text())
    status, ours = get("/database/search", q=pressings[0].album.artist.name)
    assert status == 200
    assert {hit["type"] for hit in ours["results"]} == {"artist", "master", "release"}
    assert not shape(real) - shape(ours)


def test_the_same_truth(get: Get, pressings: list[Pressing]) -> None:
    first, album = pressings[0], pressings[0].album
    _, release = get(f"/releases/{first.number}")
    assert release["title"] == album.title
    assert release["year"] == int(album.date[:4])
    assert release["labels"][0]["name"] == album.label
    assert release["identifiers"][0]["value"].replace(" ", "") == album.barcode
    assert [row["title"] for row in release["tracklist"] if row["type_"] == "track"] == [
        track.recording.title for track in sorted(album.tracks, key=lambda track: (track.disc, track.position))
    ]
    _, master = get(f"/masters/{first.master}")
    assert (master["main_release"], master["year"]) == (first.number, first.year)
    _, found = get("/database/search", artist=album.artist.name, release_title=album.title)
    of_it = [hit for hit in found["results"] if hit["master_id"] == first.master]
    assert [hit["id"] for hit in of_it] == [first.master, *(one.number for one in pressings)]
    _, found = get("/database/search", barcode=album.barcode)
    assert first.number in [hit["id"] for hit in found["results"]]


def test_a_share_is_known_and_more_of_the_electronic(discogs: Discogs, world: World) -> None:
    electronic = {album.key for album in world.albums.values() if any("techno" in g for g in album.artist.genres)}
    others = {album.key for album in world.albums.values() if album.artist.genres == ("pop",)} | {
        album.key for album in world.albums.values() if any("rock" in g for g in album.artist.genres)
    }
    known = discogs._by_album.keys()
    assert len(electronic & known) / len(electronic) > 0.6
    assert 0.5 < len((others - electronic) & known) / len(others - electronic) < 0.75


def test_namesakes_are_numbered(discogs: Discogs, get: Get) -> None:
    namesake = next(one for one in discogs._artists.values() if one.key.endswith("#2"))
    _, artist = get(f"/artists/{namesake.discogs_id}")
    assert artist["name"] == f"{namesake.name} (2)"
    _, found = get("/database/search", q=namesake.name, type="artist")
    assert f"{namesake.name} (2)" in [hit["title"] for hit in found["results"]]
    various = next((one for one in discogs._artists.values() if one.name == VARIOUS), None)
    assert various is None or get(f"/artists/{various.discogs_id}")[1]["name"] == "Various"


def test_pages(get: Get) -> None:
    _, whole = get("/database/search", q="the", per_page=100)
    _, first = get("/database/search", q="the", per_page=3)
    _, second = get("/database/search", q="the", per_page=3, page=2)
    assert first["results"] + second["results"] == whole["results"][:6]
    assert first["pagination"]["items"] == whole["pagination"]["items"] > 6
    assert first["pagination"]["urls"]["next"].endswith("page=2&per_page=3")
    assert second["pagination"]["urls"]["prev"].endswith("page=1&per_page=3")
    status, content = get("/database/search", q="the", page=999)
    assert (status, content) == (404, {"message": "Page 999 is outside of valid range."})
    _, nothing = get("/database/search", q="zxqzxqzxq")
    assert (nothing["pagination"]["pages"], nothing["results"]) == (1, [])


def test_what_is_not_there_and_who_may_not(get: Get, pressings: list[Pressing]) -> None:
    for path, message in (
        ("/releases/1", "Release not found."),
        ("/masters/1", "Master Release not found."),
        ("/artists/x", "Artist not found."),
        ("/labels/1", "The requested resource was not found."),
    ):
        assert get(path) == (404, {"message": message})
    assert get("/database/search", "", q="a")[0] == 401
    assert get("/database/search", "", q="a", token="in-the-address")[0] == 200
    status, content = get(f"/releases/{pressings[0].number}", INVALID)
    assert (status, content["message"][:23]) == (401, "Invalid consumer token.")
    _, shown = get(f"/releases/{pressings[0].number}", "")
    assert shown["thumb"] == shown["images"][0]["uri"] == "", "pictures need a token"


def test_the_minute(world: World) -> None:
    discogs = Discogs(Part("discogs", Shelf(world)))
    now = 1_000_000.0

    def ask(token: str = "") -> tuple[int, str, dict[str, str]]:
        headers = {"authorization": f"Discogs token={token}"} if token else {}
        reply = discogs.answer(Request("GET", "/releases/1", "", headers, b"", "http://sim", now))
        documented = limits.DOCUMENTED["discogs"].faster(1)
        return reply.status, reply.verdict, {**reply.headers, **discogs.stamps(reply, documented, now)}

    answers = [ask() for _ in range(27)]
    assert [status for status, *_ in answers] == [404] * 26 + [429]
    assert answers[-1][1] == "over_limit"
    assert "retry-after" not in answers[-1][2]
    assert answers[-1][2]["x-discogs-ratelimit"] == "25"
    assert answers[-1][2]["x-discogs-ratelimit-remaining"] == "0"
    assert ask("a-token")[0] == 404
    assert ask("a-token")[2]["x-discogs-ratelimit"] == "60"
    now += 61
    assert ask()[0] == 404
    refused = discogs.refuse(7, Request("GET", "/releases/1"))
    assert (refused.status, json.loads(refused.body)) == (429, {"message": "You are making requests too quickly."})
    assert not discogs.names_wait


def test_chance_falls_the_same_way(world: World, discogs: Discogs) -> None:
    again = Discogs(Part("discogs", Shelf(world)), unlimited=True)
    assert list(again._pressings) == list(discogs._pressings)
    assert len(again._pressings) == sum(map(len, again._by_album.values())), "no number twice"


def test_its_pictures_are_served(http: httpx.Client, url: str, pressings: list[Pressing]) -> None:
    headers = {"authorization": "Discogs token=a-token"}
    shown = http.get(f"/discogs/releases/{pressings[0].number}", headers=headers).json()
    picture = http.get(shown["images"][0]["uri"].removeprefix(url))
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")


def test_the_client_library_searches_and_reads(url: str, pressings: list[Pressing]) -> None:
    album, first = pressings[0].album, pressings[0]
    client = discogs_client.Client("tests/1 +https://example.org", user_token="a-token")
    client._base_url = url
    found = client.search(artist=album.artist.name, release_title=album.title, type="release")
    assert found.count >= len(pressings)
    release = next(hit for hit in found if hit.id == first.number)
    assert release.labels[0].name == album.label
    assert release.artists[0].name == album.artist.name
    assert len(release.tracklist) >= len(album.tracks)
    assert release.master.main_release.id == first.number
    assert {one.id for one in release.master.versions} == {one.number for one in pressings}
    artist = client.search(album.artist.name, type="artist")[0]
    assert artist.name == album.artist.name
    assert first.master in {one.id for one in artist.releases}
    assert artist.profile
    with pytest.raises(HTTPError, match="404: Release not found"):
        client.release(1).refresh()
    anonymous = discogs_client.Client("tests/1 +https://example.org")
    anonymous._base_url = f"{url}/discogs"
    assert anonymous.release(first.number).title == album.title
    with pytest.raises(HTTPError, match="401"):
        anonymous.search("a").page(1)
