"""The Cover Art Archive: listings in JSON, pictures by a redirect to the archive behind it."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from simulator import dice, shares
from simulator.truth import Album
from simulator.upstreams.base import Upstream
from simulator.wire import Reply, Request, json_reply

_MBID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PICTURE = re.compile(r"(?P<name>front|back|\d+)(?:-(?P<size>250|500|1200))?(?:\.jpg)?")
SIZES = (250, 500, 1200)


def _page(status: int, title: str, text: str) -> Reply:
    body = f"<!doctype html>\n<html lang=en>\n<title>{status} {title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n"
    return Reply(status, body.encode(), {"content-type": "text/html; charset=utf-8"})


class CoverArtArchive(Upstream):
    """Covers of releases and release groups."""

    source = "coverartarchive"
    roots: ClassVar[tuple[str, ...]] = ("/release/", "/release-group/")
    seconds: ClassVar[float] = 0.3
    spread: ClassVar[float] = 0.5

    def prepare(self) -> tuple[object, ...]:
        """The indexes by MBID."""
        return self.world.album_by_mbid, self.world.album_by_group

    def answer(self, request: Request) -> Reply:
        """A listing, or the way to a picture."""
        kind, mbid, picture = ([part for part in request.path.split("/") if part] + ["", "", ""])[:3]
        if kind not in ("release", "release-group"):
            return _page(404, "Not Found", "The requested URL was not found on the server.")
        if not _MBID.fullmatch(mbid.lower()):
            return _page(400, "Bad Request", f"invalid MBID specified: {mbid}")
        albums = self.world.album_by_mbid if kind == "release" else self.world.album_by_group
        album = albums.get(mbid.lower())
        if album is None or not self.part.has_album(album) or not has_cover(album):
            return _page(404, "Not Found", f"No cover art found for {kind} {mbid}")
        return self._picture(album, picture, request.base) if picture else self._listing(album, request.base)

    def refuse(self, wait: int, _request: Request) -> Reply:
        """503, as its documentation reserves it."""
        reply = _page(503, "Service Unavailable", "The user has exceeded their rate limit")
        reply.headers["retry-after"] = str(wait)
        return reply

    def _listing(self, album: Album, base: str) -> Reply:
        address = f"{base}/coverartarchive/release/{album.mbid}"
        images = [self._image(album, address, number, front) for number, front in _pictures(album)]
        return json_reply(
            {"images": images, "release": f"https://musicbrainz.org/release/{album.mbid}"},
            content_type="application/json",
        )

    def _image(self, album: Album, address: str, number: int, front: bool) -> dict[str, Any]:
        thumbnails = {str(size): f"{address}/{number}-{size}.jpg" for size in SIZES}
        # Old entries have a string, new ones a number.
        shown = str(number) if dice.share("old cover", album.key) < 0.3 else number
        return {
            "approved": True,
            "back": not front,
            "comment": "",
            "edit": 10_000_000 + number % 90_000_000,
            "front": front,
            "id": shown,
            "image": f"{address}/{number}.jpg",
            "thumbnails": {**thumbnails, "large": thumbnails["500"], "small": thumbnails["250"]},
            "types": ["Front" if front else "Back"],
        }

    def _picture(self, album: Album, wanted: str, base: str) -> Reply:
        match = _PICTURE.fullmatch(wanted)
        if match is None:
            return _page(400, "Bad Request", f"{wanted} does not exist")
        numbers = {"front" if front else "back": number for number, front in _pictures(album)}
        number = numbers.get(match["name"]) or (int(match["name"]) if match["name"].isdecimal() else 0)
        if number not in numbers.values():
            return _page(404, "Not Found", "No such image")
        thumb = f"_thumb{match['size']}" if match["size"] else ""
        item = f"mbid-{album.mbid}"
        location = f"{base}/artwork/download/{item}/{item}-{number}{thumb}.jpg"
        return Reply(307, f"See: {location}\n".encode(), {"content-type": "text/plain", "location": location})


def has_cover(album: Album) -> bool:
    """Whether the archive has a picture of the release."""
    return shares.knows("coverartarchive", "release", album.key)


def _pictures(album: Album) -> list[tuple[int, bool]]:
    """The numbers of the release's pictures, each with whether it is the front."""
    back = dice.share("back cover", album.key) < 0.3
    return [(album.cover_id, True), *([(album.cover_id + 7, False)] if back else [])]
