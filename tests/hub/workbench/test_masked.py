"""Whoever may not read files reads no cell of them in what is said to be wrong; whoever may reads all of it."""

from __future__ import annotations

from string import Formatter
from typing import Any

import pytest
from django.utils.translation import override

from hub.workbench.publishing import Office, office
from safercities.hub import texts
from safercities.hub.jobs import queue
from safercities.hub.jobs.carrying import told
from safercities.hub.models import Job
from safercities.hub.workbench.masked import masked
from safercities.hub.workbench.preview import tell
from safercities.model.errors import CELLS, catalogue, problem

__all__ = ["office"]
SECRET = "Maria Lopez"
#: Details that hold cells, or may quote a row.
QUOTING = CELLS | {"category", "circle", "columns", "hint", "id", "known", "listed", "message", "one", "parent", "psu"}
QUOTING |= {"stratum", "two", "which"}


def test_reviewers_read_where_and_what_but_no_cell(office: Office) -> None:
    job = queue.start(office.observatory, "check", office.people["ana"])
    with (office.observatory.path / "robberies.csv").open("a", encoding="utf-8") as out:
        out.write(f"{SECRET},0.5,0.5,woman\n")
    office.work()
    for path in (f"jobs/{job.pk}/", f"jobs/{job.pk}/?page=1"):
        assert SECRET in office.said("ana", path)
        page = office.said("rob", path)
        assert SECRET not in page
        assert "row 242" in page
        assert "… cannot be read as a date: the row was rejected" in page


def test_nor_on_the_pages_of_publishing(office: Office) -> None:
    proposal = office.previewed("pia")
    found = told([problem("date-unreadable", file="robberies.csv", row=7, column="date", value=SECRET)])
    Job.objects.filter(pk=proposal.job_id).update(problems=found)
    for path in ("publish/", f"publish/{proposal.pk}/", "jobs/", "history/", f"jobs/{proposal.job_id}/"):
        assert SECRET not in office.said("rob", path)
    assert SECRET in office.said("pia", f"jobs/{proposal.job_id}/")


def test_jobs_of_before_tell_reviewers_what_the_code_says_in_general(office: Office) -> None:
    job = queue.start(office.observatory, "check", office.people["ana"])
    kept = {"severity": "error", "file": "a.csv", "row": 7, "column": SECRET, "rows": 1, "what": SECRET, "todo": SECRET}
    found = [kept | {"code": code} for code in (*catalogue(), "a-code-that-is-gone")]
    for language in ("en", "fr"):
        with override(language):
            for one in found:
                said = texts.said(masked(one))
                assert SECRET not in said.what + said.todo
                assert said.what
    Job.objects.update(state="failed", problems=found)
    page = office.said("rob", f"jobs/{job.pk}/")
    assert SECRET not in page
    assert "row 7" in page
    assert SECRET in office.said("ana", f"jobs/{job.pk}/")


def details(code: str) -> dict[str, Any]:
    """Something for each name in the sentences of a kind; what may quote a row is the secret."""
    kind, found = catalogue()[code], {}
    for text in (kind.what, kind.todo):
        for _, name, format, _ in Formatter().parse(text):
            if name and name not in ("file", "row", "column", "rows"):
                found[name] = SECRET if name in QUOTING and not format else 12
    return found


@pytest.mark.parametrize("language", ["en", "fr", "ar"])
def test_no_sentence_keeps_a_cell(language: str) -> None:
    with override(language):
        for code in catalogue():
            made = problem(code, file="a.csv", row=7, column=SECRET, **details(code))
            hidden = masked(texts.kept(made))
            said = texts.said(hidden)
            assert SECRET not in said.what + said.todo + str(hidden) + str(made.masked), code
            if not QUOTING & details(code).keys() and "{column}" not in made.kind.what + made.kind.todo:
                assert said == texts.said(made), code


@pytest.mark.parametrize("language", ["en", "fr"])
def test_details_that_do_not_fit_the_sentence_are_as_none(language: str) -> None:
    with override(language):
        for code in catalogue():
            one = {"code": code, "file": "a.csv", "row": 7, "rows": 1}
            none = masked(one)
            ill: list[Any] = [{}, None, dict.fromkeys(details(code)), {name: [] for name in details(code)}]
            for kept in ill:
                made = masked(one | {"details": kept})
                assert texts.said(made).what, code
                if not kept:
                    assert texts.said(made) == texts.said(none), code


HEADERLESS = f"2024-01-03,{SECRET},theft,{SECRET}\n2024-01-04,Ana Ruiz,theft,Ana Ruiz\n"


def test_a_column_is_told_only_where_the_settings_name_it(office: Office) -> None:
    """Of a file without a header, names of columns are the cells of its first row."""
    job = queue.start(office.observatory, "check", office.people["ana"])
    (office.observatory.path / "robberies.csv").write_text(HEADERLESS, encoding="utf-8")
    assert office.work().problems[0]["column"] == SECRET
    pages = {who: office.said(who, f"jobs/{job.pk}/") for who in ("ana", "rob")}
    assert [SECRET in page for page in pages.values()] == [True, False]
    assert "several columns have this name: …" in pages["rob"]
    named = told([problem("cells-merged", file="robberies.csv", row=5, column="sexo", rows=2)])
    Job.objects.filter(pk=job.pk).update(problems=named)
    for settings, told_of in (
        ('[sources.a]\nstages = ["sexo"]\n', True),
        ('[sources.a.act.map]\nsexo = "1"\n', False),
        ("[", False),
    ):
        (office.observatory.path / "observatory.toml").write_text(settings, encoding="utf-8")
        assert ("sexo" in office.said("rob", f"jobs/{job.pk}/")) == told_of


def test_numbers_of_rows_stay_and_a_number_in_a_cell_goes() -> None:
    made = masked(texts.kept(problem("date-order-mixed", value="3", other=4, other_row=9)))
    assert made["details"] == {"value": "…", "other": "…", "other_row": 9}
    assert "row 9" in made["what"]


def test_a_detail_that_nobody_thought_of_is_hidden() -> None:
    kept = texts.kept(problem("date-missing", file="a.csv", row=7)) | {"details": {"new": SECRET}}
    assert masked(kept)["details"] == {"new": "…"}


def test_settings_do_not_tell_the_values_that_they_map(office: Office) -> None:
    path = office.observatory.path / "observatory.toml"
    settings = path.read_text(encoding="utf-8")
    assert 'man = "M" }' in settings
    path.write_text(settings.replace('man = "M" }', f'man = "M", "{SECRET}" = 5 }}'), "utf-8")
    for who, reads in (("ana", True), ("rob", False)):
        assert (SECRET in office.said(who, "")) == reads, who
    wrong = problem("key-wrong", file="observatory.toml", row=3, column=f"a.map.{SECRET}", message="m", given=SECRET)
    assert SECRET in tell(wrong).where
    assert SECRET not in str(tell(wrong, whole=False))
