from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from enrichment.domain.outcomes import Outcome, Verdict
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


def test_the_path_of_a_mirror_is_kept(line: Any) -> None:
    replay = line(SOURCE, {f"/recording/{MBID}": {"id": MBID}}, "http://127.0.0.1:8000/musicbrainz")
    SOURCE.ask(SOURCE.question("recording"), [Ask(1, {"musicbrainz_id": MBID})], SOURCE.client(replay))
    (sent,) = replay.sent
    assert sent.url.startswith(f"http://127.0.0.1:8000/musicbrainz/ws/2/recording/{MBID}?")
    assert "fmt=json" in sent.url
    assert "user-agent" not in sent.headers


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
