"""Every operating action of the command line stands in the audit, with its doer; and sources are moved by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from cli.main import app
from cli.operator import who
from enrichment.bootstrap import build
from enrichment.reservoir import dead_letters
from enrichment.reservoir.keys import new_master
from enrichment.services import batches
from enrichment.settings import load
from tests.conftest import Empty

KEY = "a-planted-key-0815"
TRACK = {"task": "enrich_track", "args": [], "kwargs": {"artist_name": "Air", "track_title": "Run"}}


def test_all_that_is_done_by_hand_is_told(empty: Empty, engine: Engine) -> None:
    environ = empty.environ(LINERNOTES_SECRET_KEYS=new_master())
    with engine.begin() as connection:
        for _ in range(2):
            dead_letters.message(connection, "bad", b"[]", request=TRACK)
    fleet = build(load(environ))
    batch = batches.take(fleet, "a test", [{"artist_name": "Air", "track_title": "Run"}]).id
    fleet.limiter.warm("deezer")
    for _ in range(5):
        fleet.limiter.failed("deezer", "ill")

    def run(*arguments: str, given: str = "", code: int = 0) -> str:
        result = CliRunner().invoke(app, arguments, input=given, env=environ)
        assert result.exit_code == code, result.output
        return result.stdout

    def source() -> dict[str, Any]:
        states = json.loads(run("sources", "--json"))
        return next(state for state in states if state["source"] == "deezer")

    assert (source()["breaker"], source()["reason"]) == ("open", "breaker: ill")
    run("sources", "reset", "deezer")
    assert source()["breaker"] == "half_open"
    run("sources", "pause", "deezer", "90000", "--reason", "their wish")
    assert (source()["stopped"], source()["reason"], source()["since"] is None) == (True, "their wish", False)
    run("sources", "resume", "deezer")
    assert (source()["stopped"], source()["paused_for"], source()["since"]) == (False, 0, None)
    run("keys", "set", "LASTFM_API_KEY", given=KEY)
    run("keys", "rotate")
    run("keys", "remove", "LASTFM_API_KEY")
    run("tokens", "make", "crawler", "--scope", "submit")
    run("tokens", "revoke", "crawler")
    run("dlq", "edit", "1", "--set", "artist_name=Moby")
    run("dlq", "replay", "1", "--lane", "low_priority")
    run("dlq", "drop", "--error", "bad", "--reason", "theirs")
    run("dlq", "purge", "--older-than", "0s")
    run("cancel", str(batch))
    run("dlq", "replay", "--subject", "nobody", code=1)

    found = json.loads(run("audit", "list", "--json"))
    assert {entry["who"] for entry in found} == {who()}
    assert [(entry["action"], entry["target"]) for entry in reversed(found)] == [
        ("reset breaker", "deezer"),
        ("pause", "deezer"),
        ("resume", "deezer"),
        ("set key", "LASTFM_API_KEY"),
        ("rotate keys", "master key"),
        ("remove key", "LASTFM_API_KEY"),
        ("make token", "crawler"),
        ("revoke token", "crawler"),
        ("edit", "dead letter 1"),
        ("replay", "dead letters"),
        ("drop", "dead letters"),
        ("purge", "dead letters"),
        ("cancel batch", str(batch)),
        ("replay", "dead letters"),
    ]
    assert [entry["outcome"] for entry in found[1:]] == ["done"] * 13
    assert "nobody" in found[0]["outcome"]
    assert found[4]["details"] == {"ids": [1], "state": "open", "lane": "low_priority"}
    assert KEY not in json.dumps(found)
    pages = [run("audit", "list", "--json", "--target", "deezer", *more) for more in ([], ["--limit", "1"])]
    assert [len(json.loads(page)) for page in pages] == [3, 1]
    assert json.loads(run("audit", "list", "--json", "--who", "nobody at all")) == []
    assert "their wish" in run("audit", "list")
    fleet.close()


@pytest.mark.parametrize(
    "arguments",
    [["sources", "reset", "nobody"], ["sources", "pause", "deezer", "0"], ["audit", "list", "--limit", "0"]],
)
def test_wrong_usage(arguments: list[str], empty: Empty) -> None:
    assert CliRunner().invoke(app, arguments, env=empty.environ()).exit_code == 2
