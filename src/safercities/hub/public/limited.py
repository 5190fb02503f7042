"""Files that take a while to make: so many for one address and no more, or one reader would keep all others waiting."""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from safercities.hub.access import View
from safercities.hub.api.limits import Limit, address_of, counted


class TooMany(Exception):
    """Somebody asks for more than their share.

    Parameters
    ----------
    limit
        What the share is, and when it begins anew.
    """

    def __init__(self, limit: Limit) -> None:
        super().__init__("too many files")
        self.limit = limit


def spend(request: HttpRequest) -> None:
    """Count a file that is made for whoever asks.

    Raises
    ------
    TooMany
        If there were too many.
    """
    limit = counted(f"file:{address_of(request)}", settings.OPTIONS["RATE_FILES"])
    if limit.exceeded:
        raise TooMany(limit)


def limited(view: View) -> View:
    """For views that `spend`: whoever asks for too much is told so, and when to ask again."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except TooMany as error:
            response = render(request, "hub/429.html", status=429)
            response.headers["Retry-After"] = str(error.limit.resets)
            response.headers["Cache-Control"] = "no-store"
            error.limit.write(response)
            return response

    return answered
