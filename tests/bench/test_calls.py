"""The whole benchmark, small: its phases end, its figures are there, its checks follow from them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from bench.report import start
from enrichment.domain.subjects import WANTED, Kind
from tests.support import ROOT

ROWS, SAMPLE = 40, 8


@pytest.fixture(scope="module")
def ended() -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli.main", "bench", "calls", "--json"]
    return subprocess.run(  # noqa: S603 - our own module
        [*command, "--rows", str(ROWS), "--sample", str(SAMPLE), "--speed", "50"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.fixture(scope="module")
def told(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert ended.returncode in (0, 1), ended.stderr[-3000:]
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_it_keeps_the_contract_of_a_benchmark(ended: subprocess.CompletedProcess[str], told: dict[str, Any]):
    assert set(told) == {"name", "figures", "checks", "machine"}
    for check in told["checks"]:
        value = check["value"]
        assert check["holds"] is (
            value is not None and (value <= check["at_most"] if "at_most" in check else value >= check["at_least"])
        )
    assert ended.returncode == (0 if all(check["holds"] for check in told["checks"]) else 1)


def test_every_call_is_counted_where_it_was_seen(told: dict[str, Any]):
    for name in ("fleet", "everything", "naive"):
        figures = told["figures"][name]
        assert figures["calls"] == sum(figures["calls_by_source"].values()) > 0
        assert figures["calls_per_subject"] == pytest.approx(figures["calls"] / figures["subjects"], abs=1e-3)
        assert "artwork" not in figures["calls_by_source"]
    assert told["figures"]["fleet"]["subjects"] == ROWS
    assert told["figures"]["naive"]["subjects"] == SAMPLE


def test_nothing_is_left_open(told: dict[str, Any]):
    for name in ("fleet", "again", "everything", "keyless"):
        assert not {"pending", "in_progress"} & told["figures"][name]["statuses"].keys()


def test_the_fleet_asks_less_than_the_naive_way_and_finds_no_less(told: dict[str, Any]):
    fleet, naive = told["figures"]["fleet"], told["figures"]["naive"]
    assert fleet["calls_per_subject"] < naive["calls_per_subject"]
    assert naive["calls_per_subject"] > 8
    assert fleet["coverage"]["isrc"] >= naive["coverage"]["isrc"] - 0.1
    assert fleet["right"]["spotify_id"] >= naive["right"]["spotify_id"] - 0.1


def test_asked_again_costs_nothing(told: dict[str, Any]):
    assert told["figures"]["again"]["calls"] == 0
    assert told["figures"]["again"]["coverage"] == told["figures"]["fleet"]["coverage"]


def test_an_artist_is_fetched_once(told: dict[str, Any]):
    about = told["figures"]["artist"]
    assert about["tracks"] > 1
    assert set(about["calls_about_the_artist"].values()) == {1}


def test_each_question_says_what_it_was_worth(told: dict[str, Any]):
    questions = told["figures"]["fleet"]["questions"]
    assert all(each["calls"] <= each["lookups"] and each["found"] <= each["lookups"] for each in questions)
    first = {name for each in questions for name in each["first"]}
    assert {f"track.{name}" for name in ("isrc", "spotify_id", "bpm", "key")} <= first


def test_without_keys_the_missed_sources_are_named(told: dict[str, Any]):
    assert not told["figures"]["fleet"].get("missed")
    missed = told["figures"]["keyless"]["missed"]
    assert {"spotify", "lastfm"} <= missed.keys()
    assert "spotify" not in told["figures"]["keyless"]["calls_by_source"]


def test_every_promise_is_checked(told: dict[str, Any]):
    said = " | ".join(check["what"] for check in told["checks"])
    for name in WANTED[Kind.TRACK]:
        assert f"fleet: {name}, points below everything" in said
    for name in ("isrc", "bpm", "key", "genres", "artwork", "release_date", "popularity"):
        assert f"keyless: track {name}" in said
    for name in ("country", "image_url"):
        assert f"keyless: performer {name}" in said


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--phases", "fleet,lunch"), "there is no phase 'lunch'"),
        (("--phases", "again"), "go on where fleet has ended"),
        (("--listens", "nowhere.csv"), "there is no file nowhere.csv"),
    ],
)
def test_wrong_usage_is_told_before_anything_starts(
    wrong: tuple[str, str], said: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as end:
        start("calls", wrong)
    assert end.value.code == 2
    assert said in capsys.readouterr().err
