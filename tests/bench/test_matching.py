"""The scorecard of the matching: the small sets that ship hold their figures, and any labelled file is read."""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

import pytest

from bench.matching import add_options, run
from bench.matching.building import build
from bench.matching.rows import labelled
from bench.matching.rules import RULES, by_code, by_names
from bench.matching.scoring import OURS, score
from bench.report import Report
from simulator import catalogue


def _report(*arguments: str) -> Report:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return run(parser.parse_args(list(arguments)))


def test_what_ships_holds_its_figures():
    report = _report()
    # How fast it is depends on the machine, and is measured where nothing else runs.
    checks = [check for check in report.checks if check.what != "decisions a second"]
    assert len(checks) == len(report.checks) - 1
    broken = [f"{check.what}: {check.value} ({check.side} {check.bound})" for check in checks if not check.holds]
    assert not broken
    assert {"tracklist", "shops", "choosing", "cases", "case choices"} == report.figures["sets"].keys()
    assert report.figures["decisions_per_second"] > 0
    assert report.figures["parsing"]["tracklist"]["seen"]["exact"] == 1.0


def test_ours_beats_every_plain_rule_on_both_parts():
    sets = _report().figures["sets"]
    for name in ("tracklist", "shops"):
        for told in sets[name].values():
            assert all(told[OURS]["f1"] > told[rule]["f1"] for rule in RULES)
    for told in sets["choosing"].values():
        assert all(told[OURS]["wrong"] <= figures["wrong"] for figures in told.values())


TRACK = {"spotify_id": "1", "title": "Song", "artists": ["Artist"], "album": "Album", "duration_ms": 200_000}


@pytest.mark.parametrize("packed", [False, True])
def test_a_labelled_file_in_any_known_form_is_read(tmp_path: Path, packed: bool):
    a, b = {"artist": "Artist", "title": "Song"}, {"line": "Artist - Song (Live)"}
    rows = [
        {"id": "1", "a": a, "b": b, "same": False},
        {"id": "2", "set": "own", "query": a, "candidates": [{"id": "x", **a}], "right": "x"},
        {"isrc": "USABC1234567", "variants": [TRACK, {**TRACK, "album": "Best of"}]},
        {"recordings": [{**TRACK, "isrc": "A"}, {**TRACK, "spotify_id": "2", "isrc": "B", "duration_ms": 300_000}]},
        {"recordings": [{**TRACK, "isrc": "A"}, {**TRACK, "spotify_id": "3", "isrc": "C"}]},
        {"kind": "field_cleanup", "input": "Song", "expected": {"title": "Song", "rule": "remove-remastered"}},
        TRACK,
    ]
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    file = tmp_path / ("rows.jsonl.gz" if packed else "rows.jsonl")
    file.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    report = _report(str(file), "--tracks", "0")
    sets = report.figures["sets"]
    assert {name: parts["all"][OURS]["rows"] for name, parts in sets.items()} == {
        "pairs": 1,
        "own": 1,
        "one ISRC, ISRC hidden": 1,
        "one ISRC, ISRC shown": 1,
        "siblings far apart, ISRC hidden": 1,
        "siblings far apart, ISRC shown": 1,
    }
    assert report.figures["parsing"].keys() == {"field_cleanup"}


def test_figures_are_counted():
    same, other = {"artist": "Artist", "title": "Song"}, {"artist": "Artist", "title": "Song (Live)"}
    rows = [
        {"id": "a", "set": "s", "a": same, "b": same, "same": True},
        {"id": "b", "set": "s", "a": same, "b": other, "same": True},
        {"id": "c", "set": "s", "a": same, "b": same, "same": False},
        {"id": "d", "set": "s", "a": same, "b": other, "same": False},
    ]
    parts = score(rows)["s"]
    told = parts["all"][OURS]
    assert (told["precision"], told["recall"], told["f1"]) == (0.5, 0.5, 0.5)
    assert sum(parts[part][OURS]["rows"] for part in ("seen", "held_back") if part in parts) == told["rows"] == 4


def test_a_row_does_not_change_when_others_come():
    tracks = list(catalogue.load())[:40]
    few = {row["id"]: row for row in build(tracks, most=5)}
    again = {row["id"]: row for row in build(tracks, most=20)}
    assert few
    assert all(again[name] == row for name, row in few.items())
    assert not list(labelled(tracks, most=0))


def test_plain_rules_answer_whatever_a_side_lacks():
    sides = [{}, {"line": "x"}, {"line": "[01:02] A - B [C]"}, {"artist": "A", "title": "B", "duration_ms": 1000}]
    assert all(isinstance(rule(a, b), bool) for rule in RULES.values() for a in sides for b in sides)
    assert RULES["exact key"](sides[2], sides[3])
    candidates = [{"id": "1", "artist": "A", "title": "C", "isrc": "X"}, {"id": "2", "artist": "A", "title": "B"}]
    assert by_names(sides[3], candidates) == "2"
    assert by_code({**sides[3], "isrc": "X"}, candidates) == "1"
