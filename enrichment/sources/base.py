"""What every source is made of. A source never sleeps, retries, caches or limits itself: the wire does.

Source.client(line)        once per process: the upstream's client library, put on the wire by the line's transports
Source.ask(question, …)    one batch of lookups of one question, one call (redirects and token refreshes aside)
Source.judge(reply)        is this reply an answer, or which kind of refusal?
"""

from __future__ import annotations

import email.utils
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from enrichment.domain.outcomes import ANSWER, Answer, Judgement, Verdict
from enrichment.domain.questions import Budget, Chances, Freshness, Keys, Question, Terms

if TYPE_CHECKING:
    import urllib.request

    import httpx
    import httpx2
    import requests

    from enrichment.domain.subjects import Kind

USER_AGENT = "linernotes/0.1 ( https://github.com/linernotes/linernotes )"

C = TypeVar("C")


def mark(secret: str) -> str:
    """What stands for a secret in an address or a form: the wire puts it in last, so no log and no cache has it."""
    return f"~{secret}~"


@dataclass(frozen=True, slots=True)
class Ask:
    """One lookup of a batch, as a source sees it."""

    id: int
    keys: Keys


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP reply, whole. Header names are lower-case; `url` is where the reply came from, after redirects;
    `asked_at` is when it was asked for, where it comes from the cache.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str = ""
    asked_at: datetime | None = field(default=None, compare=False)

    def json(self) -> Any:
        """The body as JSON. Raises ValueError where it is not."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text, for messages: undecodable bytes are replaced."""
        return self.body.decode("utf-8", "replace")


class Line(Protocol):
    """The wire as a source gets it. Every request made through any of these spends a turn, obeys the deadline, is
    cached and judged, and reaches the upstream at most once.
    """

    @property
    def base_url(self) -> str:
        """Where the upstream is, without a trailing slash; a simulator or a mirror where so set."""

    @property
    def secrets(self) -> Mapping[str, str]:
        """The source's secrets that are set, by variable name."""

    def site(self, name: str) -> str:
        """The base URL of another host of the same upstream, named in `Source.sites`."""

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"", cache: bool = True
    ) -> Reply:
        """One request. Returns replies judged ANSWER; raises `NoAnswer` for all others."""

    def httpx_client(self) -> httpx.Client:
        """For sources without a library of their own."""

    def requests_session(self) -> requests.Session:
        """For libraries on requests: spotipy, discogs_client."""

    def httpx2_transport(self) -> httpx2.BaseTransport:
        """For libraries on httpx2: pylast."""

    def send_urllib(self, request: urllib.request.Request) -> bytes:
        """For libraries on urllib: musicbrainzngs. Raises urllib.error.HTTPError for an answer of status 400 and up."""


class NoAnswer(Exception):  # noqa: N818 - named for what it is; it is not an error of the program
    """A request that did not bring an answer. Libraries may wrap or swallow it: the wire remembers it all the same."""

    def __init__(self, judgement: Judgement, reply: Reply | None = None) -> None:
        super().__init__(judgement.message or judgement.verdict)
        self.judgement = judgement
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Site:
    """Another host of the same upstream (Spotify's accounts, the archive behind the covers)."""

    name: str
    url: str


class Source(ABC, Generic[C]):
    """One upstream. Subclass, fill in the declarations, implement `client` and `ask`.

    budget: what we allow ourselves of what the upstream permits. questions: what can be asked, ids before names.
        Both are class attributes, or set in __init__ where they depend on an option.
    sites: further hosts of the same upstream, by name; they share its budget.
    probes: options that the upstream itself can tell (see `probe`) where the operator has not set them.
    hosts_apart: its addresses lead to hosts that have nothing to do with each other: one that asks us to wait is waited
        for, fleet-wide, and the others go on.
    max_seconds: a call's whole deadline. cache_seconds: how long a reply may be used again.
    """

    name: ClassVar[str]
    url: ClassVar[str]
    budget: Budget
    questions: tuple[Question, ...]
    terms: ClassVar[Terms]
    freshness: ClassVar[Freshness] = Freshness()
    chances: ClassVar[Chances] = Chances()
    secrets: ClassVar[tuple[str, ...]] = ()
    sites: ClassVar[tuple[Site, ...]] = ()
    probes: ClassVar[tuple[str, ...]] = ()
    hosts_apart: ClassVar[bool] = False
    max_seconds: ClassVar[float] = 10.0
    cache_seconds: ClassVar[float] = 24 * 3600.0

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        """options: what the operator set for this source beyond the common settings, as `LINERNOTES_<SOURCE>_<OPTION>`,
        by lower-case option name (`mode` for `LINERNOTES_SPOTIFY_MODE`).
        """
        self.options: Mapping[str, str] = options or {}

    def ids(self, _kind: Kind, given: str) -> Sequence[Mapping[str, str]]:
        """What an id in this upstream's addresses may be: the keys of each reading, the likeliest first."""
        return ({f"{self.name}_id": given},)

    @abstractmethod
    def client(self, line: Line) -> C:
        """The client to ask with. Called once per process and line; must be safe to use from many threads."""

    @abstractmethod
    def ask(self, question: Question, asks: Sequence[Ask], client: C) -> Sequence[Answer]:
        """One call for these lookups; an answer for each, in the same order.

        Let `NoAnswer` and the library's own errors pass. Raise ValueError, KeyError or TypeError for a reply in a shape
        we do not know: it becomes `unreadable`.
        """

    def probe(self, _client: C) -> Mapping[str, str]:
        """What the upstream lets us do, as options named in `probes`: asked once a day for the whole fleet.

        It is one call, in one turn. A refusal may be the answer; let `NoAnswer` pass where it is none.
        """
        return {}

    def judge(self, reply: Reply) -> Judgement:
        """Is this reply an answer? The default knows HTTP; override for what the upstream does differently."""
        return judge_http(reply)

    def question(self, name: str) -> Question:
        """The question of this name. Raises KeyError for an unknown one."""
        for question in self.questions:
            if question.name == name:
                return question
        raise KeyError(f"{self.name} has no question {name!r}")

    def budget_with(self, _secrets: Mapping[str, str]) -> Budget:
        """What we allow ourselves with the secrets that are set: some upstreams let those with a key ask more."""
        return self.budget

    def questions_for(self, kind: Kind) -> tuple[Question, ...]:
        """The questions about this kind of subject, in order of preference."""
        return tuple(question for question in self.questions if question.kind == kind)


def judge_http(reply: Reply) -> Judgement:
    """The verdict that HTTP itself gives. 404 and 410 are answers: what is not there is not an error."""
    status = reply.status
    if status < 400 or status in (404, 410):
        return ANSWER
    message = f"HTTP {status}: {reply.text[:200]}"
    wait = retry_after(reply)
    if status == 429:
        return Judgement(Verdict.OUR_RATE, wait, message)
    if status in (401, 403):
        return Judgement(Verdict.REFUSED, None, message)
    if status == 408 or status >= 500:
        return Judgement(Verdict.FAILING, wait, message)
    return Judgement(Verdict.BAD_REQUEST, None, message)


def retry_after(reply: Reply) -> float | None:
    """Seconds to wait by the reply's Retry-After (RFC 9110, 10.2.3: seconds or a date), or None."""
    text = reply.headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    sent = reply.headers.get("date")
    now = email.utils.parsedate_to_datetime(sent) if sent else datetime.now(UTC)
    return max(0.0, (moment - now).total_seconds())
