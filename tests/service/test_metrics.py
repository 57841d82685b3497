"""What Prometheus sees: numbers of the whole fleet, whoever counted them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import ProgrammingError

from enrichment.services import standing
from enrichment.services.steward import retire
from service.metrics import KEPT_SECONDS
from tests.conftest import Empty
from tests.service.conftest import Api
from tests.services.conftest import TRACK
from tests.services.fakes import Upstream, a_bench

Series = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(api: Api) -> Series:
    """Every sample by name and labels, as new as can be."""
    api.fleet.forget()
    answer = api.http.get("/metrics")
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def of(series: Series, name: str, **labels: str) -> float:
    return series[name, frozenset(labels.items())]


def test_what_was_done_is_counted_by_whoever_did_it(api: Api, upstream: Upstream, lent: Empty) -> None:
    upstream.answers["track"] = {**TRACK, "artwork_url": "http://covers.test/1.jpg"}
    other = a_bench(lent, upstream)
    before = scraped(api)
    for n, bench in enumerate((api.bench, other)):
        bench.track(f"Track {n}", priority=10)
        bench.settle_down()
        bench.steward.beat()
    api.bench.track("Track 0")
    api.bench.steward.beat()
    after = scraped(api)
    other.close()

    def risen(name: str, **labels: str) -> float:
        return of(after, name, **labels) - of(before, name, **labels)

    assert risen("tracks_enriched_total", status="completed") == 3
    assert risen("tracks_enriched_total", status="failed") == 0
    assert risen("enrichment_tasks_total", status="completed") == 3
    assert risen("enrichment_calls_total", source="alpha", verdict="answer") == len(
        [question for question in upstream.questions() if question in ("track", "performer")]
    )
    assert risen("enrichment_turns_used_total", source="beta") == risen(
        "enrichment_calls_total", source="beta", verdict="answer"
    )
    assert risen("enrichment_cache_misses_total") == len(upstream.asked)
    # The second track's ISRC had been asked about; the third request was served by what had been found.
    assert risen("enrichment_cache_hits_total") == 2
    assert of(after, "enrichment_findings_total", source="alpha", field="bpm") == 2
    assert of(after, "first_artwork_seconds_count") == 3
    assert of(after, "enrichment_duration_seconds_bucket", lane="critical", le="+Inf") == 2
    assert of(after, "enrichment_duration_seconds_count", lane="default") == 1
    assert of(after, "enrichment_claim_seconds_count") >= len(upstream.asked)
    for name in ("api_response_time_seconds", "api_duration_seconds"):
        assert of(after, f"{name}_count", api="alpha") == risen(
            "enrichment_calls_total", source="alpha", verdict="answer"
        )
        assert of(after, f"{name}_bucket", api="alpha", le="20") == of(after, f"{name}_count", api="alpha")


def test_what_waits_and_how_sources_stand(api: Api, upstream: Upstream) -> None:
    upstream.answers["performer"] = "odd"
    api.bench.track("Teardrop", priority=10)
    api.bench.run("UPDATE lookups SET created_at = created_at - interval '90 seconds'")
    standing.pause(api.bench.fleet, "beta", 600, "Retry-After", ours=True)
    for _ in range(5):
        api.bench.fleet.limiter.failed("alpha", "ill")
    api.bench.steward.beat()
    found = scraped(api)

    assert of(found, "enrichment_waiting", source="alpha", lane="critical") == 2
    assert 90 <= of(found, "enrichment_waiting_oldest_seconds", source="alpha", lane="critical") < 120
    assert of(found, "enrichment_waiting", source="alpha", lane="low_priority") == 0
    for name in ("enrichment_circuit_breaker_state", "circuit_breaker_state"):
        assert of(found, name, api="alpha", state="open") == 1
        assert of(found, name, api="alpha", state="closed") == 0
        assert of(found, name, api="beta", state="open") == 0
    assert 590 < of(found, "enrichment_paused_seconds", source="beta") <= 600
    assert of(found, "enrichment_stopped", source="beta") == 0
    assert of(found, "enrichment_turns_permitted_per_second", source="alpha") == 10_000
    assert of(found, "enrichment_window", source="alpha") >= 2
    assert of(found, "enrichment_workers") == 1
    assert of(found, "enrichment_beat_silent_seconds") == math.inf, "it has never been seen"
    assert of(found, "enrichment_worker_threads") == 8

    standing.resume(api.bench.fleet, "alpha")
    standing.resume(api.bench.fleet, "beta")
    api.bench.settle_down()
    assert of(scraped(api), "enrichment_dead_letters", source="alpha", outcome="unreadable") == 1


def test_what_cannot_be_told_now_is_told_later(api: Api) -> None:
    api.bench.track("Teardrop")
    api.bench.drain()
    api.bench.run("ALTER TABLE counts RENAME TO away")
    try:
        answer = api.http.get("/metrics")
        assert answer.status_code == 503, "a scrape that tells half of it would look like a fleet at rest"
        with pytest.raises(ProgrammingError):
            api.bench.steward.beat()
    finally:
        api.bench.run("ALTER TABLE away RENAME TO counts")
    retire(api.bench.fleet)

    assert of(scraped(api), "tracks_enriched_total", status="completed") == 1


def test_scrapes_close_to_each_other_share_one_look(api: Api) -> None:
    first = api.http.get("/metrics").text
    api.bench.track("Teardrop")
    second = api.http.get("/metrics").text

    def fleets(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.startswith("enrichment_")]

    assert KEPT_SECONDS >= 5
    assert fleets(first) == fleets(second)
    assert of(scraped(api), "enrichment_waiting", source="alpha", lane="default") > 0
