"""`linernotes log level`."""

from __future__ import annotations

import json

from tests.cli.conftest import Linernotes
from tests.conftest import Empty


def test_levels_are_set_shown_and_taken_back(linernotes: Linernotes, empty: Empty) -> None:
    def log(*arguments: str) -> tuple[int, dict[str, str]]:
        done = linernotes("log", "level", *arguments, "--json", **empty.environ())
        return done.returncode, json.loads(done.stdout or "{}")

    assert log("debug", "--logger", "enrichment.services") == (0, {"enrichment.services": "DEBUG"})
    assert log("warning") == (0, {"": "WARNING", "enrichment.services": "DEBUG"})
    assert log("default", "--logger", "enrichment.services") == (0, {"": "WARNING"})
    assert log() == (0, {"": "WARNING"})
    assert log("debug", "--logger", "httpx")[0] == 2
