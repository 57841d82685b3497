"""The wire: every request of every client library leaves here, once, with a turn, within its deadline, and is judged.

    Wire.ask(source, question, asks, turn)
        client library -> transports -> Line.send -> the call that is under way in this thread
            cache -> connection -> day quota -> turn (use) -> request, redirects -> judge

What the call came to is remembered here, whatever the library makes of it.
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import httpx
import httpx2
import redis
import requests
import structlog

from enrichment.domain.backoff import LONGEST_WISH
from enrichment.domain.outcomes import ANSWER, ANSWERED, Answer, Judgement, Verdict
from enrichment.domain.questions import Question
from enrichment.sources.base import USER_AGENT, Ask, NoAnswer, Reply, Source, mark
from enrichment.wire import transports
from enrichment.wire.cache import Cache
from enrichment.wire.guard import PrivateAddress
from enrichment.wire.limiter import Limiter, Turn

log = structlog.get_logger()
T = TypeVar("T")

WRITES_REQUEST, HAS_WRITTEN = "http11.send_request_headers.started", "http11.send_request_headers.complete"
"""httpcore's trace events: after the connection, which may take its time, and before the first byte; after the last."""
LARGEST_BODY = 20_000_000
CONNECT_SECONDS = 3.0
REDIRECTS = 5
SHORTEST_SECRET = 6
"""Characters from which a key counts as a secret in texts: TheAudioDB's public one is "123", which stands anywhere."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a source is and what opens it. sites: base URLs of its other hosts. secrets: never shown, see __repr__."""

    url: str
    sites: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def opened(self, url: str, body: bytes) -> tuple[str, bytes]:
        """Address and form as they are written: secrets in place of their marks, at this source's own hosts only."""
        if _origin(url) not in {_origin(own) for own in (self.url, *self.sites.values())}:
            return url, body
        for name, value in self.secrets.items():
            written = quote(value, safe="")
            url, body = url.replace(mark(name), written), body.replace(mark(name).encode(), written.encode())
        return url, body

    def hidden(self, text: str) -> str:
        """The text with marks in the place of secrets: upstreams repeat in redirects and error pages what they got."""
        for value, name in self._to_hide():
            text = text.replace(value, name)
        return text

    def hidden_in(self, body: bytes) -> bytes:
        """The same of a reply's body: neither cache nor findings nor dead letters are to hold a secret."""
        for value, name in self._to_hide():
            body = body.replace(value.encode(), name.encode())
        return body

    def _to_hide(self) -> Iterator[tuple[str, str]]:
        for name, value in self.secrets.items():
            if len(value) >= SHORTEST_SECRET:
                yield from ((form, mark(name)) for form in {value, quote(value, safe="")})


@dataclass(frozen=True, slots=True)
class Result:
    """What a call came to. answers: one per ask, where the judgement is ANSWER. excerpt: of the reply, for people.

    calls: requests that reached the upstream. seconds: what they took. said_at: when the oldest reply from the cache
    was asked for; None where all are new. place: with the secrets that the call was made with.
    """

    judgement: Judgement
    answers: tuple[Answer, ...] = ()
    excerpt: str = ""
    calls: int = 0
    hits: int = 0
    seconds: float = 0.0
    said_at: datetime | None = None
    place: Place | None = None


@dataclass(slots=True)
class Call:
    """One call under way: its turn, its deadline, and what has come of it.

    place: with the secrets that it began with. started: when the last request was written; seconds: from there to the
    end of its reply, of all of them. refusal: of the upstream. trouble: our own Redis or PostgreSQL did not
    answer.
    """

    source: Source[Any]
    place: Place
    turn: Turn
    deadline: float
    fresh_after: datetime | None
    refusal: NoAnswer | None = None
    last: Reply | None = None
    calls: int = 0
    hits: int = 0
    started: float = 0.0
    seconds: float = 0.0
    said_at: datetime | None = None
    to_keep: list[tuple[str, Reply, datetime]] = field(default_factory=list)
    trouble: Exception | None = None


_under_way: ContextVar[Call] = ContextVar("call under way")


class Wire:
    """All sources' lines. Thread-safe; one per process."""

    def __init__(
        self,
        sources: Mapping[str, Source[Any]],
        places: dict[str, Place],
        limiter: Limiter,
        cache: Cache,
        http: httpx.Client,
        *,
        spend_day: Callable[[str], float | None],
        sleep: Callable[[float], object] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """spend_day: takes one call of a source's day quota; seconds until there is one again where it is used up."""
        self._sources = sources
        self._places = places
        self._limiter = limiter
        self.cache = cache
        self._http = http
        self._spend_day = spend_day
        self._sleep = sleep
        self._monotonic = monotonic
        self._clients: dict[str, tuple[Place, Any]] = {}
        self._making = Lock()

    def ask(
        self, source: str, question: Question, asks: Sequence[Ask], turn: Turn, fresh_after: datetime | None = None
    ) -> Result:
        """One call. Never raises for what an upstream does; redis.RedisError passes."""
        with self._call(source, turn, fresh_after) as call:
            judgement, answers = self._answers(call, question, asks)
        if judgement.verdict is Verdict.ANSWER and all(answer.outcome in ANSWERED for answer in answers):
            self._keep(call)
        return self._result(call, judgement, answers)

    def _answers(self, call: Call, question: Question, asks: Sequence[Ask]) -> tuple[Judgement, tuple[Answer, ...]]:
        try:
            answers = tuple(call.source.ask(question, asks, self._client(call)))
        except Exception as error:  # noqa: BLE001 - client libraries raise whatever they like
            return _why(call, error), ()
        if call.trouble is not None:
            raise call.trouble
        if call.refusal is not None:
            # Some libraries turn a refusal into an empty answer; a failure must not look like "not found".
            return call.refusal.judgement, ()
        if len(answers) != len(asks):
            return Judgement(Verdict.UNREADABLE, message=f"{len(answers)} answers to {len(asks)} lookups"), ()
        return ANSWER, answers

    def probe(self, source: str, turn: Turn) -> tuple[Result, Mapping[str, str]]:
        """What the source finds out about itself: here a refusal may be the answer. redis.RedisError passes."""
        result, found = self.use(source, turn, self._sources[source].probe)
        return result, found or {}

    def use(self, source: str, turn: Turn, work: Callable[[Any], T]) -> tuple[Result, T | None]:
        """One call that is no lookup: what `work` makes of the source's client, None where there was no answer.

        Nothing comes from the cache, and nothing is kept there. redis.RedisError passes.
        """
        made = None
        with self._call(source, turn, self.cache.now()) as call:
            try:
                made, judgement = work(self._client(call)), ANSWER
            except Exception as error:  # noqa: BLE001 - client libraries raise whatever they like
                judgement = _why(call, error)
        return self._result(call, judgement), made

    def _result(self, call: Call, judgement: Judgement, answers: tuple[Answer, ...] = ()) -> Result:
        hidden = call.place.hidden
        judgement = replace(judgement, message=hidden(judgement.message))
        excerpt = hidden(_excerpt(call))
        return Result(judgement, answers, excerpt, call.calls, call.hits, call.seconds, call.said_at, call.place)

    def _keep(self, call: Call) -> None:
        try:
            for key, reply, asked_at in call.to_keep:
                seconds = min(call.source.cache_seconds, call.source.terms.shortest)
                self.cache.put(key, reply, seconds, asked_at)
        except redis.RedisError as error:
            log.warning("reply is not kept", source=call.source.name, error=str(error)[:200])

    def _client(self, call: Call) -> Any:
        """The source's client, made at first use, and anew for other secrets: libraries keep them, and their tokens."""
        source = call.source.name
        with self._making:
            kept = self._clients.get(source)
            if kept is None or kept[0] is not call.place:
                kept = self._clients[source] = call.place, call.source.client(_WireLine(self, call.place))
        return kept[1]

    @contextmanager
    def _call(self, source: str, turn: Turn, fresh_after: datetime | None) -> Iterator[Call]:
        declared = self._sources[source]
        call = Call(declared, self._places[source], turn, self._monotonic() + declared.max_seconds, fresh_after)
        token = _under_way.set(call)
        try:
            yield call
        finally:
            _under_way.reset(token)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, cache: bool) -> Reply:
        """One request of the call under way, from cache or from the upstream. Raises NoAnswer for refusals."""
        call = _under_way.get()
        key = self.cache.key(call.source.name, method, url, body) if cache else ""
        with _ours(call):
            kept = self.cache.get(key, call.fresh_after) if cache else None
        if kept is not None:
            call.hits += 1
            call.last = kept
            call.said_at = min(filter(None, (call.said_at, kept.asked_at)), default=None)
            return kept
        asked_at = self.cache.now()
        try:
            reply = self._follow(call, method, url, headers, body)
        except NoAnswer as no:
            call.refusal = call.refusal or no
            raise
        if cache:
            # What is kept out of the cache is a token, which no dead letter is to show either.
            call.last = reply
        if cache and reply.status == 200:
            call.to_keep.append((key, reply, asked_at))
        return reply

    def _follow(self, call: Call, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        for _ in range(REDIRECTS + 1):
            reply = self._exchange(call, method, url, headers, body)
            location = reply.headers.get("location")
            if reply.status not in (301, 302, 303, 307, 308) or not location:
                break
            target = call.place.hidden(urljoin(url, location))
            if _origin(target) != _origin(url):
                # What opens one host is not shown to another, nor to the same one in clear text.
                headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
            method, body = ("GET", b"") if reply.status == 303 else (method, body)
            url = target
        else:
            raise NoAnswer(Judgement(Verdict.FAILING, message=f"more than {REDIRECTS} redirects"), reply)
        judgement = call.source.judge(reply)
        if judgement.verdict is not Verdict.ANSWER:
            if call.source.hosts_apart and judgement.retry_after:
                self._hold_host(call, url, judgement)
            raise NoAnswer(judgement, reply)
        return reply

    def _exchange(self, call: Call, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        sent = {"user-agent": USER_AGENT, "accept-encoding": "gzip, deflate"} | {
            k.lower(): v for k, v in headers.items()
        }
        if call.source.hosts_apart:
            self._mind_host(call, url)
        call.started = self._monotonic()
        try:
            return self._read(call, method, url, sent, body)
        except httpx.TimeoutException as error:
            raise NoAnswer(Judgement(Verdict.FAILING, message=f"no answer in time: {type(error).__name__}")) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise NoAnswer(Judgement(Verdict.BAD_REQUEST, message=f"not a URL to ask: {error}")) from error
        except httpx.HTTPError as error:
            if isinstance(error.__cause__, PrivateAddress):
                raise NoAnswer(Judgement(Verdict.BAD_REQUEST, message=f"not a URL to ask: {error}")) from error
            raise NoAnswer(Judgement(Verdict.FAILING, message=f"{type(error).__name__}: {error}"[:300])) from error
        finally:
            call.seconds += self._monotonic() - call.started

    def _mind_host(self, call: Call, url: str) -> None:
        """An address at another source's own host stands under that source's pauses."""
        owner = self._owner(url)
        with _ours(call):
            left = self._limiter.now(owner).paused_for if owner else self._limiter.held(_origin(url)[1])
        if left > 0:
            raise NoAnswer(Judgement(Verdict.BLOCKED, min(left, LONGEST_WISH), "its host has asked us to wait"))

    def _hold_host(self, call: Call, url: str, refused: Judgement) -> None:
        owner, seconds = self._owner(url), min(refused.retry_after or 0.0, LONGEST_WISH)
        with _ours(call):
            if owner:
                self._limiter.pause(owner, seconds, call.place.hidden(refused.message), ours=False)
            else:
                self._limiter.hold(_origin(url)[1], seconds)

    def _owner(self, url: str) -> str | None:
        """The source at whose host an address is: covers are downloaded from the archive that is asked for them."""
        bare = url.partition("://")[2]
        for source, place in self._places.items():
            roots = (own.partition("://")[2] for own in (place.url, *place.sites.values()))
            if any(root and bare.startswith(f"{root.rstrip('/')}/") for root in roots):
                return source
        return None

    def _read(self, call: Call, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        left = max(0.001, call.deadline - self._monotonic())
        timeout = httpx.Timeout(left, connect=min(CONNECT_SECONDS, left))
        address, form = call.place.opened(url, body)
        watched = {"trace": partial(self._on_event, call)}
        with self._http.stream(
            method, address, headers=headers, content=form or None, timeout=timeout, extensions=watched
        ) as response:
            chunks, size = [], 0
            # A read time-out is per piece: a body that drips has to be stopped by the deadline.
            for chunk in response.iter_bytes():
                chunks.append(chunk)
                size += len(chunk)
                if size > LARGEST_BODY:
                    raise NoAnswer(Judgement(Verdict.UNREADABLE, message=f"a body of more than {LARGEST_BODY} bytes"))
                if self._monotonic() > call.deadline:
                    raise httpx.ReadTimeout("the body did not end in time")
            received = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status_code, received, call.place.hidden_in(b"".join(chunks)), url)

    def _on_event(self, call: Call, event: str, _about: Mapping[str, Any]) -> None:
        """Httpcore tells of each step. The connection stands: what is written next is the request."""
        if event == WRITES_REQUEST:
            with _ours(call):
                self._spend(call)
            call.calls += 1
            call.started = self._monotonic()
        elif event == HAS_WRITTEN:
            # The request is out, whether or not this can be told.
            with suppress(redis.RedisError):
                self._limiter.written(call.turn)

    def _spend(self, call: Call) -> None:
        """The turn is spent here, right before the request is written."""
        if (wait := self._spend_day(call.source.name)) is not None:
            raise NoAnswer(Judgement(Verdict.QUOTA, wait, "our day quota is used up"))
        if not call.turn.used and (early := call.turn.moment - self._monotonic()) > 0:
            self._sleep(early)
        while (no := self._limiter.use(call.turn)) is not None:
            if no.paused:
                raise NoAnswer(Judgement(Verdict.BLOCKED, None, "paused before the request was written"))
            if self._monotonic() + no.after > call.deadline:
                # With requests out already it is the upstream, by its redirects, that needs more than a call may take.
                verdict = Verdict.FAILING if call.calls else Verdict.BLOCKED
                raise NoAnswer(Judgement(verdict, None, "no further turn before the deadline"))
            self._sleep(no.after)

    def close(self) -> None:
        """Gives all connections back."""
        self._http.close()

    def place(self, source: str) -> Place:
        """Where this source is."""
        return self._places[source]

    def open_with(self, source: str, secrets: Mapping[str, str]) -> bool:
        """Calls from now on have these secrets; those under way keep theirs. False where they have not changed."""
        place = self._places[source]
        if place.secrets == secrets:
            return False
        self._places[source] = replace(place, secrets=dict(secrets))
        return True


class _WireLine:
    """A source's `Line`."""

    def __init__(self, wire: Wire, place: Place) -> None:
        self._wire = wire
        self._place = place

    @property
    def base_url(self) -> str:
        return self._place.url

    @property
    def secrets(self) -> Mapping[str, str]:
        return self._place.secrets

    def site(self, name: str) -> str:
        return self._place.sites[name]

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"", cache: bool = True
    ) -> Reply:
        return self._wire.send(method, url, headers or {}, body, cache=cache)

    def httpx_client(self) -> httpx.Client:
        return transports.httpx_client(self.send)

    def requests_session(self) -> requests.Session:
        return transports.requests_session(self.send)

    def httpx2_transport(self) -> httpx2.BaseTransport:
        return transports.httpx2_transport(self.send)

    def send_urllib(self, request: urllib.request.Request) -> bytes:
        return transports.send_urllib(self.send, request)


@contextmanager
def _ours(call: Call) -> Iterator[None]:
    """What fails in here is no fault of the upstream, whatever a library makes of it."""
    try:
        yield
    except NoAnswer:
        raise
    except Exception as error:
        call.trouble = error
        raise


def _why(call: Call, error: Exception) -> Judgement:
    """The wire knows whether the upstream refused or was misread; it raises where the failure is ours."""
    if isinstance(error, NoAnswer):
        return error.judgement
    if call.trouble is not None:
        raise call.trouble from None
    if call.refusal is not None:
        return call.refusal.judgement
    return Judgement(Verdict.UNREADABLE, message=f"{type(error).__name__}: {error}"[:500])


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _excerpt(call: Call) -> str:
    """The beginning of the last reply, bounded, for dead letters."""
    reply = call.refusal.reply if call.refusal is not None and call.refusal.reply is not None else call.last
    if reply is None:
        return ""
    return f"HTTP {reply.status} {reply.headers.get('content-type', '')}\n{reply.text[:2000]}".replace("\x00", "")
