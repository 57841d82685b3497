"""Charts as shapes: points in a box of 100 by 100, which the page stretches; labels are text beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Value = float | None
SPANS = {"1h": (60, 1), "6h": (360, 5), "24h": (1440, 15)}
"""Minutes, and how many of them make a point."""


@dataclass(frozen=True, slots=True)
class Curve:
    """path: for an SVG path. last: the newest value. number: which of the chart's colours it has."""

    name: str
    path: str
    last: Value
    number: int


@dataclass(frozen=True, slots=True)
class Chart:
    """limit: where the line of what is permitted lies, in the box. top: the value of the upper edge."""

    title: str
    unit: str
    curves: Sequence[Curve]
    top: float
    limit: float | None = None
    permitted: float | None = None

    @property
    def is_empty(self) -> bool:
        """Is there nothing to be seen?"""
        return not any(curve.path for curve in self.curves)

    @property
    def told(self) -> str:
        """The chart in words."""
        parts = [f"{each.name} {each.last:.4g}" for each in self.curves if each.last is not None]
        limit = [f"permitted {self.permitted:.4g}"] if self.permitted is not None else []
        return f"{self.title}, {self.unit}: {', '.join((*parts, *limit)) or 'nothing yet'}"


def chart(title: str, unit: str, series: Mapping[str, Sequence[Value]], *, permitted: Value = None) -> Chart:
    """All series in one box, from zero."""
    highest = max((value for points in series.values() for value in points if value is not None), default=0.0)
    top = _nice(max(highest, permitted or 0.0))
    curves = [
        Curve(name, _path(points, top), next((each for each in reversed(points) if each is not None), None), number)
        for number, (name, points) in enumerate(series.items(), 1)
    ]
    return Chart(title, unit, curves, top, 100 - 100 * permitted / top if permitted else None, permitted)


def _nice(value: float) -> float:
    """A round number at or above it."""
    if value <= 0:
        return 1.0
    size = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 0.1
    return next(step * size for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * size >= value)


def _path(points: Sequence[Value], top: float) -> str:
    """Gaps stay gaps; a point alone is a dot."""
    step = 100 / max(1, len(points) - 1)
    found, drawing = [], False
    for place, value in enumerate(points):
        if value is not None:
            at = f"{place * step:.2f} {100 - 100 * value / top:.2f}"
            found.append(f"L{at}" if drawing else f"M{at}h0")
        drawing = value is not None
    return "".join(found)


Buckets = Sequence[Sequence[Any]]
"""The minutes that make each point, the oldest first."""


def buckets(minutes: Sequence[Any], now: datetime, span: str) -> Buckets:
    """A span's minutes; those of a few each, which may be none, make a point."""
    count, each = SPANS[span]
    start = (now - timedelta(minutes=count)).timestamp()
    found: list[list[Any]] = [[] for _ in range(count // each)]
    for minute in minutes:
        place = int((minute.at.timestamp() - start) // (60 * each))
        if 0 <= place < len(found):
            found[place].append(minute)
    return found


def points(found: Buckets, read: Callable[[Any], Value]) -> list[Value]:
    """Each point's average; None where no minute has a value. read: a minute's."""
    values = ([value for minute in each if (value := read(minute)) is not None] for each in found)
    return [sum(each) / len(each) if each else None for each in values]
