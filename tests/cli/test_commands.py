"""The commands as processes: a file through the embedded fleet against the simulator, and the demo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simulator.catalogue import small_requests
from simulator.server import running
from tests.cli.conftest import Linernotes

SPEED = 20
KEYS = {"SPOTIFY_CLIENT_ID": "test", "SPOTIFY_CLIENT_SECRET": "test", "LISTENBRAINZ_TOKEN": "test"}
ENDED = {"completed", "partial", "failed"}


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_file_is_enriched_and_looked_into(linernotes: Linernotes, data: Path) -> None:
    wanted = [{**each, "id": f"own-{number}"} for number, each in enumerate(small_requests()[:27])]
    given = [json.dumps(each) for each in wanted]
    given[3:3] = ['{"artist": "", "title": "x", "id": "empty"}', "no json", json.dumps({"id": "nobody-knows-this"})]
    (data / "in.jsonl").write_text("\n".join(given), "utf-8")
    with running(speed=SPEED) as url:
        environ = {"LINERNOTES_UPSTREAM_URL": url, "LINERNOTES_SPEED": str(SPEED), **KEYS}
        done = linernotes("enrich", "in.jsonl", "--out", "out.jsonl", "--priority", "5", "--json", **environ)
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout)
        again = linernotes("enrich", "in.jsonl", "--json", **environ)
        looked = linernotes(
            "lookup",
            "deezer",
            "track",
            "--artist",
            wanted[0]["artist"],
            "--title",
            "Nothing Like It",
            "--json",
            **environ,
        )

    rows = lines((data / "out.jsonl").read_text("utf-8"))
    assert [row["row"] for row in rows] == list(range(1, 31))
    assert [row["status"] for row in rows[3:6]] == ["rejected"] * 3
    assert all(row["errors"] for row in rows[3:6])
    good = rows[:3] + rows[6:]
    assert [row["track_id"] for row in good] == [each["id"] for each in wanted]
    assert {row["status"] for row in good} <= ENDED
    completed = [row for row in good if row["status"] == "completed"]
    assert len(completed) > 20
    for row in completed:
        assert row["sources_used"]
        assert row["metadata_acquired"]["title"]
        assert None not in row["metadata_acquired"].values()
        assert row["duration_seconds"] >= 0

    assert summary["requests"]["accepted"] == 27
    assert summary["requests"]["open"] == 0
    assert sum(each["calls"] for each in summary["sources"].values()) > 27
    assert all(each["over_limit"] == 0 and each["refusals"] == 0 for each in summary["sources"].values())
    assert 0 < summary["coverage"]["track"]["isrc"] <= 1
    for told in (
        "row 4 (line 4) rejected: artist_name: is empty",
        "row 5 (line 5) rejected: row: is not JSON",
        "row 6",
    ):
        assert told in done.stderr

    assert again.returncode == 0, again.stderr
    # An identifier that was found for one track opens new ways for others of its performer or album.
    assert json.loads(again.stdout)["reused"] > len(completed) * 0.7

    assert looked.returncode == 0, looked.stderr
    assert json.loads(looked.stdout)["outcome"] in ("found", "nothing_found")

    _look_into(linernotes)


def _look_into(linernotes: Linernotes) -> None:
    report = json.loads(linernotes("track", "report", "own-0", "--json").stdout)
    assert report["status"] in ENDED
    assert {finding["source"] for finding in report["findings"]} > {"producer"}
    assert linernotes("track", "report", "own-9999").returncode == 1
    found = json.loads(linernotes("stats", "--json").stdout)
    assert found["track_stats"]["total"] == 27
    assert found["track_stats"]["coverage_percentages"]["isrc"] > 50


def test_a_fleet_at_rest_is_paused_and_resumed(linernotes: Linernotes) -> None:
    assert linernotes("sources", "pause", "deezer", "500", "--reason", "told so").returncode == 0
    states = {each["source"]: each for each in json.loads(linernotes("sources", "--json").stdout)}
    assert states["deezer"]["paused_for"] > 400
    assert states["deezer"]["reason"] == "told so"
    assert set(states["spotify"]["secrets"]) >= {"SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET"}
    assert not any(states["spotify"]["secrets"].values())
    refused = linernotes("lookup", "deezer", "track", "--artist", "a", "--title", "b")
    assert refused.returncode == 1
    assert "told so" in refused.stderr
    assert linernotes("sources", "resume", "deezer").returncode == 0
    states = {each["source"]: each for each in json.loads(linernotes("sources", "--json").stdout)}
    assert states["deezer"]["paused_for"] == 0
    assert states["musicbrainz"]["terms"]["fields"]["genres"]["commercial"] is False
    assert "Data from MusicBrainz" in linernotes("sources", "--terms").stdout
    no_deal = linernotes("lookup", "deezer", "track", "--artist", "a", "--title", "b", LINERNOTES_COMMERCIAL="1")
    assert no_deal.returncode == 1
    assert "commercial" in no_deal.stderr
    assert linernotes("sources", "resume", "nobody").returncode == 2
    assert linernotes("lookup", "nobody", "track").returncode == 2
    assert linernotes("lookup", "deezer", "album", "--isrc", "x").returncode == 2
    assert json.loads(linernotes("dlq", "list", "--json").stdout) == []
    assert linernotes("dlq", "show", "7").returncode == 1
    assert linernotes("dlq", "replay", "7").returncode == 1


def test_the_demo_sums_itself_up(linernotes: Linernotes, data: Path) -> None:
    done = linernotes("demo", "--rows", "20", "--speed", "10", "--json", "--data", str(data))
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["requests"]["accepted"] == 20 + 4 + 3
    assert summary["requests"]["open"] == 0
    assert set(summary["coverage"]) == {"performer", "track", "album"}
    assert sum(each["over_limit"] for each in summary["sources"].values()) == 0
    assert (data / "demo" / "logs" / "simulator.jsonl").stat().st_size > 0
