"""A newcomer makes a release of a raw CSV, with the keyboard only; a second person approves it; the public reads it."""

from __future__ import annotations

import csv
import io
import re
from itertools import product
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.management import call_command
from playwright.sync_api import Route, expect

from hub import made_observatory
from hub.browser.keyboard import Keyboard
from hub.browser.looks import overflow
from hub.workbench.conftest import quarantine
from safercities.hub.models import Job
from safercities.release.store import FOLDER_VARIABLE

__all__ = ["quarantine"]
CODE = "recorded.robbery"
WORD = "a word that nobody guesses"
#: How often each kind of case stands in the file: year, sex. Three women in 2024 are too few to be told.
CASES = {("2023", "Mujer"): 20, ("2023", "Hombre"): 31, ("2024", "Mujer"): 3, ("2024", "Hombre"): 36}
#: Days and months that can be read two ways: somebody has to say which.
RAW = "Fecha;Sexo;Caso\n" + "".join(
    f"{1 + n % 12:02d}/{1 + n % 7:02d}/{year};{sex};{year}-{sex[0]}{n}\n"
    for (year, sex), many in CASES.items()
    for n in range(many)
)
PEOPLE = "year,sex,people\n" + "".join(f"{year},{sex},60000\n" for year, sex in product((2023, 2024), "FM"))
SEXES = {"Female": "F", "Male": "M", "Unknown": "_U"}


class Person(Keyboard):
    """Somebody at a keyboard, who also has a small phone: no page that they come to may run over there."""

    def look(self) -> None:
        """See this page on the phone, too."""
        wide = self.page.viewport_size
        assert wide
        self.page.set_viewport_size({"width": 320, "height": 640})
        assert not overflow(self.page), self.page.url
        self.page.set_viewport_size(wide)

    def go(self, target: Any) -> None:
        super().go(target)
        self.look()

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True).first

    def link(self, name: str) -> Any:
        return self.page.get_by_role("link", name=name, exact=True).first

    def label(self, name: str) -> Any:
        return self.page.get_by_label(re.compile(rf"^\s*{re.escape(name)}:?\s*$")).first

    def comes_in(self, link: str, name: str) -> None:
        """By the link of an invitation: a word of one's own, then in."""
        self.page.goto(link)
        for field in self.page.locator("input[type=password]").all():
            self.write(field, WORD)
        self.go(self.page.locator("main button[type=submit]").first)
        self.page.goto("/w/")
        self.write(self.page.locator("input[name=login]"), f"{name}@example.org")
        self.write(self.page.locator("input[name=password]"), WORD)
        self.go(self.button("Sign in"))
        expect(self.page.get_by_role("heading", level=1)).to_have_text("Workbench")


def worked(person: Person, button: str) -> None:
    """The job that a button asks for is done by the worker's own code; its page says so by itself.

    What the page asks meanwhile waits: both would use one connection. Only then: where requests can be held back,
    the browser keeps no file of the pages.
    """
    held: list[Route] | None = []

    def wait(route: Route) -> None:
        if held is not None and route.request.headers.get("hx-request"):
            held.append(route)
        else:
            route.continue_()

    person.page.route("**/jobs/**", wait)
    person.go(person.button(button))
    job = made_observatory.run(Job.objects.get(state=Job.State.WAITING))
    assert job.state == Job.State.DONE, (job.message, job.problems)
    asked, held = held, None
    for route in asked:
        route.continue_()
    expect(person.page.locator(".job.done")).to_be_visible()
    person.look()
    person.page.unroute("**/jobs/**", wait)


@pytest.fixture
def person(transactional_db: None, live_server: Any, new_page: Any) -> Any:
    """Makes people."""

    def make() -> Person:
        return Person(new_page(base_url=live_server.url, fresh=True))

    return make


def test_a_newcomer_publishes_a_raw_file(
    person: Any, live_server: Any, new_page: Any, quarantine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = quarantine.parent / "keys"
    keys.mkdir(mode=0o700)
    monkeypatch.setenv(FOLDER_VARIABLE, str(keys))
    said = io.StringIO()
    call_command("createadmin", "ada@example.org", "--name", "Ada", "--address", live_server.url, stdout=said)
    ada = person()
    ada.comes_in(said.getvalue().strip(), "ada")
    begin(ada)
    bring(ada)
    say_what_cases_are(ada)
    say_what_people_are(ada)
    choose_rules(ada)
    for name in ("Check all files", "Measure"):
        worked(ada, name)
        ada.go(ada.link("Back to the observatory"))
    ada.go(ada.link("Preview what would be published"))
    worked(ada, "Preview the next release")
    ada.go(ada.link("See what would be published"))
    ada.write(ada.label("Why it should be published"), "The first numbers of Ribera")
    ada.go(ada.button("Propose this"))
    expect(ada.page.get_by_text("another person has to decide")).to_be_visible()
    proposal = ada.page.url
    approved_by_another(ada, person())
    ada.page.goto(proposal)
    worked(ada, "Publish it")
    ada.go(ada.link("See the release"))
    the_public_reads_what_was_released(person())
    # a letter more in a list asks again, and what was asked for before is let go
    new_page.wrong[:] = [one for one in new_page.wrong if not re.search("htmx:(sendAbort|afterRequest)", one)]


def begin(ada: Person) -> None:
    ada.go(ada.link("Begin an observatory"))
    ada.write(ada.label("Name of the place"), "Ribera")
    ada.write(ada.label("Name in addresses"), "ribera")
    ada.write(ada.label("Code of the place"), "XA-RIB")
    ada.go(ada.button("Begin"))


def bring(ada: Person) -> None:
    ada.go(ada.link("Bring files"))
    ada.to(ada.label("Files to bring"))
    with ada.page.expect_file_chooser() as chooser:
        ada.page.keyboard.press("Space")
    files = {"casos.csv": RAW, "poblacion.csv": PEOPLE}
    chooser.value.set_files(
        [{"name": name, "mimeType": "text/csv", "buffer": text.encode()} for name, text in files.items()]
    )
    ada.press(ada.button("Bring them"))
    expect(ada.page.get_by_text("2 files are here.")).to_be_visible()
    ada.look()


def source(ada: Person, file: str, kind: str, name: str) -> None:
    """From the list of files to the form of a source."""
    ada.page.goto("/w/ribera/files/")
    ada.go(ada.page.locator("li.card", has_text=file).get_by_role("link", name="Say what it holds"))
    ada.tick(ada.page.locator(f"input[value={kind}]"))
    ada.write(ada.label("Short name of the source"), name)
    ada.go(ada.button("Go on"))


def say_what_cases_are(ada: Person) -> None:
    """With a live preview: a problem is seen, corrected, and gone."""
    source(ada, "casos.csv", "incidents", "police")
    counts = ada.page.locator("#counts")
    ada.choose(ada.label("One act for all rows"), "0401")
    expect(ada.page.locator("#preview .told.error")).to_contain_text("can be read as day/month or as month/day")
    ada.choose(ada.label("Order of day and month"), "Day, month")
    expect(counts).to_have_text("90 rows kept, 0 left out")
    ada.choose(ada.label("What a row counts"), "Victims")
    ada.write(ada.label("Period that the file covers"), "2023/2024")
    expect(counts).to_have_text("90 rows kept, 0 left out")
    ada.look()
    ada.go(ada.button("Save"))
    expect(ada.page.get_by_text("Saved.")).to_be_visible()


def say_what_people_are(ada: Person) -> None:
    source(ada, "poblacion.csv", "population", "people")
    expect(ada.page.locator("#counts")).to_have_text("4 rows kept, 0 left out")
    ada.go(ada.button("Save"))
    expect(ada.page.get_by_text("Saved.")).to_be_visible()


def choose_rules(ada: Person) -> None:
    ada.page.goto("/w/ribera/")
    ada.go(ada.link("Choose indicators"))
    ada.tick(ada.page.locator(f'input[value="{CODE}"]'))
    ada.tick(ada.page.locator("input[name=by][value=sex]"))
    ada.tick(ada.page.locator("input[value=suppression]"))
    ada.tick(ada.label("A second person has to approve what is published"))
    ada.go(ada.button("Save"))
    expect(ada.page.get_by_text("Saved.")).to_be_visible()
    ada.page.goto("/w/ribera/")


def approved_by_another(ada: Person, ben: Person) -> None:
    """Ada invites Ben, and gives him the link by a way that she trusts."""
    ada.page.goto("/w/ribera/members/")
    ada.write(ada.label("E-mail address"), "ben@example.org")
    ada.write(ada.label("Name"), "Ben")
    ada.choose(ada.label("Role"), "Reviewer")
    ada.go(ada.button("Invite"))
    ben.comes_in(ada.page.locator("code.secret").inner_text(), "ben")
    ben.go(ben.link("Something waits for your decision"))
    expect(ben.page.get_by_role("table")).to_contain_text("2024")
    ben.go(ben.button("Approve"))
    expect(ben.page.get_by_text("Approved.")).to_be_visible()


def the_public_reads_what_was_released(reader: Person) -> None:
    """Row for row: value, interval, and what is withheld."""
    reader.page.goto("/o/ribera/releases/1/")
    reader.to(reader.link("data.csv"))
    with reader.page.expect_download() as waiting:
        reader.page.keyboard.press("Enter")
    released = list(csv.DictReader(io.StringIO(waiting.value.path().read_text(encoding="utf-8"))))
    shown = []
    for unit, by in product(("victims", "per 100 000"), ("", "sex")):
        state = {"view": "table", "unit": unit, "by": by, "period": "all"}
        reader.page.goto(f"/o/ribera/i/{CODE}/?{urlencode(state)}")
        reader.look()
        rows = reader.page.locator("table.figures tbody tr").evaluate_all(READ)
        # everybody stands in both tables
        shown += [told(unit, *row) for row in rows if not by or row[1] != "Total"]
    assert sorted(shown) == sorted(map(read, released))
    assert {row[-1] for row in shown} == {"published", "withheld"}


#: Of each row its cells: numbers as they are exactly, all else as people read it.
READ = """rows => rows.map(row =>
  [...row.cells].map(cell => cell.querySelector("data")?.value ?? cell.innerText.trim()))"""


def read(row: dict[str, str]) -> tuple[str, ...]:
    """A row of data.csv: unit, period, sex, status, and its numbers where they are told."""
    key = "victims" if row["UNIT_MEASURE"] == "victims" else "per 100 000", row["TIME_PERIOD"], row["SEX"]
    if row["CONF_STATUS"] != "F":
        assert not row["OBS_VALUE"] + row["LOWER_BOUND"] + row["UPPER_BOUND"]
        return (*key, "withheld")
    return (*key, row["OBS_VALUE"], row["LOWER_BOUND"], row["UPPER_BOUND"], "published")


def told(unit: str, period: str, *cells: str) -> tuple[str, ...]:
    """A row of the page's table, in the same order."""
    sex = SEXES.get(cells[0])
    values = cells if sex is None else cells[1:]
    key = unit, period, sex or "_T"
    return (*key, "withheld") if values[0] == "withheld" else (*key, *values[:3], "published")
