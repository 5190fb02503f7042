"""What differs between two releases: rows that only one has, numbers that changed, what is withheld now or then."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from safercities.hub.access import Right, find, need
from safercities.hub.models import Observatory, Release
from safercities.hub.published import figures

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from safercities.release.verify import Opened

#: Kinds of difference, in the order in which they are told.
CHANGED, WITHHELD, SHOWN, ADDED, GONE = "changed", "withheld", "shown", "added", "gone"
KINDS = (CHANGED, WITHHELD, SHOWN, ADDED, GONE)
_KEY = ("indicator", "source", "unit", "method", "period", "place")
_TOLD = ("value", "lower", "upper", "conf_status", "obs_status", "quality", "verdict", "version")
_PAGE = 100
_MEMORY = "1GB"


@require_safe
@need(Right.SEE_WORKBENCH)
def diff(request: HttpRequest, observatory: Observatory, a: int, b: int) -> HttpResponse:
    """From release `a` to release `b`."""
    if a == b:
        raise Http404
    one, other = find(Release, observatory, number=a), find(Release, observatory, number=b)
    if a > b:
        return redirect("workbench:diff", observatory.slug, b, a)
    kind = request.GET.get("kind", "")
    found = Difference.between(observatory, one, other)
    page = Paginator(_Rows(found, kind if kind in KINDS else ""), _PAGE).get_page(request.GET.get("page"))
    words = _words()
    context = {
        "observatory": observatory,
        "a": one,
        "b": other,
        "kind": kind if kind in KINDS else "",
        "kinds": [(each, words[each], found.counts.get(each, 0)) for each in KINDS],
        "same": found.counts.get("same", 0),
        "definitions": found.definitions,
        "page": page,
        "rows": [_told(row, found.dimensions, words) for row in _labelled(observatory, list(page.object_list))],
    }
    return render(request, "hub/work/diff.html", context)


def _words() -> dict[str, str]:
    return {
        CHANGED: _("Changed"),
        WITHHELD: _("Withheld now"),
        SHOWN: _("Was withheld"),
        ADDED: _("Only in the later one"),
        GONE: _("Only in the earlier one"),
    }


class Difference:
    """The rows in which two releases differ, kept as a file: releases never change, so it is made once.

    Parameters
    ----------
    path
        Parquet of the rows.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self.path = path
        told = json.loads(pq.read_metadata(path).metadata[b"safercities"])
        self.counts: dict[str, int] = told["counts"]
        self.dimensions: list[str] = told["dimensions"]
        self.definitions: list[dict[str, Any]] = told["definitions"]

    @classmethod
    def between(cls, observatory: Observatory, one: Release, other: Release) -> Difference:
        """Made now where nobody asked before."""
        folder = Path(settings.HOME) / "differences" / observatory.slug
        path = folder / f"{one.identity[:32]}-{other.identity[:32]}.parquet"
        if not path.is_file():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, Path(one.folder), Path(other.folder))
        return cls(path)

    def rows(self, kind: str, offset: int, limit: int) -> list[dict[str, Any]]:
        """Some of them, in order."""
        where, values = ("WHERE kind = ?", [kind]) if kind else ("", [])
        sql = f"SELECT * FROM read_parquet(?) {where} ORDER BY number LIMIT ? OFFSET ?"
        with closing(_connect()) as engine:
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


def _connect() -> duckdb.DuckDBPyConnection:
    import duckdb

    engine = duckdb.connect()
    engine.execute(f"SET memory_limit = '{_MEMORY}'")
    engine.execute("SET preserve_insertion_order = false")
    return engine


def _write(path: Path, one: Path, other: Path) -> None:
    """Compare two releases, verified once more as they are read; whole or not at all."""
    import pyarrow.parquet as pq

    from safercities.release.verify import open_release

    before, after = open_release(one), open_release(other)
    dimensions = sorted({*before.estimates.dimensions, *after.estimates.dimensions})
    with closing(_connect()) as engine:
        engine.register("before", before.estimates.table)
        engine.register("after", after.estimates.table)
        joined = _joined(before, after, dimensions)
        engine.execute(f"CREATE TEMP TABLE found AS {joined}")
        counts = dict(engine.execute("SELECT kind, count(*) FROM found GROUP BY kind").fetchall())
        order = ", ".join(_quoted(name) for name in (*_KEY, *dimensions))
        rows: pa.Table = engine.sql(
            f"SELECT row_number() OVER (ORDER BY {order}) AS number, * FROM found WHERE kind <> 'same' ORDER BY number"
        ).to_arrow_table()
    told = {"counts": counts, "dimensions": dimensions, "definitions": _definitions(before, after)}
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        new = Path(folder) / "rows.parquet"
        pq.write_table(rows.replace_schema_metadata({"safercities": json.dumps(told)}), new, compression="zstd")
        new.replace(path)


def _joined(before: Opened, after: Opened, dimensions: Sequence[str]) -> str:
    """The SQL that compares: rows are the same that speak of the same, whatever version of the definition they use."""
    key = [*_KEY, *dimensions, *(["version"] if _several_versions(before, after) else [])]
    sides = {}
    for side, release in (("before", before), ("after", after)):
        there = release.estimates.dimensions
        names = [
            f"'_T' AS {_quoted(name)}" if name in dimensions and name not in there else _quoted(name)
            for name in dict.fromkeys((*key, *_TOLD))
        ]
        sides[side] = f"SELECT {', '.join(names)}, true AS here FROM {side}"
    same = " AND ".join(f"b.{_quoted(name)} IS NOT DISTINCT FROM a.{_quoted(name)}" for name in key)
    keys = ", ".join(f"coalesce(b.{_quoted(name)}, a.{_quoted(name)}) AS {_quoted(name)}" for name in key)
    told = ", ".join(f"b.{name} AS old_{name}, a.{name} AS new_{name}" for name in _TOLD)
    hid, hides = "coalesce(b.conf_status = 'N', false)", "coalesce(a.conf_status = 'N', false)"
    differ = " OR ".join(f"b.{name} IS DISTINCT FROM a.{name}" for name in _TOLD)
    return f"""
        SELECT {keys}, {told}, CASE
            WHEN b.here IS NULL THEN '{ADDED}' WHEN a.here IS NULL THEN '{GONE}'
            WHEN {hides} AND NOT {hid} THEN '{WITHHELD}' WHEN {hid} AND NOT {hides} THEN '{SHOWN}'
            WHEN {differ} THEN '{CHANGED}' ELSE 'same' END AS kind
        FROM ({sides["before"]}) b FULL JOIN ({sides["after"]}) a ON {same}
    """


def _several_versions(*releases: Opened) -> bool:
    return any(len(one.versions) > 1 for each in releases for one in each.verified.manifest.indicators.values())


def _quoted(name: str) -> str:
    from safercities.engine.sql import quote

    return quote(name)


def _definitions(before: Opened, after: Opened) -> list[dict[str, Any]]:
    """Indicators that the two releases define differently, or that only one of them has."""
    old, new = before.verified.manifest.indicators, after.verified.manifest.indicators
    return [
        {
            "indicator": code,
            "old": ", ".join(old[code].versions) if code in old else "",
            "new": ", ".join(new[code].versions) if code in new else "",
            "changed": code in old and code in new,
        }
        for code in sorted({*old, *new})
        if code not in old or code not in new or old[code] != new[code]
    ]


def _labelled(observatory: Observatory, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With the names of indicators and places, where the public pages know them."""
    shown, language = figures(observatory), get_language() or "en"
    if shown is None:
        return rows
    indicators = {code: one.label(language) for code, one in shown.indicators.items()}
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
        side: {name: row[f"{side}_{name}"] for name in _TOLD}
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
