"""What producers have is understood under its usual names."""

from __future__ import annotations

from typing import Any

import pytest

from linernotes_client.outage import Outage
from linernotes_client.tracks import request_of


@pytest.mark.parametrize(
    ("track", "request_"),
    [
        ("4711", {"track_id": "4711"}),
        ({"id": 4711}, {"track_id": "4711"}),
        ({"track_id": "a", "id": "b"}, {"track_id": "a"}),
        ({"artist_name": " Björk ", "track_name": "Jóga"}, {"artist_name": "Björk", "track_title": "Jóga"}),
        ({"primary_artist": "Sade", "title": "Paradise"}, {"artist_name": "Sade", "track_title": "Paradise"}),
        ({"artist": ["Sade"], "track_title": ["Paradise"]}, {"artist_name": "Sade", "track_title": "Paradise"}),
        ({"artist_name": "", "artist": "Sade"}, {"artist_name": "Sade"}),
        ({"artists": ["Sade", "Mica Paris"]}, {"artist_name": "Sade"}),
        ({"artists": [{"name": "R", "role": "remixer"}, {"name": "Sade", "role": "primary"}]}, {"artist_name": "Sade"}),
        ({"artists": [{"name": "Sade"}, {"name": "R"}]}, {"artist_name": "Sade"}),
        ({"artists": []}, {}),
        ({"artists": [{}]}, {}),
        ({"artist": None, "title": False, "album": {}}, {}),
        ({"album": "Diamond Life", "isrc": "GB1"}, {"album_title": "Diamond Life", "existing_isrc": "GB1"}),
        (
            {"spotify_id": "s", "existing_musicbrainz_id": "m", "correlation_id": "c"},
            {"existing_spotify_id": "s", "existing_musicbrainz_id": "m", "correlation_id": "c"},
        ),
        ({"duration_ms": "238000"}, {"duration_ms": 238000}),
        ({"duration_ms": "3:58"}, {}),
        ({"duration_ms": 0}, {}),
        ({"duration_ms": float("nan")}, {}),
        ({"duration_ms": float("inf")}, {}),
        ({"priority": 3, "force_refresh": True}, {"priority": 3, "force_refresh": True}),
        ({"venue": "Berghain"}, {}),
    ],
    ids=str,
)
def test_request_of(track: Any, request_: dict[str, Any]) -> None:
    assert request_of(track) == request_


def test_a_tracks_own_priority_holds() -> None:
    assert request_of({"priority": 3}, priority=7) == {"priority": 3}
    assert request_of({"priority": None}, priority=7) == {"priority": 7}


class Clock:
    """Time that is moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_outage_is_told_once_a_kind_and_asked_about_now_and_then() -> None:
    clock, error = Clock(), OSError("away")
    outage = Outage[OSError](patience=2, pause=5, clock=clock)
    assert outage.reason_not_to_ask() is None

    assert [outage.failed(error), outage.reason_not_to_ask()] == [True, None]
    assert [outage.failed(error), outage.reason_not_to_ask()] == [False, error]
    assert outage.failed(ConnectionError("another kind"))

    clock.now += 5
    assert outage.reason_not_to_ask() is None, "one asks again"
    assert outage.reason_not_to_ask() is not None, "the others wait for what it finds"

    outage.answered(asked=clock.now - 10)
    assert outage.reason_not_to_ask() is not None, "an answer from before says nothing"
    outage.answered(asked=clock.now)
    assert outage.reason_not_to_ask() is None
    assert outage.failed(error), "the next outage is news"
