"""Every kind of page: no fault that axe finds, no sideways scrolling on a small phone, in both directions of script."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pytest
from django.urls import resolve
from playwright.sync_api import Page

from hub import made_observatory
from hub.browser.conftest import settled, sign_in
from hub.browser.looks import DESK, PHONE, everywhere, faults, overflow
from hub.conftest import MakeUser
from hub.test_matrix import ALL
from hub.workbench.conftest import MESSY
from safercities.config import write_template
from safercities.hub.jobs import queue
from safercities.hub.models import Job, Observatory, Proposal, Role

CODE = "recorded.robbery"
PUBLIC = [
    "/",
    "/o/haven/",
    "/o/haven/indicators/",
    f"/o/haven/i/{CODE}/?view=chart",
    f"/o/haven/i/{CODE}/?view=table&level=neighbourhood&by=sex&period=all&unit=victims",
    f"/o/haven/i/{CODE}/?view=map&level=neighbourhood",
    f"/o/haven/i/{CODE}/embed/",
    "/o/haven/p/XA-MIN/",
    "/o/haven/p/XA-MIN.01/",
    f"/o/haven/compare/?i={CODE}&p=XA-MIN&p=XA-MIN.01",
    "/o/haven/releases/",
    "/o/haven/releases/1/",
    "/o/haven/releases/2/",
    "/o/empty/",
    "/about/",
    "/method/",
    "/api/docs/",
    "/account/login/",
    "/account/password/reset/",
    "/account/signup/",
    "/nowhere/",
]
INSIDE = [
    "/w/",
    "/w/new/",
    "/w/empty/",
    "/w/haven/",
    "/w/haven/files/",
    "/w/haven/sources/",
    "/w/haven/sources/robberies/",
    "/w/empty/sources/cases/?kind=incidents&file=casos.csv",
    "/w/haven/places/0/",
    "/w/haven/settings/",
    "/w/haven/publish/",
    "/w/haven/publish/{proposal}/",
    "/w/haven/publish/{asked}/",
    "/w/haven/jobs/",
    "/w/haven/jobs/{failed}/",
    "/w/empty/jobs/{waiting}/",
    "/w/haven/history/",
    "/w/haven/diff/1/2/",
    "/w/haven/members/",
    "/w/haven/webhooks/",
    "/w/haven/incoming/",
    "/w/tokens/",
    "/account/email/",
    "/account/password/change/",
    "/account/2fa/",
]
#: What is no page: files and documents, and what is only sent to. The switcher of roles has a test of its own, and
#: reviews are pages of the program's, not of the hub.
NO_PAGE = {
    *("healthz", "readyz", "metrics", "demo-role"),
    *(f"public:{name}" for name in ("robots", "sitemap", "security", "compare_chart", "release_zip", "release_file")),
    *(f"public:{name}" for name in ("review", "indicator_file", "indicator_chart", "indicator_map", "boundaries")),
    *(f"workbench:{name}" for name in ("check", "measure", "upload", "file", "invite", "member", "remove_member")),
    *(f"workbench:{name}" for name in ("result", "remove_file", "compare")),
    *(f"workbench:{name}" for name in ("stop_job", "preview", "figures", "propose", "decide", "publish_proposal")),
    *("tokens:revoke", "tokens:webhook"),
}


@pytest.fixture
def both(haven: Observatory, tmp_path: Any) -> tuple[Observatory, Observatory]:
    """The published city, and one that has just begun, with a messy file."""
    empty = Observatory.objects.create(slug="empty", name="Leer", place_id="XA-EMP", folder=str(tmp_path / "empty"))
    write_template(empty.path)
    (empty.path / "casos.csv").write_bytes(MESSY)
    return haven, empty


def look(addresses: Iterable[str], base: str, page: Page, arabic: Page) -> dict[str, dict[str, list[str]]]:
    """Faults by address and way: each page is loaded twice, once a direction of script."""
    wrong = {}
    for address in addresses:
        page.goto(base + address)
        found = everywhere(settled(page))
        arabic.goto(base + address)
        assert arabic.get_attribute("html", "dir") == "rtl"
        if said := faults(settled(arabic)) + overflow(arabic):
            found["arabic"] = said
        if found:
            wrong[address] = found
    return wrong


def test_pages_for_everybody(both: Any, live_server: Any, new_page: Any) -> None:
    wrong = look(PUBLIC, live_server.url, new_page(viewport=DESK), new_page(viewport=PHONE, locale="ar"))
    new_page.wrong[:] = [one for one in new_page.wrong if "404" not in one]  # one of them is not there
    assert not wrong


def test_pages_of_the_workbench(both: Any, live_server: Any, new_page: Any, make_user: MakeUser) -> None:
    haven, empty = both
    user = make_user("ada", Role.HUB_ADMIN)
    compared = queue.start(haven, Job.Kind.COMPARE, user, one=1, other=2)
    assert made_observatory.run(compared).state == Job.State.DONE
    told = {"code": "date", "severity": "error", "what": "“31/02/2023” is no date", "todo": "Correct it", "rows": 1}
    told |= {"file": "robberies.csv", "row": 4, "column": "date"}
    failed = Job.objects.create(observatory=haven, kind="check", state="failed", by=user, problems=[told])
    waiting = Job.objects.create(observatory=empty, kind="measure", by=user)
    seen = {"rows": 12, "withheld": 3, "identity": "0" * 64, "keys_made": True}
    seen["parts"] = [{"indicator": CODE, "period": "2024", "rows": 12, "withheld": 3}]
    said = {"observatory": haven, "kind": "publish", "fingerprint": "0" * 64, "seen": seen}
    proposal = Proposal.objects.create(state="previewed", proposed_by=user, **said)
    asked = Proposal.objects.create(state="waiting", proposed_by=make_user("ben", Role.HUB_ADMIN), **said)
    pages = [new_page(viewport=DESK), new_page(viewport=PHONE, locale="ar")]
    for page in pages:
        sign_in(page, user, live_server.url)
    names = {"failed": failed.pk, "waiting": waiting.pk, "proposal": proposal.pk, "asked": asked.pk}
    assert not look([one.format(**names) for one in INSIDE], live_server.url, *pages)


def test_every_page_is_looked_at() -> None:
    names = {"proposal": 1, "asked": 1, "failed": UUID(int=1), "waiting": UUID(int=2)}
    addresses = [one.format(**names).partition("?")[0] for one in [*PUBLIC, *INSIDE]]
    seen = {resolve(one).view_name for one in addresses if not one.startswith(("/account/", "/nowhere/"))}
    assert {door.name for door in ALL} == seen | NO_PAGE
