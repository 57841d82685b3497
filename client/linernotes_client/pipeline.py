"""`APIEnrichmentPipeline`: enriches the tracks of a Scrapy crawl through the service, and never at the crawl's cost."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from itemadapter import ItemAdapter
from scrapy.exceptions import NotConfigured
from scrapy.utils.asyncio import is_asyncio_available

from linernotes_client.calls import Answer, EnrichmentError, RequestRefused, ServiceTimeout
from linernotes_client.client import CONNECTIONS, SCRAPED, AsyncEnrichmentClient
from linernotes_client.outage import Outage
from linernotes_client.tasks import enrich_track
from linernotes_client.tracks import request_of

if TYPE_CHECKING:
    from scrapy.crawler import Crawler
    from scrapy.statscollectors import StatsCollector

log = logging.getLogger(__name__)

_NOTHING: tuple[Any, ...] = (None, "", [], {})


class APIEnrichmentPipeline:
    """For ITEM_PIPELINES. Items of any type that itemadapter knows; those that are no tracks pass untouched.

    A track has an artist (`artist_name`, `primary_artist`, `original_artist`, `artist`, `artists`) and a title
    (`track_name`, `track_title`, `title`). Fields that it has and that are empty are filled with what comes back, a
    dict's missing ones too; what was scraped stays. Counted in Scrapy's stats as `enrichment/success`, `failure`,
    `timeout`, `empty` (the service has found nothing, or not yet) and `skipped`; `queued` counts those handed to the
    queue besides.

    enrichment_service_url, token, timeout: as for AsyncEnrichmentClient. fallback: are items that the service could
    not take handed to the queue? ENRICHMENT_FALLBACK_ENABLED if not given. Each can be a setting of Scrapy's as well,
    by the name of its variable.
    """

    def __init__(
        self,
        enrichment_service_url: str | None = None,
        token: str | None = None,
        timeout: float | None = None,
        fallback: bool | None = None,
        stats: StatsCollector | None = None,
    ) -> None:
        self.counts = Counter[str]()
        self._client = AsyncEnrichmentClient(enrichment_service_url, token, timeout)
        self._fallback = _is_true(os.environ.get("ENRICHMENT_FALLBACK_ENABLED")) if fallback is None else fallback
        self._stats = stats
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._publishing = asyncio.Lock()
        self._service = Outage[EnrichmentError]()
        self._broker = Outage[Exception](patience=1)
        log.info("APIEnrichmentPipeline initialized in DELEGATION mode: %s", self._client.url)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Scrapy's way to make it. Raises NotConfigured on a reactor without asyncio."""
        if not is_asyncio_available():
            raise NotConfigured("APIEnrichmentPipeline needs Scrapy's default reactor, which runs asyncio")
        settings = crawler.settings
        fallback = settings.get("ENRICHMENT_FALLBACK_ENABLED")
        return cls(
            enrichment_service_url=settings.get("METADATA_ENRICHMENT_URL"),
            token=settings.get("METADATA_ENRICHMENT_TOKEN"),
            timeout=settings.getfloat("ENRICHMENT_TIMEOUT") or None,
            fallback=None if fallback is None else _is_true(fallback),
            stats=crawler.stats,
        )

    async def process_item(self, item: Any, spider: Any = None) -> Any:
        """The same item, enriched or not."""
        del spider
        try:
            await self._enrich(ItemAdapter(item))
        except Exception:  # an item is never lost over its enrichment, whatever it is
            log.exception("An item could not be enriched")
            self._count("failure")
        return item

    async def close_spider(self, spider: Any = None) -> None:
        """Ends the connections and sums up."""
        del spider
        await self._client.aclose()
        log.info("Items by enrichment: %s", dict(self.counts))

    async def _enrich(self, item: ItemAdapter) -> None:
        request = request_of(item) | {"priority": SCRAPED}
        if item.get("item_type") not in (None, "track") or not {"artist_name", "track_title"} <= request.keys():
            self._count("skipped")
            return
        async with self._turns:
            answer = await self._ask(request)
        if isinstance(answer, EnrichmentError):
            await self._do_without(request, answer)
        elif acquired := _found(answer):
            _fill(item, acquired)
            self._count("success")
        else:
            self._count("empty")
            log.info("Service returned no enrichment for: %s - %s", request["artist_name"], request["track_title"])

    async def _ask(self, request: dict[str, Any]) -> Answer | EnrichmentError:
        if (reason := self._service.reason_not_to_ask()) is not None:
            return reason
        asked = self._service.now()
        try:
            answer = await self._client.enrich(request)
        except RequestRefused as error:
            self._service.answered(asked)
            return error
        except EnrichmentError as error:
            if self._service.failed(error):
                _tell(error)
            return error
        self._service.answered(asked)
        return answer

    async def _do_without(self, request: dict[str, Any], error: EnrichmentError) -> None:
        self._count("timeout" if isinstance(error, ServiceTimeout) else "failure")
        if isinstance(error, RequestRefused):
            log.warning("Enrichment service refused %s - %s: %s", request["artist_name"], request["track_title"], error)
        elif self._fallback:
            async with self._publishing:
                await self._hand_over(request)

    async def _hand_over(self, request: dict[str, Any]) -> None:
        """To the queue, from another thread: a broker that is away takes seconds to be noticed."""
        if self._broker.reason_not_to_ask() is not None:
            return
        asked = self._broker.now()
        try:
            await asyncio.to_thread(enrich_track.delay, **request)
        except Exception as error:  # noqa: BLE001 - each broker's library has errors of its own
            if self._broker.failed(error):
                log.warning("Enrichment queue unavailable: %s", error)
            return
        self._broker.answered(asked)
        self._count("queued")

    def _count(self, outcome: str) -> None:
        self.counts[outcome] += 1
        if self._stats is not None:
            self._stats.inc_value(f"enrichment/{outcome}")


def _tell(error: EnrichmentError) -> None:
    """Once in an outage: a line for each of its items would say no more."""
    if isinstance(error, ServiceTimeout):
        log.warning("Enrichment service timeout after %ss", error.seconds)
    else:
        log.warning("Enrichment service unavailable: %s", error)


def _found(answer: Answer) -> dict[str, Any]:
    """What somebody has said of the track. Until then the service returns what it was told itself."""
    if answer.get("status") in ("completed", "partial") or answer.get("sources_used"):
        found: dict[str, Any] = answer.get("metadata_acquired") or {}
        return found
    return {}


def _fill(item: ItemAdapter, acquired: dict[str, Any]) -> None:
    """What is empty in the item. Fields that it does not declare have no place in it."""
    for field, value in acquired.items():
        if value in _NOTHING or item.get(field) not in _NOTHING:
            continue
        with suppress(KeyError):
            item[field] = value


def _is_true(value: Any) -> bool:
    return str(value).strip().lower() in {"1", "true", "yes", "on"}
