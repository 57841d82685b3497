"""Sets that are scraped again a week later."""

from __future__ import annotations

import json
from pathlib import Path

from bench.sessions import made_sessions, measured, sessions_of
from enrichment.embedded import Servers


def test_sets_are_read_as_their_sites_write_them(tmp_path: Path) -> None:
    sets = tmp_path / "sets.jsonl"
    history = {"tracks": [{"artist": "Lamb", "title": "Gorecki"}, {"artist": " ", "title": "Intro"}]}
    tracklist = {"tracks": [{"artist": ["Pryda"], "title": "Pryda - Rush"}]}
    sets.write_text(f"{json.dumps(history)}\n{json.dumps(tracklist)}\n")

    assert sessions_of(sets, None) == [[("Lamb", "Gorecki")], [("Pryda", "Rush")]]
    assert sessions_of(sets, 1) == [[("Lamb", "Gorecki")]]
    assert made_sessions(1) == made_sessions(1) != made_sessions(2)


def test_a_week_later_little_is_asked_again(servers: Servers) -> None:
    sessions = [session[:4] for session in made_sessions(1)[:2]]

    report = measured(servers, sessions, None, 100.0)

    first, second = report.figures["week_1"], report.figures["week_2"]
    assert first["tracks"] == second["tracks"] == len({track for session in sessions for track in session})
    assert first["calls"] > 0
    assert first["reuse"] == 0
    assert second["calls"] < first["calls"]
