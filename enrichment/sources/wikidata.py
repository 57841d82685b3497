"""Wikidata's query service (query.wikidata.org): picture, country, genres and links of 200 performers in one query.

artist        by MusicBrainz' artist id (P434)        spotify   by Spotify's (P1902)
item          by the item's own id                    discogs   by Discogs' (P1953)

A performer's facts come one to a row, so that several genres and several links do not multiply. Only the best ranked
statements are asked for, and of countries only those that have not ended. Limit: 60 s of their time in each minute, by
User-Agent and IP; 429 names the wait, who ignores it is banned for a day. A query that runs out of its 60 s is HTTP 500
or, where it had begun to answer, 200 with the beginning of the answer and a Java exception. Facts: reference, upstreams
1.12; mediawiki.org, Wikidata Query Service/User Manual.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from enrichment.domain.matching import same_artist
from enrichment.domain.outcomes import Answer, Judgement, Verdict
from enrichment.domain.questions import Budget, Chances, Freshness, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.sources import links
from enrichment.sources.base import Ask, Line, Reply, Source, judge_http, retry_after
from enrichment.sources.countries import name_of
from enrichment.sources.reading import SAME_PERFORMER, Json, Told, fields_of, genres, is_mbid, many, one, text

BATCH = 200
PAUSE = 60.0
"""Seconds after a refusal that names no wait: their minute is over then."""
WIDTHS = (1280, 500, 250)
"""Pixels of the picture's sizes; originals have dozens of megabytes, and Commons scales to any width."""

_SURE = {
    "": 0.85,
    "aliases": 0.7,
    "country": 0.85,
    "genres": 0.6,
    "wikidata_id": 0.95,
}

_LINKS = {
    "P1728": "https://www.allmusic.com/artist/{}",
    "P1902": "https://open.spotify.com/artist/{}",
    "P1953": "https://www.discogs.com/artist/{}",
    "P2002": "https://x.com/{}",
    "P2003": "https://www.instagram.com/{}/",
    "P2013": "https://www.facebook.com/{}",
    "P2397": "https://www.youtube.com/channel/{}",
    "P2722": "https://www.deezer.com/artist/{}",
    "P2850": "https://music.apple.com/artist/{}",
    "P3040": "https://soundcloud.com/{}",
    "P3192": "https://www.last.fm/music/{}",
    "P3283": "https://{}.bandcamp.com/",
    "P3478": "https://www.songkick.com/artists/{}",
    "P7085": "https://www.tiktok.com/@{}",
    "P9509": "https://www.mixcloud.com/{}/",
    "P856": "{}",  # the official website; last, since it is now and then one of the above
}
"""Where a property's value leads."""
_COUNTRIES = ("P495", "P27", "P17")
"""Country of origin, of citizenship, and country: the first that leaves one country says it."""
_GIVES = fields_of(
    Kind.PERFORMER,
    *(
        "wikidata_id",
        "musicbrainz_id",
        "spotify_id",
        "deezer_id",
        "discogs_id",
        "name",
        "aliases",
        "image_url",
        "images",
    ),
    *("country", "country_code", "genres", "external_urls"),
)

_QUERY = """\
SELECT ?key ?item ?what ?value ?code WHERE {
  %(start)s
  {
    VALUES (?direct ?what) { %(direct)s }
    ?item ?direct ?value .
  } UNION {
    VALUES (?claim ?says ?what) { %(claims)s }
    ?item ?claim ?statement .
    ?statement a wikibase:BestRank ; ?says ?value .
    FILTER NOT EXISTS { ?statement pq:P582 ?end }
    OPTIONAL { ?value wdt:P297 ?own }
    OPTIONAL { ?value wdt:P17/wdt:P297 ?of }
    BIND(COALESCE(?own, ?of) AS ?code)
  } UNION {
    ?item wdt:P136/rdfs:label ?value .
    FILTER(LANG(?value) = "en")
    BIND("genre" AS ?what)
  } UNION {
    ?item rdfs:label ?value .
    FILTER(LANG(?value) IN ("en", "mul"))
    BIND("label" AS ?what)
  } UNION {
    ?item skos:altLabel ?value .
    FILTER(LANG(?value) IN ("en", "mul"))
    BIND("alias" AS ?what)
  } UNION {
    ?value schema:about ?item ; schema:isPartOf <https://en.wikipedia.org/> .
    BIND("article" AS ?what)
  }
}"""


@dataclass(frozen=True, slots=True)
class _Way:
    """How a question finds its items. key: what it needs; pattern: what such a key looks like; start: of the query."""

    key: str
    pattern: re.Pattern[str]
    start: str

    def keys(self, asks: Sequence[Ask]) -> list[str]:
        """The keys to ask for, without repeats and without what is none: the query is made of them."""
        return list(dict.fromkeys(key for key in map(self.key_of, asks) if key))

    def key_of(self, ask: Ask) -> str:
        """As Wikidata writes it; empty where it is none."""
        key = text(ask.keys[self.key])
        key = key.lower() if is_mbid(key) else key
        return key if self.pattern.fullmatch(key) else ""


def _by(property_id: str, key: str, pattern: str) -> _Way:
    start = f"VALUES ?key {{ %s }}\n  ?item wdt:{property_id} ?key ."
    return _Way(key, re.compile(pattern), start)


_WAYS = {
    "artist": _by("P434", "musicbrainz_id", r"[0-9a-f-]{36}"),
    "item": _Way("wikidata_id", re.compile("Q[0-9]+"), "VALUES ?item { %s }"),
    "spotify": _by("P1902", "spotify_id", "[0-9A-Za-z]{22}"),
    "discogs": _by("P1953", "discogs_id", "[0-9]+"),
}


class Client:
    """The query service."""

    def __init__(self, line: Line) -> None:
        self._url = f"{line.base_url}/sparql"
        self._http = line.httpx_client()
        self._http.headers.update(
            {"accept": "application/sparql-results+json", "content-type": "application/sparql-query"}
        )

    def rows(self, query: str) -> list[Json]:
        """The rows of the answer, each {variable: {type, value}}. Raises ValueError or KeyError for another shape."""
        return many(one(one(self._http.post(self._url, content=query.encode()).json())["results"])["bindings"])


class Wikidata(Source[Client]):
    """Performers by ids of many kinds."""

    name = "wikidata"
    url = "https://query.wikidata.org"
    budget = Budget((Limit(36, 60),), concurrency=1)
    terms = Terms(attribution="Data from Wikidata", url="https://www.wikidata.org", licence="CC0").but_for(
        "image_url",
        "images",
        attribution="Picture from Wikimedia Commons; its page names author and licence",
        url="https://commons.wikimedia.org",
        licence="each picture's own",
    )
    chances = Chances(reach=0.4, by_trait={"mainstream": 0.8}, yields={"genres": 0.7, "image_url": 0.7, "country": 0.8})
    freshness = Freshness(days=60)
    max_seconds = 60.0
    questions = (
        Question(
            name="artist", kind=Kind.PERFORMER, needs=("musicbrainz_id",), uses=("name",), gives=_GIVES, batch=BATCH
        ),
        Question(name="item", kind=Kind.PERFORMER, needs=("wikidata_id",), uses=("name",), gives=_GIVES, batch=BATCH),
        Question(
            name="spotify",
            kind=Kind.PERFORMER,
            needs=("spotify_id",),
            identifies="musicbrainz_id",
            uses=("name",),
            gives=_GIVES,
            batch=BATCH,
        ),
        Question(
            name="discogs",
            kind=Kind.PERFORMER,
            needs=("discogs_id",),
            identifies="musicbrainz_id",
            uses=("name",),
            gives=_GIVES,
            batch=BATCH,
        ),
    )

    def client(self, line: Line) -> Client:
        """The query service on the wire."""
        return Client(line)

    def ask(self, question: Question, asks: Sequence[Ask], client: Client) -> Sequence[Answer]:
        """One query, whatever the number of performers."""
        way = _WAYS[question.name]
        keys = way.keys(asks)
        items = _items(client.rows(_query(way, keys))) if keys else {}
        return [_answer(way, ask, items.get(way.key_of(ask), {})) for ask in asks]

    def judge(self, reply: Reply) -> Judgement:
        """A query that ran out of its time is an illness of theirs, also where its answer has begun."""
        if reply.status in (200, 500) and b"TimeoutException" in reply.body:
            return Judgement(Verdict.FAILING, message=f"HTTP {reply.status}: the query ran out of its time")
        verdict = judge_http(reply)
        if verdict.verdict is Verdict.OUR_RATE:
            wait = retry_after(reply)
            return Judgement(Verdict.OUR_RATE, PAUSE if wait is None else wait, verdict.message)
        return verdict


# --- asking --------------------------------------------------------------------------------------------------------


def _query(way: _Way, keys: Iterable[str]) -> str:
    form = "wd:{}" if way.key == "wikidata_id" else '"{}"'
    return _QUERY % {
        "start": way.start % " ".join(form.format(key) for key in keys),
        "direct": " ".join(f'(wdt:{name} "{name}")' for name in ("P18", "P434", *_LINKS)),
        "claims": " ".join(f'(p:{name} ps:{name} "{name}")' for name in _COUNTRIES),
    }


# --- reading -------------------------------------------------------------------------------------------------------

Facts = dict[str, list[Json]]
"""An item's rows, by what they say."""


def _items(rows: Sequence[Json]) -> dict[str, dict[str, Facts]]:
    """{key: {item: facts}}. Where the item's own id was asked for, that is the key."""
    found: dict[str, dict[str, Facts]] = {}
    for row in rows:
        item = _id(row.get("item"))
        key, what = _literal(row.get("key")) or item, _literal(row.get("what"))
        if item and what:
            found.setdefault(key, {}).setdefault(item, {}).setdefault(what, []).append(row)
    return found


def _literal(binding: Any) -> str:
    """A value's text. One that is known to be unknown is a blank node, or an address below .well-known/genid."""
    binding = one(binding)
    return text(binding.get("value")) if text(binding.get("type")).endswith("literal") else ""


def _address(binding: Any) -> str:
    binding = one(binding)
    url = text(binding.get("value")) if binding.get("type") == "uri" else ""
    return "" if "/.well-known/genid/" in url else url


def _id(binding: Any) -> str:
    """The id of an item, given by its address."""
    _, _, name = _address(binding).rpartition("/entity/")
    return name


def _answer(way: _Way, ask: Ask, items: Mapping[str, Facts]) -> Answer:
    if not items:
        return Answer.nothing()
    item = _the_one(ask, items)
    if not item:
        return Answer.nothing(f"{way.key} stands on several items: {', '.join(sorted(items))}")
    told = Told(Kind.PERFORMER, ask.keys, _SURE, reason=f"item {item} by {way.key}")
    if way.key == "musicbrainz_id":
        told.tell(musicbrainz_id=way.key_of(ask))
    _tell(told, item, items[item])
    return told.answer()


def _the_one(ask: Ask, items: Mapping[str, Facts]) -> str:
    """The item that is the performer, where one identifier stands on several: the only one of the performer's name."""
    if len(items) == 1:
        return next(iter(items))
    asked = text(ask.keys.get("name"))
    named = [item for item, facts in items.items() if asked and same_artist(asked, _label(facts)) >= SAME_PERFORMER]
    return named[0] if len(named) == 1 else ""


def _tell(told: Told, item: str, facts: Facts) -> None:
    code, name = _country(facts), _label(facts)
    ids = _values(facts, "P434")
    pictures = [file for file in map(_file, _values(facts, "P18")) if file]
    urls = {link: [_url(link, value) for value in _values(facts, link)] for link in _LINKS}
    urls |= {"item": [f"https://www.wikidata.org/wiki/{item}"], "article": _values(facts, "article")}
    # Of two ids of a kind it is not known which is the one.
    lone = [found[0] for found in urls.values() if len(found) == 1]
    told.tell(
        musicbrainz_id=ids[0] if len(ids) == 1 else None,
        name=name,
        aliases=[alias for alias in _values(facts, "alias") if alias != name],
        image_url=f"{pictures[0]}?width={WIDTHS[0]}" if pictures else None,
        images=[{"url": f"{file}?width={width}", "width": width} for file in pictures for width in WIDTHS],
        country=name_of(code),
        country_code=code,
        genres=genres(_values(facts, "genre")),
        external_urls=links.by_kind((url, "official homepage") for found in urls.values() for url in found),
        **links.ids_in(Kind.PERFORMER, lone),
    )


def _values(facts: Facts, what: str) -> list[str]:
    """The texts and addresses of these rows in a fixed order: theirs is another in every answer."""
    rows = [row.get("value") for row in facts.get(what, ())]
    return sorted({value for value in (_literal(row) or _address(row) for row in rows) if value})


def _label(facts: Facts) -> str:
    """The name in English, else that for all languages."""
    labels = [one(row.get("value")) for row in facts.get("label", ())]
    return next(
        (text(label.get("value")) for label in sorted(labels, key=lambda label: label.get("xml:lang") != "en")), ""
    )


def _country(facts: Facts) -> str:
    """The ISO code of the country that is sure; empty where there are several, or none that still exists."""
    for name in _COUNTRIES:
        codes = {code for row in facts.get(name, ()) if name_of(code := _literal(row.get("code")))}
        if len(codes) == 1:
            return codes.pop().upper()
    return ""


def _file(url: str) -> str:
    """The address at Commons that leads to a picture in any width."""
    is_file = "/Special:FilePath/" in url
    return url.replace("http://commons.wikimedia.org/", "https://commons.wikimedia.org/") if is_file else ""


def _url(name: str, value: str) -> str:
    return value if name == "P856" else _LINKS[name].format(quote(value, safe="/+%@:,'()!~"))
