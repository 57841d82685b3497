"""No request to a private address."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpcore
import httpx
import pytest

from enrichment.wire.guard import GuardedBackend, PrivateAddress, guarded_transport, public_address, trusted_hosts

PRIVATE = [
    "127.0.0.1",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 - an address to be refused
    "224.0.0.1",
    "::1",
    "::",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "2002:a00:1::",
    "64:ff9b::a00:1",
    "127.1",
    "2130706433",
    "localhost",
]


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_are_refused(host: str) -> None:
    with pytest.raises((PrivateAddress, httpcore.ConnectError)):
        public_address(host, 80)


@pytest.mark.parametrize("host", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_ones_pass(host: str) -> None:
    assert public_address(host, 80) == host


def test_a_host_whose_addresses_are_not_all_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name servers are a part of the world that is faked, as upstreams are."""
    entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("93.184.215.14", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: entries)
    with pytest.raises(PrivateAddress, match=r"mixed.test is at 10\.0\.0\.1"):
        public_address("mixed.test", 80)


@pytest.fixture
def listener() -> Iterator[int]:
    """A server on this machine that would answer; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_host_that_the_operator_named_is_trusted(listener: int) -> None:
    backend = GuardedBackend(trusted_hosts([f"http://127.0.0.1:{listener}/musicbrainz"]))
    backend.connect_tcp("127.0.0.1", listener, timeout=2).close()
    with pytest.raises(PrivateAddress):
        backend.connect_tcp("127.0.0.1", listener + 1, timeout=2)
    with pytest.raises(PrivateAddress):
        backend.connect_tcp("localhost", listener, timeout=2)


def test_it_stands_where_the_connection_is_made(listener: int) -> None:
    with httpx.Client(transport=guarded_transport(["http://mirror.test"])) as client:
        with pytest.raises(httpx.ConnectError, match="not a public address") as caught:
            client.get(f"http://127.0.0.1:{listener}/")
        assert isinstance(caught.value.__cause__, PrivateAddress)


def test_default_ports() -> None:
    assert trusted_hosts(["http://a.test", "https://b.test/x", "http://c.test:81"]) == {
        ("a.test", 80),
        ("b.test", 443),
        ("c.test", 81),
    }
