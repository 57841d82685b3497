"""A TCP proxy that fails as networks do: it loses the answer to a COMMIT, or holds everything up and says nothing."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

COMMIT = b"COMMIT\x00"
"""As psycopg writes it, in a simple query and in an extended one."""


class Proxy:
    """Between clients and a local port. To be had by `proxied`.

    cut: the share of COMMITs whose answer never reaches the client, although the server gets them. silent: nothing is
    passed on until it is over, and nobody is told; as with packets that are sent again and again.
    """

    def __init__(self, target: int, seed: int) -> None:
        self._target = target
        self._random = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.cut = 0.0
        self.cuts = 0
        self.silent = False

    async def run(self, ready: threading.Event, stop: asyncio.Event) -> None:
        """Serves until told to stop."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(asyncio.CancelledError):  # at the end; asyncio would log it
                await self._pass_on(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, requests = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            return
        back = asyncio.create_task(self._answers(answers, writer))
        try:
            await self._requests(reader, requests, writer, back)
        except OSError:
            pass
        finally:
            back.cancel()
            with suppress(asyncio.CancelledError):
                await back
            requests.close()

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        requests: asyncio.StreamWriter,
        writer: asyncio.StreamWriter,
        back: asyncio.Task[None],
    ) -> None:
        while data := await reader.read(65536):
            if COMMIT in data and self._random.random() < self.cut:
                back.cancel()  # before the server can answer
                self.cuts += 1
                requests.write(data)
                await requests.drain()
                writer.transport.abort()
                return
            await self._wait_for_end_of_silence()
            requests.write(data)
            await requests.drain()

    async def _answers(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await answers.read(65536):
                await self._wait_for_end_of_silence()
                writer.write(data)
                await writer.drain()
            writer.close()

    async def _wait_for_end_of_silence(self) -> None:
        while self.silent:
            await asyncio.sleep(0.05)


@contextmanager
def proxied(target: int, seed: int) -> Iterator[Proxy]:
    """A proxy before a local port, in a thread of its own."""
    made = Proxy(target, seed)
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(made.run(ready, stop)), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
