"""Wikidata's query service: SPARQL about the items of performers, in JSON or XML.

What would have it read all of Wikidata runs out of time, as it does there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote
from xml.sax.saxutils import escape, quoteattr

from simulator import dice, names, places, shares
from simulator.sparql import Row, SyntaxProblem, Term, read
from simulator.truth import Performer
from simulator.upstreams.base import Upstream
from simulator.wire import Reply, Request, json_reply

_WD, _WDT, _SCHEMA = "http://www.wikidata.org/entity/", "http://www.wikidata.org/prop/direct/", "http://schema.org/"
_P, _PS, _PQ = (f"http://www.wikidata.org/prop/{part}" for part in ("", "statement/", "qualifier/"))
_RDFS, _SKOS = "http://www.w3.org/2000/01/rdf-schema#", "http://www.w3.org/2004/02/skos/core#"
_WIKIBASE = "http://wikiba.se/ontology#"
_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_ENWIKI = "https://en.wikipedia.org/"
PREFIXES = {
    "wd": _WD,
    "wdt": _WDT,
    "p": _P,
    "ps": _PS,
    "pq": _PQ,
    "rdfs": _RDFS,
    "skos": _SKOS,
    "schema": _SCHEMA,
    "wikibase": _WIKIBASE,
}
"""Those that need no declaration there."""

_IDS = {"P434": "mbid", "P1902": "spotify_id", "P1953": "discogs_id", "P2722": "deezer_id"}
_LINKS = {
    "P856": "https://www.{}.com/",
    "P2003": "{}",
    "P2013": "{}",
    "P2002": "{}",
    "P3040": "{}",
    "P3192": "{}",
    "P3283": "{}",
}
_MUSIC = frozenset({"classical", "country", "electronic", "folk", "pop", "reggae", "rock", "soul"})
"""Genres whose items are called so and so "music"."""
_ENGLAND = "Q21"
_COUNTRY, _GENRE = "Q999000", "Q998000"
"""What the ids of countries and genres begin with; the rest is the code or name as a number."""
_ANONYMOUS = ("python-requests", "python-urllib", "python-httpx", "curl/", "java/", "go-http-client")

Triple = tuple[Term, Term, Term]
Facts = dict[str, list[Term]]


class _TimeOut(Exception):  # noqa: N818 - named as what the service answers
    pass


class Wikidata(Upstream):
    """Items of performers, with their countries and genres."""

    source = "wikidata"
    roots: ClassVar[tuple[str, ...]] = ("/sparql",)
    seconds: ClassVar[float] = 1.2
    spread: ClassVar[float] = 0.6

    def prepare(self) -> tuple[object, ...]:
        """The items by their ids and by identifiers."""
        return self._items, self._by_identifier

    def answer(self, request: Request) -> Reply:
        """As the query service answers a GET, a form, or a query in the body."""
        agent = request.headers.get("user-agent", "").lower()
        if not agent or agent.startswith(_ANONYMOUS):
            return _text(
                403, "Please set a user-agent and respect our robot policy https://w.wiki/4wJS. See also T400119."
            )
        if request.path.strip("/") != "sparql" or request.method not in ("GET", "POST"):
            return _text(404, "<html><title>404 Not Found</title></html>", "text/html")
        text = _query_of(request)
        graph = _Graph(self, request.base)
        try:
            rows = read(text, PREFIXES).rows(graph.match)
        except SyntaxProblem as problem:
            reason = f"org.openrdf.query.MalformedQueryException: {problem}"
            return _text(400, f"SPARQL-QUERY: queryStr={text}\njava.util.concurrent.ExecutionException: {reason}")
        except _TimeOut:
            return _text(500, f"SPARQL-QUERY: queryStr={text}\njava.util.concurrent.TimeoutException\n\tat java.base/")
        variables = list(dict.fromkeys(name for row in rows for name in row))
        wants_json = "json" in request.headers.get("accept", "") or request.arg("format") == "json"
        return _in_json(variables, rows) if wants_json else _in_xml(variables, rows)

    def refuse(self, wait: int, _request: Request) -> Reply:
        """429 with the seconds to wait."""
        reply = _text(429, f"Too Many Requests - Please retry in {wait} seconds.")
        reply.headers["retry-after"] = str(wait)
        return reply

    # -- the items

    @cached_property
    def _items(self) -> dict[str, Performer]:
        known = (one for one in self.part.shelf.performers if shares.knows("wikidata", "performer", one.key))
        items = {performer.wikidata_id: performer for performer in known}
        # A few were entered twice; both items have the same identifiers.
        twice = [one for one in items.values() if dice.share("wikidata twice", one.key) < 0.005]
        return items | {f"{one.wikidata_id}0": one for one in twice}

    @cached_property
    def _by_identifier(self) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {}
        for item, performer in self._items.items():
            for name, value in self.identifiers(performer):
                found.setdefault((name, value), []).append(item)
        return found

    def identifiers(self, performer: Performer) -> Iterator[tuple[str, str]]:
        """Of which property, and its value: an MBID of those whom MusicBrainz has."""
        for name, field in _IDS.items():
            if name == "P434":
                known = self.part.shelf.has_mbid(performer)
            else:
                known = shares.knows("wikidata", field.removesuffix("_id"), performer.key)
            if known:
                yield name, str(getattr(performer, field))
        if dice.share("two spotify ids", performer.key) < 0.03:
            yield "P1902", dice.spotify_id("second", performer.key)

    def performer(self, item: str) -> Performer | None:
        """Whom the item is about."""
        return self._items.get(item)

    def items(self, name: str, value: str) -> list[str]:
        """The items with this identifier."""
        return self._by_identifier.get((name, value), [])


class _Graph:
    """The triples that one query meets."""

    def __init__(self, upstream: Wikidata, base: str) -> None:
        self._upstream = upstream
        self._base = base
        self._known: dict[str, Facts] = {}

    def match(self, subject: Term | None, predicate: Term | None, target: Term | None) -> Iterator[Triple]:
        """The triples that fit."""
        for about in [subject.value] if subject else self._subjects(predicate, target):
            for name, terms in self._facts(about).items():
                if predicate is None or predicate.value == name:
                    for term in terms:
                        if target is None or target == term:
                            yield subject or Term("uri", about), predicate or Term("uri", name), term

    def _subjects(self, predicate: Term | None, target: Term | None) -> Iterable[str]:
        if predicate is None or target is None:
            raise _TimeOut
        if predicate.value == f"{_SCHEMA}about":
            performer = self._upstream.performer(target.value.removeprefix(_WD))
            return [_article(performer)] if performer else []
        name = predicate.value.removeprefix(_WDT)
        if name not in _IDS or target.type != "literal":
            raise _TimeOut
        return [_WD + item for item in self._upstream.items(name, target.value)]

    def _facts(self, about: str) -> Facts:
        if about not in self._known:
            self._known[about] = {}
            self._learn(about)
        return self._known[about]

    def _learn(self, about: str) -> None:
        item = about.removeprefix(_WD)
        if performer := self._upstream.performer(item):
            identifiers = self._upstream.identifiers(performer)
            self._known |= _item_facts(item, performer, identifiers, self._base)
        elif item == _ENGLAND:
            self._known[about] = {f"{_WDT}P17": [_country("GB")]}
        elif item.startswith(_COUNTRY):
            code = _text_in(item.removeprefix(_COUNTRY))
            self._known[about] = {f"{_WDT}P297": [_literal(code)], f"{_WDT}P17": [_country(code)]}
        elif item.startswith(_GENRE):
            self._known[about] = {f"{_RDFS}label": _genre_labels(_text_in(item.removeprefix(_GENRE)))}


# --- what items state ----------------------------------------------------------------------------------------------


def _literal(value: object, language: str = "") -> Term:
    return Term("literal", str(value), language)


def _country(code: str) -> Term:
    return Term("uri", f"{_WD}{_COUNTRY}{_number_of(code)}")


def _item_facts(item: str, performer: Performer, identifiers: Iterable[tuple[str, str]], base: str) -> dict[str, Facts]:
    """The triples of a performer's item, of its statements and of its article."""
    about = _WD + item
    facts: Facts = {}
    for name, value in identifiers:
        facts.setdefault(_WDT + name, []).append(_literal(value))
    for name, value in _links(performer):
        facts[_WDT + name] = [Term("uri" if name == "P856" else "literal", value)]
    if shares.knows("wikidata", "picture", performer.key):
        file = quote(f"{performer.name.replace('/', '-')} {dice.number('taken', performer.key) % 40 + 1984}.jpg")
        facts[f"{_WDT}P18"] = [Term("uri", f"{base}/artwork/wiki/Special:FilePath/{file}")]
    if shares.knows("wikidata", "genre", performer.key):
        facts[f"{_WDT}P136"] = [_genre(genre) for genre in performer.genres]
    # Names that are written alike in every language stand under "mul" since 2025.
    language = "mul" if dice.share("mul", performer.key) < 0.2 else "en"
    facts[f"{_RDFS}label"] = [_literal(performer.name, language), _literal(performer.name, "de")]
    facts[f"{_SKOS}altLabel"] = [_literal(alias, "en") for alias in performer.aliases]
    article: Facts = {f"{_SCHEMA}about": [Term("uri", about)], f"{_SCHEMA}isPartOf": [Term("uri", _ENWIKI)]}
    found = {about: facts}
    if dice.share("enwiki", performer.key) < 0.6:
        found[_article(performer)] = article
    return found | _countries(item, performer, facts)


def _links(performer: Performer) -> Iterator[tuple[str, str]]:
    slug = "".join(c for c in names.squash(performer.name) if c.isascii()) or dice.hexadecimal(8, performer.key)
    for name, form in _LINKS.items():
        if shares.knows("wikidata", "link", (name, performer.key)):
            yield name, form.format(slug)


def _article(performer: Performer) -> str:
    return f"{_ENWIKI}wiki/{quote(performer.name.replace(' ', '_'))}"


def _countries(item: str, performer: Performer, facts: Facts) -> dict[str, Facts]:
    """The statements of where the performer is from, put into `facts` too."""
    if not performer.country or not shares.knows("wikidata", "country", performer.key):
        return {}
    name = "P27" if performer.type == "Person" else "P495"
    home = _country(performer.country)
    if performer.country == "GB" and dice.share("england", performer.key) < 0.2:
        home = Term("uri", _WD + _ENGLAND)
    chance = dice.share("countries", performer.key)
    said: list[tuple[Term, Facts]] = [(home, {})]
    if chance < 0.08:
        said.append((_country(dice.choose(places.WEIGHTED, "second country", performer.key)), {}))
    elif chance < 0.14:
        ended = {f"{_PQ}P582": [_literal("1991-12-26T00:00:00Z")]}
        said.append((_country(dice.choose(places.WEIGHTED, "old country", performer.key)), ended))
    elif chance < 0.16:
        unknown = "http://www.wikidata.org/.well-known/genid/" + dice.hexadecimal(32, "unknown", performer.key)
        said = [(Term("uri", unknown), {})]
    found: dict[str, Facts] = {}
    for number, (country, more) in enumerate(said):
        statement = f"http://www.wikidata.org/entity/statement/{item}-{dice.mbid('statement', number, performer.key)}"
        facts.setdefault(_P + name, []).append(Term("uri", statement))
        facts.setdefault(_WDT + name, []).append(country)
        found[statement] = {_PS + name: [country], _TYPE: [Term("uri", f"{_WIKIBASE}BestRank")], **more}
    return found


def _genre(name: str) -> Term:
    return Term("uri", f"{_WD}{_GENRE}{_number_of(name)}")


def _number_of(text: str) -> int:
    return int.from_bytes(text.encode(), "big")


def _text_in(number: str) -> str:
    value = int(number) if number.isdecimal() else 0
    return value.to_bytes((value.bit_length() + 7) // 8, "big").decode(errors="replace")


def _genre_labels(name: str) -> list[Term]:
    called = f"{name} music" if name in _MUSIC else name
    return [_literal(called, "en"), _literal(called.title(), "de")]


# --- the wire ------------------------------------------------------------------------------------------------------


def _query_of(request: Request) -> str:
    if request.method == "GET" or "query" in request.args:
        return request.arg("query")
    text = request.body.decode("utf-8", "replace")
    if "form" in request.headers.get("content-type", ""):
        return parse_qs(text).get("query", [""])[-1]
    return text


def _text(status: int, text: str, kind: str = "text/plain") -> Reply:
    return Reply(status, text.encode(), {"content-type": f"{kind};charset=utf-8"})


def _in_json(variables: list[str], rows: list[Row]) -> Reply:
    def show(term: Term) -> dict[str, Any]:
        language = {"xml:lang": term.language} if term.language else {}
        return {**language, "type": term.type, "value": term.value}

    bindings = [{name: show(term) for name, term in row.items()} for row in rows]
    content = {"head": {"vars": variables}, "results": {"bindings": bindings}}
    return json_reply(content, content_type="application/sparql-results+json;charset=utf-8", items=max(1, len(rows)))


def _in_xml(variables: list[str], rows: list[Row]) -> Reply:
    def show(name: str, term: Term) -> str:
        language = f" xml:lang={quoteattr(term.language)}" if term.language else ""
        return f"<binding name='{name}'><{term.type}{language}>{escape(term.value)}</{term.type}></binding>"

    head = "".join(f"<variable name='{name}'/>" for name in variables)
    body = "".join(f"<result>{''.join(show(name, term) for name, term in row.items())}</result>" for row in rows)
    text = (
        "<?xml version='1.0' encoding='UTF-8'?>\n<sparql xmlns='http://www.w3.org/2005/sparql-results#'>"
        f"<head>{head}</head><results>{body}</results></sparql>"
    )
    return Reply(200, text.encode(), {"content-type": "application/sparql-results+xml;charset=utf-8"})
