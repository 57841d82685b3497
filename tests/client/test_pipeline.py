"""APIEnrichmentPipeline, item by item."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import pytest
from scrapy import Field, Item

from linernotes_client import APIEnrichmentPipeline
from tests.client.fake_service import ACQUIRED, Service


def process(service: Service, *items: Any, **options: Any) -> tuple[list[Any], dict[str, int]]:
    """The items that come out, one after the other, and the counts."""

    async def run() -> tuple[list[Any], dict[str, int]]:
        pipeline = APIEnrichmentPipeline(enrichment_service_url=service.url, **options)
        out = [await pipeline.process_item(item, None) for item in items]
        await pipeline.close_spider()
        return out, dict(pipeline.counts)

    return asyncio.run(run())


class TrackItem(Item):
    artist = Field()
    title = Field()
    isrc = Field()
    bpm = Field()


@dataclass
class TrackRecord:
    primary_artist: str
    track_name: str
    spotify_id: str | None = None
    key: str = ""


@dataclass(frozen=True)
class FrozenRecord:
    artist: str
    title: str
    isrc: str | None = None


def test_a_dict_gets_all_that_came_back(service: Service) -> None:
    item = {"track_id": "4711", "artist_name": "Portishead", "track_name": "Strangers", "bpm": None}
    (out,), counts = process(service, item)
    assert out is item
    told = {"track_id": "4711", "artist_name": "Portishead", "track_name": "Strangers"}
    assert out == {**told, "title": "Strangers", **ACQUIRED}
    assert counts == {"success": 1}
    (heard,) = service.heard
    assert heard.query == {"wait": "55"}
    assert heard.body == {
        "track_id": "4711",
        "artist_name": "Portishead",
        "track_title": "Strangers",
        "priority": 7,
    }


def test_items_with_declared_fields_get_those(service: Service) -> None:
    item, record = TrackItem(artist="Portishead", title="Strangers"), TrackRecord("Portishead", "Strangers")
    (item_out, record_out), counts = process(service, item, record)
    assert dict(item_out) == {"artist": "Portishead", "title": "Strangers", "isrc": ACQUIRED["isrc"], "bpm": 91.5}
    assert record_out == TrackRecord("Portishead", "Strangers", ACQUIRED["spotify_id"], ACQUIRED["key"])
    assert counts == {"success": 2}


def test_what_was_scraped_stays(service: Service) -> None:
    item = {"artist": "Portishead", "title": "Strangers", "bpm": 92, "isrc": "GBAAA9400119"}
    (out,), _ = process(service, item)
    assert (out["bpm"], out["key"]) == (92, ACQUIRED["key"])
    assert service.heard[0].body["existing_isrc"] == "GBAAA9400119"


@pytest.mark.parametrize(
    "item",
    [
        {"track_id": "4711", "track_name": "Strangers"},
        {"artist_name": "Portishead"},
        {"item_type": "playlist", "artist": "Portishead", "title": "My favourites"},
        {"venue": "Berghain"},
    ],
    ids=str,
)
def test_what_is_no_track_passes_untouched(service: Service, item: dict[str, Any]) -> None:
    before = dict(item)
    (out,), counts = process(service, item)
    assert out == before
    assert counts == {"skipped": 1}
    assert service.heard == []


def test_nothing_found(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    service.acquired = {}
    with caplog.at_level(logging.INFO):
        _, counts = process(service, {"artist": "Nobody", "title": "Nothing"})
    assert counts == {"empty": 1}
    assert "Service returned no enrichment for: Nobody - Nothing" in caplog.messages
    assert f"APIEnrichmentPipeline initialized in DELEGATION mode: {service.url}" in caplog.messages


def test_one_bad_item_is_not_the_services_fault(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    bad = {"artist": "Portishead", "title": "S" * 1001}
    good = {"artist": "Portishead", "title": "Strangers"}
    _, counts = process(service, *[bad] * 6, good, fallback=True)
    assert counts == {"failure": 6, "success": 1}, "nor is it the queue's"
    assert "1000 characters at most" in caplog.text


def test_an_item_is_never_lost_over_its_enrichment(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    unchangeable, unknown = FrozenRecord("Portishead", "Strangers"), object()
    out, counts = process(service, unchangeable, unknown)
    assert out == [unchangeable, unknown]
    assert counts == {"failure": 2}
    assert "An item could not be enriched" in caplog.text


def test_a_service_that_comes_back_is_used_again(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> dict[str, int]:
        pipeline = APIEnrichmentPipeline(enrichment_service_url=service.url)
        for status in (503, 503, 200, 503, 200):
            service.answers_with = status
            await pipeline.process_item({"artist": "Portishead", "title": "Strangers"})
        await pipeline.close_spider()
        return dict(pipeline.counts)

    assert asyncio.run(run()) == {"failure": 3, "success": 2}
    told = [each for each in caplog.messages if each.startswith("Enrichment service unavailable: 503")]
    assert len(told) == 2, "once in each outage"
