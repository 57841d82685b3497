"""The pages on backfills, schedules and the warehouse say what the code does, and their commands run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from cli.main import app
from enrichment.reservoir.purging import DAYS
from enrichment.services.calendar import schedules
from tests.conftest import Empty
from tests.docs.pages import blocks, table_under


def test_schedules() -> None:
    told = {name.strip("`"): cron.strip("`") for name, cron, _ in table_under("docs/backfills.md", "## Schedules")}
    assert told == {name: schedule.cron for name, schedule in schedules("landing").items()}


def test_ages() -> None:
    told = dict(table_under("docs/backfills.md", "## What is purged"))
    assert {what.split("`")[1]: int(days) for what, days in told.items() if "`" in what} == DAYS


@pytest.fixture
def run(lent: Empty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Result]]:
    """Runs a command line in this process: there are many, and a process takes seconds to start."""
    monkeypatch.chdir(tmp_path)
    environ = {name: value for name, value in lent.environ().items() if name != "PATH"}
    yield lambda line: CliRunner().invoke(app, line.split()[1:], env=environ, catch_exceptions=False)
    structlog.reset_defaults()


def commands(page: str) -> list[str]:
    """Of a page; waiting for workers is tested with the services."""
    lines = [line for block in blocks("sh") if block.page.name == page for line in block.code.splitlines()]
    return [line for line in lines if line.startswith("linernotes") and "--output-dir" not in line]


def test_commands_on_backfills_run(run: Callable[[str], Result]) -> None:
    said = {line: run(line) for line in commands("backfills.md")}
    assert [line for line, done in said.items() if done.exit_code] == []
    nightly = json.loads(said["linernotes schedules run nightly_enrichment --json"].stdout)
    assert (nightly["outcome"], nightly["counts"]) == ("done", {"track": 0, "performer": 0, "album": 0})
    assert "recheck: done" in said["linernotes schedules run recheck --due"].stderr


def test_commands_on_the_warehouse_run(run: Callable[[str], Result]) -> None:
    (row,) = [block.code for block in blocks("json") if block.page.name == "warehouse.md"]
    folder = Path("landing")
    folder.mkdir()
    (folder / "1_artist_enrichment.jsonl").write_text(json.dumps(json.loads(row)) + "\nno JSON\n")
    said = {line: run(line) for line in commands("warehouse.md")}
    assert [line for line, done in said.items() if done.exit_code] == []
    (file,) = json.loads(said["linernotes ingest landing --config artist_enrichment --json"].stdout)
    assert (file["rows"], file["bad"]) == (1, [{"line": 2, "error": "not a JSON object"}])
    assert (folder / "ingested" / "1_artist_enrichment.jsonl").exists()
    assert json.loads(said["linernotes artists coverage --json"].stdout)["artist_count"] == 0
    assert "Massive Attack" in said["linernotes artists images"].stdout
