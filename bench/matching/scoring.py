"""Counts of what a matcher says about labelled rows, and the figures made of them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.matching.parsing import held_back
from bench.matching.rules import CHOOSERS, RULES, Rule
from enrichment.domain.matching import choose, match, side_of

Row = dict[str, Any]
Figures = dict[str, float]
OURS, ALL = "linernotes", "all"
CODES = ("USZZ99900001", "GBYYY9900002")
"""Two ISRCs that nobody has, shown to see what a code alone does."""


@dataclass(slots=True)
class Pairs:
    """Verdicts on pairs. said: of those called the same; right: those that are. turned: matches that unequal codes
    undo; made: those of other recordings that equal codes make.
    """

    rows: int = 0
    same: int = 0
    said: int = 0
    right: int = 0
    unsure: int = 0
    turned: int = 0
    made: int = 0

    def add(self, verdict: str, *, same: bool) -> None:
        """Counts one pair."""
        self.rows += 1
        self.same += same
        self.said += verdict == "same"
        self.right += same and verdict == "same"
        self.unsure += verdict == "unsure"

    def figures(self) -> Figures:
        """Precision, recall and F1 where there are both kinds; else the share that was called the same."""
        told = {"rows": self.rows, "unsure": _share(self.unsure, self.rows), "turned": self.turned, "made": self.made}
        if self.same in (0, self.rows):
            return told | {"called_same": _share(self.said, self.rows)}
        precision, recall = _share(self.right, self.said), _share(self.right, self.same)
        f1 = round(2 * precision * recall / (precision + recall), 4) if precision + recall else 0.0
        return told | {"precision": precision, "recall": recall, "f1": f1}


@dataclass(slots=True)
class Choices:
    """Choices among candidates. right: the right one, or none where none is; wrong: another one."""

    rows: int = 0
    right: int = 0
    wrong: int = 0

    def add(self, chosen: str | None, right: str | None) -> None:
        """Counts one choice."""
        self.rows += 1
        self.right += chosen == right
        self.wrong += chosen is not None and chosen != right

    def figures(self) -> Figures:
        """Shares of all rows; the rest is unsure."""
        right, wrong = _share(self.right, self.rows), _share(self.wrong, self.rows)
        return {"rows": self.rows, "right": right, "wrong": wrong, "unsure": round(max(0.0, 1 - right - wrong), 4)}


def _share(some: int, of: int) -> float:
    return round(some / of, 4) if of else 0.0


def verdict(a: Row, b: Row) -> str:
    """Ours on two sides."""
    return match(side_of(a), side_of(b)).verdict


def _choice(query: Row, candidates: list[Row]) -> str | None:
    """The id that we choose, None where we do not."""
    return choose(side_of(query), list(map(side_of, candidates))).id


def _by_rule(rule: Rule, a: Row, b: Row) -> str:
    return "same" if rule(a, b) else "different"


_PAIRS: dict[str, Callable[[Row, Row], str]] = {
    OURS: verdict,
    **{name: partial(_by_rule, rule) for name, rule in RULES.items()},
}
_CHOICES: dict[str, Callable[[Row, list[Row]], str | None]] = {OURS: _choice, **CHOOSERS}

Scores = dict[str, dict[str, dict[str, Figures]]]


def score(rows: Iterable[Row]) -> Scores:
    """{set: {"seen" | "held_back" | "all": {matcher: figures}}}."""
    pairs: dict[tuple[str, str, str], Pairs] = defaultdict(Pairs)
    choices: dict[tuple[str, str, str], Choices] = defaultdict(Choices)
    for row in rows:
        parts = (ALL, "held_back" if held_back(str(row.get("id"))) else "seen")
        if "candidates" in row:
            for name, choosing in _CHOICES.items():
                chosen = choosing(row["query"], row["candidates"])
                for part in parts:
                    choices[row["set"], part, name].add(chosen, row["right"])
            continue
        for name, matching in _PAIRS.items():
            said = matching(row["a"], row["b"])
            for part in parts:
                pairs[row["set"], part, name].add(said, same=row["same"])
        _with_codes([pairs[row["set"], part, OURS] for part in parts], row)
    scores: Scores = defaultdict(lambda: defaultdict(dict))
    for (named, part, name), pair_count in pairs.items():
        scores[named][part][name] = pair_count.figures()
    for (named, part, name), choice_count in choices.items():
        scores[named][part][name] = choice_count.figures()
    return scores


def _with_codes(counts: Iterable[Pairs], row: Row) -> None:
    """What do codes alone change?"""
    a, b = row["a"], row["b"]
    if a.get("isrc") or b.get("isrc"):
        return
    hidden = verdict(a, b) == "same"
    turned = hidden and verdict({**a, "isrc": CODES[0]}, {**b, "isrc": CODES[1]}) != "same"
    made = not hidden and not row["same"] and verdict({**a, "isrc": CODES[0]}, {**b, "isrc": CODES[0]}) == "same"
    for count in counts:
        count.turned += turned
        count.made += made


def speed(rows: Iterable[Row]) -> float:
    """Pair decisions a second on one core, the candidates of a choice counted one by one."""
    sides = [
        (side_of(row.get("query") or row["a"]), [side_of(other) for other in row.get("candidates") or [row["b"]]])
        for row in rows
    ]
    begun = time.process_time()
    for side, others in sides:
        for other in others:
            match(side, other)
    spent = time.process_time() - begun
    return round(sum(len(others) for _, others in sides) / spent) if spent else 0.0
