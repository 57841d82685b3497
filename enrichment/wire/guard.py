"""No request to a private address, whatever a URL, a redirect or a name server says.

The check stands where the connection is made: names are resolved once, every address is looked at, and the connection
goes to the address that was checked, so a name that changes its mind between check and use (DNS rebinding) gains
nothing.
Hosts that the operator named in settings (a mirror, a simulator) are trusted.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterable
from urllib.parse import urlsplit

import httpcore
import httpx


class PrivateAddress(httpcore.ConnectError):
    """The host resolves to an address that is not public."""


class GuardedBackend(httpcore.SyncBackend):
    """Connects to public addresses and to trusted hosts only."""

    def __init__(self, trusted: Iterable[tuple[str, int]]) -> None:
        """trusted: (host, port) pairs named by the operator."""
        self._trusted = frozenset(trusted)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first public address of this host. Raises PrivateAddress where any of them is not."""
        address = host if (host, port) in self._trusted else public_address(host, port)
        return super().connect_tcp(address, port, timeout, local_address, socket_options)


def public_address(host: str, port: int) -> str:
    """The host's first address. Raises PrivateAddress where any of its addresses is not public."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        # A scope ("fe80::1%eth0") is no part of the address.
        ip = _within(ipaddress.ip_address(address.partition("%")[0]))
        if not ip.is_global or ip.is_multicast:
            raise PrivateAddress(f"{host} is at {address}, which is not a public address")
    return addresses[0]


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _within(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address that an IPv6 one leads to, mapped, by 6to4 or by NAT64: it is as private there as it is here."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def trusted_hosts(urls: Iterable[str]) -> set[tuple[str, int]]:
    """(host, port) of each URL."""
    parts = [urlsplit(url) for url in urls]
    return {
        (part.hostname, part.port or (443 if part.scheme == "https" else 80))
        for part in parts
        if part.hostname is not None
    }


def guarded_transport(trusted_urls: Iterable[str]) -> httpx.HTTPTransport:
    """A pooled transport behind the guard, without proxies and without retries of its own."""
    transport = httpx.HTTPTransport(trust_env=False, retries=0)
    # httpx has no parameter for httpcore's network backend, which is the one place that sees addresses.
    transport._pool = httpcore.ConnectionPool(  # noqa: SLF001 - see above
        ssl_context=ssl.create_default_context(),
        max_connections=None,
        max_keepalive_connections=64,
        keepalive_expiry=30.0,
        network_backend=GuardedBackend(trusted_hosts(trusted_urls)),
    )
    return transport
