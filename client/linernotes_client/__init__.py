"""Hands performers, tracks and albums to a linernotes fleet: by Celery task, over HTTP, or from a Scrapy crawl."""

from typing import Any

from linernotes_client.calls import EnrichmentError, RequestRefused, ServiceTimeout, ServiceUnavailable, Statistics
from linernotes_client.client import AsyncEnrichmentClient, EnrichmentClient
from linernotes_client.shortcuts import enrich_scraped_tracks, ensure_enriched, queue_for_enrichment
from linernotes_client.tasks import (
    enrich_album,
    enrich_all_pending,
    enrich_batch,
    enrich_event_performers,
    enrich_high_priority,
    enrich_listens,
    enrich_performer,
    enrich_track,
    enrich_tracks,
    fetch_artwork,
    import_events,
    reset_enrichment,
    sync_lastfm,
)

__all__ = [
    "APIEnrichmentPipeline",
    "AsyncEnrichmentClient",
    "EnrichmentClient",
    "EnrichmentError",
    "RequestRefused",
    "ServiceTimeout",
    "ServiceUnavailable",
    "Statistics",
    "enrich_album",
    "enrich_all_pending",
    "enrich_batch",
    "enrich_event_performers",
    "enrich_high_priority",
    "enrich_listens",
    "enrich_performer",
    "enrich_scraped_tracks",
    "enrich_track",
    "enrich_tracks",
    "ensure_enriched",
    "fetch_artwork",
    "import_events",
    "queue_for_enrichment",
    "reset_enrichment",
    "sync_lastfm",
]


def __getattr__(name: str) -> Any:
    """The pipeline needs Scrapy, which those who do not crawl do not have."""
    if name != "APIEnrichmentPipeline":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from linernotes_client.pipeline import APIEnrichmentPipeline  # noqa: PLC0415 - see above

    return APIEnrichmentPipeline
