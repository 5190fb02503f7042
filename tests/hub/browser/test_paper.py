"""Pages on paper: no navigation, nothing cut off, every row of every table."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hub.browser.conftest import settled
from safercities.hub.models import Observatory
from tools import tool

CODE = "recorded.robbery"
#: Width (px) of what is printed on A4, between the margins of hub.css.
PAPER = {"width": 680, "height": 960}
PAGES = {
    "home": "/o/haven/",
    "table": f"/o/haven/i/{CODE}/?view=table&level=neighbourhood&by=sex&period=all&unit=victims",
    "chart": f"/o/haven/i/{CODE}/?view=chart&by=sex",
    "release": "/o/haven/releases/2/",
}
#: What runs over, or is cut off by what holds it.
CUT = """() => [...document.querySelectorAll("main *")].filter((one) => {
  const box = one.getBoundingClientRect(), hides = getComputedStyle(one).overflowX !== "visible";
  return one.checkVisibility() && box.width > 1 && (box.right > innerWidth + 1 || box.left < -1
    || (hides && one.scrollWidth > one.clientWidth + 1));
}).map((one) => one.outerHTML.slice(0, 100))"""
#: Every cell that has a text, in the order of the document.
CELLS = """() => [...document.querySelectorAll("main table tbody :is(td, th)")]
  .map((one) => one.textContent.trim()).filter(Boolean)"""


@pytest.mark.parametrize("name", PAGES)
def test_paper_shows_all_numbers_and_no_controls(
    name: str, haven: Observatory, live_server: Any, new_page: Any, tmp_path: Path
) -> None:
    page = new_page(locale="en", viewport=PAPER)
    page.goto(live_server.url + PAGES[name])
    page.emulate_media(media="print")
    settled(page)
    gone = page.locator("header.site nav, .tools, .crumbs, .actions, .views, aside, form, button, select, .skip")
    assert not [one.inner_text() for one in gone.all() if one.is_visible()]
    assert not page.evaluate(CUT)
    assert page.get_by_role("heading", level=1).is_visible()
    said = text(page.pdf(), tmp_path)
    assert "Skip to the content" not in said
    missing = [one for one in map(flat, page.evaluate(CELLS)) if one not in said]
    assert not missing


def flat(words: str) -> str:
    """Without spaces and breaks, which paper has elsewhere."""
    return re.sub(r"[\s\u00ad\u200b]+", "", words)


def text(pdf: bytes, folder: Path) -> str:
    """What a PDF says."""
    program = tool("no pdftotext here (Debian: apt-get install poppler-utils)", "pdftotext")
    (folder / "page.pdf").write_bytes(pdf)
    run = [program, "-raw", str(folder / "page.pdf"), "-"]
    return flat(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
