from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import pytest

from enrichment.domain.outcomes import Answer, Outcome, Verdict
from enrichment.sources.base import Ask, NoAnswer, Reply
from enrichment.sources.spotify import Spotify

DEVELOPMENT = Spotify()
EXTENDED = Spotify({"mode": "extended"})
GRANDFATHERED = Spotify({"mode": "grandfathered"})
TOKEN = {"/api/token": {"access_token": "simulated", "token_type": "Bearer", "expires_in": 3600}}
FORBIDDEN = Reply(403, {}, b'{"error":{"status":403,"message":"Forbidden"}}')
GONE = Reply(404, {}, b'{"error":{"status":404,"message":"Service not found"}}')


def test_modes() -> None:
    assert [each.budget.per_day for each in (DEVELOPMENT, EXTENDED, GRANDFATHERED)] == [800, None, None]
    assert DEVELOPMENT.question("artist").calls == 5
    assert DEVELOPMENT.question("artist").batch == 1
    assert {name: EXTENDED.question(name).batch for name in ("track", "artist", "album", "search")} == {
        "track": 50,
        "artist": 50,
        "album": 20,
        "search": 1,
    }
    assert "popularity" not in DEVELOPMENT.question("track").gives
    assert "popularity" in EXTENDED.question("track").gives
    assert GRANDFATHERED.question("features").batch == 100
    assert {q.name for q in GRANDFATHERED.questions} - {"features"} == {q.name for q in EXTENDED.questions}
    with pytest.raises(ValueError, match="LINERNOTES_SPOTIFY_MODE"):
        Spotify({"mode": "free"})


@pytest.mark.parametrize(
    ("reply", "verdict", "wait"),
    [
        (
            Reply(429, {"retry-after": "48925"}, b'{"error":{"status":429,"reason":"QUOTA_EXCEEDED"}}'),
            Verdict.QUOTA,
            48925,
        ),
        (
            Reply(429, {"retry-after": "3"}, b'{"error":{"status":429,"message":"API rate limit exceeded"}}'),
            Verdict.OUR_RATE,
            3,
        ),
        (Reply(429, {}, b"Too many requests"), Verdict.OUR_RATE, None),
        (Reply(429, {"retry-after": "48925"}, b"Too many requests"), Verdict.QUOTA, 48925),
        (Reply(429, {}, b'{"error":{"status":429,"reason":"QUOTA_EXCEEDED"}}'), Verdict.QUOTA, None),
        (Reply(401, {}, b'{"error":{"status":401,"message":"The access token expired"}}'), Verdict.SHED, None),
        (Reply(401, {}, b'{"error":{"status":401,"message":"Invalid access token"}}'), Verdict.REFUSED, None),
        (
            Reply(401, {"www-authenticate": 'Bearer error_description="The access token expired"'}, b"Unauthorized"),
            Verdict.SHED,
            None,
        ),
        (Reply(403, {}, b'{"error":{"status":403,"message":"Forbidden"}}'), Verdict.REFUSED, None),
        (
            Reply(400, {}, b'{"error":"invalid_client","error_description":"Invalid client secret"}'),
            Verdict.REFUSED,
            None,
        ),
        (
            Reply(400, {}, b'{"error":"invalid_grant","error_description":"Refresh token revoked"}'),
            Verdict.REFUSED,
            None,
        ),
        (Reply(400, {}, b'{"error":{"status":400,"message":"Invalid id"}}'), Verdict.BAD_REQUEST, None),
        (Reply(404, {}, b'{"error":{"status":404}}'), Verdict.ANSWER, None),
        (Reply(502, {}, b""), Verdict.FAILING, None),
    ],
)
def test_judgement(reply: Reply, verdict: Verdict, wait: float | None) -> None:
    judgement = EXTENDED.judge(reply)
    assert (judgement.verdict, judgement.retry_after) == (verdict, wait)


@pytest.mark.parametrize(
    ("several", "features", "mode"),
    [
        ({"artists": [{"id": "0TnOYISbd1XYRBk9myaseg", "name": "Pitbull"}]}, FORBIDDEN, "extended"),
        ({"artists": [None]}, GONE, "extended"),
        ({"artists": [None]}, {"audio_features": [None]}, "grandfathered"),
        (FORBIDDEN, {"audio_features": [None]}, "development"),
        (GONE, FORBIDDEN, "development"),
    ],
)
def test_the_mode_is_seen_by_asking_for_what_the_next_may(line: Any, several: Any, features: Any, mode: str) -> None:
    replay = line(DEVELOPMENT, {**TOKEN, "/v1/artists": several, "/v1/audio-features": features})
    assert DEVELOPMENT.probe(DEVELOPMENT.client(replay)) == {"mode": mode}
    assert len(replay.sent) == 2 + (mode != "development")
    assert Spotify({"mode": mode}).options == {"mode": mode}
    assert set(Spotify.probes) == {"mode"}


def test_features_are_told_by_the_place_of_their_id(line: Any) -> None:
    ids = ["1" * 22, "2" * 22, "not an id", "3" * 22]
    rows = [{"id": "1" * 22, "tempo": 120.5, "key": -1, "mode": 1, "energy": 0.5}, None, {"id": "3" * 22, "tempo": 0}]
    replay = line(GRANDFATHERED, {**TOKEN, "/v1/audio-features": {"audio_features": rows}})
    asks = [Ask(n, {"spotify_id": id_}) for n, id_ in enumerate(ids)]
    first, *rest = GRANDFATHERED.ask(GRANDFATHERED.question("features"), asks, GRANDFATHERED.client(replay))
    assert {f.field: f.value for f in first.findings} == {"bpm": 120.5, "audio_features": {"energy": 0.5}}
    assert [answer.outcome for answer in rest] == [Outcome.NOTHING_FOUND] * 3
    assert replay.sent[-1].url.endswith("?ids=" + "%2C".join(("1" * 22, "2" * 22, "3" * 22)))


@pytest.mark.parametrize("reply", [Reply(429, {}, b""), Reply(401, {}, b""), Reply(503, {}, b""), {"error": "x"}, b"<"])
def test_other_refusals_say_nothing_of_the_mode(line: Any, reply: Any) -> None:
    client = DEVELOPMENT.client(line(DEVELOPMENT, {**TOKEN, "/v1/artists": reply}))
    with pytest.raises((NoAnswer, ValueError, KeyError)):
        DEVELOPMENT.probe(client)


def test_nothing_is_promised_that_development_mode_lost() -> None:
    given = {name for question in DEVELOPMENT.questions for name in question.gives}
    assert not {"popularity", "followers", "label"} & given
    assert {"genres", "isrc", "barcode", "images"} <= given


def test_an_id_may_be_kept_and_what_it_leads_to_may_not() -> None:
    assert EXTENDED.terms.keeps(["spotify_id", "external_urls"]) == float("inf")
    assert EXTENDED.terms.keeps(["popularity"]) == 14 * 86_400
    assert EXTENDED.cache_seconds <= EXTENDED.terms.shortest


def test_an_album_by_its_barcode(ask: Any, told: Any) -> None:
    row = {"id": "1" * 22, "name": "Dummy", "artists": [{"name": "Portishead", "id": "2" * 22}]}
    replies = {**TOKEN, "/v1/search": {"albums": {"items": [row]}}}
    keys = {"barcode": "042282855329"}
    assert told(ask(EXTENDED, "search_upc", keys, replies))["spotify_id"] == "1" * 22
    named = keys | {"artist_name": "Somebody Else", "title": "Other"}
    assert ask(EXTENDED, "search_upc", named, replies).outcome is Outcome.NOTHING_FOUND
    assert ask(EXTENDED, "search_upc", {"barcode": "x:y"}, replies).outcome is Outcome.NOTHING_FOUND


def test_a_batch_with_gaps(line: Any) -> None:
    ids = [f"{n:022d}" for n in range(3)]
    rows = [{"id": ids[0], "name": "A"}, None, {"id": "9" * 22, "name": "moved"}]
    replay = line(EXTENDED, {**TOKEN, "/v1/artists": {"artists": rows}})
    asks = [Ask(n, {"spotify_id": given}) for n, given in enumerate([*ids, "not an id"])]
    answers = EXTENDED.ask(EXTENDED.question("artist"), asks, EXTENDED.client(replay))
    outcomes = [Outcome.FOUND, Outcome.NOTHING_FOUND, Outcome.FOUND, Outcome.NOTHING_FOUND]
    assert [answer.outcome for answer in answers] == outcomes
    assert answers[2].findings[0].value == "9" * 22
    assert replay.sent[-1].url.endswith("?ids=" + "%2C".join(ids)) or replay.sent[-1].url.endswith(",".join(ids))


def test_a_batch_of_another_length_is_unreadable(line: Any) -> None:
    replay = line(EXTENDED, {**TOKEN, "/v1/artists": {"artists": [{"id": "0" * 22}]}})
    asks = [Ask(n, {"spotify_id": f"{n:022d}"}) for n in range(2)]
    with pytest.raises(ValueError, match="2 ids"):
        EXTENDED.ask(EXTENDED.question("artist"), asks, EXTENDED.client(replay))


def test_one_token_for_many_threads(line: Any) -> None:
    replay = line(EXTENDED, {**TOKEN, "/v1/search": {"tracks": {"items": []}}})
    client = EXTENDED.client(replay)

    def search() -> None:
        EXTENDED.ask(EXTENDED.question("search"), [Ask(1, {"artist_name": "A", "title": "B"})], client)

    threads = [Thread(target=search) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tokens = [request for request in replay.sent if request.url.endswith("/api/token")]
    assert len(tokens) == 1
    assert not tokens[0].cache
    assert tokens[0].url == "https://accounts.spotify.com/api/token"
    searches = [request for request in replay.sent if "/v1/search" in request.url]
    assert len(searches) == 16
    assert all(request.headers["authorization"] == "Bearer simulated" for request in searches)
    assert all(request.cache for request in searches)


@pytest.mark.parametrize("authorised", [True, False])
def test_whose_token_it_is(line: Any, *, authorised: bool) -> None:
    replay = line(EXTENDED, {**TOKEN, "/v1/search": {"tracks": {"items": []}}})
    if not authorised:
        del replay.secrets["SPOTIFY_REFRESH_TOKEN"]
    client = EXTENDED.client(replay)
    for _ in range(2):
        EXTENDED.ask(EXTENDED.question("search"), [Ask(1, {"artist_name": "A", "title": "B"})], client)

    (token,) = (request for request in replay.sent if request.url.endswith("/api/token"))
    basic = base64.b64encode(b"secret of SPOTIFY_CLIENT_ID:secret of SPOTIFY_CLIENT_SECRET").decode()
    assert token.headers["authorization"] == f"Basic {basic}"
    assert not token.cache
    assert parse_qs(token.body.decode()) == (
        {"grant_type": ["refresh_token"], "refresh_token": ["secret of SPOTIFY_REFRESH_TOKEN"]}
        if authorised
        else {"grant_type": ["client_credentials"]}
    )


def test_a_stale_token_is_asked_for_again(line: Any) -> None:
    stale = Reply(401, {}, b'{"error":{"status":401,"message":"The access token expired"}}')
    replies = {**TOKEN, "/v1/search": stale}
    replay = line(EXTENDED, replies)
    client = EXTENDED.client(replay)
    asks = [Ask(1, {"artist_name": "A", "title": "B"})]
    with pytest.raises(NoAnswer) as caught:
        EXTENDED.ask(EXTENDED.question("search"), asks, client)
    assert caught.value.judgement.verdict is Verdict.SHED
    replies["/v1/search"] = {"tracks": {"items": []}}
    assert EXTENDED.ask(EXTENDED.question("search"), asks, client)[0].outcome is Outcome.NOTHING_FOUND
    assert len([request for request in replay.sent if "token" in request.url]) == 2


def test_the_base_url_is_kept(line: Any) -> None:
    replay = line(EXTENDED, {**TOKEN, "/v1/search": {"tracks": {"items": []}}}, "http://127.0.0.1:8000/spotify")
    EXTENDED.ask(EXTENDED.question("search"), [Ask(1, {"artist_name": "A", "title": "B:C"})], EXTENDED.client(replay))
    assert replay.sent[-1].url.startswith("http://127.0.0.1:8000/spotify/v1/search?")
    assert "B%3AC" not in replay.sent[-1].url


def test_performers_of_one_name_need_an_audience_to_be_told_apart(ask: Any) -> None:
    def found(*followers: int | None) -> Outcome:
        rows = [
            {"id": f"{n:022d}", "name": "Nirvana", "followers": {"total": total}} for n, total in enumerate(followers)
        ]
        return ask(
            EXTENDED, "artist_search", {"name": "Nirvana"}, {**TOKEN, "/v1/search": {"artists": {"items": rows}}}
        ).outcome

    assert found(1_000_000, 40) is Outcome.FOUND
    assert found(1_000_000, 400_000) is Outcome.NOTHING_FOUND
    assert found(None, None) is Outcome.NOTHING_FOUND
    assert found(None) is Outcome.FOUND


def test_titles_found_by_the_same_words_tell_performers_apart(ask: Any) -> None:
    both = [{"id": f"{n:022d}", "name": "Nirvana", "followers": {"total": 900}} for n in (1, 2)]
    track = {"id": "t", "name": "Rainbow Chaser", "artists": [both[1], {"id": "x", "name": "Patrick"}]}
    reply = {"artists": {"items": both}, "tracks": {"items": [track]}}

    def found(**known: list[str]) -> Answer:
        answer: Answer = ask(EXTENDED, "artist_search", {"name": "Nirvana", **known}, {**TOKEN, "/v1/search": reply})
        return answer

    assert [each.id for each in found().candidates] == [both[0]["id"], both[1]["id"]]
    assert found(titles=["Rainbow Chaser - Remastered"]).findings[0].value == both[1]["id"]
    assert found(companions=["Patrick"]).findings[0].value == both[1]["id"]
    assert found(titles=["Lithium"]).findings == ()


def recorded_json(folder: Path, name: str) -> Any:
    # One of the files has a stray bracket behind its end.
    return json.JSONDecoder().raw_decode((folder / "spotify" / f"zmb3__{name}.json").read_text())[0]


def test_recorded_track(recorded: Path, ask: Any, told: Any) -> None:
    for name in ("find_track", "find_track_with_floats"):
        body = recorded_json(recorded, name)
        found = told(ask(EXTENDED, "track", {"spotify_id": body["id"]}, {**TOKEN, "/v1/tracks/" + body["id"]: body}))
        assert found["isrc"] == "USRC11301695"
        assert found["duration_ms"] == 204053
        assert found["popularity"] == 85
        assert found["artist_name"] == "Pitbull, Ke$ha"
        assert found["album.title"] == "Timber"
        assert found["performer.name"] == "Pitbull"


def test_recorded_batches(recorded: Path, line: Any) -> None:
    for name, question in (
        ("find_tracks_simple", "track"),
        ("find_tracks_notfound", "track"),
        ("find_albums", "album"),
    ):
        body = recorded_json(recorded, name)
        rows = body[f"{question}s"]
        ids = [row["id"] if row else f"{n:022d}" for n, row in enumerate(rows)]
        replay = line(EXTENDED, {**TOKEN, f"/v1/{question}s": body, f"/v1/{question}s/{ids[0]}": rows[0]})
        asks = [Ask(n, {"spotify_id": given}) for n, given in enumerate(ids)]
        answers = EXTENDED.ask(EXTENDED.question(question), asks, EXTENDED.client(replay))
        assert [answer.outcome is Outcome.FOUND for answer in answers] == [row is not None for row in rows]


def test_recorded_artist_and_album(recorded: Path, ask: Any, told: Any) -> None:
    body = recorded_json(recorded, "find_artist")
    artist = told(ask(EXTENDED, "artist", {"spotify_id": body["id"]}, {**TOKEN, "/v1/artists/" + body["id"]: body}))
    assert (artist["name"], artist["followers"], artist["popularity"]) == ("Pitbull", 2265279, 97)
    assert [image["width"] for image in artist["images"]] == [1000, 640, 200, 64]
    body = recorded_json(recorded, "find_album")
    album = told(ask(EXTENDED, "album", {"spotify_id": body["id"]}, {**TOKEN, "/v1/albums/" + body["id"]: body}))
    assert (album["title"], album["barcode"], album["release_date"]) == ("She's So Unusual", "5099749994324", "1983")
    assert album["tracklist"][0] == {"position": 1, "title": "Money Changes Everything", "duration_ms": 305560}


def entities(folder: Path) -> Iterator[tuple[str, Any]]:
    """Every whole track, artist and album in the recordings, wherever in them."""
    whole = {"track": "external_ids", "artist": "images", "album": "tracks"}

    def walk(content: Any) -> Iterator[tuple[str, Any]]:
        inner = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
        for each in inner:
            yield from walk(each)
        kind = content.get("type") if isinstance(content, dict) else None
        if kind in whole and whole[kind] in content and content.get("id"):
            yield kind, content

    for file in sorted((folder / "spotify").glob("zmb3__*.json")):
        yield from walk(json.JSONDecoder().raw_decode(file.read_text())[0])


def held(content: Any, names: Mapping[str, str], prefix: str = "") -> set[str]:
    """The fields, by our names, whose values are not empty in a recorded object."""
    there = {
        ours for theirs, ours in names.items() for value in [content.get(theirs)] if value not in (None, "", [], {})
    }
    there |= {"image_url" if "followers" in names else "cover_art_url" for _ in content.get("images") or ()}
    return {prefix + name for name in there}


PERSON = {"id": "spotify_id", "name": "name", "external_urls": "external_urls"}
RELEASE = {
    "id": "spotify_id",
    "name": "title",
    "artists": "artist_name",
    "external_ids": "barcode",
    "label": "label",
    "genres": "genres",
    "release_date": "release_date",
    "images": "images",
    "popularity": "popularity",
    "tracks": "tracklist",
    "external_urls": "external_urls",
}
ARTIST = {**PERSON, "genres": "genres", "images": "images", "popularity": "popularity", "followers": "followers"}
TRACK = {
    "id": "spotify_id",
    "name": "title",
    "artists": "artists",
    "duration_ms": "duration_ms",
    "explicit": "explicit",
    "popularity": "popularity",
    "external_ids": "isrc",
    "external_urls": "external_urls",
}


def test_every_recorded_object_is_read_with_all_that_it_holds(recorded: Path, ask: Any, told: Any) -> None:
    read = Counter[str]()
    for kind, content in entities(recorded):
        expected = held(content, {"track": TRACK, "artist": ARTIST, "album": RELEASE}[kind])
        if kind != "artist":
            expected |= held(content["artists"][0], PERSON, "performer.")
        if kind == "track":
            album = content["album"]
            expected |= {"artist_name", "album_title"} | held(album, RELEASE, "album.")
            expected |= {"release_date"} if album.get("release_date") else set()
        reply = {**TOKEN, f"/v1/{kind}s/{content['id']}": content}
        found = told(ask(EXTENDED, kind, {"spotify_id": content["id"]}, reply))
        assert found.keys() == expected, (kind, content["id"])
        read[kind] += 1
    assert read["track"] > 100
    assert read["artist"] > 40
    assert read["album"] >= 5


def test_recorded_searches(recorded: Path, ask: Any, told: Any) -> None:
    replies = {**TOKEN, "/v1/search": recorded_json(recorded, "search_tracks")}
    found = told(ask(EXTENDED, "search", {"artist_name": "Mark Ronson", "title": "Uptown Funk"}, replies))
    assert found["isrc"] == "GBARL1401524"
    assert found["performer.name"] == "Mark Ronson"
    replies = {**TOKEN, "/v1/search": recorded_json(recorded, "search_artist")}
    assert (
        told(ask(EXTENDED, "artist_search", {"name": "Tania Bowra"}, replies))["spotify_id"] == "08td7MxkoHQkXnWAYD8d6Q"
    )
