"""The commands of docs/duplicates.md, in their order."""

from __future__ import annotations

import json
import shlex

from sqlalchemy import Engine
from typer.testing import CliRunner

from cli.main import app
from tests.conftest import Empty
from tests.docs.pages import blocks


def test_the_commands_of_the_page(empty: Empty, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO performers (name, external_id, spotify_id, updated_at)"
            " SELECT name, n, left(n, 1), now() - interval '1 minute'"
            " FROM (VALUES ('Anetha', '1a'), ('ANETHA', '1b'), ('Nina', '2a'), ('Nena', '2b')) AS p(name, n)"
        )
    commands = [
        shlex.split(line)
        for block in blocks("sh")
        if block.page.name == "duplicates.md"
        for line in block.code.splitlines()
    ]
    said = [CliRunner().invoke(app, command[1:], env=empty.environ()) for command in commands]

    assert [each.exit_code for each in said] == [0] * len(commands), [each.output for each in said]
    assert "4 looked, 2 proposed, 0 withdrawn, 0 merged" in said[0].output
    (merged,) = json.loads(said[-1].stdout)
    assert (merged["id"], merged["state"]) == (1, "merged")
    assert merged["decided_by"].startswith("command line (")
    again = CliRunner().invoke(app, ["duplicates", "merge", "2"], env=empty.environ())
    assert "rejected already" in str(again.exception)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM performers").scalar_one() == 3
        told = connection.exec_driver_sql("SELECT action, outcome FROM audit ORDER BY id").all()
    assert [tuple(each) for each in told[:2]] == [("merge duplicates", "done"), ("reject duplicates", "done")]
