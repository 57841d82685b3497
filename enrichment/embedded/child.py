"""One child process: started so that it dies with us, watched, and stopped in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from enrichment.embedded.account import Account

LAUNCH = str(Path(__file__).with_name("launch.py"))
LOG_BYTES = 10_000_000
Ends = tuple[tuple[signal.Signals, float], ...]
"""How a child is stopped: a signal, the seconds it is given, the next signal. SIGKILL comes after the last."""

_SPAWNER = ThreadPoolExecutor(1, thread_name_prefix="spawner")
"""Linux ends a child when the *thread* that started it ends; this one lives as long as the process."""


class Child(ABC):
    """A process that is wanted from `spawn` to `stop`; one that ended in between has `died`. Safe to use from threads.

    name: as it stands in logs. log: the file that takes its stdout and stderr. ends: how it is stopped.
    """

    def __init__(self, name: str, log: Path, ends: Ends) -> None:
        self.name = name
        self.log = log
        self._ends = ends
        self._lock = RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self._log_start = 0

    @abstractmethod
    def _launch(self) -> subprocess.Popen[bytes]:
        """Starts the process."""

    @abstractmethod
    def clear(self) -> None:
        """Stops what an owner that was killed left running in our place."""

    @property
    def pid(self) -> int | None:
        """The running process, None where there is none."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def spawn(self) -> None:
        """Starts the process unless it runs. Raises EmbeddedError or OSError where that cannot be."""
        with self._lock:
            self._wanted = True
            if self.pid is None:
                self.clear()
                self._log_start = self.log.stat().st_size if self.log.exists() else 0
                self._process = self._launch()

    def respawn(self) -> None:
        """Starts the process again if it died, also where `stop` is called meanwhile."""
        with self._lock:
            if self.died():
                self.spawn()

    def died(self) -> bool:
        """Whether it ended although nobody stopped it."""
        with self._lock:
            return self._wanted and self.pid is None

    def stop(self, first: signal.Signals | None = None) -> None:
        """Ends the process and waits for its end. first: a signal to use in place of the usual first one."""
        with self._lock:
            self._wanted = False
            (usual, patience), *further = self._ends
            for number, seconds in ((first or usual, patience), *further, (signal.SIGKILL, 10.0)):
                if self._process is None or self._process.poll() is not None:
                    break
                self._send(self._process, number)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(seconds)

    def kill(self) -> None:
        """Kills the process as a fault would: it stays wanted."""
        process = self._process
        if process is not None and process.poll() is None:
            self._send(process, signal.SIGKILL)
            process.wait()

    def log_tail(self, lines: int = 20) -> str:
        """The last lines it logged since it was started."""
        if not self.log.exists():
            return ""
        text = self.log.read_bytes()[self._log_start :][-8000:]
        return "\n".join(text.decode("utf-8", "replace").splitlines()[-lines:])

    @staticmethod
    def _send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(process.pid, number)  # it leads a group of its own: its children go with it
            else:
                process.send_signal(number)


def launch(
    command: Sequence[str],
    *,
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    orphaned: signal.Signals,
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a command in a session of its own, so that the terminal's Ctrl-C does not reach it.

    orphaned: the signal it gets when we die. account: the user it runs as.
    """
    ids = ("-1", "-1") if account is None else (str(account.uid), str(account.gid))
    full = [sys.executable, "-I", "-S", LAUNCH, str(os.getpid()), str(int(orphaned)), *ids, *command]
    with log.open("ab") as output:
        started = _SPAWNER.submit(
            subprocess.Popen,
            full,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return started.result()


def rotate(log: Path) -> None:
    """Puts a log that has grown large aside, in place of the one put aside before."""
    with suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES:
            log.replace(log.with_name(f"{log.name}.1"))


def stop_all(children: Iterable[Child]) -> None:
    """Stops children side by side."""
    children = list(children)
    with ThreadPoolExecutor(max(1, len(children))) as pool:
        list(pool.map(Child.stop, children))
