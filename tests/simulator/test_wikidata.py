"""The simulated query service: SPARQL over the items of performers, as the real one writes it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import httpx
import pytest

from simulator import shares
from simulator.limits import Doorman, Rolling
from simulator.sparql import SyntaxProblem, Term, read
from simulator.truth import Performer, World
from simulator.upstreams import Part, Shelf
from simulator.upstreams.wikidata import Wikidata
from simulator.wire import Request

PREFIXES = {"": "http://example.org/"}
KNOWS = [("anna", "knows", "bert"), ("bert", "knows", "carl"), ("anna", "name", "Anna"), ("carl", "name", "Carl")]


def term(name: str) -> Term:
    return Term("literal", name, "en") if name[0].isupper() else Term("uri", f"http://example.org/{name}")


def match(*wanted: Term | None) -> Any:
    for triple in KNOWS:
        terms = tuple(term(name) for name in triple)
        if all(given in (None, found) for given, found in zip(wanted, terms, strict=True)):
            yield terms


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT ?who { ?who :knows :carl }", ["bert"]),
        ("select ?who where { ?who :knows/:knows ?whom . }", ["anna"]),
        ('SELECT ?who { ?who :name "Anna"@en ; :knows ?other . }', ["anna"]),
        ('SELECT ?who { ?who :name "Anna" }', []),
        ('SELECT ?who { ?who :name ?name FILTER(LANG(?name) IN ("de", "en")) }', ["anna", "carl"]),
        ('SELECT ?who { FILTER(LANG(?name) = "de") ?who :name ?name }', []),
        ("SELECT ?who { ?who :knows ?x FILTER NOT EXISTS { ?who :name ?name } }", ["bert"]),
        ("SELECT ?who { { ?who :knows :carl } UNION { ?who :name ?n } }", ["bert", "anna", "carl"]),
        ("SELECT DISTINCT ?who { VALUES (?p ?o) { (:knows :bert) (:name UNDEF_) } ?who ?p ?o }", SyntaxProblem),
        ("SELECT ?who { VALUES ?who { :anna :carl } ?who :knows ?x }", ["anna"]),
        (
            "SELECT ?who { ?x :knows ?y OPTIONAL { ?x :name ?n } BIND(COALESCE(?n, :nobody) AS ?who) }",
            ["Anna", "nobody"],
        ),
        ("PREFIX e: <http://example.org/> SELECT ?who { ?who e:knows e:bert, e:bert } LIMIT 1 # why", ["anna"]),
        ("SELECT ?who { ?who :knows ", SyntaxProblem),
        ("SELECT ?who { ?who no:such ?x }", SyntaxProblem),
        ("DELETE ?who { }", SyntaxProblem),
    ],
)
def test_sparql(query: str, found: Any) -> None:
    if found is SyntaxProblem:
        with pytest.raises(SyntaxProblem):
            read(query, PREFIXES)
        return
    rows = read(query, PREFIXES).rows(match)
    assert [row["who"].value.rpartition("/")[2] for row in rows] == found


@pytest.fixture(name="known", scope="module")
def _known(world: World) -> list[Performer]:
    return [one for one in Shelf(world).performers if shares.knows("wikidata", "performer", one.key)]


def ask(http: httpx.Client, query: str, **headers: str) -> httpx.Response:
    sent = {"accept": "application/sparql-results+json", "content-type": "application/sparql-query", **headers}
    return http.post("/wikidata/sparql", content=query, headers=sent)


def rows(reply: httpx.Response) -> list[dict[str, Any]]:
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["results"]["bindings"]
    return found


def test_it_knows_its_share_of_performers(world: World, known: list[Performer]) -> None:
    assert 0.35 < len(known) / len(Shelf(world).performers) < 0.45


def test_performers_by_mbid(http: httpx.Client, known: list[Performer]) -> None:
    one, two = known[:2]
    query = f'SELECT ?item ?mbid {{ VALUES ?mbid {{ "{one.mbid}" "{two.mbid}" "no" }} ?item wdt:P434 ?mbid }}'
    found = rows(ask(http, query))
    assert found[0]["mbid"] == {"type": "literal", "value": one.mbid}
    assert found[0]["item"] == {"type": "uri", "value": f"http://www.wikidata.org/entity/{one.wikidata_id}"}
    assert {row["mbid"]["value"] for row in found} == {one.mbid, two.mbid}


def test_statements_lead_to_codes_and_names_in_languages(http: httpx.Client, known: list[Performer]) -> None:
    performer = next(one for one in known if len(rows(ask(http, _country(one)))) == 1)
    (row,) = rows(ask(http, _country(performer)))
    assert row["code"]["value"] == performer.country
    labels = rows(ask(http, f"SELECT ?name {{ wd:{performer.wikidata_id} rdfs:label ?name }}"))
    assert {"xml:lang": "de", "type": "literal", "value": performer.name} in [row["name"] for row in labels]
    genres = f'SELECT ?name {{ wd:{performer.wikidata_id} wdt:P136/rdfs:label ?name FILTER(LANG(?name) = "en") }}'
    said = {row["name"]["value"].removesuffix(" music") for row in rows(ask(http, genres))}
    assert said in (set(), set(performer.genres))


def _country(performer: Performer) -> str:
    statement = f"wd:{performer.wikidata_id} p:P495 ?s . ?s ps:P495 ?c ; a wikibase:BestRank . ?c wdt:P297 ?code"
    return f"SELECT ?code {{ {statement} }}"


def test_the_forms_of_question_and_answer(http: httpx.Client, known: list[Performer]) -> None:
    query = f'SELECT * {{ ?item wdt:P434 "{known[0].mbid}" }}'
    posted = http.post("/wikidata/sparql", data={"query": query}, headers={"accept": "application/json"})
    asked = http.get("/sparql", params={"query": query, "format": "json"})
    assert rows(posted) == rows(asked)
    assert posted.headers["content-type"].startswith("application/sparql-results+json")
    xml = http.get("/wikidata/sparql", params={"query": query})
    address = ET.fromstring(xml.content).find(".//{*}uri")  # noqa: S314 - the simulator's own
    assert address is not None
    assert address.text == rows(asked)[0]["item"]["value"]


def test_errors_are_text(http: httpx.Client) -> None:
    assert "MalformedQueryException" in ask(http, "SELECT ?x").text
    late = ask(http, "SELECT ?item { ?item wdt:P31 wd:Q5 }")
    assert (late.status_code, "java.util.concurrent.TimeoutException" in late.text) == (500, True)
    assert ask(http, "SELECT * { }", **{"user-agent": "python-requests/2.34"}).status_code == 403
    assert http.get("/wikidata/nowhere").status_code == 404


def test_a_refusal_names_its_wait(world: World) -> None:
    reply = Wikidata(Part("wikidata", Shelf(world))).refuse(53, Request("GET", "/sparql"))
    assert (reply.status, reply.headers["retry-after"]) == (429, "53")
    doorman = Doorman(Rolling(40, 60))
    assert [doorman.judge(second)[0] for second in range(42)].count("over_limit") == 1


def test_pictures_are_there_in_any_width(http: httpx.Client, known: list[Performer]) -> None:
    values = " ".join(f"wd:{one.wikidata_id}" for one in known)
    picture = rows(ask(http, f"SELECT ?file {{ VALUES ?item {{ {values} }} ?item wdt:P18 ?file }}"))[0]["file"]
    reply = http.get(f"{picture['value']}?width=250")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/jpeg")
