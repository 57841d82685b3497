"""What a benchmark says, and how it is started: `linernotes bench NAME [--json] …`, or `python -m bench.NAME` alike.

A benchmark is a module or package of this folder that has

    def add_options(parser: argparse.ArgumentParser) -> None     its own options
    def run(options: argparse.Namespace) -> Report               measures; takes its time
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, cast

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import bench
from enrichment import logs

WIDTH = 140


@dataclass(frozen=True, slots=True)
class Check:
    """A promise: `value` is at least, or at most, `bound`. None is a value that could not be measured: it fails."""

    what: str
    value: float | None
    side: Literal["at_least", "at_most"]
    bound: float

    @property
    def holds(self) -> bool:
        """Is the promise kept?"""
        if self.value is None:
            return False
        return self.value >= self.bound if self.side == "at_least" else self.value <= self.bound

    def as_json(self) -> dict[str, Any]:
        """{"what", "value", "at_least" or "at_most", "holds"}."""
        return {"what": self.what, "value": self.value, self.side: self.bound, "holds": self.holds}


def at_least(what: str, value: float | None, bound: float) -> Check:
    """A value that must not be lower."""
    return Check(what, value, "at_least", bound)


def at_most(what: str, value: float | None, bound: float) -> Check:
    """A value that must not be higher."""
    return Check(what, value, "at_most", bound)


@dataclass(frozen=True, slots=True)
class Grid:
    """A table for people. Columns whose name begins with ">" are aligned to the right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def this_machine() -> dict[str, Any]:
    """What figures of time depend on."""
    return {"python": platform.python_version(), "cpus": os.cpu_count(), "system": platform.platform()}


@dataclass(slots=True)
class Report:
    """What a benchmark came to. grids: the figures once more, as a person reads them."""

    name: str
    figures: Mapping[str, Any]
    checks: Sequence[Check] = ()
    grids: Sequence[Grid] = ()
    machine: Mapping[str, Any] = field(default_factory=this_machine)

    @property
    def exit_code(self) -> int:
        """0 where every check holds, else 1."""
        return 0 if all(check.holds for check in self.checks) else 1

    def as_json(self) -> dict[str, Any]:
        """{"name", "figures", "checks", "machine"}."""
        checks = [check.as_json() for check in self.checks]
        return {"name": self.name, "figures": self.figures, "checks": checks, "machine": dict(self.machine)}


class Benchmark(Protocol):
    """The module of a benchmark."""

    __doc__: str | None

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Its own options."""

    def run(self, options: argparse.Namespace) -> Report:
        """Measures."""


def benchmarks() -> dict[str, str]:
    """Every benchmark there is, with what it measures in one line."""
    modules = {
        each.name: importlib.import_module(f"bench.{each.name}") for each in pkgutil.iter_modules(bench.__path__)
    }
    return {
        name: (module.__doc__ or "").partition("\n")[0].partition(": `")[0]
        for name, module in sorted(modules.items())
        if hasattr(module, "run")
    }


def start(name: str, arguments: Sequence[str]) -> int:
    """Runs one of `benchmarks`, prints what it says on stdout, and returns the exit code."""
    benchmark = cast("Benchmark", importlib.import_module(f"bench.{name}"))
    about = (benchmark.__doc__ or "").strip()
    parser = argparse.ArgumentParser(
        f"linernotes bench {name}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of tables")
    benchmark.add_options(parser)
    options = parser.parse_args(list(arguments))
    logs.configure("console")
    report = benchmark.run(options)
    if options.json:
        sys.stdout.write(f"{json.dumps(report.as_json(), ensure_ascii=False)}\n")
    else:
        show(report)
    return report.exit_code


def show(report: Report) -> None:
    """Tables on stdout."""
    screen = Console()
    if not screen.is_terminal:
        screen = Console(width=WIDTH)
    for grid in report.grids:
        screen.print(_table(grid), "")
    rows = [
        (
            check.what,
            check.value,
            check.side.replace("_", " "),
            check.bound,
            "holds" if check.holds else "DOES NOT HOLD",
        )
        for check in report.checks
    ]
    screen.print(_table(Grid(f"{report.name}: what was promised", ("what", ">value", "", ">bound", ""), rows)))


def _table(grid: Grid) -> Table:
    made = Table(title=grid.title, title_justify="left", header_style="bold", box=box.SIMPLE)
    for column in grid.columns:
        made.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    for row in grid.rows:
        made.add_row(*_cells(row))
    return made


def _cells(row: Iterable[Any]) -> Iterable[str]:
    for value in row:
        yield "-" if value is None else f"{value:,.4g}" if isinstance(value, float) else escape(str(value))


def note(text: str) -> None:
    """How far it has come: one line on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
