"""The public client libraries at their defaults, only pointed at the simulator, search and read it."""

from __future__ import annotations

import io
from collections.abc import Iterator

import musicbrainzngs
import pytest
import spotipy
from musicbrainzngs import caa, musicbrainz
from PIL import Image
from spotipy.oauth2 import SpotifyClientCredentials


@pytest.fixture(params=["xml", "json"])
def brainz(request: pytest.FixtureRequest, url: str) -> Iterator[str]:
    """Musicbrainzngs in its default format and in JSON."""
    host, before = url.removeprefix("http://"), (musicbrainz.hostname, musicbrainz.https, caa.hostname, caa.https)
    musicbrainzngs.set_useragent("tests", "1", "tests@example.org")
    musicbrainzngs.set_rate_limit(False)
    musicbrainzngs.set_hostname(host)
    musicbrainzngs.set_caa_hostname(host)
    yield request.param
    musicbrainz.hostname, musicbrainz.https, caa.hostname, caa.https = before
    musicbrainzngs.set_rate_limit()


def test_musicbrainzngs_searches_and_reads(brainz: str) -> None:
    assert brainz
    found = musicbrainzngs.search_recordings(recording="In The Morning", artist="J. Cole", strict=True)
    recording = found["recording-list"][0]
    assert (recording["title"], recording["artist-credit-phrase"]) == ("In The Morning", "J. Cole & Drake")
    whole = musicbrainzngs.get_recording_by_id(
        recording["id"], includes=["artists", "releases", "isrcs", "tags", "url-rels"]
    )["recording"]
    assert int(whole["length"]) == 234386
    release = musicbrainzngs.get_release_by_id(
        whole["release-list"][0]["id"],
        includes=["recordings", "artist-credits", "isrcs", "labels", "release-groups", "media", "url-rels"],
    )["release"]
    titles = [track["recording"]["title"] for track in release["medium-list"][0]["track-list"]]
    assert "In The Morning" in titles
    group = musicbrainzngs.get_release_group_by_id(release["release-group"]["id"], includes=["releases", "tags"])
    assert group["release-group"]["title"] == release["title"]
    artist = musicbrainzngs.get_artist_by_id(
        recording["artist-credit"][0]["artist"]["id"], includes=["url-rels", "tags", "aliases", "release-groups"]
    )["artist"]
    assert artist["name"] == "J. Cole"
    assert musicbrainzngs.browse_recordings(artist=artist["id"])["recording-list"]
    assert musicbrainzngs.search_artists("j. cole")["artist-list"][0]["id"] == artist["id"]
    isrc = whole["isrc-list"][0]
    assert musicbrainzngs.get_recordings_by_isrc(isrc, includes=["artists", "isrcs"])["isrc"]["id"] == isrc


def test_musicbrainzngs_reads_cover_art(brainz: str) -> None:
    assert brainz
    for release in musicbrainzngs.search_releases("love", limit=20)["release-list"]:
        try:
            listing = musicbrainzngs.get_image_list(release["id"])
        except musicbrainzngs.ResponseError as error:
            error.cause.close()
            if error.cause.code == 404:
                continue
            raise
        assert listing["images"][0]["front"]
        picture = Image.open(io.BytesIO(musicbrainzngs.get_image_front(release["id"], size=250)))
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
