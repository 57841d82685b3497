"""Who operates the fleet from this command line, for the audit."""

from __future__ import annotations

import getpass
import socket


def who() -> str:
    """The user and the host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        user = "somebody"
    return f"command line ({user}@{socket.gethostname()})"
