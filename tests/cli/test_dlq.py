"""`linernotes dlq`, on a fleet that URLs name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import Engine
from typer.testing import CliRunner

from cli.main import app
from enrichment.reservoir import dead_letters as rows
from tests.conftest import Empty

Dlq = Callable[..., Result]
BAD = {"task": "enrich_track", "args": [], "kwargs": {"artist": "Air", "title": ""}}


@pytest.fixture
def dlq(empty: Empty) -> Dlq:
    """Runs a subcommand."""

    def run(*arguments: str, given: str | None = None) -> Result:
        return CliRunner().invoke(app, ["dlq", *arguments], input=given, env=empty.environ())

    return run


@pytest.fixture
def letters(engine: Engine) -> list[int]:
    """A message of a bad title, one of an unknown task, and one that is no JSON; the last is two days old."""
    with engine.begin() as connection:
        rows.message(connection, "title: is empty", b"[]", request=BAD, correlation_id="c-1")
        rows.message(connection, "no task", b"[]", request={"task": "enrich", "args": [], "kwargs": {"name": "Air"}})
        rows.message(connection, "not JSON", b"\xff")
        connection.exec_driver_sql("UPDATE dead_letters SET created_at = now() - interval '2 days' WHERE id = 3")
    return [1, 2, 3]


def said(result: Result, code: int = 0) -> Any:
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def numbers(dlq: Dlq, *arguments: str) -> list[int]:
    return [each["id"] for each in said(dlq("list", "--json", *arguments))]


def test_list_and_show(dlq: Dlq, letters: list[int]) -> None:
    assert numbers(dlq) == [3, 2, 1]
    assert numbers(dlq, "--limit", "1", "--below", "3") == [2]
    assert numbers(dlq, "--error", "TITLE") == [1]
    assert numbers(dlq, "--older-than", "1d") == [3]
    assert numbers(dlq, "--newer-than", "12h", "--what", "message", "--outcome", "unreadable") == [2, 1]
    assert numbers(dlq, "--source", "deezer") == []
    assert "title: is empty" in dlq("list").stdout
    shown = said(dlq("show", "1", "--json"))
    assert (shown["trace_id"], shown["request"], shown["body"]) == ("c-1", BAD, "[]")
    assert "c-1" in dlq("show", "1").stdout
    assert dlq("show", "99").exit_code == 1
    assert dlq("list", "--subject", "nobody").exit_code == 1


def test_edit_and_replay(dlq: Dlq, letters: list[int], tmp_path: Path) -> None:
    assert dlq("replay", "1", "2").exit_code == 1
    assert dlq("edit", "1", "--set", "colour=blue").exit_code == 1
    edited = said(dlq("edit", "1", "--set", "title=Run", "--json"))["edited"]
    assert edited["kwargs"] == {"artist": "Air", "title": "Run"}
    said(dlq("edit", "2", "--task", "enrich_performer", "--json"))
    whole = tmp_path / "right.json"
    whole.write_text(json.dumps({"task": "enrich_album", "args": [], "kwargs": {"artist": "Air"}}), "utf-8")
    said(dlq("edit", "3", "--file", str(whole), "--json"))

    came = said(dlq("replay", "--all", "--lane", "critical", "--rate", "50", "--json"))

    assert (came["replayed"], [each["id"] for each in came["refused"]]) == (2, [3])
    assert said(dlq("replay", "1", "--json"), 1) == {"replayed": 0, "asked": 1, "refused": []}
    assert numbers(dlq) == [3]
    assert dlq("edit", "3", "--file", "-", given="[]").exit_code == 1
    assert dlq("edit", "3", "--file", "-", given="{").exit_code == 1
    assert dlq("edit", "1", "--set", "title=Run").exit_code == 1


def test_drop_and_purge(dlq: Dlq, letters: list[int]) -> None:
    assert said(dlq("drop", "--error", "task", "--reason", "theirs", "--json")) == {"dropped": 1, "asked": 1}
    assert said(dlq("drop", "2", "--json"), 1) == {"dropped": 0, "asked": 1}
    assert said(dlq("show", "2", "--json"))["note"] == "theirs"
    assert said(dlq("purge", "--older-than", "1d", "--json")) == {"purged": 0}
    assert said(dlq("purge", "--older-than", "0s", "--json")) == {"purged": 1}
    assert said(dlq("purge", "--older-than", "1d", "--state", "open", "--json")) == {"purged": 1}
    assert numbers(dlq) == [1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay"],
        ["drop", "--reason", "no"],
        ["replay", "--lane", "fast", "1"],
        ["replay", "--rate", "0", "1"],
        ["edit", "1"],
        ["edit", "1", "--set", "title"],
        ["edit", "1", "--set", "a=b", "--file", "-"],
        ["list", "--older-than", "soon"],
        ["list", "--outcome", "found"],
        ["purge"],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["dlq", *arguments])
    assert result.exit_code == 2
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["list", "show", "edit", "replay", "drop", "purge"])
def test_every_command_has_help(command: str) -> None:
    assert "Usage:" in CliRunner().invoke(app, ["dlq", command, "--help"]).output
