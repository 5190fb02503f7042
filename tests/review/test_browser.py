"""The review in a real browser: nothing is cut off at 320 px in any script, nothing is fetched, it prints."""

from __future__ import annotations

import html
import re
import subprocess
from pathlib import Path

import pytest
from tests.review.surveyed import with_survey

from safercities.review.build import render
from tools import chromium_path

OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=5000",
]
#: A page in a frame of so many pixels (windows have a least width); its script writes what it measures into the title.
FRAME = """<!doctype html><iframe id="f" style="width:{width}px;height:900px;border:0" srcdoc="{page}"></iframe><script>
const f = document.getElementById("f");
f.onload = () => {{
  const d = f.contentDocument, e = d.documentElement;
  const asked = f.contentWindow.performance.getEntriesByType("resource").length;
  document.title = `measured ${{e.scrollWidth}} ${{e.clientWidth}} ${{asked}} ${{d.querySelectorAll("svg").length}}`;
}};
</script>"""


@pytest.fixture(scope="session")
def chromium() -> str:
    return chromium_path()


def run(chromium: str, folder: Path, *words: str) -> str:
    options = [*OPTIONS, f"--user-data-dir={folder / 'profile'}", *words]
    return subprocess.run([chromium, *options], capture_output=True, check=True, timeout=120).stdout.decode()


@pytest.mark.parametrize("language", ["en", "es", "ar"])
@pytest.mark.parametrize("width", [320, 1280])
def test_no_page_is_wider_than_the_screen(chromium, city, tmp_path, language, width):
    # every fold open, as on paper: what is inside must fit too
    page = render(with_survey(city.data()), language).replace("<details", "<details open")
    assert 'dir="rtl"' in page or language != "ar"
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(FRAME.format(width=width, page=html.escape(page)), encoding="utf-8")
    measured = re.search(r"measured (\d+) (\d+) (\d+) (\d+)", run(chromium, tmp_path, "--dump-dom", wrapper.as_uri()))
    assert measured
    wide, screen, asked, drawings = map(int, measured.groups())
    assert screen == width
    assert wide <= screen
    assert asked == 0
    assert drawings > 5


def test_it_prints(chromium, city, tmp_path):
    (tmp_path / "review.html").write_text(render(city.data(), "en"), encoding="utf-8")
    run(chromium, tmp_path, f"--print-to-pdf={tmp_path / 'out.pdf'}", (tmp_path / "review.html").as_uri())
    assert (tmp_path / "out.pdf").read_bytes().startswith(b"%PDF")
