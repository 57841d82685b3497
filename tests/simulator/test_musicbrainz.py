"""MusicBrainz in bulk, as its documentation and source have it, and as beets asks it (and Deezer) at its defaults."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from simulator.truth import World
from simulator.upstreams import Part, Shelf, metabrainz
from simulator.upstreams.coverartarchive import has_cover

WS = "/musicbrainz/ws/2"
NAMESPACE = "{http://musicbrainz.org/ns/mmd-2.0#}"


@pytest.fixture(scope="module")
def part(world: World) -> Part:
    return Part("musicbrainz", Shelf(world))


def search(http: httpx.Client, query: str, **more: Any) -> dict[str, Any]:
    reply = http.get(f"{WS}/recording", params={"query": query, "fmt": "json", "limit": 100, **more})
    assert reply.status_code == 200
    content: dict[str, Any] = reply.json()
    return content


def test_isrcs_in_one_search(http: httpx.Client, part: Part) -> None:
    known = [recording for recording in part.shelf.recordings if part.has(recording)]
    stated = {recording.mbid: metabrainz.isrcs(part, recording) for recording in known}
    assert 0.6 < sum(map(bool, stated.values())) / len(stated) < 0.8
    asked = [codes[0] for codes in stated.values() if codes][:40]
    found = search(http, f"isrc:({' OR '.join(asked)} OR ZZZZZ0000000)")
    assert len(found["recordings"]) == found["count"] >= len(asked)
    for hit in found["recordings"]:
        assert hit["isrcs"] == stated[hit["id"]]
        assert set(hit["isrcs"]) & set(asked)
    assert not any("isrcs" in hit and not hit["isrcs"] for hit in found["recordings"])


def test_titles_of_several_artists_in_one_search(http: httpx.Client, part: Part) -> None:
    known = [recording for recording in part.shelf.recordings if part.has(recording) and not recording.sibling][:300:15]
    words = {r.mbid: (_required(r.artists[0].name), _required(metabrainz.title(r))) for r in known}
    query = " OR ".join(f"(artist:({artist}) AND (recording:({title})))" for artist, title in words.values())
    found = search(http, query)
    assert {recording.mbid for recording in known} <= {hit["id"] for hit in found["recordings"]}
    assert found["recordings"][0]["score"] == 100


def _required(name: str) -> str:
    plain = "".join(char if char.isalnum() else " " for char in name)
    return " ".join(f"+{word}" for word in plain.lower().split())


def test_required_words_are_all_there(http: httpx.Client) -> None:
    found = search(http, "recording:(+in +the +morning) AND (artist:(+j. +cole) OR artist:nobody)")["recordings"]
    assert found
    assert all({"in", "the", "morning"} <= set(hit["title"].lower().split()) for hit in found)
    assert len(search(http, "recording:(in the morning)")["recordings"]) > len(found)


def test_pages(http: httpx.Client) -> None:
    whole = search(http, "recording:love")
    assert whole["count"] > 5
    pages = [search(http, "recording:love", limit=2, offset=offset) for offset in (0, 2)]
    assert [page["offset"] for page in pages] == [0, 2]
    assert [page["count"] for page in pages] == [whole["count"]] * 2
    assert [hit["id"] for page in pages for hit in page["recordings"]] == [hit["id"] for hit in whole["recordings"]][:4]
    assert len(search(http, "recording:(a OR the OR love OR you)", limit=1000)["recordings"]) <= 100
    beyond = search(http, "recording:love", offset=100_000)
    assert (beyond["count"], beyond["recordings"]) == (whole["count"], [])


def test_addresses_of_everything(http: httpx.Client, part: Part, world: World) -> None:
    performers = [each for each in part.shelf.performers if part.has_performer(each)]
    links = {url: each for each in performers for _, url in metabrainz.links(each)}
    recordings = [each for each in part.shelf.recordings if part.has(each)]
    tracks = {url: each for each in recordings for _, url in metabrainz.recording_links(each)}
    album = {f"https://open.spotify.com/album/{each.spotify_id}": each for each in world.albums.values()}
    expected = {
        "artist": {url: each.mbid for url, each in list(links.items())[:60]},
        "recording": {url: each.mbid for url, each in list(tracks.items())[:60]},
        "release": {url: each.mbid for url, each in list(album.items())[:60]},
    }
    for entity, ends in expected.items():
        params = {"resource": list(ends), "inc": f"{entity}-rels", "fmt": "json"}
        reply = http.get(f"{WS}/url", params=params).json()
        assert reply["url-count"] == len(reply["urls"]) > 5
        for url in reply["urls"]:
            assert ends[url["resource"]] in [relation[entity]["id"] for relation in url["relations"]]
        other = http.get(f"{WS}/url", params={**params, "inc": "label-rels"}).json()
        assert not any(url["relations"] for url in other["urls"])
        tree = ET.fromstring(http.get(f"{WS}/url", params={**params, "fmt": "xml"}).content)  # noqa: S314 - ours
        path = f"{NAMESPACE}url/{NAMESPACE}relation-list/{NAMESPACE}relation/{NAMESPACE}{entity}"
        told = {end.get("id") for end in tree[0].findall(path)}
        assert told == {relation[entity]["id"] for url in reply["urls"] for relation in url["relations"]}


def test_the_hundred_and_first_address_is_left_out(http: httpx.Client, part: Part) -> None:
    performers = [each for each in part.shelf.performers if part.has_performer(each)]
    known = next(url for each in performers for _, url in metabrainz.links(each))
    resources = [*(f"https://example.org/{number}" for number in range(100)), known]
    for sent, count in ((resources, 0), (resources[1:], 1)):
        reply = http.get(f"{WS}/url", params={"resource": sent, "inc": "artist-rels", "fmt": "json"}).json()
        assert reply["url-count"] == count


def test_a_release_holds_every_track(http: httpx.Client, part: Part, world: World) -> None:
    album = max((each for each in world.albums.values() if part.has_album(each)), key=lambda each: len(each.tracks))
    inc = "recordings+artist-credits+isrcs+labels+release-groups+media+genres+url-rels"
    release = http.get(f"{WS}/release/{album.mbid}?inc={inc}&fmt=json").json()
    told = [track for medium in release["media"] for track in medium["tracks"]]
    known = sorted(part.tracks(album.tracks), key=lambda track: (track.disc, track.position))
    assert [track["recording"]["id"] for track in told] == [track.recording.mbid for track in known]
    assert [track["recording"]["isrcs"] for track in told] == [metabrainz.isrcs(part, t.recording) for t in known]
    assert release["release-group"]["id"] == album.group_mbid
    assert release["cover-art-archive"]["front"] == has_cover(album)


# --- beets ---------------------------------------------------------------------------------------------------------
# What beets 2.14 sends with its plug-ins as they come, seen by pointing it here, and what they read in the answers.

RELEASE = (
    "artists+media+recordings+release-groups+labels+artist-credits+aliases+recording-level-rels+work-rels"
    "+work-level-rels+artist-rels+isrcs+url-rels+release-rels+genres+tags"
)
RECORDING = "artists+aliases+isrcs+work-level-rels+artist-rels"


def test_beets_imports_from_musicbrainz(http: httpx.Client) -> None:
    query = "artist:(j. cole) recording:(in the morning) alias:(in the morning)"
    found = http.get("/ws/2/recording", params={"limit": 5, "query": query, "fmt": "json"}).json()["recordings"]
    assert found[0]["title"] == "In The Morning"
    recording = http.get(f"/ws/2/recording/{found[0]['id']}", params={"inc": RECORDING, "fmt": "json"}).json()
    assert recording.keys() >= {"id", "title", "length", "disambiguation", "isrcs", "aliases", "artist-credit"}
    query = "release:(the rise and fall of ziggy stardust) artist:(david bowie)"
    releases = http.get("/ws/2/release", params={"limit": 5, "query": query, "fmt": "json"}).json()["releases"]
    release = http.get(f"/ws/2/release/{releases[0]['id']}", params={"inc": RELEASE, "fmt": "json"}).json()
    for name in (
        "asin",
        "status",
        "disambiguation",
        "text-representation",
        "label-info",
        "genres",
        "tags",
        "relations",
    ):
        assert name in release
    group = release["release-group"]
    assert group.keys() >= {"primary-type", "secondary-types", "first-release-date", "disambiguation", "genres"}
    for medium in release["media"]:
        assert medium.keys() >= {"position", "track-count", "title", "format"}
        for track in medium["tracks"]:
            assert track.keys() >= {"id", "title", "length", "number", "position", "artist-credit"}
            assert track["recording"].keys() >= {"aliases", "video", "title", "length", "isrcs", "disambiguation"}
    for credit in release["artist-credit"]:
        assert credit["joinphrase"] is not None
        assert credit["artist"].keys() >= {"id", "name", "sort-name", "aliases"}
    various = r"release:(various) arid:(89ad4ac3\-39f7\-470e\-963a\-56509c546377)"
    assert http.get("/ws/2/release", params={"limit": 5, "query": various, "fmt": "json"}).status_code == 200
    unknown = "/ws/2/recording/00000000-0000-4000-8000-000000000000"
    assert http.get(unknown, params={"inc": RECORDING, "fmt": "json"}).status_code == 404


def test_beets_imports_from_deezer(http: httpx.Client) -> None:
    found = http.get("/deezer/search/track", params={"q": "In The Morning J. Cole", "limit": "5"}).json()["data"]
    track = http.get(f"/deezer/track/{found[0]['id']}").json()
    needed = {"id", "title", "duration", "link", "isrc", "rank", "track_position", "disk_number"}
    assert track.keys() >= needed | {"contributors"}
    query = 'album:"The Rise And Fall Of Ziggy Stardust" artist:"David Bowie"'
    albums = http.get("/deezer/search/album", params={"q": query, "limit": "5"}).json()["data"]
    album = http.get(f"/deezer/album/{albums[0]['id']}").json()
    assert album.keys() >= {"title", "artist", "contributors", "release_date", "record_type", "label", "link"}
    tracks = http.get(f"/deezer/album/{albums[0]['id']}/tracks").json()["data"]
    assert len(tracks) > 1
    assert all(each.keys() >= needed for each in tracks)
    assert "error" in http.get("/deezer/album/999999999999").json()
