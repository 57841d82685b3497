from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from simulator import shares
from simulator.server import Simulator
from simulator.truth import Track, World
from simulator.upstreams import Part, Shelf
from simulator.upstreams.reccobeats import MOST_IDS, MOST_ISRCS, ReccoBeats
from simulator.wire import Reply, Request

FEATURES, TRACK = "/reccobeats/v1/audio-features", "/reccobeats/v1/track"


@pytest.fixture(scope="module")
def part(world: World) -> Part:
    return Part("reccobeats", Shelf(world))


@pytest.fixture(scope="module")
def known(part: Part) -> list[Track]:
    return part.tracks(part.world.tracks)


def content(http: httpx.Client, path: str, ids: list[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = http.get(path, params={"ids": ",".join(ids)}).json()["content"]
    return rows


def test_rows_have_the_real_shape_and_the_truth(http: httpx.Client, known: list[Track]) -> None:
    track = next(one for one in known if one.features is not None)
    (row,) = content(http, FEATURES, [track.spotify_id])
    assert list(row) == [
        "id", "href", "isrc", "danceability", "energy", "loudness", "speechiness", "acousticness", "instrumentalness",
        "liveness", "valence", "key", "mode", "tempo",
    ]  # fmt: skip
    assert row["href"] == f"https://open.spotify.com/track/{track.spotify_id}"
    assert re.fullmatch(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", row["id"])
    assert row["energy"] == track.features[1] if track.features else False
    (shown,) = content(http, TRACK, [track.spotify_id])
    assert (shown["id"], shown["trackTitle"], shown["durationMs"]) == (row["id"], track.title, track.duration_ms)
    assert [artist["name"] for artist in shown["artists"]] == [one.name for one in track.recording.artists]
    assert shown.keys() == {
        "id", "href", "isrc", "trackTitle", "artists", "durationMs", "ean", "upc", "availableCountries", "popularity",
    }  # fmt: skip


def test_the_unknown_is_left_out_and_the_order_is_its_own(http: httpx.Client, known: list[Track]) -> None:
    ids = [track.spotify_id for track in known[:20]]
    rows = content(http, TRACK, ["0" * 22, *ids])
    answered = [row["href"].rsplit("/", 1)[1] for row in rows]
    assert sorted(answered) == sorted(ids)
    assert answered != ids
    assert content(http, FEATURES, ["0" * 22]) == []


def test_what_is_above_forty_is_dropped(http: httpx.Client, known: list[Track], part: Part) -> None:
    assert len(content(http, FEATURES, [track.spotify_id for track in known[: MOST_IDS + 5]])) == MOST_IDS
    codes = list(dict.fromkeys(part.isrc(track) for track in known))[: MOST_ISRCS + 5]
    found = {row["isrc"] for row in content(http, FEATURES, codes)}
    assert found == set(codes[:MOST_ISRCS])
    assert {row["isrc"] for row in content(http, TRACK, codes)} == set(codes)


def test_ids_may_be_repeated_and_of_any_kind(http: httpx.Client, known: list[Track], part: Part) -> None:
    track = known[0]
    rows = http.get(TRACK, params={"ids": [track.spotify_id, part.isrc(track).lower()]}).json()["content"]
    own = next(row for row in rows if row["href"].endswith(track.spotify_id))
    assert len({row["id"] for row in rows}) == len(rows)
    assert content(http, TRACK, [own["id"]]) == [own]
    assert http.get(f"{TRACK}/{own['id']}").json() == own
    assert http.get(f"{TRACK}/{own['id']}/audio-features").json()["href"] == own["href"]


def test_errors_have_codes(http: httpx.Client, known: list[Track]) -> None:
    for path, status, code in (
        (TRACK, 400, 4001),
        (f"{TRACK}/{known[0].spotify_id}/audio-features", 404, 4041),
        ("/reccobeats/v1/nothing", 404, 4042),
    ):
        reply = http.get(path)
        assert (reply.status_code, reply.json()["error"]) == (status, code)


def test_it_knows_its_share(part: Part) -> None:
    recordings = [one for one in part.world.recordings.values() if not one.sibling]
    share = sum(part.has(one) for one in recordings) / len(recordings)
    assert share == pytest.approx(shares.SHARES["reccobeats", "recording"], abs=0.04)


def test_tempi_are_true_but_for_some_octaves_and_keys_but_for_some_unknown(part: Part, known: list[Track]) -> None:
    upstream = ReccoBeats(part)
    ratios, keys = [], []
    for track in known:
        request = Request("GET", "/v1/audio-features", f"ids={track.spotify_id}")
        row = body(upstream.answer(request))["content"][0]
        ratios.append(row["tempo"] / track.tempo)
        keys.append(row["key"])
        assert row["key"] in (-1, track.key)
    wrong = [ratio for ratio in ratios if ratio != pytest.approx(1.0, abs=0.001)]
    assert all(ratio == pytest.approx(0.5, abs=0.001) or ratio == pytest.approx(2, abs=0.001) for ratio in wrong)
    assert 0.02 < len(wrong) / len(ratios) < 0.11
    assert 0 < keys.count(-1) / len(keys) < 0.08


def body(reply: Reply) -> Any:
    return httpx.Response(reply.status, content=reply.body).json()


def test_it_refuses_with_429_and_seconds(world: World) -> None:
    app = Simulator(world, clock=lambda: 1_000_000_000.0)
    upstream, doorman = app.upstreams["reccobeats"], app.doormen["reccobeats"]
    assert [doorman.judge(0.0)[0] for _ in range(4)] == ["ok", "ok", "ok", "over_limit"]
    refusal = upstream.refuse(1, Request("GET", "/v1/track"))
    assert (refusal.status, refusal.headers["retry-after"]) == (429, "1")
    assert body(refusal)["error"] == 4291
