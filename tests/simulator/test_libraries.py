"""The public client libraries at their defaults, only pointed at the simulator, search and read it."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
import spotipy
from PIL import Image
from spotipy.oauth2 import SpotifyClientCredentials


@pytest.fixture
def brainz(url: str) -> Iterator[ModuleType]:
    """The library as it comes: the fleet's source has changed the one that this process has loaded."""
    changed = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "musicbrainzngs"}
    fresh = importlib.import_module("musicbrainzngs")
    host = url.removeprefix("http://")
    fresh.set_useragent("tests", "1", "tests@example.org")
    fresh.set_rate_limit(False)
    fresh.set_hostname(host)
    fresh.set_caa_hostname(host)
    yield fresh
    sys.modules.update(changed)


def test_musicbrainzngs_searches_and_reads(brainz: ModuleType) -> None:
    found = brainz.search_recordings(recording="In The Morning", artist="J. Cole", strict=True)
    recording = found["recording-list"][0]
    assert (recording["title"], recording["artist-credit-phrase"]) == ("In The Morning", "J. Cole & Drake")
    whole = brainz.get_recording_by_id(recording["id"], includes=["artists", "releases", "isrcs", "tags", "url-rels"])[
        "recording"
    ]
    assert int(whole["length"]) == 234386
    release = brainz.get_release_by_id(
        whole["release-list"][0]["id"],
        includes=["recordings", "artist-credits", "isrcs", "labels", "release-groups", "media", "url-rels"],
    )["release"]
    titles = [track["recording"]["title"] for track in release["medium-list"][0]["track-list"]]
    assert "In The Morning" in titles
    group = brainz.get_release_group_by_id(release["release-group"]["id"], includes=["releases", "tags"])
    assert group["release-group"]["title"] == release["title"]
    artist = brainz.get_artist_by_id(
        recording["artist-credit"][0]["artist"]["id"], includes=["url-rels", "tags", "aliases", "release-groups"]
    )["artist"]
    assert artist["name"] == "J. Cole"
    assert brainz.browse_recordings(artist=artist["id"])["recording-list"]
    assert brainz.search_artists("j. cole")["artist-list"][0]["id"] == artist["id"]
    isrc = whole["isrc-list"][0]
    assert brainz.get_recordings_by_isrc(isrc, includes=["artists", "isrcs"])["isrc"]["id"] == isrc


def test_musicbrainzngs_reads_cover_art(brainz: ModuleType) -> None:
    for release in brainz.search_releases("love", limit=20)["release-list"]:
        try:
            listing = brainz.get_image_list(release["id"])
        except brainz.ResponseError as error:
            error.cause.close()
            if error.cause.code == 404:
                continue
            raise
        assert listing["images"][0]["front"]
        picture = Image.open(io.BytesIO(brainz.get_image_front(release["id"], size=250)))
        assert picture.size == (250, 250)
        return
    pytest.fail("no release has a cover")


@pytest.mark.parametrize("client", ["an-app", "extended-app"])
def test_spotipy_searches_and_reads(url: str, client: str) -> None:
    class Credentials(SpotifyClientCredentials):
        OAUTH_TOKEN_URL = f"{url}/spotify/api/token"

    manager = Credentials(client, "secret", cache_handler=spotipy.MemoryCacheHandler())
    spotify = spotipy.Spotify(auth_manager=manager)
    spotify.prefix = f"{url}/v1/"
    track = spotify.search("track:In The Morning artist:J. Cole", limit=5)["tracks"]["items"][0]
    assert track["name"] == "In The Morning"
    assert spotify.search(f"isrc:{track['external_ids']['isrc']}")["tracks"]["items"][0]["id"] == track["id"]
    assert spotify.track(track["id"])["duration_ms"] == 234386
    assert spotify.artist(track["artists"][0]["id"])["name"] == "J. Cole"
    album = spotify.album(track["album"]["id"])
    assert spotify.album_tracks(album["id"])["total"] == album["tracks"]["total"]
    assert (
        spotify.search(f"upc:{album['external_ids']['upc']}", type="album")["albums"]["items"][0]["id"] == album["id"]
    )
    spotify._session.close()
    manager._session.close()
