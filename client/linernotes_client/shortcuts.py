"""The three ways in, over one client that takes all it needs from the environment."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from linernotes_client.calls import Answer
from linernotes_client.client import EnrichmentClient
from linernotes_client.tracks import Track


@cache
def _client() -> EnrichmentClient:
    return EnrichmentClient()


def enrich_scraped_tracks(tracks: Iterable[Track]) -> list[Answer]:
    """As EnrichmentClient.enrich_scraped_tracks: priority 7."""
    return _client().enrich_scraped_tracks(tracks)


def queue_for_enrichment(track: Track) -> Answer:
    """As EnrichmentClient.queue_for_enrichment: priority 5."""
    return _client().queue_for_enrichment(track)


def ensure_enriched(track: Track) -> Answer:
    """As EnrichmentClient.ensure_enriched: priority 8, and only where it is needed."""
    return _client().ensure_enriched(track)
