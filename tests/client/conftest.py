"""A service that follows the contract, and nothing of this machine's environment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.fake_service import Service, running


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client reads its defaults from it."""
    for name in (
        *("METADATA_ENRICHMENT_URL", "METADATA_ENRICHMENT_TOKEN", "ENRICHMENT_TIMEOUT"),
        "ENRICHMENT_FALLBACK_ENABLED",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def service() -> Iterator[Service]:
    """A healthy one."""
    with running() as started:
        yield started
