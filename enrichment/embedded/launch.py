"""Becomes another program that ends with its parent: `launch.py PARENT SIGNAL UID GID PROGRAM [ARGUMENT …]`.

Run by path with `python -I -S`, so it imports nothing of the project. A program of its own, not a preexec_fn: Python
code between fork and exec of a process with threads may deadlock. UID and GID of -1 leave the user as it is.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Never returns."""
    parent, end, uid, gid = map(int, sys.argv[1:5])
    command = sys.argv[5:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After setuid, which clears it. Elsewhere children outlive a killed parent until the next start stops them.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, end)
    if os.getppid() != parent:
        sys.exit("the parent has ended")
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and exec would hand that on
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - becoming another program is the purpose
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error}")


if __name__ == "__main__":
    main()
