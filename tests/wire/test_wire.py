"""The wire: one call, its turn, its deadline, its cache, and what is judged whatever a library makes of it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest
import redis

from enrichment.domain.findings import Finding
from enrichment.domain.outcomes import Answer, Verdict
from enrichment.domain.questions import Budget, Limit, Question
from enrichment.domain.questions import Terms as SourceTerms
from enrichment.domain.subjects import Kind
from enrichment.sources.base import Ask, Line, NoAnswer, Source
from enrichment.wire import wire as module
from enrichment.wire.cache import Cache
from enrichment.wire.guard import guarded_transport
from enrichment.wire.limiter import Limiter, Standing, Terms, Turn
from enrichment.wire.wire import Place, Result, Wire
from tests.support import FakeTransport, left_of

QUESTION = Question("q", Kind.TRACK, ("title",), frozenset({"bpm"}))
Handler = Callable[[httpx.Request], httpx.Response]


class Probe(Source[Line]):
    """Asks what a test tells it to; by default one GET whose body becomes the finding."""

    name: ClassVar[str] = "probe"
    url: ClassVar[str] = "http://probe.test"
    terms: ClassVar[SourceTerms] = SourceTerms("Probe", "http://probe.test")
    budget = Budget((Limit(100, 1, 100),))
    questions = (QUESTION,)
    max_seconds: ClassVar[float] = 10.0

    def __init__(self) -> None:
        super().__init__()
        self.how: Callable[[Line], Any] = lambda line: line.send("GET", f"{line.base_url}/x").text

    def client(self, line: Line) -> Line:
        return line

    def ask(self, question: Question, asks: Sequence[Ask], client: Line) -> Sequence[Answer]:
        assert question is QUESTION
        said = self.how(client)
        return said if isinstance(said, list) else [Answer.found([Finding("bpm", said, 1.0)]) for _ in asks]


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Rig:
    """A wire to an upstream of the test's own."""

    redis: redis.Redis
    source: Probe = field(default_factory=Probe)
    handler: Handler = lambda _: httpx.Response(200, text="120")
    clock: Clock = field(default_factory=Clock)
    seen: list[httpx.Request] = field(default_factory=list)
    day: list[float | None] = field(default_factory=list)
    connection: httpx.HTTPError | None = None

    def __post_init__(self) -> None:
        terms = Terms(self.source.budget, self.source.max_seconds)
        self.limiter = Limiter(self.redis, lambda _: terms, lambda _: Standing(), "w", self.clock)
        self.wire = Wire(
            {"probe": self.source},
            {"probe": Place("http://probe.test", secrets={"KEY": "s3cret"}), "archive": Place("https://archive.test/")},
            self.limiter,
            Cache(self.redis),
            httpx.Client(transport=FakeTransport(self._handle, self._connect), follow_redirects=False),
            spend_day=lambda _: self.day.pop(0) if self.day else None,
            sleep=self.clock.sleep,
            monotonic=self.clock,
        )
        self.limiter.warm("probe")

    def _connect(self) -> None:
        if self.connection is not None:
            raise self.connection

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return self.handler(request)

    def turn(self) -> Turn:
        got = self.limiter.take("probe")
        assert isinstance(got, Turn)
        return got

    def ask(self, asks: int = 1, fresh_after: datetime | None = None, turn: Turn | None = None) -> Result:
        """One call with a turn of its own."""
        turn = turn or self.turn()
        try:
            return self.wire.ask("probe", QUESTION, [Ask(n, {"title": "T"}) for n in range(asks)], turn, fresh_after)
        finally:
            self.limiter.free(turn)

    def turns(self) -> int:
        return self.limiter.now("probe").turns


@pytest.fixture
def rig(empty_redis: redis.Redis) -> Rig:
    return Rig(empty_redis)


def replies(*given: httpx.Response) -> Handler:
    left = list(given)
    return lambda _: left.pop(0)


class TestCache:
    def test_a_hit_spends_no_turn_and_no_call(self, rig: Rig) -> None:
        first = rig.ask()
        turn = rig.turn()
        second = rig.ask(turn=turn)
        assert (first.calls, first.hits) == (1, 0)
        assert (second.calls, second.hits) == (0, 1)
        assert second.answers == first.answers
        assert not turn.used
        assert len(rig.seen) == 1

    def test_a_hit_says_when_it_was_asked_for(self, rig: Rig) -> None:
        before = datetime.now(UTC)
        assert rig.ask().said_at is None
        after = datetime.now(UTC)
        said_at = rig.ask().said_at
        assert said_at is not None
        assert before <= said_at <= after

    @pytest.mark.parametrize(
        ("reply", "verdict"),
        [
            (httpx.Response(404), Verdict.ANSWER),
            (httpx.Response(410), Verdict.ANSWER),
            (httpx.Response(500), Verdict.FAILING),
            (httpx.Response(429), Verdict.OUR_RATE),
            (httpx.Response(400), Verdict.BAD_REQUEST),
            (httpx.Response(401), Verdict.REFUSED),
        ],
    )
    def test_errors_and_404s_are_not_kept(self, rig: Rig, reply: httpx.Response, verdict: Verdict) -> None:
        rig.handler = lambda _: httpx.Response(reply.status_code)
        assert rig.ask().judgement.verdict is verdict
        rig.ask()
        assert len(rig.seen) == 2
        assert not rig.redis.keys("enrichment:*")

    @pytest.mark.parametrize("answer", [Answer.unreadable("odd"), Answer.cut_off()])
    def test_what_did_not_answer_a_lookup_is_not_kept(self, rig: Rig, answer: Answer) -> None:
        def how(line: Line) -> list[Answer]:
            line.send("GET", f"{line.base_url}/x")
            return [answer]

        rig.source.how = how
        rig.ask()
        rig.ask()
        assert len(rig.seen) == 2

    def test_unreadable_ones_are_not_kept(self, rig: Rig) -> None:
        rig.source.how = lambda line: line.send("GET", f"{line.base_url}/x").json()["missing"]
        rig.handler = lambda _: httpx.Response(200, json={})
        assert rig.ask().judgement.verdict is Verdict.UNREADABLE
        rig.ask()
        assert len(rig.seen) == 2

    def test_nothing_of_a_call_that_failed_later_is_kept(self, rig: Rig) -> None:
        rig.source.how = lambda line: [line.send("GET", f"{line.base_url}/{n}") for n in range(2)]
        rig.handler = lambda request: httpx.Response(200 if request.url.path == "/0" else 500)
        rig.ask()
        assert not rig.redis.keys("enrichment:*")

    def test_a_forced_refresh_passes_it_and_its_answer_serves_the_next(self, rig: Rig) -> None:
        rig.ask()
        forced = datetime.now(UTC) + timedelta(seconds=0)
        rig.handler = lambda _: httpx.Response(200, text="121")
        assert rig.ask(fresh_after=forced).answers[0].findings[0].value == "121"
        assert rig.ask(fresh_after=forced).hits == 1
        assert rig.ask().answers[0].findings[0].value == "121"

    def test_a_reply_to_a_request_from_before_the_force_does_not_do(self, rig: Rig) -> None:
        moment: list[datetime] = []

        def slow(_: httpx.Request) -> httpx.Response:
            moment.append(datetime.now(UTC))
            return httpx.Response(200, text="120")

        rig.handler = slow
        rig.ask()
        rig.ask(fresh_after=moment[0])
        assert len(rig.seen) == 2

    def test_what_must_not_be_cached_is_not(self, rig: Rig) -> None:
        rig.source.how = lambda line: line.send("POST", f"{line.base_url}/token", body=b"a", cache=False).text
        rig.ask()
        rig.ask()
        assert len(rig.seen) == 2

    def test_keys_lie_under_enrichment_and_tell_nothing(self, rig: Rig) -> None:
        rig.source.how = lambda line: line.send("GET", f"{line.base_url}/x?api_key=s3cret").text
        rig.ask()
        (key,) = rig.redis.keys("enrichment:*")
        assert b"s3cret" not in key
        assert 0 < rig.redis.ttl(key) <= 86400


class TestTurns:
    def test_the_turn_is_spent_by_the_request(self, rig: Rig) -> None:
        turn = rig.turn()
        rig.ask(turn=turn)
        assert turn.used
        assert rig.turns() == 1

    def test_a_second_request_spends_another(self, rig: Rig) -> None:
        rig.source.how = lambda line: [line.send("GET", f"{line.base_url}/{n}") for n in range(3)] and "x"
        assert rig.ask().calls == 3
        assert rig.turns() == 3

    def test_it_waits_for_its_moment(self, rig: Rig) -> None:
        turn = rig.turn()
        turn.moment = 1.5
        at: list[float] = []
        rig.handler = lambda _: at.append(rig.clock.now) or httpx.Response(200)  # type: ignore[func-returns-value]  # a lambda
        rig.ask(turn=turn)
        assert at == [1.5]

    def test_a_pause_in_the_last_moment_sends_nothing(self, rig: Rig) -> None:
        turn = rig.turn()
        rig.limiter.pause("probe", 60, "429 elsewhere", ours=True)
        result = rig.ask(turn=turn)
        assert (result.judgement.verdict, result.judgement.retry_after) == (Verdict.BLOCKED, None)
        assert not rig.seen

    def test_a_used_up_day_sends_nothing(self, rig: Rig) -> None:
        rig.day = [3600.0]
        result = rig.ask()
        assert (result.judgement.verdict, result.judgement.retry_after) == (Verdict.QUOTA, 3600.0)
        assert (result.calls, rig.seen) == (0, [])

    def test_a_redis_that_is_away_gives_no_turn_and_passes(self, rig: Rig) -> None:
        turn = rig.turn()

        class Away:
            def use(self, _turn: Turn) -> None:
                raise redis.ConnectionError("away")

        rig.wire._limiter = Away()  # type: ignore[assignment]  # a Redis that does not answer
        with pytest.raises(redis.ConnectionError):
            rig.wire.ask("probe", QUESTION, [Ask(1, {})], turn)

        def swallowing(line: Line) -> list[Answer]:
            try:
                line.send("GET", f"{line.base_url}/y")
            except Exception:  # noqa: BLE001 - as some libraries do
                return [Answer.nothing()]
            raise AssertionError

        rig.source.how = swallowing
        with pytest.raises(redis.ConnectionError):
            rig.wire.ask("probe", QUESTION, [Ask(1, {})], turn)
        assert not rig.seen


class TestRedirects:
    def to(self, url: str, status: int = 302) -> httpx.Response:
        return httpx.Response(status, headers={"location": url})

    def test_each_spends_a_turn(self, rig: Rig) -> None:
        rig.handler = replies(self.to("/a"), self.to("/b", 307), httpx.Response(200, text="1"))
        result = rig.ask()
        assert result.judgement.verdict is Verdict.ANSWER
        assert [str(request.url) for request in rig.seen] == [f"http://probe.test/{name}" for name in "xab"]
        assert (result.calls, rig.turns()) == (3, 3)

    @pytest.mark.parametrize(
        ("url", "target", "kept"),
        [
            ("http://probe.test/x", "http://probe.test/y", True),
            ("http://probe.test/x", "/y", True),
            ("http://probe.test/x", "http://other.test/y", False),
            ("http://probe.test/x", "http://probe.test:81/y", False),
            ("https://probe.test/x", "http://probe.test/y", False),
        ],
    )
    def test_authorization_stays_with_its_host(self, rig: Rig, url: str, target: str, kept: bool) -> None:
        rig.source.how = lambda line: line.send("GET", url, headers={"Authorization": "Bearer s3cret"}).text
        rig.handler = replies(self.to(target), httpx.Response(200))
        rig.ask()
        assert rig.seen[0].headers["authorization"] == "Bearer s3cret"
        assert ("authorization" in rig.seen[1].headers) is kept

    def test_there_is_an_end_to_them(self, rig: Rig) -> None:
        rig.handler = lambda _: self.to("/again")
        result = rig.ask()
        assert result.judgement.verdict is Verdict.FAILING
        assert result.calls == module.REDIRECTS + 1

    def test_303_asks_anew_without_a_body(self, rig: Rig) -> None:
        rig.source.how = lambda line: line.send("POST", f"{line.base_url}/x", body=b"abc").text
        rig.handler = replies(self.to("/y", 303), httpx.Response(200))
        rig.ask()
        assert [(request.method, request.content) for request in rig.seen] == [("POST", b"abc"), ("GET", b"")]

    def test_to_nowhere(self, rig: Rig) -> None:
        rig.handler = lambda _: self.to("http://[bad")
        assert rig.ask().judgement.verdict is Verdict.UNREADABLE
        assert len(rig.seen) == 1

    def test_to_a_private_address_is_a_bad_request_and_no_illness(self, rig: Rig) -> None:
        with socket.create_server(("127.0.0.1", 0)) as inside, httpx.Client(transport=guarded_transport([])) as guarded:
            inside.settimeout(0)
            port = inside.getsockname()[1]
            rig.wire._http = guarded
            rig.source.how = lambda line: line.send("GET", f"http://127.0.0.1:{port}/").text
            result = rig.ask()
            with pytest.raises(BlockingIOError):
                inside.accept()
        assert result.judgement.verdict is Verdict.BAD_REQUEST
        assert "not a public address" in result.judgement.message


class TestHosts:
    """Of a source whose addresses lead to many, as pictures do."""

    @pytest.fixture
    def rig(self, empty_redis: redis.Redis) -> Rig:
        source = Probe()
        source.hosts_apart = True  # type: ignore[misc]  # of this one
        return Rig(empty_redis, source)

    def ask(self, rig: Rig, host: str) -> Result:
        rig.source.how = lambda line: line.send("GET", f"http://{host}/x", cache=False).text
        return rig.ask()

    @pytest.mark.parametrize("status", [429, 503])
    def test_who_asks_to_wait_is_waited_for_and_the_others_go_on(self, rig: Rig, status: int) -> None:
        rig.handler = replies(httpx.Response(status, headers={"retry-after": "40"}), httpx.Response(200, text="1"))
        assert self.ask(rig, "a.test").calls == 1
        held = self.ask(rig, "a.test")
        assert (held.judgement.verdict, held.calls) == (Verdict.BLOCKED, 0)
        assert held.judgement.retry_after == left_of(40)
        assert self.ask(rig, "b.test").judgement.verdict is Verdict.ANSWER
        assert [request.url.host for request in rig.seen] == ["a.test", "b.test"]

    def test_it_is_believed_for_an_hour(self, rig: Rig) -> None:
        rig.handler = replies(httpx.Response(429, headers={"retry-after": "999999"}))
        self.ask(rig, "a.test")
        assert self.ask(rig, "a.test").judgement.retry_after == left_of(3600)

    def test_at_another_source_it_is_that_source_that_is_paused(self, rig: Rig) -> None:
        rig.handler = replies(httpx.Response(503, headers={"retry-after": "40"}))
        assert self.ask(rig, "archive.test").calls == 1
        assert rig.limiter.now("archive").paused_for == left_of(40)
        assert rig.limiter.now("probe").paused_for == 0

    def test_at_another_source_that_is_paused_nothing_is_asked(self, rig: Rig) -> None:
        rig.limiter.pause("archive", 40, "429 elsewhere", ours=True)
        held = self.ask(rig, "archive.test").judgement
        assert (held.verdict, held.retry_after) == (Verdict.BLOCKED, left_of(40))
        assert not rig.seen

    def test_a_redirect_to_it_is_held_back_too(self, rig: Rig) -> None:
        rig.limiter.hold("a.test", 40)
        rig.handler = replies(httpx.Response(302, headers={"location": "http://a.test/y"}))
        assert self.ask(rig, "b.test").judgement.verdict is Verdict.BLOCKED
        assert [request.url.host for request in rig.seen] == ["b.test"]


class TestBounds:
    def test_a_dripping_body_ends_at_the_deadline(self, rig: Rig) -> None:
        def drip() -> Iterator[bytes]:
            while True:
                rig.clock.now += 1.0
                yield b"."

        rig.handler = lambda _: httpx.Response(200, content=drip())
        result = rig.ask()
        assert result.judgement.verdict is Verdict.FAILING
        assert "no answer in time" in result.judgement.message
        assert 10 <= rig.clock.now < 13
        assert result.seconds == pytest.approx(rig.clock.now, abs=0.2)

    def test_a_body_has_a_largest_size(self, rig: Rig) -> None:
        piece = b"x" * 1_000_000
        read: list[int] = []

        def endless() -> Iterator[bytes]:
            while True:
                read.append(1)
                yield piece

        rig.handler = lambda _: httpx.Response(200, content=endless())
        result = rig.ask()
        assert result.judgement.verdict is Verdict.UNREADABLE
        assert len(read) <= 22

    @pytest.mark.parametrize(
        "error", [httpx.WriteError("e"), httpx.ReadTimeout("t"), httpx.ReadError("e"), httpx.RemoteProtocolError("e")]
    )
    def test_network_errors_are_failures(self, rig: Rig, error: httpx.HTTPError) -> None:
        def handler(_: httpx.Request) -> httpx.Response:
            raise error

        rig.handler = handler
        result = rig.ask()
        assert result.judgement.verdict is Verdict.FAILING
        assert result.calls == 1

    @pytest.mark.parametrize("error", [httpx.ConnectTimeout("t"), httpx.ConnectError("e")])
    def test_a_host_that_is_not_reached_spends_no_turn(self, rig: Rig, error: httpx.HTTPError) -> None:
        rig.connection = error
        turn = rig.turn()
        result = rig.ask(turn=turn)
        assert (result.judgement.verdict, result.calls, turn.used) == (Verdict.FAILING, 0, False)

    def test_no_time_left_is_not_an_error_of_ours(self, rig: Rig) -> None:
        def how(line: Line) -> str:
            rig.clock.now += 60
            return line.send("GET", f"{line.base_url}/x").text

        rig.source.how = how
        assert rig.ask().judgement.verdict in (Verdict.BLOCKED, Verdict.FAILING, Verdict.ANSWER)


class TestJudging:
    def test_a_swallowed_refusal_is_remembered(self, rig: Rig) -> None:
        def swallowing(line: Line) -> list[Answer]:
            try:
                line.send("GET", f"{line.base_url}/x")
            except NoAnswer:
                return [Answer.nothing()]
            raise AssertionError

        rig.source.how = swallowing
        rig.handler = lambda _: httpx.Response(429, headers={"retry-after": "7"}, text="slow down")
        result = rig.ask()
        assert (result.judgement.verdict, result.judgement.retry_after) == (Verdict.OUR_RATE, 7.0)
        assert result.answers == ()
        assert "slow down" in result.excerpt

    def test_a_wrapped_refusal_is_remembered(self, rig: Rig) -> None:
        def wrapping(line: Line) -> str:
            try:
                return line.send("GET", f"{line.base_url}/x").text
            except NoAnswer as no:
                raise RuntimeError("the library's own error") from no

        rig.source.how = wrapping
        rig.handler = lambda _: httpx.Response(403)
        assert rig.ask().judgement.verdict is Verdict.REFUSED

    @pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), TypeError("x"), RuntimeError("x")])
    def test_a_source_that_breaks_before_asking_is_unreadable(self, rig: Rig, error: Exception) -> None:
        def broken(_: Line) -> str:
            raise error

        rig.source.how = broken
        result = rig.ask()
        assert result.judgement.verdict is Verdict.UNREADABLE
        assert type(error).__name__ in result.judgement.message
        assert not rig.seen

    def test_an_answer_for_each_ask(self, rig: Rig) -> None:
        rig.source.how = lambda _: [Answer.nothing()]
        result = rig.ask(asks=2)
        assert result.judgement.verdict is Verdict.UNREADABLE
        assert "1 answers to 2 lookups" in result.judgement.message

    def test_the_excerpt_is_bounded_and_can_be_stored(self, rig: Rig) -> None:
        rig.handler = lambda _: httpx.Response(500, content=b"\x00\xff" + b"x" * 10_000)
        excerpt = rig.ask().excerpt
        assert excerpt.startswith("HTTP 500")
        assert "\x00" not in excerpt
        assert len(excerpt) < 2100

    def test_a_secret_stands_in_the_address_on_the_wire_alone(self, rig: Rig) -> None:
        rig.source.how = lambda line: line.send("GET", f"{line.base_url}/v1/~KEY~/x?k=~KEY~").url
        result = rig.ask()
        assert str(rig.seen[0].url) == "http://probe.test/v1/s3cret/x?k=s3cret"
        assert result.answers[0].findings[0].value == "http://probe.test/v1/~KEY~/x?k=~KEY~"

    def test_a_secret_stands_in_the_form_on_the_wire_alone(self, rig: Rig) -> None:
        rig.source.how = lambda line: line.send("POST", f"{line.base_url}/", body=b"k=~KEY~&q=1").url
        rig.handler = replies(
            httpx.Response(308, headers={"location": "http://other.test/"}),
            httpx.Response(200),
        )
        rig.ask()
        assert [request.content for request in rig.seen] == [b"k=s3cret&q=1", b"k=~KEY~&q=1"]

    def test_what_an_upstream_repeats_of_a_secret_is_hidden(self, rig: Rig) -> None:
        rig.source.how = lambda line: line.send("GET", f"{line.base_url}/~KEY~")
        rig.handler = lambda _: httpx.Response(403, text="/s3cret is forbidden")
        result = rig.ask()
        assert result.judgement.message == "HTTP 403: /~KEY~ is forbidden"
        assert "s3cret" not in result.excerpt

    def test_a_secret_stays_with_its_host(self, rig: Rig) -> None:
        rig.source.how = lambda line: line.send("GET", f"{line.base_url}/~KEY~").url
        rig.handler = replies(
            httpx.Response(301, headers={"location": "/s3cret/"}),
            httpx.Response(301, headers={"location": "http://other.test/s3cret/"}),
            httpx.Response(200),
        )
        result = rig.ask()
        assert [str(request.url) for request in rig.seen] == [
            "http://probe.test/s3cret",
            "http://probe.test/s3cret/",
            "http://other.test/~KEY~/",
        ]
        assert result.answers[0].findings[0].value == "http://other.test/~KEY~/"

    def test_secrets_are_not_shown(self) -> None:
        assert "s3cret" not in repr(Place("http://probe.test", secrets={"KEY": "s3cret"}))


class Prober(Probe):
    """Its app is small where it may not ask in batches."""

    def probe(self, client: Line) -> Mapping[str, str]:
        try:
            size = client.send("GET", f"{client.base_url}/batch").json()["size"]
        except NoAnswer as no:
            if no.judgement.verdict is not Verdict.REFUSED:
                raise
            size = "small"
        return {"size": size}


class TestProbe:
    @pytest.mark.parametrize(
        ("reply", "verdict", "found"),
        [
            (httpx.Response(200, json={"size": "large"}), Verdict.ANSWER, {"size": "large"}),
            (httpx.Response(403), Verdict.ANSWER, {"size": "small"}),
            (httpx.Response(429, headers={"retry-after": "7"}), Verdict.OUR_RATE, {}),
            (httpx.Response(503), Verdict.FAILING, {}),
            (httpx.Response(200, text="<html>"), Verdict.UNREADABLE, {}),
            (httpx.Response(200, json={}), Verdict.UNREADABLE, {}),
        ],
    )
    def test_a_refusal_may_be_the_answer(
        self, empty_redis: redis.Redis, reply: httpx.Response, verdict: Verdict, found: dict[str, str]
    ) -> None:
        rig = Rig(empty_redis, Prober(), lambda _: reply)
        turn = rig.turn()
        result, told = rig.wire.probe("probe", turn)
        assert (result.judgement.verdict, result.calls, told) == (verdict, 1, found)
        assert turn.used

    def test_it_is_asked_of_the_upstream_each_time(self, empty_redis: redis.Redis) -> None:
        rig = Rig(empty_redis, Prober(), lambda _: httpx.Response(200, json={"size": "large"}))
        for _ in range(2):
            assert rig.wire.probe("probe", rig.turn())[1] == {"size": "large"}
        assert len(rig.seen) == 2

    def test_a_source_without_one_finds_nothing(self, rig: Rig) -> None:
        result, told = rig.wire.probe("probe", rig.turn())
        assert (result.judgement.verdict, result.calls, told) == (Verdict.ANSWER, 0, {})


class TestHeaders:
    def test_we_say_who_we_are_unless_a_library_does(self, rig: Rig) -> None:
        rig.source.how = lambda line: [
            line.send("GET", f"{line.base_url}/a"),
            line.send("GET", f"{line.base_url}/b", headers={"User-Agent": "theirs/1"}),
        ]
        rig.ask()
        assert [request.headers["user-agent"].split("/")[0] for request in rig.seen] == ["linernotes", "theirs"]
