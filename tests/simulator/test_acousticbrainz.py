from __future__ import annotations

from typing import Any

import httpx
import pytest

from simulator import shares
from simulator.server import Simulator
from simulator.truth import Recording, World
from simulator.upstreams import Part, Shelf
from simulator.upstreams.acousticbrainz import END, MOST_ITEMS
from simulator.wire import Request

LOW, HIGH = "/acousticbrainz/api/v1/low-level", "/acousticbrainz/api/v1/high-level"
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def part(world: World) -> Part:
    return Part("acousticbrainz", Shelf(world))


@pytest.fixture(scope="module")
def known(part: Part) -> list[Recording]:
    return [one for one in part.world.recordings.values() if part.has(one) and one.date[:4] < END]


def several(http: httpx.Client, path: str, ids: list[str], **more: str) -> dict[str, Any]:
    content: dict[str, Any] = http.get(path, params={"recording_ids": ";".join(ids), **more}).json()
    return content


def test_a_batch_has_documents_by_mbid_and_offset(http: httpx.Client, known: list[Recording]) -> None:
    ids = [one.mbid for one in known[: MOST_ITEMS - 1]]
    content = several(http, LOW, [*ids, NOBODY])
    assert content.keys() == {*ids, "mbid_mapping"}
    assert content["mbid_mapping"] == {}
    recording = known[0]
    document = content[recording.mbid]["0"]
    assert document.keys() == {"lowlevel", "metadata", "rhythm", "tonal"}
    assert document["metadata"]["audio_properties"]["length"] == pytest.approx(recording.tracks[0].duration_ms / 1000)
    assert document["tonal"]["key_scale"] == ("major" if recording.tracks[0].mode else "minor")


def test_leaves_come_with_the_metadata_and_without_the_tags(http: httpx.Client, known: list[Recording]) -> None:
    leaves = "rhythm.bpm;tonal.key_key;no.such;metadata.tags.title"
    document = several(http, LOW, [known[0].mbid], features=leaves)[known[0].mbid]["0"]
    assert document.keys() == {"metadata", "rhythm", "tonal"}
    assert document["metadata"].keys() == {"audio_properties", "version"}
    assert (document["rhythm"].keys(), document["tonal"].keys()) == ({"bpm"}, {"key_key"})


def test_ids_are_normalised_and_said_so(http: httpx.Client, known: list[Recording]) -> None:
    mbid = known[0].mbid
    content = several(http, LOW, [mbid.upper(), mbid, f"{mbid}:0", "", f"{mbid}:x"])
    assert content.keys() == {mbid, "mbid_mapping"}
    assert content["mbid_mapping"] == {mbid.upper(): mbid}
    assert content[mbid].keys() == {"0"}


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([], "Missing `recording_ids` parameter"),
        (["not-a-uuid"], "'not-a-uuid' is not a valid UUID"),
        ([f"{NOBODY}:0:1"], f"More than 1 colon (:) in '{NOBODY}:0:1'"),
        ([f"{NOBODY}:{n}" for n in range(MOST_ITEMS + 1)], "More than 25 recordings not allowed per request"),
    ],
)
def test_it_says_what_is_wrong(http: httpx.Client, ids: list[str], message: str) -> None:
    reply = http.get(LOW, params={"recording_ids": ";".join(ids)})
    assert (reply.status_code, reply.json()) == (400, {"message": message})


def test_submissions_can_be_read_one_by_one(http: httpx.Client, known: list[Recording]) -> None:
    base = f"/api/v1/{known[0].mbid}"
    count = http.get(f"{base}/count").json()
    assert count["mbid"] == known[0].mbid
    last = http.get(f"{base}/low-level", params={"n": count["count"] - 1})
    assert last.status_code == 200
    beyond = http.get(f"{base}/low-level", params={"n": count["count"]})
    assert (beyond.status_code, beyond.json()) == (404, {"message": "Not found"})
    assert http.get(f"/api/v1/{NOBODY}/high-level").status_code == 404
    assert http.get(f"/api/v1/{NOBODY}/count").json() == {"mbid": NOBODY, "count": 0}
    counts = several(http, "/acousticbrainz/api/v1/count", [known[0].mbid, NOBODY])
    assert counts == {known[0].mbid: {"count": count["count"]}, "mbid_mapping": {}}


def test_classifiers_have_chances_that_sum_up(http: httpx.Client, known: list[Recording]) -> None:
    document = several(http, HIGH, [known[0].mbid])[known[0].mbid]["0"]
    assert document.keys() == {"highlevel", "metadata"}
    for classifier in document["highlevel"].values():
        assert sum(classifier["all"].values()) == pytest.approx(1)
        assert classifier["all"][classifier["value"]] == classifier["probability"] >= 0.5


def test_it_knows_nothing_that_is_newer(http: httpx.Client, part: Part) -> None:
    new = [one.mbid for one in part.world.recordings.values() if one.date[:4] >= END][:MOST_ITEMS]
    assert new
    assert several(http, LOW, new) == {"mbid_mapping": {}}
    old = [one for one in part.world.recordings.values() if not one.sibling and one.date[:4] < END]
    share = sum(part.has(one) for one in old) / len(old)
    assert share == pytest.approx(shares.SHARES["acousticbrainz", "recording"], abs=0.05)


def test_it_counts_in_windows_and_tells_on_every_reply(world: World) -> None:
    app = Simulator(world)
    upstream, doorman = app.upstreams["acousticbrainz"], app.doormen["acousticbrainz"]
    verdicts = [doorman.judge(1005.0)[0] for _ in range(102)]
    assert verdicts.index("over_limit") == 101
    reply = upstream.refuse(5, Request("GET", "/api/v1/low-level"))
    reply.verdict = "over_limit"
    headers = upstream.stamps(reply, doorman.limit, 1005.0)
    assert (reply.status, headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == (429, "100", "0")
    assert headers["x-ratelimit-reset-in"] == "5"
    assert "retry-after" not in reply.headers
