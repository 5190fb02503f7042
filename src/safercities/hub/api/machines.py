"""Answers machines without what pages need: sessions, cookies, languages, messages, protection of forms."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils.translation import activate

#: Addresses of machines. What is below them tells its problems by itself.
PREFIXES = ("/api/v1/", "/sdmx/")


class Machines:
    """Calls the view at once. So answers differ by no cookie and no language, and caches may give one to everybody."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer."""
        if not request.path_info.startswith(PREFIXES):
            return self.get_response(request)
        try:
            match = resolve(request.path_info)
        except Resolver404:  # the interface is not offered here
            return self.get_response(request)
        activate("en")  # else texts would be in the language of whoever was answered before by this thread
        request.resolver_match = match
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        return response
