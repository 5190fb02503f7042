"""The page in place of another one, where an observatory.toml cannot be read: what is wrong, and where."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from safercities.hub.models import Observatory
from safercities.hub.workbench.preview import tell
from safercities.model.errors import SafercitiesError

View = Callable[..., HttpResponseBase]


def readable(view: View) -> View:
    """For views that need the settings: where these are broken, the page says so."""

    @wraps(view)
    def told(request: HttpRequest, *args: Any, observatory: Observatory, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, observatory=observatory, **kwargs)
        except SafercitiesError as error:
            context = {"observatory": observatory, "told": [tell(one) for one in error.problems]}
            return render(request, "hub/work/broken.html", context, status=409)

    return told
