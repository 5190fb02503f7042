"""A published city with withheld numbers, made once, and what a page's table says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from html import unescape
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

import safercities
from hub.made_observatory import build
from safercities.hub import published
from safercities.hub.figures import Figures
from safercities.hub.models import Observatory
from safercities.hub.public.geo import refresh_geo
from safercities.publishing import publish
from safercities.release.store import KeyStore

CODE = "recorded.robbery"


@pytest.fixture(scope="session")
def city_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The observatory's folder. Read only."""
    folder = tmp_path_factory.mktemp("indicator")
    build(folder / "city")
    keys = KeyStore.open("XA-MIN", folder / "keys" / "XA-MIN")
    keys.make(date(2025, 1, 1))
    publish(safercities.open(folder / "city"), published=date(2025, 3, 1), keys=keys)
    return folder / "city"


@pytest.fixture
def mini(db: None, city_folder: Path) -> Observatory:
    """A public observatory with a release, its index and its boundaries: made once, they stay in the tests' home."""
    made = Observatory.objects.create(slug="hamlet", name="Mini", place_id="XA-MIN", folder=str(city_folder))
    if published.figures(made) is None:
        published.refresh(made)
        refresh_geo(made)
    return made


def figures_of(observatory: Observatory) -> Figures:
    """What is published of it."""
    found = published.figures(observatory)
    assert found is not None
    return found


@dataclass(frozen=True)
class Shown:
    """A row of a page's table: number of the row, its cells as people read them, and its numbers exactly."""

    row: int
    cells: tuple[str, ...]
    numbers: tuple[float, ...]


def shown(html: str) -> list[Shown]:
    """The rows of a page's table."""
    found = []
    for number, body in re.findall(r'<tr data-row="(\d+)">(.*?)</tr>', html, re.DOTALL):
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", body, re.DOTALL)
        texts = tuple(" ".join(unescape(re.sub(r"<[^>]+>", "", cell)).split()) for cell in cells)
        numbers = tuple(float(value) for value in re.findall(r'<data value="([^"]+)"', body))
        found.append(Shown(int(number), texts, numbers))
    return found


def states(figures: Figures, code: str) -> Iterator[Mapping[str, Any]]:
    """Queries whose tables together hold every row of an indicator."""
    info = figures.indicators[code]
    dimensions = list(info.dimensions)
    series = {(one["source"], one["unit"], one["method"]) for one in _series(figures, code)}
    for (source, unit, method), level in product(sorted(series, key=repr), info.levels):
        for mask in product((False, True), repeat=len(dimensions)):
            by = [name for name, wanted in zip(dimensions, mask, strict=True) if wanted]
            named = {"source": source, "unit": unit or "_Z", "method": method or "_Z"}
            yield {"view": "table", "level": level, "period": "all", "by": by, **named}


def _series(figures: Figures, code: str) -> list[dict[str, Any]]:
    from safercities.hub.figures import Query

    return figures.rows(Query([code]), columns=["source", "unit", "method"]).to_pylist()


def every_row(client: Client, slug: str, figures: Figures, code: str) -> dict[int, Shown]:
    """Row number → the row as some page shows it, from all pages of all states."""
    found: dict[int, Shown] = {}
    for state in states(figures, code):
        address = f"/o/{slug}/i/{code}/?{urlencode(state, doseq=True)}"
        while address:
            html = client.get(address).content.decode()
            found |= {one.row: one for one in shown(html)}
            link = re.search(r'<a rel="next" href="([^"]+)"', html)
            address = f"/o/{slug}/i/{code}/{unescape(link[1])}" if link else ""
    return found
