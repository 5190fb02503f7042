"""Gives answers that are kept before Django is asked: most of what such an answer costs is the way through Django."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIRequest
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse

from safercities.hub import kept
from safercities.hub.middleware import Requests, Respond, TrustedProxies
from safercities.hub.operate.metrics import Measured

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Front:
    """A WSGI application around that of Django. What it gives is what `kept.Kept` would give, with the same around it.

    Parameters
    ----------
    django
        Answers all that is not kept.
    """

    def __init__(self, django: Application) -> None:
        self.django = django
        self._proxies = TrustedProxies(_given)
        # as the settings have them around `Kept`
        answer = cast(Respond, convert_exception_to_response(_given))
        self._around = cast(Respond, convert_exception_to_response(Requests(Measured(answer))))

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer."""
        request = _Request({**environ})  # Django reads the address out of it once more
        self._proxies.settle(request)
        try:
            close_old_connections()  # as at the start of each of Django's requests
            request.found = kept.find(request)
        except Exception:  # whatever it is, Django meets it too, and tells it
            request.found = None
        if request.found is None:
            return self.django(environ, start_response)
        response = self._around(request)
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        return [response.content]


class _Request(WSGIRequest):
    found: kept.Answer | None = None


def _given(request: HttpRequest) -> HttpResponse:
    return request.found.again(request)  # type: ignore[attr-defined, no-any-return]
