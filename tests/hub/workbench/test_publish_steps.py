"""Publishing in the workbench: preview, propose, decide, publish; two people where two are asked for."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.test import Client

from hub.made_observatory import robberies
from hub.workbench.publishing import PEOPLE, Office, office, waiting
from safercities.hub.models import Event, Job, Proposal

__all__ = ["office"]


@pytest.fixture(autouse=True)
def _no_differences() -> Any:
    yield
    shutil.rmtree(Path(settings.HOME) / "differences", ignore_errors=True)


def test_one_person_publishes_in_three_clicks(office: Office) -> None:
    response = office.post("pia", "publish/preview/")
    job = Job.objects.get()
    assert response.url == f"/w/mini/jobs/{job.pk}/"
    office.work()
    proposal = Proposal.objects.get()
    page = office.said("pia", f"publish/{proposal.pk}/")
    assert "Withheld to protect people" in page
    assert "Recorded robbery" in page or "obber" in page
    office.post("pia", f"publish/{proposal.pk}/propose/", reason="first numbers", publish="1")
    job = office.work()
    assert (job.kind, job.state) == (Job.Kind.PUBLISH, Job.State.DONE)
    page = office.said("pia", f"jobs/{job.pk}/")
    assert "is published" in page
    verbs = list(Event.objects.order_by("number").values_list("verb", flat=True))
    assert verbs == [
        "job.asked",
        "proposal.previewed",
        "proposal.made",
        "proposal.approved",
        "job.asked",
        "release.published",
        "release.announced",
    ]


def test_two_people_are_two(office: Office) -> None:
    office.observatory.two_person = True
    office.observatory.save()
    proposal = office.previewed("pia")
    office.post("pia", f"publish/{proposal.pk}/propose/", reason="first numbers", publish="1")
    proposal.refresh_from_db()
    assert (proposal.state, proposal.decided_by, waiting(office)) == (Proposal.State.WAITING, None, 0)
    assert "another person has to decide" in office.said("pia", "publish/")
    office.post("pia", f"publish/{proposal.pk}/decide/", approve="1", publish="1")
    assert waiting(office) == 0
    office.post("pia", f"publish/{proposal.pk}/publish/")
    assert waiting(office) == 0
    office.post("rob", f"publish/{proposal.pk}/decide/", approve="1", publish="1")  # approves; may not publish
    proposal.refresh_from_db()
    assert (proposal.state, proposal.decided_by) == (Proposal.State.APPROVED, office.people["rob"])
    assert waiting(office) == 0
    office.post("pia", f"publish/{proposal.pk}/publish/")
    assert office.work().state == Job.State.DONE
    assert office.observatory.shelf.count() == 1


def test_the_database_refuses_one_person_for_two(office: Office) -> None:
    pia = office.people["pia"]
    proposal = office.previewed("pia")
    proposal.two_person, proposal.decided_by, proposal.state = True, pia, Proposal.State.APPROVED
    with pytest.raises(IntegrityError), transaction.atomic():
        proposal.save()


def test_the_setting_asks_for_two_people_everywhere(office: Office, settings: Any) -> None:
    settings.TWO_PERSON = True
    proposal = office.previewed("pia")
    office.post("pia", f"publish/{proposal.pk}/propose/", reason="first numbers")
    settings.TWO_PERSON = False  # what was asked for stays asked for
    office.post("pia", f"publish/{proposal.pk}/decide/", approve="1")
    proposal.refresh_from_db()
    assert proposal.state == Proposal.State.WAITING
    office.post("max", f"publish/{proposal.pk}/decide/", approve="1", publish="1")
    assert office.work().state == Job.State.DONE


def test_a_refusal_says_why_and_ends_it(office: Office) -> None:
    proposal = office.previewed()
    office.post("ana", f"publish/{proposal.pk}/propose/", reason="first numbers")
    office.post("rob", f"publish/{proposal.pk}/decide/", refuse="1")
    proposal.refresh_from_db()
    assert proposal.state == Proposal.State.WAITING
    office.post("rob", f"publish/{proposal.pk}/decide/", refuse="1", answer="<b>2023 is wrong</b>")
    page = office.said("ana", f"publish/{proposal.pk}/")
    assert "&lt;b&gt;2023 is wrong&lt;/b&gt;" in page
    office.post("pia", f"publish/{proposal.pk}/publish/")
    office.post("pia", f"publish/{proposal.pk}/decide/", approve="1", publish="1")
    assert waiting(office) == 0


@pytest.mark.parametrize("step", ["propose", "decide"])
def test_changed_files_stop_it_at_every_step_with_a_clear_text(office: Office, step: str) -> None:
    proposal = office.previewed()
    if step == "decide":
        office.post("ana", f"publish/{proposal.pk}/propose/", reason="first numbers")
    (office.observatory.path / "robberies.csv").write_text(robberies(241), encoding="utf-8")
    who = "ana" if step == "propose" else "pia"
    office.post(who, f"publish/{proposal.pk}/{step}/", reason="x", approve="1", publish="1")
    before = proposal.state if step == "propose" else Proposal.State.WAITING
    proposal.refresh_from_db()
    assert (proposal.state, waiting(office)) == (before, 0)
    assert "Files were written since this preview" in office.said(who, f"publish/{proposal.pk}/")


def test_a_correction_needs_a_release_and_a_reason(office: Office) -> None:
    first = office.published()
    (office.observatory.path / "robberies.csv").write_text(robberies(300, seed=2), encoding="utf-8")
    for data in ({"supersedes": first.identity}, {"supersedes": "0" * 64, "reason": "why"}):
        office.post("pia", "publish/preview/", **data)
        assert waiting(office) == 0
    second = office.published(supersedes=first.identity, reason="sixty were missing")
    assert (second.supersedes, second.reason) == (first.identity, "sixty were missing")
    office.post("pia", "publish/preview/", supersedes=first.identity, reason="again")
    assert waiting(office) == 0  # it is corrected already


def test_a_second_click_makes_one_preview(office: Office) -> None:
    for _ in range(2):
        office.post("ana", "publish/preview/")
    assert (Proposal.objects.count(), Job.objects.count()) == (1, 1)


WAYS = {
    "publish/preview/": {"ana", "rob", "pia", "max"},
    "publish/{n}/propose/": {"ana", "pia", "max"},
    "publish/{n}/decide/": {"rob", "pia", "max"},
    "publish/{n}/publish/": {"pia", "max"},
    "publish/figures/": {"pia", "max"},
}


@pytest.mark.parametrize("way", WAYS)
def test_every_step_asks_for_its_right(office: Office, way: str) -> None:
    proposal = Proposal.objects.create(observatory=office.observatory, kind="publish", proposed_by=office.people["max"])
    path = way.format(n=proposal.pk)
    for who, role in PEOPLE.items():
        status = office.post(who, path).status_code
        assert status == (302 if who in WAYS[way] else 403), (who, role)
    assert office.post(None, path).status_code == 404
    assert office.get("pia", path).status_code == 405


def test_forms_without_a_token_do_nothing(office: Office) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(office.people["pia"])
    assert client.post("/w/mini/publish/preview/").status_code == 403
    assert not Job.objects.exists()


def test_proposals_of_another_observatory_are_not_there(office: Office, city: Any) -> None:
    other = Proposal.objects.create(observatory=city, kind="publish", proposed_by=office.people["pia"])
    for path in (f"publish/{other.pk}/", "publish/99999/"):
        assert office.get("pia", path).status_code == 404
    assert office.post("pia", f"publish/{other.pk}/publish/").status_code == 404
