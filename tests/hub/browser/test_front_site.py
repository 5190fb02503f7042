"""What the scripts of every page and of the workbench add: each works with the keyboard, and nothing is evaluated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from hub.browser.static_site import STATIC, StaticSite

OPTIONS = "".join(f"<option value='{name[:3]}'>{name}" for name in ("Choose", "Medellín", "Bogotá", "Santa Marta"))
SELECT = (
    "<form><label for=s>City</label><select id=s name=city data-combobox data-none='No city' data-found='{n} cities'>"
    f"{OPTIONS}</select><button>Go</button></form>"
)


@pytest.fixture
def opened(site: StaticSite, new_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens a page with the scripts of the workbench."""

    def open_(body: str, **options: object) -> Page:
        page = new_page(**options)
        page.goto(site.page("/", body, "site", "workbench"))
        return page

    return open_


def test_a_long_list_is_filtered_by_typing(opened: Callable[..., Page]) -> None:
    page = opened(SELECT)
    field = page.get_by_role("combobox", name="City")
    field.focus()
    page.keyboard.type("marta san")
    expect(page.get_by_role("option")).to_have_text(["Santa Marta"])
    field.fill("MEDELLIN")
    expect(page.get_by_role("option")).to_have_text(["Medellín"])
    expect(page.locator("form [role=status]")).to_have_text("1 cities")
    page.keyboard.press("Enter")
    expect(field).to_have_value("Medellín")
    page.get_by_role("button").click()
    assert page.url.endswith("?city=Med")


def test_a_list_gives_up_on_escape(opened: Callable[..., Page]) -> None:
    page = opened(SELECT)
    field = page.get_by_role("combobox", name="City")
    field.fill("xyz")
    expect(page.get_by_role("option")).to_have_text("No city")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(field).to_have_value("Choose")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("select").input_value() == "Med"


def test_without_scripts_it_is_a_select(opened: Callable[..., Page]) -> None:
    page = opened(SELECT, java_script_enabled=False)
    page.get_by_label("City").select_option("Bog")
    page.get_by_role("button").click()
    assert page.url.endswith("?city=Bog")


def test_a_menu_closes_on_escape_and_beside_it(opened: Callable[..., Page]) -> None:
    page = opened("<details class=menu><summary>Language</summary><a href='?lang=ar'>العربية</a></details><p>Text</p>")
    menu, summary = page.locator("details"), page.locator("summary")
    summary.press("Enter")
    page.get_by_role("link").focus()
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(summary).to_be_focused()
    summary.click()
    expect(menu).to_have_attribute("open", "")
    page.get_by_text("Text").click()
    expect(menu).not_to_have_attribute("open", "")


def test_a_link_is_copied(opened: Callable[..., Page]) -> None:
    page = opened(
        "<button hidden data-copy='/o/mde/' data-copied='Copied.'>Copy link</button>",
        permissions=["clipboard-read", "clipboard-write"],
    )
    page.get_by_role("button").press("Enter")
    expect(page.get_by_role("status").first).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()").endswith("/o/mde/")


def test_a_dialog_opens_and_gives_the_focus_back(opened: Callable[..., Page]) -> None:
    page = opened(
        "<a href='#d' data-opens=d>Why?</a><dialog id=d><p>So.</p><button data-closes>Close</button></dialog>"
    )
    page.get_by_role("link").press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("link")).to_be_focused()


def test_answers_of_htmx_run_no_scripts(
    opened: Callable[..., Page], site: StaticSite, new_page: Callable[..., Page]
) -> None:
    site.answers["/part"] = (
        "<p id=new hx-on:click='window.bad = 1'>New</p><script>window.bad = 1</script><img src=/static/icon.svg alt=''>"
    )
    page = opened("<button hx-get=/part hx-target=#here>Get</button><div id=here></div>")
    page.evaluate("() => { window.taken = new Promise((done) => addEventListener('htmx:load', done, {once: true})) }")
    page.get_by_role("button").click()
    page.evaluate("() => window.taken.then(() => true)")  # htmx has taken in what came
    with page.expect_console_message():
        page.locator("#new").click()
    assert page.evaluate("window.bad") is None
    assert page.locator("style").count() == 0  # htmx wrote none
    assert new_page.wrong == ["error: htmx:evalDisallowedError"]  # type: ignore[attr-defined]
    new_page.wrong.clear()  # type: ignore[attr-defined]


def test_what_changes_is_sent_with_the_token(opened: Callable[..., Page], site: StaticSite) -> None:
    site.answers["/save"] = "saved"
    page = opened(
        "<input type=hidden name=csrfmiddlewaretoken value=secret>"
        "<button hx-post=/save hx-vals='{\"a\": 1}'>Save</button>"
    )
    with page.expect_request("**/save") as sent:
        page.get_by_role("button").click()
    assert sent.value.headers["x-csrftoken"] == "secret"
    expect(page.get_by_text("saved")).to_be_visible()


def test_a_job_is_followed_and_read_out(
    opened: Callable[..., Page], site: StaticSite, new_page: Callable[..., Page]
) -> None:
    site.answers["/job"] = "<p data-announce='Half done'>50 %</p>"
    page = opened("<div data-poll data-lost='Waiting for the hub.' hx-get=/job hx-trigger='every 200ms'></div>")
    line = page.locator("body > [role=status]")
    expect(line).to_have_text("Half done")
    del site.answers["/job"]
    expect(page.get_by_text("Waiting for the hub.")).to_be_visible()
    expect(page.get_by_text("50 %")).to_be_visible()
    site.answers["/job"] = "<p data-announce='All done'>100 %</p>"
    expect(page.get_by_text("100 %")).to_be_visible()
    expect(page.get_by_text("Waiting for the hub.")).to_have_count(0)
    expect(line).to_have_text("All done")
    new_page.wrong[:] = [text for text in new_page.wrong if "404" not in text]  # type: ignore[attr-defined]


def test_leaving_a_changed_form_asks_first(opened: Callable[..., Page], site: StaticSite) -> None:
    site.answers["/saved"] = "<p>ok"
    page = opened(
        "<form data-unsaved hx-post=/saved hx-target=#said><input name=a aria-label=A><button>Save</button></form>"
        "<p id=said></p><a href=/saved>Away</a>",
        fresh=True,
    )
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.get_by_label("A").fill("new")
    with page.expect_event("dialog"):
        page.get_by_role("link").click(no_wait_after=True)
    assert asked == ["beforeunload"]
    page.get_by_role("button").click()
    expect(page.locator("#said")).to_have_text("ok")
    page.get_by_role("link").click()
    page.wait_for_url("**/saved")
    assert asked == ["beforeunload"]


def test_an_upload_too_large_is_not_sent(opened: Callable[..., Page], site: StaticSite, tmp_path: Path) -> None:
    site.answers["/up"] = "<p>got it"
    page = opened(
        "<form data-upload data-max-bytes=1000 data-too-large='{name} is too large.' data-uploading=Sending "
        "hx-post=/up hx-encoding=multipart/form-data hx-target=#said><input type=file name=f aria-label=File>"
        "<button>Send</button></form><p id=said></p>"
    )
    (tmp_path / "large.csv").write_bytes(b"x" * 2000)
    (tmp_path / "small.csv").write_bytes(b"x" * 200)
    field = page.get_by_label("File")
    field.set_input_files(tmp_path / "large.csv")
    assert field.evaluate("one => one.validationMessage") == "large.csv is too large."
    before = len(site.asked)
    page.get_by_role("button", name="Send").click()
    page.wait_for_timeout(200)
    assert len(site.asked) == before
    field.set_input_files(tmp_path / "small.csv")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#said")).to_have_text("got it")
    assert b"small.csv" in site.asked[-1][2]


def test_nothing_is_evaluated_and_all_licences_are_there() -> None:
    built = STATIC / "built"
    scripts = {path.name: path.read_text(encoding="utf-8") for path in built.glob("*.js")}
    assert scripts
    assert not [name for name, text in scripts.items() if "sourceMappingURL" in text]
    site = next(text for name, text in scripts.items() if name.startswith("site-"))
    assert "eval(" not in site.replace("maybeEval(", "")
    notices = (built / "third-party-notices.txt").read_text(encoding="utf-8")
    for name in ("maplibre-gl", "vega", "vega-lite", "htmx.org", "pmtiles", "earcut", "d3-scale"):
        assert f"\n{name} " in notices


def test_the_lock_of_the_front_end_holds_no_address() -> None:
    lock = (Path(__file__).parents[3] / "frontend" / "package-lock.json").read_text(encoding="utf-8")
    assert "://" not in lock
    assert '"integrity"' in lock
