"""Sends a message to an address that somebody gave: https only, to public addresses only, without following anything.

The name is resolved once, every address of it is checked, and the connection goes to one of those: a name that means
something else a moment later (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

#: Seconds without a word, and in all: who answers letter by letter must not hold up whoever waits for the worker.
TIMEOUT, WHOLE = 10.0, 30.0
_MOST_BACK = 65_536
#: IPv6 addresses that lead to an IPv4 one: NAT64, 6to4, Teredo, IPv4-compatible.
_CARRYING = tuple(IPv6Network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96"))


class RefusedError(Exception):
    """The message was not sent, or not taken. Its text holds nothing of what came back."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is an address that anybody on the internet may have.

    Examples
    --------
    >>> [is_public(ip_address(text)) for text in ("93.184.216.34", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1")]
    [True, False, False, False]
    """
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _CARRYING) or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def resolve(host: str, port: int) -> str:
    """The first address of a host, if all that it has are public.

    Raises
    ------
    RefusedError
        If it has none, or one that is not.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise RefusedError("the name cannot be resolved") from None
    addresses = [str(one[4][0]).partition("%")[0] for one in found]
    if not addresses or not all(is_public(ip_address(text)) for text in addresses):
        raise RefusedError("the address is not a public one")
    return addresses[0]


class _Pinned(http.client.HTTPSConnection):
    """A connection to an address that was checked; certificate and name are those of the host."""

    def __init__(self, host: str, port: int, address: str, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=TIMEOUT, context=context)
        self._address, self._own_context = address, context

        self._tls: ssl.SSLSocket | None = None

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), timeout=TIMEOUT)
        name = self.host
        self._tls = self._own_context.wrap_socket(plain, server_hostname=name, do_handshake_on_connect=False)
        self.sock = self._tls
        self._tls.do_handshake()

    def cut(self) -> None:
        """End it, whatever is waited for; from another thread."""
        if self._tls is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._tls, socket.SHUT_RDWR)


def tls() -> ssl.SSLContext:
    """Certificates are checked against those that this machine trusts."""
    return ssl.create_default_context()


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Send it; the status of the answer, whatever it is.

    Raises
    ------
    RefusedError
        If the address may not be called, or does not answer.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or 443
    except ValueError:
        raise RefusedError("the address is none") from None
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.password:
        raise RefusedError("the address is no plain https one")
    address = resolve(parts.hostname, port)
    connection = _Pinned(parts.hostname, port, address, tls())
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    patience = threading.Timer(WHOLE, connection.cut)
    patience.daemon = True
    patience.start()
    try:
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        answer.read(_MOST_BACK)
        return answer.status
    except ssl.SSLCertVerificationError:
        raise RefusedError("its certificate does not hold") from None
    except (OSError, http.client.HTTPException, ValueError):
        raise RefusedError("it does not answer") from None
    finally:
        patience.cancel()
        connection.close()
