from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from enrichment.domain.outcomes import Answer, Outcome, Verdict
from enrichment.domain.questions import Budget, Limit
from enrichment.settings import load
from enrichment.sources.base import Ask, Reply
from enrichment.sources.mmd import from_xml
from enrichment.sources.musicbrainz import MusicBrainz

SOURCE = MusicBrainz()
MBID = "e97f805a-ab48-4c52-855e-07049142113d"


def refusal(text: str, **headers: str) -> Reply:
    return Reply(
        503, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps({"error": text}).encode()
    )


OURS = "Your requests are exceeding the allowable rate limit. Please see http://wiki.musicbrainz.org/XMLWebService."
BUSY = "The MusicBrainz web server is currently busy. Please try again later."


@pytest.mark.parametrize(
    ("reply", "verdict", "wait"),
    [
        (
            refusal(OURS, x_ratelimit_zone="ws ip=192.0.2.1", x_ratelimit_remaining="0", retry_after="1"),
            Verdict.OUR_RATE,
            1,
        ),
        (refusal(OURS), Verdict.OUR_RATE, 1),
        (refusal(BUSY, x_ratelimit_zone="global", x_ratelimit_remaining="9", retry_after="0"), Verdict.SHED, None),
        (refusal(BUSY, x_ratelimit_zone="search-global", x_ratelimit_who="search-shed"), Verdict.SHED, None),
        (refusal(BUSY), Verdict.SHED, None),
        (Reply(503, {}, b"<html>Service Unavailable</html>"), Verdict.FAILING, None),
        (Reply(502, {}, b""), Verdict.FAILING, None),
        (
            Reply(403, {"x-ratelimit-who": "ua-missing"}, b'{"error":"has not identified itself"}'),
            Verdict.REFUSED,
            None,
        ),
        (Reply(400, {}, b'{"error":"Invalid mbid."}'), Verdict.BAD_REQUEST, None),
        (Reply(404, {}, b'{"error":"Not Found"}'), Verdict.ANSWER, None),
        (Reply(200, {}, b"{}"), Verdict.ANSWER, None),
    ],
)
def test_judgement(reply: Reply, verdict: Verdict, wait: float | None) -> None:
    judgement = SOURCE.judge(reply)
    assert (judgement.verdict, judgement.retry_after) == (verdict, wait)


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("http://127.0.0.1:8000/musicbrainz", "http://127.0.0.1:8000/musicbrainz"),
        ("https://brainz.example.org:5443", "https://brainz.example.org:5443"),
        ("http://[::1]:5000/ws/2", "http://[::1]:5000"),
        ("http://brainz.example.org", "http://brainz.example.org"),
    ],
)
def test_a_mirror_may_have_a_port_a_path_and_https(line: Any, url: str, root: str) -> None:
    replay = line(SOURCE, {f"/recording/{MBID}": {"id": MBID}, "/ws/2/url": {"urls": []}}, url)
    client = SOURCE.client(replay)
    SOURCE.ask(SOURCE.question("recording"), [Ask(1, {"musicbrainz_id": MBID})], client)
    SOURCE.ask(SOURCE.question("artist_by_deezer"), [Ask(1, {"deezer_id": "27"})], client)
    lookup, addresses = replay.sent
    assert lookup.url.startswith(f"{root}/ws/2/recording/{MBID}?")
    assert addresses.url.startswith(f"{root}/ws/2/url?resource=")
    for sent in replay.sent:
        assert "fmt=json" in sent.url
        assert "user-agent" not in sent.headers


def test_a_mirror_has_a_budget_of_its_own() -> None:
    settings = load(
        {
            "LINERNOTES_MUSICBRAINZ_URL": "https://brainz.example.org:5443/mirror/",
            "LINERNOTES_MUSICBRAINZ_BUDGET": "20/1, burst=5, concurrency=8",
        }
    )
    assert settings.source_url(SOURCE.name, SOURCE.url) == "https://brainz.example.org:5443/mirror"
    assert settings.source_budget(SOURCE.name, SOURCE.budget) == Budget((Limit(20, 1, burst=5),), concurrency=8)
    covers = settings.site_url(SOURCE.name, "coverartarchive", SOURCE.sites[0].url, ["musicbrainz", "coverartarchive"])
    assert covers == "https://coverartarchive.org"


def test_two_lines_in_one_process_do_not_meet(line: Any) -> None:
    here, there = (
        line(SOURCE, {"/recording": {"recordings": []}}, f"http://{name}.invalid") for name in ("here", "there")
    )
    clients = [SOURCE.client(here), SOURCE.client(there)]
    for client in clients:
        SOURCE.ask(SOURCE.question("search"), [Ask(1, {"artist_name": "A", "title": "B"})], client)
    assert "here.invalid" in here.sent[0].url
    assert "there.invalid" in there.sent[0].url
    assert len(here.sent) == len(there.sent) == 1


def test_names_cannot_break_out_of_a_query(line: Any) -> None:
    replay = line(SOURCE, {"/recording": {"recordings": []}})
    keys = {"artist_name": 'AC/DC" OR arid:*', "title": "NOT (a) AND b~2"}
    SOURCE.ask(SOURCE.question("search"), [Ask(1, keys)], SOURCE.client(replay))
    assert not re.search(r"(?<!%5C)%3A%2A", replay.sent[0].url)
    assert "NOT" not in replay.sent[0].url


def test_an_isrc_of_two_recordings_is_decided_by_the_names(ask: Any, told: Any) -> None:
    credit = [
        {"name": "A", "joinphrase": " feat. ", "artist": {"id": MBID}},
        {"name": "B", "artist": {"id": MBID[::-1]}},
    ]
    rows = [
        {"id": f"0{MBID[1:]}", "title": "Song (instrumental)", "length": 200000, "artist-credit": credit},
        {"id": f"1{MBID[1:]}", "title": "Song", "length": 201000, "artist-credit": credit},
    ]
    replies = {"/isrc/GBAAA9400119": {"isrc": "GBAAA9400119", "recordings": rows}}
    keys = {"isrc": "GB-AAA-94-00119", "artist_name": "A", "title": "Song", "duration_ms": 200500}
    found = told(ask(SOURCE, "isrc", keys, replies))
    assert found["musicbrainz_id"] == rows[1]["id"]
    assert found["artists"] == [{"name": "A", "role": "main"}, {"name": "B", "role": "featured"}]
    assert found["performer.musicbrainz_id"] == MBID
    assert found["isrc"] == "GBAAA9400119"
    other = ask(SOURCE, "isrc", {**keys, "title": "Another Thing"}, replies)
    assert other.outcome is Outcome.NOTHING_FOUND
    assert "hits" in other.note


def test_a_guest_is_not_the_performer(ask: Any, told: Any) -> None:
    credit = [{"name": "A", "joinphrase": " feat. ", "artist": {"id": MBID}}, {"name": "Guest", "artist": {"id": MBID}}]
    row = {"id": MBID, "title": "Song", "artist-credit": credit}
    found = told(ask(SOURCE, "recording", {"musicbrainz_id": MBID, "artist_name": "Guest"}, {f"/{MBID}": row}))
    assert "performer.musicbrainz_id" not in found


def test_another_album_than_ours_is_not_told(ask: Any, told: Any) -> None:
    release = {
        "id": MBID,
        "title": "Greatest Hits",
        "status": "Official",
        "date": "2004",
        "release-group": {"id": MBID},
    }
    row = {"id": MBID, "title": "Song", "artist-credit": [{"name": "A", "artist": {"id": MBID}}], "releases": [release]}
    keys = {"musicbrainz_id": MBID, "artist_name": "A", "title": "Song", "album_title": "First Album"}
    found = told(ask(SOURCE, "recording", keys, {f"/{MBID}": row}))
    assert not any(name.startswith("album.") for name in found)
    assert found["album_title"] == "Greatest Hits"
    assert found["release_date"] == "2004"


@pytest.mark.parametrize(
    ("artist", "country", "code"),
    [
        ({"country": "GB", "area": {"name": "United Kingdom", "iso-3166-1-codes": ["GB"]}}, "United Kingdom", "GB"),
        ({"country": "GB", "area": {"name": "Bristol"}}, "United Kingdom", "GB"),
        ({"area": {"name": "Bristol"}}, None, None),
        ({"area": {"name": "Germany"}}, "Germany", "DE"),
        ({"country": "XW", "area": {"name": "[Worldwide]", "iso-3166-1-codes": ["XW"]}}, None, None),
        ({}, None, None),
    ],
)
def test_country(artist: dict[str, Any], country: str | None, code: str | None, ask: Any, told: Any) -> None:
    found = told(ask(SOURCE, "artist", {"musicbrainz_id": MBID}, {f"/{MBID}": {"id": MBID, **artist}}))
    assert (found.get("country"), found.get("country_code")) == (country, code)


def test_performers_of_one_name_are_told_apart_or_left_alone(ask: Any, told: Any) -> None:
    def replies(*scores: int) -> dict[str, Any]:
        return {
            "/artist": {
                "artists": [{"id": f"{n}{MBID[1:]}", "name": "Nirvana", "score": s} for n, s in enumerate(scores)]
            }
        }

    clear = told(ask(SOURCE, "artist_search", {"name": "Nirvana"}, replies(60, 100, 80)))
    assert clear["musicbrainz_id"] == f"1{MBID[1:]}"
    assert "3 performers" in ask(SOURCE, "artist_search", {"name": "Nirvana"}, replies(100, 99, 80)).note


def test_an_alias_finds_its_artist(ask: Any, told: Any) -> None:
    rows = [{"id": MBID, "name": "Сергей Прокофьев", "score": 100, "aliases": [{"name": "Sergei Prokofiev"}]}]
    found = told(ask(SOURCE, "artist_search", {"name": "Sergei Prokofiev"}, {"/artist": {"artists": rows}}))
    assert found["musicbrainz_id"] == MBID


# --- many in one call ----------------------------------------------------------------------------------------------


def mbid(number: int) -> str:
    return f"{number:08d}{MBID[8:]}"


def hit(number: int, title: str = "Song", artist: str = "A", **more: Any) -> dict[str, Any]:
    credit = [{"name": artist, "artist": {"id": mbid(900), "name": artist}}]
    return {"id": mbid(number), "score": 100, "title": title, "artist-credit": credit, **more}


def ask_many(
    line: Any, question: str, keys: Sequence[dict[str, Any]], replies: dict[str, Any]
) -> tuple[list[Answer], dict[str, list[str]]]:
    """The answers to a batch, and the parameters of the one call it took."""
    replay = line(SOURCE, replies)
    asks = [Ask(number, each) for number, each in enumerate(keys)]
    answers = list(SOURCE.ask(SOURCE.question(question), asks, SOURCE.client(replay)))
    (sent,) = replay.sent
    return answers, parse_qs(urlsplit(sent.url).query)


def found_in(answers: Sequence[Answer], field: str = "musicbrainz_id") -> list[Any]:
    return [next((f.value for f in a.findings if f.field == field and f.about is None), a.outcome) for a in answers]


def test_isrcs_are_searched_for_together(line: Any) -> None:
    codes = [f"GBAAA94{number:05d}" for number in range(4)]
    rows = [
        hit(1, length=251000, isrcs=[codes[0]]),
        hit(2, length=238000, isrcs=["GBZZZ9400009", codes[0]]),
        hit(3, "Other Song", isrcs=[{"id": codes[1]}]),
        hit(4, "Third", length=200000, isrcs=[codes[2]]),
    ]
    keys: list[dict[str, Any]] = [
        {"isrc": "GB-AAA-94-00000", "artist_name": "A", "title": "Song", "duration_ms": 238500},
        {"isrc": codes[1], "artist_name": "A", "title": "Something Else"},
        {"isrc": codes[2]},
        {"isrc": codes[3], "artist_name": "A", "title": "Song"},
        {"isrc": "nonsense", "artist_name": "A", "title": "Song"},
    ]
    answers, sent = ask_many(line, "isrc", keys, {"/recording": {"count": 4, "offset": 0, "recordings": rows}})
    assert sent["query"] == [f"isrc:({' OR '.join(codes)})"]
    assert sent["limit"] == ["100"]
    nothing = Outcome.NOTHING_FOUND
    assert found_in(answers) == [mbid(2), nothing, mbid(4), nothing, nothing]
    assert found_in(answers, "isrc")[0] == codes[0]
    assert "different titles" in answers[1].note


def test_what_a_page_does_not_hold_is_asked_again(line: Any) -> None:
    codes = [f"GBAAA94{number:05d}" for number in range(2)]
    keys = [{"isrc": code, "artist_name": "A", "title": "Song"} for code in codes]
    for count, outcome in ((1, Outcome.NOTHING_FOUND), ("101", Outcome.OVER_BUDGET)):
        replies = {"/recording": {"count": count, "recordings": [hit(1, isrcs=[codes[0]])]}}
        assert found_in(ask_many(line, "isrc", keys, replies)[0]) == [mbid(1), outcome]


def test_where_hits_do_not_tell_their_isrcs_the_names_do(line: Any) -> None:
    keys = [{"isrc": f"GBAAA940000{n}", "artist_name": "A", "title": f"Number {n}"} for n in (1, 2)]
    keys.append({"isrc": "GBAAA9400003"})
    replies = {"/recording": {"count": 2, "recordings": [hit(2, "Number 2"), hit(1, "Number 1")]}}
    assert found_in(ask_many(line, "isrc", keys, replies)[0]) == [mbid(1), mbid(2), Outcome.NOTHING_FOUND]


def test_an_isrc_alone_takes_the_nearest_or_the_earliest(ask: Any, told: Any) -> None:
    rows = [
        hit(1, length=100000, **{"first-release-date": "2001"}),
        hit(2, length=200000, **{"first-release-date": "1999-05"}),
        hit(3, length=300000),
    ]
    replies = {"/isrc/GBAAA9400119": {"isrc": "GBAAA9400119", "recordings": rows}}
    assert told(ask(SOURCE, "isrc", {"isrc": "GBAAA9400119"}, replies))["musicbrainz_id"] == mbid(2)
    keys = {"isrc": "GBAAA9400119", "duration_ms": 290000}
    assert told(ask(SOURCE, "isrc", keys, replies))["musicbrainz_id"] == mbid(3)


def test_titles_of_several_artists_are_searched_for_together(line: Any) -> None:
    keys = [
        {"artist_name": "Sheila & B. Devotion", "title": "Spacer (Remastered 2007)"},
        {"artist_name": "Portishead", "title": "Roads", "performer.musicbrainz_id": MBID},
        {"artist_name": "Portishead feat. Nobody", "title": 'The "Rip"'},
        {"artist_name": "!!!", "title": "NOT (OR)"},
        {"artist_name": "", "title": "x"},
    ]
    rows = [
        hit(1, "Spacer", "Sheila and B. Devotion"),
        hit(2, "Roads", "Portishead", disambiguation="live, 1997-07-24: Roseland Ballroom, New York"),
        hit(3, "Roads", "Portishead"),
        hit(4, "Roads", "Lawrence"),
        hit(5, "Roads", "Portishead", video=True),
    ]
    answers, sent = ask_many(line, "search", keys, {"/recording": {"count": 5, "recordings": rows}})
    (query,) = sent["query"]
    assert r"(artist:(+sheila +b. +devotion) AND (recording:(+spacer)))" in query
    assert f"((arid:{MBID} OR artist:(+portishead)) AND (recording:(+roads)))" in query
    assert "(artist:(+portishead) AND (recording:(+rip)))" in query
    assert r"(artist:(\!\!\!) AND (recording:(+not +or)))" in query
    nothing = Outcome.NOTHING_FOUND
    assert found_in(answers) == [mbid(1), mbid(3), nothing, nothing, nothing]


def test_titles_of_one_artist_share_its_name(line: Any) -> None:
    keys = [{"artist_name": "Portishead", "title": title} for title in ("Roads", "Strangers", "Roads")]
    rows = [hit(1, "Roads", "Portishead")]
    answers, sent = ask_many(line, "search", keys, {"/recording": {"count": 1, "recordings": rows}})
    assert sent["query"] == ["(artist:(+portishead) AND (recording:(+roads) OR recording:(+strangers)))"]
    assert found_in(answers) == [mbid(1), Outcome.NOTHING_FOUND, mbid(1)]


def test_a_crowded_page_answers_whom_it_can(line: Any) -> None:
    keys = [{"artist_name": "A", "title": title} for title in ("Song", "Other")]
    page = {"count": 1000, "recordings": [hit(1)]}
    assert found_in(ask_many(line, "search", keys, {"/recording": page})[0]) == [mbid(1), Outcome.OVER_BUDGET]
    with pytest.raises(ValueError, match="fewer"):  # so that the batch is split, and does not come back for ever
        ask_many(line, "search", keys, {"/recording": {"count": 1000, "recordings": [hit(1, "Third")]}})


def test_one_title_on_a_crowded_page_is_answered(ask: Any) -> None:
    page = {"count": 1000, "recordings": [hit(1, "Third")]}
    keys = {"artist_name": "A", "title": "Song"}
    assert ask(SOURCE, "search", keys, {"/recording": page}).outcome is Outcome.NOTHING_FOUND


def test_albums_of_several_artists_are_searched_for_together(line: Any) -> None:
    keys = [
        {"artist_name": "Portishead", "title": "Dummy (Deluxe Edition)"},
        {"artist_name": "Massive Attack", "title": "Mezzanine", "barcode": "724384559953"},
        {"artist_name": "A", "title": "Nowhere"},
    ]
    rows = [
        hit(1, "Mezzanine", "Massive Attack", date="1998"),
        hit(2, "Mezzanine", "Massive Attack", date="2018", barcode="724384559953"),
        hit(3, "Dummy", "Lawrence"),
        hit(4, "Dummy", "Portishead"),
    ]
    answers, sent = ask_many(line, "release_search", keys, {"/release": {"count": 4, "releases": rows}})
    (query,) = sent["query"]
    assert "(artist:(+portishead) AND (release:(+dummy)))" in query
    assert found_in(answers, "musicbrainz_release_id") == [mbid(4), mbid(2), Outcome.NOTHING_FOUND]
    page = {"count": 101, "releases": rows}
    assert found_in(ask_many(line, "release_search", keys, {"/release": page})[0])[2] == Outcome.OVER_BUDGET


def test_artists_are_searched_for_together(line: Any) -> None:
    keys = [{"name": name} for name in ("Portishead", "The Nirvana", "Nobody", "Sheila & B. Devotion")]
    rows = [
        {"id": mbid(1), "name": "Sheila and B. Devotion", "score": 100},
        {"id": mbid(2), "name": "Portishead", "score": 60},
        {"id": mbid(3), "name": "Nirvana", "score": 40},
        {"id": mbid(4), "name": "Nirvana", "score": 39},
        {"id": mbid(5), "name": "Nirvana Tribute", "score": 30},
    ]
    answers, sent = ask_many(line, "artist_search", keys, {"/artist": {"count": 5, "artists": rows}})
    assert "artist:(+portishead) OR alias:(+portishead) OR artist:(+nirvana) OR alias:" in sent["query"][0]
    assert found_in(answers) == [mbid(2), Outcome.NOTHING_FOUND, Outcome.NOTHING_FOUND, mbid(1)]
    assert "2 performers" in answers[1].note


@pytest.mark.parametrize(("lowest", "outcome"), [(30, mbid(2)), (37, Outcome.OVER_BUDGET)])
def test_a_page_that_ends_among_namesakes_does_not_tell_them_apart(lowest: int, outcome: Any, line: Any) -> None:
    rows = [
        {"id": mbid(1), "name": "Portishead", "score": 100},
        {"id": mbid(2), "name": "Nirvana", "score": 40},
        {"id": mbid(3), "name": "Nirvana Tribute", "score": lowest},
    ]
    keys = [{"name": "Portishead"}, {"name": "Nirvana"}]
    page = {"/artist": {"count": 500, "artists": rows}}
    assert found_in(ask_many(line, "artist_search", keys, page)[0]) == [mbid(1), outcome]


def test_recordings_are_searched_for_by_their_ids(line: Any) -> None:
    keys = [{"musicbrainz_id": each} for each in (mbid(1), mbid(2).upper(), "nonsense", mbid(3))]
    rows = [hit(2, isrcs=["GBAAA9400119"], tags=[{"name": "rock", "count": 1}]), hit(1, length=1000)]
    answers, sent = ask_many(line, "recording", keys, {"/recording": {"count": 2, "recordings": rows}})
    assert sent["query"] == [f"rid:({mbid(1)} OR {mbid(2)} OR {mbid(3)})"]
    assert found_in(answers) == [mbid(1), mbid(2), Outcome.NOTHING_FOUND, Outcome.NOTHING_FOUND]
    assert found_in(answers, "isrc")[1] == "GBAAA9400119"
    assert not any(finding.field == "genres" for answer in answers for finding in answer.findings)


def test_releases_are_searched_for_by_their_ids(line: Any) -> None:
    keys = [{"musicbrainz_release_id": each} for each in (mbid(1), mbid(2), "nonsense", mbid(1))]
    rows = [{"id": mbid(1), "score": 100, "title": "Album", "label-info": [{"label": {"name": "A Label"}}]}]
    answers, sent = ask_many(line, "releases", keys, {"/release": {"count": 1, "releases": rows}})
    assert sent["query"] == [f"reid:({mbid(1)} OR {mbid(2)})"]
    nothing = Outcome.NOTHING_FOUND
    assert found_in(answers, "label") == ["A Label", nothing, nothing, "A Label"]


def test_release_groups_are_searched_for_by_their_ids(recorded: Path, line: Any) -> None:
    body = next((recorded / "musicbrainz").glob("*_search-release-group.xml")).read_bytes()
    group = "f2dea47e-4eb5-3cec-b63e-a94c03dc2c7a"
    assert group.encode() not in body
    known = re.findall(rb'<release-group [^>]*id="([0-9a-f-]{36})"', body)[0].decode()
    keys = [{"musicbrainz_release_group_id": each} for each in (known, group)]
    answers, sent = ask_many(line, "release_group", keys, {"/release-group": body})
    assert sent["query"] == [f"rgid:({known} OR {group})"]
    assert found_in(answers, "musicbrainz_release_group_id") == [known, Outcome.OVER_BUDGET]
    assert found_in(answers, "musicbrainz_release_id")[0].count("-") == 4


def test_a_recorded_release_group(recorded: Path, ask: Any, told: Any) -> None:
    ((group, body),) = recorded_bodies(recorded / "musicbrainz", r"data_release-group_([0-9a-f-]{36})")
    keys = {"musicbrainz_release_group_id": group}
    found = told(ask(SOURCE, "release_group", keys, {f"/release-group/{group}": body}))
    assert found.pop("musicbrainz_release_group_id") == group
    assert found.keys() == {"title", "release_date"}


# --- addresses -----------------------------------------------------------------------------------------------------


def linked(url: str, *ends: dict[str, Any], entity: str = "artist") -> dict[str, Any]:
    relations = [{"type": "discogs", "direction": "backward", "target-type": entity, entity: end} for end in ends]
    return {"id": MBID, "resource": url, "relations": relations}


DISCOGS = "https://www.discogs.com/artist/"


def test_addresses_are_looked_up_together(line: Any) -> None:
    rows = [
        linked(f"{DISCOGS}2", {"id": mbid(2), "name": "Two"}),
        linked(f"{DISCOGS}1", {"id": mbid(9), "name": "Nine"}, {"id": mbid(1), "name": "One", "country": "NZ"}),
        linked(f"{DISCOGS}3"),
        linked(f"{DISCOGS}4", {"id": mbid(4), "name": "Somebody Else"}),
        linked("https://somewhere.example.org/else", {"id": mbid(5), "name": "Five"}),
    ]
    keys: list[dict[str, Any]] = [
        {"discogs_id": "1", "name": "One"},
        {"discogs_id": 2},
        {"discogs_id": "3"},
        {"discogs_id": "x y"},
    ]
    keys += [{"discogs_id": "4", "name": "Four"}, {"discogs_id": "5"}]
    replies = {"/ws/2/url": {"url-count": 5, "url-offset": 0, "urls": rows}}
    answers, sent = ask_many(line, "artist_by_discogs", keys, replies)
    assert sent == {"resource": [f"{DISCOGS}{n}" for n in (1, 2, 3, 4, 5)], "inc": ["artist-rels"], "fmt": ["json"]}
    nothing = Outcome.NOTHING_FOUND
    assert found_in(answers) == [mbid(1), mbid(2), nothing, nothing, nothing, nothing]
    assert found_in(answers, "country_code")[0] == "NZ"
    assert "different artists" in answers[4].note


def test_a_hundred_addresses_fit_into_a_request(line: Any) -> None:
    keys = [{"spotify_id": f"{number:022d}"} for number in range(SOURCE.question("release_by_spotify").batch)]
    replay = line(SOURCE, {"/ws/2/url": {"url-count": 0, "urls": []}})
    asks = [Ask(number, each) for number, each in enumerate(keys)]
    SOURCE.ask(SOURCE.question("release_by_spotify"), asks, SOURCE.client(replay))
    (sent,) = replay.sent
    assert len(asks) == 100
    assert len(sent.url) < 7500


def test_an_unknown_address_is_not_found(ask: Any) -> None:
    assert ask(SOURCE, "artist_by_discogs", {"discogs_id": "1"}, {}).outcome is Outcome.NOTHING_FOUND


def test_one_of_several_releases_of_an_address(ask: Any, told: Any) -> None:
    url = "https://open.spotify.com/album/3539EbNgIdEDGBKkUf4wno"
    ends: list[dict[str, Any]] = [
        {"id": mbid(1), "title": "Dummy (deluxe)", "date": "2008", "barcode": None},
        {"id": mbid(2), "title": "Dummy", "release-events": [{"date": "1994-08"}], "barcode": ""},
    ]
    keys = {"spotify_id": "3539EbNgIdEDGBKkUf4wno", "artist_name": "Portishead", "title": "Dummy"}
    found = told(ask(SOURCE, "release_by_spotify", keys, {"/ws/2/url": linked(url, *ends, entity="release")}))
    assert found == {
        "musicbrainz_release_id": mbid(2),
        "title": "Dummy",
        "release_date": "1994-08",
        "external_urls": {"spotify": url},
        "spotify_id": keys["spotify_id"],
    }


URLS = b"""\xef\xbb\xbf<?xml version="1.0"?><metadata xmlns="http://musicbrainz.org/ns/mmd-2.0#">
<url-list count="1" offset="0"><url id="e0a79771-e9f0-4127-b58a-f5e6869c8e96">
<resource>https://www.discogs.com/artist/1</resource><relation-list target-type="artist">
<relation type-id="04a5b104-a4c2-4bac-99a1-7b837c37d9e4" type="discogs">
<target>05d83760-08b5-42bb-a8d7-00d80b3bf47c</target><direction>backward</direction>
<artist id="05d83760-08b5-42bb-a8d7-00d80b3bf47c" type="Person"><name>Paul Allgood</name>
<sort-name>Allgood, Paul</sort-name></artist></relation></relation-list></url></url-list></metadata>"""


@pytest.mark.parametrize("alone", [True, False])
def test_addresses_in_xml(alone: bool, line: Any) -> None:
    body = re.sub(rb"</?url-list.*?>", b"", URLS) if alone else URLS
    keys = [{"discogs_id": "1"}, {"discogs_id": "2"}][: 1 if alone else 2]
    answers, _ = ask_many(line, "artist_by_discogs", keys, {"/ws/2/url": body})
    assert found_in(answers)[0] == "05d83760-08b5-42bb-a8d7-00d80b3bf47c"
    assert found_in(answers, "name")[0] == "Paul Allgood"


# --- releases ------------------------------------------------------------------------------------------------------


def test_a_release_of_several_media(ask: Any, told: Any) -> None:
    def track(number: int, title: str, **more: Any) -> dict[str, Any]:
        return {"id": "t", "position": number, "number": f"A{number}", "title": title, "length": None, **more}

    first = {
        "position": 1,
        "format": "CD",
        "pregap": track(0, "Hidden", recording={"id": mbid(9), "title": "Hidden"}),
        "tracks": [
            track(1, "One", recording={"id": mbid(1), "title": "One", "length": 1000, "isrcs": ["GBAAA9400117"]}),
            track(2, "", recording={"id": mbid(2), "title": "Two", "isrcs": [], "video": False}),
        ],
        "data-tracks": [track(3, "Clip", length=3000, recording={"id": mbid(3), "title": "Clip", "video": True})],
    }
    second = {"position": 2, "format": "DVD-Video", "title": "", "tracks": [track(1, "Film", recording={})]}
    reply = {
        "id": MBID,
        "title": "Album",
        "date": "",
        "barcode": "",
        "release-events": [{"date": "2001-02-03", "area": None}, {"date": "2001", "area": {}}, {"date": ""}],
        "label-info": [{"catalog-number": "1", "label": None}, {"label": {"name": "[no label]"}}],
        "cover-art-archive": {"front": False, "artwork": True, "count": 1},
        "release-group": {"id": mbid(8), "first-release-date": ""},
        "media": [first, second, {"position": 3, "format": None, "track-count": 4}],
    }
    found = told(ask(SOURCE, "release", {"musicbrainz_release_id": MBID}, {f"/release/{MBID}": reply}))
    assert found == {
        "musicbrainz_release_id": MBID,
        "musicbrainz_release_group_id": mbid(8),
        "title": "Album",
        "release_date": "2001",
        "tracklist": [
            {"position": 1, "title": "One", "duration_ms": 1000, "isrc": "GBAAA9400117", "musicbrainz_id": mbid(1)},
            {"position": 2, "title": "Two", "musicbrainz_id": mbid(2)},
            {"position": 3, "title": "Clip", "duration_ms": 3000, "musicbrainz_id": mbid(3)},
            {"position": 4, "title": "Film"},
        ],
    }


@pytest.mark.parametrize("status", ["Official", "Promotion"])
def test_of_equal_releases_the_one_that_people_mean(status: str, ask: Any, told: Any) -> None:
    credit = [{"name": "A", "artist": {"id": MBID, "name": "A"}}]
    rows = [
        {"id": mbid(1), "title": "Album", "status": "Bootleg", "date": "1990", "artist-credit": credit},
        {"id": mbid(2), "title": "Album", "status": "Official", "date": "2004", "artist-credit": credit},
        {"id": mbid(3), "title": "Album", "status": status, "date": "1994", "artist-credit": credit},
    ]
    found = told(
        ask(SOURCE, "release_search", {"artist_name": "A", "title": "Album"}, {"/release": {"releases": rows}})
    )
    assert found["musicbrainz_release_id"] == (mbid(3) if status == "Official" else mbid(2))


def test_a_region_tells_its_country(ask: Any, told: Any) -> None:
    area = {"name": "Scotland", "iso-3166-2-codes": ["GB-SCT"]}
    artist = {"id": MBID, "name": "A", "area": area, "begin-area": {"name": "Oslo", "iso-3166-1-codes": ["NO"]}}
    found = told(ask(SOURCE, "artist", {"musicbrainz_id": MBID}, {f"/{MBID}": artist}))
    assert (found["country"], found["country_code"]) == ("United Kingdom", "GB")


# --- XML -----------------------------------------------------------------------------------------------------------

XML = """<?xml version="1.0"?><metadata xmlns="http://musicbrainz.org/ns/mmd-2.0#">
<artist id="8f6bd1e4-fbe1-4f50-aa9b-94c450ec0f11" type="Group"><name>Portishead</name><country>GB</country>
<area id="8a754a16-0027-3a29-b6d7-2b40ea0481ed"><name>United Kingdom</name>
<iso-3166-1-code-list><iso-3166-1-code>GB</iso-3166-1-code></iso-3166-1-code-list></area>
<alias-list count="1"><alias sort-name="Portis Head">Portis Head</alias></alias-list>
<genre-list><genre count="13" id="x"><name>trip hop</name></genre></genre-list>
<relation-list target-type="url"><relation type="discogs" type-id="x"><target id="y">https://www.discogs.com/artist/3857</target>
</relation><relation type="myspace"><target id="z">https://myspace.com/x</target><ended>true</ended></relation></relation-list>
</artist></metadata>"""


def test_xml_says_the_same_as_json(ask: Any, told: Any) -> None:
    mbid = "8f6bd1e4-fbe1-4f50-aa9b-94c450ec0f11"
    reply = Reply(200, {"content-type": "application/xml; charset=utf-8"}, XML.encode())
    assert told(ask(SOURCE, "artist", {"musicbrainz_id": mbid}, {f"/artist/{mbid}": reply})) == {
        "musicbrainz_id": mbid,
        "name": "Portishead",
        "country": "United Kingdom",
        "country_code": "GB",
        "aliases": ["Portis Head"],
        "genres": ["trip hop"],
        "external_urls": {"discogs": "https://www.discogs.com/artist/3857"},
        "discogs_id": "3857",
    }


ISRC = b"""<?xml version="1.0" encoding="UTF-8"?><metadata xmlns="http://musicbrainz.org/ns/mmd-2.0#">
<isrc id="JPA600102460"><recording-list count="1"><recording id="487cac92-eed5-4efa-8563-c9a818079b9a">
<title>HELLO!</title><length>213106</length><first-release-date>2001-07-04</first-release-date>
<video>true</video></recording></recording-list></isrc></metadata>"""


def test_an_isrc_in_xml(ask: Any, told: Any) -> None:
    assert told(ask(SOURCE, "isrc", {"isrc": "JPA600102460"}, {"/isrc/JPA600102460": ISRC})) == {
        "musicbrainz_id": "487cac92-eed5-4efa-8563-c9a818079b9a",
        "title": "HELLO!",
        "duration_ms": 213106,
        "isrc": "JPA600102460",
        "release_date": "2001-07-04",
    }


def test_a_search_in_xml_says_how_many_there_are(recorded: Path, line: Any) -> None:
    body = next((recorded / "musicbrainz").glob("*_search-recording.xml")).read_bytes()
    keys = [{"artist_name": "Dynamo Go", "title": title} for title in ("Thief of Hearts", "Nothing of Theirs")]
    answers, _ = ask_many(line, "search", keys, {"/recording": body})
    assert found_in(answers) == ["cb4d4d70-930c-4d1a-a157-776de18be66a", Outcome.OVER_BUDGET]


@pytest.mark.parametrize(
    "body", [b"<html><body/></html>", b"<metadata>", b"", b"\xff\xfe", b"<?xml version='1.0' encoding='x'?><a/>"]
)
def test_other_xml_is_unreadable(body: bytes) -> None:
    with pytest.raises(ValueError, match="XML"):
        from_xml(body)


def recorded_bodies(folder: Path, pattern: str) -> list[tuple[str, bytes]]:
    return [
        (match[1], path.read_bytes()) for path in sorted(folder.iterdir()) if (match := re.search(pattern, path.name))
    ]


def test_recorded_artists(recorded: Path, ask: Any, told: Any) -> None:
    bodies = recorded_bodies(recorded / "musicbrainz", r"data_artist_([0-9a-f-]{36})")
    found = {
        mbid: told(ask(SOURCE, "artist", {"musicbrainz_id": mbid}, {f"/artist/{mbid}": body})) for mbid, body in bodies
    }
    assert len(found) == 3
    exo = found["b3785a55-2cf6-497d-b8e3-cfa21a36f997"]
    assert (exo["name"], exo["country"], exo["country_code"]) == ("EXO", "South Korea", "KR")
    prokofiev = found["0e43fe9d-c472-4b62-be9e-55f971a023e1"]
    assert (prokofiev["country_code"], prokofiev["country"]) == ("RU", "Russia")
    assert len(prokofiev["aliases"]) == 28


def test_recorded_releases(recorded: Path, ask: Any, told: Any) -> None:
    bodies = recorded_bodies(recorded / "musicbrainz", r"data_release_([0-9a-f-]{36})")
    assert len(bodies) == 8
    for mbid, body in bodies:
        found = told(ask(SOURCE, "release", {"musicbrainz_release_id": mbid}, {f"/release/{mbid}": body}))
        assert found["musicbrainz_release_id"] == mbid
        assert found["title"]
        assert body.count(b"</track>") == len(found.get("tracklist", []))  # what hides in a pregap is not counted
    suzuki = told(
        ask(
            SOURCE,
            "release",
            {"musicbrainz_release_id": bodies[6][0]},
            {f"/release/{bodies[6][0]}": bodies[6][1]},
        )
    )
    assert suzuki["barcode"] == "029156150346"
    assert suzuki["artist_name"] == "Suzuki Method International"
    assert suzuki["tracklist"][0] == {
        "position": 1,
        "title": "Ecossaise",
        "duration_ms": 195040,
        "musicbrainz_id": "c66bda20-4efe-4589-b643-f247c17de337",
    }


def test_recorded_searches(recorded: Path, ask: Any, told: Any) -> None:
    folder = recorded / "musicbrainz"
    body = {kind: next(folder.glob(f"*_search-{kind}.xml")).read_bytes() for kind in ("recording", "artist", "release")}
    keys = {"artist_name": "Dynamo Go", "title": "Thief of Hearts"}
    track = told(ask(SOURCE, "search", keys, {"/recording/": body["recording"]}))
    assert track["musicbrainz_id"] == "cb4d4d70-930c-4d1a-a157-776de18be66a"
    assert track["duration_ms"] == 198586
    assert track["release_date"] == "2006-11-03"
    assert track["album.title"] == "Folly, Vice & Madness"
    assert track["performer.musicbrainz_id"] == "952a4205-023d-4235-897c-6fdb6f58dfaa"
    artist = told(ask(SOURCE, "artist_search", {"name": "Dynamo Go"}, {"/artist/": body["artist"]}))
    assert artist["country_code"] == "NZ"
    keys = {"artist_name": "Dynamo Go", "title": "Affordable Pop Music"}
    album = told(ask(SOURCE, "release_search", keys, {"/release/": body["release"]}))
    assert album["barcode"] == "9421021463277"
    assert album["label"] == "Waysafe"
    assert album["musicbrainz_release_group_id"] == "6561c223-18e6-3b88-9adc-a701700fc91e"


def test_recorded_recording(recorded: Path, ask: Any, told: Any) -> None:
    ((mbid, body),) = recorded_bodies(recorded / "musicbrainz", r"data_recording_([0-9a-f-]{36})")
    found = told(ask(SOURCE, "recording", {"musicbrainz_id": mbid}, {f"/recording/{mbid}": body}))
    assert found == {"musicbrainz_id": mbid, "title": "Shades of Gray", "duration_ms": 259600}
