"""A page that is used with the keyboard only: at each stop the focus must be seen."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

#: Whether the element that has the focus is this one, and what is wrong with how the focus shows. What only a link
#: leads to (the content, past the navigation) shows none.
STOP = """(target) => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect(), wrong = [];
  if (one === document.body || one.tabIndex < 0) return [false, ""];
  if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) wrong.push("no outline");
  if (!box.width || !box.height || box.bottom <= 0 || box.top >= innerHeight) wrong.push("out of sight");
  else {
    const x = Math.min(Math.max(box.left + Math.min(box.width, 40) / 2, 0), innerWidth - 1);
    const y = Math.min(Math.max((Math.max(box.top, 0) + Math.min(box.bottom, innerHeight)) / 2, 0), innerHeight - 1);
    const above = document.elementFromPoint(x, y);
    if (above && !one.contains(above) && !above.contains(one)) wrong.push(`under ${above.outerHTML.slice(0, 60)}`);
  }
  return [one === target, wrong.length ? `${one.outerHTML.slice(0, 120)}: ${wrong.join(", ")}` : ""];
}"""

#: Whether this is in the content of a page in which nothing has the focus yet: there is a link that skips the rest.
SKIPS = """(target) => document.activeElement === document.body && !!document.querySelector("a.skip")
  && document.querySelector("main").contains(target)"""


class Keyboard:
    """Moves with Tab, and acts with Enter, Space, letters and arrows."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def to(self, target: Locator, key: str = "Tab") -> Locator:
        """Move on until an element has the focus; the focus must show wherever it stops."""
        handle = target.element_handle()
        if self.page.evaluate(SKIPS, handle):
            self.page.keyboard.press("Tab")
            self.page.keyboard.press("Enter")
        for _ in range(300):
            here, wrong = self.page.evaluate(STOP, handle)
            assert not wrong, wrong
            if here:
                return target
            self.page.keyboard.press(key)
        raise AssertionError(f"the keyboard does not reach {target}")

    def press(self, target: Locator, key: str = "Enter") -> None:
        """Follow a link, press a button."""
        self.to(target)
        self.page.keyboard.press(key)

    def go(self, target: Locator) -> None:
        """Follow a link or press a button that leads to another page."""
        self.to(target)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def tick(self, target: Locator) -> None:
        """Tick a box; choose one of several by the arrows."""
        if target.get_attribute("type") != "radio":
            return self.press(target, "Space")
        first = self.page.locator(f'input[name="{target.get_attribute("name")}"]')
        chosen = first.and_(self.page.locator(":checked"))
        self.to(chosen if chosen.count() else first.first)
        self.page.keyboard.press("Space")
        for _ in range(first.count()):
            if target.is_checked():
                return None
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"the arrows do not choose {target}")

    def write(self, target: Locator, text: str) -> None:
        """Write into a field instead of what is there."""
        self.to(target)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)

    def choose(self, target: Locator, text: str) -> None:
        """Choose from a list by the first letters of an entry."""
        self.to(target)
        self.page.keyboard.type(text)
        label = target.evaluate("one => one.selectedOptions[0]?.label ?? ''")
        assert label.startswith(text), label
