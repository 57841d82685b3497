"""A data folder for each test, of which nothing may be left running."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from enrichment.embedded import Servers, temporary_servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def working_in(folder: Path) -> list[psutil.Process]:
    """Processes whose working directory is in the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def data() -> Iterator[Path]:
    # Not tmp_path: pytest closes it to all but ourselves, and as root PostgreSQL runs as somebody else.
    folder = Path(tempfile.mkdtemp(prefix="linernotes-test-")).resolve()
    folder.chmod(0o711)
    yield folder
    assert working_in(folder) == []
    shutil.rmtree(folder)


@pytest.fixture
def run_python() -> Iterator[Callable[[str, Path], subprocess.Popen[str]]]:
    """Starts another Python with this code and one argument."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str, argument: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, str(argument)]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))  # noqa: S603 - code of the tests
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with temporary_servers() as started:
        yield started
