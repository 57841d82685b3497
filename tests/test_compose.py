"""The compose file: accepted by Debian's docker-compose, and each of its commands works in a process of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from enrichment.embedded.server import free_port
from simulator.server import running
from tests.conftest import Empty
from tests.support import ROOT, eventually

DEFAULT = re.compile(r"\$\{[A-Z_]+:-(?P<value>[^}]*)\}")
SERVICES: dict[str, Any] = yaml.safe_load(
    DEFAULT.sub(lambda found: found["value"], (ROOT / "docker-compose.yml").read_text())
)["services"]
OURS = {name for name, service in SERVICES.items() if "build" in service}
AUTH = ("linernotes", "linernotes")


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="Debian's package docker-compose is not installed")
def test_docker_compose_accepts_it() -> None:
    clean = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    command = ["docker-compose", "--profile", "example", "config", "--services"]
    done = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, check=False)  # noqa: S603 - Debian's
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == set(SERVICES)


def test_what_runs_is_confined() -> None:
    for name, service in SERVICES.items():
        assert "mem_limit" in service, name
        assert name not in OURS or service["read_only"] is True
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert dockerfile.count("\nUSER linernotes\n") == dockerfile.count(" AS ") - 1, "each image but the base"


class Compose:
    """Our services' commands on this machine's servers: other ports, other places, the same environment."""

    def __init__(self, empty: Empty, upstreams: str, folder: Path) -> None:
        self.service, self.flower = free_port(), free_port()
        self._places = {"8020": str(self.service), "5555": str(self.flower), "/tmp/beat": str(folder / "beat")}  # noqa: S108 - in the container
        self._own = {
            "LINERNOTES_DATABASE_URL": empty.database_url.replace("+psycopg", ""),
            "LINERNOTES_BROKER_URL": empty.broker_url,
            "LINERNOTES_REDIS_URL": empty.redis_url,
            "LINERNOTES_UPSTREAM_URL": upstreams,
            "LINERNOTES_SPEED": "20",
            "LINERNOTES_DATA": str(folder),
            "METADATA_ENRICHMENT_URL": f"http://127.0.0.1:{self.service}",
        }
        self._folder = folder

    def _adapted(self, words: list[str]) -> list[str]:
        for there, here in self._places.items():
            words = [word.replace(there, here) for word in words]
        return words

    def _environ(self, name: str, **more: str) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        given = {key: "" if value is None else str(value) for key, value in SERVICES[name]["environment"].items()}
        return {"PATH": path, "HOME": str(self._folder), **given, **self._own, **more}

    def run(self, name: str, command: list[str] | None = None, **more: str) -> str:
        """To its end, which must be a good one. Returns what it wrote to stdout."""
        words = self._adapted(command or SERVICES[name]["command"])
        done = subprocess.run(  # noqa: S603 - our own
            words, cwd=ROOT, env=self._environ(name, **more), capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def up(self, *names: str) -> Iterator[None]:
        """These services, until the end of the block; each must end well."""
        started = []
        for name in names:
            log = (self._folder / f"{name}.log").open("wb")
            words, environ = self._adapted(SERVICES[name]["command"]), self._environ(name)
            started.append(subprocess.Popen(words, cwd=ROOT, env=environ, stdout=log, stderr=log))  # noqa: S603 - our own
            log.close()
        try:
            yield
        finally:
            for process in started:
                process.terminate()
            ends = [process.wait(60) for process in started]
        assert set(ends) <= {0, -15}, dict(zip(names, ends, strict=True))

    def is_healthy(self, name: str) -> bool:
        """By its own check."""
        words = self._adapted(SERVICES[name]["healthcheck"]["test"][1:])
        return subprocess.run(words, env=self._environ(name), capture_output=True, check=False).returncode == 0  # noqa: S603 - our own


def test_every_command_works(empty: Empty, tmp_path: Path) -> None:
    with running(speed=20) as upstreams:
        compose = Compose(empty, upstreams, tmp_path)
        compose.run("migrate")
        made = compose.run("migrate", ["linernotes", "tokens", "make", "scraper", "--json"])
        services = OURS - {"migrate", "scraper"}
        with compose.up(*services), httpx.Client(trust_env=False, timeout=30) as http:
            for name in services - {"beat"}:
                eventually(lambda name=name: compose.is_healthy(name), 60, name)  # type: ignore[misc]  # bound now
            items = compose.run("scraper", METADATA_ENRICHMENT_TOKEN=json.loads(made)["token"])

            def ended() -> float:
                text = http.get(f"http://127.0.0.1:{compose.service}/metrics").text
                return sum(float(n) for n in re.findall(r"^tracks_enriched_total\{.*\} (\S+)$", text, re.MULTILINE))

            eventually(lambda: ended() == len(items.splitlines()) == 3, what="the worker's counts are the service's")

            flower = f"http://127.0.0.1:{compose.flower}"
            assert http.get(f"{flower}/api/tasks").status_code == 401
            tasks = http.get(f"{flower}/api/tasks", auth=AUTH).json().values()
            queues = http.get(f"{flower}/api/queues/length", auth=AUTH).json()["active_queues"]
            eventually(lambda: "beat: Starting" in (tmp_path / "beat.log").read_text(), what="beat")

    by_artist = {item["artist_name"]: item for item in map(json.loads, items.splitlines())}
    assert by_artist["Massive Attack"]["isrc"], "the fleet has filled in what the page does not say"
    told = {task["result"] for task in tasks if (task["name"] or "").startswith("fetch.")}
    assert any(re.fullmatch(r"'musicbrainz: \d+ tracks?, \d+ found'", each or "") for each in told), told
    assert {queue["name"] for queue in queues} == {"fetch", "critical", "default", "low_priority"}
    assert {queue["messages"] for queue in queues} == {0}
    lines = (tmp_path / "worker.log").read_text().splitlines()
    assert any('"event": "celery@' in line and "ready." in line for line in lines), "logs are JSON"
