"""The simulated labs: a JSON list in, a JSON list out."""

from __future__ import annotations

from typing import Any

import httpx

from simulator import shares
from simulator.truth import World
from simulator.upstreams import Part, Shelf


def ask(http: httpx.Client, data_set: str, *rows: dict[str, Any], count: int = 100) -> Any:
    reply = http.post(f"/listenbrainz/{data_set}/json", json=rows, params={"count": count})
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_spotify_ids_by_mbid(http: httpx.Client, world: World) -> None:
    part = Part("listenbrainz", Shelf(world))
    here = [recording for recording in world.recordings.values() if part.has(recording)][:100]
    missing = next(recording for recording in world.recordings.values() if not part.has(recording))
    found = ask(http, "spotify-id-from-mbid", *({"recording_mbid": one.mbid} for one in [*here, missing]))
    assert [row["recording_mbid"] for row in found] == [one.mbid for one in here]
    with_ids = [row for row in found if row["spotify_track_ids"]]
    assert 0.6 < len(with_ids) / len(here) < 0.85
    tracks = [track.spotify_id for track in world.by_mbid[with_ids[0]["recording_mbid"]].tracks]
    assert with_ids[0]["spotify_track_ids"] == tracks


def test_spotify_ids_by_names_come_in_the_order_of_the_question(http: httpx.Client, world: World) -> None:
    recordings = list(world.recordings.values())[:30]
    rows = [{"artist_name": one.credit.upper(), "release_name": "", "track_name": one.title} for one in recordings]
    found = ask(http, "spotify-id-from-metadata", *rows, {"artist_name": "no", "release_name": "", "track_name": "no"})
    assert [row["artist_name"] for row in found] == [*(row["artist_name"] for row in rows), "no"]
    assert found[-1]["spotify_track_ids"] == []
    assert any(row["spotify_track_ids"] for row in found)


def test_countries_are_left_out_or_cut_off(http: httpx.Client, world: World) -> None:
    performers = [one for one in world.performers.values() if one.tracks][:60]
    rows = [{"artist_mbid": one.mbid} for one in performers]
    found = ask(http, "artist-country-code-from-artist-mbid", *rows)
    assert 0 < len(found) <= len(rows)
    assert all(row["country_code"] == world.performer_by_mbid[row["artist_mbid"]].country for row in found)
    assert len(ask(http, "artist-country-code-from-artist-mbid", *rows, count=5)) <= 5


def test_names_to_ids_without_a_token(http: httpx.Client, world: World) -> None:
    known = next(one for one in world.recordings.values() if shares.knows("listenbrainz", "recording", one.key))
    rows = [{"artist_credit_name": "no", "recording_name": "no"}]
    rows += [{"artist_credit_name": known.credit, "recording_name": known.title.lower()}] * 2
    found = ask(http, "acr-lookup", *rows)
    assert [row["index"] for row in found] in ([2], [])
    assert all(row["recording_mbid"] == known.mbid for row in found)


def test_errors_are_pages(http: httpx.Client) -> None:
    gone = http.post("/listenbrainz/mbid-mapping/json", json=[])
    assert (gone.status_code, gone.headers["content-type"]) == (404, "text/html; charset=utf-8")
    bad = http.post("/listenbrainz/spotify-id-from-mbid/json", json=[{"recording_mbid": "no"}])
    assert bad.status_code == 400
