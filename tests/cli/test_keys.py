"""`linernotes keys` on an embedded fleet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from enrichment.reservoir.keys import Seal
from tests.cli.conftest import Linernotes

SECRET = "planted-lastfm-key-5678"


def _listed(linernotes: Linernotes, data: Path, **environ: str) -> dict[str, dict[str, Any]]:
    done = linernotes("keys", "list", "--data", str(data / "fleet"), "--json", **environ)
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    return {each["name"]: each for each in json.loads(done.stdout)}


def test_the_life_of_a_key(linernotes: Linernotes, data: Path) -> None:
    at = ("--data", str(data / "fleet"))

    done = linernotes("keys", "set", "LASTFM_API_KEY", *at, given=f"{SECRET}\n".encode())
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    masters = data / "fleet" / "secret_keys"
    assert masters.stat().st_mode & 0o777 == 0o600
    first = masters.read_text()

    found = _listed(linernotes, data, DISCOGS_TOKEN="an-environments-4321")
    assert (found["LASTFM_API_KEY"]["from"], found["LASTFM_API_KEY"]["ending"]) == ("database", "5678")
    assert (found["DISCOGS_TOKEN"]["from"], found["DISCOGS_TOKEN"]["ending"]) == ("environment", "4321")
    assert (found["SPOTIFY_CLIENT_ID"]["from"], found["SPOTIFY_CLIENT_ID"]["ending"]) == (None, None)

    done = linernotes("keys", "rotate", *at)
    assert done.returncode == 0, done.stderr
    assert "1 key is sealed" in done.stderr
    second = masters.read_text()
    assert masters.stat().st_mode & 0o777 == 0o600
    assert first.strip() not in second
    assert len(second.split()) == 1
    assert _listed(linernotes, data)["LASTFM_API_KEY"]["ending"] == "5678"

    done = linernotes("keys", "remove", "LASTFM_API_KEY", *at)
    assert done.returncode == 0, done.stderr
    assert _listed(linernotes, data)["LASTFM_API_KEY"]["from"] is None
    assert linernotes("keys", "remove", "LASTFM_API_KEY", *at).returncode == 1


def test_wrong_usage(linernotes: Linernotes, data: Path) -> None:
    at = ("--data", str(data / "fleet"))

    done = linernotes("keys", "set", "LASTFM_API_KEY", SECRET, *at)
    assert done.returncode == 2, "a key is no argument"
    done = linernotes("keys", "set", "NO_SUCH_KEY", *at, given=SECRET.encode())
    assert done.returncode == 1
    assert "LASTFM_API_KEY" in done.stderr
    assert SECRET not in done.stderr
    done = linernotes("keys", "list", *at, LINERNOTES_SECRET_KEYS="not-a-master-key")
    assert done.returncode == 1
    assert "LINERNOTES_SECRET_KEYS" in done.stderr
    assert "not-a-master-key" not in done.stderr


def test_a_master_key_of_ones_own(linernotes: Linernotes) -> None:
    done = linernotes("keys", "master")
    assert Seal(done.stdout.strip()).open("A", Seal(done.stdout).close("A", "a")) == "a"
