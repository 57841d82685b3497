from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from enrichment.domain.outcomes import Outcome, Verdict
from enrichment.sources.base import Ask, NoAnswer, Reply
from enrichment.sources.theaudiodb import KEY, TheAudioDB

SOURCE = TheAudioDB()
MBID = "5ccb9a53-092d-4806-b337-470a582893d7"
HTML = b'<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN"><html><head><title>404</title></head></html>'
KNOWN = {
    "musicbrainz_id": MBID,
    "musicbrainz_release_group_id": MBID,
    "artist_name": "Lit",
    "name": "Lit",
    "title": "My Own Worst Enemy",
}


@pytest.mark.parametrize(
    ("reply", "verdict", "wait"),
    [
        (Reply(200, {}, b'{"artists":null}'), Verdict.ANSWER, None),
        (Reply(429, {"content-type": "text/html"}, HTML), Verdict.OUR_RATE, 60),
        (Reply(429, {"retry-after": "7"}, b""), Verdict.OUR_RATE, 7),
        (Reply(404, {"content-type": "text/html"}, HTML), Verdict.REFUSED, None),
        (Reply(404, {}, b"\r\n" + HTML), Verdict.REFUSED, None),
        (Reply(404, {"content-type": "application/json"}, b'{"artists":null}'), Verdict.ANSWER, None),
        (Reply(403, {}, b""), Verdict.REFUSED, None),
        (Reply(502, {"content-type": "text/html"}, HTML), Verdict.FAILING, None),
    ],
)
def test_judgement(reply: Reply, verdict: Verdict, wait: float | None) -> None:
    judgement = SOURCE.judge(reply)
    assert (judgement.verdict, judgement.retry_after) == (verdict, wait)


@pytest.mark.parametrize("question", [question.name for question in SOURCE.questions])
@pytest.mark.parametrize("nothing", [None, []])
def test_null_is_nothing_found(question: str, nothing: Any, ask: Any) -> None:
    reply = {"artists": nothing, "album": nothing, "track": nothing}
    assert ask(SOURCE, question, KNOWN, {".php": reply}).outcome is Outcome.NOTHING_FOUND


@pytest.mark.parametrize("question", [question.name for question in SOURCE.questions])
@pytest.mark.parametrize("reply", [{}, {"Message": "x"}, dict.fromkeys(("artists", "album", "track"), "None")])
def test_what_says_neither_is_unreadable(question: str, reply: Any, line: Any) -> None:
    client = SOURCE.client(line(SOURCE, {".php": reply}))
    with pytest.raises((KeyError, TypeError)):
        SOURCE.ask(SOURCE.question(question), [Ask(1, KNOWN)], client)


def test_an_unknown_key_is_refused(line: Any) -> None:
    client = SOURCE.client(line(SOURCE, {".php": Reply(404, {"content-type": "text/html"}, HTML)}))
    with pytest.raises(NoAnswer) as caught:
        SOURCE.ask(SOURCE.question("artist"), [Ask(1, KNOWN)], client)
    assert caught.value.judgement.verdict is Verdict.REFUSED


@pytest.mark.parametrize("keys", [{}, {KEY: "private"}], ids=["public", "own"])
def test_the_key_stands_in_the_path_as_a_mark(keys: dict[str, str], line: Any) -> None:
    replay = line(SOURCE, {"search.php": {"artists": None}})
    replay.secrets = keys
    SOURCE.ask(SOURCE.question("artist_search"), [Ask(1, {"name": "AC/DC & co"})], SOURCE.client(replay))
    (sent,) = replay.sent
    folder = f"https://www.theaudiodb.com/api/v1/json/{'~THEAUDIODB_API_KEY~' if keys else '123'}"
    assert sent.url == f"{folder}/search.php?s=AC%2FDC+%26+co"


def test_what_is_no_mbid_is_not_asked_for(line: Any) -> None:
    replay = line(SOURCE, {})
    for question in ("track", "artist", "album"):
        keys = {"musicbrainz_id": "123", "musicbrainz_release_group_id": "123"}
        (answer,) = SOURCE.ask(SOURCE.question(question), [Ask(1, keys)], SOURCE.client(replay))
        assert answer.outcome is Outcome.NOTHING_FOUND
    assert replay.sent == []


def told_of(row: dict[str, Any], ask: Any, told: Any, kind: str = "artist") -> dict[str, Any]:
    pages = {"artist": ("artists", "idArtist"), "track": ("track", "idTrack"), "album": ("album", "idAlbum")}
    name, own_id = pages[kind]
    found: dict[str, Any] = told(ask(SOURCE, kind, KNOWN, {f"/{kind}-mb.php": {name: [{own_id: "1", **row}]}}))
    return found


@pytest.mark.parametrize(
    ("place", "code", "known"),
    [
        ("Fullerton", "US", ("United States", "US")),
        ("London, England", "gb", ("United Kingdom", "GB")),
        ("Michigan, USA", None, ("United States", "US")),
        ("Germany", "", ("Germany", "DE")),
        ("Fullerton", None, (None, None)),
        ("Fullerton", "ZZ", (None, None)),
        (None, None, (None, None)),
    ],
)
def test_a_place_is_not_a_country(place: Any, code: Any, known: tuple[Any, Any], ask: Any, told: Any) -> None:
    found = told_of({"strArtist": "Lit", "strCountry": place, "strCountryCode": code}, ask, told)
    assert (found.get("country"), found.get("country_code")) == known


@pytest.mark.parametrize(
    ("key", "open_key", "known"),
    [
        ("B", "6d", "B Major"),
        ("B", "1m", "A Minor"),
        ("Am", None, "A Minor"),
        ("C#m", "", "C# Minor"),
        ("Eb", "13d", "Eb Major"),
        ("loud", None, None),
        (None, "12M", "D Minor"),
    ],
)
def test_keys(key: Any, open_key: Any, known: str | None, ask: Any, told: Any) -> None:
    assert told_of({"strTrack": "A", "strKey": key, "strOpenKey": open_key}, ask, told, "track").get("key") == known


@pytest.mark.parametrize(("tempo", "known"), [("86", 86), ("0", None), ("", None), (None, None), ("x", None)])
def test_tempi(tempo: Any, known: float | None, ask: Any, told: Any) -> None:
    assert told_of({"strTrack": "A", "intTempo": tempo}, ask, told, "track").get("bpm") == known


def test_features_count_to_a_hundred(ask: Any, told: Any) -> None:
    zeros = dict.fromkeys(("intEnergy", "intValence"), "0")
    assert "audio_features" not in told_of({"strTrack": "A", **zeros}, ask, told, "track")
    given = {"intEnergy": "100", "intValence": "0", "intLiveness": None, "intSpeechiness": "250"}
    found = told_of({"strTrack": "A", **given}, ask, told, "track")
    assert found["audio_features"] == {"energy": 1.0, "valence": 0.0}


def test_links_as_members_write_them(ask: Any, told: Any) -> None:
    written = {"strWebsite": "", "strFacebook": "0", "strTwitter": "//twitter.com/lit", "strLastFMChart": "none yet"}
    assert told_of({"strArtist": "Lit", **written}, ask, told)["external_urls"] == {
        "twitter": "https://twitter.com/lit"
    }
    written = {"strWebsite": "http://soundcloud.com/lit", "strFacebook": "@lit"}
    assert told_of({"strArtist": "Lit", **written}, ask, told)["external_urls"] == {
        "soundcloud": "http://soundcloud.com/lit"
    }


def test_a_biography_in_any_language(ask: Any, told: Any) -> None:
    both = {"strBiographyDE": "Eine Band.", "strBiographyEN": "A band.", "strBiographyCN": None}
    assert told_of({"strArtist": "Lit", **both}, ask, told)["biography"] == "A band."
    both["strBiographyEN"] = ""
    assert told_of({"strArtist": "Lit", **both}, ask, told)["biography"] == "Eine Band."


def test_it_is_known_by_another_name(ask: Any, told: Any) -> None:
    rows = [{"idArtist": "1", "strArtist": "BTS", "strArtistAlternate": "방탄소년단"}]
    found = told(ask(SOURCE, "artist_search", {"name": "방탄소년단"}, {"search.php": {"artists": rows}}))
    assert (found["name"], found["aliases"]) == ("BTS", ["방탄소년단"])


def test_of_two_of_one_name_none_is_taken(ask: Any) -> None:
    rows = [{"idArtist": str(number), "strArtist": "Lit"} for number in (1, 2)]
    answer = ask(SOURCE, "artist_search", {"name": "Lit"}, {"search.php": {"artists": rows}})
    assert answer.outcome is Outcome.NOTHING_FOUND
    assert answer.note == "2 performers of this name"
    assert [each.id for each in answer.candidates] == ["1", "2"]


@pytest.mark.parametrize(
    ("known", "told_of_it"),
    [
        ({"country_code": "US"}, {"strCountryCode": "us"}),
        ({"labels": ["RCA Records", "Dirty Martini"]}, {"strLabel": "RCA Records"}),
        ({"external_urls": {"homepage": "https://litband.com/"}}, {"strWebsite": "www.litband.com"}),
    ],
)
def test_what_is_known_of_a_performer_tells_it_from_others(
    known: dict[str, Any], told_of_it: dict[str, str], ask: Any, told: Any
) -> None:
    rows = [
        {
            "idArtist": "1",
            "strArtist": "Lit",
            "strCountryCode": "DE",
            "strLabel": "Other",
            "strWebsite": "www.lit.test",
        },
        {"idArtist": "2", "strArtist": "Lit", "strBiographyEN": "This one.", **told_of_it},
    ]
    found = told(ask(SOURCE, "artist_search", {"name": "Lit", **known}, {"search.php": {"artists": rows}}))
    assert found["biography"] == "This one."


def test_somebody_else_is_not_taken(ask: Any) -> None:
    row = {"idTrack": "1", "strTrack": "Miserable", "strArtist": "Another Band"}
    answer = ask(SOURCE, "track_search", KNOWN, {"searchtrack.php": {"track": [row]}})
    assert answer.outcome is Outcome.NOTHING_FOUND


def test_the_recorded_artist(recorded: Path, ask: Any, told: Any) -> None:
    reply = json.loads((recorded / "theaudiodb" / "project2react__tadb_artist_lit.json").read_text("utf-8"))
    found = told(ask(SOURCE, "artist_search", {"name": "Lit"}, {"search.php": reply}))
    pictures = "https://www.theaudiodb.com/images/media/artist"
    biography = found.pop("biography")
    assert biography.startswith("Lit is an alternative rock band, based in Fullerton")
    assert found == {
        "name": "Lit",
        "musicbrainz_id": MBID,
        "genres": ["punk rock", "rock", "pop"],
        "country": "United States",
        "country_code": "US",
        "image_url": f"{pictures}/thumb/rqwyvu1382893981.jpg",
        "images": [
            {"url": f"{pictures}/thumb/rqwyvu1382893981.jpg", "width": 700, "height": 700},
            {"url": f"{pictures}/widethumb/rwprvp1531492152.jpg", "width": 1000, "height": 562},
            {"url": f"{pictures}/fanart/vssurs1382894499.jpg", "width": 1280, "height": 720},
        ],
        "external_urls": {
            "homepage": "https://www.litband.com",
            "facebook": "https://www.facebook.com/LitLounge",
            "twitter": "https://twitter.com/litbandofficial",
        },
    }
    assert told(ask(SOURCE, "artist", {"musicbrainz_id": MBID}, {"artist-mb.php": reply}))["name"] == "Lit"


def test_the_recorded_album(recorded: Path, ask: Any, told: Any) -> None:
    file = recorded / "theaudiodb" / "textindex_65799856829__tadb_searchalbum_cold.json"
    reply = json.loads(file.read_text("utf-8"))
    cover = "https://r2.theaudiodb.com/images/media/album/thumb/ryswwq1365749247.jpg"
    assert told(ask(SOURCE, "album_search", {"artist_name": "Cold", "title": "Cold"}, {"searchalbum.php": reply})) == {
        "title": "Cold",
        "artist_name": "Cold",
        "musicbrainz_release_group_id": "2493b51a-49b1-31c6-9cf8-3cab3990308c",
        "genres": ["alternative rock", "rock", "pop"],
        "release_date": "1998",
        "cover_art_url": cover,
        "images": [{"url": cover, "width": 700, "height": 700}],
        "external_urls": {
            "wikidata": "https://www.wikidata.org/wiki/Q1106287",
            "wikipedia": "https://en.wikipedia.org/wiki/Cold_(Cold_album)",
            "allmusic": "https://www.allmusic.com/album/mw0000030104",
            "discogs": "https://www.discogs.com/master/118392",
        },
        "performer.name": "Cold",
        "performer.musicbrainz_id": "d9a2f1e6-6429-41ce-9d32-9a66188fb39c",
    }


def test_the_quoted_miss(recorded: Path, ask: Any) -> None:
    reply = json.loads((recorded / "theaudiodb" / "quoted__audiodb_not_found.json").read_text("utf-8"))
    assert ask(SOURCE, "artist_search", {"name": "Lit"}, {"search.php": reply}).outcome is Outcome.NOTHING_FOUND
