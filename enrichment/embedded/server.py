"""What the embedded servers have in common: a folder, a port, being asked until they answer."""

from __future__ import annotations

import os
import signal
import socket
from abc import abstractmethod
from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

import psutil

from enrichment.embedded.account import EmbeddedError
from enrichment.embedded.child import Child, Ends

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "127.0.0.1"
ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}
"""Servers get none of our variables: they hold secrets. PostgreSQL on macOS needs a locale."""

PORTS = range(20_000, 30_000)
"""Below the ports that systems give to outgoing connections: a client that keeps connecting to one of those while its
server is down may get that very port as its own end, so connect to itself, and keep the server out."""

ORPHAN_SECONDS = 10.0


class NotReadyError(Exception):
    """The server does not answer (yet)."""


class Server(Child):
    """A server that listens on a local port and keeps its files in a folder that no other one uses."""

    port = 0

    def __init__(self, name: str, folder: Path, logs: Path, ends: Ends) -> None:
        super().__init__(name, logs / f"{name}.log", ends)
        self.folder = folder

    @property
    @abstractmethod
    def program(self) -> Path:
        """The program it runs."""

    @abstractmethod
    def prepare(self) -> None:
        """Makes what is missing in its folder."""

    @abstractmethod
    def ask(self) -> None:
        """Asks something small. Raises NotReadyError where it is not answered."""

    def start(self, patience: float) -> None:
        """Starts and waits up to `patience` seconds until it answers. Raises EmbeddedError with the end of its log."""
        self.spawn()
        self.wait_ready(patience)

    def wait_ready(self, patience: float) -> None:
        """Waits until it answers; raises EmbeddedError with the end of its log where it ended or does not."""
        if not poll(self.answers, patience):
            raise EmbeddedError(
                f"{self.name} does not answer after {patience:g} s. The end of {self.log}:\n{self.log_tail()}"
            )

    def answers(self) -> bool:
        """Whether it answers now. Raises EmbeddedError where it has ended."""
        if self.died():
            raise EmbeddedError(f"{self.name} ended while it started. The end of {self.log}:\n{self.log_tail()}")
        try:
            self.ask()
        except NotReadyError:
            return False
        return True

    def restart(self, patience: float, first: signal.Signals | None = None) -> None:
        """Stops and starts it, on the same port. first: the signal that stops it."""
        with self._lock:
            self.stop(first)
            self.start(patience)

    def leftovers(self) -> list[psutil.Process]:
        """Processes of an earlier run that still work in our folder; servers change into it."""
        folder = self.folder.resolve()
        name = self.program.name
        return [process for process in psutil.process_iter(["name"]) if _works_in(process, name, str(folder))]

    def clear(self) -> None:
        """What a killed owner left is stopping already; what is not is told to."""
        for process in self.leftovers():
            with suppress(psutil.Error, IndexError):
                if Path(process.cmdline()[0]).name == self.program.name:  # the head; those it forked go by other titles
                    process.send_signal(self._ends[0][0])
        if poll(lambda: not self.leftovers(), ORPHAN_SECONDS):
            return
        for process in self.leftovers():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if not poll(lambda: not self.leftovers(), ORPHAN_SECONDS):
            raise EmbeddedError(f"{self.name} of an earlier run does not end: {self.leftovers()}")


def _works_in(process: psutil.Process, name: str, folder: str) -> bool:
    if process.info["name"] != name[:15]:  # Linux keeps that many characters
        return False
    try:
        return process.cwd() == folder
    except psutil.Error:  # it ended meanwhile, or belongs to somebody else
        return False


def poll(done: Callable[[], bool], seconds: float) -> bool:
    """Asks every 20 ms until it is done or the seconds are over; says which."""
    end = monotonic() + seconds
    while not done():
        if monotonic() >= end:
            return False
        Event().wait(0.02)
    return True


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this local port now."""
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as servers do: connections that linger do not count
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A local port that is free now."""
    return next(port for port in SystemRandom().sample(PORTS, len(PORTS)) if port_is_free(port))
