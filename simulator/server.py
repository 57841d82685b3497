"""The simulator's HTTP server: routes, limits, faults, latency and the log. See `serve` and `running`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

from simulator import faults, limits, upstreams
from simulator.truth import World
from simulator.wire import Reply, Request, json_reply
from simulator.witness import Witness

READY = "simulator at "
FLUSH_SECONDS = 0.2
LARGEST_BODY = 4 * 1024 * 1024


class Simulator:
    """The ASGI application: every upstream under its name, and the control paths under `/_simulator/`."""

    def __init__(
        self,
        world: World,
        *,
        scenario: list[faults.Rule] | None = None,
        witness: Witness | None = None,
        speed: float = 1.0,
        unlimited: bool = False,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        shelf = upstreams.Shelf(world)
        self.speed = speed
        self.unlimited = unlimited
        self.upstreams = {
            kind.source: kind(upstreams.Part(kind.source, shelf), speed=speed, unlimited=unlimited)
            for kind in upstreams.every()
        }
        self._roots = sorted(
            ((root, source) for source, upstream in self.upstreams.items() for root in upstream.roots),
            key=lambda pair: -len(pair[0]),
        )
        self.doormen = {source: limits.Doorman(self._limit(source)) for source in self.upstreams}
        self.scenario = faults.Scenario(scenario or ())
        self.witness = witness or Witness()
        self._clock, self._sleep = clock, sleep
        # A large answer takes a while to make. On the loop itself it would hold up the clock reading of the next
        # requests, and calls that kept their distance would look like a burst.
        self._answers = ThreadPoolExecutor(1, "answers")
        self.started = clock()

    def _limit(self, source: str) -> limits.Limit | None:
        return None if self.unlimited else limits.DOCUMENTED[source].faster(self.speed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        now = self._clock()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = await _read(receive)
        path = scope["raw_path"].decode("latin-1") if "%2F" in str(scope["raw_path"]) else scope["path"]
        request = Request(
            scope["method"],
            path,
            scope["query_string"].decode("latin-1"),
            headers,
            body,
            f"http://{headers.get('host', '127.0.0.1')}",
            now,
        )
        if path.startswith("/_simulator/"):
            await _send(send, self.control(request))
            return
        source = self._route(request)
        if source is None:
            await _send(send, json_reply({"error": f"no upstream here; there are {', '.join(self.upstreams)}"}, 404))
            return
        await self._serve(source, request, send)

    def _route(self, request: Request) -> str | None:
        """The source that the path names; what is left of the path is its own."""
        _, first, *_ = request.path.split("/")
        if first in self.upstreams:
            request.path = request.path[len(first) + 1 :] or "/"
            return first
        return next((source for root, source in self._roots if request.path.startswith(root)), None)

    async def _serve(self, source: str, request: Request, send: Send) -> None:
        upstream, doorman, now = self.upstreams[source], self.doormen[source], request.now
        verdict, wait = doorman.judge(now)
        rule = self.scenario.fault(source, request.path, now - self.started) if verdict == "ok" else None
        if verdict != "ok":
            reply = self._refusal(upstream, request, wait)
            reply.verdict = verdict
        elif rule is not None and rule.fault == "rate":
            reply = self._refusal(upstream, request, rule.retry_after)
            reply.verdict = "fault"
        else:
            reply = await asyncio.get_running_loop().run_in_executor(self._answers, upstream.answer, request)
        if rule is not None:
            reply.verdict = "fault"
            _spoil(reply, rule)
        if reply.wait:
            doorman.pause(now, reply.wait)
        reply.headers |= upstream.stamps(reply, doorman.limit, now)
        cut = rule is not None and rule.fault in ("reset", "hang")
        target = request.path + (f"?{request.query}" if request.query else "")
        status = 0 if cut else reply.status
        takes = upstream.latency(request) / self.speed if verdict == "ok" else 0.005
        self.witness.write(
            now,
            source,
            request.method,
            target,
            status=status,
            verdict=reply.verdict,
            items=reply.items,
            seconds=round(takes, 4),
        )
        await self._sleep(takes)
        if rule is None:
            await _send(send, reply)
        else:
            await _send_spoilt(send, reply, rule)

    def _refusal(self, upstream: upstreams.Upstream, request: Request, wait: float) -> Reply:
        seconds = max(1, math.ceil(wait - 1e-6))
        reply = upstream.refuse(seconds, request)
        reply.wait = float(seconds) if upstream.names_wait else 0.0
        return reply

    def control_stats(self) -> dict[str, Any]:
        """What `stats` answers: the counters and the documented limit by source, speed, and the time of the start."""
        documented = {source: doorman.limit for source, doorman in self.doormen.items()}
        return {**self.witness.stats(documented), "speed": self.speed, "started": self.started}

    def control(self, request: Request) -> Reply:
        """The control paths: `stats`, `scenario`, `reset`."""
        action = request.path.removeprefix("/_simulator/")
        if action == "stats" and request.method == "GET":
            return json_reply(self.control_stats())
        if action == "scenario" and request.method == "POST":
            try:
                self.scenario = faults.Scenario(faults.read(request.json()))
            except ValueError as error:
                return json_reply({"error": str(error)}, 400)
            return json_reply({"rules": len(self.scenario.rules)})
        if action == "reset" and request.method == "POST":
            self.witness.reset()
            return json_reply({"log": {"offset": self.witness.offset}})
        return json_reply({"error": "there are GET stats, POST scenario, POST reset"}, 404)


def _spoil(reply: Reply, rule: faults.Rule) -> None:
    """Put the fault into the reply, where it is one of status or body."""
    if rule.fault == "status":
        reply.status, reply.body = rule.status or 500, rule.body.encode()
        reply.headers = {"content-type": "text/plain", **{name.lower(): value for name, value in rule.headers.items()}}
    elif rule.fault == "garbage":
        reply.status, reply.body = rule.status or 200, bytes(range(255, 0, -1)) * 4
    elif rule.fault == "html":
        reply.status = rule.status or 200
        reply.body = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"
        reply.headers = {"content-type": "text/html; charset=utf-8"}
    elif rule.fault == "empty":
        reply.status, reply.body = rule.status or 200, b""


async def _read(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > LARGEST_BODY:
            return body


def _start(reply: Reply, length: int) -> dict[str, Any]:
    headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in reply.headers.items()]
    return {
        "type": "http.response.start",
        "status": reply.status,
        "headers": [*headers, (b"content-length", b"%d" % length)],
    }


async def _send(send: Send, reply: Reply) -> None:
    await send(_start(reply, len(reply.body)))
    await send({"type": "http.response.body", "body": reply.body})


async def _send_spoilt(send: Send, reply: Reply, rule: faults.Rule) -> None:
    if rule.fault == "hang":
        await asyncio.sleep(rule.seconds)
    if rule.fault in ("hang", "reset"):
        _transport(send).abort()
    elif rule.fault == "truncated":
        await send(_start(reply, len(reply.body)))
        await send({"type": "http.response.body", "body": reply.body[: len(reply.body) // 2], "more_body": True})
        _transport(send).close()
    elif rule.fault == "slow_drip":
        await send(_start(reply, len(reply.body)))
        step = max(1, len(reply.body) // 50)
        for begin in range(0, len(reply.body), step):
            await asyncio.sleep(rule.seconds * step / len(reply.body))
            await send({"type": "http.response.body", "body": reply.body[begin : begin + step], "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    elif rule.fault == "huge":
        await send(_start(reply, rule.size))
        chunk = b" " * 65536
        for begin in range(0, rule.size, len(chunk)):
            await send({"type": "http.response.body", "body": chunk[: rule.size - begin], "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        await _send(send, reply)


def _transport(send: Send) -> asyncio.Transport:
    """The connection behind a reply: ASGI has no way to cut one, so this reaches into uvicorn's request cycle."""
    transport: asyncio.Transport = send.__self__.transport  # type: ignore[attr-defined] # a bound method of uvicorn's
    return transport


class _Server(uvicorn.Server):
    """Stops on SIGTERM and SIGINT and returns, where uvicorn would raise the signal again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


async def _run(app: Simulator, listening: socket.socket, *, attached: bool) -> None:
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    server = _Server(config)
    parent = os.getppid()
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not serving.done():
        await asyncio.wait([serving], timeout=FLUSH_SECONDS)
        app.witness.flush()
        if attached and os.getppid() != parent:
            server.should_exit = True
    await serving


def serve(
    port: int,
    *,
    catalogue: str | Path | None = None,
    listens: str | Path | None = None,
    scenario: str | Path | None = None,
    log: str | Path | None = None,
    speed: float = 1.0,
    unlimited: bool = False,
    host: str = "127.0.0.1",
    attached: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT. Prints one line with the address on stderr when it is ready.

    port: 0 takes a free one. speed: multiplies limits, divides latencies. unlimited: no limits, no shed load.
    attached: end when the parent process does. Raises OSError for a port in use or a missing file, ValueError for a
    scenario that is none.
    """
    rules = faults.load(scenario) if scenario else []
    with socket.create_server((host, port), backlog=2048) as listening:
        # Accepted connections inherit it. Without it head and body of a reply wait 40 ms for each other (Nagle).
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        witness = Witness(log)
        gc.disable()
        app = Simulator(
            World.build(catalogue, listens), scenario=rules, witness=witness, speed=speed, unlimited=unlimited
        )
        for upstream in app.upstreams.values():
            upstream.prepare()
        # The world stays: without this each collection walks millions of objects and answers come late.
        gc.collect()
        gc.freeze()
        gc.enable()
        sys.stderr.write(f"{READY}http://{host}:{listening.getsockname()[1]}\n")
        sys.stderr.flush()
        try:
            asyncio.run(_run(app, listening, attached=attached))
        finally:
            witness.close()


@contextlib.contextmanager
def running(**options: Any) -> Iterator[str]:
    """A simulator in a child process on a free port; yields its base URL, and stops it at the end.

    options: as of `serve`, without port. Raises RuntimeError where it does not come up.
    """
    command = [sys.executable, "-m", "simulator", "--port", "0", "--attached"]
    for name, value in options.items():
        if value is True:
            command.append(f"--{name}")
        elif value not in (None, False):
            command += [f"--{name}", str(value)]
    here = str(Path(__file__).parent.parent)
    python_path = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    child = subprocess.Popen(  # noqa: S603 - our own module
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": python_path}
    )
    assert child.stderr is not None
    try:
        said = []
        for line in child.stderr:
            if line.startswith(READY):
                drain = threading.Thread(target=child.stderr.read, daemon=True)
                drain.start()
                yield line.removeprefix(READY).strip()
                return
            said.append(line)
        raise RuntimeError(f"the simulator did not start: {''.join(said)[-2000:]}")
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stderr.close()
