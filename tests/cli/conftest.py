"""A data folder that PostgreSQL's user can reach, and `linernotes` as a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Linernotes = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def data() -> Iterator[Path]:
    # Not tmp_path: pytest closes it to all but ourselves, and as root PostgreSQL runs as somebody else.
    folder = Path(tempfile.mkdtemp(prefix="linernotes-cli-")).resolve()
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def linernotes(data: Path) -> Linernotes:
    """Runs a command in an empty folder, with no fleet named but by `environ`."""

    def run(*arguments: str, given: bytes = b"", **environ: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli.main", *arguments]
        root = str(Path(__file__).parents[2])
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LINERNOTES_")}
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            input=given,
            capture_output=True,
            cwd=data,
            env={**clean, "PYTHONPATH": root, **environ},
            check=False,
        )
        out, err = done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
        return subprocess.CompletedProcess(command, done.returncode, out, err)

    return run
