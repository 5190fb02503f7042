"""The State of Safety reviews that were made of releases; those of an office's own numbers are private, and stay so."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from csp.constants import NONE
from csp.decorators import csp_replace
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from safercities.hub.access import Right, View, need
from safercities.hub.models import Observatory
from safercities.hub.public import wording
from safercities.hub.public.page import link
from safercities.reviewing import PUBLISHED, REVIEWS

_FOLDER = re.compile(rf"([0-9A-Z_-]{{4,40}})-{PUBLISHED}")
_FILE = re.compile(r"review(?:\.([a-z]{2,3}(?:-[A-Za-z]{2,8})?))?\.html")
#: Larger pages are none of ours.
MAX_BYTES = 64 * 2**20
#: What a review brings is in it: styles and drawings. It runs nothing and asks nobody.
_POLICY = {"style-src": ["'unsafe-inline'"], "img-src": ["data:"], "script-src": [NONE], "sandbox": ["allow-popups"]}


@dataclass(frozen=True)
class Review:
    """A review in one language; an empty one is the observatory's first language."""

    period: str
    language: str
    address: str


def reviews(observatory: Observatory) -> list[Review]:
    """The public reviews of an observatory, the newest first."""
    folder = observatory.path / REVIEWS
    if not observatory.shelf.exists() or not folder.is_dir():
        return []
    found: list[Review] = []
    for name in sorted((one.name for one in folder.iterdir() if _FOLDER.fullmatch(one.name)), reverse=True):
        for file in sorted((one.name for one in (folder / name).iterdir()), key=_main_first):
            if match := _FILE.fullmatch(file):
                period = name.removesuffix(f"-{PUBLISHED}")
                address = link("review", observatory, period=period, file=file)
                found.append(Review(wording.plain().period(period.replace("_", "/")), match[1] or "", address))
    return found


def _main_first(file: str) -> tuple[bool, str]:
    """`review.html`, of the first language, before those that name theirs."""
    return file.count(".") > 1, file


def _alone(view: View) -> View:
    """Under a policy of its own: `csp_replace` is typed for views without arguments only."""
    return cast(View, csp_replace(_POLICY)(cast(Any, view)))


@require_safe
@need(Right.SEE_RELEASES)
@_alone
def review(request: HttpRequest, *, observatory: Observatory, period: str, file: str) -> HttpResponseBase:
    """`/o/<slug>/review/<period>/<file>`: one page that holds all it needs."""
    name = f"{period}-{PUBLISHED}"
    if not _FOLDER.fullmatch(name) or not _FILE.fullmatch(file) or not observatory.shelf.exists():
        raise Http404
    response = HttpResponse(_read(observatory.path / REVIEWS / name, file), content_type="text/html; charset=utf-8")
    response.headers["Cache-Control"] = "no-cache"
    patch_vary_headers(response, ("Cookie",))
    return response


def _read(folder: Path, file: str) -> bytes:
    """A page, never through a link."""
    if folder.is_symlink():
        raise Http404
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(folder / file, flags)
    except OSError:
        raise Http404 from None
    with os.fdopen(handle, "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
            raise Http404
        return stream.read(MAX_BYTES)
