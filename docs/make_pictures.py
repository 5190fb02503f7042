"""Walks through the tutorial of the workbench in a browser, and takes its pictures: `python -m docs.make_pictures`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from docs.make_tutorials import files_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

DOCS = Path(__file__).parent
PICTURES = DOCS / "images"
SIZE = {"width": 1100, "height": 760}
#: Milliseconds that a job of the small files may take.
PATIENCE = 120_000
_PASSWORD = "a made-up city with a river"  # noqa: S105 - of a hub that is gone after the walk
_LINK = re.compile(r"http://\S+/account/password/reset/\S+")
_ADDRESS = re.compile(r"The hub is at (http://\S+)")
Shot = Callable[[str], None]


@contextmanager
def hub(home: Path) -> Iterator[tuple[str, str]]:
    """A hub of its own, as the tutorial starts it; its address, and the link for the first administrator."""
    words = [sys.executable, "-m", "safercities", "serve", "--home", str(home), "--port", "0", "--no-browser"]
    others = ("SAFERCITIES_", "DJANGO_")  # settings of whoever runs this are none of the tutorial's
    environment = {name: text for name, text in os.environ.items() if not name.startswith(others)}
    log = home.with_name(f"{home.name}.log")
    with log.open("wb") as out:
        running = subprocess.Popen(words, env=environment, stderr=out, start_new_session=True)  # noqa: S603 - our own program
    try:
        yield _said(running, log)
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(60)


def _said(running: subprocess.Popen[bytes], log: Path) -> tuple[str, str]:
    """What the hub tells at its start."""
    until = time.monotonic() + 120
    while time.monotonic() < until and running.poll() is None:
        said = log.read_text(encoding="utf-8")
        address, link = _ADDRESS.search(said), _LINK.search(said)
        if address and link and "Ctrl-C stops it." in said:
            return address[1].rstrip("/"), link[0]
        time.sleep(0.2)
    raise RuntimeError(f"the hub did not start: {log.read_text(encoding='utf-8')}")


def walk(page: Page, link: str, folder: Path, shot: Shot) -> None:
    """What the tutorial says, step by step."""
    _account(page, link)
    _begin(page)
    _bring(page, folder, shot)
    _places(page)
    _cases(page, shot)
    _people(page)
    _choose(page)
    _run(page, shot)
    _publish(page, shot)


def _account(page: Page, link: str) -> None:
    page.goto(link)
    for name in ("password1", "password2"):
        page.fill(f"input[name={name}]", _PASSWORD)
    page.get_by_role("button", name="Change Password").click()
    page.goto(re.sub(r"/account/.*", "/account/login/", link))
    page.fill("input[name=login]", "admin@localhost")
    page.fill("input[name=password]", _PASSWORD)
    page.get_by_role("button", name="Sign In").first.click()


def _begin(page: Page) -> None:
    page.get_by_role("link", name="Workbench").first.click()
    page.get_by_role("link", name="Begin an observatory").click()
    page.get_by_label("Name of the place").fill("Riverton")
    page.get_by_label("Name in addresses").fill("riverton")
    page.get_by_label("Code of the place").fill("XA-RIV")
    page.get_by_role("button", name="Begin").click()


def _bring(page: Page, folder: Path, shot: Shot) -> None:
    page.locator(".next").get_by_role("link", name="Bring files").click()
    names = ("districts.geojson", "robberies.csv", "people.csv")
    page.set_input_files("#file", [folder / name for name in names])
    page.get_by_role("button", name="Bring them").click()
    page.wait_for_selector("text=3 files are here.")
    shot("files")


def _what(page: Page, file: str, kind: str, name: str = "") -> None:
    """Say what a file holds."""
    page.get_by_role("link", name="Riverton").first.click()
    page.get_by_role("link", name="Files", exact=True).first.click()
    card = page.locator("li.card", has_text=file)
    card.get_by_role("link", name="Say what it holds").click()
    page.check(f"input[value={kind}]")
    if name:
        page.fill("#name", name)
    page.get_by_role("button", name="Go on").click()
    page.wait_for_selector("#mapping")


def _save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("text=Saved.")


def _places(page: Page) -> None:
    _what(page, "districts.geojson", "geography")
    page.get_by_label("Level", exact=True).fill("district")
    page.get_by_label("Code of the place", exact=True).select_option("name")
    _save(page)


def _cases(page: Page, shot: Shot) -> None:
    _what(page, "robberies.csv", "incidents", "robberies")
    page.get_by_label("Order of day and month").select_option(label="Day, month, year")
    page.get_by_label("Period that the file covers").fill("2023/2024")
    page.get_by_label("Number of the case").select_option("number")
    page.get_by_label("One act for all rows").select_option("0401")
    page.get_by_label("What a row counts").select_option(label="Victims")
    page.wait_for_selector(".beside td.read >> text=0401")
    page.locator("#part-preview").evaluate("heading => heading.scrollIntoView()")
    shot("preview")
    _save(page)


def _people(page: Page) -> None:
    _what(page, "people.csv", "population", "people")
    _save(page)


def _choose(page: Page) -> None:
    page.get_by_role("link", name="Riverton").first.click()
    page.locator(".next").get_by_role("link", name="Choose indicators").click()
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
    page.check("input[name=indicators][value='recorded.robbery']")
    for box in page.locator("input[name=by]").all():
        if box.get_attribute("value") in ("sex", "age", "place"):
            box.check()
    page.check("input[name=method][value=suppression]")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("text=Saved.")


def _job(page: Page) -> None:
    """Wait until the work at hand is done."""
    page.wait_for_selector("#job-state.done, #job-state.failed", timeout=PATIENCE)
    if page.locator("#job-state.failed").count():
        raise RuntimeError(page.inner_text("main"))


def _run(page: Page, shot: Shot) -> None:
    page.get_by_role("link", name="Riverton").first.click()
    page.get_by_role("button", name="Check all files").first.click()
    _job(page)
    shot("check")
    page.get_by_role("link", name="Riverton").first.click()
    page.get_by_role("button", name="Measure").first.click()
    _job(page)


def _publish(page: Page, shot: Shot) -> None:
    page.get_by_role("link", name="Riverton").first.click()
    page.get_by_role("link", name="Preview what would be published").first.click()
    page.get_by_role("button", name="Preview the next release").click()
    _job(page)
    page.get_by_role("link", name="See what would be published").click()
    page.get_by_label("Why it should be published").fill("the first numbers of Riverton")
    page.get_by_role("button", name="Publish this").scroll_into_view_if_needed()
    shot("proposal")
    page.get_by_role("button", name="Publish this").click()
    _job(page)
    page.get_by_role("link", name="See the release").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_selector("figure.map canvas")
    page.wait_for_timeout(2_000)  # the map comes into view
    shot("home")


def main() -> None:
    """Take the pictures anew."""
    from playwright.sync_api import sync_playwright

    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser:
        sys.exit("no Chromium on this machine (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        files_of("first-review.md", folder)
        args = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        with hub(folder / "home") as (_, link):
            chromium = playwright.chromium.launch(executable_path=browser, args=args)
            page = chromium.new_page(viewport=SIZE, locale="en", color_scheme="light")
            walk(page, link, folder, lambda name: page.screenshot(path=PICTURES / f"workbench-{name}.png") and None)
            chromium.close()


if __name__ == "__main__":
    main()
