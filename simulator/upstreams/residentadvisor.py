"""Resident Advisor's GraphQL endpoint: `artist` by id or slug, with the fields that the query names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar

from simulator import dice, names, places, shares
from simulator.truth import Performer
from simulator.upstreams.base import Upstream
from simulator.wire import Reply, Request, json_reply

Json = dict[str, Any]
_TOKEN = re.compile(r"\w+|[{}()]")
_ARTIST = re.compile(r"\bartist\s*\(\s*(?P<by>id|slug)\s*:\s*(?:\$(?P<variable>\w+)|\"?(?P<value>[^\")\s]+)\"?)\s*\)")
_OWN_CODES = {"GB": "UK", "TR": "TK", "BH": "BA", "NI": "NU"}
"""RA's codes of countries that are not those of ISO 3166-1."""
_DANCED = re.compile(r"house|techno|trance|electr|drum and bass|dub|jungle|idm|ambient|breakbeat|disco|minimal")


class ResidentAdvisor(Upstream):
    """Those who play in clubs."""

    source = "residentadvisor"
    roots: ClassVar[tuple[str, ...]] = ("/graphql",)
    seconds: ClassVar[float] = 0.4

    def prepare(self) -> tuple[object, ...]:
        """The performers by id and by slug."""
        return (self._known,)

    def answer(self, request: Request) -> Reply:
        """As the endpoint answers a query that is posted."""
        if request.path.strip("/") != "graphql" or request.method != "POST":
            return _page(404, "Page not found")
        asked = request.json()
        if not isinstance(asked, dict) or not isinstance(asked.get("query"), str):
            return _errors(400, "Must provide query string.")
        match = _ARTIST.search(asked["query"])
        if match is None:
            return _errors(400, 'Cannot query field on type "Query".')
        value = (asked.get("variables") or {}).get(match["variable"]) if match["variable"] else match["value"]
        performer = self._known.get(str(value))
        artist = self._show(performer, request.base) if performer else None
        wanted = _selection(iter(_TOKEN.findall(asked["query"][match.end() :])))
        try:
            return json_reply({"data": {"artist": _pick(artist, wanted)}}, content_type="application/json")
        except KeyError as unknown:
            return _errors(400, f'Cannot query field "{unknown.args[0]}" on type "Artist".')

    def refuse(self, _wait: int, _request: Request) -> Reply:
        """429 in JSON."""
        return _errors(429, "Too many requests")

    @cached_property
    def _known(self) -> dict[str, Performer]:
        found: dict[str, Performer] = {}
        for performer in self.part.shelf.performers:
            danced = any(_DANCED.search(genre) for genre in performer.genres)
            if shares.knows("residentadvisor", "electronic" if danced else "performer", performer.key):
                found.setdefault(_slug(performer), performer)
                found[_number(performer)] = performer
        return found

    def _show(self, performer: Performer, base: str) -> Json:
        slug, country = _slug(performer), performer.country
        picture = f"{base}/artwork/wiki/Special:FilePath/{slug}.jpg"
        has_picture = shares.knows("residentadvisor", "picture", performer.key)
        return {
            "id": _number(performer),
            "name": performer.name,
            "contentUrl": f"/dj/{slug}",
            "urlSafeName": slug,
            "image": f"{picture}?width=500" if has_picture else None,
            "coverImage": None,
            "followerCount": performer.followers // 20,
            "aliases": ", ".join(performer.aliases) or None,
            "country": {"name": places.NAMES[country], "urlCode": _OWN_CODES.get(country, country)}
            if country in places.NAMES
            else None,
            "biography": {"blurb": f"{performer.name} plays {performer.genres[0]}.", "content": None},
            **{site: self._link(performer, site, slug) for site in ("soundcloud", "instagram", "facebook", "website")},
            "twitter": "",
            "bandcamp": None,
            "discogs": f"https://www.discogs.com/artist/{performer.discogs_id}"
            if shares.knows("residentadvisor", "link", ("discogs", performer.key))
            else None,
        }

    def _link(self, performer: Performer, site: str, slug: str) -> str | None:
        if not shares.knows("residentadvisor", "link", (site, performer.key)):
            return None
        return f"http://www.{slug}.com" if site == "website" else f"https://www.{site}.com/{slug}"


def _number(performer: Performer) -> str:
    return str(1 + dice.number("ra", performer.key) % 200_000)


def _slug(performer: Performer) -> str:
    return "".join(c for c in names.squash(performer.name) if c.isascii()) or dice.hexadecimal(8, performer.key)


def _selection(tokens: Iterator[str]) -> Json:
    """The fields between the braces that come next, each with its own; a fragment's name counts as a field."""
    wanted: Json = {}
    last = ""
    for token in tokens:
        if token == "{" and last:
            wanted[last] = _selection(tokens)
        elif token == "}":
            break
        elif token != "{":
            wanted[last := token] = {}
    return wanted


def _pick(thing: Json | None, wanted: Json) -> Json | None:
    if thing is None:
        return None
    told: Json = {}
    for name, inside in wanted.items():
        value = "Artist" if name == "__typename" else thing[name]
        told[name] = _pick(value, inside) if inside and isinstance(value, dict) else value
    return told


def _errors(status: int, message: str) -> Reply:
    content = {"errors": [{"message": message, "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}]}
    return json_reply(content, status, content_type="application/json")


def _page(status: int, text: str) -> Reply:
    return Reply(status, f"<!DOCTYPE html><html><body>{text}</body></html>".encode(), {"content-type": "text/html"})
