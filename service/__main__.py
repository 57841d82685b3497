"""`python -m service`: serves until SIGTERM; `linernotes serve` runs it."""

from __future__ import annotations

import argparse
from types import FrameType

import uvicorn
from fastapi import FastAPI

from enrichment import logs
from enrichment.bootstrap import settle_in
from enrichment.settings import load
from service.app import create

GRACE_SECONDS = 10


class Server(uvicorn.Server):
    """One whose waiting requests are answered before it ends, as still pending."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host,
                port,
                log_config=None,
                access_log=False,  # a path may hold a name that is nobody's business
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._watch = app.state.service.watch

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT."""
        self._watch.close()
        super().handle_exit(sig, frame)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m service", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8020)
    given = parser.parse_args()
    settings = load()
    logs.configure(settings.log_format)
    server = Server(create(settings), given.host, given.port)
    settle_in()
    server.run()


if __name__ == "__main__":
    main()
