"""A fleet with two fake sources, driven by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from enrichment.embedded import Servers
from tests.conftest import Empty, an_empty, emptied
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
def empty(lent: Empty, lent_engine: Engine, servers: Servers) -> Empty:
    """The module's, emptied."""
    emptied(lent_engine, servers)
    return lent


@pytest.fixture
def bench(empty: Empty, upstream: Upstream) -> Iterator[Bench]:
    """A worker's fleet."""
    made = a_bench(empty, upstream)
    yield made
    made.close()


@pytest.fixture
def own_bench(servers: Servers, upstream: Upstream) -> Iterator[Bench]:
    """One whose tables a test may change."""
    with an_empty(servers) as own:
        made = a_bench(own, upstream)
        yield made
        made.close()
