"""Looking at a fleet, and acting on it: stats, sources, queue, reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from cli.failure import Failure
from cli.fleet import opened
from cli.operator import who
from cli.show import console, note, print_json, table
from enrichment.domain.subjects import Kind
from enrichment.services import report, standing
from enrichment.services.audit import audited


def stats(data: Path | None, *, json: bool) -> None:
    """Counts and coverage."""
    with opened(data) as fleet:
        found = report.statistics(fleet.fleet)
    if json:
        print_json(found)
        return
    kinds = [found[f"{kind}_stats"] for kind in Kind]
    by_kind = zip(Kind, kinds, strict=True)
    rows = [(str(kind), each["total"], *each["statuses"].values()) for kind, each in by_kind]
    coverage = [
        (str(kind), field, share)
        for kind, each in zip(Kind, kinds, strict=True)
        for field, share in each["coverage_percentages"].items()
        if share
    ]
    letters = [(name, outcome, n) for name, each in found["dead_letters"].items() for outcome, n in each.items()]
    _print(
        table("Subjects", ("kind", ">known", *(f">{name}" for name in kinds[0]["statuses"])), rows),
        table("Coverage", ("kind", "field", ">%"), coverage),
        table("Findings", ("source", ">findings"), found["findings"].items()),
        table("Open dead letters", ("source", "outcome", ">letters"), letters),
    )


def sources(data: Path | None, *, json: bool, terms: bool = False) -> None:
    """Every source as it stands; terms: what its operator asks of those who use its data."""
    with opened(data) as fleet:
        found = report.source_states(fleet.fleet)
    if json:
        print_json(found)
        return
    if terms:
        _print(_terms({each["source"]: each["terms"] for each in found}))
        return
    rows = [
        (
            each["source"],
            each["url"],
            each["budget"]["calls_per_second"],
            each["rate_factor"],
            "stopped" if each["stopped"] else each["breaker"],
            each["paused_for"],
            each["since"],
            each["in_flight"],
            each["waiting"],
            each["deferred"],
            ", ".join(f"{name}: {'set' if there else 'not set'}" for name, there in each["secrets"].items()),
            each["reason"][:60],
        )
        for each in found
    ]
    standing = ("source", "url", ">calls/s", ">factor", "breaker", ">paused s", "since")
    _print(table("Sources", (*standing, ">in flight", ">waiting", ">deferred", "keys", "reason"), rows))


def resume(data: Path | None, name: str) -> None:
    """Ends a source's pause or stop."""
    with opened(data) as fleet:
        _known(name, list(fleet.fleet.sources))
        with audited(fleet.fleet, who(), "resume", name):
            standing.resume(fleet.fleet, name)
    note(f"{name} goes on, with one call first; workers take up what was put aside")


def pause(data: Path | None, name: str, seconds: float, reason: str) -> None:
    """No calls to a source for so long."""
    with opened(data) as fleet:
        _known(name, list(fleet.fleet.sources))
        with audited(fleet.fleet, who(), "pause", name, seconds=seconds, reason=reason):
            standing.pause(fleet.fleet, name, seconds, reason, ours=False)
    note(f"{name} is paused for {seconds:g} s; `linernotes sources resume {name}` ends that")


def reset(data: Path | None, name: str) -> None:
    """Closes a source's breaker."""
    with opened(data) as fleet:
        _known(name, list(fleet.fleet.sources))
        with audited(fleet.fleet, who(), "reset breaker", name):
            before, now = standing.reset_breaker(fleet.fleet, name)
    note(f"{name}: its breaker was {before.replace('_', ' ')}, and is {now.replace('_', ' ')} now")


def _known(name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise typer.BadParameter(f"there is no source {name!r}; there are {', '.join(names)}")


def queue(data: Path | None, *, json: bool) -> None:
    """Open lookups."""
    with opened(data) as fleet:
        found = report.queue(fleet.fleet)
    if json:
        print_json(found)
        return
    rows = [tuple(each.values()) for each in found]
    _print(table("Open lookups", ("source", "lane", "state", ">lookups", ">oldest, s"), rows))


def subject(data: Path | None, kind: Kind, given: str, *, json: bool) -> None:
    """One subject's report. Raises Failure for an unknown id."""
    with opened(data) as fleet:
        found = report.subject_report(fleet.fleet, kind, given)
    if found is None:
        raise Failure(f"no {kind} has the id {given!r}, neither the producer's nor ours")
    if json:
        print_json(found)
        return
    tables = ("fields", "merged", "findings", "terms", "lookups", "left_out", "reviews")
    fields = [(name, value, *found["merged"].get(name, {}).values()) for name, value in found["fields"].items()]
    about = [(name, value) for name, value in found.items() if name not in tables]
    _print(
        table(f"{kind} {given}", ("", ""), about),
        table("Fields", ("field", "value", "from", ">confidence", "why", "locked"), fields),
        _chosen("Findings", found["findings"], ("field", "value", "source", "confidence", "stated_at", "reason")),
        _terms(found["terms"]),
        _chosen("Asked", found["lookups"], ("source", "question", "state", "outcome", "note")),
        _chosen("Not worth a call", found["left_out"], ("source", "question", "about", "fields_per_call")),
        _chosen("Unsure: `linernotes reviews decide`", found["reviews"], ("id", "doubt", "source", "reason")),
    )


def _terms(found: Mapping[str, Mapping[str, Any]]) -> Table:
    """What each source asks of those who show its findings; a row of its own for fields under other terms."""
    rows = [
        (name, fields, own["attribution"], own["url"], own["licence"], own["commercial"], _days(own["keep_seconds"]))
        for name, terms in found.items()
        for fields, own in [("", terms), *terms.get("fields", {}).items()]
    ]
    columns = ("source", "field", "attribution", "link", "licence", "commercial use", ">kept, days")
    return table("Terms", columns, rows)


def _days(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds / 86_400:g}"


def _chosen(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Table:
    return table(title, columns, ([row[column] for column in columns] for row in rows))


def _print(*tables: Table) -> None:
    console().print(*tables, sep="\n\n")
