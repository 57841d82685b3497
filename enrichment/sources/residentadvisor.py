"""Resident Advisor (ra.co): what comes with its events about their performers, without any call.

`performers` finds the performers in an event, `findings` reads one of them. Both take what scrapers hand over: objects
of RA's GraphQL (`artists: [{id, name, contentUrl, image, country …}]`), the same under other names, or two lists of
names and addresses. Nobody published terms for its GraphQL endpoint, so it is asked only where an operator sets
LINERNOTES_RESIDENTADVISOR_MODE=graphql.

A country's `urlCode` is RA's own: UK, but also BA for Bahrain and NU for Nicaragua. Only its name tells which it is.
Facts: reference, upstreams 1.13; ../shared/data/catalogue/ra_areas.json.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from enrichment.domain.findings import Finding
from enrichment.domain.outcomes import Answer, Judgement, Verdict
from enrichment.domain.questions import Budget, Freshness, Keys, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.sources import links
from enrichment.sources.base import Ask, Line, Reply, Source, judge_http
from enrichment.sources.countries import code_of, name_of
from enrichment.sources.reading import Api, Json, Told, fields_of, many, one, text, texts, whole

_SURE = {
    "": 0.85,
    "biography": 0.7,
    "country": 0.8,
    "followers": 0.5,  # of one site for dancers
    "ra_artist_id": 1.0,
    "ra_artist_url": 1.0,
}

_LINKS = ("website", "soundcloud", "instagram", "facebook", "twitter", "bandcamp", "discogs", "spotify")
_IMAGES = ("image", "imageUrl", "image_url", "profileImage", "coverImage", "coverImageUrl", "cover_image_url")
_GIVES = fields_of(
    Kind.PERFORMER,
    *("ra_artist_id", "ra_artist_url", "name", "image_url", "images", "country", "country_code", "external_urls"),
    *("aliases", "biography", "followers", "discogs_id", "spotify_id"),
)
_FIELDS = """id name contentUrl image coverImage followerCount aliases country { name urlCode }
    biography { blurb content } website soundcloud instagram facebook twitter bandcamp discogs"""
_PROFILE = re.compile(r"(?:^|/)dj/([^/?#\s]+)")


# --- what comes with events ----------------------------------------------------------------------------------------


def performers(event: Mapping[str, Any]) -> list[Json]:
    """The performers in an event, for `findings`. Raises TypeError where its line-up has a shape we do not know."""
    listed = event.get("artists")
    if not isinstance(listed, list) or not all(isinstance(artist, str) for artist in listed):
        return many(listed)
    urls = event.get("artist_urls")
    if not isinstance(urls, list) or len(urls) != len(listed):
        urls = [""] * len(listed)
    return [{"name": name, "contentUrl": url} for name, url in zip(listed, urls, strict=True)]


def findings(artist: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What a performer in an event says about itself. Raises TypeError for a shape we do not know."""
    told = Told(Kind.PERFORMER, {}, _SURE, reason="as Resident Advisor names it with an event")
    _tell(told, artist)
    return told.answer().findings


def _tell(told: Told, artist: Mapping[str, Any]) -> None:
    images = list(dict.fromkeys(url for name in _IMAGES if (url := text(artist.get(name))).startswith("http")))
    urls = [_link(name, text(artist.get(name))) for name in _LINKS]
    profile = _profile(artist)
    code = _country(artist)
    told.tell(
        ra_artist_id=text(artist.get("ra_artist_id")) or text(artist.get("id")),
        ra_artist_url=profile,
        name=artist.get("name"),
        image_url=images[0] if images else None,
        images=[{"url": url} for url in images],
        country=name_of(code),
        country_code=code,
        followers=whole(artist.get("followerCount")) or None,
        aliases=_aliases(artist.get("aliases")),
        biography=_biography(artist.get("biography")),
        external_urls=links.by_kind((url, "official homepage") for url in (profile, *urls) if url),
        **links.ids_in(Kind.PERFORMER, urls),
    )


def _profile(artist: Mapping[str, Any]) -> str:
    """The address of the performer's page: given whole, by its path, or by its last part."""
    for name in ("contentUrl", "ra_artist_url", "url"):
        if match := _PROFILE.search(text(artist.get(name))):
            return f"https://ra.co/dj/{match[1]}"
    slug = text(artist.get("slug")) or text(artist.get("urlSafeName"))
    return f"https://ra.co/dj/{slug}" if slug else ""


def _country(artist: Mapping[str, Any]) -> str:
    """The ISO code, by the country's name; a code that was handed in is trusted where there is no name."""
    country = artist.get("country")
    name = text(country.get("name")) if isinstance(country, dict) else text(country) or text(artist.get("countryName"))
    if name:
        return code_of(name)
    code = text(artist.get("country_code")) or text(artist.get("countryCode"))
    return code.upper() if name_of(code) else code_of(code)


def _link(name: str, given: str) -> str:
    """A link's address. Some performers gave only their name there."""
    if given.startswith(("http://", "https://")):
        return given
    if re.match(r"(www\.)?[\w.-]+\.[a-z]{2,}(/|$)", given, re.IGNORECASE):
        return f"https://{given}"
    handle = given.lstrip("@")
    known = name in ("soundcloud", "instagram", "facebook", "twitter") and re.fullmatch(r"[\w.-]+", handle)
    return f"https://{name}.com/{handle}" if known else ""


def _aliases(value: Any) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else texts(value)


def _biography(value: Any) -> str:
    if isinstance(value, dict):
        return text(value.get("content")) or text(value.get("blurb"))
    return text(value)


# --- what may be asked ---------------------------------------------------------------------------------------------


class ResidentAdvisor(Source[Api]):
    """Performers by RA's id or by their page; asks nothing unless the operator turns it on."""

    name = "residentadvisor"
    url = "https://ra.co"
    budget = Budget((Limit(1, 5),), concurrency=1)
    terms = Terms(
        attribution="Data from Resident Advisor",
        url="https://ra.co",
        licence="no terms for its use by programs are published",
        commercial=False,
    )
    freshness = Freshness(days=60)

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        """Options: mode, "graphql" to have the endpoint asked."""
        super().__init__(options)
        asked = self.options.get("mode", "").lower() == "graphql"
        self.questions = (
            (
                Question(name="artist", kind=Kind.PERFORMER, needs=("ra_artist_id",), gives=_GIVES),
                Question(name="page", kind=Kind.PERFORMER, needs=("ra_artist_url",), gives=_GIVES),
            )
            if asked
            else ()
        )

    def ids(self, _kind: Kind, given: str) -> Sequence[Mapping[str, str]]:
        """A number, or the last part of an artist's address."""
        return ({"ra_artist_id": given},)

    def client(self, line: Line) -> Api:
        """The endpoint on the wire."""
        return Api(line, {"referer": f"{self.url}/", "origin": self.url})

    def ask(self, question: Question, asks: Sequence[Ask], client: Api) -> Sequence[Answer]:
        """One performer."""
        keys = asks[0].keys
        asked = _by_id(keys) if question.name == "artist" else _by_page(keys)
        if asked is None:
            return [Answer.nothing("no page of a performer")]
        reply = client.post("graphql", asked)
        if reply is None:
            return [Answer.nothing()]
        artist = one(_data(one(reply))["artist"])
        told = Told(Kind.PERFORMER, keys, _SURE, reason=f"Resident Advisor's artist {text(artist.get('id'))}")
        _tell(told, artist)
        return [told.answer()]

    def judge(self, reply: Reply) -> Judgement:
        """A page in the place of JSON comes from those who guard it against programs."""
        if b"<html" in reply.body[:2000].lower() and reply.status < 500 and reply.status != 429:
            return Judgement(Verdict.REFUSED, message=f"HTTP {reply.status}: a page in the place of an answer")
        return judge_http(reply)


def _by_id(keys: Keys) -> Json:
    query = f"query GET_ARTIST($id: ID!) {{ artist(id: $id) {{ {_FIELDS} }} }}"
    return {"operationName": "GET_ARTIST", "variables": {"id": text(keys["ra_artist_id"])}, "query": query}


def _by_page(keys: Keys) -> Json | None:
    match = _PROFILE.search(text(keys["ra_artist_url"]))
    if match is None:
        return None
    query = f"query GET_ARTIST($slug: String!) {{ artist(slug: $slug) {{ {_FIELDS} }} }}"
    return {"operationName": "GET_ARTIST", "variables": {"slug": match[1]}, "query": query}


def _data(reply: Json) -> Json:
    """The data of a GraphQL answer. Raises ValueError for errors, with what they say."""
    if errors := many(reply.get("errors")):
        raise ValueError("; ".join(text(error.get("message")) for error in errors))
    return one(reply["data"])
