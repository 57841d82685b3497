"""Queries in Lucene's language."""

from __future__ import annotations

import pytest

from simulator import names
from simulator.lucene import Searcher
from simulator.search import Index

TITLES = ["Five Years", "Ziggy Stardust", "Five Years (Live)", "The Morning", "In the Morning", "Stay"]
ARTISTS = ["David Bowie", "David Bowie", "David Bowie", "Nobody", "J. Cole", "Shakespears Sister"]


@pytest.fixture(scope="module")
def searcher() -> Searcher:
    index = Index({"title": [names.tokens(t) for t in TITLES], "artist": [names.tokens(a) for a in ARTISTS]})
    fields = {"": ("title", "artist"), "recording": ("title",), "artist": ("artist",)}
    return Searcher(index, fields, {"rid": lambda text: [int(text)]}, {"dur": lambda n: n * 1000.0})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('recording:"five years" AND artist:"david bowie"', [0, 2]),
        ("recording:(five years) artist:(shakespears)", [0, 2, 5]),
        ("recording:morning AND artist:cole", [4]),
        ('"in the morning"', [4]),
        ("five AND NOT live", [0]),
        ("+five -live", [0]),
        ("five !live", [0]),
        ("rid:(1 OR 3 OR 5)", [1, 3, 5]),
        ("recording:(ziggy OR stay)", [1, 5]),
        ("artist:bowie AND dur:[1000 TO 3000]", [1, 2]),
        ("dur:[4000 TO *]", [4, 5]),
        ("recording:stay^2 OR recording:ziggy~0.5", [1, 5]),
        (r"recording:five\ years", [0, 2]),
        (r"artist:j\. AND artist:cole", [4]),
        ("nothing:here", []),
        ("((((", []),
        ('recording:"unfinished', []),
        ("AND OR NOT", []),
        ("", []),
    ],
)
def test_queries(searcher: Searcher, query: str, found: list[int]) -> None:
    assert sorted(searcher.search(query)) == found


def test_the_shorter_of_two_that_have_the_words_is_better(searcher: Searcher) -> None:
    scores = searcher.search("recording:(five years)")
    assert scores[0] > scores[2]
