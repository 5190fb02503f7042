"""How often one address, or one token, may ask: counted in the cache, which all processes share."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from safercities.hub.api.problems import ApiProblem
from safercities.hub.models import Token

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
#: Files that the counts are kept in: a bounded number, however many addresses ask.
_BUCKETS = 512
#: Who is remembered in one of them.
_MOST = 2_000
#: Requests that a process counts by itself before it tells the others: writing a file each time would cost more.
_AT_ONCE = 8


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
    number, _, unit = rate.partition("/")
    window, now = _SECONDS[unit], int(time.time())
    who = f"token:{token.pk}" if token is not None else f"address:{_address(request)}"
    used = _counted(hashlib.sha256(who.encode()).hexdigest(), now // window, window, int(number))
    limit = Limit(int(number), window, used, window - now % window)
    if limit.exceeded:
        problem = ApiProblem("rate-limited", headers={"Retry-After": str(limit.resets)})
        response = problem.response()
        limit.write(response)
        problem.headers |= {name: response.headers[name] for name in ("RateLimit", "RateLimit-Policy")}
        raise problem
    return limit


def _address(request: HttpRequest) -> str:
    """Who asks; of IPv6 the network, since everybody there has as many addresses as they like."""
    text = request.META.get("REMOTE_ADDR", "")
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return address.exploded[:19]
    return str(address)


#: Who → the window, how many were counted here since the others were told, and how many all had counted then.
_own: dict[str, tuple[int, int, int]] = {}


def _counted(who: str, window: int, seconds: int, most: int) -> int:
    """How often somebody has asked in this window, this time among them; a few more where several processes count."""
    since, here, known = _own.get(who, (window, 0, -1))
    if since != window:
        here, known = 0, -1
    here += 1
    if known < 0 or here >= min(_AT_ONCE, max(1, most // 20)):
        known, here = _told(who, window, seconds, here), 0
    if len(_own) > _BUCKETS * 20:
        _own.clear()
    _own[who] = (window, here, known)
    return known + here


def _told(who: str, window: int, seconds: int, more: int) -> int:
    """Add to what all have counted; give the sum."""
    key = f"rate:{window}:{int(who[:8], 16) % _BUCKETS}:{seconds}"
    counts: dict[str, int] = cache.get(key) or {}
    counts[who] = counts.get(who, 0) + more
    if len(counts) > _MOST:
        counts = {who: counts[who]}
    cache.set(key, counts, timeout=seconds + 1)
    return counts[who]


def forget() -> None:
    """What this process counted; for tests."""
    _own.clear()
