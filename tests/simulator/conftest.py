"""A running simulator, the world behind it, and the recordings where they are at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from simulator.server import running
from simulator.truth import World

SHARED = Path(__file__).parents[3] / "shared"


@pytest.fixture(scope="session")
def world() -> World:
    """The world of the small catalogue."""
    return World.build()


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """A simulator without limits, nearly without latency."""
    with running(unlimited=True, speed=500.0) as base:
        yield base


@pytest.fixture(scope="session")
def http(url: str) -> Iterator[httpx.Client]:
    """A client of that simulator."""
    with httpx.Client(base_url=url, headers={"user-agent": "tests/1 ( tests@example.org )"}, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def data() -> Path:
    """The real data beside the repository."""
    path = SHARED / "data"
    if not path.exists():
        pytest.skip("the shared data is not beside the repository")
    return path
