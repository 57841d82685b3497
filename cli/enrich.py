"""`linernotes enrich`: a file of tracks in, one JSON object per row out."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.failure import Failure
from cli.fleet import THREADS, WORKERS, Opened, opened, supervised, wait_for_workers, worker_programs
from cli.follow import Following, Sampler, view
from cli.rows import Row, Table, read_rows
from cli.show import console, dumps, note, print_json, summary_line, summary_tables
from cli.upstream import witnessed
from enrichment.reservoir.subjects import Ref
from enrichment.services import report
from enrichment.services.report import Run
from enrichment.services.submit import submit_all

CHUNK = 1000
MOST_COMPLAINTS = 50
"""Rejected rows that are named on stderr; all are in the output."""


@dataclass(frozen=True, slots=True)
class Options:
    """As the command line has them. wait: seconds, None for as long as it takes."""

    out: Path | None
    wait: float | None
    json: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """A row with what became of it: the subject it is about, or why it was not taken."""

    row: Row
    ref: Ref | None
    errors: tuple[str, ...] = ()


def enrich(source: str, data: Path | None, options: Options, *, priority: int, force: bool) -> int:
    """Returns the exit code: 1 where there were rows and none could be accepted, or the wait was broken off."""
    table = read_rows(_content(source), source, priority=priority, force=force)
    if table.ignored:
        note(f"columns that are not read: {', '.join(table.ignored)}")
    if table.rows and not any(row.request for row in table.rows):
        taken = [Taken(row, None, row.errors) for row in table.rows]
        _complain(taken)
        _write(options, [_rejected(each) for each in taken])
        raise Failure(f"{source}: none of its {len(table.rows)} rows could be accepted")
    with opened(data, with_tables=True) as fleet, with_workers(fleet):
        return _enrich(fleet, table, options)


def _content(source: str) -> bytes:
    return sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()


@contextmanager
def with_workers(fleet: Opened) -> Iterator[None]:
    """Workers for the duration, where none live."""
    if fleet.has_workers:
        yield
        return
    if not fleet.is_ours:
        note("no worker of this fleet lives; starting some for the duration of this command")
        if not fleet.settings.broker_url:
            raise Failure("LINERNOTES_BROKER_URL is not set, and workers need it")
    with supervised(fleet, worker_programs(fleet)):
        wait_for_workers(fleet, WORKERS * THREADS)
        yield


def _enrich(fleet: Opened, table: Table, options: Options) -> int:
    before = witnessed(fleet.settings.upstream_url) or {}
    started, began = report.database_moment(fleet.fleet), time.monotonic()
    with Sampler(fleet.fleet) as sampler:
        taken = submit_rows(fleet, table.rows)
        _complain(taken)
        refs = [each.ref for each in taken if each.ref is not None]
        broken_off = _follow(fleet, refs, sampler, options.wait)
    run = Run(started, refs, sampler.usage, time.monotonic() - began)
    after = witnessed(fleet.settings.upstream_url) or {}
    run.witnessed = {name: seen.since(before.get(name)) for name, seen in after.items()}
    _write(options, list(_lines(fleet, taken)))
    summary = report.summary(fleet.fleet, run)
    if options.json:
        print_json(summary)
    else:
        screen = console(stderr=True)
        screen.print(summary_line(summary), highlight=False)
        screen.print(*summary_tables(summary)[:1])
    return 1 if broken_off or (table.rows and not refs) else 0


def submit_rows(fleet: Opened, rows: Sequence[Row]) -> list[Taken]:
    """Submits what could be read, in chunks."""
    taken: list[Taken] = []
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        accepted = iter(submit_all(fleet.fleet, [row.request for row in chunk if row.request is not None]))
        for row in chunk:
            if row.request is None:
                taken.append(Taken(row, None, row.errors))
                continue
            answer = next(accepted)
            taken.append(Taken(row, answer.ref, (answer.error,) if answer.error else ()))
    return taken


def _follow(fleet: Opened, refs: Sequence[Ref], sampler: Sampler, wait: float | None) -> bool:
    """Returns whether a person broke it off."""
    with view(len(set(refs))) as shown:
        try:
            ended = Following(fleet.fleet, refs, sampler, shown).wait(wait)
        except KeyboardInterrupt:
            note("broken off: what is open stays in the reservoir and goes on whenever workers run")
            return True
    if not ended:
        note(f"not all have ended after {wait:g} s: what is open goes on whenever workers run")
    return False


def _complain(taken: Sequence[Taken]) -> None:
    rejected = [each for each in taken if each.ref is None]
    for each in rejected[:MOST_COMPLAINTS]:
        note(f"row {each.row.number} (line {each.row.line}) rejected: {'; '.join(each.errors)}")
    if len(rejected) > MOST_COMPLAINTS:
        note(f"… and {len(rejected) - MOST_COMPLAINTS} more rows rejected; all are in the output")


def _rejected(each: Taken) -> dict[str, Any]:
    row = each.row
    names = {"track_id": row.track_id, "artist_name": row.artist_name, "track_title": row.track_title}
    known = {name: value for name, value in names.items() if value is not None}
    return {"row": row.number, "status": "rejected", **known, "errors": list(each.errors)}


def _lines(fleet: Opened, taken: Sequence[Taken]) -> Iterator[dict[str, Any]]:
    """One object per row, in the order of the input."""
    for start in range(0, len(taken), CHUNK):
        chunk = taken[start : start + CHUNK]
        come = report.answers(fleet.fleet, {each.ref for each in chunk if each.ref is not None})
        for each in chunk:
            if each.ref is None:
                yield _rejected(each)
                continue
            own_id = {"track_id": each.row.track_id} if each.row.track_id else {}
            yield {"row": each.row.number, **come[each.ref], **own_id}


def _write(options: Options, lines: Sequence[dict[str, Any]]) -> None:
    """Rows to --out; without it to stdout, unless that is for the summary."""
    text = "".join(f"{dumps(line)}\n" for line in lines)
    if options.out is not None:
        options.out.write_text(text, "utf-8")
    elif not options.json:
        with suppress(BrokenPipeError):
            sys.stdout.write(text)
            sys.stdout.flush()
