from __future__ import annotations

import json
from typing import Any

import pytest

from enrichment.domain.outcomes import Outcome, Verdict
from enrichment.sources.base import Ask, Reply
from enrichment.sources.listenbrainz import ListenBrainz, popularity

SOURCE = ListenBrainz()
MBID = "e97f805a-ab48-4c52-855e-07049142113d"
LOOKUP = "/1/metadata/lookup/"


def row(index: int, artist: str, title: str, album: str = "") -> dict[str, Any]:
    return {
        "index": index,
        "artist_credit_name": artist,
        "recording_name": title,
        "release_name": album,
        "recording_mbid": f"{index}{MBID[1:]}",
        "artist_mbids": [MBID],
    }


def lookup(line: Any, reply: Any, *named: tuple[str, str, str]) -> tuple[list[Any], list[dict[str, str]]]:
    """The answers, and the rows that were sent."""
    replay = line(SOURCE, {LOOKUP: reply})
    keys = [{"artist_name": artist, "title": title, "album_title": album} for artist, title, album in named]
    answers = SOURCE.ask(SOURCE.question("lookup"), [Ask(n, k) for n, k in enumerate(keys)], SOURCE.client(replay))
    return list(answers), json.loads(replay.sent[0].body)["recordings"] if replay.sent else []


def test_equal_names_are_sent_once_and_answered_alike(line: Any) -> None:
    reply = [row(0, "Beyoncé", "Halo"), row(1, "Portishead", "Strangers")]
    asked = [("Beyoncé", "Halo", ""), ("BEYONCE", "halo!", ""), ("Portishead", "Strangers", "")]
    answers, sent = lookup(line, reply, *asked)
    assert [row["recording_name"] for row in sent] == ["Halo", "Strangers"]
    assert [answer.outcome for answer in answers] == [Outcome.FOUND] * 3
    assert answers[0] == answers[1] != answers[2]


def test_equal_names_of_another_album_wait_for_their_own_call(line: Any) -> None:
    answers, sent = lookup(line, [row(0, "A", "B", "C")], ("A", "B", "C"), ("A", "B", "D"))
    assert len(sent) == 1
    assert sent[0]["release_name"] == "C"
    assert [answer.outcome for answer in answers] == [Outcome.FOUND, Outcome.OVER_BUDGET]


def test_rows_that_were_cut_off_go_back(line: Any) -> None:
    answers, _ = lookup(line, [row(0, "Aaaaa", "Bbbbb")], ("Aaaaa", "Bbbbb", ""), ("Ccccc", "Ddddd", ""))
    assert [answer.outcome for answer in answers] == [Outcome.FOUND, Outcome.OVER_BUDGET]


def test_unknown_names_are_nothing_found(line: Any) -> None:
    reply = [{"index": 0, "artist_name_arg": "A", "recording_name_arg": "B"}]
    answers, _ = lookup(line, reply, ("A", "B", ""))
    assert answers[0].outcome is Outcome.NOTHING_FOUND


def test_names_that_would_have_the_call_refused_are_not_sent(line: Any) -> None:
    answers, sent = lookup(line, [row(0, "Aaaaa", "Bbbbb")], ("A" * 200, "B" * 51, ""), ("Aaaaa", "Bbbbb", "C" * 300))
    assert sent == [{"artist_name": "Aaaaa", "recording_name": "Bbbbb"}]
    assert [answer.outcome for answer in answers] == [Outcome.NOTHING_FOUND, Outcome.FOUND]
    assert lookup(line, [], ("A" * 10_000, "B", "")) == ([answers[0]], [])


def test_the_token_is_sent_and_only_in_its_header(line: Any) -> None:
    replay = line(SOURCE, {LOOKUP: []})
    SOURCE.ask(SOURCE.question("lookup"), [Ask(1, {"artist_name": "A", "title": "B"})], SOURCE.client(replay))
    (sent,) = replay.sent
    assert sent.headers["authorization"] == "Token secret of LISTENBRAINZ_TOKEN"
    assert sent.headers["content-type"] == "application/json"


def test_ids_that_are_none_are_not_sent(line: Any) -> None:
    replay = line(SOURCE, {"/1/metadata/recording/": {MBID: {"recording": {"name": "B"}}}})
    asks = [
        Ask(1, {"musicbrainz_id": "not an id"}),
        Ask(2, {"musicbrainz_id": MBID.upper()}),
        Ask(3, {"musicbrainz_id": f"0{MBID[1:]}"}),
    ]
    answers = SOURCE.ask(SOURCE.question("metadata"), asks, SOURCE.client(replay))
    assert json.loads(replay.sent[0].body)["recording_mbids"] == [MBID, f"0{MBID[1:]}"]
    assert [answer.outcome for answer in answers] == [Outcome.NOTHING_FOUND, Outcome.FOUND, Outcome.NOTHING_FOUND]
    nowhere = line(SOURCE, {})
    assert SOURCE.ask(SOURCE.question("metadata"), asks[:1], SOURCE.client(nowhere))[0].outcome is Outcome.NOTHING_FOUND
    assert not nowhere.sent


def test_the_credit_of_two_is_not_the_performer(ask: Any, told: Any) -> None:
    people = [{"artist_mbid": MBID, "name": "A", "join_phrase": " & "}, {"artist_mbid": MBID, "name": "B"}]
    facts = {"recording": {"name": "S"}, "artist": {"name": "A & B", "artists": people}}
    replies = {"/1/metadata/recording/": {MBID: facts}}
    keys = {"musicbrainz_id": MBID, "title": "S"}
    assert "performer.musicbrainz_id" not in told(ask(SOURCE, "metadata", {**keys, "artist_name": "A & B"}, replies))
    assert told(ask(SOURCE, "metadata", {**keys, "artist_name": "A feat. B"}, replies))["performer.name"] == "A"


def test_an_area_that_is_a_city_is_no_country(ask: Any, told: Any) -> None:
    reply = [{"artist_mbid": MBID, "name": "A", "area": "Bristol"}]
    assert told(ask(SOURCE, "artist_metadata", {"musicbrainz_id": MBID}, {"/1/metadata/artist/": reply})) == {
        "musicbrainz_id": MBID,
        "name": "A",
    }


def asked(line: Any, question: str, replies: dict[str, Any], *keys: dict[str, Any]) -> tuple[list[Any], Any]:
    """The answers, and the body that was sent; None where nothing was."""
    replay = line(SOURCE, replies)
    asks = [Ask(number, one) for number, one in enumerate(keys)]
    answers = SOURCE.ask(SOURCE.question(question), asks, SOURCE.client(replay))
    return list(answers), json.loads(replay.sent[0].body) if replay.sent else None


def mbid(number: int) -> str:
    return f"{number}{MBID[1:]}"


def test_one_match_where_a_list_was_asked_for(line: Any) -> None:
    match = {**row(0, "Portishead", "Strangers"), "metadata": {"recording": {"length": 5}}}
    del match["index"]
    answers, _ = lookup(line, match, ("Portishead", "Strangers", ""))
    assert {found.field: found.value for found in answers[0].findings}["duration_ms"] == 5
    assert lookup(line, {}, ("Portishead", "Strangers", ""))[0][0].outcome is Outcome.NOTHING_FOUND
    with pytest.raises(ValueError, match="neither"):
        lookup(line, {"error": "what"}, ("Portishead", "Strangers", ""))


def test_without_a_token_names_are_looked_up_in_the_labs(line: Any) -> None:
    replay = line(SOURCE, {"/acr-lookup/json": [row(1, "Beyoncé", "Halo", "I Am"), row(2, "A", "B")]})
    replay.secrets = {}
    names = [("Nobody", "Nothing", ""), ("Beyoncé", "Halo", ""), ("A", "B", "C"), ("a", "b", "C")]
    asks = [Ask(n, {"artist_name": a, "title": t, "album_title": c}) for n, (a, t, c) in enumerate(names)]
    answers = SOURCE.ask(SOURCE.question("lookup"), asks, SOURCE.client(replay))
    found = Outcome.FOUND
    assert [answer.outcome for answer in answers] == [Outcome.NOTHING_FOUND, found, found, found]
    (sent,) = replay.sent
    assert sent.url == "https://labs.api.listenbrainz.org/acr-lookup/json"
    assert "authorization" not in sent.headers
    assert json.loads(sent.body)[1] == {"artist_credit_name": "Beyoncé", "recording_name": "Halo"}


def test_links_of_both_shapes(ask: Any, told: Any) -> None:
    address = "https://open.spotify.com/track/1cTZMwcBJT0Ka3UJPXOeeN"
    for urls in ([address], [{"type": "free streaming", "url": address}]):
        replies = {"/1/metadata/recording/": {MBID: {"recording": {"name": "S", "url_rels": urls}}}}
        values = told(ask(SOURCE, "metadata", {"musicbrainz_id": MBID}, replies))
        assert values["spotify_id"] == "1cTZMwcBJT0Ka3UJPXOeeN"
        assert values["external_urls"] == {"spotify": address}


def test_popularity_is_a_log_scale() -> None:
    assert [popularity("recording", listeners) for listeners in (1, 10, 1_000, 200_000, 10_000_000)] == [
        6,
        20,
        57,
        100,
        100,
    ]
    assert popularity("artist", 1_000) < popularity("release_group", 1_000) < popularity("recording", 1_000)


def test_nobody_listened_or_nobody_knows(line: Any) -> None:
    counts: list[Any] = [None, 0, "1000", 1000.0, 1000]
    rows = [{"recording_mbid": mbid(n), "total_listen_count": c, "total_user_count": c} for n, c in enumerate(counts)]
    keys = [{"musicbrainz_id": mbid(number).upper()} for number in range(6)]
    answers, sent = asked(line, "popularity", {"/1/popularity/recording": rows}, *keys, keys[4])
    nothing, found = Outcome.NOTHING_FOUND, Outcome.FOUND
    assert [answer.outcome for answer in answers] == [nothing, nothing, found, found, found, nothing, found]
    assert sent == {"recording_mbids": [mbid(number) for number in range(6)]}
    assert {finding.value for answer in answers for finding in answer.findings if finding.field == "popularity"} == {57}


def test_followers_by_listeners_are_a_last_choice(ask: Any) -> None:
    replies = {"/1/popularity/artist": [{"artist_mbid": MBID, "total_user_count": 1000}]}
    answer = ask(SOURCE, "artist_popularity", {"musicbrainz_id": MBID}, replies)
    assert {found.field: found.confidence for found in answer.findings}["followers"] <= 0.3


def test_a_country_of_no_code_is_none(line: Any) -> None:
    codes = ["GB", "", "XE", None, "de"]
    rows = [{"artist_mbid": mbid(n), "artist_name": "A", "country_code": c, "area_id": 1} for n, c in enumerate(codes)]
    path = "/artist-country-code-from-artist-mbid/json"
    answers, sent = asked(line, "country", {path: rows}, *({"musicbrainz_id": mbid(n)} for n in range(6)))
    found = [{finding.field: finding.value for finding in answer.findings} for answer in answers]
    assert [values.get("country_code") for values in found] == ["GB", None, None, None, "DE", None]
    assert found[4]["country"] == "Germany"
    assert sent[0] == {"artist_mbid": mbid(0)}
    answers, sent = asked(line, "country", {}, {"musicbrainz_id": "none"})
    assert (answers[0].outcome, sent) == (Outcome.NOTHING_FOUND, None)


def spotify(number: int, *ids: str, title: str = "S") -> dict[str, Any]:
    names = {"artist_name": "A", "track_name": title, "release_name": "R"}
    return {"recording_mbid": mbid(number), **names, "spotify_track_ids": list(ids)}


def test_of_recordings_that_were_merged_those_without_a_row_go_back(line: Any) -> None:
    path = "/spotify-id-from-mbid/json"
    keys = [{"musicbrainz_id": mbid(number), "artist_name": "A", "title": "S"} for number in range(3)]
    answers, _ = asked(line, "spotify", {path: [spotify(1, "x"), spotify(1, "x"), spotify(2)]}, *keys)
    assert [answer.outcome for answer in answers] == [Outcome.OVER_BUDGET, Outcome.FOUND, Outcome.NOTHING_FOUND]
    answers, _ = asked(line, "spotify", {path: [spotify(1, "x"), spotify(2, "y", title="T")]}, *keys)
    assert [answer.outcome for answer in answers] == [Outcome.NOTHING_FOUND, Outcome.FOUND, Outcome.NOTHING_FOUND]
    assert answers[2].note


def test_spotify_by_names_is_asked_once_for_equal_names(line: Any) -> None:
    names = [("A", "S", "R"), ("a", "s!", "r"), ("A", "S", ""), ("", "S", "")]
    keys = [{"artist_name": artist, "title": title, "album_title": album} for artist, title, album in names]
    replies = {"/spotify-id-from-metadata/json": [spotify(0, "x"), {**spotify(0), "release_name": ""}]}
    answers, sent = asked(line, "spotify_by_names", replies, *keys)
    assert sent[1] == {"artist_name": "A", "release_name": "", "track_name": "S"}
    assert len(sent) == 2
    nothing, found = Outcome.NOTHING_FOUND, Outcome.FOUND
    assert [answer.outcome for answer in answers] == [found, found, nothing, nothing]
    assert answers[0].findings[0].confidence < 0.7


@pytest.mark.parametrize(
    ("reply", "verdict", "wait"),
    [
        (Reply(429, {"x-ratelimit-reset-in": "7"}, b"{}"), Verdict.OUR_RATE, 7),
        (Reply(429, {}, b"{}"), Verdict.OUR_RATE, 10),
        (Reply(401, {}, b'{"code":401,"error":"You need to provide an Authorization token."}'), Verdict.REFUSED, None),
        (Reply(400, {}, b'{"code":400}'), Verdict.BAD_REQUEST, None),
        (Reply(500, {}, b""), Verdict.FAILING, None),
        (Reply(200, {}, b"{}"), Verdict.ANSWER, None),
        (Reply(404, {}, b'{"code":404}'), Verdict.ANSWER, None),
        (Reply(404, {}, b"<!doctype html>\n<html>Query not found."), Verdict.UNREADABLE, None),
    ],
)
def test_judgement(reply: Reply, verdict: Verdict, wait: float | None) -> None:
    judgement = SOURCE.judge(reply)
    assert (judgement.verdict, judgement.retry_after) == (verdict, wait)
