"""The tutorial of the workbench, walked in a browser on a hub of its own: from raw files to what anybody reads."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser

from hub.operate.made_hub import without

ROOT = Path(__file__).parents[3]


def _pictures() -> ModuleType:
    """The script beside the docs, as `python -m docs.make_pictures` finds it."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return importlib.import_module("docs.make_pictures")


def test_the_tutorial_of_the_workbench_leads_to_what_it_says(
    tmp_path: Path, chromium: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", without())
    tutorial = _pictures()
    tutorial.files_of("first-review.md", tmp_path)
    with tutorial.hub(tmp_path / "home") as (address, link):
        page, seen = chromium.new_page(viewport=tutorial.SIZE, locale="en"), list[str]()
        page.set_default_timeout(60_000)  # a whole hub works beside the browser
        tutorial.walk(page, link, tmp_path, seen.append)
        page.goto(f"{address}/o/riverton/i/recorded.robbery/?view=table&level=district")
        districts = page.locator("table.figures tbody tr").all_inner_texts()
        page.goto(f"{address}/o/riverton/")
        told = page.inner_text(".sentences")
        page.close()
    assert len(districts) == 3
    assert all("withheld" in row for row in districts)
    (release,) = (tmp_path / "home" / "observatories" / "riverton" / "releases").glob("2*")
    rows = pq.read_table(release / "estimates.parquet").to_pylist()
    rates = {row["period"]: row for row in rows if row["value"] is not None and row["unit"] == "per 100 000"}
    assert set(rates) == {"2023", "2024"}
    assert f"{rates['2024']['value']:.1f} per 100,000" in told
    assert f"{rates['2024']['lower']:.1f} to {rates['2024']['upper']:.1f}" in told
    pictures = {path.stem.removeprefix("workbench-") for path in (ROOT / "docs" / "images").glob("workbench-*.png")}
    assert set(seen) == pictures
