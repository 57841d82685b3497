"""Discogs' API: releases and the masters above them, numbered names, text with markup; searches need a token."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from simulator import dice, names, shares
from simulator.limits import DISCOGS_ANONYMOUS, Limit
from simulator.truth import VARIOUS, Album, Performer, Track
from simulator.upstreams import metabrainz
from simulator.upstreams.base import Part, Upstream
from simulator.wire import Reply, Request

_ELECTRONIC_WORDS = (
    "acid ambient bass breakbeat breakcore breaks dance downtempo drum dub dubstep edm electro electronic electronica "
    "electropop garage hardcore hardstyle house idm jungle rave synth techno trance trip"
)
_ELECTRONIC = frozenset(_ELECTRONIC_WORDS.split())
_GENRES = (
    (("hip", "rap", "trap", "grime"), "Hip Hop"),
    (("rock", "metal", "punk", "grunge", "indie", "shoegaze", "emo"), "Rock"),
    (("soul", "funk", "disco", "r", "rnb"), "Funk / Soul"),
    (("folk", "country", "singer", "world"), "Folk, World, & Country"),
    (("jazz",), "Jazz"),
    (("reggae", "ska", "dancehall"), "Reggae"),
    (("classical", "orchestra", "baroque"), "Classical"),
    (("blues",), "Blues"),
    (("latin", "reggaeton", "salsa"), "Latin"),
)
_FORMATS = ("CD", "Vinyl", "File")
_NO_PICTURE = "https://st.discogs.com/f4eee9fc5fa7ad5f1e1d2c5b5ba9f2e0a7d1a1c9/images/spacer.gif"
_TOKEN = re.compile(r"(?:token|secret)=\"?(?P<token>[^\s,\"]+)")
_AUTHENTICATE = "You must authenticate to access this resource."
_OWN = ("page", "per_page", "token", "key", "secret")
INVALID = "invalid"
"""The token that is refused; every other opens."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Pressing:
    """One release of an album. master: the number of the master above it, 0 where it is alone."""

    number: int
    album: Album = field(repr=False)  # the whole world hangs on it
    master: int
    form: str
    year: int
    released: str

    @property
    def barcode(self) -> str:
        """What is printed on it; vinyl has none."""
        return "" if self.form == "Vinyl" else self.album.barcode


def _reply(content: Json, status: int = 200) -> Reply:
    # Python's json at its defaults: spaces, and everything outside ASCII escaped.
    return Reply(status, json.dumps(content).encode(), {"content-type": "application/json", "server": "cloudflare"})


class Discogs(Upstream):
    """Search, artists, releases and masters."""

    source = "discogs"
    roots: ClassVar[tuple[str, ...]] = ("/database/search", "/artists/", "/releases/", "/masters/")
    seconds: ClassVar[float] = 0.3
    names_wait: ClassVar[bool] = False

    def __init__(self, part: Part, *, speed: float = 1.0, unlimited: bool = False) -> None:
        super().__init__(part, speed=speed, unlimited=unlimited)
        self._anonymous = DISCOGS_ANONYMOUS.faster(speed)

    def prepare(self) -> tuple[object, ...]:
        """The numbers of everything."""
        return self._pressings, self._masters, self._artists, self.part.shelf.album_index

    def answer(self, request: Request) -> Reply:
        """As the real one answers this path."""
        token = _token(request)
        if token == INVALID:
            return _reply(
                {"message": "Invalid consumer token. Please register an app before making requests."}, status=401
            )
        if token or self.unlimited:
            return self._route(request, known=bool(token))
        if self._anonymous.take(request.now):
            reply = self.refuse(0, request)
            reply.verdict = "over_limit"
        else:
            reply = self._route(request, known=False)
        reply.headers |= _rate(self._anonymous, request.now)
        return reply

    def refuse(self, _wait: int, _request: Request) -> Reply:
        """Nothing about how long."""
        return _reply({"message": "You are making requests too quickly."}, 429)

    def stamps(self, reply: Reply, limit: Limit | None, now: float) -> dict[str, str]:
        """How much of the minute is left, on every reply."""
        return {} if limit is None or "x-discogs-ratelimit" in reply.headers else _rate(limit, now)

    def _route(self, request: Request, *, known: bool) -> Reply:
        first, second, more, *_ = [*(part for part in request.path.split("/") if part), "", "", ""]
        if (first, second) == ("database", "search"):
            return self._search(request) if known else _reply({"message": _AUTHENTICATE}, 401)
        routes: dict[str, tuple[str, Callable[[int, str, Request, bool], Reply | None]]] = {
            "artists": ("Artist", self._artist),
            "masters": ("Master Release", self._master),
            "releases": ("Release", self._release),
        }
        what, route = routes.get(first, ("The requested resource was", lambda *_: None))
        number = int(second) if second.isdecimal() else 0
        return route(number, more, request, known) or _reply({"message": f"{what} not found."}, 404)

    def _artist(self, number: int, more: str, request: Request, known: bool) -> Reply | None:
        performer = self._artists.get(number)
        if performer is None:
            return None
        if more == "releases":
            return self._page(request, "releases", list(self._discography(performer, request.base)))
        return _reply(self._show_artist(performer, request.base, known=known))

    def _master(self, number: int, more: str, request: Request, known: bool) -> Reply | None:
        pressings = self._masters.get(number)
        if pressings is None:
            return None
        if more == "versions":
            return self._page(request, "versions", [self._show_version(one, request.base) for one in pressings])
        return _reply(self._show_master(pressings, request.base, known=known))

    def _release(self, number: int, _more: str, request: Request, known: bool) -> Reply | None:
        pressing = self._pressings.get(number)
        return _reply(self._show_release(pressing, request.base, known=known)) if pressing else None

    # -- what it knows

    def _knows(self, album: Album) -> bool:
        return shares.knows("discogs", "electronic_album" if _electronic(album.artist) else "album", album.key)

    @cached_property
    def _by_album(self) -> dict[str, list[Pressing]]:
        """The pressings of each album that it knows, the first one first."""
        taken: set[tuple[str, int]] = set()

        def free(kind: str, most: int, *parts: object) -> int:
            number = 1000 + dice.number("discogs", kind, *parts) % most
            while (kind, number) in taken:
                number += 1
            taken.add((kind, number))
            return number

        found = {}
        for album in filter(self._knows, self.part.shelf.albums):
            count = 1 + dice.number("pressings", album.key) % 3
            above = count > 1 or dice.share("master", album.key) < 0.5
            master = free("master", 3_500_000, album.key) if above else 0
            found[album.key] = [
                Pressing(
                    free("release", 34_000_000, album.key, at),
                    album,
                    master,
                    dice.choose(_FORMATS, "format", album.key, at),
                    *_released(album, at),
                )
                for at in range(count)
            ]
        return found

    @cached_property
    def _pressings(self) -> dict[int, Pressing]:
        return {one.number: one for one in chain.from_iterable(self._by_album.values())}

    @cached_property
    def _masters(self) -> dict[int, list[Pressing]]:
        return {pressings[0].master: pressings for pressings in self._by_album.values() if pressings[0].master}

    @cached_property
    def _artists(self) -> dict[int, Performer]:
        found: dict[int, Performer] = {}
        for pressings in self._by_album.values():
            album = pressings[0].album
            for performer in (album.artist, *(one for track in album.tracks for one in track.recording.artists)):
                found.setdefault(performer.discogs_id, performer)
        return found

    # -- search

    def _search(self, request: Request) -> Reply:
        kind, base = request.arg("type"), request.base
        hits: list[Json] = []
        only_albums = any(request.arg(name) for name in ("release_title", "barcode", "artist"))
        if kind in ("", "artist") and not only_albums:
            hits += [self._artist_hit(one, base) for one in self._find_artists(request)]
        for pressings in self._find_albums(request) if kind in ("", "master", "release") else ():
            if kind != "release" and pressings[0].master:
                hits.append(self._hit(pressings[0], "master", base))
            if kind != "master":
                hits += [self._hit(one, "release", base) for one in pressings]
        return self._page(request, "results", hits)

    def _find_artists(self, request: Request) -> list[Performer]:
        shelf = self.part.shelf
        words = names.tokens(f"{request.arg('q')} {request.arg('title')}")
        found = shelf.performer_index.rank(
            words,
            ("artist",),
            40,
            allowed=lambda number: shelf.performers[number].discogs_id in self._artists,
            least=0.97,
            prefer=lambda number: shelf.performers[number].popularity / 100,
        )
        return [shelf.performers[number] for number, _ in found]

    def _find_albums(self, request: Request) -> list[list[Pressing]]:
        if code := re.sub(r"\D", "", request.arg("barcode")):
            return [[one] for one in self._pressings.values() if one.barcode == code]
        shelf = self.part.shelf
        artist, title = names.tokens(request.arg("artist")), names.tokens(request.arg("release_title"))
        words = [*artist, *title, *names.tokens(f"{request.arg('q')} {request.arg('title')}")]
        ranked = shelf.album_index.rank(
            words,
            ("album", "artist"),
            60,
            allowed=lambda number: shelf.albums[number].key in self._by_album,
            least=0.97,  # all the words have to be there
        )
        found = [shelf.albums[number] for number, _ in ranked]
        if len(found) > 1 and dice.share("order", "discogs", *words) < 0.06:
            found[0], found[1] = found[1], found[0]
        return [
            self._by_album[album.key]
            for album in found
            if set(artist) <= set(names.tokens(album.artist.name)) and set(title) <= set(names.tokens(album.title))
        ]

    def _page(self, request: Request, name: str, rows: list[Json]) -> Reply:
        size, page = request.number("per_page", 50, 1, 100), request.number("page", 1, 1, 10_000)
        pages = max(1, math.ceil(len(rows) / size))
        if page > pages:
            return _reply({"message": f"Page {page} is outside of valid range."}, 404)
        kept = {name: values[-1] for name, values in request.args.items() if name not in _OWN}

        def address(number: int) -> str:
            query = urlencode({**kept, "page": number, "per_page": size})
            return f"{request.base}/discogs{request.path}?{query}"

        after = {"last": address(pages), "next": address(page + 1)} if page < pages else {}
        before = {"first": address(1), "prev": address(page - 1)} if page > 1 else {}
        pagination = {"page": page, "pages": pages, "per_page": size, "items": len(rows), "urls": before | after}
        return _reply({"pagination": pagination, name: rows[(page - 1) * size : page * size]})

    def _artist_hit(self, performer: Performer, base: str) -> Json:
        return {
            "id": performer.discogs_id,
            "type": "artist",
            "user_data": {"in_wantlist": False, "in_collection": False},
            "master_id": None,
            "master_url": None,
            "uri": f"/artist/{performer.discogs_id}-{_slug(_name(performer))}",
            "title": _name(performer),
            **_thumbs(_portrait(performer, base)),
            "resource_url": f"{base}/discogs/artists/{performer.discogs_id}",
        }

    def _hit(self, pressing: Pressing, kind: str, base: str) -> Json:
        album = pressing.album
        number = pressing.master if kind == "master" else pressing.number
        star = "*" if dice.share("printed otherwise", pressing.number) < 0.05 else ""
        genre, styles = _genres(album.artist)
        year = {"year": str(pressing.year)} if pressing.year else {}
        return {
            "country": _country(pressing),
            **year,
            "format": [pressing.form, album.kind.title()],
            # Companies stand among the labels, numbers scratched into the vinyl among the barcodes.
            "label": [album.label, f"{album.label} Publishing"],
            "type": kind,
            "genre": [genre],
            "style": styles,
            "id": number,
            "barcode": [*([_printed(pressing.barcode)] if pressing.barcode else []), f"{_catno(pressing)}-A1"],
            "user_data": {"in_wantlist": False, "in_collection": False},
            "master_id": pressing.master,
            "master_url": f"{base}/discogs/masters/{pressing.master}" if pressing.master else None,
            "uri": f"/{kind}/{number}-{_slug(f'{_name(album.artist)} {album.title}')}",
            "catno": _catno(pressing),
            "title": f"{_name(album.artist)}{star} - {album.title}",
            **_thumbs(_cover(album, base)),
            "resource_url": f"{base}/discogs/{kind}s/{number}",
            "community": _community(album),
        }

    # -- the shapes

    def _show_artist(self, performer: Performer, base: str, *, known: bool) -> Json:
        number, name = performer.discogs_id, _name(performer)
        portrait = _portrait(performer, base)
        urls = [url for _, url in metabrainz.links(performer) if "discogs.com" not in url]
        label = performer.albums[0].label if performer.albums else ""
        shown: Json = {
            "name": name,
            "id": number,
            "resource_url": f"{base}/discogs/artists/{number}",
            "uri": f"https://www.discogs.com/artist/{number}-{_slug(name)}",
            "releases_url": f"{base}/discogs/artists/{number}/releases",
            "images": [_image("primary", portrait, 600, 480, known=known)] if portrait else [],
            "profile": f"[b]{performer.type}[/b] from {performer.area}"
            + (f", known for releases on [l={label}].\r\n" if label else "."),
            "urls": urls,
            "namevariations": list(performer.aliases),
            "data_quality": "Needs Vote",
        }
        return {key: value for key, value in shown.items() if value not in ([], "")}

    def _discography(self, performer: Performer, base: str) -> Iterator[Json]:
        for album in performer.albums:
            for pressings in filter(None, [self._by_album.get(album.key)]):
                first = pressings[0]
                kind, number = ("master", first.master) if first.master else ("release", first.number)
                yield {
                    "id": number,
                    "title": album.title,
                    "type": kind,
                    **({"main_release": first.number} if first.master else {"label": album.label}),
                    "artist": _name(performer),
                    "role": "Main",
                    "resource_url": f"{base}/discogs/{kind}s/{number}",
                    "year": first.year,
                    "thumb": _cover(album, base),
                    "stats": {"community": {"in_wantlist": 0, "in_collection": 0}},
                }

    def _show_version(self, pressing: Pressing, base: str) -> Json:
        return {
            "id": pressing.number,
            "label": pressing.album.label,
            "country": _country(pressing),
            "title": pressing.album.title,
            "major_formats": [pressing.form],
            "format": f"{pressing.form}, {pressing.album.kind.title()}",
            "catno": _catno(pressing),
            "released": pressing.released,
            "status": "Accepted",
            "resource_url": f"{base}/discogs/releases/{pressing.number}",
            "thumb": _cover(pressing.album, base),
        }

    def _show_master(self, pressings: Sequence[Pressing], base: str, *, known: bool) -> Json:
        first, last = pressings[0], pressings[-1]
        number, album = first.master, first.album
        return {
            "id": number,
            "main_release": first.number,
            "most_recent_release": last.number,
            "resource_url": f"{base}/discogs/masters/{number}",
            "uri": f"https://www.discogs.com/master/{number}-{_slug(f'{_name(album.artist)} {album.title}')}",
            "versions_url": f"{base}/discogs/masters/{number}/versions",
            "main_release_url": f"{base}/discogs/releases/{first.number}",
            "most_recent_release_url": f"{base}/discogs/releases/{last.number}",
            "num_for_sale": 12,
            "lowest_price": 4.5,
            **self._common(first, base, known=known),
            "year": first.year,
            "data_quality": "Correct",
        }

    def _show_release(self, pressing: Pressing, base: str, *, known: bool) -> Json:
        number, album = pressing.number, pressing.album
        name = _name(album.artist)
        above = {"master_id": pressing.master, "master_url": f"{base}/discogs/masters/{pressing.master}"}
        identifiers = [{"type": "Matrix / Runout", "value": f"{_catno(pressing)}-A1", "description": "Side A"}]
        if pressing.barcode:
            identifiers.insert(0, {"type": "Barcode", "value": _printed(pressing.barcode), "description": "Text"})
        entity = {"id": 1000 + dice.number("label", album.label) % 900_000, "entity_type": "1"}
        label = {"name": album.label, "catno": _catno(pressing), **entity, "entity_type_name": "Label"}
        date = {"released": pressing.released, "released_formatted": pressing.released} if pressing.released else {}
        return {
            "id": number,
            "status": "Accepted",
            "year": pressing.year,
            "resource_url": f"{base}/discogs/releases/{number}",
            "uri": f"https://www.discogs.com/release/{number}-{_slug(f'{name} {album.title}')}",
            "artists_sort": name,
            "labels": [{**label, "resource_url": f"{base}/discogs/labels/{entity['id']}"}],
            "series": [],
            "companies": [],
            "formats": [{"name": pressing.form, "qty": "1", "descriptions": [album.kind.title()]}],
            "data_quality": "Needs Vote",
            "community": {**_community(album), "rating": {"count": 3, "average": 4.33}, "status": "Accepted"},
            "format_quantity": 1,
            "date_added": "2004-04-30T08:10:05-07:00",
            "date_changed": "2024-09-02T07:40:01-07:00",
            "num_for_sale": 3,
            "lowest_price": 7.5,
            **(above if pressing.master else {}),
            **self._common(pressing, base, known=known),
            "country": _country(pressing),
            **date,
            "notes": "Made in [b]the simulator[/b].",
            "identifiers": identifiers,
            "extraartists": [],
            "thumb": _cover(album, base) if known else "",
            "estimated_weight": 85,
            "blocked_from_sale": False,
        }

    def _common(self, pressing: Pressing, base: str, *, known: bool) -> Json:
        album = pressing.album
        genre, styles = _genres(album.artist)
        return {
            "title": album.title,
            "artists": [_credit(album.artist, base)],
            "genres": [genre],
            "styles": styles,
            "images": [_image("primary", _cover(album, base), 600, 600, known=known)],
            "tracklist": list(_tracklist(pressing, base)),
            "videos": [],
        }


def _token(request: Request) -> str:
    """What the caller shows of itself, in the header or in the address; "" for nothing."""
    found = _TOKEN.search(request.headers.get("authorization", ""))
    return found["token"] if found else request.arg("token") or request.arg("secret")


def _rate(limit: Limit, now: float) -> dict[str, str]:
    calls, left, _ = limit.left(now)
    return {
        "x-discogs-ratelimit": str(calls),
        "x-discogs-ratelimit-used": str(calls - left),
        "x-discogs-ratelimit-remaining": str(left),
    }


def _electronic(performer: Performer) -> bool:
    return any(_ELECTRONIC & set(names.tokens(genre)) for genre in performer.genres)


def _genres(performer: Performer) -> tuple[str, list[str]]:
    """Its one broad genre, and the styles."""
    words = {word for genre in performer.genres for word in names.tokens(genre)}
    broad = next((name for marks, name in _GENRES if words & set(marks)), "Pop")
    return ("Electronic" if words & _ELECTRONIC else broad), [genre.title() for genre in performer.genres]


def _released(album: Album, at: int) -> tuple[int, str]:
    """Year and date of a pressing: of the first often exact, of later ones the year."""
    if not album.date[:4].isdigit():
        return 0, ""
    year = int(album.date[:4])
    if at:
        year = min(2025, year + 1 + dice.number("pressed", album.key, at) % 20)
        return year, str(year)
    chance = dice.share("released", album.key)
    if chance < 0.4 or len(album.date) < 7:
        return year, str(year)
    return year, f"{album.date[:7]}-00" if chance < 0.6 or len(album.date) < 10 else album.date


def _name(performer: Performer) -> str:
    """Those who share a name are numbered."""
    if performer.name == VARIOUS:
        return "Various"
    return f"{performer.name} (2)" if performer.key.endswith("#2") else performer.name


def _credit(performer: Performer, base: str, join: str = "") -> Json:
    number = performer.discogs_id
    address = f"{base}/discogs/artists/{number}"
    shown: Json = {"name": _name(performer), "anv": "", "join": join, "role": "", "tracks": ""}
    return shown | {"id": number, "resource_url": address}


def _tracklist(pressing: Pressing, base: str) -> Iterator[Json]:
    tracks = sorted(pressing.album.tracks, key=lambda track: (track.disc, track.position))
    discs = sorted({track.disc for track in tracks})
    timed = pressing.form != "Vinyl" or dice.share("timed", pressing.number) < 0.6
    half = (len(tracks) + 1) // 2
    for at, track in enumerate(tracks):
        if len(discs) > 1 and (not at or tracks[at - 1].disc != track.disc):
            yield {"position": "", "type_": "heading", "title": f"Disc {track.disc}", "duration": ""}
        if pressing.form == "Vinyl":
            position = f"A{at + 1}" if at < half else f"B{at - half + 1}"
        else:
            position = f"{track.disc}-{track.position}" if len(discs) > 1 else str(track.position)
        yield {
            "position": position,
            "type_": "track",
            **_by(track, base),
            "title": track.recording.title,
            "duration": _clock(track.duration_ms) if timed else "",
        }


def _by(track: Track, base: str) -> Json:
    """The artists of a track, where they are others than the album's."""
    if track.recording.artists == (track.album.artist,):
        return {}
    return {"artists": [_credit(artist, base, join.strip()) for artist, join in track.recording.credits]}


def _clock(milliseconds: int) -> str:
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}" if minutes >= 60 else f"{minutes}:{seconds:02d}"


def _country(pressing: Pressing) -> str:
    return dice.choose(("UK", "US", "Germany", "Europe", "Japan"), "country", pressing.number)


def _catno(pressing: Pressing) -> str:
    letters = "".join(c for c in pressing.album.label.upper() if c.isalpha())[:4]
    return f"{letters} {dice.number('catno', pressing.number) % 1000:03d}"


def _printed(barcode: str) -> str:
    """A barcode as it is printed, in groups."""
    return f"{barcode[0]} {barcode[1:-6]} {barcode[-6:]}"


def _community(album: Album) -> Json:
    return {"want": album.artist.followers // 900, "have": album.artist.followers // 300}


def _slug(text: str) -> str:
    return quote("-".join(names.tokens(text)))


def _cover(album: Album, base: str) -> str:
    return f"{base}/artwork/images/cover/{dice.hexadecimal(32, 'discogs cover', album.key)}/600x600-000000-80-0-0.jpg"


def _portrait(performer: Performer, base: str) -> str:
    if not shares.knows("discogs", "picture", performer.key):
        return ""
    name = dice.hexadecimal(32, "discogs artist", performer.key)
    return f"{base}/artwork/images/artist/{name}/600x480-000000-80-0-0.jpg"


def _thumbs(picture: str) -> Json:
    small = re.sub(r"\d+x\d+", "150x150", picture)
    return {"thumb": small, "cover_image": picture or _NO_PICTURE}


def _image(kind: str, picture: str, width: int, height: int, *, known: bool) -> Json:
    """Who shows no token gets no addresses."""
    small = _thumbs(picture)["thumb"]
    addresses = {"uri": picture, "resource_url": picture, "uri150": small}
    return {"type": kind, **(addresses if known else dict.fromkeys(addresses, "")), "width": width, "height": height}
