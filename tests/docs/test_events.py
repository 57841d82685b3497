"""The page on events says what the code does, and its commands run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from cli.main import app
from enrichment.domain.completeness import WEIGHTS
from enrichment.domain.orders import TASKS
from tests.conftest import Empty
from tests.docs.pages import blocks, table_under

ARTIST = {"id": "943", "name": "Carl Cox", "contentUrl": "/dj/carlcox", "country": {"name": "United Kingdom"}}
EVENTS = [
    {"event_id": "1975094", "title": "NYE", "artists": [ARTIST], "lineup_raw": "Carl Cox, Anetha b2b SPFDJ, tba"},
    {"title": "without an id"},
]


def test_weights() -> None:
    told = {
        kind: {name: int(weight) for name, weight in re.findall(r"`(\w+)` (\d+)", weights)}
        for kind, weights in table_under("docs/events.md", "## Completeness")
    }
    assert told == WEIGHTS


def test_tasks() -> None:
    told = {
        name for row in table_under("docs/events.md", "## Enriching many") for name in re.findall(r"`(\w+)\(", row[0])
    }
    assert told <= TASKS


def test_its_commands_run(empty: Empty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(line: str) -> Result:
        """In this process: there are many, and a process takes seconds to start."""
        done = CliRunner().invoke(app, line.split()[1:], env=empty.environ(), catch_exceptions=False)
        structlog.reset_defaults()
        assert done.exit_code == 0, (line, done.output)
        return done

    monkeypatch.chdir(tmp_path)
    Path("ra_events.jsonl.gz").write_text("\n".join(map(json.dumps, EVENTS)), "utf-8")
    said = {}
    for line in [line for block in blocks("sh") if block.page.name == "events.md" for line in block.code.splitlines()]:
        ours = line
        if "4711" in line:
            performer = json.loads(run("linernotes performer needing --json").stdout)[0]["performer_id"]
            ours = line.replace("4711", performer)
        said[line] = run(ours)
    first, again, of_one = list(said.values())[:3]
    assert "event 2 rejected: event_id: Field required" in first.stderr
    assert "1 events, 3 performers on their bills, 3 of them new; 1 events rejected" in first.stderr
    assert json.loads(again.stdout)["new_performers"] == 0
    assert "3 performers accepted" in of_one.stderr
    assert "total_ra_performers" in said["linernotes performer stats"].stdout
