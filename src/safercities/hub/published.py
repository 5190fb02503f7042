"""The published figures of an observatory, as pages and the API ask for them, and how they are kept up to date."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import connection

import safercities
from safercities.hub.figures import Figures, build
from safercities.hub.figures.current import POINTER, has_index
from safercities.hub.models import Observatory
from safercities.hub.models.shelf import sync
from safercities.reviewing import REVIEWS


def index(observatory: Observatory) -> Path:
    """Folder of its index."""
    return Path(settings.HOME) / "figures" / observatory.slug


def figures(observatory: Observatory) -> Figures | None:
    """What is published of it; None before the first release."""
    folder = index(observatory)
    found = Figures.open(folder) if has_index(folder) else None
    return found if found is not None and found.version else None  # an index may be of no releases at all


def refresh(observatory: Observatory) -> None:
    """Verify the releases on disk, and have pages and the API show them. Slow for large ones: for jobs.

    Raises
    ------
    SafercitiesError
        If a release does not hold; what was shown before goes on being shown.
    """
    from safercities.hub.public.geo import refresh_geo  # it asks for what is published

    build(index(observatory), sync(observatory))
    refresh_geo(observatory)


def state(slug: str | None) -> str:
    """Changes with everything that public pages of an observatory are made of, besides their address and language.

    That is: what the hub knows of it and of its releases, the index of figures, boundaries, reviews, and the program.
    Whoever keeps an answer takes it before the answer is made: what changes meanwhile makes the answer old at once.
    None stands for all public observatories. Of one that is not public, or not there, it is empty: nothing is kept.
    """
    with connection.cursor() as cursor:
        cursor.execute(_question(connection.vendor, slug is None), () if slug is None else (slug,))
        rows = cursor.fetchall()
    if slug is not None and not (rows and rows[0][4]):
        return ""
    parts = [_files(name, folder) for name, folder in dict.fromkeys(row[:2] for row in rows)]
    return hashlib.sha256(repr((safercities.__version__, rows, parts)).encode()).hexdigest()[:32]


@cache
def _question(vendor: str, public: bool) -> str:
    """In SQL, put together once: it is asked with every request, and that would cost ten times what the answer does."""
    found = Observatory.objects.filter(public=True) if public else Observatory.objects.filter(slug="a")
    facts = ("slug", "folder", "name", "place_id", "public", "demo")
    releases = ("shelf__identity", "shelf__withdrawn", "shelf__received")
    query = found.order_by("slug", "shelf__number").values_list(*facts, *releases).query
    return query.sql_with_params()[0]


def _files(slug: str, folder: str) -> list[object]:
    """When what pages read of files last changed. With each request: texts, since paths would cost a third of it."""
    home = f"{settings.HOME}/figures/{slug}"
    return [_changed(f"{home}/{POINTER}"), _changed(f"{home}/geo"), _changes(f"{folder}/{REVIEWS}")]


def _changes(folder: str) -> list[tuple[str, int]]:
    """Names in a folder, and when they last changed."""
    try:
        return sorted((one.name, one.stat().st_mtime_ns) for one in os.scandir(folder))
    except OSError:
        return []


def _changed(path: str) -> tuple[int, int]:
    """When a file, or what a folder holds, last changed."""
    try:
        found = os.stat(path)  # noqa: PTH116 (a path object costs more than the question)
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_ino)
