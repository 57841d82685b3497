"""Counts of what a matcher says about labelled rows, and the figures made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from bench.matching.parsing import held_back
from bench.matching.rules import CHOOSERS, RULES
from enrichment.domain.matching import choose, match
from enrichment.domain.matching.sides import side_of

Row = dict[str, Any]
OURS = "linernotes"


@dataclass(slots=True)
class Pairs:
    """Verdicts on pairs. said: of those called the same; right: those that are."""

    rows: int = 0
    same: int = 0
    said: int = 0
    right: int = 0
    unsure: int = 0

    def add(self, verdict: str, *, same: bool) -> None:
        """Counts one pair."""
        self.rows += 1
        self.same += same
        self.said += verdict == "same"
        self.right += same and verdict == "same"
        self.unsure += verdict == "unsure"

    def figures(self) -> dict[str, float]:
        """Precision, recall and F1 where there are both kinds; else the share that was called the same."""
        told = {"rows": self.rows, "unsure": _share(self.unsure, self.rows)}
        if self.same in (0, self.rows):
            return told | {"called_same": _share(self.said, self.rows)}
        precision, recall = _share(self.right, self.said), _share(self.right, self.same)
        f1 = round(2 * precision * recall / (precision + recall), 4) if precision + recall else 0.0
        return told | {"precision": precision, "recall": recall, "f1": f1}


@dataclass(slots=True)
class Choices:
    """Choices among candidates. unsure: nothing was chosen where something was right."""

    rows: int = 0
    right: int = 0
    wrong: int = 0

    def add(self, chosen: str | None, right: str | None) -> None:
        """Counts one choice."""
        self.rows += 1
        self.right += chosen == right
        self.wrong += chosen is not None and chosen != right

    def figures(self) -> dict[str, float]:
        """Shares of all rows."""
        right, wrong = _share(self.right, self.rows), _share(self.wrong, self.rows)
        return {"rows": self.rows, "right": right, "wrong": wrong, "unsure": round(1 - right - wrong, 4)}


def _share(some: int, of: int) -> float:
    return round(some / of, 4) if of else 0.0


def ours(a: Row, b: Row) -> str:
    """Our verdict on two sides."""
    return match(side_of(a), side_of(b)).verdict


def our_choice(query: Row, candidates: list[Row]) -> str | None:
    """The id that we choose, None where we do not."""
    return choose(side_of(query), [side_of(candidate) for candidate in candidates]).id


_VERDICTS: dict[str, Callable[[Row, Row], str]] = {
    OURS: ours,
    **{name: lambda a, b, rule=rule: "same" if rule(a, b) else "different" for name, rule in RULES.items()},
}
_CHOICES = {OURS: our_choice, **CHOOSERS}


def score(rows: Iterable[Row], *, baselines: bool = True) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """{set: {"seen" | "held_back": {matcher: figures}}}."""
    counts: dict[str, dict[str, dict[str, Pairs | Choices]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        part = counts[row["set"]]["held_back" if held_back(str(row.get("id"))) else "seen"]
        for name in _CHOICES if "candidates" in row else _VERDICTS:
            if baselines or name == OURS:
                _count(part, name, row)
    return {
        name: {part: {who: count.figures() for who, count in told.items()} for part, told in sorted(parts.items())}
        for name, parts in counts.items()
    }


def _count(part: dict[str, Pairs | Choices], name: str, row: Row) -> None:
    if "candidates" in row:
        choices = part.setdefault(name, Choices())
        assert isinstance(choices, Choices)
        choices.add(_CHOICES[name](row["query"], row["candidates"]), row["right"])
    else:
        pairs = part.setdefault(name, Pairs())
        assert isinstance(pairs, Pairs)
        pairs.add(_VERDICTS[name](row["a"], row["b"]), same=row["same"])
