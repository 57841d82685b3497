"""A spider whose tracks the fleet enriches: `scrapy runspider client/examples/tracklists.py -O tracks.jsonl`.

Its page stands beside it, so it needs no network. METADATA_ENRICHMENT_URL and METADATA_ENRICHMENT_TOKEN name the
service.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from scrapy import Spider
from scrapy.http import Response


class Tracklists(Spider):
    """One item per line of a tracklist."""

    name = "tracklists"
    start_urls: ClassVar[list[str]] = [(Path(__file__).parent / "tracklist.html").as_uri()]
    custom_settings: ClassVar[dict[str, Any]] = {  # type: ignore[assignment]  # Scrapy's own is wider
        "ITEM_PIPELINES": {"linernotes_client.APIEnrichmentPipeline": 250},
        "LOG_LEVEL": "INFO",
        "TELNETCONSOLE_ENABLED": False,
    }

    def parse(self, response: Response, **_: Any) -> Iterator[dict[str, str | None]]:
        """The pipeline fills in what is empty or missing."""
        for line in response.css("li"):
            yield {"artist_name": line.css(".artist::text").get(), "track_name": line.css(".title::text").get()}
