"""Keeps child processes running until told to stop: the fleet's programs, and the embedded servers beside them."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Protocol, Self

import psutil

from enrichment.embedded.account import EmbeddedError
from enrichment.embedded.child import Child, launch, rotate, stop_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from enrichment.embedded.servers import Servers

SHORTEST, LONGEST = 0.5, 5.0
"""Seconds before a restart; each quick death doubles them."""
QUICKLY = 10.0
"""Who lived shorter than these seconds died quickly."""
LOOK_EVERY = 0.1

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Program:
    """A program of the fleet. env: variables on top of ours. grace: seconds to end after SIGTERM, before SIGKILL."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    grace: float = 40.0


class ProgramChild(Child):
    """A program that runs. Its pid stands in `data/run`, for a start after a crash that left it running."""

    def __init__(self, program: Program, data: Path) -> None:
        super().__init__(program.name, data / "logs" / f"{program.name}.log", ends=((signal.SIGTERM, program.grace),))
        self._program = program
        self._pid_file = data / "run" / f"{program.name}.pid"

    def _launch(self) -> subprocess.Popen[bytes]:
        for folder in (self.log.parent, self._pid_file.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        process = launch(
            self._program.command,
            folder=Path.cwd(),
            log=self.log,
            environment={**os.environ, **self._program.env},
            orphaned=signal.SIGKILL,  # the fleet stands that; a program that lingers would work for nobody
        )
        self._pid_file.write_text(f"{process.pid} {_born(process.pid)}", "ascii")
        return process

    def clear(self) -> None:
        with suppress(OSError, psutil.Error, ValueError):  # no such file or process, or a file that a crash cut short
            pid, born = self._pid_file.read_text("ascii").split()
            if _born(int(pid)) == born:  # else the number has become another process'
                os.killpg(int(pid), signal.SIGKILL)


def _born(pid: int) -> str:
    return f"{psutil.Process(pid).create_time():.2f}"


class Kept(Protocol):
    """What a supervisor needs of a child."""

    name: str

    def died(self) -> bool:
        """Whether it ended although nobody stopped it."""

    def respawn(self) -> None:
        """Starts it again."""


class Watch:
    """When one child is started again. Time is handed in, in seconds of any clock that does not go back."""

    def __init__(self, child: Kept, now: float) -> None:
        self.child = child
        self.restarts = 0
        self._since = now
        self._delay = SHORTEST
        self._due: float | None = None

    def look(self, now: float) -> None:
        """Starts the child again if it died and its delay is over."""
        if not self.child.died():
            self._due = None
        elif self._due is None:
            self._plan(now)
        elif now >= self._due:
            self._restart(now)

    def _plan(self, now: float) -> None:
        quickly = self.restarts > 0 and now - self._since < QUICKLY
        self._delay = min(2 * self._delay, LONGEST) if quickly else SHORTEST
        self._due = now + self._delay
        log.warning("%s ended, starting it again in %.1f s", self.child.name, self._delay)

    def _restart(self, now: float) -> None:
        self.restarts += 1
        self._since, self._due = now, None
        try:
            self.child.respawn()
        except (OSError, psutil.Error, EmbeddedError) as error:
            log.warning("%s could not be started: %s", self.child.name, error)


class Supervisor:
    """Runs programs, and starts again whichever dies: these, and the servers if we own them. A context manager.

    It ends its programs and leaves the servers to their own `stop`, so nest it inside them.
    """

    def __init__(self, programs: Iterable[Program], servers: Servers) -> None:
        self._programs = [ProgramChild(program, servers.data) for program in programs]
        self._children: list[Child] = [*(servers.all if servers.owned else ()), *self._programs]
        self._watches: dict[str, Watch] = {}
        self._stopping = Event()
        self._thread = Thread(target=self._watch, name="supervisor", daemon=True)

    @property
    def pids(self) -> dict[str, int | None]:
        """The process of each child by name, None where it does not run now."""
        return {child.name: child.pid for child in self._children}

    @property
    def restarts(self) -> dict[str, int]:
        """How often each child was started again."""
        return {name: watch.restarts for name, watch in self._watches.items()}

    def start(self) -> None:
        """Starts all programs and begins to watch. One that cannot start says so in its log, and is tried again."""
        try:
            for program in self._programs:
                rotate(program.log)
                program.spawn()
        except BaseException:
            stop_all(self._programs)
            raise
        self._watches = {child.name: Watch(child, monotonic()) for child in self._children}
        self._thread.start()

    def wait(self, tell: Callable[[], object] = lambda: None) -> None:
        """Blocks until SIGINT or SIGTERM, or `stop` in another thread. For the main thread.

        tell: called once the signals are caught: whoever hears of us then may end us.
        """
        received: list[int] = []  # a handler must not set the event: it may interrupt the very wait that holds its lock
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, lambda number, _frame: received.append(number)) for number in numbers}
        try:
            tell()
            while not received and not self._stopping.wait(LOOK_EVERY):
                pass
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """Ends all programs side by side, each within its grace. May be called again."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        stop_all(self._programs)

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_EVERY):
            for watch in self._watches.values():
                watch.look(monotonic())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()
