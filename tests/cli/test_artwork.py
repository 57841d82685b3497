"""`linernotes album` and `performer fetch-artwork`, on a fleet that URLs name."""

from __future__ import annotations

import json

from sqlalchemy import Engine, text
from typer.testing import CliRunner, Result

from cli.main import app
from tests.conftest import Empty

ALBUM = text("""
INSERT INTO albums (title, artist, title_key, artist_key, external_id, cover_art_url)
VALUES ('Airdrawndagger', 'Sasha', 'airdrawndagger', 'sasha', 'a1', :url)
""")
PERFORMER = text("INSERT INTO performers (name, external_id, image_url) VALUES ('Sasha', 'p1', :url)")
LOOKUPS = text("SELECT question, priority, keys FROM lookups ORDER BY id")


def test_pictures_are_asked_for(empty: Empty, engine: Engine) -> None:
    def run(*arguments: str, code: int = 0) -> Result:
        done = CliRunner().invoke(app, list(arguments), env=empty.environ())
        assert done.exit_code == code, done.output
        return done

    cover, portrait = "http://pictures.test/cover.jpg", "http://pictures.test/sasha.jpg"
    with engine.begin() as connection:
        connection.execute(ALBUM, {"url": cover})
        connection.execute(PERFORMER, {"url": portrait})

    assert json.loads(run("album", "report", "a1", "--json").stdout)["fields"]["title"] == "Airdrawndagger"
    run("album", "fetch-artwork", "a1", "--priority", "6")
    run("performer", "fetch-artwork", "p1")
    run("album", "fetch-artwork", "a2", code=1)

    with engine.connect() as connection:
        asked = [tuple(row) for row in connection.execute(LOOKUPS)]
    assert asked == [("download", 6, {"cover_art_url": cover}), ("portrait", 2, {"image_url": portrait})]
