"""A fleet with two fake sources, driven by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Empty
from tests.services.fakes import Bench, Upstream, a_bench

TRACK = {"isrc": "GBAAA9800322", "musicbrainz_id": "m-1", "bpm": 78.0}
BY_ISRC = {"key": "A Minor", "popularity": 70}
PERFORMER = {"genres": ["trip hop"], "country": "GB"}
ALBUM = {"label": "Virgin", "cover_art_url": "http://covers.test/1.jpg"}


@pytest.fixture
def upstream() -> Upstream:
    """One that knows everything."""
    return Upstream({"track": TRACK, "by_isrc": BY_ISRC, "performer": PERFORMER, "album": ALBUM})


@pytest.fixture
def bench(empty: Empty, upstream: Upstream) -> Iterator[Bench]:
    """A worker's fleet."""
    made = a_bench(empty, upstream)
    yield made
    made.close()
