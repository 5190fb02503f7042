"""History and differences: what changed between two releases equals what the files say; nobody else sees it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

from hub.made_observatory import robberies
from hub.stage import begin
from hub.workbench.publishing import Office, office
from safercities.hub.jobs import comparing
from safercities.hub.jobs.comparing import KINDS
from safercities.hub.models import Event, Job, Role
from safercities.hub.public.words import Words
from safercities.hub.published import figures
from safercities.hub.workbench.diff import Difference, _decimals
from safercities.model.estimates import MEASURES, Estimates
from safercities.release.verify import open_release

__all__ = ["office"]


@pytest.fixture
def corrected(office: Office) -> Any:
    """Two releases; the second corrects the first."""

    def publish() -> None:
        first = office.published()
        (office.observatory.path / "robberies.csv").write_text(robberies(300, seed=2), encoding="utf-8")
        office.published(supersedes=first.identity, reason="sixty <were> missing")

    begin("corrected", office.observatory, publish)
    yield office
    shutil.rmtree(Path(settings.HOME) / "differences", ignore_errors=True)


def by_key(folder: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    rows = open_release(Path(folder)).estimates.rows()
    names = ("indicator", "source", "unit", "method", "period", "place", "sex")
    return {tuple(row[name] for name in names): row for row in rows}


def test_the_differences_are_those_of_the_files(corrected: Office) -> None:
    first, second = corrected.observatory.shelf.order_by("number")
    old, new = by_key(first.folder), by_key(second.folder)
    path = comparing.path_of(corrected.observatory, first, second)
    comparing.write(path, Path(first.folder), Path(second.folder))
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    found = Difference(path)
    same = {key for key in old.keys() & new.keys() if old[key] == new[key]}
    assert found.counts.get("same", 0) == len(same)
    assert sum(found.counts.get(kind, 0) for kind in KINDS) == len(old.keys() | new.keys()) - len(same)
    hidden = {key for key in old.keys() & new.keys() if new[key]["conf_status"] == "N" != old[key]["conf_status"]}
    assert found.counts.get("withheld", 0) == len(hidden)
    rows = found.rows("", 0, 10_000)
    assert [row["_number"] for row in rows] == sorted(row["_number"] for row in rows)
    for row in rows:
        key = tuple(row[name] for name in ("indicator", "source", "unit", "method", "period", "place", "sex"))
        assert (row["_old_value"], row["_old_upper"]) == (
            (old[key]["value"], old[key]["upper"]) if key in old else (None, None)
        )
        assert row["_new_value"] == (new[key]["value"] if key in new else None)
        if row["_kind"] == "changed":
            assert set(row["_differing"].split()) == {name for name in old[key] if old[key][name] != new[key][name]}


#: Names of dimensions that are no columns of estimates, but might be ours.
HARD = ("kind", "number", "here", "old_value", "new_value", "differing")


def test_whatever_a_row_says_is_compared(tmp_path: Path) -> None:
    said = [(name, kind) for name, kind in MEASURES if name not in ("unit", "method", "source")]
    row = {"indicator": "i", "version": "1", "period": "2024", "conf_status": "F", **dict.fromkeys(HARD, "x")}

    def opened(shift: int) -> Any:
        rows = [row | {name: str(shift) if kind == "string" else shift, "place": name} for name, kind in said]
        found = Estimates.from_rows([*rows, row | {"place": "alike", "value": 1.0}])
        nothing = SimpleNamespace(manifest=SimpleNamespace(indicators={}))
        return SimpleNamespace(estimates=found, verified=nothing)

    counts, rows = comparing._compared(opened(1), opened(2), sorted(HARD), tmp_path)
    found = {one["place"]: (one["_kind"], one["_differing"]) for one in rows.to_pylist()}
    assert found == {name: ("changed", name) for name, _ in said}
    assert counts == {"changed": len(said), "same": 1}


def test_what_the_cells_do_not_show_is_named_by_its_column(corrected: Office) -> None:
    page = corrected.said("ana", "diff/1/2/?kind=changed")
    assert re.search(r'Changed<br><bdi class="note code">[a-z_, ]*\bn\b[a-z_, ]*</bdi>', page)
    assert not re.search(r'<bdi class="note code">[^<]*\b(value|lower|upper|version)\b', page)


def test_what_was_compared_by_an_earlier_version_is_compared_anew(corrected: Office) -> None:
    first, second = corrected.observatory.shelf.order_by("number")
    path = comparing.path_of(corrected.observatory, first, second)
    path.parent.mkdir(parents=True)
    before = path.with_name(f"{first.identity[:32]}-{second.identity[:32]}.parquet")
    before.write_bytes(b"of an earlier version")
    corrected.said("ana", "diff/1/2/")
    assert path.is_file()
    assert path != before


def test_the_page_shows_intervals_and_what_is_withheld(corrected: Office) -> None:
    page = corrected.said("ana", "diff/1/2/")
    assert "sixty &lt;were&gt; missing" in page
    assert "withheld" in page
    assert re.search(r"<b>[\d.,]+</b><br><span class=\"note\">[\d.,]+ – [\d.,]+</span>", page)
    narrow = corrected.said("ana", "diff/1/2/?kind=changed&page=1")
    assert 'href="?kind=changed" aria-current="true"' in narrow
    assert corrected.said("ana", "diff/1/2/?kind=%22%3E&page=zzz")
    assert corrected.get("ana", "diff/2/1/").url == "/w/mini/diff/1/2/"


def test_only_who_works_there_sees_it_and_only_releases_that_are_there(corrected: Office) -> None:
    for path in ("diff/1/2/", "history/", "publish/", "jobs/"):
        assert corrected.get(None, path).status_code == 404
        assert corrected.get("vera", path).status_code == 403
        assert corrected.get("rob", path).status_code == 200
    for path in ("diff/1/1/", "diff/1/3/", "diff/0/1/"):
        assert corrected.get("ana", path).status_code == 404


def test_the_history_tells_all_and_the_trail_only_to_administrators(corrected: Office, make_user: Any) -> None:
    page = corrected.said("ana", "history/")
    assert "Release 2 corrects it." in page
    assert "sixty &lt;were&gt; missing" in page
    assert 'href="/w/mini/diff/1/2/"' in page
    assert "Who did what" not in page
    corrected.people["root"] = make_user("root", Role.HUB_ADMIN)
    page = corrected.said("root", "history/")
    assert "published a correction" in page
    assert Event.broken() is None


def test_large_releases_are_compared_by_a_job_and_the_page_does_not_wait(
    corrected: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "SMALL", 1000)
    page = corrected.said("rob", "diff/1/2/")
    assert 'action="/w/mini/diff/1/2/compare/"' in page
    assert not list((Path(settings.HOME) / "differences").rglob("*.parquet"))
    assert corrected.get("rob", "diff/1/2/compare/").status_code == 405
    for path in ("diff/2/1/compare/", "diff/1/3/compare/", "diff/1/1/compare/"):
        assert corrected.post("rob", path).status_code == 404
    assert corrected.post("vera", "diff/1/2/compare/").status_code == 403
    address = corrected.post("rob", "diff/1/2/compare/").url
    assert corrected.post("ana", "diff/1/2/compare/").url == address  # one is enough
    assert f'href="{address}"' in corrected.said("ana", "diff/1/2/")
    assert corrected.work().state == Job.State.DONE
    assert 'href="/w/mini/diff/1/2/"' in corrected.said("rob", address.removeprefix("/w/mini/"))
    assert "sixty &lt;were&gt; missing" in corrected.said("rob", "diff/1/2/")
    assert corrected.post("rob", "diff/1/2/compare/").url == "/w/mini/diff/1/2/"  # it is there


def test_a_release_that_was_tampered_with_is_not_compared(corrected: Office) -> None:
    first = corrected.observatory.shelf.get(number=1)
    estimates = Path(first.folder) / "estimates.parquet"
    estimates.write_bytes(estimates.read_bytes()[:-1])
    answer = corrected.get("ana", "diff/1/2/")
    assert answer.status_code == 409
    assert not list((Path(settings.HOME) / "differences").rglob("*.parquet"))


@pytest.mark.parametrize(
    ("old", "new", "decimals"),
    [(5.0, 6.0, 2), (5.001, 5.004, 3), (0.0, 0.00012, 4), (None, 0.3, 2), (0.0004, None, 4), (1 / 3, 1 / 3, 2)],
)
def test_numbers_that_differ_look_different_and_none_looks_like_zero(
    old: float | None, new: float | None, decimals: int
) -> None:
    row = {f"_{side}_{name}": None for side in ("old", "new") for name in ("lower", "upper")}
    assert _decimals({**row, "_old_value": old, "_new_value": new}) == decimals


def test_differences_speak_as_the_public_pages_do(corrected: Office) -> None:
    """Two numbers of one place and unit may differ in their method: that is said."""
    page = corrected.said("ana", "diff/1/2/")
    assert re.search(r"Sex: (Men|Women|Male|Female)", page, re.IGNORECASE)
    assert "North" in page
    shown = figures(corrected.observatory)
    assert shown is not None
    methods = {one["method"] for one in by_key(corrected.observatory.shelf.get(number=2).folder).values()} - {None}
    assert any(Words(shown).method(one) in page for one in methods)
