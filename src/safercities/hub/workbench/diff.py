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
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from safercities.hub import texts
from safercities.hub.access import Right, find, need
from safercities.hub.jobs import comparing, queue
from safercities.hub.jobs.comparing import ADDED, CHANGED, GONE, KINDS, SHOWN, TOLD, WITHHELD
from safercities.hub.models import Job, Observatory, Release
from safercities.hub.published import figures
from safercities.hub.workbench.preview import tell
from safercities.model.errors import SafercitiesError

if TYPE_CHECKING:
    import pyarrow as pa

_PAGE = 100


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
    words = _words()
    return {
        "kind": kind if kind in KINDS else "",
        "kinds": [(each, words[each], found.counts.get(each, 0)) for each in KINDS],
        "same": found.counts.get("same", 0),
        "definitions": found.definitions,
        "page": page,
        "rows": [_told(row, found.dimensions, words) for row in _labelled(observatory, list(page.object_list))],
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
        where, values = ("WHERE kind = ?", [kind]) if kind else ("", [])
        sql = f"SELECT * FROM read_parquet(?) {where} ORDER BY number LIMIT ? OFFSET ?"
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


def _labelled(observatory: Observatory, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With the names of indicators and places, where the public pages know them."""
    shown, language = figures(observatory), get_language() or "en"
    if shown is None:
        return rows
    indicators = {
        code: texts.indicator_name(code, one.label(), language) or one.label(language)
        for code, one in shown.indicators.items()
    }
    places = shown.places
    return [
        row
        | {
            "indicator_label": indicators.get(row["indicator"], row["indicator"]),
            "place_label": places[row["place"]].name if row["place"] in places else row["place"],
        }
        for row in rows
    ]


def _told(row: Mapping[str, Any], dimensions: Sequence[str], words: Mapping[str, str]) -> dict[str, Any]:
    """A row as the table shows it."""
    parts = [f"{name}: {row[name]}" for name in dimensions if row[name] not in (None, "_T")]
    cells = {
        side: {name: row[f"{side}_{name}"] for name in TOLD}
        | {"withheld": row[f"{side}_conf_status"] == "N", "here": row[f"{side}_conf_status"] is not None}
        | {"unsure": row[f"{side}_obs_status"] == "U" or row[f"{side}_verdict"] == "warn"}
        for side in ("old", "new")
    }
    return {
        "indicator": row.get("indicator_label", row["indicator"]),
        "place": row.get("place_label", row["place"]),
        "period": row["period"],
        "breakdown": ", ".join(parts),
        "unit": row["unit"] or "",
        "source": row["source"],
        "kind": words[row["kind"]],
        "versions": None not in (row["old_version"], row["new_version"]) and row["old_version"] != row["new_version"],
        "old": cells["old"],
        "new": cells["new"],
    }
