"""The simulator beside a fleet: started for it, and asked what it saw."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
from dotenv import dotenv_values

from cli.failure import Failure
from cli.fleet import importable
from enrichment.bootstrap import make_sources
from enrichment.embedded import Program
from enrichment.services.report import Witnessed
from enrichment.settings import PREFIX, Settings

START_SECONDS = 60.0


def simulator_program(port: int, speed: float, log: Path) -> Program:
    """The simulator with the catalogue that ships, on this port of the loopback address."""
    command = [sys.executable, "-m", "simulator", "--port", str(port), "--speed", str(speed), "--log", str(log)]
    return Program("simulator", command, importable(), grace=5.0)


def simulated(settings: Settings, port: int, speed: float) -> dict[str, str]:
    """Variables that point a fleet at the simulator on this port, for all sources, at its speed, with keys for them."""
    own = {name for name in {*os.environ, *dotenv_values(".env")} if name.startswith(PREFIX)}
    # An address or a budget of the operator's is for the real upstream; empty is as good as not set.
    undone = {name: "" for name in own if name.endswith(("_URL", "_BUDGET"))}
    keys = {secret: "demo" for source in make_sources(settings).values() for secret in source.secrets}
    return undone | keys | {"LINERNOTES_UPSTREAM_URL": f"http://127.0.0.1:{port}", "LINERNOTES_SPEED": str(speed)}


def witnessed(url: str) -> dict[str, Witnessed] | None:
    """What the simulator at this URL has counted by source; None where there is none."""
    if not url:
        return None
    try:
        reply = httpx.get(f"{url.rstrip('/')}/_simulator/stats", timeout=5, trust_env=False)
        sources: Mapping[str, Mapping[str, int]] = reply.json()["sources"]
        return {n: Witnessed(c["over_limit"], c["in_pause"]) for n, c in sources.items()}
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None


def wait_for_simulator(url: str, logs: Path) -> None:
    """Until it answers. Raises Failure."""
    until = time.monotonic() + START_SECONDS
    while witnessed(url) is None:
        if time.monotonic() > until:
            raise Failure(f"the simulator does not answer at {url}; its log is {logs / 'simulator.log'}")
        time.sleep(0.1)
