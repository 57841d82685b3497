"""Nothing lost, nothing twice, no limit broken, whatever happens: faults done to a real fleet, with a witness.

Servers, workers and the simulator are processes of their own; what came of it is read from SQL, from notes of the
harness' own (audit.sql), and from the simulator's log. With `--control` a part of the fleet is broken, and the harness
has to see it. The seed decides what is asked and who is struck; when is a matter of the machine.

Not run: clocks of workers and PostgreSQL (to set them takes special rights; what Redis' clock has written is
moved instead), full disks (a file system of their own needs rights), TLS and DNS that fail (the simulator has neither).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.chaos.controls import CONTROLS, Control
from bench.chaos.faults import FAULTS, Fault
from bench.chaos.load import Load
from bench.chaos.rig import Plan, Shop, rigged
from bench.chaos.verdict import Row, Sampler, judged
from bench.report import Check, Grid, Report, at_least, note
from enrichment.embedded import Servers, temporary_servers
from simulator.server import running

COLUMNS = {
    "fault": "fault",
    ">dose": "blows",
    ">accepted": "accepted",
    ">ended": "ended",
    ">lost": "lost",
    ">twice": "twice",
    ">limits": "limits",
    ">late": "late",
    ">repeated": "repeated",
    ">recovery s": "recovery",
    ">share": "share",
}
FURTHER = {
    "fault": "fault",
    ">calls": "calls",
    ">falls": "falls",
    ">letters": "letters",
    ">errors": "errors",
    ">slowest submit s": "slowest_submit",
    ">published": "published",
    ">unborn": "unborn",
    ">connections": "connections",
    ">growth MiB": "growth",
    ">drained s": "drained",
}


def strike(shop: Shop, plan: Plan, fault: Fault, app: str | None = None) -> Row:
    """One fault done to one fleet under load, and what came of it."""
    note(f"{fault.name}: {fault.what} (seed {plan.seed})")
    with rigged(shop, plan, app or fault.app, through_proxy=fault.proxied) as rig:
        load, row = Load(rig), Row(fault.name)
        sampler = Sampler(rig, load.fleet)
        try:
            rig.begin()
            load.start()
            sampler.start()
            fault.strike(rig, load, row)
            rig.sleep(rig.left)
            load.stop()
            drained = rig.drain()
            sampler.stop()
            judged(rig, row, load.ledger, sampler, drained)
        finally:
            load.close()
    note(f"  {row.told()}")
    return row


def checks_of(row: Row) -> list[Check]:
    """What a fault's row has to keep."""
    return row.checks(FAULTS[row.fault].bound)


@contextmanager
def shop(speed: float) -> Iterator[Shop]:
    """Servers and a simulator, of which nothing remains."""
    with (
        temporary_servers() as servers,
        tempfile.TemporaryDirectory(prefix="chaos-") as folder,
        shop_on(servers, Path(folder), speed) as made,
    ):
        yield made


@contextmanager
def shop_on(servers: Servers, folder: Path, speed: float) -> Iterator[Shop]:
    """These servers and a simulator, its log in this folder."""
    log = folder / "witness.jsonl"
    with running(speed=speed, log=log) as upstream:
        yield Shop(servers, upstream, log)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of `linernotes bench chaos`."""
    plan = Plan()
    parser.add_argument("--fault", action="append", choices=FAULTS, metavar="F", help=f"of {', '.join(FAULTS)} [all]")
    parser.add_argument("--control", action="append", choices=CONTROLS, metavar="C", help=f"of {', '.join(CONTROLS)}")
    parser.add_argument("--seconds", type=float, default=plan.seconds, help="of load, per fault [%(default)s]")
    parser.add_argument("--seed", type=int, default=plan.seed)
    parser.add_argument("--rate", type=float, default=plan.rate, help="requests a second [%(default)s]")
    parser.add_argument("--backlog", type=int, default=plan.backlog, help="requests at the start [%(default)s]")
    parser.add_argument("--workers", type=int, default=plan.workers)
    parser.add_argument("--threads", type=int, default=plan.threads, help="of each worker [%(default)s]")
    parser.add_argument("--speed", type=float, default=plan.speed, help="how fast time runs [%(default)s]")
    parser.add_argument("--drain", type=float, default=plan.drain, help="seconds to end all in [%(default)s]")
    parser.add_argument("--broker", default="", metavar="URL", help="another broker than the embedded Redis")


def run(options: argparse.Namespace) -> Report:
    """Does the faults asked for, and the controls."""
    plan = Plan(**{name: value for name, value in vars(options).items() if name in Plan.__slots__})
    faults: Sequence[str] = options.fault or ([] if options.control else list(FAULTS))
    rows: list[Row] = []
    checks: list[Check] = []
    with shop(plan.speed) as where:
        for name in faults:
            rows.append(strike(where, plan, FAULTS[name]))
            checks += checks_of(rows[-1])
        for name in options.control or ():
            row, seen = control(where, plan, CONTROLS[name])
            rows.append(row)
            checks.append(seen)
    return Report("chaos", _figures(rows, plan), checks, _grids(rows))


def control(where: Shop, plan: Plan, broken: Control) -> tuple[Row, Check]:
    """A fleet with a broken part, and whether the harness saw it."""
    row = strike(where, replace(plan, drain=min(plan.drain, broken.drain)), FAULTS[broken.fault], broken.app)
    row.fault = f"{broken.fault} ({broken.name})"
    return row, at_least(f"control {broken.name}: {broken.sees}", getattr(row, broken.sees), 1)


def _figures(rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
    return {"seed": plan.seed, "seconds": plan.seconds, "faults": {row.fault: row.figures() for row in rows}}


def _grids(rows: Sequence[Row]) -> list[Grid]:
    titles = {"Faults, and what came of them": COLUMNS, "What else was seen": FURTHER}
    return [
        Grid(title, tuple(columns), [[getattr(row, name) for name in columns.values()] for row in rows])
        for title, columns in titles.items()
    ]
