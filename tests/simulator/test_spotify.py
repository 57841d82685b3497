from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from simulator.limits import SPOTIFY_DAY
from simulator.truth import World
from simulator.upstreams import Part, Shelf
from simulator.upstreams.spotify import DAY, Spotify
from simulator.wire import Reply, Request


@pytest.fixture(scope="module")
def part(world: World) -> Part:
    return Part("spotify", Shelf(world))


class App:
    """An app with a token of its own; time is passed in."""

    def __init__(self, part: Part, client: str, **options: Any) -> None:
        self.spotify = Spotify(part, **options)
        self.client = client
        self.token = ""

    def renew(self, now: float) -> None:
        basic = base64.b64encode(f"{self.client}:secret".encode()).decode()
        headers = {"authorization": f"Basic {basic}"}
        body = b"grant_type=client_credentials"
        reply = self.spotify.answer(Request("POST", "/api/token", headers=headers, body=body, now=now))
        self.token = json.loads(reply.body)["access_token"]

    def get(self, path: str, query: str = "", now: float = 0.0) -> Reply:
        if not self.token:
            self.renew(now)
        headers = {"authorization": f"Bearer {self.token}"}
        return self.spotify.answer(Request("GET", f"/v1{path}", query, headers, base="http://sim", now=now))


@pytest.mark.parametrize("kind", ["artists", "tracks", "albums"])
def test_several_ids_are_for_extended_quota(part: Part, kind: str) -> None:
    assert App(part, "an-app").get(f"/{kind}", "ids=" + "0" * 22).status == 403
    reply = App(part, "extended-app").get(f"/{kind}", "ids=" + "0" * 22)
    assert (reply.status, json.loads(reply.body)) == (200, {kind: [None]})


@pytest.mark.parametrize("path", ["/audio-features", "/audio-analysis/" + "0" * 22, "/recommendations"])
def test_what_was_removed_in_november_2024(part: Part, path: str) -> None:
    assert App(part, "an-app").get(path).status == 403
    assert App(part, "extended-app").get(path).status == 403


def test_who_had_extended_quota_before_keeps_audio_features(part: Part) -> None:
    app = App(part, "grandfathered-app")
    ids = [hit["id"] for hit in json.loads(app.get("/search", "q=bowie&type=track&limit=50").body)["tracks"]["items"]]
    reply = app.get("/audio-features", f"ids={','.join([*ids, '0' * 22])}")
    assert (reply.status, reply.items) == (200, len(ids) + 1)
    *rows, unknown = json.loads(reply.body)["audio_features"]
    assert unknown is None
    assert {row["id"] for row in rows if row} <= set(ids)
    assert all(row["tempo"] > 0 and -1 < row["key"] < 12 and row["mode"] in (0, 1) for row in rows if row)
    assert app.get("/audio-features", f"ids={','.join(['0' * 22] * 101)}").status == 400
    assert app.get("/recommendations").status == 403


@pytest.mark.parametrize("path", ["/markets", "/browse/new-releases"])
def test_what_was_removed_in_development_mode(part: Part, path: str) -> None:
    assert App(part, "an-app").get(path).status == 403
    assert App(part, "extended-app").get(path).status == 404, "not simulated"


def test_the_quota_of_a_day(part: Part) -> None:
    app = App(part, "an-app", speed=0.01)
    calls = round(SPOTIFY_DAY * 0.01)
    assert [app.get("/search", "q=bowie&type=track", 100.0 * n).status for n in range(calls)] == [200] * calls
    over = app.get("/search", "q=bowie&type=track", 3000.0)
    assert (over.status, over.verdict) == (429, "over_limit")
    assert json.loads(over.body)["error"] == {"status": 429, "message": "Too many requests", "reason": "QUOTA_EXCEEDED"}
    assert float(over.headers["retry-after"]) == over.wait == round(48_925 / 0.01)
    app.renew(DAY + 50)
    assert app.get("/search", "q=bowie&type=track", DAY + 50).status == 200, "the first call has left the window"
    assert app.get("/search", "q=bowie&type=track", DAY + 60).status == 429


def test_extended_quota_has_no_day(part: Part) -> None:
    app = App(part, "extended-app", speed=0.001)
    assert {app.get("/search", "q=bowie&type=track", float(n)).status for n in range(20)} == {200}


def test_a_token_lives_for_an_hour(part: Part) -> None:
    app = App(part, "an-app")
    assert app.get("/search", "q=bowie&type=track").status == 200
    stale = app.get("/search", "q=bowie&type=track", 3600.0)
    assert stale.status == 401
    assert json.loads(stale.body)["error"]["message"] == "The access token expired"
    assert "expired" in stale.headers["www-authenticate"]
