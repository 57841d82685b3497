"""Tokens, the service and its batches from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
import pytest

from enrichment.bootstrap import build
from enrichment.embedded.server import free_port
from enrichment.services import batches, tokens
from enrichment.settings import load
from tests.cli.conftest import Linernotes
from tests.conftest import Empty
from tests.support import ROOT, eventually


def made(linernotes: Linernotes, empty: Empty, *arguments: str) -> dict[str, str]:
    done = linernotes("tokens", "make", *arguments, "--json", **empty.environ())
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_tokens_are_made_listed_and_revoked(linernotes: Linernotes, empty: Empty) -> None:
    token = made(linernotes, empty, "scraper", "--scope", "submit", "--days", "30")
    usual = made(linernotes, empty, "mirror")
    listed = linernotes("tokens", "list", "--json", **empty.environ())
    table = linernotes("tokens", "list", **empty.environ())
    revoked = linernotes("tokens", "revoke", "scraper", **empty.environ())
    again = linernotes("tokens", "revoke", "scraper", **empty.environ())

    assert token["scopes"] == ["submit"]
    assert usual["scopes"] == ["submit", "read"]
    assert [each["ending"] for each in json.loads(listed.stdout)] == [token["token"][-4:], usual["token"][-4:]]
    for shown in (listed.stdout, table.stdout, revoked.stderr):
        assert token["token"] not in shown
    assert (revoked.returncode, again.returncode) == (0, 1)
    fleet = build(load(empty.environ()))
    assert not tokens.opens(fleet, token["token"])
    assert tokens.opens(fleet, usual["token"])
    fleet.close()


def test_a_batch_is_cancelled(linernotes: Linernotes, empty: Empty) -> None:
    fleet = build(load(empty.environ()))
    given = [{"artist_name": "Massive Attack", "track_title": f"Track {n}"} for n in range(3)]
    taken = batches.take(fleet, "a test", given)
    fleet.close()

    done = linernotes("cancel", str(taken.id), "--json", **empty.environ())
    unknown = linernotes("cancel", str(uuid.uuid4()), **empty.environ())
    nonsense = linernotes("cancel", "x", **empty.environ())

    assert (json.loads(done.stdout)["status"], json.loads(done.stdout)["failed"]) == ("cancelled", 3)
    assert (unknown.returncode, nonsense.returncode) == (1, 2)
    assert "there is no batch" in unknown.stderr


def test_serve(empty: Empty, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "cli.main", "serve", "--port", str(port)]
    environ = empty.environ(PYTHONPATH=str(ROOT), LINERNOTES_OPEN_TO_ALL="metrics")
    log = tmp_path / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environ, cwd=tmp_path, stdout=output, stderr=output)  # noqa: S603 - ours
    try:
        eventually(lambda: answers(port), what="it serves")
        assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 200
        assert httpx.get(f"http://127.0.0.1:{port}/stats").status_code == 401
    finally:
        process.terminate()
        assert process.wait(20) in (0, -15)


def test_up_runs_the_service_with_a_token_of_its_own(data: Path) -> None:
    command = [sys.executable, "-m", "cli.main", "up", "--data", str(data), "--port", "0", "--workers", "1"]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    log = (data / "up.err").open("wb")
    with (
        log,
        subprocess.Popen(  # noqa: S603 - ours
            [*command, "--simulate", "--json"], env=environ, cwd=data, stdout=subprocess.PIPE, stderr=log
        ) as process,
    ):
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())
        headers = {"Authorization": f"Bearer {where['token']}"}
        asked = httpx.get(f"{where['service']}/audit", headers=headers)
        process.terminate()
        assert process.wait(60) == 0

    assert asked.status_code == 200
    assert (data / "token").read_text() == where["token"]
    assert (data / "token").stat().st_mode & 0o777 == 0o600


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("arguments", [["--scope", "everything"], ["--days", "0"]])
def test_wrong_usage(linernotes: Linernotes, arguments: list[str]) -> None:
    assert linernotes("tokens", "make", "x", *arguments).returncode == 2
