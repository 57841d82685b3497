"""Programs and servers are kept running, and stopped in order."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing
from time import monotonic
from typing import TYPE_CHECKING

import psutil
import pytest
from redis import Redis
from redis.exceptions import RedisError

from enrichment.embedded import Program, Servers, Supervisor
from enrichment.embedded.child import LOG_BYTES
from enrichment.embedded.server import poll
from enrichment.embedded.supervisor import ProgramChild, Watch

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    RunPython = Callable[[str, Path], subprocess.Popen[str]]

RUNS = "import sys, signal; print('running', flush=True); signal.pause()"
ORDERLY = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print("put away", flush=True), sys.exit(0)))
print("running", flush=True)
while True:
    signal.pause()
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('running', flush=True); signal.pause()"
UP = """
import sys
from pathlib import Path
from enrichment.embedded import Program, Servers, Supervisor
programs = [Program("sleeper", [sys.executable, "-c", "import signal; signal.pause()"])]
with Servers.start(Path(sys.argv[1]), durable=False) as servers, Supervisor(programs, servers) as supervisor:
    supervisor.wait(lambda: print(*supervisor.pids.values(), flush=True))
print("stopped", flush=True)
"""


def python(name: str, code: str, grace: float = 40) -> Program:
    return Program(name, [sys.executable, "-c", code], grace=grace)


def says(servers: Servers, name: str, text: str) -> bool:
    log = servers.data / "logs" / f"{name}.log"
    return log.exists() and text in log.read_text()


class Falling:
    """A child that dies whenever told."""

    name = "falling"

    def __init__(self) -> None:
        self.dead = False
        self.refuses = False

    def died(self) -> bool:
        return self.dead

    def respawn(self) -> None:
        if self.refuses:
            raise FileNotFoundError
        self.dead = False


def delay(watch: Watch, child: Falling, now: float) -> float:
    """Seconds from a death at `now` to the new start."""
    child.dead = True
    watch.look(now)
    waited = 0.0
    while child.dead:
        waited += 0.125
        watch.look(now + waited)
    return waited


def test_who_dies_quickly_waits_longer_and_longer() -> None:
    child = Falling()
    watch = Watch(child, now=0)
    now, delays = 100.0, []
    for _ in range(6):
        delays.append(delay(watch, child, now))
        now += delays[-1] + 1
    assert delays == [0.5, 1, 2, 4, 5, 5]
    assert delay(watch, child, now + 60) == 0.5
    assert watch.restarts == 7


def test_who_cannot_be_started_is_tried_again() -> None:
    child = Falling()
    watch = Watch(child, now=0)
    child.dead = child.refuses = True
    for tenth in range(100):
        watch.look(tenth / 10)
    assert 2 <= watch.restarts <= 5
    child.refuses = False
    for tenth in range(100, 200):
        watch.look(tenth / 10)
    assert not child.dead


def test_a_program_that_dies_comes_back(servers: Servers) -> None:
    with Supervisor([python("dies", RUNS)], servers) as supervisor:
        first = supervisor.pids["dies"]
        assert first
        assert poll(lambda: says(servers, "dies", "running"), 60)
        os.kill(first, signal.SIGKILL)
        assert poll(lambda: supervisor.pids["dies"] not in {None, first}, 60)
        assert supervisor.restarts["dies"] == 1
        second = supervisor.pids["dies"]
    assert second
    assert not psutil.pid_exists(second)


def test_programs_stop_side_by_side_in_order_and_the_stubborn_ones_by_force(servers: Servers) -> None:
    programs = [
        python("orderly", ORDERLY),
        python("stubborn", STUBBORN, grace=0.5),
        python("stubborn2", STUBBORN, grace=0.5),
    ]
    with Supervisor(programs, servers) as supervisor:
        assert poll(lambda: all(says(servers, program.name, "running") for program in programs), 60)
        begun = monotonic()
        supervisor.stop()
        assert 0.5 <= monotonic() - begun < 20
        assert says(servers, "orderly", "put away")
        assert [supervisor.pids[program.name] for program in programs] == [None] * 3
    assert servers.redis.pid, "the servers are not the supervisor's to stop"


def test_killed_servers_come_back_at_the_same_address(servers: Servers) -> None:
    def answers() -> bool:
        try:
            with closing(Redis.from_url(servers.addresses.redis_url)) as redis:
                return bool(redis.ping())
        except RedisError:
            return False

    with Supervisor([], servers) as supervisor:
        before = dict(supervisor.pids)
        servers.kill_redis()
        assert poll(answers, 60)
        for server in (servers.broker, servers.postgres):
            os.kill(server.pid or 0, signal.SIGKILL)
        assert poll(
            lambda: all(supervisor.pids.values()) and not set(supervisor.pids.values()) & set(before.values()), 5
        )
        for part in servers.all:
            part.wait_ready(5)
        assert supervisor.restarts == {"postgres": 1, "broker": 1, "redis": 1}
        servers.restart_redis()
        assert supervisor.restarts["redis"] == 1, "a restart that was asked for is not a death"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_stop_everything_in_order(data: Path, run_python: RunPython, number: signal.Signals) -> None:
    up = run_python(UP, data)
    assert up.stdout is not None
    pids = [int(pid) for pid in up.stdout.readline().split()]
    assert len(pids) == 4
    up.send_signal(number)
    assert up.stdout.read() == "stopped\n"
    assert up.wait(10) == 0
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_killed_supervisor_takes_its_programs_along(data: Path, run_python: RunPython) -> None:
    up = run_python(UP, data)
    assert up.stdout is not None
    pids = [int(pid) for pid in up.stdout.readline().split()]
    up.kill()
    assert poll(lambda: not any(_runs(pid) for pid in pids), 60)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_program_left_running_is_replaced(servers: Servers) -> None:
    left = ProgramChild(python("left", RUNS), servers.data)
    left.spawn()
    with Supervisor([python("left", RUNS)], servers) as supervisor:
        assert poll(left.died, 60)
        assert supervisor.pids["left"]


def test_a_large_log_is_put_aside_at_the_start(servers: Servers) -> None:
    log = servers.data / "logs" / "talks.log"
    log.write_bytes(b"." * (LOG_BYTES + 1))
    with Supervisor([python("talks", RUNS)], servers):
        assert poll(lambda: log.read_text() == "running\n", 60)
    assert log.with_name("talks.log.1").stat().st_size == LOG_BYTES + 1


def test_a_program_that_does_not_exist_says_so_in_its_log(servers: Servers) -> None:
    with Supervisor([Program("missing", ["no-such-program"])], servers) as supervisor:
        assert poll(lambda: supervisor.restarts["missing"] >= 1, 60)
    assert says(servers, "missing", "no-such-program cannot be run")
