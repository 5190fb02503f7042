"""What differs between two releases: rows that only one has, numbers that changed, what is withheld now or then."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import floatformat
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from safercities.hub.access import Right, find, need
from safercities.hub.jobs import comparing, queue
from safercities.hub.jobs.comparing import ADDED, CHANGED, GONE, KINDS, SHOWN, TOLD, WITHHELD
from safercities.hub.models import Job, Observatory, Release
from safercities.hub.public.words import Words
from safercities.hub.published import figures
from safercities.hub.workbench.preview import tell
from safercities.model.errors import SafercitiesError

if TYPE_CHECKING:
    import pyarrow as pa

Plain = dict[str, Any]
_PAGE = 100
_NUMBERS = ("value", "lower", "upper")
#: Columns whose differences can be seen in the cells.
_CELLS = (*_NUMBERS, "version")
#: Decimals that numbers are shown with: as few as tell them apart, between these.
_FEWEST, _FINEST = 2, 12


@require_safe
@need(Right.SEE_WORKBENCH)
def diff(request: HttpRequest, observatory: Observatory, a: int, b: int) -> HttpResponse:
    """From release `a` to release `b`."""
    if a == b:
        raise Http404
    one, other = find(Release, observatory, number=a), find(Release, observatory, number=b)
    if a > b:
        return redirect("workbench:diff", observatory.slug, b, a)
    path = comparing.path_of(observatory, one, other)
    context: dict[str, Any] = {"observatory": observatory, "a": one, "b": other}
    if not path.is_file():
        if not comparing.small(one, other):
            context["job"] = _running(observatory, one, other)
            return render(request, "hub/work/diff_none.html", context)
        try:
            comparing.write(path, Path(one.folder), Path(other.folder))
        except SafercitiesError as error:  # a file on disk is not the one that was signed
            context["told"] = [tell(one) for one in error.problems]
            return render(request, "hub/work/diff_none.html", context, status=409)
    return render(request, "hub/work/diff.html", context | _shown(request, observatory, path))


def _running(observatory: Observatory, one: Release, other: Release) -> Job | None:
    """The job that compares them."""
    jobs = observatory.jobs.filter(kind=Job.Kind.COMPARE).exclude(state__in=Job.ENDED)
    return next((job for job in jobs if job.what == {"one": one.number, "other": other.number}), None)


@require_POST
@need(Right.SEE_WORKBENCH)
def compare(request: HttpRequest, observatory: Observatory, a: int, b: int) -> HttpResponse:
    """Have two releases compared by a job: large ones take longer than a page may."""
    if a >= b:
        raise Http404
    one, other = find(Release, observatory, number=a), find(Release, observatory, number=b)
    if comparing.path_of(observatory, one, other).is_file():
        return redirect("workbench:diff", observatory.slug, a, b)
    job = queue.start(observatory, Job.Kind.COMPARE, request.user, one=one.number, other=other.number)  # type: ignore[arg-type]
    return redirect("workbench:job", observatory.slug, job.pk)


def _shown(request: HttpRequest, observatory: Observatory, path: Path) -> dict[str, Any]:
    """A page of the rows that differ."""
    kind = request.GET.get("kind", "")
    found = Difference(path)
    page = Paginator(_Rows(found, kind if kind in KINDS else ""), _PAGE).get_page(request.GET.get("page"))
    shown, words = figures(observatory), _words()
    names = Words(shown) if shown is not None else None
    return {
        "kind": kind if kind in KINDS else "",
        "kinds": [(each, words[each], found.counts.get(each, 0)) for each in KINDS],
        "same": found.counts.get("same", 0),
        "definitions": found.definitions,
        "page": page,
        "rows": [_told(row, _names(row, found.dimensions, names), words) for row in page.object_list],
    }


def _words() -> dict[str, str]:
    return {
        CHANGED: _("Changed"),
        WITHHELD: _("Withheld now"),
        SHOWN: _("Was withheld"),
        ADDED: _("Only in the later one"),
        GONE: _("Only in the earlier one"),
    }


class Difference:
    """The rows in which two releases differ.

    Parameters
    ----------
    path
        Parquet of the rows, from `comparing.write`.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self.path = path
        told = json.loads(pq.read_metadata(path).metadata[b"safercities"])
        self.counts: dict[str, int] = told["counts"]
        self.dimensions: list[str] = told["dimensions"]
        self.definitions: list[dict[str, Any]] = told["definitions"]

    def rows(self, kind: str, offset: int, limit: int) -> list[dict[str, Any]]:
        """Some of them, in order."""
        where, values = ("WHERE _kind = ?", [kind]) if kind else ("", [])
        sql = f"SELECT * FROM read_parquet(?) {where} ORDER BY _number LIMIT ? OFFSET ?"
        with closing(comparing.connect()) as engine:
            table: pa.Table = engine.sql(sql, params=[str(self.path), *values, limit, offset]).to_arrow_table()
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows


class _Rows(Sequence[dict[str, Any]]):
    """The rows as Django's pages take them: only those of one page are read."""

    def __init__(self, difference: Difference, kind: str) -> None:
        self._difference, self._kind = difference, kind

    def __len__(self) -> int:
        counts = self._difference.counts
        return counts.get(self._kind, 0) if self._kind else sum(counts.get(each, 0) for each in KINDS)

    def __getitem__(self, at: Any) -> Any:
        return self._difference.rows(self._kind, at.start, at.stop - at.start)


def _names(row: Mapping[str, Any], dimensions: Sequence[str], words: Words | None) -> Plain:
    """What a row is about, in the reader's words where the public pages have them."""
    parts = [(name, row[name]) for name in dimensions if row[name] not in (None, "_T")]
    if words is None:
        about = {name: row[name] or "" for name in ("indicator", "place", "period", "unit", "source", "method")}
        return about | {"breakdown": ", ".join(f"{name}: {code}" for name, code in parts)}
    info = words.figures.indicators.get(row["indicator"])
    return {
        "indicator": words.indicator(info) if info is not None else row["indicator"],
        "place": words.place(row["place"]),
        "period": words.period(row["period"]),
        "unit": words.unit(row["unit"]) if row["unit"] else "",
        "source": words.source(row["source"]),
        "method": words.method(row["method"]) if row["method"] else "",
        "breakdown": ", ".join(f"{words.dimension(name)}: {words.code(name, code)}" for name, code in parts),
    }


def _decimals(row: Mapping[str, Any]) -> int:
    """So many that numbers that differ look different, and none that is not zero looks like it."""
    numbers = [(row[f"_old_{name}"], row[f"_new_{name}"]) for name in _NUMBERS]
    for decimals in range(_FEWEST, _FINEST):
        shown = [tuple(None if one is None else round(one, decimals) for one in pair) for pair in numbers]
        alike = [(old == new, bool(old), bool(new)) for old, new in numbers]
        if alike == [(old == new, bool(old), bool(new)) for old, new in shown]:
            return decimals
    return _FINEST


def _told(row: Mapping[str, Any], names: Plain, words: Mapping[str, str]) -> Plain:
    """A row as the table shows it."""
    decimals = f"-{_decimals(row)}g"
    cells = {
        side: {name: row[f"_{side}_{name}"] for name in TOLD}
        | {name: floatformat(row[f"_{side}_{name}"], decimals) for name in _NUMBERS}
        | {"none": row[f"_{side}_value"] is None, "interval": row[f"_{side}_lower"] is not None}
        | {"withheld": row[f"_{side}_conf_status"] == "N", "here": row[f"_{side}_conf_status"] is not None}
        | {"unsure": row[f"_{side}_obs_status"] == "U" or row[f"_{side}_verdict"] == "warn"}
        for side in ("old", "new")
    }
    return names | {
        "kind": words[row["_kind"]],
        # what the cells do not show, by the names of the columns of the files
        "columns": [name for name in row["_differing"].split() if name not in _CELLS]
        if row["_kind"] == CHANGED
        else [],
        "versions": None not in (row["_old_version"], row["_new_version"])
        and row["_old_version"] != row["_new_version"],
        "old": cells["old"],
        "new": cells["new"],
    }
