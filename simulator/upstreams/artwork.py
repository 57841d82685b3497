"""The picture hosts behind the sources: the archive, the image servers of Deezer, Spotify, Apple and others."""

from __future__ import annotations

import re
from typing import ClassVar

from simulator import dice
from simulator.pictures import picture
from simulator.upstreams.base import Upstream
from simulator.wire import Reply, Request

_DEEZER = re.compile(
    r"/images/(?:cover|artist)/(?P<name>[0-9a-f]*)/(?P<width>\d+)x(?P<height>\d+)-[\d-]+\.(?P<form>jpg|png)"
)
_SPOTIFY = re.compile(r"/image/(?P<name>[0-9a-f]{40})")
_ARCHIVE = re.compile(
    r"/download/(?P<item>mbid-[0-9a-f-]{36})/mbid-[0-9a-f-]{36}-(?P<name>\d+)(?:_thumb(?P<size>\d+))?\.jpg"
)
_AUDIODB = re.compile(r"/images/media/(?P<what>\w+/\w+)/(?P<name>[0-9a-f]{16})\.jpg")
_APPLE = re.compile(r"/image/thumb/Music/v4/(?P<name>[0-9a-f]{32})/cover\.jpg/(?P<size>[1-9]\d*)x(?P=size)bb\.jpg")
_LASTFM = re.compile(r"/i/u/(?P<width>\d+)(?:s|x\d+)/(?P<name>[0-9a-f]{32})\.(?P<form>jpg|png)")
_COMMONS = re.compile(r"/wiki/Special:FilePath/(?P<name>[^/]+)\.jpg")
LARGEST = 2000
AUDIODB_SIZES = {
    "artist/thumb": (700, 700),
    "artist/widethumb": (1000, 562),
    "artist/fanart": (1280, 720),
    "album/thumb": (700, 700),
}

# What stands between the kind and the picture's own hash in Spotify's addresses says how large it is.
SPOTIFY_SIZES = {"0000b273": 640, "00001e02": 300, "00004851": 64, "0000e5eb": 640, "00005174": 320, "0000f178": 160}


class Artwork(Upstream):
    """Serves `/artwork/...`, where the other upstreams' picture addresses point."""

    source = "artwork"
    seconds: ClassVar[float] = 0.1

    def answer(self, request: Request) -> Reply:
        """A picture of the size in its address."""
        path = request.path
        if match := _DEEZER.fullmatch(path):
            width, height = int(match["width"]), int(match["height"])
            if not (0 < width <= LARGEST and 0 < height <= LARGEST):
                return Reply(403)
            return _image(match["name"] or "placeholder", width, height, "PNG" if match["form"] == "png" else "JPEG")
        if match := _SPOTIFY.fullmatch(path):
            size = SPOTIFY_SIZES.get(match["name"][8:16], 640)
            return _image(match["name"][16:], size, size)
        if match := _LASTFM.fullmatch(path):
            size = min(int(match["width"]), 300)
            return _image(match["name"], size, size, "PNG" if match["form"] == "png" else "JPEG")
        if match := _ARCHIVE.fullmatch(path):
            size = int(match["size"] or 1400 + dice.number(match["name"]) % 200)
            return _image(match["name"], size, size) if size <= LARGEST else Reply(404)
        return _of_a_few_sizes(path) or _any_size(path) or _of_commons(request) or _nowhere()

    def refuse(self, wait: int, _request: Request) -> Reply:
        """Plain HTTP."""
        return Reply(429, b"Too Many Requests", {"content-type": "text/plain", "retry-after": str(wait)})


def _of_a_few_sizes(path: str) -> Reply | None:
    match = _AUDIODB.fullmatch(path)
    return _image(match["name"], *AUDIODB_SIZES.get(match["what"], (700, 700))) if match else None


def _any_size(path: str) -> Reply | None:
    """What is asked for larger than it was delivered comes as it was delivered."""
    match = _APPLE.fullmatch(path)
    if match is None:
        return None
    size = min(int(match["size"]), 1400 + dice.number(match["name"]) % 600)
    return _image(match["name"], size, size)


def _of_commons(request: Request) -> Reply | None:
    """Commons scales to the width that is asked for."""
    match = _COMMONS.fullmatch(request.path)
    if match is None:
        return None
    width = request.number("width", LARGEST, 1, LARGEST)
    return _image(match["name"], width, width * 3 // 4)


def _nowhere() -> Reply:
    return Reply(404, b"<html><title>404 Not Found</title></html>", {"content-type": "text/html"})


def _image(name: str, width: int, height: int, form: str = "JPEG") -> Reply:
    kind = "image/png" if form == "PNG" else "image/jpeg"
    return Reply(200, picture(name, width, height, form), {"content-type": kind, "cache-control": "max-age=86400"})


def spotify_image(base: str, name: str, size: int) -> str:
    """The address of a picture of Spotify's, given that of its largest size."""
    albums = name[8:16] in ("0000b273",)
    marks = (
        {640: "0000b273", 300: "00001e02", 64: "00004851"}
        if albums
        else {640: "0000e5eb", 320: "00005174", 160: "0000f178"}
    )
    return f"{base}/artwork/image/{name[:8]}{marks[size]}{name[16:]}"
