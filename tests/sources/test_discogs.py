from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from enrichment import bootstrap, settings
from enrichment.domain.outcomes import Outcome, Verdict
from enrichment.sources.base import Ask, Reply
from enrichment.sources.discogs import Discogs, plain_text

SOURCE = Discogs()
PREFIX = "discogs_client__discogs_client_tests_res_"


@pytest.fixture(name="reply_of")
def _reply_of(recorded: Path) -> Any:
    """reply_of("artists_1"): a recorded body."""
    return lambda name: json.loads((recorded / "discogs" / f"{PREFIX}{name}.json").read_text())


def release(**fields: Any) -> dict[str, Any]:
    return {"/releases/1": {"id": 1, "title": "Stockholm", **fields}}


def hit(number: int, title: str, **fields: Any) -> dict[str, Any]:
    return {"type": "release", "id": number, "title": title, "master_id": 0, "uri": f"/release/{number}", **fields}


def hits(*found: dict[str, Any]) -> dict[str, Any]:
    pagination = {"page": 1, "pages": 1, "per_page": 50, "items": len(found), "urls": {}}
    return {"/database/search": {"pagination": pagination, "results": list(found)}}


@pytest.mark.parametrize(
    ("reply", "verdict", "wait"),
    [
        (Reply(200, {}, b"{}"), Verdict.ANSWER, None),
        (Reply(404, {}, b'{"message": "Release not found."}'), Verdict.ANSWER, None),
        (Reply(429, {}, b'{"message": "You are making requests too quickly."}'), Verdict.OUR_RATE, 60),
        (Reply(429, {"retry-after": "7"}, b""), Verdict.OUR_RATE, 7),
        (Reply(401, {}, b'{"message": "Invalid consumer token."}'), Verdict.REFUSED, None),
        (Reply(403, {}, b"<html>"), Verdict.REFUSED, None),
        (Reply(500, {}, b'{"message": "Query time exceeded. Please try a simpler query."}'), Verdict.FAILING, None),
        (
            Reply(500, {}, b'{"message": "An internal server error occurred. (Malformed query?)"}'),
            Verdict.BAD_REQUEST,
            None,
        ),
        (Reply(502, {}, b"<html>"), Verdict.FAILING, None),
        (Reply(422, {}, b'{"message": "Invalid per_page."}'), Verdict.BAD_REQUEST, None),
    ],
)
def test_judgement(reply: Reply, verdict: Verdict, wait: float | None) -> None:
    judgement = SOURCE.judge(reply)
    assert (judgement.verdict, judgement.retry_after) == (verdict, wait)


def test_a_token_permits_more() -> None:
    urls = {"LINERNOTES_DATABASE_URL": "postgresql://h/d", "LINERNOTES_REDIS_URL": "redis://h"}
    for secrets, documented in (({}, 25), ({"DISCOGS_TOKEN": "t0ken-of-mine"}, 60)):
        fleet = bootstrap.build(settings.load(urls | secrets))
        (limit,) = fleet.limiter.budget("discogs").limits
        assert 0.9 <= limit.rate * 60 / documented <= 0.95
        assert limit.burst + limit.rate * 60 <= documented
        asked = {question.name for question in fleet.questions["discogs"]}
        assert ("album_search" in asked) is bool(secrets), "searches need a token"
        assert {"album", "artist"} <= asked


def test_the_token_is_in_a_header_alone(line: Any) -> None:
    replay = line(SOURCE, release())
    SOURCE.ask(SOURCE.question("album"), [Ask(1, {"discogs_id": "1"})], SOURCE.client(replay))
    (sent,) = replay.sent
    assert sent.headers["authorization"] == "Discogs token=secret of DISCOGS_TOKEN"
    assert "token" not in sent.url
    replay.secrets = {}
    replay.sent.clear()
    SOURCE.ask(SOURCE.question("album"), [Ask(1, {"discogs_id": "1"})], SOURCE.client(replay))
    assert "authorization" not in replay.sent[0].headers


def test_pictures_alone_are_restricted() -> None:
    kept = {name: SOURCE.terms.seconds_of(name) for name in ("images", "cover_art_url", "image_url", "label", "title")}
    six_hours = 6 * 3600
    assert kept == {
        "images": six_hours,
        "cover_art_url": six_hours,
        "image_url": six_hours,
        "label": None,
        "title": None,
    }


@pytest.mark.parametrize(
    ("given", "path"),
    [("1", "/releases/1"), ("r1", "/releases/1"), ("m1", "/masters/1"), ("x1", ""), ("../identity", ""), ("", "")],
)
def test_a_master_is_marked(given: str, path: str, line: Any, told: Any) -> None:
    replay = line(SOURCE, {path: {"id": 1, "title": "Stockholm", "year": 1999}} if path else {})
    (answer,) = SOURCE.ask(SOURCE.question("album"), [Ask(1, {"discogs_id": given})], SOURCE.client(replay))
    if path:
        assert told(answer) == {"discogs_id": given.lstrip("r"), "title": "Stockholm", "release_date": "1999"}
    else:
        assert (answer.outcome, replay.sent) == (Outcome.NOTHING_FOUND, [])


def test_an_artist_is_a_number(line: Any) -> None:
    replay = line(SOURCE, {})
    (answer,) = SOURCE.ask(SOURCE.question("artist"), [Ask(1, {"discogs_id": "1/releases"})], SOURCE.client(replay))
    assert (answer.outcome, replay.sent) == (Outcome.NOTHING_FOUND, [])


@pytest.mark.parametrize(
    ("released", "year", "known"),
    [
        ("1999-03-00", 1999, "1999-03"),
        ("1999-00-00", 1999, "1999"),
        ("1999-07-13", 1999, "1999-07-13"),
        ("1999", 1999, "1999"),
        ("?", 1999, "1999"),
        ("", "1999", "1999"),
        (None, 1999, "1999"),
        ("", 0, None),
    ],
)
def test_dates(released: Any, year: Any, known: str | None, ask: Any, told: Any) -> None:
    found = told(ask(SOURCE, "album", {"discogs_id": "1"}, release(released=released, year=year)))
    assert found.get("release_date") == known


def test_names(ask: Any, told: Any) -> None:
    for written, name in (
        ("Chicago (2)", "Chicago"),
        ("Force, The (23)", "The Force"),
        ("Persuader, The", "The Persuader"),
        ("Tim Brown (32)", "Tim Brown"),
        ("B*Witched", "B*Witched"),
        ("Opus III (Live)", "Opus III (Live)"),
        ("Band  (1999)", "Band (1999)"),
    ):
        reply = {"/artists/1": {"id": 1, "name": written}}
        assert told(ask(SOURCE, "artist", {"discogs_id": "1"}, reply)) == {"discogs_id": "1", "name": name}


def test_credits_are_joined_as_written(ask: Any, told: Any) -> None:
    artists = [
        {"name": "Emerson (2)", "join": ",", "id": 5},
        {"name": "Lake", "join": "&", "id": 6},
        {"name": "Palmer", "join": "Feat.", "id": 7},
        {"name": "Guest, The (3)", "join": "", "id": 8},
    ]
    found = told(ask(SOURCE, "album", {"discogs_id": "1"}, release(artists=artists)))
    assert found["artist_name"] == "Emerson, Lake & Palmer Feat. The Guest"
    assert (found["performer.discogs_id"], found["performer.name"]) == ("5", "Emerson")
    found = told(ask(SOURCE, "album", {"discogs_id": "1", "artist_name": "Another"}, release(artists=artists)))
    assert "performer.name" not in found


def test_labels_and_barcodes(ask: Any, told: Any) -> None:
    def found(labels: list[str], codes: list[str]) -> tuple[Any, Any]:
        identifiers = [{"type": "Matrix / Runout", "value": "042282855329"}]
        identifiers += [{"type": "Barcode", "value": code} for code in codes]
        fields = release(labels=[{"name": name} for name in labels], identifiers=identifiers)
        about = told(ask(SOURCE, "album", {"discogs_id": "1"}, fields))
        return about.get("label"), about.get("barcode")

    assert found(["Svek (2)", "Other"], ["7 2438 32448-1 2 >"]) == ("Svek", "724383244812")
    assert found(["Not On Label (Some Self-released)"], ["none", "0 42282 85532 8", "0 42282 85532 9"]) == (
        None,
        "042282855329",
    )
    assert found([], ["5924000351"]) == (None, "5924000351"), "no sound one: what is printed"
    assert found([], ["none"]) == (None, None)


def test_tracks_of_all_kinds(ask: Any, told: Any) -> None:
    def rows(*tracklist: dict[str, Any]) -> list[dict[str, Any]]:
        tracks = told(ask(SOURCE, "album", {"discogs_id": "1"}, release(tracklist=list(tracklist)))).get(
            "tracklist", []
        )
        assert [track["position"] for track in tracks] == list(range(1, len(tracks) + 1))
        return [{name: value for name, value in track.items() if name != "position"} for track in tracks]

    heading = {"position": "", "title": "This Side", "duration": ""}
    track = {"position": "A1", "title": "One", "duration": "1:02:33"}
    assert rows(heading, track) == [{"title": "One", "duration_ms": 3_753_000}], "old replies do not mark headings"
    assert rows({**heading, "type_": "heading"}, {**track, "duration": "0:00"}) == [{"title": "One"}]
    assert rows(heading) == [{"title": "This Side"}], "where no track has a place, none is a heading"
    parts = [{"position": "1.1", "title": "I", "duration": "2:00"}, {"position": "1.2", "title": "II"}]
    suite = {"type_": "index", "title": "Suite", "sub_tracks": parts}
    assert rows({**suite, "position": ""}, track)[:2] == [{"title": "I", "duration_ms": 120_000}, {"title": "II"}]
    assert rows({**suite, "position": "1", "duration": "9:00"}) == [{"title": "Suite", "duration_ms": 540_000}]
    for strange in ("5'08", "5:8", "soon", None, 308):
        assert rows({**track, "duration": strange}) == [{"title": "One"}]


def test_pictures_without_an_address_are_none(ask: Any, told: Any) -> None:
    images = [{"type": "primary", "uri": "", "resource_url": "", "uri150": "", "width": 600, "height": 600}]
    assert "images" not in told(ask(SOURCE, "album", {"discogs_id": "1"}, release(images=images)))
    blank = "https://st.discogs.com/0123/images/spacer.gif"
    reply = hits({"type": "artist", "id": 5, "title": "Lone", "thumb": "", "cover_image": blank, "uri": "/artist/5"})
    assert told(ask(SOURCE, "artist_search", {"name": "Lone"}, reply)) == {
        "discogs_id": "5",
        "name": "Lone",
        "external_urls": {"discogs": "https://www.discogs.com/artist/5"},
    }


def test_links_as_people_wrote_them(ask: Any, told: Any) -> None:
    urls = [
        "http://www.some-label.com/",
        "http://[broken",
        "www.joshwink.com",
        " http://soundcloud.com/joshwink ",
        "http://www.discogs.com/artist/4",
        "https://www.deezer.com/artist/27",
    ]
    reply = {"/artists/3": {"id": 3, "name": "Josh Wink", "urls": urls}}
    found = told(ask(SOURCE, "artist", {"discogs_id": "3"}, reply))
    assert found["external_urls"] == {
        "homepage": "http://www.joshwink.com",
        "soundcloud": "http://soundcloud.com/joshwink",
        "deezer": "https://www.deezer.com/artist/27",
    }
    assert (found["discogs_id"], found["deezer_id"]) == ("3", "27")


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("[b]Label owner:[/b] [a=Carl Craig (2)].\r\n", "Label owner: Carl Craig."),
        ("Of [A=Force, The] and [l=R & S Records]", "Of The Force and R & S Records"),
        ("With [a7] on [a=8] and [a9], see [m4242] ([r=1])", "With Seven on Eight and, see"),
        ("[url=http://x.org/?a=[b]1]Home[/url] [i]now[/i] [img=http://x.org/p.png]", "1]Home now"),
        ("[url]http://x.org[/url], by [u=somebody]", "http://x.org, by somebody"),
        ("[sic] and [1999]", "[sic] and [1999]"),
    ],
)
def test_markup(marked: str, plain: str) -> None:
    assert plain_text(marked, {"7": "Seven (2)", "8": "Eight"}) == plain


def test_of_an_album_the_first_pressing_is_told(ask: Any, told: Any) -> None:
    keys = {"artist_name": "Portishead", "title": "Dummy"}
    master = hit(9, "Portishead - Dummy", type="master", master_id=9, year="1993", label=["Go! Beat"])
    late = hit(1, "Portishead - Dummy", master_id=9, year="2008")
    first = hit(2, "Portishead (2) - Dummy", master_id=9, year="1994", label="Go! Beat (3)", barcode=["GO-1", "1234"])
    other = hit(3, "Portishead* - Dummy", year="1991")
    found = told(ask(SOURCE, "album_search", keys, hits(late, other, master, first)))
    assert found == {
        "discogs_id": "2",
        "title": "Dummy",
        "artist_name": "Portishead",
        "label": "Go! Beat",
        "release_date": "1993",
        "external_urls": {"discogs": "https://www.discogs.com/release/2"},
    }
    found = told(ask(SOURCE, "album_search", keys, hits(master)))
    assert (found["discogs_id"], found["label"]) == ("m9", "Go! Beat")
    found = told(ask(SOURCE, "album_search", keys, hits(late, other)))
    assert found["discogs_id"] == "3"


def test_hits_that_are_another_album(ask: Any) -> None:
    keys = {"artist_name": "Portishead", "title": "Dummy"}
    live = hit(1, "Portishead - Dummy (Live In Bristol)")
    cover = hit(2, "Karaoke Hit Machine - Dummy")
    label = {"type": "label", "id": 3, "title": "Dummy", "uri": "/label/3"}
    for found in ((), (live,), (cover,), (label,), (live, cover, label)):
        assert ask(SOURCE, "album_search", keys, hits(*found)).outcome is Outcome.NOTHING_FOUND


def test_dashes_in_names(ask: Any, told: Any) -> None:
    reply = hits(hit(1, "Jay - Z - Live - Part 1"))
    found = told(ask(SOURCE, "album_search", {"artist_name": "Jay - Z", "title": "Live - Part 1"}, reply))
    assert (found["artist_name"], found["title"]) == ("Jay - Z", "Live - Part 1")


def test_compilations(line: Any, told: Any) -> None:
    replay = line(SOURCE, hits(hit(1, "Various - Speicher")))
    keys = {"artist_name": "Various Artists", "title": "Speicher"}
    (answer,) = SOURCE.ask(SOURCE.question("album_search"), [Ask(1, keys)], SOURCE.client(replay))
    assert told(answer)["discogs_id"] == "1"
    assert "artist=Various&" in replay.sent[0].url


def test_a_barcode_of_something_else_is_not_taken(ask: Any, told: Any) -> None:
    reply = hits(hit(1, "Another - Thing"), hit(2, "Portishead - Dummy"))
    keys = {"barcode": "0 42282 85532 9", "artist_name": "Portishead", "title": "Dummy"}
    assert told(ask(SOURCE, "album_barcode", keys, reply))["discogs_id"] == "2"
    assert told(ask(SOURCE, "album_barcode", {"barcode": "042282855329"}, reply))["discogs_id"] == "1"
    assert ask(SOURCE, "album_barcode", keys, hits(hit(1, "Another - Thing"))).outcome is Outcome.NOTHING_FOUND
    assert ask(SOURCE, "album_barcode", {"barcode": "none"}, reply).note == "not a barcode"


def test_of_several_performers_of_one_name_none_is_taken(ask: Any, told: Any) -> None:
    def artist(number: int, title: str) -> dict[str, Any]:
        return {"type": "artist", "id": number, "title": title, "uri": f"/artist/{number}"}

    answer = ask(SOURCE, "artist_search", {"name": "Chicago"}, hits(artist(1, "Chicago"), artist(2, "Chicago (2)")))
    assert (answer.outcome, answer.note) == (Outcome.NOTHING_FOUND, "2 performers of this name")
    reply = hits(artist(2, "Chicago (2)"), artist(3, "Chicago Transit"), hit(4, "Chicago - Chicago"))
    assert told(ask(SOURCE, "artist_search", {"name": "Chicago"}, reply))["discogs_id"] == "2"


@pytest.mark.parametrize("question", [question.name for question in SOURCE.questions])
def test_not_found_and_an_error_in_a_good_reply(question: str, line: Any) -> None:
    known = {"discogs_id": "1", "barcode": "042282855329", "artist_name": "A", "title": "B", "name": "A"}
    asked = SOURCE.question(question)
    asks = [Ask(1, {name: known[name] for name in asked.needs})]
    for body in (b'{"message": "Release not found."}', b"<html>", b"[]"):
        client = SOURCE.client(line(SOURCE, {"": Reply(404, {}, body)}))
        assert SOURCE.ask(asked, asks, client)[0].outcome is Outcome.NOTHING_FOUND
    for content in ({"message": "Something went wrong."}, [], {"id": 1}):
        client = SOURCE.client(line(SOURCE, {"": content}))
        with pytest.raises((ValueError, KeyError, TypeError)):
            SOURCE.ask(asked, asks, client)


RECORDED = (
    *("artists_1", "artists_2", "artists_3", "masters_4242"),
    *("releases_1", "releases_2", "releases_3", "releases_79", "releases_3329867"),
)


@pytest.mark.parametrize("name", RECORDED)
def test_every_field_of_the_recorded(name: str, reply_of: Any, line: Any, told: Any) -> None:
    kind, number = name.split("_")
    question, given = "artist" if kind == "artists" else "album", f"m{number}" if kind == "masters" else number
    content = reply_of(name)
    replay = line(SOURCE, {name.replace("_", "/"): content})
    (answer,) = SOURCE.ask(SOURCE.question(question), [Ask(1, {"discogs_id": given})], SOURCE.client(replay))
    found = told(answer)
    holds = {
        "discogs_id": True,
        "name": content.get("name"),
        "aliases": content.get("aliases") or content.get("namevariations"),
        "biography": content.get("profile"),
        "image_url": question == "artist" and content.get("images"),
        "external_urls": content.get("urls"),
        "title": content.get("title"),
        "artist_name": content.get("artists"),
        "performer.discogs_id": content.get("artists"),
        "performer.name": content.get("artists"),
        "label": [label for label in content.get("labels", ()) if label["name"] != "Not On Label"],
        "barcode": [code for code in content.get("identifiers", ()) if code["type"] == "Barcode"],
        "release_date": content.get("released") or content.get("year"),
        "genres": content.get("genres"),
        "cover_art_url": question == "album" and content.get("images"),
        "images": content.get("images"),
        "tracklist": content.get("tracklist"),
    }
    assert set(found) == {field for field, there in holds.items() if there}
    assert len(found.get("tracklist", ())) == len(content.get("tracklist", ()))
    assert len(found.get("images", ())) == len(content.get("images", ()))
    assert len(replay.sent) == 1


def test_recorded_values(reply_of: Any, ask: Any, told: Any) -> None:
    stockholm = told(ask(SOURCE, "album", {"discogs_id": "1"}, {"/releases/1": reply_of("releases_1")}))
    assert (stockholm["artist_name"], stockholm["label"]) == ("The Persuader", "Svek")
    assert (stockholm["release_date"], stockholm["genres"]) == ("1999-03", ["electronic", "deep house"])
    assert stockholm["cover_art_url"] == "https://api.discogs.com/image/R-1-1193812031.jpeg"
    assert stockholm["tracklist"][0] == {"position": 1, "title": "Östermalm", "duration_ms": 285_000}
    wink = told(ask(SOURCE, "artist", {"discogs_id": "3"}, {"/artists/3": reply_of("artists_3")}))
    assert wink["image_url"] == "https://api.discogs.com/image/A-3-1237576157.jpeg", "the primary one, not the first"
    assert "After forming Ovum Recordings as" in wink["biography"]
    assert {"The Crusher", "Accent", "Winx"} <= set(wink["aliases"])
    assert wink["external_urls"]["homepage"] == "http://www.joshwink.com/"


def test_recorded_searches(reply_of: Any, ask: Any, told: Any) -> None:
    reply = {"/database/search": reply_of("database_search_artist=trash80&title=icarus&per_page=50&page=1")}
    album = told(ask(SOURCE, "album_search", {"artist_name": "Trash80", "title": "Hologram"}, reply))
    assert album == {
        "discogs_id": "480740",
        "title": "Hologram",
        "artist_name": "Trash80",
        "label": "8bitpeoples",
        "genres": ["electronic", "chiptune"],
        "release_date": "2003",
        "external_urls": {"discogs": "https://www.discogs.com/Trash80-Hologram/release/480740"},
        "cover_art_url": "https://api.discogs.com/image/R-90-480740-1149028432.gif",
        "images": [{"url": "https://api.discogs.com/image/R-90-480740-1149028432.gif"}],
    }
    for artist, title, number in (
        ("Trash80", "Icarus", "1743771"),
        ("Trash80, Dma-Sc", "Darwinia Soundtrack", "3329867"),
        ("Various Artists", "8BP050", "915735"),
    ):
        found = told(ask(SOURCE, "album_search", {"artist_name": artist, "title": title}, reply))
        assert found["discogs_id"] == number
    artist = told(ask(SOURCE, "artist_search", {"name": "trash80"}, reply))
    assert (artist["discogs_id"], artist["name"]) == ("95780", "Trash80")
