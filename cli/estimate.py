"""`linernotes estimate`: how long work takes, what bounds it, and what it needs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import typer

from cli.fleet import opened
from cli.show import console, print_json, table
from enrichment.domain.subjects import Kind
from enrichment.services.estimate import Ask
from enrichment.services.estimate import estimate as estimated
from enrichment.services.fleet import Fleet

GIB = 2**30


def estimate(
    data: Path | None, counts: Mapping[Kind, int], *, priority: int, keys: str | None, cores: int | None, json: bool
) -> None:
    """Of so many new subjects; of the backlog where none are given. keys: names by commas, `all` or `none`."""
    with opened(data) as fleet:
        wanted = {kind: count for kind, count in counts.items() if count} or None
        ask = Ask(wanted, priority, _keys(fleet.fleet, keys), cores or os.cpu_count() or 1)
        found = estimated(fleet.fleet, ask)
    if json:
        print_json(found)
    else:
        _tell(found)


def _keys(fleet: Fleet, given: str | None) -> frozenset[str] | None:
    if given is None:
        return None
    known = frozenset(secret for source in fleet.sources.values() for secret in source.secrets)
    asked = {"all": known, "none": frozenset[str]()}.get(given, frozenset(given.split(",")))
    if unknown := sorted(asked - known):
        raise typer.BadParameter(f"no source knows the key {unknown[0]!r}; there are {', '.join(sorted(known))}")
    return asked


def _tell(found: Mapping[str, Any]) -> None:
    screen = console()
    columns = ("source", ">lookups", ">calls", ">calls/s", ">takes")
    screen.print(table("What each source is asked", columns, _lines(found["sources"])), "")
    subjects = ", ".join(f"{count:,} {kind}s" for kind, count in found["subjects"].items() if count) or "nothing"
    bound = f", bounded by {found['bounded_by']}" if found["bounded_by"] else ""
    screen.print(f"{subjects}: {_span(found['seconds'])}{bound}", highlight=False)
    if found["put_aside"]:
        screen.print(
            f"nobody waits for {', '.join(found['put_aside'])}: stopped, paused, or a day's quota", highlight=False
        )
    size = f"{found['database_bytes'] / GIB:.2f} GiB more of database"
    needs = f"{found['workers']} workers, {found['cores']:g} cores, {size}"
    screen.print(f"needs {needs}; by what was measured of {found['measured']}", highlight=False)


def _lines(sources: Mapping[str, Mapping[str, Any]]) -> Iterable[tuple[Any, ...]]:
    for name, each in sorted(sources.items(), key=lambda pair: -(pair[1]["seconds"] or 0.0)):
        yield name, each["lookups"], each["calls"], each["calls_per_second"], _span(each["seconds"])


def _span(seconds: float | None) -> str:
    return "stopped" if seconds is None else str(timedelta(seconds=round(seconds)))
