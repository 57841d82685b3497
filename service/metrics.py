"""What Prometheus sees of this process and, read from the database when it asks, of the fleet."""

from __future__ import annotations

import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from enrichment.services import report
from enrichment.services.fleet import Fleet

BREAKER_STATES = ("closed", "half_open", "open")


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
        """Breakers under both names that dashboards use, and the lines."""
        states = {state["source"]: state["breaker"] for state in report.source_states(self._fleet)}
        for name in ("enrichment_circuit_breaker_state", "circuit_breaker_state"):
            breakers = GaugeMetricFamily(
                name, "1 for the state that a source's breaker is in.", labels=("api", "state")
            )
            for source, state in states.items():
                for each in BREAKER_STATES:
                    breakers.add_metric((source, each), float(each == state))
            yield breakers
        lines = GaugeMetricFamily("enrichment_lookups", "Open lookups.", labels=("source", "lane", "state"))
        for line in report.queue(self._fleet):
            lines.add_metric((line["source"], line["lane"], line["state"]), line["lookups"])
        yield lines


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
