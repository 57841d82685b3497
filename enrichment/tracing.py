"""OpenTelemetry, where it is wanted: one trace from submit to settle. Without the extra `otel` nothing happens here.

On where OTEL_EXPORTER_OTLP_ENDPOINT is set. All spans of a request are of the trace whose id follows from its
correlation id, so nothing has to be carried through the broker or the database.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext, Tracer

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@cache
def tracer() -> Tracer | None:
    """Of this process, None where nobody collects traces."""
    if not os.environ.get(ENDPOINT) or find_spec("opentelemetry.sdk") is None:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - an extra

    provider = TracerProvider(resource=Resource.create({"service.name": "linernotes"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("linernotes")


def trace_id(correlation_id: str) -> int:
    """The trace that a request's spans are in."""
    return int.from_bytes(hashlib.blake2b(correlation_id.encode(), digest_size=16).digest(), "big")


@contextmanager
def span(name: str, correlation_ids: Iterable[str | None], **attributes: Any) -> Iterator[None]:
    """What happens within, as a span in the trace of the first request, linked to those of the others."""
    if (made := tracer()) is None or not (ids := sorted({each for each in correlation_ids if each})):
        yield
        return
    from opentelemetry import trace  # noqa: PLC0415 - an extra

    first, *others = (_root(each) for each in ids)
    parent = trace.set_span_in_context(trace.NonRecordingSpan(first))
    links = [trace.Link(each) for each in others]
    with made.start_as_current_span(name, parent, links=links, attributes=attributes):
        yield


def _root(correlation_id: str) -> SpanContext:
    from opentelemetry import trace  # noqa: PLC0415 - an extra

    number = trace_id(correlation_id)
    sampled = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    return trace.SpanContext(number, number & (2**64 - 1), is_remote=True, trace_flags=sampled)
