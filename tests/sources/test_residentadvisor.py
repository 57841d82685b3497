from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from enrichment.domain.outcomes import Outcome, Verdict
from enrichment.sources.base import Reply
from enrichment.sources.residentadvisor import ResidentAdvisor, findings, performers

SOURCE = ResidentAdvisor({"mode": "graphql"})
SHARED = Path(__file__).parents[3] / "shared" / "data" / "catalogue"


def read(artist: dict[str, Any]) -> dict[str, Any]:
    return {found.field: found.value for found in findings(artist)}


def test_it_asks_nothing_by_default() -> None:
    assert ResidentAdvisor().questions == ()
    assert ResidentAdvisor({"mode": "off"}).questions == ()
    assert [question.name for question in ResidentAdvisor({"mode": "GraphQL"}).questions] == ["artist", "page"]


def test_an_artist_as_it_comes_with_an_event() -> None:
    artist = {"id": "943", "name": "Carl Cox", "__typename": "Artist"}
    assert read(artist) == {"ra_artist_id": "943", "name": "Carl Cox"}
    metadata = {
        "ra_artist_id": 943,
        "ra_artist_url": "https://ra.co/dj/carlcox",
        "image_url": "https://static.ra.co/images/profiles/carlcox.jpg",
        "country": "United Kingdom",
        "country_code": "GB",
    }
    assert read(metadata) == {
        **metadata,
        "ra_artist_id": "943",
        "images": [{"url": metadata["image_url"]}],
        "external_urls": {"resident_advisor": metadata["ra_artist_url"]},
    }


@pytest.mark.parametrize(
    "artist",
    [
        {"contentUrl": "/dj/carlcox"},
        {"contentUrl": "https://de.ra.co/dj/carlcox/past-events"},
        {"url": "https://www.residentadvisor.net/dj/carlcox"},
        {"slug": "carlcox"},
        {"urlSafeName": "carlcox"},
    ],
)
def test_the_page_has_one_address(artist: dict[str, Any]) -> None:
    assert read(artist)["ra_artist_url"] == "https://ra.co/dj/carlcox"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"country": {"name": "United Kingdom", "urlCode": "UK"}}, "GB"),
        ({"country": {"name": "Bahrain", "urlCode": "BA"}}, "BH"),
        ({"country": {"name": "Belize", "urlCode": "BH"}}, "BZ"),
        ({"country": {"name": "Turkey", "urlCode": "TK"}}, "TR"),
        ({"country": {"name": "Curacao", "urlCode": "CW"}}, "CW"),
        ({"country": {"name": "Streamland", "urlCode": "00"}}, None),
        ({"country": {"urlCode": "BA"}}, None),
        ({"country": None}, None),
        ({"countryName": "Germany"}, "DE"),
        ({"country_code": "uk"}, "GB"),
        ({"countryCode": "de"}, "DE"),
        ({"country_code": "XX"}, None),
    ],
)
def test_a_country_is_told_by_its_name(given: dict[str, Any], code: str | None) -> None:
    assert read(given).get("country_code") == code
    assert ("country" in read(given)) == (code is not None)


def test_links_are_whole_addresses() -> None:
    given = {"website": "www.carlcox.com", "instagram": "@carl.cox", "soundcloud": "carl-cox", "bandcamp": "what is it"}
    assert read(given)["external_urls"] == {
        "homepage": "https://www.carlcox.com",
        "instagram": "https://instagram.com/carl.cox",
        "soundcloud": "https://soundcloud.com/carl-cox",
    }


def test_a_line_up_in_two_lists() -> None:
    urls = ["https://ra.co/dj/anetha", "https://ra.co/dj/chlar"]
    artists = performers({"artists": ["Anetha", "Chlär"], "artist_urls": urls})
    assert [read(artist)["ra_artist_url"] for artist in artists] == urls
    assert [read(artist) for artist in performers({"artists": ["Anetha", "Chlär"], "artist_urls": urls[:1]})] == [
        {"name": "Anetha"},
        {"name": "Chlär"},
    ]
    assert performers({"lineup_raw": "Anetha"}) == performers({"artists": None}) == []
    assert performers({"artists": [{"id": "1"}]}) == [{"id": "1"}]


def test_recorded_events() -> None:
    path = SHARED / "ra_events.jsonl.gz"
    if not path.exists():
        pytest.skip("the shared data is not beside the repository")
    with gzip.open(path, "rt") as lines:
        artists = [artist for line in lines for artist in performers(json.loads(line))]
    assert len(artists) > 500
    for artist in artists:
        values = read(artist)
        assert values["name"]
        assert values["ra_artist_url"] == artist["contentUrl"] == values["external_urls"]["resident_advisor"]


def test_recorded_countries() -> None:
    path = SHARED / "ra_areas.json"
    if not path.exists():
        pytest.skip("the shared data is not beside the repository")
    names = {area["country"]["name"] for area in json.loads(path.read_text()) if area.get("country")}
    unknown = {name for name in names if "country_code" not in read({"country": {"name": name}})}
    assert unknown <= {"Streamland", "Kosovo", "Saint Martin"}


def test_errors_are_not_nothing_found(ask: Any) -> None:
    keys = {"ra_artist_id": "943"}
    assert ask(SOURCE, "artist", keys, {"/graphql": {"data": {"artist": None}}}).outcome is Outcome.NOTHING_FOUND
    broken: list[dict[str, Any]] = [
        {"errors": [{"message": "Too complex"}], "data": None},
        {"data": {}},
        {"data": None},
        {},
    ]
    for reply in broken:
        with pytest.raises((ValueError, KeyError)):
            ask(SOURCE, "artist", keys, {"/graphql": reply})


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (Reply(403, {}, b"<html><title>ra.co</title>Please enable JS and disable any ad blocker"), Verdict.REFUSED),
        (Reply(200, {}, b"<!DOCTYPE html><html><title>Just a moment..."), Verdict.REFUSED),
        (Reply(429, {}, b"<html>Too many"), Verdict.OUR_RATE),
        (Reply(502, {}, b"<html>Bad gateway"), Verdict.FAILING),
        (Reply(400, {}, b'{"errors":[{"message":"Syntax Error"}]}'), Verdict.BAD_REQUEST),
        (Reply(200, {}, b'{"data":{"artist":null}}'), Verdict.ANSWER),
    ],
)
def test_judgement(reply: Reply, verdict: Verdict) -> None:
    assert SOURCE.judge(reply).verdict is verdict
