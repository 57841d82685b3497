"""What several test packages use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from enrichment.embedded.server import poll
from enrichment.wire.wire import HAS_WRITTEN, WRITES_REQUEST

ROOT = Path(__file__).resolve().parent.parent

KEYS = {
    "LISTENBRAINZ_TOKEN": "simulated-token",
    "SPOTIFY_CLIENT_ID": "simulated-client",
    "SPOTIFY_CLIENT_SECRET": "simulated-secret",
}
"""Any key opens the simulator."""


def eventually(predicate: Callable[[], object], seconds: float = 60.0, what: str = "") -> None:
    """Waits until the predicate holds. Raises AssertionError where it does not in time."""
    assert poll(lambda: bool(predicate()), seconds), f"did not happen within {seconds} s: {what or predicate}"


def left_of(seconds: float) -> Any:
    """Equal to what is left of so many seconds, also where the machine has stood still for ten of them since."""
    return pytest.approx(seconds - 5, abs=5.1, rel=0)


def seconds_of(work: Callable[[], object]) -> float:
    """Of CPU."""
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def slowness() -> float:
    """How many times as long as an ordinary one this machine takes now; not less than 1."""
    return max(1.0, seconds_of(lambda: sum(1 for _ in range(200_000))) / 0.010)


def is_quick(work: Callable[[int], object]) -> bool:
    """Does its best run of five take less than ten milliseconds of an ordinary machine? work: gets the run's number.

    How slow this one is takes as long to find out, and is only asked where it matters.
    """
    runs = (seconds_of(partial(work, number)) for number in range(5))
    return any(run < 0.010 or run < 0.010 * slowness() for run in runs)


class Worker:
    """A real Celery worker process, its output in a file."""

    def __init__(self, environ: Mapping[str, str], log: Path, threads: int = 8) -> None:
        self.log = log
        self.started = time.time()
        command = [
            *(sys.executable, "-m", "celery", "-A", "workers", "worker", "-P", "threads", "-c", str(threads)),
            *("-n", f"{log.stem}@%h", "--without-gossip", "--without-mingle", "-l", "info"),
            *("-Q", "fetch,critical,default,low_priority"),
        ]
        with log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own program
                command,
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "LINERNOTES_THREADS": str(threads), **environ},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Until it takes messages."""
        eventually(lambda: "ready." in self.log.read_text(errors="replace"), what=f"it is ready, see {self.log}")

    @property
    def is_alive(self) -> bool:
        """Is the process running?"""
        return self.process.poll() is None

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and SIGKILL where that is not enough. Returns the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


@contextmanager
def worker(environ: Mapping[str, str], log: Path, threads: int = 8) -> Iterator[Worker]:
    """A worker that is ready, and is stopped at the end."""
    made = Worker(environ, log, threads)
    try:
        made.wait_until_ready()
        yield made
    finally:
        if made.is_alive:
            made.stop()


class FakeTransport(httpx.MockTransport):
    """An upstream in this process that tells of the moment in which a request is written, as httpcore does.

    connect: called before that.
    """

    def __init__(
        self, handler: Callable[[httpx.Request], httpx.Response], connect: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(handler)
        self._connect = connect

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._connect()
        if (trace := request.extensions.get("trace")) is not None:
            trace(WRITES_REQUEST, {})
            trace(HAS_WRITTEN, {})
        return super().handle_request(request)
