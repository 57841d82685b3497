"""`linernotes serve`: the HTTP service, alone or beside the embedded fleet."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import httpx

from cli.failure import Failure
from cli.fleet import Opened, importable, opened, settings_of, supervised
from cli.show import note
from enrichment.embedded import Program
from enrichment.embedded.server import free_port, port_is_free
from enrichment.services import tokens
from enrichment.services.tokens import Scope

START_SECONDS = 30.0
GRACE_SECONDS = 15.0
NAME = "token"
"""The file in the data folder that holds the embedded fleet's own token, for its user alone."""


def serve(data: Path | None, host: str, port: int) -> None:
    """Serves until SIGINT or SIGTERM: in this process where URLs name the fleet, else as a child beside its servers."""
    if settings_of().database_url:
        os.execve(sys.executable, _command(host, port), {**os.environ, **importable()})  # noqa: S606 - our own program
    port = available(port)
    with opened(data, with_tables=True) as fleet, supervised(fleet, [service_program(fleet, port, host)]) as supervisor:
        wait_for_service(fleet, port)
        note(f"http://{host}:{port} with the token in {fleet.data / NAME}: {own_token(fleet)}")
        supervisor.wait()


def service_program(fleet: Opened, port: int, host: str = "127.0.0.1") -> Program:
    """The service as a program for a Supervisor."""
    return Program("service", _command(host, port), {**importable(), **fleet.environment}, GRACE_SECONDS)


def _command(host: str, port: int) -> list[str]:
    return [sys.executable, "-m", "service", "--host", host, "--port", str(port)]


def available(port: int) -> int:
    """The port, or a free one where it is 0 or taken."""
    if port and port_is_free(port):
        return port
    other = free_port()
    if port:
        note(f"port {port} is taken; the service is on {other}")
    return other


def wait_for_service(fleet: Opened, port: int) -> None:
    """Until it answers. Raises Failure."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            httpx.get(f"http://127.0.0.1:{port}/health", timeout=5, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise Failure(
        f"the service has not come up in {START_SECONDS:g} s; its log is {fleet.data / 'logs' / 'service.log'}"
    )


def own_token(fleet: Opened) -> str:
    """The embedded fleet's own token, which may do everything; made where there is none that opens anything."""
    path = fleet.data / NAME
    known = path.read_text("ascii").strip() if path.exists() else ""
    if known and tokens.opens(fleet.fleet, known):
        return known
    made = tokens.make(fleet.fleet, "embedded", [Scope.ADMIN]).secret
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(made, "ascii")
    return made
