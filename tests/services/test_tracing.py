"""One trace from submit to settle, sent to whoever collects them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from enrichment.tracing import trace_id, tracer
from tests.conftest import Empty
from tests.support import ROOT

PROGRAM = """
import sys
from enrichment.tracing import tracer
from tests.conftest import Empty
from tests.services.fakes import Upstream, a_bench

bench = a_bench(Empty(*sys.argv[1:]), Upstream({"track": {"bpm": 78.0}}))
bench.track("Teardrop", correlation_id="c-1")
bench.track("Protection", correlation_id="c-2")
bench.settle_down()
bench.close()
tracer().span_processor.force_flush()
"""


def test_one_trace_from_submit_to_settle(empty: Empty) -> None:
    bodies: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environ = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        }
        command = [sys.executable, "-c", PROGRAM, empty.database_url, empty.redis_url, empty.broker_url]
        subprocess.run(command, cwd=ROOT, env=environ, check=True, timeout=60)  # noqa: S603 - our own program
        server.shutdown()

    requests = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    spans = [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    names = [span.name for span in spans if int.from_bytes(span.trace_id, "big") == trace_id("c-1")]
    linked = [span for span in spans if any(int.from_bytes(x.trace_id, "big") == trace_id("c-2") for x in span.links)]
    assert names[0] == "submit"
    assert {"call", "settle"} <= set(names)
    assert {span.name for span in linked} == {"call", "settle"}, "both were asked in one call"
    asked = next(span for span in spans if span.name == "call")
    assert {each.key: each.value.string_value for each in asked.attributes}["source"] == "alpha"


def test_off_by_default() -> None:
    assert tracer() is None
