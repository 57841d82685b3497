"""Where the time of a submit, a claim, a fetch and a settle goes; statements and round trips of each.

    linernotes bench profile [--json] [--rows N] [--priority P]

One thread does everything, so that nothing waits for anything else: tracks are submitted, then fetch message after
fetch message is taken, with a steward's round now and then, until nothing is open. Times are of Python's own profiler,
which makes calls dear: shares are to be believed more than milliseconds. Upstreams limit nothing, and are near.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Self

from sqlalchemy import Engine, event

from bench.crews import environ_of, shop
from bench.driving import OPEN, a_database
from bench.report import Check, Grid, Report, at_most, start
from bench.workload import choose
from enrichment.bootstrap import Parts, build, build_steward, register_sources
from enrichment.services.fetch import fetch
from enrichment.services.requests import TrackRequest, read
from enrichment.services.submit import submit_all
from enrichment.settings import load
from simulator.truth import World

PATIENCE = 120.0
STATEMENTS_PER_FETCH = 40.0

STEPS: Mapping[str, tuple[str, str]] = {
    "submit": ("services/submit.py", "submit_all"),
    "submit: names to subjects": ("reservoir/identities.py", "resolve"),
    "fetch": ("services/fetch.py", "fetch"),
    "turn": ("services/fetch.py", "_turn"),
    "claim": ("services/fetch.py", "_claim"),
    "ask": ("services/fetch.py", "_ask"),
    "settle": ("services/settle.py", "settle"),
    "fence": ("reservoir/settling.py", "apply"),
    "lock and read subjects": ("reservoir/subjects.py", "lock"),
    "keep findings": ("reservoir/findings.py", "keep"),
    "read findings": ("reservoir/findings.py", "of"),
    "read lookups": ("reservoir/lookups.py", "asked"),
    "advance": ("services/progress.py", "advance"),
    "merge": ("services/progress.py", "_remerge"),
    "plan": ("services/progress.py", "_plan"),
    "write subjects": ("reservoir/subjects.py", "write"),
    "write statuses": ("reservoir/subjects.py", "write_statuses"),
    "insert lookups": ("reservoir/lookups.py", "insert"),
    "refill": ("services/refill.py", "refill_all"),
    "steward's round": ("services/steward.py", "round"),
    "replan": ("services/replan.py", "replan"),
    "in the database driver": ("sqlalchemy/engine/default.py", "do_execute"),
    "commit": ("sqlalchemy/engine/default.py", "do_commit"),
    "redis": ("redis/client.py", "execute_command"),
}
"""What is told apart: a function, with everything that it calls."""


class Watched(AbstractContextManager["Watched"]):
    """A stretch of work: its profile, the statements and transactions of its database."""

    def __init__(self, engine: Engine) -> None:
        self.counted: Counter[str] = Counter()
        self._engine = engine
        self._profile = cProfile.Profile()

    def __enter__(self) -> Self:
        event.listen(self._engine, "before_cursor_execute", self._statement)
        event.listen(self._engine, "commit", self._commit)
        self._began = time.perf_counter()
        self._profile.enable()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._profile.disable()
        self.seconds = time.perf_counter() - self._began
        event.remove(self._engine, "before_cursor_execute", self._statement)
        event.remove(self._engine, "commit", self._commit)

    def _statement(self, *_: Any) -> None:
        self.counted["statements"] += 1

    def _commit(self, *_: Any) -> None:
        self.counted["transactions"] += 1

    def figures(self, per: Mapping[str, int]) -> dict[str, Any]:
        """Steps in milliseconds; statements, transactions and round trips to Redis, per each of these counts."""
        steps = self._steps()
        counts = {**self.counted, "redis_round_trips": steps.get("redis", {}).get("calls", 0)}
        shares = {f"{what}_per_{one}": round(n / max(1, m), 2) for what, n in counts.items() for one, m in per.items()}
        return {"seconds": round(self.seconds, 3), **per, **shares, "steps": steps}

    def _steps(self) -> dict[str, dict[str, float]]:
        found = {}
        stats: Mapping[tuple[str, int, str], Any] = pstats.Stats(self._profile).stats  # type: ignore[attr-defined]  # not in its stub
        for step, (file, function) in STEPS.items():
            for (path, _, name), (_, calls, _, spent, _) in stats.items():
                if name == function and Path(path).as_posix().endswith(file) and spent > 0:
                    share = round(spent / self.seconds, 4)
                    found[step] = {"calls": calls, "share": share, "ms_per_call": round(1000 * spent / calls, 3)}
        return found


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of `linernotes bench profile`."""
    parser.add_argument("--rows", type=int, default=400, help="tracks [%(default)s]")
    parser.add_argument("--priority", type=int, default=3, help="of the requests [%(default)s]")
    parser.add_argument("--speed", type=float, default=100.0, help="divides the upstreams' latencies [%(default)s]")
    parser.add_argument("--seed", type=int, default=1)


def run(options: argparse.Namespace) -> Report:
    """Submits, and works all of it off."""
    with shop(unlimited=True, speed=options.speed) as where, a_database(where.servers) as url:
        given = choose(World.build(None, None), None, rows=options.rows, sample=1, seed=options.seed)
        environ = environ_of(where, options.speed, unlimited=True) | {"LINERNOTES_DATABASE_URL": url}
        settings = load(environ)
        messages: SimpleQueue[tuple[str, str]] = SimpleQueue()
        fleet = build(settings, Parts(send_fetch=lambda *message: messages.put(message), threads=4))
        register_sources(fleet)
        steward = build_steward(fleet, settings)
        steward.beat()
        requests = [read(TrackRequest, {**row, "priority": options.priority}) for row in given.rows]
        with Watched(fleet.engine) as submitting:
            submit_all(fleet, requests)
        fetched: Counter[str] = Counter()

        def take() -> bool:
            try:
                source, ticket = messages.get_nowait()
            except Empty:
                steward.round()
                with fleet.engine.connect() as connection:
                    return bool(connection.execute(OPEN).scalar_one())
            came = fetch(fleet, source, ticket)
            fetched.update({"fetch": 1, "call": int(came.lookups > 0), "lookup": came.lookups})
            return True

        with Watched(fleet.engine) as working:
            _until_done(take)
        fleet.close()
    figures = {"submit": submitting.figures({"track": len(requests)}), "work": working.figures(dict(fetched))}
    return Report("profile", figures, _checks(figures), _grids(figures))


def _until_done(take: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while take() and time.monotonic() < until:
        pass


def _checks(figures: Mapping[str, Any]) -> list[Check]:
    return [at_most("statements per fetch", figures["work"].get("statements_per_fetch"), STATEMENTS_PER_FETCH)]


def _grids(figures: Mapping[str, Any]) -> list[Grid]:
    grids = []
    for part, told in figures.items():
        rows = [(step, *each.values()) for step, each in told["steps"].items()]
        grids.append(Grid(f"{part}: {told['seconds']} s", ("step", ">calls", ">share", ">ms per call"), rows))
        counted = [(name, value) for name, value in told.items() if name not in ("steps", "seconds")]
        grids.append(Grid(f"{part}: counted", ("figure", ">value"), counted))
    return grids


if __name__ == "__main__":
    sys.exit(start("profile", sys.argv[1:]))
