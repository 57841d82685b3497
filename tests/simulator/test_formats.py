"""The replies have the shape of the recorded ones: the same keys, the same types."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from simulator.truth import World

BOWIE = "5441c29d-3602-4898-b1a1-b77fa23b8e50"


def kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return type(value).__name__
    return "number" if isinstance(value, int | float) else type(value).__name__


def shape(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every path of a document with its type; lists by what is in them."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{path}.{name}", kind(inner)
            yield from shape(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from shape(inner, f"{path}[]")


def assert_has_the_shape_of(ours: Any, recorded: Any, but: tuple[str, ...] = ()) -> None:
    """Every key of the recorded one is in ours, with one of its types. `but`: patterns of paths that may be missing."""
    have: dict[str, set[str]] = {}
    for path, type_ in shape(ours):
        have.setdefault(path, set()).add(type_)
    wanted: dict[str, set[str]] = {}
    for path, type_ in shape(recorded):
        wanted.setdefault(path, set()).add(type_)
    missing = {path for path in wanted.keys() - have.keys() if not any(re.search(one, path) for one in but)}
    assert not missing
    for path in wanted.keys() & have.keys():
        assert have[path] & wanted[path] or "NoneType" in have[path] | wanted[path], path


@pytest.fixture(scope="module")
def deezer(data: Path) -> dict[str, Any]:
    """Recorded bodies of Deezer by address; of several recordings the last."""
    with gzip.open(data / "recorded" / "interactions.jsonl.gz", "rt", encoding="utf-8") as lines:
        exchanges = [row for row in map(json.loads, lines) if row["source"] == "deezer"]
    return {row["request"]["url"].removeprefix("https://api.deezer.com"): row["response"] for row in exchanges}


@pytest.fixture(scope="module")
def a_track(http: httpx.Client) -> dict[str, Any]:
    hit: dict[str, Any] = http.get("/deezer/search", params={"q": "david bowie five years"}).json()["data"][0]
    return hit


def test_deezer_tracks(http: httpx.Client, deezer: dict[str, Any], a_track: dict[str, Any]) -> None:
    ours = http.get(f"/deezer/track/{a_track['id']}")
    recorded = json.loads(deezer["/track/1425844092"]["body"])
    assert_has_the_shape_of(ours.json(), recorded)
    assert ours.headers["content-type"] == deezer["/track/3135556"]["headers"]["Content-Type"][0]
    by_isrc = http.get(f"/deezer/track/isrc:{a_track['isrc']}").json()
    assert by_isrc["isrc"] == a_track["isrc"]


def test_deezer_artists_and_albums(http: httpx.Client, deezer: dict[str, Any], a_track: dict[str, Any]) -> None:
    artist = http.get(f"/deezer/artist/{a_track['artist']['id']}").json()
    assert_has_the_shape_of(artist, json.loads(deezer["/artist/27"]["body"]))
    album = http.get(f"/deezer/album/{a_track['album']['id']}").json()
    assert_has_the_shape_of(
        album, json.loads(deezer["/album/302127"]["body"]), but=(r"\.rating$", r"genres\.data\[\]\.")
    )
    assert http.get(f"/deezer/album/upc:{album['upc']}").json()["id"] == album["id"]
    tracks = http.get(f"/deezer/album/{album['id']}/tracks").json()
    assert_has_the_shape_of(tracks, json.loads(deezer["/album/302127/tracks"]["body"]))


@pytest.mark.parametrize(
    ("path", "recorded"),
    [
        ("/search?q=bowie&limit=3", "/search?limit=3&q=Billy+Jean"),
        ("/search/album?q=bowie", "/search/album?q=Daft+Punk"),
        ("/search/artist?q=bowie", "/search/artist?q=Daft+Punk"),
        ("/search/artist?q=zzzz+qqqq+xxxx", "/search/artist?q=something+very+complicated+without+results"),
    ],
)
def test_deezer_searches(http: httpx.Client, deezer: dict[str, Any], path: str, recorded: str) -> None:
    ours = http.get(f"/deezer{path}").json()
    assert_has_the_shape_of(ours, json.loads(deezer[recorded]["body"]), but=(r"^\.(next|prev)$",))


@pytest.mark.parametrize(
    ("path", "recorded"),
    [
        ("/track/-1", "/track/-1"),
        ("/artist/-1", "/artist/-1"),
        ("/album/-1", "/album/-1"),
        ("/album/0", "/album/0"),
        ("/does-not-exists", "/does-not-exists"),
    ],
)
def test_deezer_answers_nothing_in_the_same_disguise(
    http: httpx.Client, deezer: dict[str, Any], path: str, recorded: str
) -> None:
    ours = http.get(f"/deezer{path}")
    assert ours.json() == json.loads(deezer[recorded]["body"])
    assert ours.status_code == deezer[recorded]["status"]


@pytest.fixture(scope="module")
def extended(http: httpx.Client) -> dict[str, str]:
    return spotify_headers(http, "extended-app")


def spotify_headers(http: httpx.Client, client: str) -> dict[str, str]:
    reply = http.post("/spotify/api/token", data={"grant_type": "client_credentials"}, auth=(client, "secret"))
    return {"authorization": f"Bearer {reply.json()['access_token']}"}


def spotify_recording(data: Path, name: str) -> Any:
    text = (data / "recorded" / "spotify" / f"zmb3__{name}.json").read_text("utf-8")
    return json.JSONDecoder().raw_decode(text.lstrip())[0]  # some recordings have a stray character at the end


def test_spotify_objects(http: httpx.Client, data: Path, extended: dict[str, str]) -> None:
    search = http.get("/spotify/v1/search", params={"q": "bowie", "type": "track,artist"}, headers=extended).json()
    track, artist = search["tracks"]["items"][0], search["artists"]["items"][0]
    got = {name: http.get(f"/spotify/v1/{name}", headers=extended).json() for name in (
        f"tracks/{track['id']}", f"albums/{track['album']['id']}", f"artists/{artist['id']}",
        f"albums/{track['album']['id']}/tracks",
    )}  # fmt: skip
    recorded = ("find_track", "find_album", "find_artist", "find_album_tracks")
    for ours, name in zip(got.values(), recorded, strict=True):
        assert_has_the_shape_of(ours, spotify_recording(data, name))
    assert_has_the_shape_of(search["tracks"], spotify_recording(data, "search_tracks")["tracks"])
    assert_has_the_shape_of(search["artists"], spotify_recording(data, "search_artist")["artists"])


def test_spotify_several_at_once_has_null_for_the_unknown(http: httpx.Client, extended: dict[str, str]) -> None:
    search = http.get("/spotify/v1/search", params={"q": "bowie", "type": "track"}, headers=extended).json()
    ids = f"{search['tracks']['items'][0]['id']},{'0' * 22}"
    tracks = http.get("/spotify/v1/tracks", params={"ids": ids}, headers=extended).json()["tracks"]
    assert [track and track["type"] for track in tracks] == ["track", None]
    assert (
        http.get("/spotify/v1/artists", params={"ids": ",".join(["0" * 22] * 51)}, headers=extended).status_code == 400
    )


def test_spotify_in_development_mode_gives_less(http: httpx.Client) -> None:
    headers = spotify_headers(http, "an-app")
    search = http.get("/spotify/v1/search", params={"q": "bowie", "type": "track,artist"}, headers=headers).json()
    assert search["tracks"]["limit"] == 5
    track, artist = search["tracks"]["items"][0], search["artists"]["items"][0]
    assert "isrc" in track["external_ids"]
    assert not {"popularity", "available_markets"} & track.keys()
    assert not {"popularity", "followers"} & artist.keys()
    assert "label" not in http.get(f"/spotify/v1/albums/{track['album']['id']}", headers=headers).json()
    assert http.get("/spotify/v1/artists", params={"ids": artist["id"]}, headers=headers).status_code == 403
    many = {"q": "bowie", "type": "track", "limit": 11}
    assert http.get("/spotify/v1/search", params=many, headers=headers).status_code == 400


def test_cover_art_listings(http: httpx.Client, data: Path, world: World) -> None:
    recorded = json.loads(next((data / "recorded" / "coverartarchive").glob("*.json")).read_text("utf-8"))
    replies = [http.get(f"/coverartarchive/release/{album.mbid}") for album in list(world.albums.values())[:40]]
    found = [reply.json() for reply in replies if reply.status_code == 200]
    assert {reply.status_code for reply in replies} == {200, 404}
    for listing in found:
        assert listing.keys() >= recorded.keys()
        assert listing["images"][0].keys() >= recorded["images"][0].keys()
    assert {kind(listing["images"][0]["id"]) for listing in found} == {"str", "number"}, "strings in old entries"
    assert http.get("/coverartarchive/release/no-uuid").status_code == 400


def parsed(document: bytes) -> ET.Element:
    return ET.fromstring(document)  # noqa: S314 - our own and recorded documents


def elements(tree: ET.Element, path: str = "") -> set[str]:
    """The paths of a document's elements and attributes, without namespaces, from the first item of each list on."""
    found = set()
    for child in tree:
        name = f"{path}/{child.tag.rpartition('}')[2]}"
        found |= {name, *(f"{name}@{key.rpartition('}')[2]}" for key in child.attrib)}
        found |= elements(child, name)
    return found


@pytest.mark.parametrize(
    ("what", "query", "but"),
    [
        ("artist", "artist:bowie", r"/alias-list|/disambiguation|/gender|/ipi"),
        (
            "recording",
            'recording:"In The Morning"',
            r"/disambiguation|/alias|/tag|/puid|release-list@|/name$|@joinphrase",
        ),
        (
            "release",
            "release:ziggy",
            r"/disambiguation|/asin|/alias|/name$|@joinphrase|/disc-list|/track-list@|/track-count",
        ),
        ("release-group", "releasegroup:ziggy", r"/disambiguation|/alias|/tag|/secondary|/name$|@joinphrase"),
    ],
)
def test_musicbrainz_searches_in_xml(http: httpx.Client, data: Path, what: str, query: str, but: str) -> None:
    file = next((data / "recorded" / "musicbrainz").glob(f"*search-{what}.xml"))
    recorded = parsed(file.read_bytes())
    ours = parsed(http.get(f"/musicbrainz/ws/2/{what}", params={"query": query}).content)
    assert ours.tag == recorded.tag
    missing = {path for path in elements(recorded) - elements(ours) if not re.search(but, path)}
    assert not missing


def test_musicbrainz_releases_in_xml(http: httpx.Client, data: Path) -> None:
    file = next((data / "recorded" / "musicbrainz").glob("*fbe4490e*recordings+artist-credits.xml"))
    hits = http.get("/musicbrainz/ws/2/release", params={"query": "release:ziggy", "fmt": "json"}).json()["releases"]
    ours = http.get(f"/musicbrainz/ws/2/release/{hits[0]['id']}?inc=recordings+artist-credits").content
    but = r"/asin|/packaging|/disambiguation|/name$|@joinphrase"
    missing = elements(parsed(file.read_bytes())) - elements(parsed(ours))
    assert not {path for path in missing if not re.search(but, path)}


def test_musicbrainz_in_json(http: httpx.Client) -> None:
    inc = "url-rels+genres+tags+aliases"
    artist = http.get(f"/musicbrainz/ws/2/artist/{BOWIE}?inc={inc}&fmt=json").json()
    assert artist.keys() >= {
        "id", "name", "sort-name", "type", "country", "area", "life-span", "genres", "tags", "aliases", "relations",
    }  # fmt: skip
    assert artist["life-span"] == {"begin": "1947-01-08", "end": "2016-01-10", "ended": True}
    link = artist["relations"][0]
    assert link["target-type"] == "url"
    assert link["url"]["resource"].startswith("https://")
    several = {
        "resource": [link["url"]["resource"], "https://example.org/unknown"],
        "inc": "artist-rels",
        "fmt": "json",
    }
    urls = http.get("/musicbrainz/ws/2/url", params=several).json()
    assert [url["relations"][0]["artist"]["id"] for url in urls["urls"]] == [BOWIE]
    browsed = http.get(f"/musicbrainz/ws/2/recording?artist={BOWIE}&inc=isrcs+artist-credits&limit=100&fmt=json").json()
    assert browsed["recording-count"] == len(browsed["recordings"])
    found = http.get("/musicbrainz/ws/2/recording", params={"query": f"arid:{BOWIE}", "fmt": "json", "limit": 2}).json()
    assert found.keys() == {"created", "count", "offset", "recordings"}
    assert len(found["recordings"]) == 2
    ids = [one["id"] for one in found["recordings"]]
    again = http.get("/musicbrainz/ws/2/recording", params={"query": f"rid:({' OR '.join(ids)})", "fmt": "json"}).json()
    assert {one["id"] for one in again["recordings"]} == set(ids)


def test_musicbrainz_says_what_is_wrong(http: httpx.Client) -> None:
    artist = f"/musicbrainz/ws/2/artist/{BOWIE}?fmt=json"
    bad = http.get(f"{artist}&inc=nonsense")
    assert (bad.status_code, bad.json()["error"]) == (
        400, "nonsense is not a valid inc parameter for the artist resource.",
    )  # fmt: skip
    unknown = http.get("/musicbrainz/ws/2/recording/00000000-0000-4000-8000-000000000000?fmt=json")
    assert (unknown.status_code, unknown.json()["error"]) == (404, "Not Found")
    nobody = http.get(artist, headers={"user-agent": ""})
    assert (nobody.status_code, nobody.headers["x-ratelimit-who"]) == (403, "ua-missing")


def test_listenbrainz_matches_names_exactly_in_batches(http: httpx.Client) -> None:
    asked = [
        {"artist_name": "J. Cole & Drake", "recording_name": "in the morning"},
        {"artist_name": "David Bowie", "recording_name": "Five Years - 2012 Remaster"},
        {"artist_name": "J Cole and Drake", "recording_name": "In The Morning"},
        {"artist_name": "J. COLE & Drake", "recording_name": "In the Morning!", "release_name": "x"},
    ]
    headers = {"authorization": "Token t"}
    rows = http.post("/listenbrainz/1/metadata/lookup/", json={"recordings": asked}, headers=headers).json()
    assert [row["index"] for row in rows] == [0, 1, 2, 3]
    assert ["recording_mbid" in row for row in rows] == [False, False, False, True], "of duplicates only the last"
    assert rows[3].keys() == {
        "artist_credit_name", "artist_mbids", "recording_mbid", "recording_name", "release_mbid", "release_name",
        "artist_name_arg", "recording_name_arg", "release_name_arg", "index",
    }  # fmt: skip
    assert http.post("/listenbrainz/1/metadata/lookup/", json={"recordings": asked}).status_code == 401
    too_many = {"recordings": asked * 13}
    assert http.post("/listenbrainz/1/metadata/lookup/", json=too_many, headers=headers).status_code == 400


def test_listenbrainz_single_lookup_is_fuzzy_and_brings_metadata(http: httpx.Client) -> None:
    params = {"artist_name": "David Bowie", "recording_name": "Five Years - 2012 Remaster", "metadata": "true"}
    asked = {"params": {**params, "inc": "artist tag release"}, "headers": {"authorization": "Token t"}}
    found = http.get("/listenbrainz/1/metadata/lookup/", **asked).json()
    assert found["recording_name"] == "Five Years"
    assert found["metadata"].keys() == {"recording", "artist", "tag", "release"}
    mbid = found["recording_mbid"]
    posted = {"recording_mbids": [mbid, "00000000-0000-4000-8000-000000000000"], "inc": "artist tag release"}
    assert http.post("/listenbrainz/1/metadata/recording/", json=posted).json() == {mbid: found["metadata"]}
    got = http.get("/listenbrainz/1/metadata/recording/", params={"recording_mbids": mbid, "inc": "artist tag release"})
    assert got.json() == {mbid: found["metadata"]}
    unknown = {"artist_name": "zzzz", "recording_name": "qqqq"}
    nothing = http.get("/listenbrainz/1/metadata/lookup/", params=unknown, headers={"authorization": "Token t"})
    assert (nothing.status_code, nothing.json()) == (200, {})


def test_listenbrainz_popularity_keeps_the_order(http: httpx.Client) -> None:
    mbids = ["00000000-0000-4000-8000-000000000000", BOWIE]
    rows = http.post("/listenbrainz/1/popularity/artist", json={"artist_mbids": mbids}).json()
    assert [row["artist_mbid"] for row in rows] == mbids
    assert rows[0] == {"artist_mbid": mbids[0], "total_listen_count": None, "total_user_count": None}
    assert rows[1]["total_listen_count"] > rows[1]["total_user_count"] > 0
