"""Following requests until they have ended: what is seen meanwhile, and how it is shown on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import Self

import redis
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from enrichment.reservoir.subjects import Ref
from enrichment.services import report
from enrichment.services.fleet import Fleet
from enrichment.services.report import Sighting, Usage

SAMPLE_SECONDS = 0.25
LOOK_SECONDS = 1.0
SHARE_OF_TIME = 0.05
"""Of our time, the most that looking may take: following must not slow down what is followed."""
TELLING_SHARE = 0.2
"""Before this share has ended its rate says nothing: most subjects wait for the slowest source, and end together."""
LINE_SECONDS = 10.0
"""Between two lines where stderr is no terminal."""


class Sampler(AbstractContextManager["Sampler"]):
    """Sees all sources four times a second, in a thread, for as long as the context lasts."""

    def __init__(self, fleet: Fleet) -> None:
        self.usage = Usage(report.permitted(fleet))
        self.seen: Mapping[str, Sighting] = {}
        self.first: Mapping[str, Sighting] = {}
        self._fleet = fleet
        self._batched = {name for name in fleet.sources if max(fleet.sizes(name).values(), default=1) > 1}
        self._stop = Event()
        self._thread = Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                self.seen = report.sight(self._fleet)
                self.first = self.first or self.seen
                self.usage.add(started, self.seen)
            except (redis.RedisError, SQLAlchemyError):
                self.usage.interrupt()
            self._stop.wait(max(SAMPLE_SECONDS, (time.monotonic() - started) / SHARE_OF_TIME))

    def calls(self, source: str) -> int:
        """Turns spent since we look; 0 where its limiter began anew."""
        before = self.first[source].turns if source in self.first else 0
        return max(0, self.seen[source].turns - before)

    def line_seconds(self, waiting: Mapping[str, int]) -> float:
        """How long the longest line takes, of sources that are asked about one subject at a time."""
        rates = {name: rate for name, rate in self.usage.rates.items() if name not in self._batched}
        return max((waiting.get(name, 0) / rate for name, rate in rates.items()), default=0.0)


class Following:
    """Subjects until all have ended."""

    def __init__(self, fleet: Fleet, refs: Sequence[Ref], sampler: Sampler, view: View) -> None:
        self._fleet, self._sampler, self._view = fleet, sampler, view
        self._open = set(refs)
        self._total = len(self._open)

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until all have ended, at most so long. Returns whether they have."""
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            started = time.monotonic()
            self._look()
            if not self._open or (until is not None and started >= until):
                return not self._open
            pause = max(LOOK_SECONDS, (time.monotonic() - started) / SHARE_OF_TIME)
            time.sleep(min(pause, max(0.0, until - started)) if until is not None else pause)

    def _look(self) -> None:
        standing = report.statuses(self._fleet, self._open)
        self._open -= {ref for ref, status in standing.items() if status in report.ENDED}
        self._view.show(self._total - len(self._open), self._sampler, self._waiting())

    def _waiting(self) -> dict[str, int]:
        waiting: dict[str, int] = {}
        for line in report.queue(self._fleet):
            if line["state"] not in ("claimed", "deferred"):
                waiting[line["source"]] = waiting.get(line["source"], 0) + line["lookups"]
        return waiting


class View:
    """What a person sees of it. This one shows a line now and then, for logs."""

    def __init__(self, total: int, console: Console) -> None:
        self.total, self.console = total, console
        self.started = time.monotonic()
        self._shown = self.started

    def show(self, done: int, sampler: Sampler, waiting: Mapping[str, int]) -> None:
        """So many have ended."""
        now = time.monotonic()
        if now - self._shown < LINE_SECONDS:
            return
        self._shown = now
        parts = [f"{name} {sampler.calls(name)} calls, {waiting.get(name, 0)} waiting" for name in _active(sampler)]
        line = f"{done} of {self.total} have ended, {self.pace(done, sampler, waiting)}; {'; '.join(parts)}"
        self.console.print(line, highlight=False, soft_wrap=True, markup=False)

    def pace(self, done: int, sampler: Sampler, waiting: Mapping[str, int]) -> str:
        """How many end per second, and how long the rest will take."""
        rate = done / max(0.001, time.monotonic() - self.started)
        left = sampler.line_seconds(waiting)
        if rate and done >= self.total * TELLING_SHARE:
            left = max(left, (self.total - done) / rate)
        return f"{rate:.1f}/s, " + (f"about {timedelta(seconds=round(left))} left" if left else "nearly there")


class Screen(View):
    """A progress bar, and a table of what each source is doing."""

    def __init__(self, total: int, console: Console) -> None:
        super().__init__(total, console)
        self._progress = Progress(
            TextColumn("enriching"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
        )
        self._task: TaskID = self._progress.add_task("", total=total, pace="")
        self.live = Live(self._progress, console=console, refresh_per_second=4, transient=True)

    def show(self, done: int, sampler: Sampler, waiting: Mapping[str, int]) -> None:
        """So many have ended."""
        self._progress.update(self._task, completed=done, pace=self.pace(done, sampler, waiting))
        table = Table("source", *(column for column in ("calls", "waiting", "in flight", "")), box=None)
        for name in _active(sampler):
            seen = sampler.seen[name]
            paused = f"paused {seen.paused_for:.0f} s: {seen.reason[:60]}" if seen.paused_for > 0 else ""
            table.add_row(name, str(sampler.calls(name)), str(waiting.get(name, 0)), str(seen.in_flight), paused)
        self.live.update(Group(self._progress, table))


def _active(sampler: Sampler) -> list[str]:
    return [name for name, seen in sampler.seen.items() if sampler.calls(name) or seen.waiting or seen.paused_for > 0]


@contextmanager
def view(total: int) -> Iterator[View]:
    """A bar where a person looks, lines where a log does."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield View(total, console)
        return
    screen = Screen(total, console)
    with screen.live:
        yield screen
