"""What is measured on labelled rows that the grammar was not made with, a third of them by hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.matching.parsing import Score, held_back, judge, rows_of

DATA = Path(__file__).parents[2].parent / "shared" / "data"


def figures(*files: str) -> dict[str, float]:
    """Exact share of the held-back rows of each kind, all kinds of a file of unit tests together."""
    scores: dict[str, Score] = {}
    for file in files:
        if not (DATA / file).is_file():
            pytest.skip(f"needs ../shared/data/{file}")
        for row in rows_of(DATA / file):
            judged = judge(row)
            if judged is not None and held_back(row["input"]):
                kind = row["kind"] if "label" in row else Path(file).name
                scores.setdefault(kind, Score()).add(exact=judged[0], said=judged[1])
    return {kind: score.figures()["exact"] for kind, score in scores.items()}


def test_titles_and_fields_are_cleaned_and_split() -> None:
    found = figures("messy/metadata-filter.MIT.jsonl", "messy/get-artist-title.MIT.jsonl", "messy/labelled.jsonl.gz")
    for kind in ("metadata-filter.MIT.jsonl", "get-artist-title.MIT.jsonl", "field_cleanup", "youtube_title"):
        assert found[kind] >= 0.90, kind


def test_artists_of_tracklist_lines_and_line_ups_are_exact() -> None:
    found = figures("messy/labelled.jsonl.gz", "catalogue/ra_events.jsonl.gz")
    assert found["dj_tracklist_line"] >= 0.93
    assert found["ra_events.jsonl.gz"] >= 0.93
