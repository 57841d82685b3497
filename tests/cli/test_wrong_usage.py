"""Wrong usage ends with 2, what cannot be done with 1; each with a sentence and without a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.cli.conftest import Linernotes

COMMANDS = [
    [],
    ["demo"],
    ["up"],
    ["enrich"],
    ["lookup"],
    ["sources"],
    ["sources", "resume"],
    ["sources", "pause"],
    ["simulate"],
    ["stats"],
    ["queue"],
    ["migrate"],
    ["dlq"],
    ["dlq", "list"],
    ["dlq", "show"],
    ["dlq", "replay"],
    ["dlq", "drop"],
    ["track", "report"],
    ["performer", "report"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


WRONG = [
    ["nonsense"],
    ["enrich"],
    ["enrich", "no-such-file.csv"],
    ["enrich", ".", "--priority", "3"],
    ["enrich", "-", "--priority", "11"],
    ["enrich", "-", "--priority", "high"],
    ["enrich", "-", "--wait", "-1"],
    ["enrich", "-", "--out", "no/such/folder/file"],
    ["demo", "--rows", "0"],
    ["demo", "--speed", "0"],
    ["up", "--workers", "0"],
    ["lookup", "deezer"],
    ["lookup", "deezer", "song"],
    ["sources", "pause", "deezer"],
    ["sources", "pause", "deezer", "long"],
    ["simulate"],
    ["simulate", "--port", "99999999"],
    ["dlq", "show", "one"],
    ["dlq", "replay"],
    ["dlq", "list", "--state", "lost"],
    ["track", "report"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_usage(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error" in result.stderr or "Usage" in result.stderr


def told(linernotes: Linernotes, *arguments: str, **environ: str) -> str:
    result = linernotes(*arguments, **environ)
    assert result.returncode == 1
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr.strip().splitlines()[-1]


def test_a_database_that_does_not_answer(linernotes: Linernotes) -> None:
    urls = {
        "LINERNOTES_DATABASE_URL": "postgresql://a:b@127.0.0.1:1/x",
        "LINERNOTES_REDIS_URL": "redis://127.0.0.1:1/0",
    }
    assert "LINERNOTES_DATABASE_URL" in told(linernotes, "stats", **urls)


def test_a_setting_that_cannot_be_read(linernotes: Linernotes) -> None:
    assert "LINERNOTES_SPEED" in told(linernotes, "stats", LINERNOTES_SPEED="fast")
    assert "LINERNOTES_REDIS_URL" in told(linernotes, "stats", LINERNOTES_DATABASE_URL="postgresql://localhost:1/x")
    assert "LINERNOTES_DATABASE_URL" in told(linernotes, "migrate")


def test_a_data_folder_that_is_none(linernotes: Linernotes, data: Path) -> None:
    (data / "file").write_text("")
    assert "file" in told(linernotes, "stats", "--data", str(data / "file"))


def test_a_file_without_a_row_that_can_be_accepted_starts_no_servers(linernotes: Linernotes, data: Path) -> None:
    result = linernotes("enrich", "-", given=b"artist,title\n,\nQueen\n")
    assert result.returncode == 1
    assert result.stdout.count('"status": "rejected"') == 2
    assert "none of its 2 rows" in result.stderr
    assert not (data / ".linernotes").exists()


def test_a_header_that_nobody_knows(linernotes: Linernotes) -> None:
    result = linernotes("enrich", "-", given=b"a,b\n1,2\n")
    assert result.returncode == 1
    assert "first line must name the columns" in result.stderr
