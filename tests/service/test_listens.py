"""Listens over HTTP: handed in, looked at, how far each has come, chosen covers, and whose they are."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from enrichment.services import tokens
from enrichment.services.tokens import Scope
from tests.service.conftest import Api

PLAY = {
    "listened_at": 1_700_000_000,
    "track_metadata": {
        "artist_name": "Massive Attack",
        "track_name": "Teardrop",
        "release_name": "Mezzanine",
        "additional_info": {"artwork_url": "http://player.test/came.jpg"},
    },
}


@pytest.fixture
def ann(api: Api) -> dict[str, str]:
    """The header of somebody who is one user."""
    scopes = [Scope.SUBMIT, Scope.READ]
    return {"Authorization": f"Bearer {tokens.make(api.fleet, 'ann', scopes, user='ann').secret}"}


def handed_in(api: Api, body: Any, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
    return api.http.post("/listens", json=body, headers=headers, params=params)


def test_a_live_play_from_its_coming_to_its_cover(api: Api, ann: dict[str, str]) -> None:
    found = handed_in(api, {"listen_type": "single", "payload": [PLAY]}, ann)
    assert found.status_code == 202
    (listen,) = found.json()["ids"]
    assert found.json() == {"ids": [listen], "listens": 1, "known": 0, "now_playing": 0, "rejected": []}
    where = f"/api/v1/scrobbles/{listen}/enrichment_status"
    begun = api.http.get(where, headers=ann).json()
    assert (begun["status"], begun["has_artwork"]) == ("in_progress", True)
    assert begun["artwork_url"] == "http://player.test/came.jpg"
    assert begun["estimated_completion"]
    assert api.bench.rows("SELECT live, origin FROM listens") == [(True, "api")]

    api.bench.settle_down()
    ended = api.http.get(where, headers=ann).json()
    assert ended == {
        "id": listen,
        "status": "completed",
        "has_artwork": True,
        "artwork_url": "http://covers.test/1.jpg",
        "estimated_completion": None,
    }
    assert handed_in(api, PLAY, ann).json()["known"] == 1

    chosen = {
        "artist_name": "massive attack",
        "album_name": "MEZZANINE",
        "preferred_artwork_url": "http://ann.test/a.jpg",
    }
    assert api.http.put("/listens/artwork", json=chosen, headers=ann).json() == {"listens": 1}
    (shown,) = api.http.get("/users/ann/listens", headers=ann).json()
    assert (shown["artwork_url"], shown["album_name"]) == ("http://ann.test/a.jpg", "Mezzanine")
    assert api.http.get("/users/ann/listens", headers=ann, params={"before": "2023-11-14T22:13:20Z"}).json() == []
    for moment in ("0.5", "-1", "yesterday", ["2023-11-14", "2023-11-15"]):
        refused = api.http.get("/users/ann/listens", headers=ann, params={"before": moment})
        assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["query", "before"])


def test_whose_they_are(api: Api, ann: dict[str, str]) -> None:
    (listen,) = handed_in(api, PLAY, user_id="bob").json()["ids"]
    where = f"/api/v1/scrobbles/{listen}/enrichment_status"
    assert api.http.get(where).status_code == 200
    assert api.http.get(where, headers=ann).status_code == 404
    assert api.http.get(f"/api/v1/scrobbles/{uuid4()}/enrichment_status", headers=ann).status_code == 404
    for answer in (
        handed_in(api, PLAY, ann, user_id="bob"),
        api.http.get("/users/bob/listens", headers=ann),
    ):
        assert answer.status_code == 404
    assert handed_in(api, PLAY).status_code == 403
    assert len(api.http.get("/users/bob/listens").json()) == 1
    assert api.http.get("/users/ann/listens", headers=ann).json() == []
    reader = api.token(Scope.READ)
    assert handed_in(api, PLAY, reader, user_id="bob").status_code == 403


def test_many_are_an_import(api: Api) -> None:
    plays = [{**PLAY, "listened_at": 1_700_000_000 + 300 * number} for number in range(60)]
    found = handed_in(api, {"listen_type": "import", "payload": [*plays, {"listened_at": 5}, 7]}, user_id="ann").json()
    assert (found["listens"], len(found["ids"]), [each["line"] for each in found["rejected"]]) == (60, 60, [61, 62])
    assert api.bench.rows("SELECT DISTINCT live FROM listens") == [(False,)]
    assert handed_in(api, {"listen_type": "playing_now", "payload": [PLAY]}, user_id="ann").json()["ids"] == []
    assert handed_in(api, [0] * 10_001, user_id="ann").status_code == 413


def test_a_picture_in_its_sizes(api: Api) -> None:
    digest = "ab" * 32
    api.bench.run("INSERT INTO pictures (sha256, size, jpeg) VALUES (:digest, 'small', 'jpeg')", digest=digest)
    found = api.http.get(f"/artwork/{digest}/small")
    assert (found.content, found.headers["content-type"]) == (b"jpeg", "image/jpeg")
    assert "immutable" in found.headers["cache-control"]
    assert api.http.get(f"/artwork/{digest}/large").status_code == 404
    assert api.http.get(f"/artwork/{digest}/huge").status_code == 422
