"""`linernotes bench NAME …`: a benchmark of the folder `bench/`; without a name, which there are."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from bench.report import benchmarks, start
from cli.show import console, table


def bench(name: str | None, arguments: Sequence[str]) -> int:
    """Returns the exit code: 1 where a check does not hold. arguments: the benchmark's own, `--json` among them."""
    known = benchmarks()
    if name is None:
        console().print(table("Benchmarks", ("name", "what it measures"), known.items()))
        return 0
    if name not in known:
        raise typer.BadParameter(f"there is no benchmark {name!r}; there are {', '.join(known)}")
    return start(name, arguments)
