"""Writes what measuring leaves in `build/`: estimates, what was left out, problems, a manifest. Private files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from safercities.collect.spec import AuditsSpec, ReleaseSpec, SurveySpec
from safercities.files import keep_out_of_git, replace_folder, sha256, write_csv
from safercities.model.errors import Problem
from safercities.model.estimates import Estimates

if TYPE_CHECKING:
    import pyarrow as pa

    from safercities.collect.spec import SourceSpec
    from safercities.observatory import Observatory
    from safercities.review.data import SourceSummary


BUILD = "build"
#: Which release of each member the numbers were made of.
VINTAGES = "vintages.json"


def write_build(target: Path, estimates: Estimates, observatory: Observatory, problems: list[Problem]) -> None:
    """Write the folder whole, or leave the earlier one."""
    import pyarrow.parquet as pq

    with replace_folder(target, mark="manifest.json", private=True) as folder:
        pq.write_table(estimates.table, folder / "estimates.parquet", compression="zstd")
        write_table(folder / "estimates.csv", estimates.table)
        write_problems(folder / "problems.csv", problems)
        for name, spec in observatory.spec.sources.items():
            if not isinstance(spec, ReleaseSpec):
                write_left_out(folder, observatory, name)
        if observatory.federation is not None:
            said = json.dumps(observatory.federation.vintages, indent=1, ensure_ascii=False)
            (folder / VINTAGES).write_text(said + "\n", encoding="utf-8")
        (folder / "manifest.json").write_text(observatory.manifest(estimates), encoding="utf-8")
        keep_out_of_git(folder)


def write_left_out(folder: Path, observatory: Observatory, name: str) -> None:
    """Rejected rows and rows without a place, each with its reason, where there are any."""
    collected = observatory.collect(name)
    if collected.rejects.num_rows:
        (folder / "rejects").mkdir(exist_ok=True)
        write_table(folder / "rejects" / f"{name}.csv", collected.rejects)
    if collected.kind != "population":
        unlocated = observatory.locate(name).unlocated
        if unlocated.num_rows:
            (folder / "unlocated").mkdir(exist_ok=True)
            write_table(folder / "unlocated" / f"{name}.csv", unlocated)


def write_table(path: Path, table: pa.Table) -> None:
    """An Arrow table as CSV that spreadsheets open safely."""
    rows = (
        row for batch in table.to_batches(10_000) for row in zip(*(c.to_pylist() for c in batch.columns), strict=True)
    )
    write_csv(path, table.column_names, rows)


def write_problems(path: Path, problems: list[Problem]) -> None:
    """The problems as a table."""
    header = ["severity", "code", "file", "row", "column", "rows", "what", "what to do"]
    rows = ([p.severity, p.code, p.file, p.row, p.column, p.rows, p.what, p.todo] for p in problems)
    write_csv(path, header, rows)


def summary(observatory: Observatory, name: str) -> SourceSummary:
    """What was read, kept and left out of one source."""
    from safercities.review.data import SourceSummary

    spec = observatory.spec.sources[name]
    if isinstance(spec, ReleaseSpec):
        return _of_releases(observatory, name, spec)
    collected = observatory.collect(name)
    cases = collected.kind != "population"
    return SourceSummary(
        name=name,
        label=collected.label,
        kind=collected.kind,
        file=collected.file,
        sha256=sha256(on_disk(observatory.folder, file_of(spec))),
        rows_read=collected.rows_read,
        rows_kept=collected.table.num_rows,
        rows_rejected=collected.rows_read - collected.table.num_rows,
        unit=collected.unit,
        covers=observatory.covers(name) if cases else None,
        located=observatory.locate(name).counts if cases else {},
        population=spec.population if isinstance(spec, SurveySpec) else "",
    )


def covers(observatory: Observatory, name: str) -> str:
    """The period that a source covers, as `Observatory.covers` gives it."""
    spec = observatory.spec.sources[name]
    if isinstance(spec, SurveySpec):
        return ", ".join(observatory.survey_source(name).waves)
    if isinstance(spec, AuditsSpec):
        days = observatory.collect(name).table.column("when").to_pylist()
        return f"{min(days):%Y-%m-%d}/{max(days):%Y-%m-%d}" if days else ""
    return str(observatory.counts_source(name).covers)


def file_of(spec: SourceSpec) -> str:
    """The file that a source names; every source but another's releases must name one."""
    assert spec.file is not None  # noqa: S101 - other sources have none
    return spec.file


def _of_releases(observatory: Observatory, name: str, spec: ReleaseSpec) -> SourceSummary:
    """The releases in force of one member: numbers, days of publication, and the newest one's id as its hash."""
    from safercities.review.data import SourceSummary

    found = observatory.federation
    assert found is not None  # noqa: S101 - there is a source of releases
    (member,) = (one for one in found.members if one.name == name)
    force = member.vintages
    shown = "; ".join(f"#{one.number} {one.published} {one.release[:12]}" for one in force)
    periods = sorted(set(member.published.table.column("period").to_pylist()))
    return SourceSummary(
        name=name,
        label=spec.label or member.place.name,
        kind=spec.kind,
        file=f"{spec.file or spec.url} ({shown})" if shown else str(spec.file or spec.url),
        sha256=force[-1].release if force else "",
        rows_read=len(member.published),
        rows_kept=len(member.published),
        rows_rejected=0,
        covers=", ".join(periods) or None,
    )


def on_disk(folder: Path, file: str) -> Path:
    """The file that holds the data: the archive, where `file` names a member of one.

    Examples
    --------
    >>> on_disk(Path("city"), "data.zip/2019.csv").name
    'data.zip'
    """
    path = folder / file
    for part in [path, *path.parents]:
        if part.suffix.lower() == ".zip":
            return part
    return path
