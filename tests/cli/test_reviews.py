"""`linernotes reviews`, `lock` and `unlock`, on a fleet that URLs name."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from cli.main import app
from enrichment.domain.subjects import Kind
from enrichment.reservoir import reviews as rows
from enrichment.reservoir.reviews import NewReview
from enrichment.reservoir.subjects import Ref
from tests.conftest import Empty


def test_a_person_decides_locks_and_unlocks(empty: Empty, engine: Engine) -> None:
    def run(*arguments: str, code: int = 0) -> Result:
        done = CliRunner().invoke(app, list(arguments), env=empty.environ())
        assert done.exit_code == code, done.output
        return done

    def said(*arguments: str) -> Any:
        return json.loads(run(*arguments, "--json").stdout)

    with engine.begin() as connection:
        made = connection.exec_driver_sql(
            "INSERT INTO performers (name, external_id) VALUES ('Sasha', 'p1') RETURNING id"
        )
        ref = Ref(Kind.PERFORMER, made.scalar_one())
        found = [{"field": "spotify_id", "value": "ben", "confidence": 0.9}]
        ben = {
            "id": "ben",
            "name": "Sasha",
            "score": 0.9,
            "country": "GB",
            "links": {},
            "picture": None,
            "reasons": ["x"],
        }
        doubt = NewReview(
            ref, rows.NAMESAKES, "spotify", "artist_search", ["spotify_id"], [ben | {"findings": found}], "2"
        )
        rows.put(connection, [doubt])

    (listed,) = said("reviews", "list", "--source", "spotify", "--subject", "p1")
    number = str(listed["id"])
    assert (listed["state"], listed["candidates"], listed["name"]) == ("open", 1, "Sasha")
    assert said("reviews", "show", number)["candidates"][0]["id"] == "ben"
    assert "ben" in run("reviews", "show", number).stdout
    assert "Sasha" in run("reviews", "list").stdout
    assert "give one of --choose, --none, --lock" in run("reviews", "decide", number, code=2).output
    assert "is none of ben" in str(run("reviews", "decide", number, "--choose", "al", code=1).exception)

    assert said("reviews", "decide", number, "--choose", "ben")["decision"] == "chosen"

    assert said("lock", "performer", "p1", "genres", '["trance"]')["value"] == ["trance"]
    report = said("performer", "report", "p1")
    assert (report["fields"]["spotify_id"], report["fields"]["genres"]) == ("ben", ["trance"])
    assert report["merged"]["genres"]["locked"]
    assert "locked by a person" in run("performer", "report", "p1").stdout
    run("unlock", "performer", "p1", "genres")
    run("unlock", "performer", "p1", "genres", code=1)
    run("lock", "performer", "p1", "mood", "dark", code=1)
    run("reviews", "show", "4711", code=1)
