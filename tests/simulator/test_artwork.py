"""Pictures: where the addresses in the replies lead."""

from __future__ import annotations

import io

import httpx
import pytest
from PIL import Image

from simulator import pictures
from simulator.truth import World
from simulator.upstreams.coverartarchive import has_cover


def picture(reply: httpx.Response) -> Image.Image:
    assert reply.status_code == 200, reply.url
    assert reply.headers["content-type"] == "image/jpeg"
    image = Image.open(io.BytesIO(reply.content))
    image.load()
    return image


@pytest.mark.parametrize(("wanted", "size"), [("front-250", 250), ("front-500", 500), ("front-1200", 1200)])
def test_covers_are_behind_a_redirect(http: httpx.Client, world: World, wanted: str, size: int) -> None:
    album = next(a for a in world.albums.values() if has_cover(a) and http.get(f"/release/{a.mbid}").status_code == 200)
    first = http.get(f"/coverartarchive/release/{album.mbid}/{wanted}")
    assert first.status_code == 307
    assert first.headers["location"].startswith(str(http.base_url).rstrip("/") + "/artwork/download/mbid-")
    assert picture(http.get(first.headers["location"])).size == (size, size)
    by_number = http.get(f"/coverartarchive/release/{album.mbid}/{album.cover_id}-{size}.jpg", follow_redirects=True)
    assert picture(by_number).size == (size, size)
    by_group = http.get(f"/coverartarchive/release-group/{album.group_mbid}/{wanted}", follow_redirects=True)
    assert picture(by_group).size == (size, size)


def test_addresses_in_deezers_replies_lead_to_pictures(http: httpx.Client) -> None:
    artists = http.get("/deezer/search/artist", params={"q": "love"}).json()["data"]
    album = http.get("/deezer/search/album", params={"q": "love"}).json()["data"][0]
    for name, size in (("small", 56), ("medium", 250), ("big", 500), ("xl", 1000)):
        assert picture(http.get(album[f"cover_{name}"])).size == (size, size)
        assert picture(http.get(artists[0][f"picture_{name}"])).size == (size, size)
    assert picture(http.get(album["cover"], follow_redirects=True)).size == (250, 250)


def test_the_same_name_gives_the_same_picture_and_another_name_another() -> None:
    assert pictures.picture("a", 64, 64) == pictures.picture("a", 64, 64)
    assert len({pictures.picture(f"name {n}", 64, 64) for n in range(200)}) == 200
    image = Image.open(io.BytesIO(pictures.picture("a", 30, 20, "PNG")))
    assert (image.format, image.size) == ("PNG", (30, 20))
