"""A fleet on real servers with fake upstreams, driven by hand: no threads, no broker, no waiting."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import redis
from sqlalchemy import Row, text

from enrichment.bootstrap import Parts, build, register_sources
from enrichment.domain.findings import Finding
from enrichment.domain.outcomes import Answer, Judgement, Verdict
from enrichment.domain.questions import Budget, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.services.fetch import Fetched, fetch
from enrichment.services.fleet import Fleet
from enrichment.services.requests import TrackRequest, read
from enrichment.services.steward import Steward
from enrichment.services.submit import submit
from enrichment.settings import Settings, load
from enrichment.sources.base import Ask, Line, Reply, Source, judge_http, retry_after
from tests.conftest import Empty
from tests.support import FakeTransport

PLENTY = Budget((Limit(10_000, 1, 1000),), concurrency=8)


def names(*fields: str) -> frozenset[str]:
    return frozenset(fields)


class Fake(Source[Line]):
    """Asks `GET /<question>?q=<keys of all asks as JSON>` and reads a JSON list: per ask the fields found, or null.

    A field named "album.label" is about the album, "performer.genres" about the performer. "cut" is an answer that the
    upstream's cap cut off, "odd" one in an unknown shape.
    """

    url: ClassVar[str] = "http://upstream.test"
    terms: ClassVar[Terms] = Terms("Fake", "http://upstream.test")
    budget = PLENTY

    def client(self, line: Line) -> Line:
        return line

    def ask(self, question: Question, asks: Sequence[Ask], client: Line) -> Sequence[Answer]:
        return [self._read(each) for each in self._replies(question, asks, client)]

    def _replies(self, question: Question, asks: Sequence[Ask], client: Line) -> Any:
        keys = json.dumps([dict(ask.keys) for ask in asks], sort_keys=True)
        return client.send("GET", str(httpx.URL(f"{client.base_url}/{question.name}", params={"q": keys}))).json()

    def _read(self, each: Any) -> Answer:
        if each == "cut":
            return Answer.cut_off()
        if each == "odd":
            return Answer.unreadable("an odd answer")
        if each is None:
            return Answer.nothing()
        return Answer.found(self._finding(name, value) for name, value in each.items())

    def _finding(self, name: str, value: Any) -> Finding:
        about, dot, own = name.rpartition(".")
        return Finding(own, value, 0.8, Kind(about) if dot else None, "the fake said so")

    def judge(self, reply: Reply) -> Judgement:
        if reply.status == 503 and b"shed" in reply.body:
            return Judgement(Verdict.SHED, retry_after(reply), "sheds load")
        return judge_http(reply)


class Alpha(Fake):
    """Tracks in batches by name and performers one by one."""

    name = "alpha"
    questions = (
        Question("track", Kind.TRACK, ("artist_name", "title"), names("isrc", "musicbrainz_id", "bpm"), batch=3),
        Question("performer", Kind.PERFORMER, ("name",), names("musicbrainz_id", "genres", "country")),
    )


class Beta(Fake):
    """What follows from an ISRC, and albums."""

    name = "beta"
    questions = (
        Question("by_isrc", Kind.TRACK, ("isrc",), names("key", "popularity", "bpm")),
        Question("album", Kind.ALBUM, ("artist_name", "title"), names("label", "release_date", "cover_art_url")),
    )


@dataclass
class Upstream:
    """Both fakes' server.

    answers: by question, what each ask is answered, or a function of its keys. refusing: by question, a reply for all
    calls. poison: a value that makes a whole call a bad request.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    refusing: dict[str, httpx.Response] = field(default_factory=dict)
    poison: str = ""
    asked: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        parts = urlsplit(str(request.url))
        question = parts.path.rpartition("/")[2]
        asks = json.loads(parse_qs(parts.query)["q"][0])
        self.asked.append((question, asks))
        if self.poison and any(self.poison in keys.values() for keys in asks):
            return httpx.Response(400, text=f"{self.poison} is not accepted")
        if question in self.refusing:
            kept = self.refusing[question]
            return httpx.Response(kept.status_code, headers=kept.headers, content=kept.content)
        said = self.answers.get(question)
        return httpx.Response(200, json=[said(keys) if callable(said) else said for keys in asks])

    def questions(self) -> list[str]:
        """The questions of the calls that arrived."""
        return [question for question, _ in self.asked]

    def refuse(self, question: str, status: int, body: str = "", **headers: str) -> None:
        """What this question is answered from now on."""
        self.refusing[question] = httpx.Response(status, text=body, headers=headers)


@dataclass
class Clock:
    """Seconds that pass when somebody sleeps."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


_MOMENTS = {
    "lookups": ("claimed_at", "settled_at"),
    "findings": ("stated_at",),
    "enrichment_status": ("requested_at", "finished_at", "holds_from", "holds_until"),
    "tracks": ("updated_at",),
    "performers": ("updated_at", "passed_on_at"),
    "albums": ("updated_at", "passed_on_at"),
}


@dataclass
class Bench:
    """A fleet of one worker on the test's servers, its upstream, and the messages it has sent."""

    fleet: Fleet
    settings: Settings
    upstream: Upstream
    redis: redis.Redis
    tickets: deque[tuple[str, str]]
    steward: Steward

    def drain(self, most: int = 500) -> list[Fetched]:
        """Fetches until no message is left."""
        done: list[Fetched] = []
        while self.tickets:
            assert len(done) < most, f"no end: {done[-5:]}"
            done.append(fetch(self.fleet, *self.tickets.popleft()))
        return done

    def settle_down(self, rounds: int = 10) -> None:
        """Fetches and rounds of the steward until nothing changes any more."""
        for _ in range(rounds):
            self.steward.round()
            if not self.drain():
                return

    def close(self) -> None:
        """Gives all connections back."""
        self.fleet.close()
        self.redis.close()

    def track(self, title: str = "Teardrop", artist: str = "Massive Attack", **more: Any) -> Any:
        """Submits a track. Returns its id."""
        given = {"artist_name": artist, "track_title": title, **more}
        return submit(self.fleet, read(TrackRequest, given)).id

    def rows(self, query: str, **values: Any) -> Sequence[Row[Any]]:
        """What a query finds."""
        with self.fleet.engine.connect() as connection:
            return connection.execute(text(query), values).all()

    def run(self, statement: str, **values: Any) -> None:
        """A change of the database."""
        with self.fleet.engine.begin() as connection:
            connection.execute(text(statement), values)

    def now(self) -> float:
        """The database's clock, in seconds."""
        return float(self.rows("SELECT extract(epoch FROM clock_timestamp())")[0][0])

    def after(self, began: float, seconds: float) -> Any:
        """Equal to what is so many seconds after some moment between then and now, however long that was."""
        half = (self.now() - began) / 2
        return pytest.approx(began + half + seconds, abs=half, rel=0)

    def status(self, subject: Any) -> Row[Any]:
        """The subject's row of enrichment_status."""
        (row,) = self.rows("SELECT * FROM enrichment_status WHERE subject_id = :id", id=subject)
        return row

    def lookups(self, subject: Any = None) -> list[tuple[str, str, str | None]]:
        """(source.question, state, outcome) of each lookup, the oldest first."""
        found = self.rows(
            "SELECT source || '.' || question, state, outcome FROM lookups"
            " WHERE CAST(:id AS uuid) IS NULL OR subject_id = :id ORDER BY id",
            id=subject,
        )
        return [tuple(row) for row in found]

    def letters(self) -> list[tuple[str, str, str]]:
        """(source.question, outcome, error) of each open dead letter."""
        found = self.rows(
            "SELECT source || '.' || question, outcome, error FROM dead_letters WHERE state = 'open' ORDER BY id"
        )
        return [tuple(row) for row in found]

    def lose_messages(self) -> None:
        """The broker has lost all messages, and their tickets have run out."""
        self.tickets.clear()
        for source in self.fleet.sources:
            self.redis.delete(f"limiter:{{{source}}}:tickets")

    def forget_replies(self) -> None:
        """The cache is empty."""
        for key in self.redis.keys("enrichment:*"):
            self.redis.delete(key)

    def age(self, days: float) -> None:
        """All that was asked for, said and answered was so many days earlier; no reply of then is cached."""
        for table, columns in _MOMENTS.items():
            earlier = ", ".join(f"{column} = {column} - make_interval(secs => :seconds)" for column in columns)
            self.run(f"UPDATE {table} SET {earlier}", seconds=days * 86_400)  # noqa: S608 - constants
        self.forget_replies()

    def make_due(self) -> None:
        """The time of every retry has come."""
        self.run("UPDATE lookups SET due_at = clock_timestamp() WHERE due_at IS NOT NULL")


def a_bench(
    empty: Empty,
    upstream: Upstream,
    sources: Iterable[Source[Any]] | None = None,
    environ: Mapping[str, str] | None = None,
    on_send: Callable[[str, str], None] | None = None,
) -> Bench:
    """A bench, to be closed."""
    made = tuple(sources) if sources is not None else (Alpha(), Beta())
    settings = load(empty.environ(**(environ or {})))
    tickets: deque[tuple[str, str]] = deque()
    clock = Clock()
    parts = Parts(
        send_fetch=on_send or (lambda source, ticket: tickets.append((source, ticket))),
        sleep=clock.sleep,
        http=httpx.Client(transport=FakeTransport(upstream)),
        sources={source.name: source for source in made},
        threads=8,
        connections=1,  # whoever takes a second one within a transaction stalls
    )
    fleet = build(settings, parts)
    register_sources(fleet)
    client = redis.Redis.from_url(empty.redis_url)
    return Bench(fleet, settings, upstream, client, tickets, Steward(fleet, client, fleet.worker.machine))
