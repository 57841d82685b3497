"""The limiter on a real Valkey. Nothing waits: what is checked are the moments and waits that it hands out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
import redis

from enrichment.domain.questions import Budget, Limit
from enrichment.wire.limiter import Limiter, NotNow, Standing, Terms, Turn

FAR = 1000.0
"""Seconds that no test lives to see the end of."""


@dataclass
class Clock:
    """A monotonic clock that stands still."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """A Redis, and what limiters of the fleet are told."""

    redis: redis.Redis
    terms: dict[str, Terms] = field(default_factory=dict)
    standing: Standing = field(default_factory=Standing)
    clock: Clock = field(default_factory=Clock)

    def limiter(self, worker: str = "w1") -> Limiter:
        """One worker's limiter."""
        return Limiter(self.redis, lambda source: self.terms[source], lambda _: self.standing, worker, self.clock)

    def given(self, *limits: Limit, concurrency: int = 100, call_seconds: float = 10.0, threshold: int = 5) -> Limiter:
        """A limiter for the source "s" of this budget, warm and with a full bucket."""
        self.terms["s"] = Terms(Budget(limits, concurrency), call_seconds, threshold, breaker_seconds=30.0)
        made = self.limiter()
        made.warm("s")
        self.fill()
        return made

    def fill(self) -> None:
        """The bucket is full again, as after a long rest."""
        self.set(tat1=0, tat2=0, pause=0)

    def rest(self) -> None:
        """The last request was written long ago."""
        self.set(pace1=0, pace2=0)

    def set(self, **values: object) -> None:
        """Writes into the source's state."""
        self.redis.hset("limiter:{s}", mapping={name: str(value) for name, value in values.items()})

    def ms(self) -> float:
        """Redis' clock, milliseconds."""
        seconds, micros = self.redis.time()
        return float(seconds) * 1000 + float(micros) / 1000


@pytest.fixture
def world(empty_redis: redis.Redis) -> World:
    return World(empty_redis)


def turn(got: Turn | NotNow) -> Turn:
    assert isinstance(got, Turn), got
    return got


def no(got: Turn | NotNow | None) -> NotNow:
    assert isinstance(got, NotNow), got
    return got


def moments(limiter: Limiter, most: int = 1000) -> list[float]:
    """Takes turns until there is none near."""
    found: list[float] = []
    while len(found) < most and isinstance(got := limiter.take("s"), Turn):
        found.append(got.moment)
    return found


class TestRate:
    @pytest.mark.parametrize(
        ("calls", "seconds", "burst"), [(1, 1, 1), (9, 10, 3), (50, 5, 1), (40, 1, 40), (3, 10, 1)]
    )
    def test_no_window_holds_more_than_burst_plus_rate(
        self, world: World, calls: float, seconds: float, burst: float
    ) -> None:
        limiter = world.given(Limit(calls, seconds, burst))
        found = moments(limiter, 120)
        rate = calls / seconds
        assert len(found) >= burst
        slack = 0.1  # Redis' clock goes on while we ask, and its moments count from when it was asked
        for i, first in enumerate(found):
            for count, last in enumerate(found[i:], 1):
                assert count <= burst + rate * (last - first + slack) + 0.001

    def test_moments_lie_at_most_the_longest_wait_ahead(self, world: World) -> None:
        limiter = world.given(Limit(10, 1))
        found = moments(limiter)
        assert found == sorted(found)
        assert 1.5 < found[-1] <= 2.001
        assert 0 < no(limiter.take("s")).after - 2.0 <= 0.11

    def test_a_slow_source_hands_out_its_next_turn(self, world: World) -> None:
        limiter = world.given(Limit(1, 20))
        assert turn(limiter.take("s")).moment < 0.1
        assert 19 < turn(limiter.take("s")).moment <= 20
        assert 39 < no(limiter.take("s")).after <= 40

    def test_several_limits_hold_at_once(self, world: World) -> None:
        limiter = world.given(Limit(10, 1, 10), Limit(5, 100, 5))
        found = moments(limiter)
        assert found == pytest.approx([0, 0, 0, 0, 0, 20], abs=0.1)
        assert no(limiter.take("s")).after == pytest.approx(40, abs=0.1)

    def test_sources_do_not_share(self, world: World) -> None:
        limiter = world.given(Limit(1, 10))
        world.terms["t"] = world.terms["s"]
        turn(limiter.take("s"))
        turn(limiter.take("s"))
        assert no(limiter.take("s")).after > 10
        turn(limiter.take("t"))

    def test_an_unlimited_source_has_slots_only(self, world: World) -> None:
        limiter = world.given(concurrency=3)
        assert moments(limiter) == [0.0, 0.0, 0.0]


class TestSlots:
    def test_full_until_one_comes_back(self, world: World) -> None:
        limiter = world.given(Limit(100, 1, 100), concurrency=2)
        first = turn(limiter.take("s"))
        turn(limiter.take("s"))
        assert no(limiter.take("s")) == NotNow(0.05)
        assert limiter.now("s").in_call == 2
        limiter.free(first)
        limiter.free(first)
        turn(limiter.take("s"))
        no(limiter.take("s"))

    def test_full_spends_nothing(self, world: World) -> None:
        limiter = world.given(Limit(1, 1, 2), concurrency=1)
        held = turn(limiter.take("s"))
        held.used = True
        no(limiter.take("s"))
        limiter.free(held)
        assert turn(limiter.take("s")).moment < 0.1

    def test_a_lease_ends_even_if_nobody_frees_it(self, world: World) -> None:
        limiter = world.given(Limit(100, 1, 100), concurrency=1, call_seconds=10)
        turn(limiter.take("s"))
        ((name, ends),) = world.redis.zrange("limiter:{s}:slots", 0, -1, withscores=True)
        assert ends - world.ms() == pytest.approx(15_000, abs=500)
        world.redis.zadd("limiter:{s}:slots", {name: world.ms() - 1})
        turn(limiter.take("s"))

    def test_a_dead_workers_slots_and_tickets_come_back(self, world: World) -> None:
        world.given(Limit(100, 1, 100), concurrency=3)
        dead, alive = world.limiter("w1"), world.limiter("w11")
        for limiter in (dead, dead, alive):
            turn(limiter.take("s"))
        tickets = alive.admit("s", 4, ["a", "b", "c"])
        assert dead.start("s", tickets[0])
        assert alive.start("s", tickets[1])
        assert alive.bury("s", "w1") == 3
        assert (alive.now("s").in_call, alive.now("s").in_flight) == (1, 2)
        assert alive.bury("s", "w1") == 0


class TestUse:
    def test_a_turn_is_used_once(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        held = turn(limiter.take("s"))
        assert limiter.use(held) is None
        assert held.used
        again = no(limiter.use(held))
        assert 0.9 < again.after <= 1.0
        assert not again.paused
        assert held.moment == pytest.approx(again.after)
        world.clock.now = held.moment
        world.rest()
        assert limiter.use(held) is None
        assert limiter.now("s").turns == 2
        assert limiter.now("s").in_call == 1

    def test_a_stale_turn_is_taken_again_in_the_same_slot(self, world: World) -> None:
        limiter = world.given(Limit(1, 1), concurrency=1)
        held = turn(limiter.take("s"))
        world.clock.now = 0.21
        assert no(limiter.use(held)).after == pytest.approx(1, abs=0.1)
        assert limiter.now("s").in_call == 1

    def test_a_permission_that_was_long_on_its_way_is_asked_for_again(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        held = turn(limiter.take("s"))
        times = iter((0.0, 0.21))
        slow = Limiter(world.redis, lambda source: world.terms[source], lambda _: Standing(), "w1", lambda: next(times))
        assert slow.use(held) == NotNow(0.0)
        assert no(limiter.use(held)).after == pytest.approx(1, abs=0.1)

    @pytest.mark.parametrize(
        ("limit", "seconds"), [(Limit(1, 1), 0.2), (Limit(10, 1), 0.05), (Limit(10, 1, 3), 0.15), (Limit(1, 60), 0.2)]
    )
    def test_stale_after_half_of_burst_times_interval(self, limit: Limit, seconds: float) -> None:
        assert Terms(Budget((limit,)), 10).stale_after == pytest.approx(seconds)

    def test_a_pause_between_take_and_use_holds_the_request(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        held = turn(limiter.take("s"))
        limiter.pause("s", 50, "they said so", ours=True)
        blocked = no(limiter.use(held))
        assert blocked.paused
        assert blocked.after == pytest.approx(50, abs=0.1)
        assert not held.used

    def test_an_unused_last_turn_is_given_back(self, world: World) -> None:
        limiter = world.given(Limit(1, 10))
        for _ in range(5):
            held = turn(limiter.take("s"))
            assert held.moment < 0.1
            limiter.free(held)

    def test_an_unused_turn_that_others_came_after_is_not_given_back(self, world: World) -> None:
        limiter = world.given(Limit(1, 10))
        early, late = turn(limiter.take("s")), turn(limiter.take("s"))
        limiter.free(early)
        assert no(limiter.take("s")).after == pytest.approx(20, abs=0.1)
        limiter.free(late)
        assert turn(limiter.take("s")).moment == pytest.approx(10, abs=0.1)

    def test_a_used_turn_is_never_given_back(self, world: World) -> None:
        limiter = world.given(Limit(1, 10))
        held = turn(limiter.take("s"))
        assert limiter.use(held) is None
        limiter.free(held)
        assert turn(limiter.take("s")).moment == pytest.approx(10, abs=0.1)

    def test_a_turn_taken_again_is_not_given_back_for_the_first(self, world: World) -> None:
        limiter = world.given(Limit(1, 10))
        held = turn(limiter.take("s"))
        limiter.use(held)
        no(limiter.use(held))  # the next moment is taken, and then not used
        limiter.free(held)
        assert no(limiter.take("s")).after == pytest.approx(20, abs=0.1)


class TestPace:
    def test_a_late_request_is_not_followed_too_closely(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        late, on_time = turn(limiter.take("s")), turn(limiter.take("s"))
        assert limiter.use(late) is None  # at the moment of the other, as far as Redis can tell
        wait = no(limiter.use(on_time))
        assert wait.after == pytest.approx(0.97, abs=0.1)
        assert not wait.paused
        assert on_time.moment == pytest.approx(wait.after)
        world.rest()
        assert limiter.use(on_time) is None
        assert limiter.now("s").turns == 2  # its turn was good all the time
        assert limiter.now("s").calls == 2

    def test_every_limit_has_its_own(self, world: World) -> None:
        limiter = world.given(Limit(100, 1, 3), Limit(2, 1, 2))
        waits = [limiter.use(turn(limiter.take("s"))) for _ in range(3)]
        assert waits[:2] == [None, None]
        assert no(waits[2]).after == pytest.approx(0.485, abs=0.1)

    def test_what_was_written_late_holds_up_the_next(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        first, second = turn(limiter.take("s")), turn(limiter.take("s"))
        assert limiter.use(first) is None
        world.clock.now = 0.5
        limiter.written(first)
        assert no(limiter.use(second)).after == pytest.approx(1.47, abs=0.1)

    def test_what_was_written_in_time_does_not(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        first, second = turn(limiter.take("s")), turn(limiter.take("s"))
        assert limiter.use(first) is None
        world.clock.now = 0.01
        limiter.written(first)
        assert no(limiter.use(second)).after == pytest.approx(0.97, abs=0.1)

    def test_a_clock_that_is_set_takes_it_along(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        first, second = turn(limiter.take("s")), turn(limiter.take("s"))
        assert limiter.use(first) is None
        hour = 3_600_000
        world.set(last=world.ms() + hour, pace1=world.ms() + hour + 970)
        assert no(limiter.use(second)).after == pytest.approx(0.97, abs=0.1)


class TestPause:
    def test_never_shortened(self, world: World) -> None:
        limiter = world.given(Limit(10, 1))
        assert limiter.pause("s", 100, "long", ours=True)[0] == pytest.approx(100, abs=0.1)
        assert limiter.pause("s", 1, "short", ours=True)[0] == pytest.approx(100, abs=0.1)
        got = no(limiter.take("s"))
        assert got.paused
        assert got.after == pytest.approx(100, abs=0.1)

    def test_of_one_host_is_its_own_and_never_shortened(self, world: World) -> None:
        limiter = world.given(Limit(10, 1))
        assert limiter.held("a.test") == 0
        limiter.hold("a.test", 100)
        limiter.hold("a.test", 1)
        assert world.limiter("w2").held("a.test") == pytest.approx(100, abs=1)
        assert limiter.held("b.test") == 0
        assert isinstance(limiter.take("s"), Turn)

    def test_resumes_with_one_turn_not_a_burst(self, world: World) -> None:
        limiter = world.given(Limit(1, 1, 20))
        limiter.pause("s", 0, "over now", ours=False)
        limiter.succeeded("s", 0.1)  # one slot only until then
        assert moments(limiter) == pytest.approx([0, 1, 2], abs=0.1)

    def test_after_a_pause_one_slot_until_a_success(self, world: World) -> None:
        limiter = world.given(Limit(100, 1, 100))
        limiter.pause("s", 0, "over now", ours=False)
        assert limiter.now("s").breaker == "half_open"
        probe = turn(limiter.take("s"))
        assert no(limiter.take("s")) == NotNow(0.05)
        limiter.free(probe)
        limiter.succeeded("s", 0.1)
        assert limiter.now("s").breaker == "closed"
        turn(limiter.take("s"))
        turn(limiter.take("s"))

    def test_success_of_a_call_from_before_does_not_end_it(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        limiter.pause("s", FAR, "they said so", ours=True)
        limiter.succeeded("s", 0.1)
        assert no(limiter.take("s")).paused
        assert limiter.now("s").probing

    def test_refusals_of_calls_under_way_are_one_mistake(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        for _ in range(3):
            assert limiter.pause("s", FAR, "429", ours=True)[1] == 1

    def test_repeated_refusals_halve_the_rate_and_success_brings_it_back_slowly(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        factors = [limiter.pause("s", 0, "429", ours=True)[1] for _ in range(6)]
        assert factors == [1, 0.5, 0.25, 0.125, 0.1, 0.1]
        assert [limiter.succeeded("s", 0.1) for _ in range(3)] == pytest.approx([0.11, 0.12, 0.13])
        for _ in range(100):
            limiter.succeeded("s", 0.1)
        assert limiter.now("s").factor == 1

    def test_a_refusal_after_a_success_is_a_first_one(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        for _ in range(3):
            assert limiter.pause("s", 0, "429", ours=True)[1] == 1
            limiter.succeeded("s", 0.1)

    def test_the_factor_slows_the_turns(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        world.set(factor=0.25)
        turn(limiter.take("s"))
        assert no(limiter.take("s")).after == pytest.approx(4, abs=0.1)

    def test_a_pause_that_is_not_ours_costs_no_rate(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        for _ in range(3):
            assert limiter.pause("s", 0, "quota", ours=False)[1] == 1

    @pytest.mark.parametrize("seconds", [5.0, 900.0, 10 * 365 * 86400.0])
    def test_a_person_ends_it(self, world: World, seconds: float) -> None:
        limiter = world.given(Limit(1, 1, 5))
        limiter.pause("s", seconds, "stopped: bad key", ours=False)
        limiter.resume("s")
        assert turn(limiter.take("s")).moment < 0.1
        limiter.succeeded("s", 0.1)
        assert moments(limiter) == pytest.approx([1, 2], abs=0.1)
        assert limiter.now("s").reason == ""


class TestBreaker:
    def test_opens_at_the_threshold(self, world: World) -> None:
        limiter = world.given(Limit(1, 1), threshold=3)
        assert [limiter.failed("s", "HTTP 503") for _ in range(2)] == [None, None]
        assert limiter.failed("s", "HTTP 503") == pytest.approx(30, abs=0.1)
        now = limiter.now("s")
        assert (now.breaker, now.reason) == ("open", "breaker: HTTP 503")
        assert no(limiter.take("s")).paused

    def test_a_success_between_starts_the_count_anew(self, world: World) -> None:
        limiter = world.given(Limit(1, 1), threshold=2)
        assert limiter.failed("s", "x") is None
        limiter.succeeded("s", 0.1)
        assert limiter.failed("s", "x") is None

    def test_opens_again_on_a_failed_probe(self, world: World) -> None:
        limiter = world.given(Limit(1, 1), threshold=5)
        for _ in range(5):
            limiter.failed("s", "x")
        world.set(pause=world.ms() - 1)
        assert limiter.now("s").breaker == "half_open"
        assert limiter.failed("s", "x") is not None

    def test_it_does_not_shorten_a_pause(self, world: World) -> None:
        limiter = world.given(Limit(1, 1), threshold=1)
        limiter.pause("s", 500, "429", ours=True)
        assert limiter.failed("s", "x") == pytest.approx(500, abs=0.1)


class TestColdStart:
    def test_a_first_start_does_not_pause_but_the_bucket_is_empty(self, world: World) -> None:
        world.terms["s"] = Terms(Budget((Limit(1, 1, 5),)), 10)
        limiter = world.limiter()
        assert limiter.now("s").cold
        assert moments(limiter) == pytest.approx([1, 2], abs=0.1)

    @pytest.mark.parametrize(
        ("standing", "paused"),
        [
            (Standing(), 0),
            (Standing(last_claim_ago=4), 6),
            (Standing(last_claim_ago=100), 0),
            (Standing(paused_for=50, last_claim_ago=1), 50),
            (Standing(paused_for=2, last_claim_ago=1), 9),
        ],
    )
    def test_a_lost_state_pauses_until_nothing_earlier_can_count(
        self, world: World, standing: Standing, paused: float
    ) -> None:
        limiter = world.given(Limit(1, 1), call_seconds=10)
        world.redis.flushall()
        world.standing = standing
        got = limiter.take("s")
        assert limiter.now("s").paused_for == pytest.approx(paused, abs=0.2)
        assert (isinstance(got, NotNow) and got.paused) == (paused > 0)

    def test_a_stop_that_came_back_from_postgresql_can_be_resumed(self, world: World) -> None:
        limiter = world.given(Limit(1, 1, 5))
        world.redis.flushall()
        world.standing = Standing(paused_for=10 * 365 * 86400.0, reason="stopped: bad key")
        assert no(limiter.take("s")).paused
        limiter.resume("s")
        assert moments(limiter)[0] < 1.1

    def test_the_factor_comes_back(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        world.redis.flushall()
        world.standing = Standing(factor=0.5)
        limiter.take("s")
        assert limiter.now("s").factor == 0.5

    def test_the_first_to_warm_wins(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        turn(limiter.take("s"))
        world.standing = Standing(paused_for=FAR)
        limiter.warm("s")
        turn(limiter.take("s"))

    def test_a_turn_from_before_is_not_used_without_asking(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        held = turn(limiter.take("s"))
        world.redis.flushall()
        world.standing = Standing(last_claim_ago=0)
        assert no(limiter.use(held)).paused

    def test_freeing_what_was_lost_makes_no_state(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        held = turn(limiter.take("s"))
        world.redis.flushall()
        limiter.free(held)
        limiter.finish("s", "a")
        assert limiter.now("s").cold

    @pytest.mark.parametrize("event", ["pause", "failed"])
    def test_what_a_call_from_before_learns_does_not_skip_it(self, world: World, event: str) -> None:
        limiter = world.given(Limit(1, 1), threshold=1)
        world.redis.flushall()
        world.standing = Standing(paused_for=FAR, factor=0.5)
        if event == "pause":
            limiter.pause("s", 1, "429", ours=True)
        else:
            limiter.failed("s", "503")
        assert no(limiter.take("s")).after == pytest.approx(FAR, abs=0.5)
        assert limiter.now("s").factor == 0.5

    def test_no_key_expires(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        turn(limiter.take("s"))
        limiter.admit("s", 1, ["a"])
        keys = world.redis.keys("*")
        assert len(keys) == 3
        assert all(world.redis.ttl(key) == -1 for key in keys)
        assert not world.redis.keys("enrichment:*")


class TestClock:
    def test_set_back_a_little_gives_no_turn_twice(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        world.set(last=world.ms() + 3000, tat1=world.ms() + 4000)
        assert turn(limiter.take("s")).moment == pytest.approx(1, abs=0.1)

    @pytest.mark.parametrize(("calls", "seconds", "burst"), [(1, 1, 1), (1, 1, 10), (1, 10, 3), (50, 1, 5)])
    def test_set_back_far_goes_on_from_here(self, world: World, calls: float, seconds: float, burst: float) -> None:
        limiter = world.given(Limit(calls, seconds, burst))
        interval = seconds / calls
        ahead = world.ms() + 3_600_000
        # An empty bucket by a clock that was an hour ahead.
        world.set(last=ahead, tat1=ahead + burst * interval * 1000)
        assert turn(limiter.take("s")).moment == pytest.approx(interval, abs=0.1)

    def test_set_back_far_keeps_pauses_slots_and_tickets_as_long_as_they_were(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        turn(limiter.take("s"))
        limiter.admit("s", 2, ["a"])
        ahead = world.ms() + 3_600_000
        for kept in ("slots", "tickets"):
            ((name, _),) = world.redis.zrange(f"limiter:{{s}}:{kept}", 0, -1, withscores=True)
            world.redis.zadd(f"limiter:{{s}}:{kept}", {name: ahead + 4000})
        world.set(last=ahead, pause=ahead + 7000)
        assert no(limiter.take("s")).after == pytest.approx(7, abs=0.1)
        for kept in ("slots", "tickets"):
            ((_, ends),) = world.redis.zrange(f"limiter:{{s}}:{kept}", 0, -1, withscores=True)
            assert ends - world.ms() == pytest.approx(4000, abs=200)


class TestTickets:
    def test_as_many_as_the_window_has_room(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        assert limiter.admit("s", 2, ["a", "b", "c"]) == ["a", "b"]
        assert limiter.admit("s", 2, ["d"]) == []
        assert limiter.admit("s", 3, ["e", "f"]) == ["e"]
        assert limiter.now("s").in_flight == 3

    def test_started_once_and_finished(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        limiter.admit("s", 1, ["a"])
        assert limiter.start("s", "a")
        assert not limiter.start("s", "a")
        assert limiter.admit("s", 1, ["b"]) == []
        limiter.finish("s", "a")
        assert limiter.admit("s", 1, ["b"]) == ["b"]

    def test_one_that_does_not_start_in_time_is_given_up(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        limiter.admit("s", 1, ["a"])
        ((name, ends),) = world.redis.zrange("limiter:{s}:tickets", 0, -1, withscores=True)
        assert ends - world.ms() == pytest.approx(4000, abs=200)
        world.redis.zadd("limiter:{s}:tickets", {name: world.ms() - 1})
        assert not limiter.start("s", "a")
        assert limiter.admit("s", 1, ["b"]) == ["b"]

    def test_none_while_paused(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        limiter.pause("s", FAR, "429", ours=True)
        assert limiter.admit("s", 2, ["a"]) == []

    def test_of_a_flushed_redis_are_gone(self, world: World) -> None:
        limiter = world.given(Limit(1, 1))
        limiter.admit("s", 2, ["a"])
        world.redis.flushall()
        assert not limiter.start("s", "a")


def test_two_workers_share_one_line(world: World) -> None:
    """Interleaved takes of many limiters never meet on one moment."""
    world.given(Limit(50, 1))
    limiters = [world.limiter(f"w{n}") for n in range(5)]
    found = [turn(limiters[n % 5].take("s")).moment for n in range(60)]
    gaps = [later - earlier for earlier, later in pairwise(found)]
    assert min(gaps) > 0.0
    assert sum(gaps) == pytest.approx(59 / 50, abs=0.3)


def test_latency_is_a_moving_mean(world: World) -> None:
    limiter = world.given(Limit(1, 1))
    limiter.succeeded("s", 1.0)
    limiter.succeeded("s", 2.0)
    assert limiter.now("s").latency == pytest.approx(1.1)


@pytest.fixture
def run_with_turns(world: World) -> Callable[[int], int]:
    def run(count: int) -> int:
        limiter = world.given(Limit(1000, 1, 1000))
        for _ in range(count):
            held = turn(limiter.take("s"))
            assert limiter.use(held) is None
            limiter.free(held)
        return limiter.now("s").turns

    return run


def test_turns_are_counted(run_with_turns: Callable[[int], int]) -> None:
    assert run_with_turns(7) == 7
