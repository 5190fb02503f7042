"""How often one address, or one token, may ask: counted for all processes together."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from safercities.hub.api.counts import Counts
from safercities.hub.api.problems import ApiProblem
from safercities.hub.models import Token

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True)
class Limit:
    """How often, and how far it is used up."""

    most: int
    window: int
    used: int
    resets: int

    @property
    def exceeded(self) -> bool:
        """Whether it is used up."""
        return self.used > self.most

    def write(self, response: HttpResponseBase) -> None:
        """Say so in the answer (IETF draft-ietf-httpapi-ratelimit-headers-10)."""
        response.headers["RateLimit-Policy"] = f'"default";q={self.most};w={self.window}'
        response.headers["RateLimit"] = f'"default";r={max(self.most - self.used, 0)};t={self.resets}'


def count(request: HttpRequest, token: Token | None) -> Limit:
    """Count this request.

    Raises
    ------
    ApiProblem
        If there were too many.
    """
    rate: str = settings.OPTIONS["RATE_PUBLIC" if token is None else "RATE_TOKEN"]
    limit = counted(f"token:{token.pk}" if token is not None else f"address:{address_of(request)}", rate)
    if limit.exceeded:
        problem = ApiProblem("rate-limited", headers={"Retry-After": str(limit.resets)})
        response = problem.response()
        limit.write(response)
        problem.headers |= {name: response.headers[name] for name in ("RateLimit", "RateLimit-Policy")}
        raise problem
    return limit


def counted(who: str, rate: str) -> Limit:
    """Count what somebody asks for, against a rate as `600/m`; whether it is too much is for the caller to say."""
    number, _, unit = rate.partition("/")
    window, now = _SECONDS[unit], int(time.time())
    end = now - now % window + window
    used = _shared().add(hashlib.sha256(f"{window}:{who}".encode()).digest(), end, now)
    return Limit(int(number), window, used, end - now)


def address_of(request: HttpRequest) -> str:
    """Who asks; of IPv6 the network, since everybody there has as many addresses as they like."""
    return _network(request.META.get("REMOTE_ADDR", ""))


@lru_cache(maxsize=1_000)
def _network(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return address.exploded[:19]
    return str(address)


#: The counts, and the home that they are of.
_counts: tuple[Path, Counts] | None = None
_opening = threading.Lock()


def _shared() -> Counts:
    """The counts of this hub: a file beside what it caches."""
    global _counts
    known = _counts
    if known is not None and known[0] == settings.HOME:
        return known[1]
    with _opening:
        if _counts is None or _counts[0] != settings.HOME:
            if _counts is not None:
                _counts[1].close()
            _counts = (settings.HOME, Counts(Path(settings.HOME) / "cache" / "rates"))
        return _counts[1]


def forget() -> None:
    """What was counted; for tests."""
    _shared().clear()
