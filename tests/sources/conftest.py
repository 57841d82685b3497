"""A line that answers from a table, for sources without a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from enrichment.domain.outcomes import Answer, Verdict
from enrichment.sources.base import Ask, NoAnswer, Reply, Source
from enrichment.wire import transports

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "recorded"


@dataclass(frozen=True)
class Sent:
    """One request that a source made."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    cache: bool


@dataclass
class ReplayLine:
    """A `Line` that answers by path, whatever the query, and judges as the wire does."""

    source: Source[Any]
    replies: Mapping[str, Any]
    base_url: str = ""
    sent: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.base_url = self.base_url or self.source.url
        self.secrets = {name: f"secret of {name}" for name in self.source.secrets}

    def site(self, name: str) -> str:
        return next(site.url for site in self.source.sites if site.name == name)

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"", cache: bool = True
    ) -> Reply:
        self.sent.append(Sent(method, url, headers or {}, body, cache))
        path = urlsplit(url).path
        found = next(
            (self.replies[known] for known in self.replies if path.rstrip("/").endswith(known.rstrip("/"))), None
        )
        reply = as_reply(found, url) if found is not None else Reply(404, {}, b"not in the table", url)
        judgement = self.source.judge(reply)
        if judgement.verdict is not Verdict.ANSWER:
            raise NoAnswer(judgement, reply)
        return reply

    def httpx_client(self) -> Any:
        return transports.httpx_client(self.send)

    def requests_session(self) -> Any:
        return transports.requests_session(self.send)

    def httpx2_transport(self) -> Any:
        return transports.httpx2_transport(self.send)

    def send_urllib(self, request: Any) -> bytes:
        return transports.send_urllib(self.send, request)


def as_reply(content: Any, url: str = "") -> Reply:
    """A reply of a body as bytes or JSON, or a whole one."""
    if isinstance(content, Reply):
        return content
    if isinstance(content, bytes):
        return Reply(200, {}, content, url)
    return Reply(200, {"content-type": "application/json"}, json.dumps(content).encode(), url)


@pytest.fixture(name="line")
def _line() -> Callable[..., ReplayLine]:
    """line(source, {path: reply}): see ReplayLine."""
    return ReplayLine


@pytest.fixture(name="ask")
def _ask() -> Callable[..., Answer]:
    """ask(source, question, keys, {path: reply}): the answer to one lookup."""

    def ask(source: Source[Any], question: str, keys: Mapping[str, Any], replies: Mapping[str, Any]) -> Answer:
        client = source.client(ReplayLine(source, replies))
        (answer,) = source.ask(source.question(question), [Ask(1, keys)], client)
        return answer

    return ask


@pytest.fixture(name="told")
def _told() -> Callable[[Answer], dict[str, Any]]:
    """told(answer): its findings as {name with the prefix of a parent: value}."""

    def told(answer: Answer) -> dict[str, Any]:
        return {
            f"{found.about}.{found.field}" if found.about else found.field: found.value for found in answer.findings
        }

    return told


@pytest.fixture(name="recorded", scope="session")
def _recorded() -> Path:
    """The folder of replies that somebody recorded from the real services."""
    if not RECORDED.is_dir():
        pytest.skip("the recorded replies (../shared/data/recorded) are not here")
    return RECORDED
