"""JSON for programs and tables for people."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

PERCENT_BAR = 10


def dumps(value: Any) -> str:
    """One line of JSON. Moments are ISO 8601; bytes are text where they are UTF-8, else base64."""
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        raw = bytes(value)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return base64.b64encode(raw).decode()
    return str(value)


def print_json(value: Any) -> None:
    """One JSON value on stdout."""
    sys.stdout.write(f"{dumps(value)}\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """One line for a person, on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def console(*, stderr: bool = False) -> Console:
    """Where tables go. Where no terminal says how wide it is they are as wide as they need."""
    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=160)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table; columns whose name begins with ">" are aligned to the right. None and "" are shown as "-"."""
    made = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        made.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    for row in rows:
        made.add_row(*(cell(value) for value in row))
    return made


def cell(value: Any) -> str:
    """A value as it stands in a table."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | dict):
        return escape(dumps(value))
    return escape(str(value))


def percent(share: float | None) -> str:
    """A share of 1 as percent."""
    return "-" if share is None else f"{100 * share:.1f} %"


def summary_tables(summary: Mapping[str, Any]) -> list[Table]:
    """A run's summary as a person reads it."""
    sources = table(
        "What each source was asked and said",
        ("source", ">calls", ">found fields", ">permitted/s", ">rate used", ">over limit", ">refusals"),
        (
            (
                name,
                each["calls"],
                each["findings"],
                each["permitted_per_second"],
                percent(each["used_share"]),
                each["over_limit"],
                each["refusals"],
            )
            for name, each in summary["sources"].items()
        ),
    )
    coverage = [
        table(
            f"Coverage of {kind}s",
            ("field", ">share", ""),
            ((field, percent(share), "█" * round(PERCENT_BAR * share) or " ") for field, share in fields.items()),
        )
        for kind, fields in summary["coverage"].items()
    ]
    return [sources, *coverage]


def summary_line(summary: Mapping[str, Any]) -> str:
    """The requests of a run in one line."""
    asked = summary["requests"]
    return (
        f"{asked['accepted']} requests in {summary['duration_seconds']:.1f} s: {asked['completed']} completed, "
        f"{asked['partial']} partial, {asked['failed']} failed, {asked['open']} open; {summary['reused']} without "
        f"asking anybody; {summary['calls_per_subject']:.2f} calls per subject"
    )
