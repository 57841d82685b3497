"""How soon the fleet is there: `linernotes up` on a new folder and again, and the import of the tasks.

linernotes bench startup [--json] [--times N]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.report import Grid, Report, at_most, start
from cli.fleet import importable

READY, IMPORT = 8.0, 0.5
_IMPORT = "import time; t = time.perf_counter(); import workers.tasks; print(time.perf_counter() - t)"


def imported() -> float:
    """Seconds that a new process needs to import the tasks."""
    environ = {**os.environ, **importable()}
    done = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True, env=environ)  # noqa: S603 - a constant
    return float(done.stdout)


def up(data: Path) -> float:
    """Seconds from the command to the addresses, when all of it answers. Ended in order again."""
    began = time.monotonic()
    command = [sys.executable, "-m", "cli.main", "up", "--data", str(data), "--port", "0", "--json"]
    with (data.parent / "up.log").open("wb") as log:
        child = subprocess.Popen(  # noqa: S603 - our own program
            command, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **importable()}, start_new_session=True
        )
        assert child.stdout is not None
        try:
            line = child.stdout.readline()
            took = time.monotonic() - began
            if not line:
                raise RuntimeError(f"`up` has not come up:\n{Path(log.name).read_text()[-2000:]}")
            json.loads(line)
        finally:
            child.terminate()
            child.wait(60)
            child.stdout.close()
    return took


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of `linernotes bench startup`."""
    parser.add_argument("--times", type=int, default=5, help="of each, for the median [%(default)s]")


def run(options: argparse.Namespace) -> Report:
    """Measures one after the other."""
    imports = [imported() for _ in range(options.times)]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL's own user must pass through
        first, *again = [up(Path(folder) / "data") for _ in range(options.times + 1)]
    figures = {
        "import_seconds": round(statistics.median(imports), 3),
        "first_up_seconds": round(first, 2),
        "up_again_seconds": round(statistics.median(again), 2),
    }
    checks = [
        at_most("import of workers.tasks, seconds", figures["import_seconds"], IMPORT),
        at_most("`up` on a folder that there is, seconds", figures["up_again_seconds"], READY),
    ]
    return Report("startup", figures, checks, [Grid("Startup", ("figure", ">value"), list(figures.items()))])


if __name__ == "__main__":
    sys.exit(start("startup", sys.argv[1:]))
