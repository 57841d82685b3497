"""Who operates the fleet from this command line, for the audit; and what only they know."""

from __future__ import annotations

import getpass
import socket
import sys


def who() -> str:
    """The user and the host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        user = "somebody"
    return f"command line ({user}@{socket.gethostname()})"


def asked_for(name: str) -> str:
    """A secret: from the terminal without showing it, else a line of stdin; command lines can be seen by others."""
    given = getpass.getpass(f"{name} (is not shown): ") if sys.stdin.isatty() else sys.stdin.readline(4096)
    return given.strip()
