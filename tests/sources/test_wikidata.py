from __future__ import annotations

from typing import Any

import pytest

from enrichment.domain.outcomes import Outcome, Verdict
from enrichment.sources.base import Ask, Reply
from enrichment.sources.wikidata import Wikidata

SOURCE = Wikidata()
MBID = "8f6bd1e4-fbe1-4f50-aa9b-94c450ec0f11"
OTHER = "10adbe5e-a2c0-4bf3-8249-2b4cbf6e6ca8"


def literal(value: str, language: str = "") -> dict[str, str]:
    return (
        {"xml:lang": language, "type": "literal", "value": value} if language else {"type": "literal", "value": value}
    )


def uri(value: str) -> dict[str, str]:
    return {"type": "uri", "value": value}


def row(what: str, value: Any, code: str = "", *, item: str = "Q1", mbid: str = MBID) -> dict[str, Any]:
    known = {"code": literal(code)} if code else {}
    address = uri(f"http://www.wikidata.org/entity/{item}")
    return {"key": literal(mbid), "item": address, "what": literal(what), "value": value, **known}


def replies(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"/sparql": {"head": {"vars": ["key"]}, "results": {"bindings": list(rows)}}}


def found(ask: Any, told: Any, *rows: dict[str, Any], name: str = "") -> dict[str, Any]:
    answer = ask(SOURCE, "artist", {"musicbrainz_id": MBID, "name": name}, replies(*rows))
    values: dict[str, Any] = told(answer)
    return values


def country(name: str, code: str = "") -> dict[str, Any]:
    return row(name, uri("http://www.wikidata.org/entity/Q145"), code)


def test_only_the_country_that_is_sure_is_told(ask: Any, told: Any) -> None:
    for rows, code in (
        ([country("P27", "GB"), country("P27", "US")], None),
        ([country("P495", "GB"), country("P27", "GB"), country("P27", "US")], "GB"),
        ([country("P495", "GB"), country("P495", "US"), country("P27", "US")], "US"),
        ([country("P27", "SU"), country("P27", "RU")], "RU"),  # a country that is no more
        ([country("P27"), country("P17", "DE")], "DE"),
        ([row("P27", {"type": "bnode", "value": "t1"})], None),
        ([row("P27", uri("http://www.wikidata.org/.well-known/genid/1f")), country("P27", "FR")], "FR"),
    ):
        assert found(ask, told, *rows).get("country_code") == code, rows


def test_what_is_known_to_be_unknown_is_not_told(ask: Any, told: Any) -> None:
    genid = uri("http://www.wikidata.org/.well-known/genid/2a")
    rows = [row("P1902", {"type": "bnode", "value": "t7"}), row("P18", genid), row("P856", genid)]
    assert set(found(ask, told, *rows)) == {"musicbrainz_id", "wikidata_id", "external_urls"}


def test_of_several_ids_of_a_kind_none_is_the_one(ask: Any, told: Any) -> None:
    values = found(ask, told, row("P1953", literal("1")), row("P1953", literal("2")), row("P2722", literal("27")))
    assert "discogs_id" not in values
    assert values["deezer_id"] == "27"
    assert values["external_urls"]["discogs"] == "https://www.discogs.com/artist/1"


def test_order_of_rows_does_not_matter(ask: Any) -> None:
    rows = [row("genre", literal(genre, "en")) for genre in ("house music", "techno", "acid house")]
    rows += [row("label", literal("Ein Name", "mul")), row("label", literal("A Name", "en"))]
    keys = {"musicbrainz_id": MBID}
    one, other = ask(SOURCE, "artist", keys, replies(*rows)), ask(SOURCE, "artist", keys, replies(*reversed(rows)))
    assert one == other
    assert {found.field: found.value for found in one.findings}["name"] == "A Name"


def test_an_id_on_two_items_is_decided_by_the_name(ask: Any, told: Any) -> None:
    rows = [row("label", literal("Portishead", "en")), row("label", literal("Portishead, Somerset", "en"), item="Q2")]
    assert found(ask, told, *rows, name="Portishead")["wikidata_id"] == "Q1"
    answer = ask(SOURCE, "artist", {"musicbrainz_id": MBID}, replies(*rows))
    assert answer.outcome is Outcome.NOTHING_FOUND
    assert "Q1, Q2" in answer.note


def test_two_ids_on_one_item_are_each_answered(line: Any) -> None:
    rows = [row("P434", literal(mbid), mbid=key) for key in (MBID, OTHER) for mbid in (MBID, OTHER)]
    replay = line(SOURCE, replies(*rows))
    asks = [
        Ask(1, {"musicbrainz_id": MBID.upper()}),
        Ask(2, {"musicbrainz_id": OTHER}),
        Ask(3, {"musicbrainz_id": "x"}),
    ]
    one, other, none = SOURCE.ask(SOURCE.question("artist"), asks, SOURCE.client(replay))
    assert [{f.field: f.value for f in answer.findings}["musicbrainz_id"] for answer in (one, other)] == [MBID, OTHER]
    assert none.outcome is Outcome.NOTHING_FOUND


def test_nothing_but_ids_gets_into_the_query(line: Any) -> None:
    replay = line(SOURCE, replies())
    keys = ["42", '1" } DROP {', "", "4 2", "42"]
    asks = [Ask(number, {"discogs_id": key}) for number, key in enumerate(keys)]
    SOURCE.ask(SOURCE.question("discogs"), asks, SOURCE.client(replay))
    (sent,) = replay.sent
    assert b'VALUES ?key { "42" }' in sent.body
    assert (sent.method, sent.headers["content-type"]) == ("POST", "application/sparql-query")
    assert sent.headers["accept"] == "application/sparql-results+json"
    SOURCE.ask(SOURCE.question("item"), [Ask(1, {"wikidata_id": "P31"})], SOURCE.client(replay))
    assert len(replay.sent) == 1


@pytest.mark.parametrize(
    ("reply", "verdict", "wait"),
    [
        (Reply(429, {"retry-after": "53"}, b"Too Many Requests"), Verdict.OUR_RATE, 53),
        (Reply(429, {}, b"Rate limit exceeded"), Verdict.OUR_RATE, 60),
        (Reply(500, {}, b"SPARQL-QUERY: ...\njava.util.concurrent.TimeoutException\n\tat"), Verdict.FAILING, None),
        (Reply(200, {}, b'{"results": {"bindings": [\njava.util.concurrent.TimeoutException'), Verdict.FAILING, None),
        (Reply(502, {}, b"<!DOCTYPE html><title>Wikimedia Error</title>"), Verdict.FAILING, None),
        (Reply(403, {}, b"You have been banned until 2026-11-22T10:00:00Z"), Verdict.REFUSED, None),
        (Reply(403, {}, b"<html>Please set a user-agent and respect our robot policy"), Verdict.REFUSED, None),
        (Reply(400, {}, b"SPARQL-QUERY: queryStr=SELECT\nMalformedQueryException"), Verdict.BAD_REQUEST, None),
        (Reply(200, {}, b'{"head": {}, "results": {"bindings": []}}'), Verdict.ANSWER, None),
    ],
)
def test_judgement(reply: Reply, verdict: Verdict, wait: float | None) -> None:
    judgement = SOURCE.judge(reply)
    assert (judgement.verdict, judgement.retry_after) == (verdict, wait)


def test_pictures_are_under_terms_of_their_own() -> None:
    assert SOURCE.terms.licence == "CC0"
    assert SOURCE.terms.of("image_url").licence == "each picture's own"
