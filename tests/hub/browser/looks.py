"""How a page looks on a desk, in the dark, on a small phone, from right to left: what axe finds, and what runs over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from hub.browser.conftest import settled

DESK, PHONE = {"width": 1200, "height": 900}, {"width": 320, "height": 640}
#: Rules that the colours of a page decide.
COLOURS = ("color-contrast", "link-in-text-block")
#: Beside the usual rules: what can be touched is large enough, or stands alone.
_MORE = {"target-size": {"enabled": True}}
_AXE = Axe().axe_script


def faults(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """What axe finds in a page as it stands, by all its rules or by these."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_AXE)
    options: dict[str, Any] = {"resultTypes": ["violations"], "rules": _MORE}
    if rules:
        options = {"resultTypes": ["violations"], "runOnly": {"type": "rule", "values": list(rules)}}
    found = page.evaluate("options => axe.run(options).then(found => found.violations)", options)
    return [f"{one['id']}: {node['html'][:150]}" for one in found for node in one["nodes"][:3]]


def overflow(page: Page) -> list[str]:
    """Whether a page is wider than the screen."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{wide} px too wide"] if wide > 0 else []


def everywhere(page: Page) -> dict[str, list[str]]:
    """The faults of an open page on a desk, light and dark, and on a phone; where there are none, nothing.

    In the dark only colours can differ: the document is the same, and all rules have just been asked.
    """
    found = {"desk": faults(page) + overflow(page)}
    page.emulate_media(color_scheme="dark")
    found["dark"] = faults(settled(page), COLOURS)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    found["phone"] = faults(settled(page)) + overflow(page)
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    return {way: said for way, said in found.items() if said}
