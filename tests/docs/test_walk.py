"""A newcomer's walk: the commands of the pages, in their order, on a fleet that has what they speak of."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from cryptography.fernet import Fernet
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from cli.main import app
from simulator.server import running
from tests.conftest import Empty
from tests.docs.pages import blocks

ON_THEIR_OWN = {"up", "demo", "simulate", "serve", "bench", "enrich"}
"""They start processes, or run until Ctrl-C: tests/cli, tests/bench and tests/test_compose.py run them."""
PAGES = {
    *("README.md", "console.md", "deployment.md", "http.md", "matching.md", "migrating.md", "operating.md"),
    *("prediction.md", "producer.md", "scaling.md", "troubleshooting.md", "upgrading.md"),
}
"""Those without a test of their own beside this one."""

GIVEN = """
INSERT INTO tracks (title, artist, external_id) VALUES ('Strangers', 'Portishead', '4711');
INSERT INTO albums (title, artist, external_id) SELECT n, 'Portishead', n FROM generate_series(17, 20) AS n;
INSERT INTO performers (name, external_id, spotify_id) VALUES
    ('Portishead', '4711', 'a'), ('Carl Cox', 'ra-943', 'b'), ('Anetha', 'ra-944', 'c');
INSERT INTO batches (id, who) VALUES ('0b6cbb0c-6f0e-4b5c-9a57-2d1f4ad8f3a1', 'tests');
INSERT INTO reviews (id, kind, subject_id, doubt, source, question, fields, candidates, seen, reason)
SELECT 16 + row_number() OVER (ORDER BY external_id), 'performer', id, 'namesakes', 'deezer', 'artist_search',
    ARRAY['spotify_id'], '[{"id": "4050205", "name": "Portishead", "score": 0.9, "country": null, "picture": null,
        "links": {}, "reasons": ["x"], "findings": [{"field": "spotify_id", "value": "d", "confidence": 0.9}]}]',
    ARRAY['4050205'], '2 of one name'
FROM performers;
"""
LETTERS = """
DELETE FROM dead_letters;
INSERT INTO dead_letters (id, what, source, question, kind, subject_id, outcome, error, request)
SELECT external_id::int, 'lookup', 'discogs', 'album_search', 'album', id, 'try_later', 'HTTP 500',
    jsonb_build_object('keys', jsonb_build_object('artist_name', 'Portishead', 'title', 'Glory Bux'))
FROM albums WHERE external_id BETWEEN '17' AND '20';
"""
OF_A_PRODUCER = """
UPDATE dead_letters SET what = 'message', outcome = 'unreadable', body = '[]', request =
    '{"task": "enrich_track", "args": [], "kwargs": {"artist_name": "Portishead", "track_title": ""}}';
"""
SIDE = {"artist": "Portishead", "title": "Strangers"}
FILES = {
    "match": ("questions.jsonl", json.dumps({"a": SIDE, "b": SIDE})),
    "choose": ("questions.jsonl", json.dumps({"query": SIDE, "candidates": [{"id": "1", **SIDE}]})),
    "import": ("scrobbles.csv", "uts,artist,track\n1700000300,Portishead,Strangers\n"),
}


Run = Callable[[str], Result]


@pytest.fixture
def run(empty: Empty, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a command line in this process: there are many, and a process takes seconds to start."""
    monkeypatch.chdir(tmp_path)
    with engine.begin() as connection:
        connection.exec_driver_sql(GIVEN)
    with running(unlimited=True) as upstreams:
        master = Fernet.generate_key().decode()
        environ = empty.environ(LINERNOTES_UPSTREAM_URL=upstreams, LINERNOTES_SECRET_KEYS=master)

        def command(line: str) -> Result:
            words = shlex.split(line, comments=True)[1:]
            if words[0] in FILES:
                name, content = FILES[words[0]]
                Path(name).write_text(content, "utf-8")
            return CliRunner().invoke(app, words, input="simulated-secret\n" * 2, env=environ)

        yield command
    structlog.reset_defaults()


def commands(page: str) -> list[str]:
    lines = [line for block in blocks("sh") if block.page.name == page for line in block.code.splitlines()]
    return [line for line in lines if line.startswith("linernotes ") and line.split()[1] not in ON_THEIR_OWN]


# A command's sockets are closed with its process, which is ours here.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_the_commands_of_the_pages_run(run: Run, engine: Engine) -> None:
    last, done, failed = "", set[str](), []
    for page in sorted(PAGES):
        for line in commands(page):
            if line in done and " dlq " not in line:
                continue
            if " edit " not in last:  # each example is about open letters
                with engine.begin() as connection:
                    connection.exec_driver_sql(LETTERS + (OF_A_PRODUCER if page == "producer.md" else ""))
            came = run(line)
            if came.exit_code:
                failed.append((page, line, came.output, came.exception))
            done.add(line)
            last = line
    assert failed == []


def test_every_page_with_commands_is_walked() -> None:
    apart = {"backfills.md", "backup.md", "duplicates.md", "events.md", "scrobbles.md", "warehouse.md"}
    assert {block.page.name for block in blocks("sh") if commands(block.page.name)} == PAGES | apart
