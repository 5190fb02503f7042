"""Pages of jobs: progress that is asked for again, problems beside their rows, and who may stop what."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils.translation import override

from hub.workbench.publishing import Office, office
from safercities.hub.jobs import queue, steps
from safercities.hub.models import Job, Upload

__all__ = ["office"]


@pytest.fixture
def job(office: Office) -> Job:
    return queue.start(office.observatory, "check", office.people["ana"])


def test_progress_is_asked_for_until_the_end(office: Office, job: Job) -> None:
    page = office.said("rob", f"jobs/{job.pk}/")
    assert 'hx-trigger="every 2s"' in page
    taken = queue.claim(office.observatory.pk)
    assert taken is not None
    hold = queue.Hold(str(taken.pk), taken.lease)
    hold.say(step="check <robberies>", done=1, total=4)
    part = office.get("rob", f"jobs/{job.pk}/", **{"HX-Request": "true"})
    text = part.content.decode()
    assert text.lstrip().startswith('<div id="job-state"')
    assert 'value="25"' in text
    assert "check &lt;robberies&gt;" in text
    assert "HX-Refresh" not in part
    hold.end(Job.State.DONE)
    part = office.get("rob", f"jobs/{job.pk}/", **{"HX-Request": "true"})
    assert part["HX-Refresh"] == "true"
    assert "hx-trigger" not in office.said("rob", f"jobs/{job.pk}/")


def test_problems_stand_beside_file_row_and_column(office: Office, job: Job) -> None:
    folder = office.observatory.path
    with (folder / "robberies.csv").open("a", encoding="utf-8") as out:
        out.write("<script>alert(1)</script>,0.5,0.5,woman\n")
    Upload.objects.create(
        observatory=office.observatory, name="Räuber <1>.csv", stored="robberies.csv", sha256="0" * 64, size=1
    )
    office.work()
    page = office.said("ana", f"jobs/{job.pk}/")
    assert "Räuber &lt;1&gt;.csv" in page
    assert "<script>alert" not in page
    assert "row 242" in page
    assert "Rows read" in page


def test_many_problems_come_in_pages(office: Office, job: Job) -> None:
    one = {"code": "x", "severity": "error", "file": "a.csv", "column": None, "rows": 1, "what": "w", "todo": "t"}
    Job.objects.update(state="failed", problems=[one | {"row": n} for n in range(120)])
    page = office.said("ana", f"jobs/{job.pk}/?page=3")
    assert "row 119" in page
    assert "row 99<" not in page
    assert "Page 3 of 3" in page


def test_stopping_asks_for_the_right_of_its_kind(office: Office, job: Job) -> None:
    assert office.post("rob", f"jobs/{job.pk}/stop/").status_code == 403
    assert office.post(None, f"jobs/{job.pk}/stop/").status_code == 404
    assert office.get("ana", f"jobs/{job.pk}/stop/").status_code == 405
    assert office.post("ana", f"jobs/{job.pk}/stop/").status_code == 302
    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED


def test_jobs_of_another_observatory_are_not_there(office: Office, city: Any) -> None:
    other = queue.start(city, "check", None)
    assert office.get("pia", f"jobs/{other.pk}/").status_code == 404
    assert office.post("pia", f"jobs/{other.pk}/stop/").status_code == 404
    assert office.get("pia", "jobs/not-a-job/").status_code == 404


def test_every_step_that_is_said_has_words_in_the_language_of_the_page(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rooms below speak English: where one of them says something new, this names it."""
    said: set[str] = set()
    say = queue.Hold.say

    def listen(hold: queue.Hold, **fields: Any) -> None:
        said.add(fields.get("step", ""))
        say(hold, **fields)

    monkeypatch.setattr(queue.Hold, "say", listen)
    for kind in ("check", "measure"):
        queue.start(office.observatory, kind, office.people["ana"])
        assert office.work().state == Job.State.DONE
    office.published()
    codes = {step.partition("|")[0] for step in said if step}
    assert codes >= {"check-source", "measure-one", "protect-period", "attack", "write", "verify", "pages"}
    assert [step for step in said if step and not steps.words(step)] == []
    with override("fr"):
        assert "2024" in steps.words("protect-period|police|2024")
        assert "robberies" in steps.words("measure-one|sdg.16.1.3|robberies")
    assert steps.words("measure-one|" + 90 * "x").endswith("…")


def test_what_was_measured_is_there_for_those_who_may_see_rows_and_for_nobody_else(office: Office) -> None:
    with (office.observatory.path / "robberies.csv").open("a", encoding="utf-8") as out:
        out.write("2024-13-45,0.5,0.5,woman\n")
    queue.start(office.observatory, "measure", office.people["ana"])
    done = office.work()
    page = office.said("ana", f"jobs/{done.pk}/")
    for name in ("estimates.csv", "rejects/robberies.csv"):
        assert f'href="/w/mini/measured/{name}"' in page
        assert "measured/" not in office.said("rob", f"jobs/{done.pk}/")
        assert office.get("rob", f"measured/{name}").status_code == 403
        assert office.get("vera", f"measured/{name}").status_code == 403
        assert office.get(None, f"measured/{name}").status_code == 404
        answer = office.get("ana", f"measured/{name}")
        assert b"".join(answer) == (office.observatory.path / "build" / name).read_bytes()
        assert answer["Content-Disposition"].startswith("attachment")
    for name in (
        "../observatory.toml",
        "manifest.json",
        "rejects/../estimates.csv",
        "rejects",
        "x",
        "%2e%2e/people.csv",
    ):
        assert office.get("ana", f"measured/{name}").status_code in (301, 404)
    (office.observatory.path / "build" / "rejects" / "robberies.csv").unlink()
    (office.observatory.path / "build" / "rejects" / "robberies.csv").symlink_to("/etc/hostname")
    assert office.get("ana", "measured/rejects/robberies.csv").status_code == 404
