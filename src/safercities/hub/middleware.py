"""What is done around every request: whose word on addresses counts, its id and log line, headers, the language."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable
from functools import wraps
from ipaddress import ip_address, ip_network
from typing import Any

from csp.constants import NONE
from csp.decorators import csp_replace
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language_bidi

from safercities.hub.logs import FACTS, request_id

View = Callable[..., HttpResponseBase]
Respond = Callable[[HttpRequest], HttpResponse]
log = logging.getLogger(__name__)
_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT")
_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
#: Things that a page could ask of a device: none of ours does.
PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()"


class TrustedProxies:
    """Takes a proxy's word on who asks, and how, where it is one of ours; else drops what claims to be it."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response
        self.networks = [ip_network(text) for text in settings.TRUSTED_PROXIES]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Set REMOTE_ADDR to the visitor's address."""
        self.settle(request)
        return self.get_response(request)

    def settle(self, request: HttpRequest) -> None:
        """Take the word, or drop it."""
        if self._ours(request.META.get("REMOTE_ADDR", "")):
            request.META["REMOTE_ADDR"] = self._visitor(request)
        else:
            for name in _FORWARDED:
                request.META.pop(name, None)

    def _ours(self, text: str) -> bool:
        if not self.networks:
            return False
        try:
            address = ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in self.networks)

    def _visitor(self, request: HttpRequest) -> str:
        """From the right, the first that is none of our proxies: what stands left of it, anybody may have written."""
        here = str(request.META["REMOTE_ADDR"])
        for part in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            try:
                here = str(ip_address(part.strip()))
            except ValueError:
                return here
            if not self._ours(here):
                break
        return here


class Requests:
    """Gives every request an id, which the answer and each log line carry; logs it by its route, never its path."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, and log how that went."""
        given = request.headers.get("X-Request-ID", "") if "HTTP_X_FORWARDED_FOR" in request.META else ""
        name = given if _ID.fullmatch(given) else secrets.token_hex(8)
        token, began = request_id.set(name), time.perf_counter()
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = name
            match = request.resolver_match
            facts = {
                "method": request.method if request.method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") else "",
                "route": match.route if match else "",
                "status": response.status_code,
                "ms": round(1000 * (time.perf_counter() - began), 1),
            }
            log.info("request", extra={FACTS: facts})
            return response
        finally:
            request_id.reset(token)


class Headers:
    """Headers that Django does not know. Pages of people who are signed in stay out of caches."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add what the answer does not say itself."""
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if settings.SESSION_COOKIE_NAME in request.COOKIES and not request.path.startswith(settings.STATIC_URL):
            said = response.headers.get("Cache-Control", "")
            if not said:
                response["Cache-Control"] = "private, no-store"
            elif "no-store" not in said and "private" not in said:  # a page for all, but with somebody's name on it
                response["Cache-Control"] = "private, no-cache"
        return response


def embeddable(view: View) -> View:
    """For views that other sites may show in a frame: pages for reading, without forms and without an account."""

    @wraps(view)
    def framed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        response.xframe_options_exempt = True  # type: ignore[attr-defined]  # as Django's own decorator does
        return response

    return csp_replace({"frame-ancestors": ["*"], "form-action": [NONE]})(framed)


class ChosenLanguage:
    """`?lang=` chooses the language, for this page and, by a cookie, for those that follow."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Put the choice where Django's LocaleMiddleware looks, and keep it."""
        lang = request.GET.get("lang", "")
        chosen = lang if lang in dict(settings.LANGUAGES) else ""
        if chosen:
            request.COOKIES[settings.LANGUAGE_COOKIE_NAME] = chosen
        response = self.get_response(request)
        if chosen:
            response.set_cookie(
                settings.LANGUAGE_COOKIE_NAME,
                chosen,
                max_age=settings.LANGUAGE_COOKIE_AGE,
                secure=settings.LANGUAGE_COOKIE_SECURE,
                httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
                samesite="Lax",
            )
        if response.headers.get("Content-Language"):
            patch_vary_headers(response, ("Cookie",))
        return response


def about_hub(request: HttpRequest) -> dict[str, Any]:
    """What every template may know: languages with their links, direction, whether mail and the demo are on."""
    query = request.GET.copy()
    languages = []
    for code, name in settings.LANGUAGES:
        query["lang"] = code
        languages.append({"code": code, "name": name, "href": f"?{query.urlencode()}"})
    return {
        "hub": {
            "languages": languages,
            "dir": "rtl" if get_language_bidi() else "ltr",
            "mail": settings.MAIL,
            "demo": settings.DEMO,
            "sign_up": settings.SIGN_UP,
        }
    }
