"""How much of what is permitted is used, on all sources at once, and whether any limit is broken meanwhile.

    linernotes bench saturation [--json] [--seconds S] [--processes N]

Each source has a line of lookups that does not end while we look, each call asks about one subject, and the limits are
the real ones. used: the shortest time in which these calls could have followed each other, by the source's rate and by
how many it permits at once, as a share of the time that they took. over: the worst
window of the simulator's log: by how many calls it exceeds B + R·w + 1 of the documented limit, in any window w at all
(below 0 where there was room). `--processes 16` tells what so many on the same servers change.
"""

from __future__ import annotations

import argparse
import heapq
import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.crews import crew, environ_of, shop
from bench.ground import fill, first_questions
from bench.report import Check, Grid, Report, at_least, at_most, note, start
from enrichment.bootstrap import make_sources
from enrichment.services.report import permitted
from enrichment.settings import load
from simulator.limits import DOCUMENTED

USED = 0.99
SETTLING_SECONDS = 10.0
"""Until windows and latencies are known."""
SPARE = 2.0
"""How much longer than needed a line is."""


Call = tuple[float, float]
"""When it arrived, and the seconds until its answer."""


def calls_in(log: Path) -> dict[str, list[Call]]:
    """Calls by source, as the witness saw them."""
    found: dict[str, list[Call]] = defaultdict(list)
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                row = json.loads(line)
                found[row["source"]].append((row["t"], row["seconds"]))
    return found


def worst_excess(moments: Sequence[float], burst: float, rate: float) -> float:
    """By how many calls the fullest window, of whatever length, exceeds burst + rate × length + 1; below 0: the room.

    The fullest window that ends with a call holds it, and either nothing else or the fullest that ended with the one
    before, less what the time between them permits.
    """
    fullest, worst, before = 0.0, 0.0, 0.0
    for moment in sorted(moments):
        fullest = max(0.0, fullest - rate * (moment - before)) + 1
        worst, before = max(worst, fullest), moment
    return round(worst - burst - 1, 3)


def used_share(calls: Sequence[Call], rate: float, at_once: int) -> float:
    """The shortest time from the first to the last of these calls, as a share of the time that it was.

    Time is counted from call to call: at a call every five seconds the moments at both ends are a matter of luck.
    """
    if len(calls) < 2:
        return 0.0
    took = max(calls)[0] - min(calls)[0]
    return round(shortest([seconds for _, seconds in sorted(calls)], rate, at_once) / took, 4)


def shortest(answers: Sequence[float], rate: float, at_once: int) -> float:
    """Seconds from the first to the last of calls whose answers take so long, so many at once."""
    free, moment = [0.0] * at_once, -1 / rate
    for seconds in answers:
        moment = max(moment + 1 / rate, heapq.heappop(free))
        heapq.heappush(free, moment + seconds)
    return moment


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of `linernotes bench saturation`."""
    parser.add_argument("--seconds", type=float, default=120.0, help="to look for [%(default)s]")
    parser.add_argument("--processes", type=int, default=4, help="worker processes [%(default)s]")
    parser.add_argument("--threads", type=int, default=32, help="of each [%(default)s]")
    parser.add_argument("--speed", type=float, default=1.0, help="how fast time runs [%(default)s]")


def run(options: argparse.Namespace) -> Report:
    """Fills the lines, lets the workers go, and reads the witness' log."""
    with shop(speed=options.speed) as where:
        environ = environ_of(where, options.speed) | {"LINERNOTES_RESIDENTADVISOR_MODE": "graphql"}
        questions = first_questions(make_sources(load(environ)))
        size = {"processes": options.processes, "threads": options.threads}
        with crew(where, environ, **size, started=False) as ours:
            rates = permitted(ours.fleet)
            at_once = {name: ours.fleet.limiter.budget(name).concurrency for name in rates}
            needed = (options.seconds + SETTLING_SECONDS) * max(rates.values()) * SPARE
            fill(ours.engine, questions, int(needed), upstream=where.upstream, real=True, alone=True)
            ours.start("ready.")
            began, cost = time.time() + SETTLING_SECONDS, ours.cost()
            note(f"{len(questions)} lines of {int(needed)} lookups, {options.processes} workers")
            time.sleep(SETTLING_SECONDS + options.seconds)
            ended, spent = time.time(), ours.cost().since(cost)
            seen = {
                source: [call for call in calls if call[0] <= ended] for source, calls in calls_in(where.log).items()
            }
            figures = _figures(seen, rates, at_once, began, options.speed)
    cpu = spent.all / (options.seconds + SETTLING_SECONDS)
    told = {"processes": options.processes, "seconds": options.seconds, "cpu_cores": round(cpu, 3), "sources": figures}
    return Report("saturation", told, _checks(figures), [_grid(figures)])


def _figures(
    calls: Mapping[str, Sequence[Call]],
    rates: Mapping[str, float],
    at_once: Mapping[str, int],
    began: float,
    speed: float,
) -> dict[str, Any]:
    found = {}
    for source, rate in rates.items():
        limit, seen = DOCUMENTED[source].faster(speed), calls.get(source, ())
        inside = [call for call in seen if call[0] >= began]
        found[source] = {
            "permitted_per_second": round(rate, 4),
            "permitted_at_once": at_once[source],
            "calls": len(inside),
            "used": used_share(inside, rate, at_once[source]),
            "over": worst_excess([moment for moment, _ in seen], limit.burst, limit.rate),
        }
    return found


def _checks(figures: Mapping[str, Mapping[str, Any]]) -> list[Check]:
    used = [at_least(f"{name}: share of the permitted rate", each["used"], USED) for name, each in figures.items()]
    over = [at_most(f"{name}: calls over B + R·w + 1, worst window", each["over"], 0) for name, each in figures.items()]
    return used + over


def _grid(figures: Mapping[str, Mapping[str, Any]]) -> Grid:
    rows = [(name, *each.values()) for name, each in figures.items()]
    return Grid("All sources at once", ("source", ">permitted/s", ">at once", ">calls", ">used", ">over"), rows)


if __name__ == "__main__":
    sys.exit(start("saturation", sys.argv[1:]))
