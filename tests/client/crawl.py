"""A Scrapy crawl in a process of its own: `python -m tests.client.crawl SITE OUT`; its stats on stdout, as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from scrapy import Spider
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.http import Response


class TrackSpider(Spider):
    """Every page of the site, every row of a page."""

    name = "tracks"

    def parse(self, response: Response, **_: Any) -> Iterator[Any]:
        """Links to pages, and tracks."""
        yield from response.follow_all(css="a.page")
        for row in response.css("tr.track"):
            yield {
                "track_id": row.attrib["id"],
                "artist_name": row.css(".artist::text").get(),
                "track_name": row.css(".title::text").get(),
            }


def main(site: str, out: str) -> None:
    """Crawls the site; the items go to the file `out`, one JSON object a line."""
    process = AsyncCrawlerProcess(
        {
            "ITEM_PIPELINES": {"linernotes_client.APIEnrichmentPipeline": 250},
            "FEEDS": {out: {"format": "jsonlines"}},
            "LOG_LEVEL": "INFO",
            "TELNETCONSOLE_ENABLED": False,
            "REMOTE_CONTROL_ENABLED": False,
        }
    )
    crawler = process.create_crawler(TrackSpider)
    process.crawl(crawler, start_urls=[site])
    process.start()
    assert crawler.stats is not None
    print(json.dumps(crawler.stats.get_stats(), default=str))  # noqa: T201 - its answer


if __name__ == "__main__":
    main(*sys.argv[1:])
