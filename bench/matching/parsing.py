"""How well lines are taken apart: `python -m bench.matching.parsing FILE…` (JSONL, also gzipped), figures per kind.

A row holds `input`, `expected` and its `kind` (or `task`): titles and fields to clean, video titles to split, file
names, tracklist lines, line-ups of events (rows with `lineup_raw` and `artists` too). A third of all rows, those whose
input's SHA-256 is divisible by three, was never looked at while the grammar was made: both figures are printed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enrichment.domain.parsing import clean_field, read, read_line, read_lineup, split_video
from enrichment.domain.parsing.credits import Artist
from enrichment.domain.text import clean, name_key, words

Row = dict[str, Any]


@dataclass(slots=True)
class Score:
    """Counts of one kind. said: rows where the grammar said something; right: those of them that are exact."""

    rows: int = 0
    exact: int = 0
    said: int = 0
    right: int = 0

    def add(self, *, exact: bool, said: bool) -> None:
        """Counts one row."""
        self.rows += 1
        self.exact += exact
        self.said += said
        self.right += exact and said

    def figures(self) -> dict[str, float]:
        """`exact` of all rows, `precision` of those where something was said."""
        return {
            "rows": self.rows,
            "exact": round(self.exact / self.rows, 4) if self.rows else 0.0,
            "precision": round(self.right / self.said, 4) if self.said else 0.0,
        }


def rows_of(file: Path) -> Iterator[Row]:
    """The labelled rows of a file, each with `kind`, `input` and `expected`."""
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if "lineup_raw" in row:
                if row.get("artists"):
                    yield {"kind": "event_lineup", "input": row["lineup_raw"], "expected": {"artists": row["artists"]}}
            elif "expected" in row:
                yield {**row, "kind": row.get("kind") or row.get("task")}


def own_rows() -> list[Row]:
    """The rows that ship: lines of every sort, labelled by hand."""
    return list(rows_of(Path(__file__).with_name("lines.jsonl")))


def held_back(text: str) -> bool:
    """Is a row with this input one of the third that nobody looks at?"""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % 3 == 0


def judge(row: Row) -> tuple[bool, bool] | None:
    """(exact, said something) of a row; None for a kind that is no matter of the grammar."""
    kind, given, expected = str(row["kind"]), row["input"], row["expected"]
    if kind.startswith("split_") or kind == "youtube_title":
        return _video(given, expected)
    if kind == "field_cleanup" or isinstance(expected, str):
        return _field(kind, given, expected)
    if kind in ("dj_filename", "dj_tracklist_line", "tracklist", "unknown"):
        return _line(kind, given, expected)
    if kind in ("lineup", "event_lineup"):
        return _lineup(kind, given, expected)
    return None


def _field(kind: str, given: str, expected: Any) -> tuple[bool, bool]:
    rule = kind
    if isinstance(expected, dict):
        rule = expected["rule"]
        expected = next(value for name, value in expected.items() if name != "rule")
    cleaned = clean_field(rule, given)
    return cleaned == expected, cleaned != given


def _video(given: str, expected: Any) -> tuple[bool, bool]:
    artist, title = (expected["artist"], expected["title"]) if isinstance(expected, dict) else expected
    known = {"artist": artist or ""} if given == title else {"title": title or ""} if given == artist else {}
    found = split_video(given, **known)
    same = tuple(clean(each or "") for each in (artist, title)) == tuple(clean(each) for each in found)
    return same, bool(found[0])


def _spoken(text: str) -> str:
    return " ".join(words(clean(text)))


def _line(kind: str, given: str, expected: Any) -> tuple[bool, bool]:
    if kind in ("tracklist", "unknown"):
        return _own(given, expected)
    line = read_line(given)
    if kind == "dj_filename":
        same = _spoken(line.credit) == _spoken(expected.get("artist") or "")
        return same and _spoken(line.full_title) == _spoken(expected["title"]), bool(line.artists)
    found = {_flat(line.artists, *_CREDITED), _flat(line.artists, *_CREDITED, "featured")}
    return not found.isdisjoint(_labelled(expected["artist"])), bool(line.artists)


_CREDITED = ("main", "versus", "presented_as")
_JOINERS = frozenset(("and", "vs", "versus", "x", "ft", "feat", "featuring", "pres", "presents", "meets"))
_ORIGIN = re.compile(r" \((?:[A-Z]{2,3}|Official)\)")


def _flat(artists: Iterable[Artist], *roles: str) -> str:
    """The names of a credit in order, without what joins them: labels hold one text, not a list."""
    return _bare(" ".join(artist.name for artist in artists if artist.role in roles))


def _bare(text: str) -> str:
    return " ".join(word for word in _spoken(text).split() if word not in _JOINERS)


def _labelled(credit: str) -> set[str]:
    """A label's credit; a site's "(US)" beside a name may not stand in the line."""
    return {_bare(credit), _bare(_ORIGIN.sub("", credit))}


def _own(given: str, expected: Any) -> tuple[bool, bool]:
    """A row of our own: each key of the label is one of the parsed line, artists as [name, role]."""
    told = read(given).as_json()
    told["artists"] = [[artist["name"], artist["role"]] for artist in told["artists"]]
    return all(told.get(name) == value for name, value in expected.items()), bool(told["artists"])


def _lineup(kind: str, given: str, expected: Any) -> tuple[bool, bool]:
    """Of an event's page only the performers that it links are labelled, and only those count that the line names."""
    found = [name_key(artist.name) for artist in read_lineup(given).artists]
    wanted = [name_key(name) for name in expected["artists"]]
    if kind == "lineup":
        return found == wanted, bool(found)
    said = _spoken(given)
    named = [name for name, raw in zip(wanted, expected["artists"], strict=True) if _spoken(raw) in said]
    return set(named) <= set(found), bool(found)


def score(rows: Iterable[Row]) -> dict[str, dict[str, dict[str, float]]]:
    """Figures per kind, of the rows that the grammar was made with and of those held back."""
    scores: dict[str, dict[str, Score]] = defaultdict(lambda: {"seen": Score(), "held_back": Score()})
    for row in rows:
        judged = judge(row)
        if judged is not None:
            part = "held_back" if held_back(row["input"]) else "seen"
            scores[str(row["kind"])][part].add(exact=judged[0], said=judged[1])
    return {kind: {part: each.figures() for part, each in parts.items()} for kind, parts in sorted(scores.items())}


def main(files: list[str]) -> int:
    """Prints one JSON object: {"name", "figures": {FILE: {KIND: {"seen", "held_back"}}}}."""
    figures = {Path(file).name: score(rows_of(Path(file))) for file in files}
    print(json.dumps({"name": "parsing", "figures": figures}, ensure_ascii=False, indent=1))  # noqa: T201 - a program
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
