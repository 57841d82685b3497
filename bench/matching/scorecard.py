"""The scorecard: figures per set beside those of plain rules, and what was promised of them."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from bench.matching import parsing
from bench.matching.rows import labelled, read
from bench.matching.scoring import ALL, OURS, Figures, Scores, score, speed
from bench.report import Check, Grid, Report, at_least, at_most
from simulator import catalogue

Bound = tuple[str, Literal["at_least", "at_most"], float]

PROMISES: dict[str, tuple[Bound, ...]] = {
    "tracklist": (("precision", "at_least", 0.96), ("recall", "at_least", 0.90), ("f1", "at_least", 0.94)),
    "shops": (("f1", "at_least", 0.95),),
    "choosing": (("right", "at_least", 0.985), ("wrong", "at_most", 0.01)),
    "one ISRC, ISRC hidden": (("called_same", "at_least", 0.97),),
    "siblings of another version, ISRC hidden": (("called_same", "at_most", 0.03),),
    "siblings of another version, ISRC shown": (("called_same", "at_most", 0.03),),
    "siblings far apart, ISRC hidden": (("called_same", "at_most", 0.03),),
    "siblings far apart, ISRC shown": (("called_same", "at_most", 0.03),),
}
"""What is promised of sets that nobody has seen, by set and figure."""
KEPT: dict[str, tuple[Bound, ...]] = {
    "tracklist": (("precision", "at_least", 0.99), ("recall", "at_least", 0.95), ("f1", "at_least", 0.97)),
    "shops": (("precision", "at_least", 0.99), ("f1", "at_least", 0.99)),
    "choosing": (("right", "at_least", 0.985), ("wrong", "at_most", 0.003)),
    "cases": (("precision", "at_least", 1.0), ("recall", "at_least", 1.0)),
    "case choices": (("right", "at_least", 1.0),),
}
"""What the small sets that ship have reached: they may not drop below."""
MADE = 0.01
"""Share of pairs that equal codes may make a match of, at most."""
DECISIONS_PER_SECOND = 5_000
TIMED = 4_000
"""Rows timed, at most."""
SHIPPED = Path(__file__).with_name("cases.jsonl")
MOST = 2_500
FEW, ENOUGH = 50, 500
"""Rows below which a share says too little to be promised, and those held back that suffice without the others."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The files, and how much is made of a catalogue."""
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="labelled rows, JSONL; else what ships")
    parser.add_argument("--tracks", type=int, default=MOST, help=f"drawn of a catalogue for each set [{MOST}]")


def run(options: argparse.Namespace) -> Report:
    """Figures: {"sets": {set: {part: {matcher: figures}}}, "parsing": {kind: …}, "decisions_per_second"}."""
    rows = list(labelled(_rows(options.files), most=options.tracks))
    decisions = speed(rows[:: max(1, len(rows) // TIMED)]) if rows else None  # first: what has been seen is remembered
    scores = score(rows)
    parsed = (
        parsing.score(chain.from_iterable(map(parsing.rows_of, options.files)))
        if options.files
        else parsing.score(parsing.own_rows())
    )
    figures: dict[str, Any] = {"sets": scores, "parsing": parsed}
    checks = list(_checks(scores, PROMISES if options.files else KEPT))
    if decisions is not None:
        figures["decisions_per_second"] = decisions
        checks.append(at_least("decisions a second", decisions, DECISIONS_PER_SECOND))
    return Report("matching", figures, checks, list(_grids(scores)))


def _rows(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Of the files; without any the project's own cases, and its small catalogue."""
    if not files:
        yield from read(SHIPPED)
        yield from read(catalogue.SMALL)
    for file in files:
        yield from read(file)


def _checks(scores: Scores, bounds: Mapping[str, Sequence[Bound]]) -> Iterator[Check]:
    for name, parts in scores.items():
        held_back = parts.get("held_back", {}).get(OURS, {"rows": 0})
        ours = held_back if held_back["rows"] >= ENOUGH else parts[ALL][OURS]
        part = "held back" if ours is held_back else "all"
        if ours["rows"] < FEW and not name.startswith("case"):
            continue
        for figure, side, bound in bounds.get(name, ()):
            yield Check(f"{name}, {part}: {figure}", ours.get(figure), side, bound)
        if "turned" in ours:
            made = round(ours["made"] / ours["rows"], 4)
            yield at_most(f"{name}, {part}: matches that an unequal ISRC undoes", ours["turned"], 0)
            yield at_most(f"{name}, {part}: share that an equal ISRC makes a match", made, MADE)


_COLUMNS = ("precision", "recall", "f1", "called_same", "right", "wrong", "unsure")


def _grids(scores: Scores) -> Iterator[Grid]:
    for name, parts in scores.items():
        rows = [(part, who, *_told(figures)) for part, told in parts.items() for who, figures in told.items()]
        yield Grid(name, ("part", "matcher", ">rows", *(f">{column}" for column in _COLUMNS)), rows)


def _told(figures: Figures) -> tuple[float | None, ...]:
    return figures["rows"], *(figures.get(column) for column in _COLUMNS)
