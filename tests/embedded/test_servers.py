"""The embedded servers: started, reused, joined, taken over, stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from contextlib import closing
from time import monotonic
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from enrichment.embedded import EmbeddedError, Servers, drop_database, new_database, temporary_servers
from enrichment.embedded.redis import redis_program
from enrichment.embedded.server import HOST, poll

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    RunPython = Callable[[str, Path], subprocess.Popen[str]]

OWNER = """
import json, sys
from pathlib import Path
from enrichment.embedded import Servers
servers = Servers.start(Path(sys.argv[1]), durable=False)
print(json.dumps([server.pid for server in servers.all]), flush=True)
sys.stdin.read()
"""


def sql(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def redis_at(url: str) -> closing[Redis]:
    return closing(Redis.from_url(url))


def write_everywhere(servers: Servers, word: str) -> None:
    sql(servers.addresses.database_url, f"CREATE TABLE kept AS SELECT '{word}' AS word")
    for url in (servers.addresses.broker_url, servers.addresses.redis_url):
        with redis_at(url) as connection:
            connection.lpush("kept", word)


def read_everywhere(servers: Servers) -> tuple[object, object, object]:
    """What PostgreSQL, broker and redis still know."""
    rows = sql(servers.addresses.database_url, "SELECT word FROM kept")
    with redis_at(servers.addresses.broker_url) as broker, redis_at(servers.addresses.redis_url) as redis:
        return rows[0][0], broker.lrange("kept", 0, -1), redis.lrange("kept", 0, -1)


def gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids)


def test_a_second_start_finds_everything_as_it_was_and_redis_empty(data: Path) -> None:
    with Servers.start(data) as first:
        write_everywhere(first, "sleeve")
        pids = [server.pid for server in first.all if server.pid]
    assert len(pids) == 3
    assert gone(pids)

    with Servers.start(data) as second:
        assert second.addresses == first.addresses
        assert read_everywhere(second) == ("sleeve", [b"sleeve"], [])


def test_start_and_stop_are_quick(data: Path) -> None:
    Servers.start(data).stop()
    begun = monotonic()
    servers = Servers.start(data)
    started = monotonic()
    servers.stop()
    assert started - begun < 20
    assert monotonic() - started < 20
    servers.stop()


def test_postgres_is_18_in_utf8_and_utc_and_as_durable_as_asked(data: Path, servers: Servers) -> None:
    asked = "SELECT current_setting('server_version_num')::int / 10000, current_setting('TimeZone'), "
    asked += "current_setting('server_encoding'), current_setting('fsync'), lower('ÄÉ')"
    assert sql(servers.addresses.database_url, asked) == [(18, "UTC", "UTF8", "off", "äé")]
    with Servers.start(data) as durable:
        assert sql(durable.addresses.database_url, asked) == [(18, "UTC", "UTF8", "on", "äé")]


def test_redis_never_evicts_what_does_not_expire_and_the_broker_evicts_nothing(servers: Servers) -> None:
    with redis_at(servers.addresses.redis_url) as redis, redis_at(servers.addresses.broker_url) as broker:
        assert redis.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-ttl"}
        assert redis.config_get("appendonly") == {"appendonly": "no"}
        assert broker.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_two_data_folders_do_not_meet(data: Path, servers: Servers) -> None:
    with Servers.start(data) as other:
        ports = {server.port for each in (servers, other) for server in each.all}
        assert len(ports) == 6
        write_everywhere(other, "other")
        with redis_at(servers.addresses.broker_url) as broker:
            assert broker.exists("kept") == 0
        mixed = servers.addresses.redis_url.replace(f":{servers.redis.port}/", f":{other.redis.port}/")
        with redis_at(mixed) as connection, pytest.raises(AuthenticationError):
            connection.ping()


def test_nobody_enters_without_the_password(servers: Servers) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        sql(f"postgresql://linernotes:guess@{HOST}:{servers.postgres.port}/linernotes", "SELECT 1")
    with redis_at(f"redis://{HOST}:{servers.broker.port}/0") as broker, pytest.raises(AuthenticationError):
        broker.ping()
    assert stat.S_IMODE((servers.data / "embedded.json").stat().st_mode) == 0o600
    password = json.loads((servers.data / "embedded.json").read_text("ascii"))["password"]
    for server in servers.all:
        assert password not in " ".join(psutil.Process(server.pid).cmdline())


def test_who_comes_second_joins_and_leaves_the_servers_running(servers: Servers) -> None:
    with Servers.start(servers.data) as joined:
        assert not joined.owned
        assert joined.addresses == servers.addresses
        with pytest.raises(EmbeddedError, match="owner"):
            joined.restart_redis()
        with pytest.raises(EmbeddedError, match="owner"):
            joined.discard()
    with redis_at(servers.addresses.redis_url) as redis:
        assert redis.ping()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_killed_owner_takes_its_servers_along_and_a_start_recovers(data: Path, run_python: RunPython) -> None:
    owner = run_python(OWNER, data)
    assert owner.stdout is not None
    pids = json.loads(owner.stdout.readline())
    with Servers.start(data) as joined:
        assert not joined.owned
        write_everywhere(joined, "crash")
    owner.kill()
    with Servers.start(data) as second:
        assert second.owned
        assert gone(pids)
        assert second.addresses == joined.addresses
        assert read_everywhere(second) == ("crash", [b"crash"], [])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_an_owner_that_forgets_to_stop_leaves_nothing_running(data: Path, run_python: RunPython) -> None:
    said, _ = run_python(OWNER, data).communicate()
    assert poll(lambda: gone(json.loads(said)), 60)


def test_a_server_left_running_is_stopped_and_its_port_taken_over(data: Path) -> None:
    with Servers.start(data, durable=False) as first:
        pass
    left = subprocess.Popen(  # noqa: S603 - the wheel's program
        [redis_program(), data / "broker" / "server.conf"], cwd=data / "broker", stdout=subprocess.DEVNULL
    )
    with left, Servers.start(data, durable=False) as second:
        assert left.wait(5) == 0
        assert second.addresses == first.addresses


def test_a_crash_of_postgres_with_its_family_alive_is_recovered(data: Path) -> None:
    with Servers.start(data) as servers:
        write_everywhere(servers, "kept")
        with psycopg.connect(servers.addresses.database_url.replace("+psycopg", "")):
            servers.postgres.kill()
            servers.restart_postgres()
        assert read_everywhere(servers)[0] == "kept"


def test_a_port_that_was_taken_meanwhile_is_replaced(data: Path) -> None:
    with Servers.start(data, durable=False) as first:
        ports = {server.name: server.port for server in first.all}
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind((HOST, ports["broker"]))
        thief.listen()
        with Servers.start(data, durable=False) as second:
            now = {server.name: server.port for server in second.all}
            assert now["broker"] != ports["broker"]
            assert (now["postgres"], now["redis"]) == (ports["postgres"], ports["redis"])
    with Servers.start(data, durable=False) as third:
        assert third.addresses == second.addresses


def test_parts_restart_at_the_same_address(servers: Servers) -> None:
    write_everywhere(servers, "word")
    servers.restart_broker()
    servers.restart_postgres("immediate")
    assert read_everywhere(servers) == ("word", [b"word"], [b"word"])
    servers.restart_redis()
    assert read_everywhere(servers) == ("word", [b"word"], [])
    servers.kill_redis()
    assert servers.redis.died()
    servers.restart_redis()
    with redis_at(servers.addresses.redis_url) as redis:
        assert redis.ping()


def test_a_database_is_cloned_from_a_template_and_dropped(servers: Servers) -> None:
    admin = servers.addresses.database_url
    template = new_database(admin, "template_of_tests")
    sql(template, "CREATE TABLE migrated AS SELECT 42 AS answer")
    clone = new_database(admin, "clone", template="template_of_tests")
    assert sql(clone, "SELECT answer FROM migrated") == [(42,)]
    with psycopg.connect(clone.replace("+psycopg", "")):
        drop_database(admin, "clone")
    drop_database(admin, "clone")
    assert sql(admin, "SELECT datname FROM pg_database WHERE datname = 'clone'") == []


def test_a_server_that_cannot_start_says_why(data: Path) -> None:
    Servers.start(data, durable=False).stop()
    next((data / "postgres" / "data").glob("global/pg_control")).write_bytes(b"")
    with pytest.raises(EmbeddedError, match=r"postgres ended while it started(.|\n)*pg_control"):
        Servers.start(data, durable=False)


def test_a_lost_password_file_is_named(data: Path) -> None:
    Servers.start(data, durable=False).stop()
    (data / "embedded.json").unlink()
    with pytest.raises(EmbeddedError, match=r"embedded\.json is gone"):
        Servers.start(data, durable=False)


def test_temporary_servers_leave_nothing() -> None:
    with temporary_servers() as servers:
        pids = [server.pid for server in servers.all if server.pid]
        assert servers.addresses.environment()["LINERNOTES_REDIS_URL"] == servers.redis.url
    assert gone(pids)
    assert not servers.data.exists()


def test_another_redis_may_be_asked_for(data: Path, tmp_path: Path) -> None:
    newer = tmp_path / "redis-server"
    newer.symlink_to(redis_program())
    with Servers.start(data, durable=False, redis_server=str(newer)) as servers:
        assert servers.redis.pid
    older = tmp_path / "redis-server-5"
    older.write_text("#!/bin/sh\necho 'Redis server v=5.0.14 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64'\n")
    older.chmod(0o755)
    with pytest.raises(EmbeddedError, match=r"6\.2 or newer"):
        redis_program(str(older))
    with pytest.raises(EmbeddedError, match="no program"):
        redis_program("no-such-redis-server")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands PostgreSQL to another user")
def test_below_a_closed_folder_the_database_stands_in_a_shelter(data: Path) -> None:
    closed = data / "closed"
    closed.mkdir(mode=0o700)
    with Servers.start(closed / "data") as first:
        write_everywhere(first, "sheltered")
        assert (closed / "data" / "postgres").is_symlink()
        assert not first.postgres.home.is_relative_to(data)
        assert first.postgres.home.stat().st_uid != 0
    with Servers.start(closed / "data") as second:
        assert read_everywhere(second) == ("sheltered", [b"sheltered"], [])
        second.discard()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert not second.postgres.home.exists()
    assert not (closed / "data").exists()


def test_ctrl_c_of_the_terminal_does_not_reach_the_servers(servers: Servers) -> None:
    assert all(os.getsid(server.pid or 0) == server.pid for server in servers.all)
    # What Python sets, or what a shell left it with that had put us into its background.
    assert signal.getsignal(signal.SIGINT) in (signal.default_int_handler, signal.SIG_IGN)
