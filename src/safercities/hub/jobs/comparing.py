"""What differs between two releases, worked out once and kept as a file: releases never change."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from safercities.hub.jobs.carrying import Outcome, Progress
from safercities.hub.models import Job, Observatory, Release
from safercities.model.errors import SafercitiesError, problem
from safercities.model.estimates import MEASURES

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from safercities.release.verify import Opened

#: Kinds of difference, in the order in which they are told.
CHANGED, WITHHELD, SHOWN, ADDED, GONE = "changed", "withheld", "shown", "added", "gone"
KINDS = (CHANGED, WITHHELD, SHOWN, ADDED, GONE)
#: What a row speaks of, beside its dimensions; and what it says of that, as far as the page shows it.
_KEY = ("indicator", "source", "unit", "method", "period", "place")
TOLD = ("value", "lower", "upper", "conf_status", "obs_status", "quality", "verdict", "version")
#: All that a row says: whatever of it differs, the row is not the same.
_SAID = (*TOLD, *(name for name, _ in MEASURES if name not in (*_KEY, *TOLD)))
#: Stands in the names of the files: what was worked out in another way is worked out anew.
_FORMAT = 2
#: Bytes of two releases' estimates that are compared while somebody waits for the page; more of them by a job.
SMALL = 2**20
_MEMORY = "1GB"


def path_of(observatory: Observatory, one: Release, other: Release) -> Path:
    """Where the differences of two releases are kept."""
    name = f"{one.identity[:32]}-{other.identity[:32]}.{_FORMAT}.parquet"
    return Path(settings.HOME) / "differences" / observatory.slug / name


def small(*releases: Release) -> bool:
    """Whether comparing them takes no longer than a page may."""
    files = [Path(one.folder) / "estimates.parquet" for one in releases]
    return sum(file.stat().st_size for file in files if file.is_file()) <= SMALL


def compare(job: Job, progress: Progress) -> Outcome:
    """Compare the releases of these numbers, `what["one"]` and `what["other"]`."""
    shelf = job.observatory.shelf
    one, other = (shelf.filter(number=job.what.get(name)).first() for name in ("one", "other"))
    if one is None or other is None:
        raise SafercitiesError(problem("job-nothing"))
    write(path_of(job.observatory, one, other), Path(one.folder), Path(other.folder), progress)
    return Outcome({"one": one.number, "other": other.number})


def write(path: Path, one: Path, other: Path, progress: Progress | None = None) -> None:
    """Compare two releases, verified once more as they are read; whole or not at all."""
    import pyarrow.parquet as pq

    from safercities.release.verify import open_release

    if progress is not None:
        progress("verify", 0, 1)
    before, after = open_release(one), open_release(other)
    if progress is not None:
        progress("compare", 0, 1)
    dimensions = sorted({*before.estimates.dimensions, *after.estimates.dimensions})
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    work = path.parent / f".new-{secrets.token_hex(8)}"  # what a killed run leaves there is swept
    work.mkdir(mode=0o700)
    try:
        counts, rows = _compared(before, after, dimensions, work)
        told = {"counts": counts, "dimensions": dimensions, "definitions": _definitions(before, after)}
        new = work / "rows.parquet"
        pq.write_table(rows.replace_schema_metadata({"safercities": json.dumps(told)}), new, compression="zstd")
        new.replace(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def connect(spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """DuckDB within bounds of memory; `spill`: a folder for what does not fit, else it ends with an error."""
    import duckdb

    engine = duckdb.connect()
    engine.execute(f"SET memory_limit = '{_MEMORY}'")
    engine.execute("SET preserve_insertion_order = false")
    where = str(spill or "").replace("'", "''")
    engine.execute(f"SET temp_directory = '{where}'")
    return engine


def _compared(before: Opened, after: Opened, dimensions: Sequence[str], spill: Path) -> tuple[dict[str, int], pa.Table]:
    """How many rows there are of each kind of difference, and the rows that differ, in order."""
    with closing(connect(spill)) as engine:
        engine.register("before", before.estimates.table)
        engine.register("after", after.estimates.table)
        joined = _joined(before, after, dimensions)
        engine.execute(f"CREATE TEMP TABLE found AS {joined}")
        counts = dict(engine.execute("SELECT _kind, count(*) FROM found GROUP BY _kind").fetchall())
        order = ", ".join(_quoted(name) for name in (*_KEY, *dimensions))
        rows: pa.Table = engine.sql(
            f"SELECT row_number() OVER (ORDER BY {order}) AS _number, * FROM found"
            " WHERE _kind <> 'same' ORDER BY _number"
        ).to_arrow_table()
    return counts, rows


def _joined(before: Opened, after: Opened, dimensions: Sequence[str]) -> str:
    """The SQL that compares: rows are the same that speak of the same, whatever version of the definition they use.

    Columns of its own begin with _, as no dimension does.
    """
    key = [*_KEY, *dimensions, *(["version"] if _several_versions(before, after) else [])]
    sides = {}
    for side, release in (("before", before), ("after", after)):
        there = release.estimates.dimensions
        names = [
            f"'_T' AS {_quoted(name)}" if name in dimensions and name not in there else _quoted(name)
            for name in dict.fromkeys((*key, *_SAID))
        ]
        sides[side] = f"SELECT {', '.join(names)}, true AS _here FROM {side}"
    same = " AND ".join(f"b.{_quoted(name)} IS NOT DISTINCT FROM a.{_quoted(name)}" for name in key)
    keys = ", ".join(f"coalesce(b.{_quoted(name)}, a.{_quoted(name)}) AS {_quoted(name)}" for name in key)
    told = ", ".join(f"b.{name} AS _old_{name}, a.{name} AS _new_{name}" for name in TOLD)
    hid, hides = "coalesce(b.conf_status = 'N', false)", "coalesce(a.conf_status = 'N', false)"
    differ = " OR ".join(f"b.{name} IS DISTINCT FROM a.{name}" for name in _SAID)
    fields = ", ".join(f"CASE WHEN b.{name} IS DISTINCT FROM a.{name} THEN '{name}' END" for name in _SAID)
    return f"""
        SELECT {keys}, {told}, concat_ws(' ', {fields}) AS _differing, CASE
            WHEN b._here IS NULL THEN '{ADDED}' WHEN a._here IS NULL THEN '{GONE}'
            WHEN {hides} AND NOT {hid} THEN '{WITHHELD}' WHEN {hid} AND NOT {hides} THEN '{SHOWN}'
            WHEN {differ} THEN '{CHANGED}' ELSE 'same' END AS _kind
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
