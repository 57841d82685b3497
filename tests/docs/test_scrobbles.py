"""The page on scrobbles: its commands run, on the files that it names."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from tests.cli.conftest import Linernotes, data, linernotes
from tests.conftest import Empty
from tests.docs.pages import blocks

__all__ = ["data", "linernotes"]

LISTEN = {
    "listened_at": 1_700_000_000,
    "track_metadata": {"artist_name": "Massive Attack", "track_name": "Angel", "release_name": "Mezzanine"},
}
CSV = "user,ts,artist,track,album\nu1,1700000300,Massive Attack,Teardrop,Mezzanine\nu1,soon,Massive Attack,Angel,\n"


def test_its_commands_run(linernotes: Linernotes, data: Path, empty: Empty) -> None:
    environ = {name: value for name, value in empty.environ().items() if name.startswith("LINERNOTES_")}
    (data / "scrobbles.csv").write_text(CSV, "utf-8")
    (data / "listenbrainz.json").write_text(json.dumps([LISTEN]), "utf-8")
    first, *_ = [block.code.splitlines() for block in blocks("sh") if block.page.name == "scrobbles.md"]
    said = [linernotes(*shlex.split(line)[1:], **environ) for line in first]
    imported, again, listed, chosen, synced = said
    assert [done.returncode for done in said] == [0, 0, 0, 0, 1], [done.stderr for done in said]
    assert "line 3 rejected: listened_at" in imported.stderr
    assert "1 new listens, 0 known; 1 rejected" in imported.stderr
    assert json.loads(again.stdout)["listens"] == 1
    assert "Teardrop" in listed.stdout
    assert "2 listens of ann show it" in chosen.stderr
    assert "LASTFM_API_KEY is not set" in synced.stderr
