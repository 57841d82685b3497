"""The scorecard: figures per set beside those of plain rules, and what was promised of them."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from bench.matching import parsing
from bench.matching.rows import labelled, read
from bench.matching.scoring import OURS, Figures, Scores, score, speed
from bench.report import Check, Grid, Report
from simulator import catalogue

Bound = tuple[str, Literal["at_least", "at_most"], float]

PROMISES: dict[str, tuple[Bound, ...]] = {
    "tracklist": (("precision", "at_least", 0.96), ("recall", "at_least", 0.90), ("f1", "at_least", 0.94)),
    "shops": (("f1", "at_least", 0.95),),
    "choosing": (("right", "at_least", 0.985), ("wrong", "at_most", 0.01)),
    "cases": (("precision", "at_least", 1.0), ("recall", "at_least", 1.0)),
    "one ISRC, ISRC hidden": (("called_same", "at_least", 0.97),),
    "siblings of another version, ISRC hidden": (("called_same", "at_most", 0.03),),
    "siblings of another version, ISRC shown": (("called_same", "at_most", 0.03),),
    "siblings far apart, ISRC hidden": (("called_same", "at_most", 0.03),),
    "siblings far apart, ISRC shown": (("called_same", "at_most", 0.03),),
}
"""What is promised of sets that nobody has seen, by set and figure."""
DECISIONS_PER_SECOND = 5_000
TIMED = 4_000
"""Rows timed, at most."""
SHIPPED = Path(__file__).with_name("cases.jsonl")
MOST = 2_500
FEW = 50
"""Rows below which a share says too little to be promised."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The files, and how much is made of a catalogue."""
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="labelled rows, JSONL; else what ships")
    parser.add_argument("--tracks", type=int, default=MOST, help=f"drawn of a catalogue for each set [{MOST}]")


def run(options: argparse.Namespace) -> Report:
    """Figures: {"sets": {set: {"seen" | "held_back": {matcher: figures}}}, "parsing": …, "decisions_per_second"}."""
    rows = list(labelled(_rows(options.files), most=options.tracks))
    scores = score(rows)
    parsed = (
        parsing.score(chain.from_iterable(map(parsing.rows_of, options.files)))
        if options.files
        else parsing.score(parsing.own_rows())
    )
    figures: dict[str, Any] = {"sets": scores, "parsing": parsed}
    checks = list(_promises(scores))
    if rows:
        figures["decisions_per_second"] = speed(rows[:: max(1, len(rows) // TIMED)])
        checks.append(Check("decisions a second", figures["decisions_per_second"], "at_least", DECISIONS_PER_SECOND))
    return Report("matching", figures, checks, list(_grids(scores)))


def _rows(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Of the files; without any the project's own cases, and its small catalogue."""
    if not files:
        yield from read(SHIPPED)
        yield from read(catalogue.SMALL)
    for file in files:
        yield from read(file)


def _promises(scores: Scores) -> Iterator[Check]:
    for name, parts in scores.items():
        for part, told in parts.items():
            ours = told[OURS]
            if ours["rows"] < FEW and name != "cases":
                continue
            for figure, side, bound in PROMISES.get(name, ()):
                yield Check(f"{name}, {part}: {figure}", ours.get(figure), side, bound)
            if "turned" in ours:
                yield Check(f"{name}, {part}: matches that an unequal ISRC undoes", ours["turned"], "at_most", 0)
                yield Check(f"{name}, {part}: matches that an equal ISRC makes", ours["made"], "at_most", 0)


_COLUMNS = ("precision", "recall", "f1", "called_same", "right", "wrong", "unsure")


def _grids(scores: Scores) -> Iterator[Grid]:
    for name, parts in scores.items():
        rows = [(part, who, *_told(figures)) for part, told in parts.items() for who, figures in told.items()]
        yield Grid(name, ("part", "matcher", ">rows", *(f">{column}" for column in _COLUMNS)), rows)


def _told(figures: Figures) -> tuple[float | None, ...]:
    return figures["rows"], *(figures.get(column) for column in _COLUMNS)
