"""The rules that others match by, as baselines: each answers "the same?" for a pair of sides, from names alone or with
durations.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import SequenceMatcher
from typing import Any

from rapidfuzz import fuzz

Row = dict[str, Any]
Rule = Callable[[Row, Row], bool]

_TIME = re.compile(r"^\s*(?:\[[\d:?]+\]|\d{1,3}[.)]|\d{1,2}(?::\d\d){1,2})\s*")
_LABEL = re.compile(r"\s*\[[^\[\]]*\]\s*$")


def _names(side: Row) -> tuple[str, str]:
    """(artist, title) in lower case. Of a line, what stands before and after the first dash, time and label cut off."""
    if side.get("line"):
        bare = _LABEL.sub("", _TIME.sub("", side["line"])).casefold()
        artist, _, title = bare.partition(" - ")
        return (artist.strip(), title.strip()) if title else ("", artist.strip())
    return side.get("artist", "").casefold(), side.get("title", "").casefold()


def _whole(side: Row) -> str:
    return " - ".join(_names(side))


def exact_key(a: Row, b: Row) -> bool:
    """Equal text, time and label cut off, case folded."""
    return _whole(a) == _whole(b)


def token_sort(a: Row, b: Row) -> bool:
    """`token_sort_ratio` of rapidfuzz, from 90."""
    return fuzz.token_sort_ratio(_whole(a), _whole(b)) >= 90


def token_set(a: Row, b: Row) -> bool:
    """`token_set_ratio` of rapidfuzz, from 90."""
    return fuzz.token_set_ratio(_whole(a), _whole(b)) >= 90


def _weighted(a: Row, b: Row) -> float:
    (artist, title), (other_artist, other_title) = _names(a), _names(b)
    return (
        0.6 * SequenceMatcher(None, title, other_title).ratio()
        + 0.4 * SequenceMatcher(None, artist, other_artist).ratio()
    )


def weighted_sequence(a: Row, b: Row) -> bool:
    """0.6 title + 0.4 artist sequence similarity from 0.90: the best plain rule known."""
    return _weighted(a, b) >= 0.90


def within(rule: Rule, milliseconds: int) -> Rule:
    """A rule that also asks durations to be so near; an unknown one is near."""

    def near(a: Row, b: Row) -> bool:
        told = (a.get("duration_ms"), b.get("duration_ms"))
        apart = abs(told[0] - told[1]) if told[0] and told[1] else 0
        return apart <= milliseconds and rule(a, b)

    return near


RULES: dict[str, Rule] = {
    "exact key": exact_key,
    "token sort ratio": token_sort,
    "token set ratio": token_set,
    "weighted sequence": weighted_sequence,
    "weighted sequence, 15 s": within(weighted_sequence, 15_000),
}


def by_names(query: Row, candidates: list[Row]) -> str | None:
    """The candidate whose names are most alike, where they are alike at all."""
    best = max(candidates, key=lambda candidate: _weighted(query, candidate))
    return best["id"] if _weighted(query, best) >= 0.6 else None


def by_code(query: Row, candidates: list[Row]) -> str | None:
    """The candidate with the query's ISRC, else by names."""
    same = [candidate["id"] for candidate in candidates if query.get("isrc") and candidate.get("isrc") == query["isrc"]]
    return same[0] if same else by_names(query, candidates)


CHOOSERS: dict[str, Callable[[Row, list[Row]], str | None]] = {"names": by_names, "ISRC first": by_code}
