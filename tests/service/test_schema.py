"""What OpenAPI says holds for whatever is sent: schemathesis makes up requests, good and bad.

`SCHEMA_CASES` sets how many per route; docs/http.md has the command for ten thousand in all.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from enrichment.services import standing
from tests.service.conftest import Api
from tests.services.fakes import Bench

CONFIG = Path(__file__).parents[2] / "schemathesis.toml"
CASES = os.environ.get("SCHEMA_CASES", "4")


@contextmanager
def working(bench: Bench) -> Iterator[None]:
    """The worker does what comes, or those who wait would wait for nothing."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.02):
            for source in bench.fleet.sources:
                if bench.fleet.limiter.now(source).paused_for:  # made up, too
                    standing.resume(bench.fleet, source)
            bench.settle_down(1)

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.timeout(3600)
def test_no_5xx_and_no_break_of_the_schema(api: Api, tmp_path: Path) -> None:
    api.submitted()
    token = api.http.headers["authorization"]
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", f"{api.url}/openapi.json"),
        *("-H", f"Authorization: {token}"),
        *("--max-examples", CASES, "--seed", "20261121", "--continue-on-failure", "--no-color", "--warnings", "off"),
        *("--request-timeout", "150"),
    ]
    with working(api.bench):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603 - our own

    sys.stdout.writelines(re.findall(r"\d+ generated.*\n", done.stdout))  # for who asks for ten thousand, with -s
    assert done.returncode == 0, done.stdout[-200_000:] + done.stderr[-2000:]
