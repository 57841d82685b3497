"""What Prometheus sees of this process and, read from the database when it asks, of the fleet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate, product
from math import inf
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from enrichment.domain.outcomes import Outcome, Verdict
from enrichment.domain.subjects import Lane
from enrichment.services import counting, report, vitals
from enrichment.services.counting import Count, Spread
from enrichment.services.fleet import Fleet
from enrichment.services.vitals import SourceVitals, Vitals
from models import LookupState

Labels = TypeVar("Labels", bound=tuple[str, ...])

BREAKER_STATES = ("closed", "half_open", "open")
KEPT_SECONDS = 5.0
"""How old the fleet's numbers may be: several Prometheus may ask."""


class Metrics:
    """Of one application, in a registry of its own."""

    def __init__(self, fleet: Fleet) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "http_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "http_request_duration_seconds",
            "Until the last byte of the answer was sent.",
            ("method", "route"),
            registry=self.registry,
        )
        self.registry.register(_OfTheFleet(fleet))

    def exposed(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)


class _OfTheFleet(Collector):
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def describe(self) -> Iterable[Metric]:
        """Nothing: asking for it would ask the database before anybody wants to know."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Of all processes, as far as they have told, and read from the servers."""
        found: Vitals = self._fleet.remembered("vitals", lambda: vitals.read(self._fleet), KEPT_SECONDS)
        yield from (_counter(what, found, self._fleet) for what in counting.COUNTS)
        for what in counting.SPREADS:
            yield from _histograms(what, found)
        yield from _breakers(found)
        yield from _sources(found)
        yield from _lines(found)
        yield from _fleet(found)


def _counter(what: Count, found: Vitals, fleet: Fleet) -> Metric:
    """Those that will come stand at 0 from the beginning: a series that begins with its first event shows no rise."""
    metric = CounterMetricFamily(what.name, what.about, labels=what.labels)
    seen = {labels: value for (name, labels), value in found.counted.items() if name == what.name}
    known = product(*(_values(label, fleet) for label in what.labels))
    for labels in sorted({*known, *seen}):
        metric.add_metric(labels, seen.get(labels, 0.0))
    return metric


def _values(label: str, fleet: Fleet) -> Iterable[str]:
    known: dict[str, Iterable[str]] = {"source": fleet.sources, "verdict": Verdict, "status": report.ENDED}
    return known.get(label, ())


def _histograms(what: Spread, found: Vitals) -> Iterable[Metric]:
    sums = {labels: value for (name, labels), value in found.counted.items() if name == f"{what.name}_sum"}
    bounds = [f"{bound:g}" for bound in (*what.bounds, inf)]
    for name in (what.name, *what.aliases):
        metric = HistogramMetricFamily(name, what.about, labels=what.labels)
        for labels, total in sorted(sums.items()):
            each = [found.counted.get((f"{what.name}_bucket", (*labels, bound)), 0.0) for bound in bounds]
            metric.add_metric(labels, list(zip([*bounds[:-1], "+Inf"], accumulate(each), strict=True)), total)
        yield metric


def _gauge(name: str, about: str, labels: tuple[str, ...], values: Mapping[Labels, float]) -> Metric:
    metric = GaugeMetricFamily(name, about, labels=labels)
    for each, value in sorted(values.items()):
        metric.add_metric(each, value)
    return metric


def _breakers(found: Vitals) -> Iterable[Metric]:
    """Under both names that dashboards use."""
    states = {
        (source, state): float(now.breaker == state)
        for source, now in found.sources.items()
        for state in BREAKER_STATES
    }
    for name in ("enrichment_circuit_breaker_state", "circuit_breaker_state"):
        yield _gauge(name, "1 for the state that a source's breaker is in.", ("api", "state"), states)


def _sources(found: Vitals) -> Iterable[Metric]:
    def each(name: str, about: str, value: Callable[[SourceVitals], float]) -> Metric:
        return _gauge(name, about, ("source",), {(source,): value(now) for source, now in found.sources.items()})

    yield each(
        "enrichment_turns_permitted_per_second",
        "What the source's budget permits, as far as refusals have left it.",
        lambda now: now.permitted * now.factor,
    )
    yield each("enrichment_rate_factor", "The share of its budget that refusals have left.", lambda now: now.factor)
    yield each("enrichment_paused_seconds", "How long nothing will be asked yet.", lambda now: now.paused_for)
    yield each("enrichment_stopped", "1 until a person resumes the source.", lambda now: now.stopped)
    yield each("enrichment_window", "Fetch messages that may be in flight.", lambda now: now.window)
    yield each("enrichment_fetches_in_flight", "Fetch messages in flight.", lambda now: now.in_flight)
    yield each("enrichment_calls_under_way", "Turns taken whose calls have not ended.", lambda now: now.in_call)


def _lines(found: Vitals) -> Iterable[Metric]:
    lines = {(line.source, line.lane, line.state): float(line.rows) for line in found.lines}
    yield _gauge("enrichment_lookups", "Open lookups.", ("source", "lane", "state"), lines)
    waiting = {(x.source, x.lane): x for x in found.lines if x.state == LookupState.WAITING}
    for name, about, value in (
        ("enrichment_waiting", "Lookups that may be claimed now.", lambda x: float(x.rows)),
        ("enrichment_waiting_oldest_seconds", "The age of the oldest of them.", lambda x: x.oldest),
    ):
        lanes = product(found.sources, Lane)
        values = {key: value(waiting[key]) if key in waiting else 0.0 for key in {*lanes, *waiting}}
        yield _gauge(name, about, ("source", "lane"), values)


def _fleet(found: Vitals) -> Iterable[Metric]:
    in_time = found.artwork_in_time
    yield _gauge(
        "artwork_within_a_minute_ratio",
        "The share of the last hour's live plays that had a cover within a minute.",
        (),
        {} if in_time is None else {(): in_time},
    )
    letters = dict.fromkeys(product((*found.sources, "message"), map(str, Outcome)), 0.0)
    letters |= {(source, outcome): float(n) for source, each in found.letters.items() for outcome, n in each.items()}
    yield _gauge("enrichment_dead_letters", "Open dead letters.", ("source", "outcome"), letters)
    yield _gauge("enrichment_workers", "Workers that live.", (), {(): len(found.workers)})
    threads = sum(card.threads for card in found.workers)
    yield _gauge("enrichment_worker_threads", "Threads of the workers that live.", (), {(): threads})
    silent = inf if found.beat_silent is None else found.beat_silent
    yield _gauge("enrichment_beat_silent_seconds", "Since beat was last seen.", (), {(): silent})
    yield _gauge("enrichment_cache_entries", "Keys in the cache's Redis.", (), {(): found.cache.keys})
    yield _gauge("enrichment_cache_bytes", "Memory that the cache's Redis uses.", (), {(): found.cache.bytes})
    yield CounterMetricFamily(
        "enrichment_cache_evictions_total",
        "Kept replies that had to make room, since the cache's Redis was started.",
        value=found.cache.evictions,
    )


class Measured:
    """Counts and times every request by its route, never by its path: that would be a series for each id."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        began = time.monotonic()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-content-type-options", b"nosniff")]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(scope["method"], route, str(status)).inc()
            self._metrics.seconds.labels(scope["method"], route).observe(time.monotonic() - began)
